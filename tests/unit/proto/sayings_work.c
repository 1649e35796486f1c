/* Jobs come in and go out: what is said of that, with random fields. */
#include "sayings.h"

#include <stdio.h>

/* A copy, until very much more is kept. */
static struct slice
kept(const uint8_t *data, size_t size)
{
    static uint8_t pool[1 << 22];
    static size_t used;
    used = used + size > sizeof pool ? 0 : used;
    memcpy(pool + used, data, size);
    used += size;
    return (struct slice){pool + used - size, size};
}

static struct slice
joined_ids(void)
{
    struct stint_id ids[20];
    size_t count = 1 + (size_t)below(20);
    for (size_t i = 0; i < count; i++)
        ids[i] = id();
    return kept(ids[0].bytes, count * sizeof *ids);
}

/* Ids, and places before this one. */
static struct slice
after(uint32_t place)
{
    uint8_t bytes[3 + 20 * (STINT_ID_BYTES + 5)];
    struct pack_buffer b = {bytes, 0, sizeof bytes}; /* there is room for all */
    uint32_t count = 1 + (uint32_t)below(20);
    pack_put_array(&b, count);
    for (uint32_t i = 0; i < count; i++) {
        struct stint_id one = id();
        if (place > 0 && chance())
            pack_put_uint(&b, below(place));
        else
            pack_put_bytes(&b, one.bytes, sizeof one.bytes);
    }
    return kept(bytes, b.used);
}

/* Words, in any form. */
static struct slice
needs(void)
{
    static const char *const all[] = {"gpu", "mem=0.5G,cpus=2", "zone=a  ssd", "n=1024T"};
    const char *one = all[below(sizeof all / sizeof *all)];
    return (struct slice){(const uint8_t *)one, strlen(one)};
}

static struct job_spec
spec(uint32_t place)
{
    struct job_spec s = {.queue = {(const uint8_t *)"default", 7},
        .kind = {(const uint8_t *)"default", 7},
        .payload = bytes(),
        .keep_ms = KEEP_DEFAULT,
        .backoff_base_ms = DEFAULT_BACKOFF_BASE_MS,
        .backoff_cap_ms = DEFAULT_BACKOFF_CAP_MS,
        .max_attempts = DEFAULT_MAX_ATTEMPTS,
        .priority = DEFAULT_PRIORITY};
    if (chance())
        return s;
    if (chance())
        s.queue = name();
    if (chance())
        s.kind = name();
    if (chance())
        s.keep_ms = upto(LIMIT_TIME_MS);
    if (chance())
        s.time_to_run_ms = 1 + upto(LIMIT_TIME_MS - 1);
    if (chance())
        s.backoff_base_ms = 1 + upto(LIMIT_TIME_MS - 1);
    if (chance())
        s.backoff_cap_ms = 1 + upto(LIMIT_TIME_MS - 1);
    if (chance())
        s.delay_ms = upto(LIMIT_TIME_MS);
    if (chance())
        s.due_ms = upto(LIMIT_MOMENT_MS);
    if (chance())
        s.expires_in_ms = upto(LIMIT_TIME_MS);
    if (chance())
        s.expires_at_ms = upto(LIMIT_MOMENT_MS);
    if (chance())
        s.total_ms = 1 + upto(LIMIT_TIME_MS - 1);
    if (chance())
        s.batch = 1 + upto(LIMIT_BATCH - 1);
    if (chance())
        s.unique = letters(1, 20);
    if (chance())
        s.unique_flags = below(UNIQUE_FLAGS_ALL + 1);
    if (chance())
        s.unique_for_ms = upto(LIMIT_TIME_MS);
    if (chance())
        s.group = letters(1, 20);
    if (chance())
        s.after = after(place);
    if (chance())
        s.after_flags = below(AFTER_FLAGS_ALL + 1);
    if (chance())
        s.needs = needs();
    if (chance())
        s.max_attempts = 1 + (uint32_t)upto(LIMIT_ATTEMPTS - 1);
    if (chance())
        s.priority = (uint8_t)below(256);
    return s;
}

