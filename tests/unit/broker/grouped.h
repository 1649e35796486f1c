/* A world with a client and a worker, whose jobs are in groups; shared by the tests of those. */
#ifndef GROUPED_H
#define GROUPED_H

#include "group_rows.h"
#include "unique_world.h"

enum { MOST = 256 };

static inline struct job_spec
of_group(const char *group, const char *payload)
{
    struct job_spec job = world_job(payload);
    if (group)
        job.group = text(group);
    return job;
}

static inline struct stint_id
give(struct world *w, const char *group)
{
    return submit(w, of_group(group, "x")).id;
}

static inline void
complains(void *context, const char *what, const char *id)
{
    (void)context;
    print_error("%s %s\n", what, id);
}

static inline uint64_t
problems(struct world *w, bool quiet)
{
    struct verify_report report = {.problem = quiet ? NULL : complains};
    core_verify(w->store, 0, &report);
    return report.problems;
}

static inline void
assert_good(struct world *w)
{
    assert_int_equal(problems(w, false), 0);
}

static inline struct stint_queue_setting
set_groups(struct world *w, struct group_setting set, const struct group_weight *weights)
{
    message_put_group_setting(world_frame(w, CLIENT), 79, text("default"), &set, weights);
    step(w, 0);
    const struct message *m = world_read(w, CLIENT, MESSAGE_QUEUE);
    assert_non_null(m);
    return m->queue;
}

static inline void
set_running(struct world *w, uint32_t running)
{
    assert_int_equal(
        set_groups(w, (struct group_setting){running, UINT64_MAX, 0}, NULL).group_running, running);
}

static inline void
set_rate(struct world *w, uint64_t rate)
{
    assert_int_equal(
        set_groups(w, (struct group_setting){UINT32_MAX, rate, 0}, NULL).group_rate, rate);
}

static inline void
set_weight(struct world *w, const char *group, uint32_t weight)
{
    const struct group_weight weights = {text(group), weight};
    (void)set_groups(w, (struct group_setting){UINT32_MAX, UINT64_MAX, 1}, &weights);
}

/* Jobs that the worker was given in the last step. */
struct taken {
    struct stint_id ids[MOST];
    char groups[MOST][16];
    uint32_t attempts[MOST], count;
};

static inline struct taken
taken(struct world *w, uint32_t peer)
{
    struct taken t = {.count = 0};
    for (size_t i = 0; world_next(w, peer, &i);) {
        if (w->message.type != MESSAGE_DISPATCH)
            continue;
        for (uint32_t n = 0; n < w->message.count; n++) {
            const struct dispatched_job *d = &w->arrays->dispatched[n];
            assert_true(t.count < MOST && d->group.size < sizeof t.groups[0]);
            t.ids[t.count] = d->id;
            t.attempts[t.count] = d->attempt;
            memcpy(t.groups[t.count++], d->group.data, d->group.size);
        }
    }
    return t;
}

/* Which leaves the worker's window as it is. */
static inline void
finish(struct world *w, struct stint_id id, uint32_t attempt, enum outcome_type type)
{
    const struct outcome o = {.id = id, .attempt = attempt, .type = type};
    message_put_settle(world_frame(w, WORKER), 900 + attempt, &o, 1, WINDOW_UNCHANGED);
    step(w, 0);
}

static inline uint64_t
in_state(struct world *w, enum stint_state state)
{
    struct stint_stats stats;
    core_stats(w->core, &stats);
    return stats.jobs[state];
}

/* What there is of groups: rows, and jobs that wait in their lines. */
struct groups_there {
    uint64_t groups, in_lines;
};

static inline struct groups_there
groups_there(struct world *w)
{
    struct groups_there there = {0, 0};
    struct slice key, value, from = {(const uint8_t *)"", 1};
    uint8_t at[GROUP_WEIGHT_KEY_BYTES_MAX + 1];
    w->store->ops->begin(w->store);
    while (store_seek(w->store, STORE_GROUPS, from, &key, &value)) {
        enum group_row which;
        uint32_t queue;
        struct slice name;
        struct row_group row = {.ready = 0};
        assert_true(group_key_read(key, &which, &queue, &name));
        if (which == GROUP_ROW_GROUP)
            assert_true(row_group_read(key, value, &row));
        there.groups += which == GROUP_ROW_GROUP;
        there.in_lines += row.far + row.near.count + row.tail.count;
        memcpy(at, key.data, key.size);
        at[key.size] = 0;
        from = (struct slice){at, key.size + 1};
    }
    w->store->ops->abort(w->store);
    return there;
}

static inline void
assert_groups(struct world *w, uint64_t groups)
{
    assert_int_equal(groups_there(w).groups, groups);
}

static inline uint64_t
in_lines(struct world *w)
{
    return groups_there(w).in_lines;
}

#endif
