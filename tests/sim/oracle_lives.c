/* A job's life as an automaton: which lives a job can have after a step, given the one it had
 * before and what came and went with the step. Far simpler than the core: it says what may be, not
 * what is to be done.
 */
#include "oracle_inside.h"

enum { SLACK_US = 3000 /* clocks tell milliseconds */, PATHS_MAX = 512 };

struct paths {
    struct life all[PATHS_MAX];
    unsigned count;
};

static bool
same_life(const struct life *a, const struct life *b)
{
    if (a->state != b->state)
        return false;
    if (a->state == STINT_UNKNOWN)
        return true;
    if (a->attempt != b->attempt || a->failures != b->failures || a->suspect != b->suspect)
        return false;
    if (a->state == STINT_RUNNING) /* how the last run ended is on disk, and no matter now */
        return a->holder == b->holder && (a->last == LAST_BEGUN) == (b->last == LAST_BEGUN);
    return a->last == b->last;
}

static void
reach(struct paths *p, struct life to)
{
    if (to.state != STINT_RUNNING) {
        to.holder = NULL;
        to.begun = false;
    }
    for (unsigned i = 0; i < p->count; i++)
        if (same_life(&p->all[i], &to) && p->all[i].last == to.last && p->all[i].begun == to.begun)
            return;
    if (p->count < PATHS_MAX)
        p->all[p->count++] = to;
}

static bool
same_id(const struct job *j, const struct stint_id *id)
{
    return id_compare(&j->id, id) == 0;
}

static bool
used_up(const struct job *j, uint32_t failures)
{
    return failures >= j->wish.max_attempts;
}

/* Is its time for all runs used up? Whoever is tried again in the same step has all of it again. */
static bool
time_is_over(const struct job *j)
{
    bool again = false;
    for (size_t i = 0; i < traffic.retries.count; i++)
        again |= same_id(j, &traffic.retries.all[i]);
    return j->wish.total_ms && (j->now_spent || again);
}

/* An attempt that counts has ended without success. */
static void
reach_failed(struct paths *p, const struct job *j, struct life at, enum record_last last, bool dead)
{
    at.failures++;
    at.last = last;
    at.suspect = false;
    at.state = dead || used_up(j, at.failures) ? STINT_DEAD : STINT_SCHEDULED;
    reach(p, at);
    at.state = STINT_DEAD;
    if (time_is_over(j)) /* there is no time left to try it again in */
        reach(p, at);
}

/* It has succeeded, and is kept, or not, as it says, or its queue. */
static void
reach_kept(struct paths *p, const struct job *j, struct life at)
{
    bool forgets = j->wish.keep_ms == 0, keeps = j->wish.keep_ms > 0;
    if (j->wish.keep_ms < 0)
        queues_keep(j->now_queue, &forgets, &keeps);
    at.state = STINT_UNKNOWN;
    if (forgets)
        reach(p, at);
    at.state = STINT_SUCCEEDED;
    if (keeps)
        reach(p, at);
}

/* It would go back to the backlog, and there is no time left to run it in. */
static void
reach_spent(struct paths *p, const struct job *j, struct life at)
{
    at.state = STINT_DEAD;
    at.suspect = false;
    if (time_is_over(j))
        reach(p, at);
}

/* Where a settled job goes; `at` is the life it had. */
static void
reach_outcome(struct paths *p, const struct job *j, struct life at, const struct heard_outcome *o)
{
    if (at.state != STINT_RUNNING && (at.last == LAST_LOST || at.last == LAST_OVERTIME))
        at.failures--; /* it was taken back, which does not count now */
    at.attempt = o->attempt;
    if (time_is_over(j) && o->type != OUTCOME_SUCCEEDED)
        reach_failed(p, j, at, LAST_FAILED, true);
    switch (o->type) {
    case OUTCOME_SUCCEEDED:
        if (o->brings_denied || o->brings_doubtful)
            reach_failed(p, j, at, LAST_FAILED, false);
        if (o->brings_denied)
            return;
        at.failures++;
        at.last = LAST_SUCCEEDED;
        at.suspect = false;
        reach_kept(p, j, at);
        return;
    case OUTCOME_FAILED:
    case OUTCOME_DEAD:
        reach_failed(p, j, at, LAST_FAILED, o->type == OUTCOME_DEAD);
        return;
    case OUTCOME_SNOOZED:
        at.last = LAST_SNOOZED;
        at.state = STINT_SCHEDULED;
        at.suspect = false;
        break;
    case OUTCOME_RETURNED:
        at.last = LAST_RETURNED;
        at.state = STINT_READY;
        break;
    case OUTCOME_UNABLE:
        reach_failed(p, j, at, LAST_FAILED, false);
        at.last = LAST_UNABLE;
        at.state = STINT_READY;
        break;
    }
    reach(p, at);
}

