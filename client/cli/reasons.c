/* Sentences about reasons; the contract is in reasons.h. */
#include "reasons.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS };

/* "3m", of the time that is left, and no more exact than people want it. */
static const char *
left(const struct stint_reason *r, uint64_t now_ms, char text[UNITS_TEXT_BYTES])
{
    uint64_t ms = r->due_ms > now_ms ? r->due_ms - now_ms : 0;
    uint64_t unit_ms = ms >= 24ULL * HOUR_MS ? HOUR_MS
        : ms >= 10ULL * MINUTE_MS            ? MINUTE_MS
                                             : SECOND_MS;
    return units_write_duration((ms / unit_ms + 1) * unit_ms, text);
}

static const char *
plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* The first line of what the last attempt said, after a colon. */
static void
put_error(FILE *f, const struct stint_reason *r)
{
    size_t size = strcspn(r->error, "\n");
    if (size > 0)
        fprintf(f, ": %.*s", (int)size, r->error);
}

/* Of a queue. */
static void
put_groups(FILE *f, const struct stint_reason *r)
{
    fprintf(f,
        "all that is ready in it waits for its groups, which run or begin as many jobs as they "
        "may; stint queue set %s --group-running and --group-rate let them run more",
        r->queue);
}

static void
put_time(FILE *f, const struct stint_reason *r, uint64_t now_ms)
{
    char text[UNITS_TEXT_BYTES];
    bool job = r->kind[0] != '\0';
    switch (r->why) {
    case STINT_WHY_RETRY:
        fprintf(f, "it failed, and is tried again in %s", left(r, now_ms, text));
        put_error(f, r);
        break;
    case STINT_WHY_SNOOZED:
        fprintf(f, "its handler has put it off; it runs again in %s", left(r, now_ms, text));
        break;
    case STINT_WHY_UNCLAIMED:
        fprintf(f,
            "it was handed out before the broker restarted; for another %s it is kept for its "
            "worker, and then goes to any",
            left(r, now_ms, text));
        break;
    case STINT_WHY_GRACE:
        fprintf(f,
            "the broker has just started, and no worker for it is back yet; they have another %s "
            "before their jobs are given to others",
            left(r, now_ms, text));
        break;
    case STINT_WHY_RATE:
        fprintf(f, "as many jobs of queue %s have begun as may in a time; one more may in %s",
            r->queue, left(r, now_ms, text));
        break;
    case STINT_WHY_GROUP_RATE:
        if (!job) {
            put_groups(f, r);
            break;
        }
        fprintf(f, "as many jobs of its group have begun as may in a time; one more may in %s",
            left(r, now_ms, text));
        break;
    default:
        if (job)
            fprintf(f, "it is due in %s", left(r, now_ms, text));
        else
            fputs("all that waits in it is due later", f);
    }
}

/* Why those that are there take nothing; the rest of them has no slots. */
static void
put_unwilling(FILE *f, const struct stint_reason *r)
{
    const struct {
        uint32_t count;
        const char *text;
    } parts[] = {{r->paused, "paused"}, {r->leaving, "leaving"}, {r->away, "cut off"},
        {r->workers - r->paused - r->leaving - r->away, "without slots for now"}};
    const char *between = ": ";
    fprintf(f, "of the %u worker%s for it none takes jobs", r->workers, plural(r->workers));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].count > 0) {
            fprintf(f, "%s%u %s", between, parts[i].count, parts[i].text);
            between = ", ";
        }
    fputs(r->paused ? "; stint worker resume lets them"
                    : "; see stint workers, and start another one, or give one slots",
        f);
}

static void
put_before(FILE *f, const struct stint_reason *r)
{
    if (r->before > 0)
        fprintf(f, "%s%llu job%s of queue %s %s it", r->about ? "up to " : "",
            (unsigned long long)r->before, plural(r->before), r->queue,
            r->before == 1 ? "is before" : "are before");
}

/* A worker that would run it; of a queue, the kinds of its jobs are not known. */
static void
put_start(FILE *f, const struct stint_reason *r)
{
    fprintf(f, "stint-worker --queue %s ", r->queue);
    if (strcmp(r->kind, "exec") == 0)
        fputs("--exec", f);
    else if (r->kind[0])
        fprintf(f, "--handle %s=PROGRAM", r->kind);
    else
        fputs("--exec, or with --handle KIND=PROGRAM", f);
}

static void
put_workers(FILE *f, const struct stint_reason *r)
{
    bool job = r->kind[0] != '\0';
    switch (r->why) {
    case STINT_WHY_NO_WORKER:
        fprintf(f, "no worker serves queue %s; start one: ", r->queue);
        put_start(f, r);
        break;
    case STINT_WHY_NO_HANDLER:
        fprintf(f, "%u worker%s queue %s, and none of them handles kind %s; start one that does: ",
            r->workers, r->workers == 1 ? " serves" : "s serve", r->queue, r->kind);
        put_start(f, r);
        break;
    case STINT_WHY_UNABLE:
        fprintf(f, "a worker can't start it, and it waits for one of %u other%s", r->workers,
            plural(r->workers));
        put_error(f, r);
        break;
    case STINT_WHY_SUSPECT:
        fprintf(f,
            "it was lost with a worker, and may be what ended that; it waits until one of %u "
            "worker%s has nothing else to begin",
            r->workers, plural(r->workers));
        break;
    case STINT_WHY_BUSY:
        fprintf(f, "all %llu slot%s of %u worker%s are taken", (unsigned long long)r->slots,
            plural(r->slots), r->workers, plural(r->workers));
        fputs(job && r->before ? ", and " : "", f);
        if (job)
            put_before(f, r);
        fputs("; more workers or slots would help", f);
        break;
    default:
        put_unwilling(f, r);
    }
}

