/* Bulk operations in the world of tests: begun, looked at, and gone on with to their end. */
#ifndef BULKED_H
#define BULKED_H

#include "keyed.h"
#include "where.h"

enum { CLIENT = 1, WORKER = 2, MANY = 1500 };

static const uint64_t NUMBER = 0x1122334455667788;

/* ---- what is said ---- */

static inline void
put_bulk(struct world *w, uint32_t peer, struct bulk_request k, const char *filter)
{
    struct where where = {.used = 0};
    struct pack_buffer b = {0};
    if (!where_read(&where, filter))
        fail_msg("%s: %s", filter, where.why);
    filter_write(&b, &where.filter);
    k.filter = (struct slice){b.data, where.filter.count ? b.used : 0};
    message_put_bulk(world_frame(w, peer), 5, &k);
    pack_buffer_free(&b);
}

static inline struct bulk_request
request(enum stint_bulk_action action)
{
    struct bulk_request k = {.bulk = NUMBER, .action = action, .priority = -1, .all = true};
    if (action == STINT_BULK_MOVE)
        k.queue = text("other");
    if (action == STINT_BULK_PRIORITY)
        k.priority = 7;
    return k;
}

static inline const struct stint_bulk_info *
read_one(struct world *w, uint32_t peer)
{
    assert_non_null(world_read(w, peer, MESSAGE_BULKS));
    assert_int_equal(w->message.count, 1);
    assert_true(message_next_bulk(w->arrays));
    return &w->arrays->bulk.info;
}

static inline struct stint_bulk_info
begin(struct world *w, enum stint_bulk_action action, const char *filter)
{
    put_bulk(w, CLIENT, request(action), filter);
    assert_int_equal(world_step(w, 0), STINT_OK);
    return *read_one(w, CLIENT);
}

static inline void
put_list(struct world *w, uint32_t peer, enum message_type type, uint64_t number)
{
    message_put_list_bulks(world_frame(w, peer), type, 6, number, (struct slice){0});
}

static inline struct stint_bulk_info
look(struct world *w)
{
    put_list(w, CLIENT, MESSAGE_LIST_BULKS, NUMBER);
    assert_int_equal(world_step(w, 0), STINT_OK);
    return *read_one(w, CLIENT);
}

/* Until it has ended. */
static inline struct stint_bulk_info
finish(struct world *w)
{
    struct stint_bulk_info i = look(w);
    for (unsigned n = 0; n < 1000 && i.state < STINT_BULK_DONE; n++)
        i = look(w);
    assert_int_equal(i.state, STINT_BULK_DONE);
    assert_true(i.ended_ms >= i.began_ms);
    return i;
}

static inline uint64_t
counted_in(struct world *w, enum stint_state s)
{
    struct stint_stats stats;
    core_stats(w->core, &stats);
    return stats.jobs[s];
}

static inline void
submit_many(struct world *w, uint64_t number, const char *queue, uint32_t count)
{
    static struct job_spec jobs[MANY];
    for (uint32_t i = 0; i < count; i++) {
        jobs[i] = world_job("x");
        jobs[i].queue = text(queue);
    }
    world_submit(w, CLIENT, number, jobs, count);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static inline struct world *
world_with_many(void)
{
    struct world *w = world_new(NULL);
    world_with_client(w);
    submit_many(w, 1, "default", MANY);
    return w;
}

static inline void
check_whole(struct world *w)
{
    struct verify_report report = {.problem = NULL};
    core_destroy(&w->core);
    core_verify(w->store, 0, &report);
    assert_int_equal(report.problems, 0);
}

#endif
