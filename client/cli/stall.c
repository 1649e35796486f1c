/* Why nothing happens; the contract is in stall.h. */
#include "stall.h"
#include "reasons.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_MS = 1000, AGAIN_MS = 5000 };
enum reason {
    AWAY = 1,
    NO_WORKER = 2,
    NO_HANDLER = 4,
    NOT_TAKEN = 8,
    LATER = 16,
    PAUSED = 32,
    LIMITED = 64,
    UNMET = 128,
    AFTER = 256,
    GROUPED = 512,
};

void
stall_begin(struct stall *s, struct cli *cli, const char *queue, const char *kind)
{
    *s = (struct stall){.cli = cli, .queue = queue, .kind = kind};
    s->progress_ms = s->heard_ms = clock_ms();
}

void
stall_progress(struct stall *s)
{
    s->progress_ms = s->heard_ms = clock_ms();
}

static bool
first_time(struct stall *s, enum reason reason)
{
    bool first = !(s->said & (unsigned)reason);
    s->said |= (unsigned)reason;
    return first;
}

bool
stall_serves(const char *word, size_t size, const char *queue)
{
    if (size > 0 && word[size - 1] == '*')
        return strncmp(word, queue, size - 1) == 0;
    return strlen(queue) == size && memcmp(word, queue, size) == 0;
}

/* Is the word one of those in the list, which is cut with "..." when it is long? */
static bool
among(const char *list, const char *word)
{
    for (const char *at = list; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        if (stall_serves(at, n, word) || (n >= 3 && memcmp(at + n - 3, "...", 3) == 0))
            return true;
        at += n;
    }
    return false;
}

struct fleet {
    const char *queue, *kind;
    uint32_t serving, handling;
};

static bool
each_worker(void *context, const struct stint_worker_info *info)
{
    struct fleet *f = context;
    if (among(info->queues, f->queue)) {
        f->serving++;
        f->handling +=
            info->kinds[0] == '\0' || among(info->kinds, f->kind ? f->kind : STINT_DEFAULT_NAME);
    }
    return true;
}

/* Which of the reasons that are told in the words of `stint why` it is; 0: none of them. */
static unsigned
reason_of(const struct stint_reason *reason)
{
    switch (reason->why) {
    case STINT_WHY_NEEDS:
        return UNMET;
    case STINT_WHY_AFTER:
        return AFTER;
    case STINT_WHY_GROUP_FULL:
    case STINT_WHY_GROUP_RATE:
    case STINT_WHY_GROUP_LINE:
        return GROUPED;
    default:
        return 0;
    }
}

/* No worker has what it needs, others are to end before it, or its group is full. */
static void
say_reason(struct stall *s, const struct stint_id *id, const struct stint_reason *reason)
{
    unsigned which = reason_of(reason);
    char text[STINT_ID_TEXT_BYTES] = "";
    if (which == 0 || !first_time(s, (enum reason)which))
        return;
    char *sentence = reason_sentence(reason, clock_wall_ms());
    if (id && which != UNMET)
        cli_say(s->cli, "%s: %s", stint_id_format(id, text), sentence);
    else
        cli_say(s->cli, "%s", sentence);
    free(sentence);
}

/* A broker that is too old to be asked has no queues that are paused or limited. */
static void
say_set(struct stall *s, const char *queue)
{
    struct stint_reason reason;
    if (stint_why_queue(s->cli->client, queue, &reason, ASK_MS) != STINT_OK)
        return;
    if (reason.why == STINT_WHY_PAUSED && first_time(s, PAUSED))
        cli_say(s->cli, "queue %s is paused, so nothing of it begins; stint queue resume %s", queue,
            queue);
    if (s->queue) /* else the jobs of others may be meant */
        say_reason(s, NULL, &reason);
    if ((reason.why == STINT_WHY_LIMITED || reason.why == STINT_WHY_RATE) &&
        first_time(s, LIMITED)) {
        char *sentence = reason_sentence(&reason, clock_wall_ms());
        cli_say(s->cli, "%s", sentence);
        free(sentence);
    }
}

/* It is due at its own time, after a failure, or after its handler has put it off. */
static void
say_later(struct stall *s, const struct stint_id *id)
{
    struct stint_reason reason;
    char text[STINT_ID_TEXT_BYTES];
    if (stint_why(s->cli->client, id, 1, &reason, ASK_MS) != STINT_OK || reason.due_ms == 0) {
        cli_say(s->cli, "%s is scheduled, and runs later", stint_id_format(id, text));
        return;
    }
    char *sentence = reason_sentence(&reason, clock_wall_ms());
    cli_say(s->cli, "%s is scheduled: %s", stint_id_format(id, text), sentence);
    free(sentence);
}

static const char *
endpoint_of(const struct cli *cli)
{
    return cli->endpoint ? cli->endpoint : "its endpoint";
}