static bool
may_come_late(const struct life *at, const struct heard_outcome *o)
{
    switch (at->last) {
    case LAST_LOST:
    case LAST_LOST_WAITING:
        return at->state == STINT_READY;
    case LAST_RETURNED:
        return at->state == STINT_READY && o->type != OUTCOME_RETURNED;
    case LAST_OVERTIME:
        return at->state == STINT_READY || at->state == STINT_SCHEDULED;
    default:
        return false;
    }
}

static void
by_outcomes(struct paths *p, const struct job *j, struct life at)
{
    for (size_t i = 0; i < traffic.outcomes.count; i++) {
        const struct heard_outcome *o = &traffic.outcomes.all[i];
        if (!same_id(j, &o->id) || o->attempt != at.attempt)
            continue;
        bool holds = at.state == STINT_RUNNING && (!at.holder || at.holder == o->from);
        if (holds || may_come_late(&at, o))
            reach_outcome(p, j, at, o);
    }
}

static bool
names(const struct party *p, const struct job *j, uint32_t attempt)
{
    for (size_t i = 0; i < traffic.claims.count; i++) {
        const struct heard_claim *c = &traffic.claims.all[i];
        if (c->from == p && same_id(j, &c->id) && c->attempt == attempt)
            return true;
    }
    return false;
}

static void
by_claims(struct paths *p, const struct job *j, struct life at)
{
    for (size_t i = 0; i < traffic.claims.count; i++) {
        const struct heard_claim *c = &traffic.claims.all[i];
        if (!same_id(j, &c->id) || c->attempt != at.attempt)
            continue;
        struct life held = at;
        if (at.state == STINT_READY && at.last == LAST_LOST)
            held.failures--;
        else if ((at.state != STINT_READY || at.last != LAST_LOST_WAITING) &&
            (at.state != STINT_RUNNING || at.holder))
            continue;
        held.state = STINT_RUNNING;
        held.holder = c->from;
        reach(p, held);
    }
}

/* Was it told in this step that it has begun, by who holds it? */
static bool
is_told_begun(const struct job *j, const struct life *at)
{
    for (size_t i = 0; i < traffic.started.count; i++) {
        const struct heard_claim *s = &traffic.started.all[i];
        if (same_id(j, &s->id) && s->attempt == at->attempt && s->from == at->holder)
            return true;
    }
    for (size_t i = 0; i < traffic.claims.count; i++) {
        const struct heard_claim *c = &traffic.claims.all[i];
        if (c->begun && same_id(j, &c->id) && c->attempt == at->attempt && c->from == at->holder)
            return true;
    }
    for (size_t i = 0; i < traffic.outcomes.count; i++) { /* that may have to wait */
        const struct heard_outcome *o = &traffic.outcomes.all[i];
        if (o->brings && same_id(j, &o->id) && o->attempt == at->attempt && o->from == at->holder)
            return true;
    }
    return false;
}

/* That a suspect has begun, or one with a limit, is on disk. */
static void
by_started(struct paths *p, const struct job *j, struct life at)
{
    if (at.state != STINT_RUNNING || at.begun || !is_told_begun(j, &at))
        return;
    at.begun = true;
    bool limited = j->wish.time_to_run_ms || j->wish.total_ms;
    bool may = !limited && !at.suspect && queues_least_limit(j->now_queue);
    if (may) /* its queue's limit, as it was when it was handed out */
        reach(p, at);
    if (may || at.suspect || limited)
        at.last = LAST_BEGUN;
    reach(p, at);
}

