/* Schedules in the world of tests: set, looked at, and let pass time. */
#ifndef SCHEDULED_H
#define SCHEDULED_H

#include "civil.h"
#include "made_zone.h"
#include "world.h"

#include <string.h>

static const uint64_t MINUTE = 60000, HOUR = 3600000, DAY = 86400000;

static uint64_t number = 1000;

static inline struct slice
slice_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static inline uint64_t
at_utc(int64_t year, unsigned month, unsigned day, unsigned hour, unsigned minute)
{
    return (uint64_t)civil_days(year, month, day) * DAY + hour * HOUR + minute * MINUTE;
}

/* A world that begins at this time, with a client. */
static inline struct world *
world_at(uint64_t wall_ms)
{
    struct core_options o;
    core_options_init(&o);
    o.zone = made_zone;
    struct world *w = world_new(&o);
    w->wall_ms = wall_ms;
    world_with_client(w);
    return w;
}

/* ---- what is sent and read ---- */

/* Who says nothing while hours pass is forgotten. */
static inline void
greet(struct world *w)
{
    world_hello_client(w, 1, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

/* The first schedule of the answer; false: it was refused, with w->message the ERROR. */
static inline bool
answered(struct world *w)
{
    assert_int_equal(world_step(w, 0), STINT_OK);
    if (!world_read(w, 1, MESSAGE_SCHEDULES)) {
        assert_non_null(world_read(w, 1, MESSAGE_ERROR));
        return false;
    }
    return w->message.count > 0 && message_next_schedule(w->arrays);
}

static inline bool
set_job(struct world *w, struct schedule_request s, const struct job_spec *job)
{
    struct pack_buffer b = {0};
    greet(w);
    message_put_job(&b, job);
    s.action = STINT_SET_SCHEDULE;
    s.job = (struct slice){b.data, b.used};
    if (s.name.size == 0)
        s.name = slice_of("s");
    message_put_set_schedule(world_frame(w, 1), ++number, &s);
    pack_buffer_free(&b);
    return answered(w);
}

static inline bool
set(struct world *w, struct schedule_request s)
{
    struct job_spec job = world_job("payload");
    return set_job(w, s, &job);
}

static inline void
set_cron(struct world *w, const char *cron, const char *zone)
{
    assert_true(set(w, (struct schedule_request){.cron = slice_of(cron), .zone = slice_of(zone)}));
}

static inline bool
act(struct world *w, enum stint_schedule_action action, uint64_t run)
{
    greet(w);
    message_put_set_schedule(world_frame(w, 1), ++number,
        &(struct schedule_request){.name = slice_of("s"), .action = action, .run = run});
    return answered(w);
}

static inline struct stint_schedule_info
now(struct world *w, uint32_t next)
{
    greet(w);
    message_put_list_schedules(world_frame(w, 1), ++number, slice_of("s"), next, slice_of(""));
    assert_true(answered(w));
    return w->arrays->items.schedule.info;
}

static inline enum stint_status
refused(const struct world *w)
{
    return w->message.error.status;
}

static inline uint64_t
jobs(struct world *w)
{
    struct stint_stats stats;
    core_stats(w->core, &stats);
    return stats.totals[STINT_COUNT_SUBMITTED];
}

/* Let time pass in steps of this many ms; returns how many jobs were made. */
static inline uint64_t
pass(struct world *w, uint64_t ms, uint64_t step_ms)
{
    uint64_t before = jobs(w);
    for (uint64_t passed = 0; passed < ms; passed += step_ms) {
        assert_int_equal(world_step(w, step_ms), STINT_OK);
        if (w->steps > WORLD_LOG - 100)
            fail_msg("too many steps for one world");
    }
    return jobs(w) - before;
}

/* The broker is down for so long. */
static inline void
down(struct world *w, uint64_t ms)
{
    w->now_ms += ms;
    w->wall_ms += ms;
    world_restart(w);
    world_hello_client(w, 1, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static inline struct stint_schedule_info
after_down(struct world *w, uint64_t ms, uint64_t *made)
{
    uint64_t before = jobs(w);
    down(w, ms);
    (void)pass(w, 10, 10);
    *made = jobs(w) - before;
    return now(w, 1);
}

static inline void
end(struct world *w)
{
    assert_true(world_replays(w));
    world_destroy(&w);
}

#endif