static void
assert_specs(const struct job_spec *jobs, uint32_t count)
{
    assert_int_equal(heard.count, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct job_spec *s = &arrays->specs[i];
        assert_same(s->queue, jobs[i].queue);
        assert_same(s->kind, jobs[i].kind);
        assert_same(s->payload, jobs[i].payload);
        assert_number(s->keep_ms, jobs[i].keep_ms);
        assert_number(s->time_to_run_ms, jobs[i].time_to_run_ms);
        assert_number(s->backoff_base_ms, jobs[i].backoff_base_ms);
        assert_number(s->backoff_cap_ms, jobs[i].backoff_cap_ms);
        assert_number(s->delay_ms, jobs[i].delay_ms);
        assert_number(s->due_ms, jobs[i].due_ms);
        assert_number(s->expires_in_ms, jobs[i].expires_in_ms);
        assert_number(s->expires_at_ms, jobs[i].expires_at_ms);
        assert_number(s->total_ms, jobs[i].total_ms);
        assert_number(s->batch, jobs[i].batch);
        assert_same(s->unique, jobs[i].unique);
        assert_number(s->unique_flags, jobs[i].unique_flags);
        assert_number(s->unique_for_ms, jobs[i].unique_for_ms);
        assert_same(s->group, jobs[i].group);
        assert_same(s->after, jobs[i].after);
        assert_number(s->after_flags, jobs[i].after_flags);
        assert_same(s->needs, jobs[i].needs);
        assert_int_equal(s->max_attempts, jobs[i].max_attempts);
        assert_int_equal(s->priority, jobs[i].priority);
    }
}

void
say_SUBMIT(uint64_t number)
{
    struct job_spec jobs[6];
    uint32_t count = 1 + (uint32_t)below(6);
    uint64_t acked = upto(UINT64_MAX), other = upto(UINT64_MAX);
    struct pack_buffer again = {0};
    for (uint32_t i = 0; i < count; i++)
        jobs[i] = i && chance() ? jobs[0] : spec(i);
    message_put_submit(&frame, number, acked, jobs, count);
    hear(MESSAGE_SUBMIT, number);
    assert_number(heard.submit.acked, acked);
    assert_specs(jobs, count);
    struct slice said = heard.submit.jobs;
    message_put_submit_again(&again, (struct slice){frame.data, frame.used}, other, number);
    struct pack_buffer first = frame;
    frame = again;
    hear(MESSAGE_SUBMIT, other);
    assert_number(heard.submit.acked, number);
    assert_specs(jobs, count);
    assert_same(heard.submit.jobs, said); /* what tells a submission from another */
    pack_buffer_free(&first);
}

void
say_CHANGE(uint64_t number)
{
    struct change change = {.to = spec(0)};
    struct stint_id ids[6];
    uint32_t count = (uint32_t)below(6);
    change.set = (uint32_t)below(CHANGE_DELAY << 1) & ~1U;
    if (chance() && change.to.total_ms)
        change.set |= CHANGE_TOTAL;
    if (change.to.time_to_run_ms == 0)
        change.set &= ~(uint32_t)CHANGE_TIME_TO_RUN;
    if (change.to.keep_ms == KEEP_DEFAULT)
        change.set &= ~(uint32_t)CHANGE_KEEP;
    change.delay_ms = upto(LIMIT_TIME_MS);
    for (uint32_t i = 0; i < count; i++)
        ids[i] = id();
    message_put_change(&frame, number, ids, count, &change);
    hear(MESSAGE_CHANGE, number);
    const struct change *is = &heard.change;
    assert_int_equal(heard.count, count);
    assert_memory_equal(arrays->ids, ids, count * sizeof *ids);
    assert_int_equal(is->set, change.set);
    assert_number(is->delay_ms, change.set & CHANGE_DELAY ? change.delay_ms : 0);
    if (change.set & CHANGE_QUEUE)
        assert_same(is->to.queue, change.to.queue);
    if (change.set & CHANGE_KIND)
        assert_same(is->to.kind, change.to.kind);
    if (change.set & CHANGE_PAYLOAD)
        assert_same(is->to.payload, change.to.payload);
    if (change.set & CHANGE_PRIORITY)
        assert_int_equal(is->to.priority, change.to.priority);
    if (change.set & CHANGE_MAX_ATTEMPTS)
        assert_int_equal(is->to.max_attempts, change.to.max_attempts);
    if (change.set & CHANGE_KEEP)
        assert_number(is->to.keep_ms, change.to.keep_ms);
    if (change.set & CHANGE_TOTAL)
        assert_number(is->to.total_ms, change.to.total_ms);
    if (change.set & CHANGE_TIME_TO_RUN)
        assert_number(is->to.time_to_run_ms, change.to.time_to_run_ms);
    if (change.set & CHANGE_BACKOFF_BASE)
        assert_number(is->to.backoff_base_ms, change.to.backoff_base_ms);
    if (change.set & CHANGE_BACKOFF_CAP)
        assert_number(is->to.backoff_cap_ms, change.to.backoff_cap_ms);
}