/* Of labels and amounts. */
static void
put_needs(FILE *f, const struct stint_reason *r)
{
    bool job = r->kind[0] != '\0';
    if (r->why == STINT_WHY_ROOM) {
        fprintf(f, "it needs %s, which %u worker%s, and too much of it is taken", r->needs,
            r->workers, r->workers == 1 ? " has" : "s have");
        if (r->worker[0])
            fprintf(f, "; worker %s makes room for the next such job", r->worker);
        return;
    }
    if (r->why == STINT_WHY_VARIED) {
        fprintf(f,
            "it needs %s, and jobs of queue %s need so many different things that it waits until "
            "some of them are gone; another queue would help",
            r->needs, r->queue);
        return;
    }
    if (job)
        fprintf(f, "it needs %s, which none of the %u worker%s for it has", r->needs, r->workers,
            plural(r->workers));
    else
        fprintf(f, "there are jobs in it that need %s, which none of its %u worker%s has", r->needs,
            r->workers, plural(r->workers));
    fprintf(f, "; start one that does: stint-worker --queue %s --has '%s' ...", r->queue, r->needs);
}

static void
put_group_full(FILE *f, const struct stint_reason *r)
{
    if (!r->kind[0]) {
        put_groups(f, r);
        return;
    }
    fprintf(f, "its group runs as many jobs as it may, %llu", (unsigned long long)r->slots);
    if (r->before > 0)
        fprintf(f, ", and up to %llu of it go before it", (unsigned long long)r->before);
    fprintf(f, "; stint queue set %s --group-running N lets it run more", r->queue);
}

static void
put_place(FILE *f, const struct stint_reason *r)
{
    const char *ended =
        r->state == STINT_DEAD || r->state == STINT_CANCELLED_JOB || r->state == STINT_EXPIRED
        ? "; stint retry brings it back"
        : "";
    switch (r->why) {
    case STINT_WHY_SETTLED:
        fprintf(f, "it is over: %s%s", stint_state_name(r->state), ended);
        break;
    case STINT_WHY_RUNNING:
        fprintf(f, "it runs, in worker %s", r->worker);
        break;
    case STINT_WHY_HELD:
        fprintf(f,
            "worker %s has it, and has not said that it runs: it has just begun, or waits "
            "there for a slot",
            r->worker);
        break;
    case STINT_WHY_CUT_OFF:
        fprintf(f,
            "worker %s has it, and is cut off; if it does not come back soon, another one "
            "gets it",
            r->worker);
        break;
    case STINT_WHY_PAUSED:
        fprintf(f, "queue %s is paused; stint queue resume %s", r->queue, r->queue);
        break;
    case STINT_WHY_NEXT:
        fputs("nothing holds it up, and its turn comes in a moment", f);
        fputs(r->kind[0] && r->before ? ": " : "", f);
        if (r->kind[0])
            put_before(f, r);
        break;
    case STINT_WHY_LIMITED:
        fprintf(f,
            "queue %s runs as many jobs as it may, %llu; stint queue set %s --running N lets it "
            "run "
            "more",
            r->queue, (unsigned long long)r->slots, r->queue);
        break;
    case STINT_WHY_GROUP_FULL:
        put_group_full(f, r);
        break;
    case STINT_WHY_GROUP_LINE:
        fprintf(f, "others of its group go before it, up to %llu, and groups take turns",
            (unsigned long long)r->before);
        break;
    case STINT_WHY_AFTER:
        if (r->kind[0])
            fprintf(f, "it waits until %llu other job%s", (unsigned long long)r->before,
                r->before == 1 ? " has ended" : "s have ended");
        else
            fputs("all that waits in it waits for other jobs to end", f);
        break;
    case STINT_WHY_NOTHING:
        fputs("nothing waits in it", f);
        break;
    case STINT_WHY_UNKNOWN:
        fputs("there is no such job, or it was forgotten; stint ls lists those there are", f);
        break;
    default:
        fputs("it waits for a reason that this stint does not know; a newer one tells it", f);
    }
}

static bool
is_among(enum stint_why why, const enum stint_why *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (all[i] == why)
            return true;
    return false;
}

char *
reason_sentence(const struct stint_reason *r, uint64_t now_ms)
{
    static const enum stint_why times[] = {STINT_WHY_RETRY, STINT_WHY_SNOOZED, STINT_WHY_DUE,
        STINT_WHY_UNCLAIMED, STINT_WHY_GRACE, STINT_WHY_RATE, STINT_WHY_GROUP_RATE};
    static const enum stint_why workers[] = {STINT_WHY_NO_WORKER, STINT_WHY_NO_HANDLER,
        STINT_WHY_UNABLE, STINT_WHY_UNWILLING, STINT_WHY_SUSPECT, STINT_WHY_BUSY};
    static const enum stint_why needs[] = {STINT_WHY_NEEDS, STINT_WHY_ROOM, STINT_WHY_VARIED};
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        abort();
    if (is_among(r->why, times, sizeof times / sizeof *times))
        put_time(f, r, now_ms);
    else if (is_among(r->why, workers, sizeof workers / sizeof *workers))
        put_workers(f, r);
    else if (is_among(r->why, needs, sizeof needs / sizeof *needs))
        put_needs(f, r);
    else
        put_place(f, r);
    if (r->closed)
        fprintf(f, "; it is closed, so submits wait: stint queue open %s", r->queue);
    else if (r->full)
        fputs("; it is full, so submits wait", f);
    if (fclose(f) != 0 || !text)
        abort();
    return text;
}
