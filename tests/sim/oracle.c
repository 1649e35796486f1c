/* The oracle's judgement; the contract is in oracle.h. */
#include "keys.h"
#include "oracle_inside.h"
#include "rows.h"
#include "stored.h"

#include <stdlib.h>

struct known known;

static struct job *by_id;
static unsigned scan;
static bool in_doubt; /* the last step's commit failed */

enum { JOBS_MAX = 8192 };

void
oracle_begin(const struct core_options *o)
{
    known.options = *o;
    known.jobs = calloc(JOBS_MAX, sizeof *known.jobs);
    if (!known.jobs)
        abort();
    known.count = scan = 0;
    in_doubt = false;
    known.restarted_us = 0;
    memset(known.totals, 0, sizeof known.totals);
    clock_begin();
    frames_begin();
    queues_begin();
    groups_begin();
    feed_begin();
    bulks_begin();
    schedules_begin();
    joint_begin();
    batches_begin();
}

void
oracle_end(void)
{
    HASH_CLEAR(hh, by_id);
    free(known.jobs);
    known.jobs = NULL;
    frames_end();
}

uint32_t
oracle_wish(const struct wish *wish)
{
    if (known.count == JOBS_MAX)
        sim_broken("more jobs than this oracle knows");
    known.jobs[known.count] = (struct job){.wish = *wish, .wished_us = world_us()};
    figures.jobs++;
    return known.count++;
}

const struct wish *
oracle_wish_of(uint32_t job)
{
    return &known.jobs[job].wish;
}

bool
oracle_has_room(uint32_t count)
{
    return known.count + count + JOBS_MAX / 2 <= JOBS_MAX;
}

const char *
job_named(const struct job *j)
{
    static char text[96];
    char id[STINT_ID_TEXT_BYTES];
    (void)snprintf(text, sizeof text, "job %u (%s)", (unsigned)(j - known.jobs),
        j->stored ? stint_id_format(&j->id, id) : "not stored");
    return text;
}

void
oracle_answered(uint32_t number, enum stint_status status, const struct stint_id *id)
{
    struct job *j = &known.jobs[number];
    sim_trace("  told  job %u: %s", number, stint_status_name(status));
    if (status == STINT_OK) {
        if (!j->stored)
            sim_broken("%s was acknowledged and is not on disk", job_named(j));
        if (id_compare(&j->id, id) != 0)
            sim_broken("%s was acknowledged as another job", job_named(j));
        if (j->answer == ANSWER_REFUSED)
            sim_broken("%s was refused, and acknowledged later", job_named(j));
        j->answer = ANSWER_STORED;
        j->told = *id;
    } else if (status == STINT_UNKNOWN_OUTCOME) {
        j->answer = ANSWER_UNKNOWN;
    } else {
        if (j->stored)
            sim_broken(
                "%s was refused (%s) and is stored", job_named(j), stint_status_name(status));
        j->answer = ANSWER_REFUSED;
    }
}

void
oracle_abandoned(uint32_t job)
{
    if (known.jobs[job].answer == ANSWER_NONE)
        known.jobs[job].answer = ANSWER_UNKNOWN;
}

static struct job *
job_of(const struct stint_id *id)
{
    struct job *j;
    HASH_FIND(hh, by_id, id->bytes, STINT_ID_BYTES, j);
    return j;
}

void
job_may_move(const struct stint_id *id, unsigned queue)
{
    struct job *j = job_of(id);
    if (j && queue < KEYS_QUEUES)
        j->moving |= 1U << queue;
}

const struct job *
job_known(const struct stint_id *id)
{
    return job_of(id);
}

void
oracle_run_began(uint32_t job, uint32_t attempt, const char *worker)
{
    struct job *j = &known.jobs[job];
    j->begun_attempt = attempt;
    j->begun_by = worker;
    if (j->was.state == STINT_RUNNING && j->was.attempt == attempt && j->confirm &&
        j->was.last != LAST_BEGUN && !sim_wild)
        sim_broken("%s, which was lost with a worker, begins before that is on disk", job_named(j));
}

/* What a run has put out that failed: its result, by another begin. */
static void
check_output(const struct job *j, struct slice output)
{
    char text[32];
    uint32_t number;
    slice_to_text(text, sizeof text, output);
    if (sscanf(text, "out %8u ", &number) != 1 || number >= known.count ||
        &known.jobs[number] != j || output.size != j->wish.result_bytes)
        sim_broken("a client got another output than that of %s", job_named(j));
}

