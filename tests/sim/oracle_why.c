/* What the oracle knows of why jobs wait: the reason that the broker tells of a job has to be one
 * that this oracle's own picture of the job, its queue and its workers allows. What is told
 * in the middle of a step is judged only by what did not change in that step; at its end, all is.
 */
#include "keys.h"
#include "oracle_inside.h"
#include "why.h"

enum { TOLD_MAX = 256, PATIENCE_US = 2000000 };

static struct stint_reason told[TOLD_MAX];
static unsigned told_count;

void
why_clear(void)
{
    told_count = 0;
}

void
why_told(struct message_arrays *arrays, uint32_t count)
{
    for (uint32_t i = 0; i < count && told_count < TOLD_MAX; i++) {
        if (!message_next_reason(arrays))
            sim_broken("a reason that can't be read");
        told[told_count++] = arrays->reason;
    }
}

/* May a job of this state be said to wait for that? */
static bool
fits(enum stint_state state, enum stint_why why)
{
    switch (state) {
    case STINT_READY:
        return (why >= STINT_WHY_PAUSED && why <= STINT_WHY_NEXT) || why == STINT_WHY_LIMITED ||
            why == STINT_WHY_RATE || why == STINT_WHY_NEEDS || why == STINT_WHY_ROOM ||
            (why >= STINT_WHY_GROUP_FULL && why <= STINT_WHY_GROUP_LINE);
    case STINT_SCHEDULED:
        return why == STINT_WHY_RETRY || why == STINT_WHY_SNOOZED || why == STINT_WHY_DUE;
    case STINT_BLOCKED:
        return why == STINT_WHY_AFTER;
    case STINT_RUNNING:
        return why >= STINT_WHY_RUNNING && why <= STINT_WHY_CUT_OFF;
    case STINT_UNKNOWN:
        return why == STINT_WHY_UNKNOWN;
    default:
        return why == STINT_WHY_SETTLED;
    }
}

static void
judge_scheduled(const struct job *j, const struct stint_reason *r)
{
    bool failed = j->now.last == LAST_FAILED || j->now.last == LAST_OVERTIME;
    if (failed != (r->why == STINT_WHY_RETRY))
        sim_broken("%s is said to be put off by %s", job_named(j), stint_why_name(r->why));
    if ((j->now.last == LAST_SNOOZED) != (r->why == STINT_WHY_SNOOZED))
        sim_broken("%s is said to wait for %s", job_named(j), stint_why_name(r->why));
}

static void
judge_running(const struct job *j, const struct stint_reason *r)
{
    bool unclaimed = r->why == STINT_WHY_UNCLAIMED;
    if (j->was.holder != j->now.holder)
        return;
    if (unclaimed != (j->now.holder == NULL))
        sim_broken("%s is held, and said to be %s", job_named(j), stint_why_name(r->why));
    if (j->now.holder && strcmp(j->now.holder->name, r->worker) != 0)
        sim_broken("%s is said to run in %s", job_named(j), r->worker);
    if (r->why == STINT_WHY_RUNNING && !j->now.begun)
        sim_broken("%s has not begun, and is said to run", job_named(j));
}

static bool
any_runs(void)
{
    for (uint32_t i = 0; i < known.count; i++)
        if (known.jobs[i].now.state == STINT_RUNNING || known.jobs[i].was.state == STINT_RUNNING)
            return true;
    return false;
}

/* It is handed out in a moment: not for ever. So is one for which there is no room though nothing
 * takes any, as a worker that could run it is reserved for another one. */
static void
judge_next(struct job *j, const struct stint_reason *r)
{
    bool next = r->why == STINT_WHY_NEXT || (r->why == STINT_WHY_ROOM && !any_runs());
    if (!next || j->next_since_us == 0 || j->next_since_us < known.dispatched_us)
        j->next_since_us = next ? world_us() : 0;
    else if (world_us() - j->next_since_us > PATIENCE_US)
        sim_broken("%s waits, and nothing is said to hold it up", job_named(j));
}

static void
judge_ready(struct job *j, const struct stint_reason *r)
{
    enum queue_pause pause = queues_pause(j->now_queue);
    if (pause == PAUSE_ALL_ALONG && r->why != STINT_WHY_PAUSED)
        sim_broken("the queue of %s is paused, and it is said to wait for %s", job_named(j),
            stint_why_name(r->why));
    if (pause == PAUSE_NOT && r->why == STINT_WHY_PAUSED)
        sim_broken("the queue of %s is said to be paused", job_named(j));
    if (r->why == STINT_WHY_SUSPECT && !j->now.suspect)
        sim_broken("%s is said to be a suspect", job_named(j));
    if (r->why == STINT_WHY_UNABLE && !j->was_refused)
        sim_broken("%s is said to be refused by a worker", job_named(j));
    if (r->why == STINT_WHY_NO_WORKER && frames_served(j, false) && !sim_wild)
        sim_broken("%s is said to have no worker", job_named(j));
    if ((r->why == STINT_WHY_NO_HANDLER || r->why == STINT_WHY_GRACE) && frames_served(j, true) &&
        !sim_wild)
        sim_broken("%s is said to have no worker for its kind", job_named(j));
    if (strcmp(r->queue, keys_queues[j->now_queue]) != 0 || strcmp(r->kind, j->wish.kind) != 0)
        sim_broken("%s is said to be of another queue or kind", job_named(j));
    if (r->why == STINT_WHY_NEEDS && (!j->wish.needs || (frames_could(j) && !sim_wild)))
        sim_broken("%s is said to need what nobody has", job_named(j));
    if (r->why == STINT_WHY_ROOM && !j->wish.needs)
        sim_broken("%s is said to find no room, and needs nothing", job_named(j));
    if (r->why == STINT_WHY_BUSY && !any_runs())
        sim_broken("%s is said to wait for slots, and nothing runs", job_named(j));
    judge_next(j, r);
}

static void
judge_one(struct job *j, const struct stint_reason *r)
{
    if (!fits(j->now.state, r->why))
        sim_broken("%s is %s, and said to wait for %s", job_named(j),
            stint_state_name(j->now.state), stint_why_name(r->why));
    if (j->now.state == STINT_SCHEDULED)
        judge_scheduled(j, r);
    else if (j->now.state == STINT_RUNNING)
        judge_running(j, r);
    else if (j->now.state == STINT_READY)
        judge_ready(j, r);
    else if (j->now.state == STINT_BLOCKED && r->before != j->now_after)
        sim_broken(
            "%s is said to wait for %llu others", job_named(j), (unsigned long long)r->before);
}

/* What clients were told, and, as they ask seldom, what would be told of each job that waits. */
void
why_judge(struct core *core)
{
    struct stint_reason reason;
    for (unsigned i = 0; i < told_count; i++) {
        struct job *j = (struct job *)(uintptr_t)job_known(&told[i].id);
        if (j && !j->moving && job_is_unchanged(j))
            judge_one(j, &told[i]);
    }
    for (uint32_t i = 0; i < known.count; i++) {
        struct job *j = &known.jobs[i];
        if (j->now.state != STINT_READY && j->now.state != STINT_SCHEDULED &&
            j->now.state != STINT_BLOCKED)
            continue;
        why_job(core, NULL, &j->id, &reason);
        judge_one(j, &reason);
    }
}