void
say_SUBMITTED(uint64_t number)
{
    struct pack_buffer elements = {0};
    struct stint_id firsts[6][3];
    uint32_t counts[6][3], runs[6], answers = (uint32_t)below(6);
    struct slice details[6];
    enum stint_met mets[6][3];
    uint64_t numbers[6];
    for (uint32_t i = 0; i < answers; i++) {
        numbers[i] = upto(UINT64_MAX);
        runs[i] = (uint32_t)below(4);
        details[i] = letters(0, 20);
        if (runs[i] == 0) {
            message_put_refused(&elements, numbers[i], STINT_QUEUE_FULL, i, details[i]);
            continue;
        }
        message_put_accepted(&elements, numbers[i]);
        pack_put_array(&elements, runs[i]);
        for (uint32_t n = 0; n < runs[i]; n++) {
            firsts[i][n] = id();
            counts[i][n] = (uint32_t)upto(LIMIT_JOBS);
            mets[i][n] = (enum stint_met)below(3);
            if (mets[i][n] == STINT_MET_NOTHING)
                message_put_run(&elements, &firsts[i][n], counts[i][n]);
            else
                message_put_run_met(&elements, &firsts[i][n], counts[i][n], mets[i][n]);
        }
    }
    (void)number;
    message_put_elements(
        &frame, MESSAGE_SUBMITTED, (struct slice){elements.data, elements.used}, answers);
    hear(MESSAGE_SUBMITTED, 0);
    assert_int_equal(heard.count, answers);
    for (uint32_t i = 0; i < answers; i++) {
        struct answer a = arrays->answers[i];
        assert_number(a.number, numbers[i]);
        assert_int_equal(a.status, runs[i] ? STINT_OK : STINT_QUEUE_FULL);
        assert_int_equal(a.count, runs[i]);
        assert_int_equal(a.index, runs[i] ? 0 : i);
        assert_same(a.detail, runs[i] ? (struct slice){NULL, 0} : details[i]);
        for (uint32_t n = 0; n < runs[i]; n++) {
            struct stint_id first;
            uint32_t count;
            assert_true(message_next_run(&a, &first, &count));
            assert_memory_equal(&first, &firsts[i][n], sizeof first);
            assert_int_equal(count, counts[i][n]);
            assert_int_equal(a.met, mets[i][n]);
        }
    }
    pack_buffer_free(&elements);
}

/* ---- and go out ---- */

static struct slice
some_counts(void)
{
    static uint8_t bytes[] = {0x95, 5, 3, 1, 1, 0};
    return (struct slice){bytes, sizeof bytes};
}

void
say_DISPATCH(uint64_t number)
{
    struct dispatched_job jobs[6];
    struct slice queue = name();
    uint32_t count = (uint32_t)below(6);
    size_t at = message_open_dispatch(&frame, queue);
    (void)number;
    for (uint32_t i = 0; i < count; i++) {
        jobs[i] = (struct dispatched_job){.id = id(),
            .kind = name(),
            .payload = bytes(),
            .attempt = (uint32_t)upto(UINT32_MAX),
            .max_attempts = chance() ? DEFAULT_MAX_ATTEMPTS : (uint32_t)upto(LIMIT_ATTEMPTS),
            .time_to_run_ms = chance() ? 0 : upto(LIMIT_TIME_MS),
            .submitted_ms = upto(UINT64_MAX),
            .confirm = chance(),
            .after = chance() ? joined_ids() : (struct slice){NULL, 0},
            .needs = chance() ? needs() : (struct slice){NULL, 0},
            .batch = chance() ? upto(UINT64_MAX) : 0,
            .counts = chance() ? some_counts() : (struct slice){NULL, 0},
            .group = chance() ? letters(1, 20) : (struct slice){NULL, 0}};
        message_put_dispatched(&frame, &jobs[i]);
    }
    pack_close_array(&frame, at, count);
    hear(MESSAGE_DISPATCH, 0);
    assert_same(heard.dispatch.queue, queue);
    assert_int_equal(heard.count, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct dispatched_job *d = &arrays->dispatched[i];
        assert_memory_equal(&d->id, &jobs[i].id, sizeof d->id);
        assert_same(d->kind, jobs[i].kind);
        assert_same(d->payload, jobs[i].payload);
        assert_int_equal(d->attempt, jobs[i].attempt);
        assert_int_equal(d->max_attempts, jobs[i].max_attempts);
        assert_number(d->time_to_run_ms, jobs[i].time_to_run_ms);
        assert_number(d->submitted_ms, jobs[i].submitted_ms);
        assert_int_equal(d->confirm, jobs[i].confirm);
        assert_same(d->after, jobs[i].after);
        assert_same(d->needs, jobs[i].needs);
        assert_number(d->batch, jobs[i].batch);
        assert_same(d->counts, jobs[i].counts);
        assert_same(d->group, jobs[i].group);
    }
}

