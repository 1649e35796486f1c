/* Lives of schedules that are drawn: time passes, clocks jump, the broker is killed and its commits
 * fail, before they are done and after, people pause, resume and run. After each step a model,
 * which knows nothing of spans and rules of zones and looks at each minute, says how many jobs
 * there have to be: one for each tick.
 */
#include "dice.h"
#include "scheduled.h"

#include <stdio.h>

enum { SEEDS = 150, STEPS = 60, SCHEDULES = 4, LATE = 60000 };

struct model {
    struct dice dice;
    struct world *w;
    int64_t ahead_ms; /* the wall clock, of the time that passed */
    uint64_t made; /* jobs */
    bool jumped; /* the wall clock was set, and no step has seen it yet */
    struct planned {
        char name[8], cron[32];
        bool north, follows, paused, lives; /* lives: its last job is there, and is never run */
        unsigned minute, hour, step; /* hour 24: each; step 0: it is `minute` */
        uint64_t every_ms, began_ms; /* every_ms 0: it is an expression */
        enum stint_missed missed;
        uint32_t most;
        enum stint_overlap overlap;
        uint64_t over_ms; /* ticks up to here are over */
    } all[SCHEDULES];
};

/* When the last Sunday of a month begins its second hour, by UTC. */
static uint64_t
last_sunday(int64_t year, unsigned month)
{
    int64_t day = civil_days(year, month, 31);
    while (civil_weekday(day) != 0)
        day--;
    return (uint64_t)day * DAY + HOUR;
}

static bool
means(const struct planned *p, uint64_t local_ms)
{
    unsigned minute = (unsigned)(local_ms / MINUTE % 60), hour = (unsigned)(local_ms / HOUR % 24);
    return (p->hour == 24 || hour == p->hour) &&
        (p->step ? minute % p->step == 0 : minute == p->minute);
}

/* Is this minute, by UTC, a tick? */
static bool
ticks(const struct planned *p, uint64_t at_ms)
{
    if (!p->north)
        return means(p, at_ms);
    int64_t year = civil_from_days((int64_t)(at_ms / DAY)).year;
    uint64_t spring = last_sunday(year, 3), autumn = last_sunday(year, 10);
    bool summer = at_ms >= spring && at_ms < autumn;
    bool again = at_ms >= autumn && at_ms < autumn + HOUR;
    if (!p->follows && again)
        return false;
    if (!p->follows && at_ms == spring && p->hour == 2)
        return true;
    return means(p, at_ms + (summer ? 2 : 1) * HOUR);
}

static uint64_t
time_of(const struct model *m, const struct planned *p)
{
    return p->every_ms ? m->w->wall_ms - (uint64_t)m->ahead_ms : m->w->wall_ms;
}

/* The first tick behind this time, up to now; 0: there is none. */
static uint64_t
tick_behind(const struct planned *p, uint64_t over_ms, uint64_t now_ms)
{
    if (p->every_ms) {
        uint64_t n = (over_ms - p->began_ms) / p->every_ms + 1;
        return p->began_ms + n * p->every_ms <= now_ms ? p->began_ms + n * p->every_ms : 0;
    }
    for (uint64_t at = (over_ms / MINUTE + 1) * MINUTE; at <= now_ms; at += MINUTE)
        if (ticks(p, at))
            return at;
    return 0;
}

static uint64_t
due(const struct planned *p, uint64_t now_ms)
{
    uint64_t count = 0, last = 0;
    for (uint64_t at = p->over_ms; (at = tick_behind(p, at, now_ms)) != 0; last = at)
        count++;
    if (p->missed == STINT_MISSED_SKIP)
        return count > 0 && now_ms - last <= LATE;
    return p->missed == STINT_MISSED_ALL && count > p->most ? p->most
        : count > 0 && p->missed != STINT_MISSED_ALL        ? 1
                                                            : count;
}

/* What a step makes that is committed. */
static void
follow(struct model *m)
{
    for (unsigned i = 0; i < SCHEDULES; i++) {
        struct planned *p = &m->all[i];
        uint64_t now_ms = time_of(m, p);
        if (p->paused || now_ms <= p->over_ms)
            continue;
        uint64_t jobs = due(p, now_ms);
        if (p->overlap == STINT_OVERLAP_SKIP && jobs > 0)
            jobs = !p->lives;
        m->made += jobs;
        p->lives |= jobs > 0;
        if (tick_behind(p, p->over_ms, now_ms) != 0)
            p->over_ms = now_ms;
    }
}

static void
check(struct model *m, const char *what)
{
    follow(m);
    m->jumped = false;
    if (jobs(m->w) != m->made)
        fail_msg("after %s in step %zu there are %llu jobs, not %llu", what, m->w->steps,
            (unsigned long long)jobs(m->w), (unsigned long long)m->made);
}