/* May the lease end without its worker's word? */
static bool
may_be_lost(const struct life *at)
{
    const struct party *h = at->holder;
    uint64_t now_us = world_us() + SLACK_US;
    if (!h)
        return now_us >= known.restarted_us + (uint64_t)known.options.grace_ms * 1000;
    return h->left || now_us >= h->seen_us + (uint64_t)known.options.lost_ms * 1000;
}

/* May it be taken back because its worker does not end it? */
static bool
may_be_overtime(const struct job *j, const struct life *at)
{
    enum { MARGIN_MS = 15000 };
    uint64_t limit_ms =
        j->wish.time_to_run_ms ? j->wish.time_to_run_ms : queues_least_limit(j->now_queue);
    if (j->wish.total_ms)
        limit_ms = 1; /* what is left of it */
    uint64_t most_ms = limit_ms + known.options.lost_ms + MARGIN_MS;
    if (known.restarted_us > j->dispatched_us) /* its worker may need to come back first */
        most_ms = known.options.lost_ms;
    return limit_ms && at->begun && at->holder &&
        world_us() + SLACK_US >= j->dispatched_us + most_ms * 1000;
}

/* Has the holder begun to run it? Then it may not leave it out when it says what it holds. */
static bool
has_begun(const struct job *j, const struct life *at)
{
    return !sim_wild && j->begun_by && j->begun_attempt == at->attempt &&
        strcmp(j->begun_by, at->holder->name) == 0;
}

static void
by_release(struct paths *p, const struct job *j, struct life at)
{
    if (at.state != STINT_RUNNING)
        return;
    struct life back = at;
    back.state = STINT_READY;
    if (at.holder && at.holder->claimed && !names(at.holder, j, at.attempt) && !has_begun(j, &at)) {
        back.last = LAST_RETURNED;
        reach(p, back);
        reach_spent(p, j, back);
    }
    if (may_be_overtime(j, &at))
        reach_failed(p, j, at, LAST_OVERTIME, false);
    if (!may_be_lost(&at))
        return;
    if (!at.begun) {
        back.last = LAST_LOST_WAITING;
        back.suspect = true;
        if (sim_wild || !is_told_begun(j, &at))
            reach(p, back);
        return;
    }
    back.last = LAST_LOST;
    back.suspect = true;
    back.failures++;
    if (used_up(j, back.failures)) {
        back.state = STINT_DEAD;
        back.suspect = false;
    }
    reach(p, back);
    reach_spent(p, j, back);
}

/* Those who might start it are gone. */
static void
by_refusals(struct paths *p, const struct job *j, struct life at)
{
    if (at.state == STINT_READY && at.last == LAST_UNABLE)
        reach_failed(p, j, at, LAST_FAILED, false);
}

static void
by_commands(struct paths *p, const struct job *j, struct life at)
{
    struct life to = at;
    to.last = LAST_NONE;
    to.suspect = false;
    for (size_t i = 0; i < traffic.cancels.count; i++)
        if (same_id(j, &traffic.cancels.all[i]) && at.state != STINT_UNKNOWN &&
            !stint_state_settled(at.state)) {
            to.state = STINT_CANCELLED_JOB;
            if (at.state == STINT_RUNNING)
                to.failures++; /* the run that was cut off counts among its runs */
            reach(p, to);
        }
    for (size_t i = 0; i < traffic.retries.count; i++)
        if (same_id(j, &traffic.retries.all[i]) &&
            (at.state == STINT_DEAD || at.state == STINT_CANCELLED_JOB ||
                at.state == STINT_EXPIRED)) {
            to.state = STINT_READY;
            to.failures = 0;
            reach(p, to);
        }
}