/* What comes with an end; nothing, half the time. */
static struct slice
joint(void)
{
    struct pack_buffer b = {0}, jobs = {0};
    struct stint_id ids[3];
    struct joint j = {.jobs_count = (uint32_t)below(3),
        .ids = ids,
        .ids_count = (uint32_t)below(3),
        .flags = (uint32_t)below(JOINT_FLAGS_ALL + 1)};
    if (chance())
        return (struct slice){NULL, 0};
    for (uint32_t i = 0; i < j.jobs_count; i++) {
        struct job_spec one = spec(i);
        message_put_job(&jobs, &one);
    }
    for (uint32_t i = 0; i < j.ids_count; i++)
        ids[i] = id();
    j.jobs = (struct slice){jobs.data, jobs.used};
    message_put_joint(&b, &j);
    struct slice bytes = kept(b.data, b.used);
    pack_buffer_free(&b);
    pack_buffer_free(&jobs);
    return bytes;
}

/* Read and written again, it is the same. */
static void
assert_reads(struct slice bytes)
{
    struct pack_buffer b = {0}, jobs = {0};
    struct job_spec specs[3];
    struct stint_id ids[3];
    struct joint_size size;
    const char *why;
    if (bytes.size == 0)
        return;
    assert_true(message_joint_check(bytes, &size, &why));
    struct joint j = {.jobs_count = message_joint_jobs(bytes, specs),
        .ids = ids,
        .ids_count = message_joint_ids(bytes, ids),
        .flags = (uint32_t)message_joint_flags(bytes)};
    assert_int_equal(size.jobs, j.jobs_count);
    assert_int_equal(size.ids, j.ids_count);
    for (uint32_t i = 0; i < j.jobs_count; i++)
        message_put_job(&jobs, &specs[i]);
    j.jobs = (struct slice){jobs.data, jobs.used};
    message_put_joint(&b, &j);
    assert_int_equal(b.used, bytes.size);
    assert_memory_equal(b.data, bytes.data, b.used);
    pack_buffer_free(&b);
    pack_buffer_free(&jobs);
}

void
say_SETTLE(uint64_t number)
{
    struct outcome outcomes[6];
    uint32_t count = (uint32_t)below(6), told = window();
    for (uint32_t i = 0; i < count; i++)
        outcomes[i] = (struct outcome){.id = id(),
            .attempt = (uint32_t)upto(UINT32_MAX),
            .type = (enum outcome_type)(1 + below(OUTCOME_UNABLE)),
            .body = chance() ? bytes() : (struct slice){NULL, 0},
            .delay_ms = chance() ? 0 : upto(LIMIT_TIME_MS),
            .extra = chance() ? bytes() : (struct slice){NULL, 0},
            .joint = joint()};
    message_put_settle(&frame, number, outcomes, count, told);
    hear(MESSAGE_SETTLE, number);
    assert_int_equal(heard.settle.window, told);
    assert_int_equal(heard.count, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct outcome *o = &arrays->outcomes[i];
        assert_memory_equal(&o->id, &outcomes[i].id, sizeof o->id);
        assert_int_equal(o->attempt, outcomes[i].attempt);
        assert_int_equal(o->type, outcomes[i].type);
        assert_same(o->body, outcomes[i].body);
        assert_number(o->delay_ms, outcomes[i].delay_ms);
        assert_same(o->extra, outcomes[i].extra);
        assert_same(o->joint, outcomes[i].joint);
        assert_reads(o->joint);
    }
}

