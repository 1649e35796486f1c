/* A world with a client and a worker, and submits of jobs with unique keys; shared by the tests of
 * those.
 */
#ifndef UNIQUE_WORLD_H
#define UNIQUE_WORLD_H

#include "keyed.h"
#include "store.h"

enum { CLIENT = 1, WORKER = 2, FOR_MS = 60000 };

static uint64_t numbers[4];

static inline void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

static inline void
connect(struct world *w, uint32_t slots)
{
    world_with_client(w);
    world_with_worker(w, slots);
    world_claim(w, WORKER, NULL, 0);
    step(w, 0);
}

/* With a worker that takes so many jobs. */
static inline struct world *
world_of(uint32_t slots)
{
    struct world *w = world_new(NULL);
    memset(numbers, 0, sizeof numbers);
    connect(w, slots);
    return w;
}

static inline struct job_spec
keyed(const char *key, const char *payload)
{
    struct job_spec job = world_job(payload);
    job.unique = (struct slice){(const uint8_t *)key, strlen(key)};
    return job;
}

struct got {
    struct stint_id id;
    enum stint_met met;
};

/* What the jobs of one submission met. */
static inline void
submit_all(struct world *w, const struct job_spec *jobs, uint32_t count, struct got *got)
{
    uint32_t all = 0;
    world_submit(w, CLIENT, ++numbers[CLIENT], jobs, count);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
    struct answer *a = &w->arrays->answers[0];
    assert_int_equal(a->status, STINT_OK);
    for (uint32_t i = 0; i < a->count; i++) {
        struct stint_id first;
        uint32_t length;
        assert_true(message_next_run(a, &first, &length));
        for (uint32_t n = 0; n < length; n++) {
            assert_true(all < count);
            got[all++] = (struct got){id_plus(first, n), a->met};
        }
    }
    assert_int_equal(all, count);
}

static inline struct got
submit(struct world *w, struct job_spec job)
{
    struct got got;
    submit_all(w, &job, 1, &got);
    return got;
}

static inline void
assert_same_job(struct got a, struct got b)
{
    assert_memory_equal(&a.id, &b.id, sizeof a.id);
}

static inline size_t
keys_held(struct world *w)
{
    assert_int_equal(
        store_model_count(w->store, STORE_UNIQUE_ENDS) > store_model_count(w->store, STORE_UNIQUE),
        false);
    return store_model_count(w->store, STORE_UNIQUE);
}

static inline uint64_t
jobs_there(struct world *w)
{
    struct stint_stats stats;
    uint64_t sum = 0;
    core_stats(w->core, &stats);
    for (unsigned s = STINT_READY; s <= STINT_RUNNING; s++)
        sum += stats.jobs[s];
    return sum;
}

static inline void
ask(struct world *w, enum message_type type, struct stint_id id, enum stint_status expected)
{
    message_put_ids(world_frame(w, CLIENT), type, 77, &id, 1, 0);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ANSWERS));
    assert_int_equal(w->arrays->statuses[0], expected);
}

static inline void
change(struct world *w, struct stint_id id, struct change c, enum stint_status expected)
{
    message_put_change(world_frame(w, CLIENT), 78, &id, 1, &c);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ANSWERS));
    assert_int_equal(w->arrays->statuses[0], expected);
}

static inline void
settle(struct world *w, struct stint_id id, uint32_t attempt, enum outcome_type type)
{
    world_settle(w, WORKER, 900 + attempt, id, attempt, type, "x");
    step(w, 0);
}

#define FOR(test) cmocka_unit_test(test)

#endif
