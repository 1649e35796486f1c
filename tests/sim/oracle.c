/* The oracle's judgement; the contract is in oracle.h. */
#include "oracle_inside.h"
#include "stored.h"

#include <stdlib.h>

enum { SLACK_US = 3000 /* clocks tell milliseconds */, PATHS_MAX = 512 };

enum told { ANSWER_NONE, ANSWER_STORED, ANSWER_REFUSED, ANSWER_UNKNOWN };

/* What is known of a job at a moment. The state is STINT_UNKNOWN before it was stored, and when it
 * is gone again. */
struct life {
    enum stint_state state;
    uint32_t attempt, failures;
    enum record_last last;
    struct party *holder; /* running: who has the lease; NULL: nobody yet, after a restart */
};

struct job {
    struct wish wish;
    enum told answer;
    struct stint_id told; /* by the broker to the client */
    struct stint_id id; /* in the store, once seen there */
    bool stored; /* was ever seen in the store */
    struct life was, now;
    uint64_t due_ms, expires_ms; /* as of `was` */
    uint64_t now_due_ms, now_expires_ms;
    uint64_t dispatched_us;
    uint32_t begun_attempt; /* the last one that a worker has begun to run, and */
    const char *begun_by; /* which; NULL: none */
    uint32_t been; /* bits of the settled states it was in, ever */
    uint32_t passed; /* the same, of those it may have passed through within a step */
    uint32_t succeeded_attempt;
    unsigned scan; /* it was seen in this scan */
    UT_hash_handle hh; /* by id */
};

static struct job *jobs, *by_id;
static uint32_t jobs_count;
static unsigned scan;
static struct core_options options;
static uint64_t wall_ms, stepped_us, restarted_us;
static bool in_doubt; /* the last step's commit failed */

enum { JOBS_MAX = 8192 };

void
oracle_begin(const struct core_options *o)
{
    options = *o;
    jobs = calloc(JOBS_MAX, sizeof *jobs);
    if (!jobs)
        abort();
    jobs_count = scan = 0;
    in_doubt = false;
    wall_ms = stepped_us = restarted_us = 0;
    frames_begin();
}

void
oracle_end(void)
{
    HASH_CLEAR(hh, by_id);
    free(jobs);
    jobs = NULL;
    frames_end();
}

uint32_t
oracle_wish(const struct wish *wish)
{
    if (jobs_count == JOBS_MAX)
        sim_broken("more jobs than this oracle knows");
    jobs[jobs_count] = (struct job){.wish = *wish};
    figures.jobs++;
    return jobs_count++;
}

const struct wish *
oracle_wish_of(uint32_t job)
{
    return &jobs[job].wish;
}

static char *
padded(const char *text, size_t bytes)
{
    size_t n = strlen(text);
    char *p = malloc(bytes + n + 1);
    if (!p)
        abort();
    memcpy(p, text, n);
    memset(p + n, 'x', bytes + 1);
    return p;
}

char *
oracle_payload(uint32_t job)
{
    char text[32];
    (void)snprintf(text, sizeof text, "job %08u ", job);
    return padded(text, jobs[job].wish.payload_bytes);
}

char *
oracle_result(uint32_t job, uint32_t attempt, size_t *bytes)
{
    char text[32];
    (void)snprintf(text, sizeof text, "ran %08u %05u ", job, attempt);
    *bytes = jobs[job].wish.result_bytes;
    return padded(text, *bytes);
}

bool
oracle_number(struct slice bytes, uint32_t *job, uint32_t *attempt)
{
    char text[32];
    slice_to_text(text, sizeof text, bytes);
    *attempt = 0;
    if (sscanf(text, "job %8u ", job) != 1 && sscanf(text, "ran %8u %5u ", job, attempt) != 2)
        return false;
    return *job < jobs_count;
}

static const char *
named(const struct job *j)
{
    static char text[96];
    char id[STINT_ID_TEXT_BYTES];
    (void)snprintf(text, sizeof text, "job %u (%s)", (unsigned)(j - jobs),
        j->stored ? stint_id_format(&j->id, id) : "not stored");
    return text;
}

