/* Schedules, as the oracle sees them. Their rows are read after each commit, and their jobs are
 * counted: a schedule has made as many as its row says, and in a step that nobody touched it as
 * many as there were ticks between the times up to which they were over, by its rule for missed
 * ones.
 */
#include "oracle_inside.h"
#include "schedule_rows.h"
#include "ticker.h"

enum { SLACK_MS = 2500, LATE_MS = 60000 };

struct seen {
    bool there;
    struct row_schedule row; /* without its texts */
    uint64_t period_ms;
};

static struct {
    struct seen was[TICKER_SCHEDULES];
    uint64_t counts[TICKER_SCHEDULES]; /* jobs in the store */
    uint64_t base[TICKER_SCHEDULES]; /* of them, from before it was made */
    bool touched[TICKER_SCHEDULES]; /* somebody did, in this batch */
    uint64_t wall_ms, scarce_ms; /* of the last batch; of the last one with little room */
} all;

static unsigned
index_of(struct slice name)
{
    for (unsigned i = 0; i < TICKER_SCHEDULES; i++)
        if (strlen(ticker_names[i]) == name.size &&
            memcmp(ticker_names[i], name.data, name.size) == 0)
            return i;
    sim_broken("a schedule is stored that nobody has set");
}

void
schedules_begin(void)
{
    memset(&all, 0, sizeof all);
}

void
schedules_batch(const struct batch *batch)
{
    memset(all.touched, 0, sizeof all.touched);
    all.wall_ms = batch->wall_ms;
    if (batch->room_bytes < 1 << 20)
        all.scarce_ms = batch->now_ms;
    else if (all.scarce_ms && batch->now_ms > all.scarce_ms + SLACK_MS)
        all.scarce_ms = 0;
}

void
schedules_hear(const struct message *m)
{
    all.touched[index_of(m->set_schedule.name)] = true;
}

void
schedules_forget_jobs(void)
{
    memset(all.counts, 0, sizeof all.counts);
}

void
schedules_count_job(const struct record *r)
{
    if (r->state != STINT_SCHEDULED)
        sim_broken("a job of a schedule does not wait for its time");
    all.counts[index_of(r->schedule)]++;
}

uint64_t
schedules_jobs(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < TICKER_SCHEDULES; i++)
        sum += all.counts[i];
    return sum;
}

static uint64_t
ticks_until(const struct seen *s, uint64_t at_ms)
{
    uint64_t from_ms = s->row.every_ms ? s->row.began_ms : 0;
    return (at_ms - from_ms) / s->period_ms;
}

/* How many jobs it had to make to have its ticks over up to there. */
static uint64_t
wanted(const struct seen *was, uint64_t seen_ms)
{
    uint64_t n = ticks_until(was, seen_ms) - ticks_until(was, was->row.seen_ms), jobs = n > 0;
    uint64_t from_ms = was->row.every_ms ? was->row.began_ms : 0;
    uint64_t last_ms = from_ms + ticks_until(was, seen_ms) * was->period_ms;
    if (was->row.missed == STINT_MISSED_ALL)
        jobs = n < was->row.most ? n : was->row.most;
    else if (was->row.missed == STINT_MISSED_SKIP && seen_ms - last_ms > LATE_MS)
        jobs = 0;
    if (was->row.overlap == STINT_OVERLAP_SKIP && jobs > 0)
        jobs = was->row.jobs == 0; /* and that one waits for ever */
    return jobs;
}

static void
check_ticks(unsigned i, const struct seen *was, const struct seen *now, bool stepped)
{
    const struct row_schedule *a = &was->row, *b = &now->row;
    if (b->seen_ms < a->seen_ms || b->paused != a->paused || b->every_ms != a->every_ms ||
        b->began_ms != a->began_ms || b->run != a->run)
        sim_broken("%s is another one, and nobody has touched it", ticker_names[i]);
    if (b->seen_ms != a->seen_ms && a->paused)
        sim_broken("%s is paused and goes on", ticker_names[i]);
    if (b->jobs - a->jobs != wanted(was, b->seen_ms))
        sim_broken("%s has made %llu jobs where there were %llu to make", ticker_names[i],
            (unsigned long long)(b->jobs - a->jobs), (unsigned long long)wanted(was, b->seen_ms));
    if (a->every_ms || !stepped)
        return;
    if (b->seen_ms != a->seen_ms && b->seen_ms > all.wall_ms + SLACK_MS)
        sim_broken("%s is ahead of the clock", ticker_names[i]);
    if (!b->paused && !all.scarce_ms && all.wall_ms > b->seen_ms + SLACK_MS &&
        ticks_until(now, all.wall_ms - SLACK_MS) > ticks_until(now, b->seen_ms))
        sim_broken("%s lets a tick go by", ticker_names[i]);
}

static void
check_one(unsigned i, const struct seen *now, bool stepped)
{
    const struct seen *was = &all.was[i];
    if (was->there != now->there && !all.touched[i])
        sim_broken("%s came or went, and nobody has touched it", ticker_names[i]);
    if (now->there && (!was->there || now->row.jobs < was->row.jobs))
        all.base[i] = all.counts[i] - now->row.jobs;
    if (now->there && all.counts[i] != all.base[i] + now->row.jobs)
        sim_broken("%s says that it has made %llu jobs, and %llu are there", ticker_names[i],
            (unsigned long long)now->row.jobs, (unsigned long long)(all.counts[i] - all.base[i]));
    if (was->there && now->there && !all.touched[i])
        check_ticks(i, was, now, stepped);
    all.was[i] = *now;
}

void
schedules_check(struct store *s, bool stepped)
{
    struct seen now[TICKER_SCHEDULES] = {{.there = false}};
    uint8_t at[LIMIT_NAME_BYTES + 1] = {0};
    struct slice key, value, from = {at, 1};
    s->ops->begin(s);
    while (store_seek(s, STORE_SCHEDULES, from, &key, &value)) {
        struct row_schedule row;
        if (!row_schedule_read(key, value, &row))
            sim_broken("the row of a schedule is damaged");
        struct seen *one = &now[index_of(key)];
        one->there = true;
        one->row = row;
        one->period_ms = row.every_ms ? row.every_ms : row.cron.size == 9 ? 60000 : 120000;
        memcpy(at, key.data, key.size);
        at[key.size] = 0;
        from.size = key.size + 1;
    }
    s->ops->abort(s);
    for (unsigned i = 0; i < TICKER_SCHEDULES; i++)
        check_one(i, &now[i], stepped);
}