static void
by_changes(struct paths *p, const struct job *j, struct life at)
{
    bool waits =
        at.state == STINT_READY || at.state == STINT_SCHEDULED || at.state == STINT_BLOCKED;
    struct life to = at;
    for (size_t i = 0; i < traffic.changes.count; i++) {
        const struct heard_change *c = &traffic.changes.all[i];
        if (!waits || at.state == STINT_BLOCKED || !same_id(j, &c->id) || !(c->set & CHANGE_DELAY))
            continue;
        to.state = c->delay_ms ? STINT_SCHEDULED : STINT_READY;
        reach(p, to);
    }
    for (size_t i = 0; i < traffic.deletes.count; i++) {
        if (!same_id(j, &traffic.deletes.all[i]) || at.state == STINT_RUNNING)
            continue;
        to = at;
        to.state = waits ? STINT_CANCELLED_JOB : STINT_UNKNOWN;
        reach(p, to);
    }
}

static void
by_time(struct paths *p, const struct job *j, struct life at)
{
    struct life to = at;
    if (at.state == STINT_SCHEDULED) {
        /* One that was parked in this very step may be due at once if it asked for no delay. */
        bool fresh = j->was.state != STINT_SCHEDULED && j->was.state != STINT_BLOCKED &&
            (j->was.state != STINT_UNKNOWN || j->wish.delay_ms == 0);
        if (fresh || j->due_ms <= known.wall_ms) {
            to.state = STINT_READY;
            reach(p, to);
        }
    }
    if (stint_state_settled(at.state) && at.state == j->was.state &&
        j->expires_ms <= known.wall_ms) {
        to.state = STINT_UNKNOWN;
        reach(p, to);
    }
}

/* It had not begun when its time was over. */
static void
by_expiry(struct paths *p, const struct job *j, struct life at)
{
    bool waits =
        at.state == STINT_READY || at.state == STINT_SCHEDULED || at.state == STINT_BLOCKED;
    if (!waits || !j->start_by_ms || j->start_by_ms > known.wall_ms)
        return;
    at.state = STINT_EXPIRED;
    at.last = LAST_NONE;
    at.suspect = false;
    reach(p, at);
}

/* Others that it waits for have ended. */
static void
by_ends(struct paths *p, const struct job *j, struct life at)
{
    bool put_off = j->due_ms > known.wall_ms;
    if (at.state != STINT_BLOCKED)
        return;
    for (size_t i = 0; i < traffic.changes.count; i++)
        if (same_id(j, &traffic.changes.all[i].id) && (traffic.changes.all[i].set & CHANGE_DELAY))
            put_off = false; /* or not; what is on disk says when */
    if (after_may_run(j)) {
        at.state = STINT_SCHEDULED;
        reach(p, at);
        at.state = STINT_READY;
        if (!put_off)
            reach(p, at);
    }
    if (after_may_fail(j)) {
        at.state = STINT_CANCELLED_JOB;
        at.last = LAST_NONE;
        reach(p, at);
    }
}

static void
by_dispatch(struct paths *p, const struct job *j, struct life at)
{
    for (size_t i = 0; i < traffic.dispatches.count; i++) {
        const struct sent_dispatch *d = &traffic.dispatches.all[i];
        if (at.state != STINT_READY || !same_id(j, &d->id) || d->attempt != at.attempt + 1)
            continue;
        struct life to = at;
        to.state = STINT_RUNNING;
        to.attempt++;
        to.holder = d->to;
        to.begun = false;
        reach(p, to);
    }
}

static void
by_submit(struct paths *p, const struct job *j, struct life at)
{
    struct life to = {.state = j->wish.after.count ? STINT_BLOCKED
            : j->wish.delay_ms                     ? STINT_SCHEDULED
                                                   : STINT_READY};
    for (size_t i = 0; i < traffic.submits.count; i++)
        if (&known.jobs[traffic.submits.all[i]] == j && at.state == STINT_UNKNOWN)
            reach(p, to);
}

void
life_tell(const struct job *j, const char *what, const struct life *l)
{
    fprintf(stderr, "  %s %s: %s, attempt %u, %u failed, last ended %d%s\n", job_named(j), what,
        stint_state_name(l->state), l->attempt, l->failures, (int)l->last,
        l->state == STINT_RUNNING ? l->holder ? ", held" : ", held by nobody" : "");
}

