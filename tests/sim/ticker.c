/* The one who sets schedules; the contract is in ticker.h. */
#include "ticker.h"
#include "client.h"
#include "oracle.h"

enum { PATIENCE_MS = 3000 };

const char *const ticker_names[TICKER_SCHEDULES] = {"tick-a", "tick-b", "tick-c"};

static struct ticker {
    struct process process;
    struct stint_client *client;
    bool there, calm, removed, stopping;
} t;

static bool
each(void *context, const struct stint_schedule_info *info)
{
    (void)context;
    if (info->next_count > 0 && info->paused)
        sim_broken("a schedule is paused and has a next tick");
    return true;
}

static void
set(const char *name)
{
    static const char *const crons[] = {"* * * * *", "*/2 * * * *", NULL};
    struct chance *chance = &t.process.chance;
    struct stint_schedule s = STINT_SCHEDULE_INIT;
    s.name = name;
    s.cron = crons[chance_below(chance, 3)];
    if (!s.cron)
        s.every_ms = 1000 + chance_skewed(chance, 20000);
    s.zone = s.cron && chance_in_100(chance, 50) ? "Made/North" : NULL;
    s.missed = (enum stint_missed)chance_between(chance, 1, 3);
    if (s.missed == STINT_MISSED_ALL)
        s.missed_most = (uint32_t)chance_between(chance, 1, 10);
    s.overlap = chance_in_100(chance, 15) ? STINT_OVERLAP_SKIP : STINT_OVERLAP_START;
    s.job.queue = "ticks";
    s.job.kind = "tock";
    s.job.priority = 55; /* which nobody guesses */
    s.job.payload = "tick";
    s.job.payload_bytes = 4;
    s.job.delay_ms = LIMIT_TIME_MS;
    (void)stint_set_schedule(t.client, &s, NULL, PATIENCE_MS);
}

static void
act(void)
{
    struct chance *chance = &t.process.chance;
    const char *name = ticker_names[chance_below(chance, TICKER_SCHEDULES)];
    unsigned what = (unsigned)chance_below(chance, 10);
    if (what < 4)
        set(name);
    else if (what < 8)
        (void)stint_control_schedule(
            t.client, name, (enum stint_schedule_action)(what - 2), NULL, PATIENCE_MS);
    else
        (void)stint_schedules(
            t.client, what == 8 ? name : NULL, what == 8 ? 3 : 1, each, NULL, PATIENCE_MS);
}

static void
remove_all(void)
{
    bool removed = true;
    for (unsigned i = 0; i < TICKER_SCHEDULES && removed; i++) {
        enum stint_status status = stint_control_schedule(
            t.client, ticker_names[i], STINT_REMOVE_SCHEDULE, NULL, PATIENCE_MS);
        removed = status == STINT_OK || status == STINT_NO_SUCH_SCHEDULE;
    }
    t.removed = removed;
}

static void
ticker_main(void *context)
{
    const struct stint_client_options o = {.endpoint = "tcp://127.0.0.1:1", .name = "ticker"};
    (void)context;
    if (stint_client_new(&o, &t.client) != STINT_OK)
        return;
    while (!t.stopping) {
        if (!t.calm)
            act();
        else if (!t.removed)
            remove_all();
        (void)stint_client_process(
            t.client, (uint32_t)(1 + chance_skewed(&t.process.chance, 4000)));
    }
    stint_client_destroy(&t.client);
}

void
ticker_begin(uint64_t seed, bool there)
{
    memset(&t, 0, sizeof t);
    t.process = (struct process){
        .name = "ticker", .chance = chance_of(seed, 500), .network = chance_of(seed, 501)};
    t.process.hears_twice = true;
    t.there = there;
    if (there)
        (void)actor_start(&t.process, ticker_main, NULL);
}

void
ticker_calm(void)
{
    t.calm = true;
}

bool
ticker_content(void)
{
    return !t.there || t.removed;
}

void
ticker_stop(void)
{
    t.stopping = true;
}