void
oracle_answered(uint32_t number, enum stint_status status, const struct stint_id *id)
{
    struct job *j = &jobs[number];
    sim_trace("  told  job %u: %s", number, stint_status_name(status));
    if (status == STINT_OK) {
        if (!j->stored)
            sim_broken("%s was acknowledged and is not on disk", named(j));
        if (id_compare(&j->id, id) != 0)
            sim_broken("%s was acknowledged as another job", named(j));
        if (j->answer == ANSWER_REFUSED)
            sim_broken("%s was refused, and acknowledged later", named(j));
        j->answer = ANSWER_STORED;
        j->told = *id;
    } else if (status == STINT_UNKNOWN_OUTCOME) {
        j->answer = ANSWER_UNKNOWN;
    } else {
        if (j->stored)
            sim_broken("%s was refused (%s) and is stored", named(j), stint_status_name(status));
        j->answer = ANSWER_REFUSED;
    }
}

void
oracle_abandoned(uint32_t job)
{
    if (jobs[job].answer == ANSWER_NONE)
        jobs[job].answer = ANSWER_UNKNOWN;
}

static struct job *
job_of(const struct stint_id *id)
{
    struct job *j;
    HASH_FIND(hh, by_id, id->bytes, STINT_ID_BYTES, j);
    return j;
}

void
oracle_run_began(uint32_t job, uint32_t attempt, const char *worker)
{
    jobs[job].begun_attempt = attempt;
    jobs[job].begun_by = worker;
}

void
oracle_outcome(const struct stint_job_info *info)
{
    uint32_t number, attempt;
    struct job *j = job_of(&info->id);
    struct slice result = {info->result, info->result_bytes};
    if (!j)
        sim_broken("a client heard of a job that was never stored");
    sim_trace("  heard %s is %s", named(j), stint_state_name(info->state));
    if (info->state == STINT_UNKNOWN) {
        if (j->now.state != STINT_UNKNOWN)
            sim_broken("a client heard that %s is not there, and it is", named(j));
        return;
    }
    if (!stint_state_settled(info->state) || !((j->been | j->passed) >> info->state & 1))
        sim_broken("a client heard that %s is %s, which it never was", named(j),
            stint_state_name(info->state));
    if (info->state != STINT_SUCCEEDED || !info->result)
        return;
    if (!oracle_number(result, &number, &attempt) || &jobs[number] != j ||
        attempt != j->succeeded_attempt || result.size != j->wish.result_bytes)
        sim_broken("a client got another result than that of %s", named(j));
}

/* ---- reading the store ---- */

static struct slice
whole_body(struct store *s, const struct stint_id *id, const struct record *r)
{
    uint8_t key[STINT_ID_BYTES + 2] = {0};
    struct slice piece;
    if (!record_parted(r))
        return r->body;
    memcpy(key, id->bytes, STINT_ID_BYTES);
    if (!store_get(s, STORE_PARTS, (struct slice){key, sizeof key}, &piece))
        sim_broken("a part of a body is missing");
    return (struct slice){piece.data + 8, piece.size - 8}; /* its begin is enough */
}

/* The job whose row this is; a new one is found by its payload. */
static struct job *
recognise(struct store *s, const struct stint_id *id, const struct record *r)
{
    uint32_t number, attempt;
    struct job *j = job_of(id);
    if (j)
        return j;
    struct slice body = whole_body(s, id, r);
    if (!oracle_number(body, &number, &attempt) || attempt != 0)
        sim_broken("a job is stored that nobody submitted");
    j = &jobs[number];
    if (j->stored)
        sim_broken("%s is stored twice", named(j));
    j->id = *id;
    j->stored = true;
    HASH_ADD(hh, by_id, id, STINT_ID_BYTES, j);
    if (r->kind.size == 0 || id_priority(id) != j->wish.priority)
        sim_broken("%s is stored as something else", named(j));
    return j;
}