/* Can what came and went explain it? Then its holder is known, too. */
void
life_explain(struct job *j, bool was_there)
{
    struct paths p = {.count = 0};
    reach(&p, j->was);
    for (unsigned i = 0; i < p.count; i++) {
        struct life at = p.all[i];
        if (!was_there)
            by_submit(&p, j, at);
        by_outcomes(&p, j, at);
        by_claims(&p, j, at);
        by_started(&p, j, at);
        by_release(&p, j, at);
        by_refusals(&p, j, at);
        by_commands(&p, j, at);
        by_changes(&p, j, at);
        by_time(&p, j, at);
        by_expiry(&p, j, at);
        by_ends(&p, j, at);
        by_dispatch(&p, j, at);
    }
    /* The latest explanation is the one in which most of what was heard took effect. */
    for (unsigned i = p.count; i-- > 0;) {
        struct life end = p.all[i];
        j->now.holder = end.holder;
        j->now.begun = end.begun;
        if (!same_life(&end, &j->now))
            continue;
        if (end.state == STINT_UNKNOWN && end.last == LAST_SUCCEEDED) {
            j->been |= 1U << STINT_SUCCEEDED; /* and was forgotten at once */
            j->succeeded_attempt = end.attempt;
        }
        for (unsigned n = 0; n < p.count; n++)
            if (stint_state_settled(p.all[n].state))
                j->passed |= 1U << p.all[n].state;
        return;
    }
    life_tell(j, "was", &j->was);
    life_tell(j, "is", &j->now);
    sim_broken("nothing that was said explains what became of %s", job_named(j));
}

bool
life_is_unchanged(const struct job *j)
{
    return j->now.state == j->was.state && j->now.attempt == j->was.attempt &&
        j->now.failures == j->was.failures && j->now.suspect == j->was.suspect &&
        (j->now.last == j->was.last || j->now.state == STINT_UNKNOWN) &&
        (j->now.state == STINT_UNKNOWN || id_compare(&j->now_key, &j->key) == 0) &&
        (j->now.state != STINT_SCHEDULED || j->now_due_ms == j->due_ms);
}

/* Was it cancelled, or has it expired, and was it retried within this step? Then it may be what it
 * was, and clients hear that it was something else in between. */
static bool
came_back(const struct job *j)
{
    bool cancelled = j->start_by_ms && !j->now_start_by_ms, retried = false;
    for (size_t i = 0; i < traffic.cancels.count; i++)
        cancelled |= id_compare(&traffic.cancels.all[i], &j->id) == 0;
    for (size_t i = 0; cancelled && i < traffic.retries.count; i++)
        retried |= id_compare(&traffic.retries.all[i], &j->id) == 0;
    return retried;
}

bool
job_is_unchanged(const struct job *j)
{
    return life_is_unchanged(j) && !came_back(j);
}

bool
oracle_all_settled(void)
{
    for (uint32_t i = 0; i < known.count; i++)
        if (known.jobs[i].now.state != STINT_UNKNOWN &&
            !stint_state_settled(known.jobs[i].now.state))
            return false;
    return bulks_all_ended() && batches_all_over();
}

/* ---- the end ---- */

void
oracle_check_end(void)
{
    for (uint32_t i = 0; i < known.count; i++) {
        const struct job *j = &known.jobs[i];
        if (j->now.state != STINT_UNKNOWN && !stint_state_settled(j->now.state))
            sim_broken("%s is %s in the end", job_named(j), stint_state_name(j->now.state));
        if (j->answer == ANSWER_NONE)
            sim_broken("the submission of %s was never answered", job_named(j));
        if (j->answer == ANSWER_STORED && !j->been && !j->passed)
            sim_broken("%s was acknowledged and never settled", job_named(j));
    }
}

bool
oracle_all_gone(void)
{
    for (uint32_t i = 0; i < known.count; i++)
        if (known.jobs[i].now.state != STINT_UNKNOWN)
            return false;
    return true;
}