void
oracle_outcome(const struct stint_job_info *info)
{
    uint32_t number, attempt;
    struct job *j = job_of(&info->id);
    struct slice result = {info->result, info->result_bytes};
    if (!j)
        sim_broken("a client heard of a job that was never stored");
    sim_trace("  heard %s is %s", job_named(j), stint_state_name(info->state));
    if (info->state == STINT_UNKNOWN) {
        /* Of one that was moved it may not be told any more where it is. */
        if (j->now.state != STINT_UNKNOWN && id_compare(&j->key, &j->id) == 0)
            sim_broken("a client heard that %s is not there, and it is", job_named(j));
        return;
    }
    if (!stint_state_settled(info->state) || !((j->been | j->passed) >> info->state & 1))
        sim_broken("a client heard that %s is %s, which it never was", job_named(j),
            stint_state_name(info->state));
    if (info->state == STINT_DEAD && info->result)
        check_output(j, result);
    if (info->state != STINT_SUCCEEDED)
        return;
    if (!info->result) { /* told so, rather than in part or not at all, if it can't be had */
        if (j->now.state == STINT_SUCCEEDED)
            sim_broken("a client heard that %s succeeded, and not its result", job_named(j));
        return;
    }
    if (!oracle_number(result, &number, &attempt) || &known.jobs[number] != j ||
        attempt != j->succeeded_attempt || result.size != j->wish.result_bytes)
        sim_broken("a client got another result than that of %s", job_named(j));
}

/* ---- reading the store ---- */

static struct slice
whole_body(struct store *s, const struct stint_id *id, const struct record *r)
{
    uint8_t key[PART_KEY_BYTES];
    struct slice value, piece;
    if (!record_chunked(r))
        return r->body;
    if (!store_get(s, STORE_PARTS, part_key(key, id, 0), &value) ||
        !row_part_read(id, 0, value, &piece))
        sim_broken("a part of a body is missing or damaged");
    return piece; /* its begin is enough */
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
    j = &known.jobs[number];
    if (j->stored)
        sim_broken("%s is stored twice", job_named(j));
    if (j->answer == ANSWER_REFUSED || j->answer == ANSWER_MET)
        sim_broken("a client was told that %s is not stored, and now it is", job_named(j));
    j->id = *id;
    j->stored = true;
    HASH_ADD(hh, by_id, id, STINT_ID_BYTES, j);
    char kind[STINT_NAME_BYTES];
    slice_to_text(kind, sizeof kind, r->kind);
    if (strcmp(kind, j->wish.kind) != 0 || id_priority(id) != j->wish.priority)
        sim_broken("%s is stored as something else", job_named(j));
    return j;
}

/* What the job is called that stands there. */
static struct stint_id
name_at(struct store *s, struct slice key, const struct record *r)
{
    struct stint_id id;
    struct slice value;
    memcpy(id.bytes, key.data, STINT_ID_BYTES);
    if (record_moved(r) &&
        (!store_get(s, STORE_NAMES, key, &value) || !row_name_read(key, value, &id)))
        sim_broken("a job was moved, and its name is not there");
    return id;
}

/* Which of the queues its key is in. */
static unsigned
queue_at(struct store *s, const struct stint_id *key)
{
    uint8_t number[QUEUE_KEY_BYTES];
    struct slice row = queue_key(number, id_queue(key)), value;
    struct row_queue queue;
    if (!store_get(s, STORE_QUEUES, row, &value) || !row_queue_read(row, value, &queue) ||
        keys_index(queue.name) == KEYS_QUEUES)
        sim_broken("a job stands in a queue that nobody wished");
    return keys_index(queue.name);
}

