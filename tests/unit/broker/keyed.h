/* A world with two queues, and peers that come with keys, for the tests of rights. */
#ifndef KEYED_H
#define KEYED_H

#include "world.h"

enum { LOCAL = 1, RUNS = 2, KEYED = 5, OTHER = 6 };

static inline struct grant
grant_of(const char *name, uint32_t rights, const char *pattern)
{
    struct grant g = {.rights = rights};
    (void)strcpy(g.name, name);
    if (pattern) {
        g.patterns_count = 2;
        (void)strcpy(g.patterns[0], "other");
        (void)strcpy(g.patterns[1], pattern);
    }
    return g;
}

static inline struct slice
text(const char *s)
{
    return (struct slice){(const uint8_t *)s, strlen(s)};
}

static inline void
put_hello(struct world *w, uint32_t peer, enum message_role role, const char *queue)
{
    struct slice name = text(queue);
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = role,
        .slots = 1,
        .window = 0, /* it is to be given nothing */
        .name = text("keyed"),
        .software = text("test"),
        .queues = role == ROLE_WORKER};
    memset(h.session, (int)(10 + peer), sizeof h.session);
    message_put_hello(world_frame(w, peer), &h, &name, NULL, NULL);
}

static inline void
put_submit(struct world *w, uint32_t peer, uint64_t number, const char *queue)
{
    struct job_spec job = world_job("payload");
    job.queue = text(queue);
    world_submit(w, peer, number, &job, 1);
}

/* A job in mail.in and one in pay.roll, and a worker that serves both. */
static inline struct world *
a_world_with_two_queues(void)
{
    struct world *w = world_new(NULL);
    struct slice served[] = {text("mail.in"), text("pay.roll")};
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .session = {RUNS},
        .queues = 2,
        .slots = 1,
        .window = 0};
    world_with_client(w);
    put_submit(w, LOCAL, 1, "mail.in");
    put_submit(w, LOCAL, 2, "pay.roll");
    message_put_hello(world_frame(w, RUNS), &h, served, NULL, NULL);
    assert_int_equal(world_step(w, 0), STINT_OK);
    return w;
}

static inline void
expect_error(struct world *w, enum stint_status status)
{
    assert_non_null(world_read(w, KEYED, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, status);
    if (status == STINT_DENIED)
        assert_true(w->message.error.detail.size > 10); /* a sentence says why */
}

/* The status in which the answer tells that it is denied, or that it is not. */
static inline enum stint_status
status_told(struct world *w, enum message_type answer)
{
    uint32_t index;
    enum stint_status status = STINT_OK;
    assert_non_null(world_read(w, KEYED, answer));
    switch (answer) {
    case MESSAGE_SUBMITTED:
        return w->arrays->answers[0].status;
    case MESSAGE_SETTLED:
        if (w->arrays->answers[0].count > 0)
            assert_true(message_next_exception(&w->arrays->answers[0], &index, &status));
        return status;
    case MESSAGE_CLAIMED:
    case MESSAGE_CONFIRMED:
        return w->message.count > 0 ? w->arrays->leases[0].status : STINT_OK;
    case MESSAGE_BULKS: /* it is told as one that is not there */
        return w->message.count > 0 ? STINT_OK : STINT_DENIED;
    default: /* ANSWERS */
        return w->arrays->statuses[0];
    }
}

#endif