static void
look_at(struct store *s, enum store_table table, struct slice key, struct slice value)
{
    struct stint_id id;
    struct record r;
    if (key.size != STINT_ID_BYTES)
        sim_broken("a key of %zu bytes", key.size);
    memcpy(id.bytes, key.data, STINT_ID_BYTES);
    if (!record_decode(&r, &id, value))
        sim_broken("a stored record is damaged");
    struct job *j = recognise(s, &id, &r);
    if (j->scan == scan)
        sim_broken("%s stands in two tables", named(j));
    j->scan = scan;
    j->now = (struct life){.state = r.state, .attempt = r.attempt, .last = r.last};
    j->now.failures = r.attempt - r.spared;
    j->now_due_ms = record_get(&r, FIELD_DUE, 0);
    j->now_expires_ms = record_get(&r, FIELD_EXPIRES, 0);
    if (table == STORE_LIVE && stored_running(s, &id)) {
        j->now.state = STINT_RUNNING;
        j->now.attempt++;
    }
}

/* Reads every job in the store into `now`. */
static void
read_store(struct store *s)
{
    static const enum store_table tables[] = {STORE_LIVE, STORE_PARKED, STORE_SETTLED};
    uint8_t from[STINT_ID_BYTES + 1] = {0};
    scan++;
    s->ops->begin(s);
    for (unsigned t = 0; t < 3; t++) {
        struct slice key, value, at = {from, 1};
        from[0] = 0;
        while (store_seek(s, tables[t], at, &key, &value)) {
            memcpy(from, key.data, STINT_ID_BYTES);
            from[STINT_ID_BYTES] = 0;
            at.size = sizeof from;
            look_at(s, tables[t], (struct slice){from, STINT_ID_BYTES}, value);
        }
    }
    s->ops->abort(s);
    for (uint32_t i = 0; i < jobs_count; i++)
        if (jobs[i].scan != scan)
            jobs[i].now = (struct life){.state = STINT_UNKNOWN};
}

/* ---- the automaton ---- */

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
    if (a->state == STINT_RUNNING) /* how the last run ended is on disk, and no matter now */
        return a->attempt == b->attempt && a->holder == b->holder && a->failures == b->failures;
    return a->attempt == b->attempt && a->failures == b->failures && a->last == b->last;
}

static void
reach(struct paths *p, struct life to)
{
    if (to.state != STINT_RUNNING)
        to.holder = NULL;
    for (unsigned i = 0; i < p->count; i++)
        if (same_life(&p->all[i], &to) && p->all[i].last == to.last)
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

/* Where a settled job goes; `at` is the life it had. */
static void
reach_outcome(struct paths *p, const struct job *j, struct life at, const struct heard_outcome *o)
{
    if (at.state == STINT_READY &&
        at.last == LAST_LOST) /* taken back as lost, which does not count now */
        at.failures--;
    at.attempt = o->attempt;
    switch (o->type) {
    case OUTCOME_SUCCEEDED:
        at.failures++;
        at.last = LAST_SUCCEEDED;
        at.state = j->wish.keep_ms == 0 ? STINT_UNKNOWN : STINT_SUCCEEDED;
        break;
    case OUTCOME_FAILED:
    case OUTCOME_DEAD:
        at.failures++;
        at.last = LAST_FAILED;
        at.state =
            o->type == OUTCOME_DEAD || used_up(j, at.failures) ? STINT_DEAD : STINT_SCHEDULED;
        break;
    case OUTCOME_SNOOZED:
        at.last = LAST_SNOOZED;
        at.state = STINT_SCHEDULED;
        break;
    case OUTCOME_RETURNED:
        at.last = LAST_RETURNED;
        at.state = STINT_READY;
        break;
    }
    reach(p, at);
}

static void
by_outcomes(struct paths *p, const struct job *j, struct life at)
{
    for (size_t i = 0; i < traffic.outcomes.count; i++) {
        const struct heard_outcome *o = &traffic.outcomes.all[i];
        if (!same_id(j, &o->id) || o->attempt != at.attempt)
            continue;
        bool holds = at.state == STINT_RUNNING && (!at.holder || at.holder == o->from);
        bool late = at.state == STINT_READY &&
            (at.last == LAST_LOST || (at.last == LAST_RETURNED && o->type != OUTCOME_RETURNED));
        if (holds || late)
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
        if (at.state == STINT_READY && at.last == LAST_LOST)
            at.failures--;
        else if (at.state != STINT_RUNNING || at.holder)
            continue;
        struct life held = at;
        held.state = STINT_RUNNING;
        held.holder = c->from;
        reach(p, held);
    }
}

/* May the lease end without its worker's word? */
static bool
may_be_lost(const struct job *j, const struct life *at)
{
    const struct party *h = at->holder;
    uint64_t now_us = world_us() + SLACK_US;
    if (!h)
        return now_us >= restarted_us + (uint64_t)options.grace_ms * 1000;
    if (h->left || now_us >= h->seen_us + (uint64_t)options.lost_ms * 1000)
        return true;
    return j->wish.time_to_run_ms && now_us >= j->dispatched_us + j->wish.time_to_run_ms * 1000;
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
    }
    if (may_be_lost(j, &at)) {
        back.last = LAST_LOST;
        back.failures++;
        if (used_up(j, back.failures))
            back.state = STINT_DEAD;
        reach(p, back);
    }
}