static void
look_at(struct store *s, enum store_table table, struct slice key, struct slice value)
{
    struct stint_id id, at;
    struct record r;
    if (key.size != STINT_ID_BYTES)
        sim_broken("a key of %zu bytes", key.size);
    memcpy(at.bytes, key.data, STINT_ID_BYTES);
    if (!record_decode(&r, &at, value))
        sim_broken("a stored record is damaged");
    if (r.schedule.size > 0) {
        schedules_count_job(&r);
        return;
    }
    if (batches_count_job(&r))
        return;
    id = name_at(s, key, &r);
    struct job *j = recognise(s, &id, &r);
    if (j->scan == scan)
        sim_broken("%s stands in two tables", job_named(j));
    j->scan = scan;
    j->now = (struct life){.state = r.state, .attempt = r.attempt, .last = r.last};
    j->now.failures = r.attempt - r.uncounted;
    j->now.suspect = (r.fields >> FIELD_SUSPECT & 1) != 0;
    j->now_due_ms = record_get(&r, FIELD_DUE, 0);
    j->now_expires_ms = record_get(&r, FIELD_EXPIRES, 0);
    wished_read(j, &r);
    j->now_queue = id_compare(&at, &j->now_key) == 0 ? j->now_queue : queue_at(s, &at);
    j->now_key = at;
    if (table == STORE_LIVE && stored_running(s, &at)) {
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
    schedules_forget_jobs();
    batches_forget_jobs();
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
    for (uint32_t i = 0; i < known.count; i++)
        if (known.jobs[i].scan != scan)
            known.jobs[i].now = (struct life){.state = STINT_UNKNOWN};
}

static void
remember(struct job *j)
{
    if (j->now.state != j->was.state || j->now.attempt != j->was.attempt)
        sim_trace(
            "  %s is %s, attempt %u", job_named(j), stint_state_name(j->now.state), j->now.attempt);
    char at[STINT_ID_TEXT_BYTES];
    if (j->now.state != STINT_UNKNOWN && id_compare(&j->now_key, &j->key) != 0)
        sim_trace("  %s stands at %s", job_named(j), stint_id_format(&j->now_key, at));
    if (j->now.state == STINT_RUNNING && j->now.attempt != j->was.attempt)
        j->dispatched_us = world_us();
    unique_remember(j);
    groups_remember(j);
    if (stint_state_settled(j->now.state))
        j->been |= 1U << j->now.state;
    if (j->now.attempt > j->seen_attempts)
        j->seen_attempts = j->now.attempt;
    if (j->now.state == STINT_SUCCEEDED)
        j->succeeded_attempt = j->now.attempt;
    j->was = j->now;
    j->due_ms = j->now_due_ms;
    j->expires_ms = j->now_expires_ms;
    j->start_by_ms = j->now_start_by_ms;
    j->key = j->now_key;
    j->queue = j->now_queue;
    j->moving = 0;
}

/* ---- what holds between jobs ---- */

static bool
handles(const struct party *p, const struct job *j)
{
    char kind[STINT_NAME_BYTES + 2];
    (void)snprintf(kind, sizeof kind, " %s ", j->wish.kind);
    return !p->kinds[0] || strstr(p->kinds, kind);
}

/* Is it handed out in another order than the others? */
static bool
is_apart(const struct job *j)
{
    return j->now.suspect || j->was_refused;
}

static bool
is_grave(const struct job *j)
{
    return j->now.failures >= 2 || j->now.failures + 1 >= j->wish.max_attempts;
}

/* A suspect goes to a worker that holds nothing else that has not begun, and then nothing more goes
 * there. A grave one shares its worker with no other. */
static void
check_alone(const struct sent_dispatch *d, const struct job *j)
{
    unsigned waiting = 0, trials = 0, suspects = 0, graves = 0;
    for (uint32_t n = 0; n < known.count; n++) {
        const struct job *other = &known.jobs[n];
        if (other->now.state != STINT_RUNNING || other->now.holder != d->to)
            continue;
        waiting += !other->now.begun;
        trials += !other->now.begun && other->now.suspect;
        suspects += other->now.suspect;
        graves += other->now.suspect && is_grave(other);
    }
    if (trials > 0 && waiting > 1)
        sim_broken("%s was dispatched to a worker together with a suspect", job_named(j));
    if (j->now.suspect && graves > 0 && suspects > 1)
        sim_broken("%s shares its worker with a suspect", job_named(j));
}

static void
check_order(const struct sent_dispatch *d, const struct job *j, const struct job *other)
{
    const struct stint_id *key = &j->now_key, *others = &other->now_key;
    if (other->now.state != STINT_READY || id_queue(others) != id_queue(key) || is_apart(other) ||
        other->wish.group || !handles(d->to, other) || (other->wish.needs && !needs_same(j, other)))
        return;
    if (queues_prefer(j->now_queue, others, key, is_apart(j) || j->wish.group))
        sim_broken("%s was dispatched before one whose turn it is", job_named(j));
}

static void
check_dispatches(void)
{
    for (size_t i = 0; i < traffic.dispatches.count; i++) {
        const struct sent_dispatch *d = &traffic.dispatches.all[i];
        struct job *j = job_of(&d->id);
        if (!j || &known.jobs[d->job] != j || d->payload_bytes != j->wish.payload_bytes)
            sim_broken("another payload was dispatched than was submitted");
        if (j->now.state != STINT_RUNNING || j->now.attempt != d->attempt || j->now.holder != d->to)
            sim_broken("%s was dispatched, and its lease is not on disk", job_named(j));
        expires_check_dispatch(j);
        groups_check_dispatch(j);
        queues_check_limit(j->now_queue, j->wish.time_to_run_ms, total_left_ms(j), d->limit_ms);
        if (!handles(d->to, j))
            sim_broken("%s was dispatched to a worker that does not handle its kind", job_named(j));
        if (d->confirm != j->now.suspect)
            sim_broken("%s was dispatched with a wrong word about its past", job_named(j));
        for (unsigned n = 0; n < j->refused_count; n++)
            if (j->refused[n] == d->to)
                sim_broken("%s was dispatched to who can't start it", job_named(j));
        j->confirm = d->confirm;
        check_alone(d, j);
        uint32_t held = 0;
        for (uint32_t n = 0; n < known.count; n++) {
            const struct job *other = &known.jobs[n];
            held += other->now.state == STINT_RUNNING && other->now.holder == d->to;
            check_order(d, j, other);
        }
        if (d->to && held > d->to->window)
            sim_broken("a worker holds %u jobs and has room for %u", held, d->to->window);
    }
}

/* Who said that it can't start the job, until it ends otherwise. A job that was changed may be
 * tried by all: a bulk operation does that at the end of the step. */
static void
note_refusals(void)
{
    for (uint32_t i = 0; i < known.count; i++) {
        struct job *j = &known.jobs[i];
        if (j->now.last != LAST_UNABLE || j->now.state == STINT_UNKNOWN) {
            j->was_refused = false;
            j->refused_count = 0;
        }
    }
    for (size_t i = 0; i < traffic.outcomes.count; i++) {
        const struct heard_outcome *o = &traffic.outcomes.all[i];
        struct job *j = job_of(&o->id);
        bool taken = j && j->now.last == LAST_UNABLE && o->type == OUTCOME_UNABLE &&
            j->now.attempt - (j->now.state == STINT_RUNNING) == o->attempt;
        if (taken)
            j->was_refused = true;
        if (taken && j->was.attempt == o->attempt && j->was.state == STINT_RUNNING &&
            j->refused_count < REFUSED_MAX)
            j->refused[j->refused_count++] = o->from;
    }
    for (size_t i = 0; i < traffic.changes.count; i++) {
        struct job *j = job_of(&traffic.changes.all[i].id);
        if (j)
            j->refused_count = 0;
    }
}

/* Was it deleted in this step, after it had succeeded? */
static bool
succeeded_and_went(const struct job *j)
{
    bool deleted = false;
    for (size_t i = 0; i < traffic.deletes.count; i++)
        deleted |= id_compare(&traffic.deletes.all[i], &j->id) == 0;
    return deleted && j->now.state == STINT_UNKNOWN && (j->passed >> STINT_SUCCEEDED & 1);
}

static void
check_confirmed(void)
{
    for (size_t i = 0; i < traffic.confirmed.count; i++) {
        const struct heard_outcome *o = &traffic.confirmed.all[i];
        const struct job *j = job_of(&o->id);
        if (!j)
            sim_broken("an outcome of no job was confirmed");
        bool refused = o->brings_denied || o->brings_doubtful; /* before, and told again */
        if (o->type == OUTCOME_SUCCEEDED && !refused &&
            (!(j->been >> STINT_SUCCEEDED & 1) || j->succeeded_attempt != o->attempt) &&
            !succeeded_and_went(j))
            sim_broken("the success of %s was confirmed and is not on disk", job_named(j));
        if (o->type != OUTCOME_SUCCEEDED && j->now.state != STINT_UNKNOWN &&
            (j->now.attempt < o->attempt ||
                (j->now.state == STINT_RUNNING && j->now.attempt == o->attempt)))
            sim_broken("an outcome of %s was confirmed and had no effect", job_named(j));
    }
}

static void
check_counts(struct core *core)
{
    struct stint_stats stats;
    uint64_t counts[STINT_STATES] = {0};
    for (uint32_t i = 0; i < known.count; i++)
        counts[known.jobs[i].now.state]++;
    counts[STINT_SCHEDULED] += schedules_jobs() + batches_jobs();
    core_stats(core, &stats);
    for (enum stint_state s = STINT_READY; s < STINT_STATES; s++)
        if (stats.jobs[s] != counts[s])
            sim_broken("%llu jobs are counted as %s and %llu are",
                (unsigned long long)stats.jobs[s], stint_state_name(s),
                (unsigned long long)counts[s]);
}

/* A job that stands elsewhere was to be moved there. */
static void
check_move(const struct job *j)
{
    if (j->now.state == STINT_UNKNOWN || id_compare(&j->now_key, &j->key) == 0)
        return;
    for (size_t i = 0; i < traffic.changes.count; i++) {
        const struct heard_change *c = &traffic.changes.all[i];
        if (id_compare(&c->id, &j->id) == 0 &&
            (!(c->set & CHANGE_QUEUE) || c->queue == j->now_queue) &&
            (!(c->set & CHANGE_PRIORITY) || c->priority == id_priority(&j->now_key)))
            return;
    }
    sim_broken("%s stands where nobody has moved it", job_named(j));
}

static void
judge(void)
{
    for (uint32_t i = 0; i < known.count; i++) {
        struct job *j = &known.jobs[i];
        bool was_there = j->was.state != STINT_UNKNOWN || j->been || j->was.attempt;
        bool as_before = job_is_unchanged(j);
        bool told = traffic.claims.count || traffic.started.count || joint_heard();
        if (j->stored && j->now.state != STINT_UNKNOWN && (!was_there || j->now_queue != j->queue))
            queues_check_new(j);
        if (!was_there && j->now.state == STINT_SCHEDULED &&
            j->now_due_ms > known.wall_ms + j->wish.delay_ms)
            sim_broken("%s came, and is due too late", job_named(j));
        if (as_before && (j->now.state != STINT_RUNNING || !told)) {
            j->now.holder = j->was.holder;
            j->now.begun = j->was.begun;
        } else {
            if (was_there)
                check_move(j);
            life_explain(j, was_there && j->stored);
        }
        expires_check(j);
        after_check(j);
        total_check(j);
    }
    joint_check();
}

static void
remember_all(void)
{
    for (uint32_t i = 0; i < known.count; i++)
        if (known.jobs[i].stored)
            remember(&known.jobs[i]);
    for (uint32_t i = 0; i < known.count; i++)
        if (known.jobs[i].stored)
            after_remember(&known.jobs[i]);
}

void
oracle_batch(const struct batch *batch)
{
    frames_clear();
    queues_batch();
    why_clear();
    clock_follow(batch);
    bulks_batch();
    schedules_batch(batch);
    batches_batch(batch);
    frames_in(batch);
    bulks_may_move();
}

void
oracle_stepped(struct store *store, struct core *core, const struct outbox *out)
{
    frames_out(out);
    clock_committed();
    read_store(store);
    queues_check_store(store, false);
    schedules_check(store, true);
    bulks_command();
    batches_command();
    judge();
    batches_check(store);
    unique_check();
    feed_check_store(store);
    bulks_read(store);
    note_refusals();
    check_dispatches();
    queues_check_limits();
    needs_check();
    groups_check();
    check_counts(core);
    rights_check_lists();
    queues_check_backlogs();
    why_judge(core);
    remember_all();
    totals_check(core, false);
    check_confirmed();
}

void
oracle_failed(const struct outbox *out)
{
    frames_out(out);
    clock_failed();
    in_doubt = true;
}

static void
verify_problem(void *context, const char *what, const char *id)
{
    (void)context;
    sim_broken("what is on disk does not fit together: %s %s", what, id);
}

/* What only the broker's memory knew. */
static void
forget_connections(struct job *j)
{
    j->was.holder = j->now.holder = NULL;
    j->was.begun = j->now.begun = j->now.last == LAST_BEGUN;
    j->refused_count = 0;
}

void
oracle_started(struct store *store, struct core *core)
{
    bool as_before = true;
    groups_start();
    read_store(store);
    queues_check_store(store, in_doubt);
    schedules_check(store, false);
    for (uint32_t i = 0; i < known.count; i++)
        as_before &= life_is_unchanged(&known.jobs[i]);
    if (!as_before && !in_doubt) {
        for (uint32_t i = 0; i < known.count; i++)
            if (!life_is_unchanged(&known.jobs[i])) {
                life_tell(&known.jobs[i], "was", &known.jobs[i].was);
                life_tell(&known.jobs[i], "is", &known.jobs[i].now);
            }
        sim_broken("a restart changed what was on disk");
    }
    feed_check_store(store); /* it is on disk if what it tells of is */
    if (in_doubt) {
        bulks_command();
        batches_command();
    }
    if (!as_before) {
        judge(); /* the step whose commit failed is on disk, and whole */
        remember_all();
    }
    known.restarted_us = world_us(); /* nothing was owed while nobody was there */
    batches_check(store);
    bulks_read(store);
    for (uint32_t i = 0; i < known.count; i++)
        forget_connections(&known.jobs[i]);
    check_counts(core);
    totals_check(core, !in_doubt);
    struct verify_report report = {.problem = verify_problem};
    core_verify(store, known.options.broker, &report);
    in_doubt = false;
    known.stamp_ms = 0;
    frames_clear();
    frames_restart();
}