/* One that fails is followed by a new start; it was committed, or it was not. */
static void
step(struct model *m, uint64_t ms, const char *what)
{
    bool fails = !m->jumped && dice_once_in(&m->dice, 8), kept = dice_once_in(&m->dice, 2);
    if (!fails) {
        assert_int_equal(world_step(m->w, ms), STINT_OK);
        check(m, what);
        return;
    }
    if (kept)
        store_model_fail_after_commit(m->w->store, 0);
    else
        store_model_fail_commit(m->w->store, 0);
    assert_int_equal(world_step(m->w, ms), STINT_IO);
    if (kept)
        follow(m);
    world_restart(m->w);
    store_model_spare(m->w->store);
    assert_int_equal(world_step(m->w, 0), STINT_OK);
    check(m, "a commit that failed");
}

/* ---- what happens ---- */

static void
say(struct model *m, const struct planned *p, enum stint_schedule_action action, uint64_t run)
{
    world_hello_client(m->w, 1, 1);
    message_put_set_schedule(world_frame(m->w, 1), ++number,
        &(struct schedule_request){.name = slice_of(p->name), .action = action, .run = run});
    assert_int_equal(world_step(m->w, 0), STINT_OK);
    assert_non_null(world_read(m->w, 1, MESSAGE_SCHEDULES));
}

static void
meddle(struct model *m)
{
    struct planned *p = &m->all[dice_roll(&m->dice, SCHEDULES)];
    switch (dice_roll(&m->dice, 3)) {
    case 0:
        say(m, p, STINT_PAUSE_SCHEDULE, 0);
        p->paused = true;
        break;
    case 1:
        say(m, p, STINT_RESUME_SCHEDULE, 0);
        p->paused = false;
        p->over_ms = time_of(m, p);
        break;
    default:
        say(m, p, STINT_RUN_SCHEDULE, number);
        m->made++;
        p->lives = true;
    }
    check(m, "what somebody did");
}

static void
live(struct model *m)
{
    static const uint64_t some[] = {10, 1000, 30000, 60000, 600000, 3600000, 5400000, 40000000};
    uint64_t ms = some[dice_roll(&m->dice, 8)] + dice_roll(&m->dice, 1000);
    switch (m->jumped ? 5 : dice_roll(&m->dice, 12)) { /* a jump is seen while the broker runs */
    case 0:
        m->ahead_ms += (int64_t)(ms + 2000);
        m->w->wall_ms += ms + 2000;
        m->jumped = true;
        break;
    case 1:
        m->ahead_ms -= (int64_t)(ms + 2000);
        m->w->wall_ms -= ms + 2000;
        m->jumped = true;
        break;
    case 2:
    case 3:
        down(m->w, ms);
        check(m, "a kill");
        break;
    case 4:
        meddle(m);
        break;
    default:
        step(m, ms, "a step");
    }
}

static void
plan_one(struct model *m, struct planned *p, unsigned i)
{
    struct dice *d = &m->dice;
    *p = (struct planned){.hour = 24, .minute = dice_roll(d, 60)};
    (void)snprintf(p->name, sizeof p->name, "s%u", i);
    p->north = dice_once_in(d, 2);
    p->missed = (enum stint_missed)(1 + dice_roll(d, 3));
    p->most = p->missed == STINT_MISSED_ALL ? 1 + dice_roll(d, 20) : 0;
    p->overlap = dice_once_in(d, 4) ? STINT_OVERLAP_SKIP : STINT_OVERLAP_START;
    switch (dice_roll(d, 4)) {
    case 0:
        p->every_ms = 1000ULL * (1 + dice_roll(d, 20000));
        break;
    case 1:
        p->hour = dice_roll(d, 5);
        (void)snprintf(p->cron, sizeof p->cron, "%u %u * * *", p->minute, p->hour);
        break;
    case 2:
        p->follows = true;
        (void)snprintf(p->cron, sizeof p->cron, "%u * * * *", p->minute);
        break;
    default:
        p->follows = true;
        p->step = 1 + dice_roll(d, 30);
        (void)snprintf(p->cron, sizeof p->cron, "*/%u * * * *", p->step);
    }
    assert_true(set(m->w,
        (struct schedule_request){.name = slice_of(p->name),
            .cron = slice_of(p->cron),
            .zone = slice_of(p->cron[0] && p->north ? "Made/North" : ""),
            .every_ms = p->every_ms,
            .missed = p->missed,
            .most = p->most,
            .overlap = p->overlap}));
    p->began_ms = p->over_ms = time_of(m, p);
}

static void
each_tick_has_its_job_whatever_happens(void **state)
{
    uint64_t made = 0;
    (void)state;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct model m = {.dice.state = seed};
        uint64_t begin = last_sunday(2027, seed % 2 ? 3 : 10);
        m.w = world_at(begin - 30 * HOUR + dice_next(&m.dice) % (40 * HOUR));
        for (unsigned i = 0; i < SCHEDULES; i++)
            plan_one(&m, &m.all[i], i);
        for (unsigned n = 0; n < STEPS; n++)
            live(&m);
        made += m.made;
        world_destroy(&m.w);
    }
    assert_true(made > 20 * SEEDS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_tick_has_its_job_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
