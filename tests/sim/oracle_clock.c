/* How late it can be by the broker's clock, as far as the simulated world's clocks show. */
#include "oracle_inside.h"

static uint64_t stepped_us;
/* How far the wall clock was from the world's: as the broker met it, and the least that it can have
 * on disk (INT64_MAX: nothing is). */
static int64_t met, stored;
static bool is_stored; /* there was a commit */

void
clock_begin(void)
{
    known.wall_ms = known.wall_us = stepped_us = 0;
    met = 0;
    stored = INT64_MAX;
    is_stored = false;
}

/* The latest that the broker's time can be. It goes on by the monotonic clock; of what the wall
 * clock is set forward, it may follow a little, and while it is down a week. What it noticed in a
 * step that failed it may have forgotten, and before its first commit it goes by the wall clock
 * alone.
 */
void
clock_follow(const struct batch *batch)
{
    const int64_t drift_ms = 1000, away_ms = 7 * 86400000LL;
    int64_t set = (int64_t)batch->wall_ms - (int64_t)(world_us() / 1000), by = set - stored;
    known.wall_us += world_us() - stepped_us;
    if (!is_stored && known.wall_us < batch->wall_ms * 1000)
        known.wall_us = batch->wall_ms * 1000;
    if (by > 0 && (by <= drift_ms + 1 || known.restarted_us >= stepped_us))
        known.wall_us += 1000 * (uint64_t)(by < away_ms ? by : away_ms);
    if (by != 0 || known.restarted_us >= stepped_us)
        known.wall_us += 1000; /* what it reckons with then is rounded to milliseconds */
    known.wall_ms = known.wall_us / 1000 + 2;
    met = set;
    stepped_us = world_us();
}

void
clock_committed(void)
{
    stored = met;
    is_stored = true;
}

/* A commit that is told as failed can be on disk all the same. */
void
clock_failed(void)
{
    if (met < stored)
        stored = met;
}
