/* Batches in the world of tests: made, filled, looked at. */
#ifndef BATCHED_H
#define BATCHED_H

#include "waiting.h"

enum { WORKER = 2 };

static uint64_t number = 1000; /* of requests */
static uint64_t submission; /* the last one */

static inline struct slice
slice_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static inline void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

/* A client, and, with slots, a worker. */
static inline struct world *
batch_world_of(const struct core_options *options, uint32_t slots)
{
    struct world *w = world_new(options);
    submission = 0;
    world_with_client(w);
    if (slots > 0) {
        world_with_worker(w, slots);
        world_claim(w, WORKER, NULL, 0);
        step(w, 0);
    }
    return w;
}

static inline struct world *
batch_world(uint32_t slots)
{
    return batch_world_of(NULL, slots);
}

static inline void
finish(struct world *w)
{
    waiting_verify(w);
    assert_true(world_replays(w));
    world_destroy(&w);
    waiting_done();
}

/* ---- what is sent and read ---- */

/* The first batch of the answer; false: it was refused, with w->message the ERROR. */
static inline bool
answered(struct world *w)
{
    step(w, 0);
    if (!world_read(w, 1, MESSAGE_BATCHES)) {
        assert_non_null(world_read(w, 1, MESSAGE_ERROR));
        return false;
    }
    return w->message.count > 0 && message_next_batch(w->arrays);
}

static inline bool
set_batch(struct world *w, struct batch_request s)
{
    message_put_set_batch(world_frame(w, 1), ++number, &s);
    return answered(w);
}

static inline struct slice
job_bytes(struct pack_buffer *b, const char *payload)
{
    struct job_spec job = world_job(payload);
    b->used = 0;
    message_put_job(b, &job);
    return (struct slice){b->data, b->used};
}

/* A batch of this number that makes both jobs. */
static inline void
make_batch(struct world *w, uint64_t batch)
{
    struct pack_buffer a = {0}, b = {0};
    assert_true(set_batch(w,
        (struct batch_request){.action = BATCH_NEW,
            .batch = batch,
            .keep_ms = KEEP_DEFAULT,
            .success = job_bytes(&a, "success"),
            .always = job_bytes(&b, "always")}));
    pack_buffer_free(&a);
    pack_buffer_free(&b);
}

static inline bool
act(struct world *w, enum batch_action action, uint64_t batch)
{
    return set_batch(
        w, (struct batch_request){.action = action, .batch = batch, .keep_ms = KEEP_DEFAULT});
}

static inline struct stint_batch_info
batch_now(struct world *w, uint64_t batch)
{
    message_put_list_batches(
        world_frame(w, 1), MESSAGE_LIST_BATCHES, ++number, batch, (struct slice){0});
    assert_true(answered(w));
    return w->arrays->items.batch;
}

static inline enum stint_status
refused(const struct world *w)
{
    return w->message.error.status;
}

static inline struct job_spec
batch_job(uint64_t batch, const char *payload)
{
    struct job_spec job = world_job(payload);
    job.batch = batch;
    return job;
}

static inline enum stint_status
submit(struct world *w, const struct job_spec *jobs, uint32_t count, struct stint_id *ids)
{
    enum stint_status status = waiting_submit(w, submission + 1, jobs, count, ids);
    submission += status == STINT_OK;
    return status;
}

static inline struct stint_id
submit_one(struct world *w, struct job_spec job)
{
    struct stint_id id = {{0}};
    assert_int_equal(submit(w, &job, 1, &id), STINT_OK);
    return id;
}

static inline struct stint_id
add_job(struct world *w, uint64_t batch)
{
    return submit_one(w, batch_job(batch, "member"));
}

static inline enum stint_status
ask(struct world *w, enum message_type what, struct stint_id id)
{
    message_put_ids(world_frame(w, 1), what, ++number, &id, 1, 0);
    step(w, 0);
    assert_non_null(world_read(w, 1, MESSAGE_ANSWERS));
    return w->arrays->statuses[0];
}

/* The run of a job that a worker has ends so, in a step of its own. */
static inline void
settle(struct world *w, struct stint_id id, uint32_t attempt, enum outcome_type how)
{
    world_settle(w, WORKER, ++number, id, attempt, how, "");
    step(w, 0);
}

static inline bool
is_none(const struct stint_id *id)
{
    static const struct stint_id none;
    return id_compare(id, &none) == 0;
}

static inline uint64_t
jobs_made(struct world *w)
{
    struct stint_stats stats;
    core_stats(w->core, &stats);
    return stats.totals[STINT_COUNT_SUBMITTED];
}

static inline void
assert_counts(struct world *w, uint64_t batch, struct stint_batch_counts want)
{
    struct stint_batch_counts is = batch_now(w, batch).counts;
    assert_int_equal(is.jobs, want.jobs);
    assert_int_equal(is.succeeded, want.succeeded);
    assert_int_equal(is.dead, want.dead);
    assert_int_equal(is.cancelled, want.cancelled);
    assert_int_equal(is.expired, want.expired);
}

#endif