void
say_SETTLED(uint64_t number)
{
    struct pack_buffer elements = {0};
    uint64_t numbers[5];
    uint32_t answers = (uint32_t)below(5), exceptions[5], indexes[5][4];
    for (uint32_t i = 0; i < answers; i++) {
        numbers[i] = upto(UINT64_MAX);
        exceptions[i] = (uint32_t)below(4);
        size_t at = message_open_settled(&elements, numbers[i]);
        for (uint32_t n = 0; n < exceptions[i]; n++) {
            indexes[i][n] = (uint32_t)upto(LIMIT_JOBS);
            message_put_exception(&elements, indexes[i][n], STINT_STALE);
        }
        pack_close_array(&elements, at, exceptions[i]);
    }
    (void)number;
    message_put_elements(
        &frame, MESSAGE_SETTLED, (struct slice){elements.data, elements.used}, answers);
    hear(MESSAGE_SETTLED, 0);
    assert_int_equal(heard.count, answers);
    for (uint32_t i = 0; i < answers; i++) {
        struct answer a = arrays->answers[i];
        assert_number(a.number, numbers[i]);
        assert_int_equal(a.count, exceptions[i]);
        for (uint32_t n = 0; n < exceptions[i]; n++) {
            uint32_t index;
            enum stint_status status;
            assert_true(message_next_exception(&a, &index, &status));
            assert_int_equal(index, indexes[i][n]);
            assert_int_equal(status, STINT_STALE);
        }
    }
    pack_buffer_free(&elements);
}

static void
say_leases(enum message_type type, uint64_t number)
{
    struct lease_ref leases[6];
    uint32_t count = (uint32_t)below(6);
    bool more = chance(), claim = type == MESSAGE_CLAIM;
    bool told = type != MESSAGE_CLAIM && type != MESSAGE_STARTED; /* why, lease by lease */
    for (uint32_t i = 0; i < count; i++)
        leases[i] = (struct lease_ref){.id = id(),
            .attempt = (uint32_t)upto(UINT32_MAX),
            .status = told ? (uint32_t)upto(UINT32_MAX) : 0,
            .begun = claim && chance()};
    message_put_leases(&frame, type, number, leases, count, more);
    hear(type, number);
    assert_int_equal(heard.count, count);
    assert_int_equal(heard.claim.more, claim && more);
    for (uint32_t i = 0; i < count; i++) {
        assert_memory_equal(&arrays->leases[i].id, &leases[i].id, STINT_ID_BYTES);
        assert_int_equal(arrays->leases[i].attempt, leases[i].attempt);
        assert_int_equal(arrays->leases[i].begun, leases[i].begun);
        if (!claim)
            assert_int_equal(arrays->leases[i].status, leases[i].status);
    }
}

void
say_CLAIM(uint64_t number)
{
    say_leases(MESSAGE_CLAIM, number);
}

void
say_CLAIMED(uint64_t number)
{
    say_leases(MESSAGE_CLAIMED, number);
}

void
say_STARTED(uint64_t number)
{
    say_leases(MESSAGE_STARTED, number);
}

void
say_CONFIRMED(uint64_t number)
{
    say_leases(MESSAGE_CONFIRMED, number);
}

void
say_PROGRESS(uint64_t number)
{
    struct told_progress told[6];
    uint32_t count = (uint32_t)below(6);
    (void)number;
    for (uint32_t i = 0; i < count; i++)
        told[i] = (struct told_progress){.id = id(),
            .attempt = (uint32_t)upto(UINT32_MAX),
            .percent = chance() ? (uint32_t)below(101) : STINT_NO_PERCENT,
            .text = letters(0, LIMIT_PROGRESS_BYTES)};
    message_put_progress(&frame, told, count);
    hear(MESSAGE_PROGRESS, 0);
    assert_int_equal(heard.count, count);
    for (uint32_t i = 0; i < count; i++) {
        ASSERT_FIELD(&arrays->told[i], &told[i], id);
        assert_int_equal(arrays->told[i].attempt, told[i].attempt);
        assert_int_equal(arrays->told[i].percent, told[i].percent);
        assert_same(arrays->told[i].text, told[i].text);
    }
}

void
say_SHOW(uint64_t number)
{
    say_leases(MESSAGE_SHOW, number);
}

void
say_REVOKE(uint64_t number)
{
    say_leases(MESSAGE_REVOKE, number);
}

void
say_RECALL(uint64_t number)
{
    uint32_t count = (uint32_t)upto(LIMIT_WINDOW);
    (void)number;
    struct slice queue = chance() ? name() : (struct slice){0};
    message_put_recall(&frame, count, queue);
    hear(MESSAGE_RECALL, 0);
    assert_int_equal(heard.count, count);
    assert_same(heard.recall.queue, queue);
}