static void
by_commands(struct paths *p, const struct job *j, struct life at)
{
    struct life to = at;
    to.last = LAST_NONE;
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
            (at.state == STINT_DEAD || at.state == STINT_CANCELLED_JOB)) {
            to.state = STINT_READY;
            to.failures = 0;
            reach(p, to);
        }
}

static void
by_time(struct paths *p, const struct job *j, struct life at)
{
    struct life to = at;
    if (at.state == STINT_SCHEDULED) {
        /* One that was parked in this very step may be due at once if it asked for no delay. */
        bool fresh = j->was.state != STINT_SCHEDULED;
        if (fresh || j->due_ms <= wall_ms) {
            to.state = STINT_READY;
            reach(p, to);
        }
    }
    if (stint_state_settled(at.state) && at.state == j->was.state && j->expires_ms <= wall_ms) {
        to.state = STINT_UNKNOWN;
        reach(p, to);
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
        reach(p, to);
    }
}

static void
by_submit(struct paths *p, const struct job *j, struct life at)
{
    struct life to = {.state = STINT_READY};
    for (size_t i = 0; i < traffic.submits.count; i++)
        if (&jobs[traffic.submits.all[i]] == j && at.state == STINT_UNKNOWN)
            reach(p, to);
}

static void
tell(const struct job *j, const char *what, const struct life *l)
{
    fprintf(stderr, "  %s %s: %s, attempt %u, %u failed, last ended %d%s\n", named(j), what,
        stint_state_name(l->state), l->attempt, l->failures, (int)l->last,
        l->state == STINT_RUNNING ? l->holder ? ", held" : ", held by nobody" : "");
}