static void
say_fleet(struct stall *s, const struct fleet *f)
{
    const char *queue = f->queue, *kind = f->kind ? f->kind : STINT_DEFAULT_NAME;
    bool exec = strcmp(kind, "exec") == 0;
    if (f->serving == 0 && first_time(s, NO_WORKER))
        cli_say(s->cli,
            "no worker serves queue %s, so nothing runs; start one, such as: "
            "stint-worker --queue %s %s%s%s",
            queue, queue, exec ? "--exec" : "--handle ", exec ? "" : kind, exec ? "" : "=PROGRAM");
    else if (f->serving > 0 && f->handling == 0 && first_time(s, NO_HANDLER))
        cli_say(s->cli,
            "no worker of queue %s runs jobs of kind %s; start one with: "
            "stint-worker --queue %s %s%s%s",
            queue, kind, queue, exec ? "--exec" : "--handle ", exec ? "" : kind,
            exec ? "" : "=PROGRAM");
}

/* Of a job whose queue is not known: it tells itself why it waits. */
static enum stint_status
look_at_job(
    struct stall *s, struct fleet *fleet, char queue[STINT_NAME_BYTES], char kind[STINT_NAME_BYTES])
{
    const struct stint_id *id = s->waits_for ? s->waits_for(s->context) : NULL;
    const struct stint_job_info *info;
    if (!id)
        return STINT_OK;
    struct stint_id one = *id;
    enum stint_status status = stint_get(s->cli->client, &one, STINT_NO_PARTS, &info, ASK_MS);
    if (status != STINT_OK)
        return status == STINT_NO_SUCH_JOB ? STINT_OK : status;
    if (info->state == STINT_SCHEDULED && first_time(s, LATER))
        say_later(s, &one);
    else if (info->state == STINT_READY || info->state == STINT_BLOCKED) {
        bool ready = info->state == STINT_READY;
        struct stint_reason reason;
        memcpy(queue, info->queue, STINT_NAME_BYTES);
        memcpy(kind, info->kind, STINT_NAME_BYTES);
        if ((!ready || info->needs[0] || info->group[0]) &&
            stint_why(s->cli->client, &one, 1, &reason, ASK_MS) == STINT_OK)
            say_reason(s, &one, &reason);
        fleet->queue = ready ? queue : NULL;
        fleet->kind = kind;
    }
    return STINT_OK;
}

static enum stint_status
find_out(struct stall *s)
{
    char queue[STINT_NAME_BYTES], kind[STINT_NAME_BYTES];
    struct fleet fleet = {.queue = s->queue, .kind = s->kind};
    enum stint_status status = STINT_OK;
    size_t pending = stint_client_pending(s->cli->client);
    if (!fleet.queue && pending == 0)
        status = look_at_job(s, &fleet, queue, kind);
    if (status == STINT_OK && fleet.queue)
        status = stint_workers(s->cli->client, each_worker, &fleet, ASK_MS);
    else if (status == STINT_OK)
        status = stint_ping(s->cli->client, NULL, ASK_MS);
    if (status != STINT_OK)
        return status;
    if (s->held && first_time(s, NOT_TAKEN))
        cli_say(s->cli, "the broker takes no more jobs for now, and they wait until it does: %s",
            s->held);
    if (fleet.queue) {
        say_fleet(s, &fleet);
        say_set(s, fleet.queue);
    }
    return STINT_OK;
}

/* Such as that our key was revoked, or that there is no room for us; again if it is another reason.
 */
static void
say_why_away(struct stall *s)
{
    const char *why = stint_client_error(s->cli->client);
    if (strncmp(why, s->away, sizeof s->away - 1) == 0)
        return;
    (void)snprintf(s->away, sizeof s->away, "%s", why);
    cli_say(s->cli, "%s", why);
}

int
stall_look(struct stall *s)
{
    uint64_t now_ms = clock_ms(), pause_ms = s->said && !s->cli->bounded ? AGAIN_MS : ASK_MS;
    uint64_t begin_ms =
        s->cli->bounded && s->cli->timeout_ms < STALL_MS ? s->cli->timeout_ms / 2 : STALL_MS;
    if (now_ms - s->progress_ms < begin_ms || now_ms - s->asked_ms < pause_ms)
        return EX_OK;
    enum stint_status status = find_out(s);
    s->asked_ms = clock_ms();
    if (status == STINT_OK) {
        s->heard_ms = s->asked_ms;
        return EX_OK;
    }
    if (status != STINT_TIMEOUT && status != STINT_UNREACHABLE && status != STINT_TOO_MANY)
        return cli_failed(s->cli, status);
    uint64_t silent_ms = s->asked_ms - s->heard_ms;
    if (s->cli->bounded && silent_ms >= s->cli->timeout_ms) {
        cli_say(s->cli, "no sign of the broker at %s for %llu s (--broker-timeout)",
            endpoint_of(s->cli), (unsigned long long)silent_ms / 1000);
        return EX_UNAVAILABLE;
    }
    if (first_time(s, AWAY))
        cli_say(s->cli,
            "no answer from the broker at %s; waiting until it is back (Ctrl-C, or "
            "--broker-timeout, ends that)",
            endpoint_of(s->cli));
    say_why_away(s);
    return EX_OK;
}
