/* Jobs that wait for others, for tests: how they are written and submitted. */
#ifndef WAITING_H
#define WAITING_H

#include "world.h"

#include <stdlib.h>

enum { WAITING_CLIENT = 1, WAITING_SPECS = 16384 };

/* What specs are after, until waiting_done. */
static struct pack_buffer waiting_pool[WAITING_SPECS];
static unsigned waiting_used;

static inline struct pack_buffer *
waiting_buffer(uint32_t count)
{
    assert_true(waiting_used < WAITING_SPECS);
    struct pack_buffer *b = &waiting_pool[waiting_used++];
    *b = (struct pack_buffer){NULL, 0, 0};
    pack_put_array(b, count);
    return b;
}

static inline void
waiting_done(void)
{
    while (waiting_used > 0)
        pack_buffer_free(&waiting_pool[--waiting_used]);
}

/* A job after these. */
static inline struct job_spec
waiting_job(const char *payload, const struct stint_id *parents, uint32_t count)
{
    struct pack_buffer *b = waiting_buffer(count);
    struct job_spec job = world_job(payload);
    for (uint32_t i = 0; i < count; i++)
        pack_put_bytes(b, parents[i].bytes, STINT_ID_BYTES);
    job.after = (struct slice){b->data, b->used};
    return job;
}

/* The same, after those that stand there in its message. */
static inline struct job_spec
waiting_job_behind(const char *payload, const uint32_t *places, uint32_t count)
{
    struct pack_buffer *b = waiting_buffer(count);
    struct job_spec job = world_job(payload);
    for (uint32_t i = 0; i < count; i++)
        pack_put_uint(b, places[i]);
    job.after = (struct slice){b->data, b->used};
    return job;
}

/* Submits them in a step of their own; the ids, or why not. */
static inline enum stint_status
waiting_submit(struct world *w, uint64_t number, const struct job_spec *jobs, uint32_t count,
    struct stint_id *ids)
{
    uint32_t all = 0;
    world_submit(w, WAITING_CLIENT, number, jobs, count);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, WAITING_CLIENT, MESSAGE_SUBMITTED));
    struct answer *a = &w->arrays->answers[0];
    for (uint32_t i = 0; a->status == STINT_OK && i < a->count; i++) {
        struct stint_id first;
        uint32_t length;
        assert_true(message_next_run(a, &first, &length));
        for (uint32_t n = 0; n < length; n++)
            ids[all++] = id_plus(first, n);
    }
    assert_int_equal(all, a->status == STINT_OK ? count : 0);
    return a->status;
}

/* The id of one. */
static inline struct stint_id
waiting_submit_one(struct world *w, uint64_t number, struct job_spec job)
{
    struct stint_id id = {{0}};
    assert_int_equal(waiting_submit(w, number, &job, 1, &id), STINT_OK);
    return id;
}

static inline struct stint_id
waiting_submit_after(struct world *w, uint64_t number, struct stint_id parent)
{
    return waiting_submit_one(w, number, waiting_job("child", &parent, 1));
}

static inline void
waiting_complain(void *context, const char *what, const char *where)
{
    (void)context;
    fail_msg("%s %s", what, where);
}

/* What is stored fits together. */
static inline void
waiting_verify(struct world *w)
{
    struct verify_report report = {.problem = waiting_complain};
    core_verify(w->store, 0, &report);
    assert_int_equal(report.problems, 0);
}

#endif
