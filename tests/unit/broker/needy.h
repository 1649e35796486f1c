/* Jobs that need something and workers that have something, for tests. */
#ifndef NEEDY_H
#define NEEDY_H

#include "world.h"

enum { NEEDY_CLIENT = 1, NEEDY_WORKER = 2, NEEDY_OTHER = 3, NEEDY_THIRD = 4 };

static inline struct slice
needy_text(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static inline void
needy_step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

/* What a worker says of itself. */
struct needy_worker {
    uint32_t slots, window;
    const char *has, *label, *queue, *kind; /* NULL: none; queue: "default" */
};

static inline void
needy_hello(struct world *w, uint32_t peer, struct needy_worker is)
{
    struct slice label = needy_text(is.label ? is.label : "");
    struct slice queue = needy_text(is.queue ? is.queue : "default");
    struct slice kind = needy_text(is.kind ? is.kind : "");
    bool prefix = queue.data[queue.size - 1] == '*';
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .name = needy_text(peer == NEEDY_WORKER ? "first"
                : peer == NEEDY_OTHER           ? "other"
                                                : "third"),
        .software = needy_text("test"),
        .slots = is.slots,
        .window = is.window ? is.window : is.slots,
        .queues = !prefix,
        .prefixes = prefix,
        .kinds = is.kind != NULL,
        .labels = is.label != NULL,
        .has = needy_text(is.has ? is.has : "")};
    memset(h.session, (int)(10 + peer), sizeof h.session);
    message_put_hello(world_frame(w, peer), &h, &queue, &kind, &label);
}

/* One that has claimed what it holds: nothing. */
static inline void
needy_join(struct world *w, uint32_t peer, struct needy_worker is)
{
    needy_hello(w, peer, is);
    needy_step(w, 0);
    assert_non_null(world_read(w, peer, MESSAGE_WELCOME));
    world_claim(w, peer, NULL, 0);
    needy_step(w, 0);
}

static inline struct world *
needy_world(void)
{
    struct world *w = world_new(NULL);
    world_with_client(w);
    return w;
}

static inline struct job_spec
needy_job(const char *needs)
{
    struct job_spec job = world_job(needs ? needs : "");
    job.needs = needy_text(needs ? needs : "");
    return job;
}

/* Submits it in a step of its own; its id. */
static inline struct stint_id
needy_submit_job(struct world *w, uint64_t number, struct job_spec job)
{
    struct stint_id id = {{0}};
    uint32_t count;
    world_submit(w, NEEDY_CLIENT, number, &job, 1);
    needy_step(w, 0);
    assert_non_null(world_read(w, NEEDY_CLIENT, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_OK);
    assert_true(message_next_run(&w->arrays->answers[0], &id, &count));
    return id;
}

static inline struct stint_id
needy_submit(struct world *w, uint64_t number, const char *needs)
{
    return needy_submit_job(w, number, needy_job(needs));
}

/* How many jobs the worker was given in the last step; `last` (NULL: not wanted): of the last. */
static inline uint32_t
needy_given(struct world *w, uint32_t peer, struct dispatched_job *last)
{
    uint32_t count = 0;
    size_t i = 0;
    while (world_next(w, peer, &i))
        if (w->message.type == MESSAGE_DISPATCH) {
            count += w->message.count;
            if (last)
                *last = w->arrays->dispatched[w->message.count - 1];
        }
    return count;
}

static inline void
needy_assert_given(struct world *w, uint32_t peer, struct stint_id id)
{
    struct dispatched_job last;
    assert_int_equal(needy_given(w, peer, &last), 1);
    assert_memory_equal(&last.id, &id, sizeof id);
}

static inline void
needy_assert_idle(struct world *w, uint32_t peer)
{
    assert_int_equal(needy_given(w, peer, NULL), 0);
}

/* It has ended, in a step of its own. */
static inline void
needy_settle(struct world *w, uint32_t peer, struct stint_id id, uint32_t window)
{
    struct outcome o = {.id = id, .attempt = 1, .type = OUTCOME_SUCCEEDED};
    message_put_settle(world_frame(w, peer), 1, &o, 1, window);
    needy_step(w, 0);
}

static inline void
needy_started(struct world *w, uint32_t peer, struct stint_id id, uint32_t attempt)
{
    struct lease_ref lease = {.id = id, .attempt = attempt};
    message_put_leases(world_frame(w, peer), MESSAGE_STARTED, 0, &lease, 1, false);
    needy_step(w, 0);
}

static inline struct stint_reason
needy_why(struct world *w, const struct stint_id *id, const char *queue)
{
    message_put_why(
        world_frame(w, NEEDY_CLIENT), 77, needy_text(queue ? queue : ""), id, id ? 1 : 0);
    needy_step(w, 0);
    assert_non_null(world_read(w, NEEDY_CLIENT, MESSAGE_REASONS));
    assert_true(message_next_reason(w->arrays));
    return w->arrays->reason;
}

static inline void
needy_complain(void *context, const char *what, const char *where)
{
    (void)context;
    fail_msg("%s %s", what, where);
}

/* Ends the test: what is stored fits together, and the same batches give the same store. */
static inline void
needy_finish(struct world *w)
{
    struct verify_report report = {.problem = needy_complain};
    core_verify(w->store, 0, &report);
    assert_int_equal(report.problems, 0);
    assert_true(world_replays(w));
    world_destroy(&w);
}

#endif