/* Can what came and went explain it? Then its holder is known, too. */
static void
explain(struct job *j, bool was_there)
{
    struct paths p = {.count = 0};
    reach(&p, j->was);
    for (unsigned i = 0; i < p.count; i++) {
        struct life at = p.all[i];
        if (!was_there)
            by_submit(&p, j, at);
        by_outcomes(&p, j, at);
        by_claims(&p, j, at);
        by_release(&p, j, at);
        by_commands(&p, j, at);
        by_time(&p, j, at);
        by_dispatch(&p, j, at);
    }
    /* The latest explanation is the one in which most of what was heard took effect. */
    for (unsigned i = p.count; i-- > 0;) {
        struct life end = p.all[i];
        j->now.holder = end.holder;
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
    tell(j, "was", &j->was);
    tell(j, "is", &j->now);
    sim_broken("nothing that was said explains what became of %s", named(j));
}

static void
remember(struct job *j)
{
    if (j->now.state != j->was.state || j->now.attempt != j->was.attempt)
        sim_trace(
            "  %s is %s, attempt %u", named(j), stint_state_name(j->now.state), j->now.attempt);
    if (j->now.state == STINT_RUNNING && j->now.attempt != j->was.attempt)
        j->dispatched_us = world_us();
    if (stint_state_settled(j->now.state))
        j->been |= 1U << j->now.state;
    if (j->now.state == STINT_SUCCEEDED)
        j->succeeded_attempt = j->now.attempt;
    j->was = j->now;
    j->due_ms = j->now_due_ms;
    j->expires_ms = j->now_expires_ms;
}

/* ---- what holds between jobs ---- */

static void
check_dispatches(void)
{
    for (size_t i = 0; i < traffic.dispatches.count; i++) {
        const struct sent_dispatch *d = &traffic.dispatches.all[i];
        const struct job *j = job_of(&d->id);
        if (!j || &jobs[d->job] != j || d->payload_bytes != j->wish.payload_bytes)
            sim_broken("another payload was dispatched than was submitted");
        if (j->now.state != STINT_RUNNING || j->now.attempt != d->attempt || j->now.holder != d->to)
            sim_broken("%s was dispatched, and its lease is not on disk", named(j));
        uint32_t held = 0;
        for (uint32_t n = 0; n < jobs_count; n++) {
            const struct job *other = &jobs[n];
            held += other->now.state == STINT_RUNNING && other->now.holder == d->to;
            if (other->now.state == STINT_READY && id_queue(&other->id) == id_queue(&j->id) &&
                id_compare(&other->id, &j->id) < 0)
                sim_broken("%s was dispatched before an older or more urgent one", named(j));
        }
        if (d->to && held > d->to->window)
            sim_broken("a worker holds %u jobs and has room for %u", held, d->to->window);
    }
}

static void
check_confirmed(void)
{
    for (size_t i = 0; i < traffic.confirmed.count; i++) {
        const struct heard_outcome *o = &traffic.confirmed.all[i];
        const struct job *j = job_of(&o->id);
        if (!j)
            sim_broken("an outcome of no job was confirmed");
        if (o->type == OUTCOME_SUCCEEDED &&
            (!(j->been >> STINT_SUCCEEDED & 1) || j->succeeded_attempt != o->attempt))
            sim_broken("the success of %s was confirmed and is not on disk", named(j));
        if (o->type != OUTCOME_SUCCEEDED && j->now.state != STINT_UNKNOWN &&
            (j->now.attempt < o->attempt ||
                (j->now.state == STINT_RUNNING && j->now.attempt == o->attempt)))
            sim_broken("an outcome of %s was confirmed and had no effect", named(j));
    }
}

static void
check_counts(struct core *core)
{
    struct stint_stats stats;
    uint64_t counts[STINT_STATES] = {0};
    for (uint32_t i = 0; i < jobs_count; i++)
        counts[jobs[i].now.state]++;
    core_stats(core, &stats);
    for (enum stint_state s = STINT_READY; s < STINT_STATES; s++)
        if (stats.jobs[s] != counts[s])
            sim_broken("%llu jobs are counted as %s and %llu are",
                (unsigned long long)stats.jobs[s], stint_state_name(s),
                (unsigned long long)counts[s]);
}

static void
check_limits(void)
{
    uint64_t waiting[8] = {0}, fresh[8] = {0};
    if (!options.queue_backlog_max)
        return;
    for (uint32_t i = 0; i < jobs_count; i++) {
        const struct job *j = &jobs[i];
        bool waits = j->was.state == STINT_READY || j->was.state == STINT_SCHEDULED;
        waiting[j->wish.queue] += waits;
        fresh[j->wish.queue] +=
            j->was.state == STINT_UNKNOWN && !j->been && j->stored && j->now.state != STINT_UNKNOWN;
        /* what left the backlog in this step made room before, or after */
        waiting[j->wish.queue] -= waits && j->now.state != j->was.state;
    }
    for (unsigned q = 0; q < 8; q++)
        if (fresh[q] && waiting[q] + fresh[q] > options.queue_backlog_max)
            sim_broken("a queue took %llu jobs over its limit",
                (unsigned long long)(waiting[q] + fresh[q] - options.queue_backlog_max));
}

static bool
is_unchanged(const struct job *j)
{
    return j->now.state == j->was.state && j->now.attempt == j->was.attempt &&
        j->now.failures == j->was.failures &&
        (j->now.last == j->was.last || j->now.state == STINT_UNKNOWN);
}

static void
judge(void)
{
    for (uint32_t i = 0; i < jobs_count; i++) {
        struct job *j = &jobs[i];
        bool was_there = j->was.state != STINT_UNKNOWN || j->been || j->was.attempt;
        if (is_unchanged(j) && (j->now.state != STINT_RUNNING || !traffic.claims.count)) {
            j->now.holder = j->was.holder;
            continue;
        }
        explain(j, was_there && j->stored);
    }
}

static void
remember_all(void)
{
    for (uint32_t i = 0; i < jobs_count; i++)
        if (jobs[i].stored)
            remember(&jobs[i]);
}

void
oracle_batch(const struct batch *batch)
{
    frames_clear();
    /* When the wall clock is set back, time goes on by the other one. */
    wall_ms += (world_us() - stepped_us) / 1000 + 1;
    wall_ms = batch->wall_ms > wall_ms ? batch->wall_ms : wall_ms;
    stepped_us = world_us();
    frames_in(batch);
}

void
oracle_stepped(struct store *store, struct core *core, const struct outbox *out)
{
    frames_out(out);
    read_store(store);
    judge();
    check_dispatches();
    check_counts(core);
    check_limits();
    remember_all();
    check_confirmed();
}

void
oracle_failed(const struct outbox *out)
{
    frames_out(out);
    in_doubt = true;
}

static void
verify_problem(void *context, const char *what, const char *id)
{
    (void)context;
    sim_broken("what is on disk does not fit together: %s %s", what, id);
}

void
oracle_started(struct store *store, struct core *core)
{
    bool as_before = true;
    read_store(store);
    for (uint32_t i = 0; i < jobs_count; i++)
        as_before &= is_unchanged(&jobs[i]);
    if (!as_before && !in_doubt) {
        for (uint32_t i = 0; i < jobs_count; i++)
            if (!is_unchanged(&jobs[i])) {
                tell(&jobs[i], "was", &jobs[i].was);
                tell(&jobs[i], "is", &jobs[i].now);
            }
        sim_broken("a restart changed what was on disk");
    }
    if (!as_before) {
        judge(); /* the step whose commit failed is on disk, and whole */
        remember_all();
    }
    for (uint32_t i = 0; i < jobs_count; i++)
        jobs[i].was.holder = jobs[i].now.holder = NULL;
    check_counts(core);
    struct verify_report report = {.problem = verify_problem};
    core_verify(store, options.broker, &report);
    in_doubt = false;
    restarted_us = world_us();
    frames_clear();
    frames_restart();
}

/* ---- the end ---- */

bool
oracle_all_settled(void)
{
    for (uint32_t i = 0; i < jobs_count; i++)
        if (jobs[i].now.state != STINT_UNKNOWN && !stint_state_settled(jobs[i].now.state))
            return false;
    return true;
}

void
oracle_check_end(void)
{
    for (uint32_t i = 0; i < jobs_count; i++) {
        const struct job *j = &jobs[i];
        if (j->now.state != STINT_UNKNOWN && !stint_state_settled(j->now.state))
            sim_broken("%s is %s in the end", named(j), stint_state_name(j->now.state));
        if (j->answer == ANSWER_NONE)
            sim_broken("the submission of %s was never answered", named(j));
        if (j->answer == ANSWER_STORED && !j->been)
            sim_broken("%s was acknowledged and never settled", named(j));
    }
}

bool
oracle_all_gone(void)
{
    for (uint32_t i = 0; i < jobs_count; i++)
        if (jobs[i].now.state != STINT_UNKNOWN)
            return false;
    return true;
}
