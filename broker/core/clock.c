/* The broker's time. Jobs are due after a delay, outcomes are kept for a while: both are durations,
 * and a wall clock that is set is not the passing of time. So the broker's time goes on by the
 * monotonic clock, and follows the wall clock only as far as that drifts. How far the wall clock is
 * ahead of it is stored, for a later start; people are told times as the wall clock has them now.
 *
 * While the broker is down only the wall clock goes on. It is believed within bounds: time does not
 * go back, and at most AWAY_MS have passed, so that a clock that is years ahead at one start does
 * not use up what was to be kept.
 */
#include "clock.h"

enum {
    JUMP_MS = 1000, /* a clock that is drawn near the right time does not move so fast */
    STORE_EVERY_MS = 60000,
};

#define AWAY_MS (7ULL * 86400 * 1000)

static void
store_clock(struct core *core)
{
    uint8_t row[ROW_META_BYTES_MAX];
    const uint64_t words[META_WORDS] = {(uint64_t)core->clocks.wall_ahead_ms, core->clocks.wall_ms};
    store_put(core->store, STORE_META, meta_key(META_CLOCK), row_meta_write(row, words),
        (struct slice){0});
    core->clocks.stored_ms = core->clocks.wall_ms;
}

bool
clock_load(struct core *core)
{
    struct slice row;
    uint64_t words[META_WORDS];
    if (!store_get(core->store, STORE_META, meta_key(META_CLOCK), &row))
        return true;
    if (!row_meta_read(row, words))
        return false;
    core->clocks.wall_ahead_ms = (int64_t)words[0];
    core->clocks.stored_ms = words[1];
    return true;
}

static void
say_jump(struct core *core, int64_t by_ms)
{
    core_say(core, NOTE_WARN,
        by_ms > 0
            ? "the wall clock was set forward; what is due or kept goes by the time that passed"
            : "the wall clock was set back; what is due or kept goes by the time that passed",
        NOTE_NUMBER("by_ms", (uint64_t)(by_ms > 0 ? by_ms : -by_ms)));
}

/* The first batch of a life. */
static void
begin(struct core *core, uint64_t wall_ms)
{
    uint64_t stored_ms = core->clocks.stored_ms;
    int64_t now_ms = (int64_t)wall_ms - core->clocks.wall_ahead_ms;
    core->clocks.wall_ms = now_ms > 0 ? (uint64_t)now_ms : 1;
    if (stored_ms) {
        core->clocks.wall_ms = earlier(later(core->clocks.wall_ms, stored_ms), stored_ms + AWAY_MS);
        if ((int64_t)core->clocks.wall_ms != now_ms)
            say_jump(core, now_ms - (int64_t)core->clocks.wall_ms);
    }
    core->clocks.wall_ahead_ms = (int64_t)wall_ms - (int64_t)core->clocks.wall_ms;
    store_clock(core);
}

void
clock_set(struct core *core, uint64_t passed_ms, uint64_t wall_ms)
{
    if (core->clocks.wall_ms == 0) {
        begin(core, wall_ms);
        return;
    }
    int64_t expected_ms = (int64_t)(core->clocks.wall_ms + passed_ms);
    int64_t actual_ms = (int64_t)wall_ms - core->clocks.wall_ahead_ms;
    int64_t jump_ms = actual_ms - expected_ms;
    if (jump_ms > JUMP_MS || jump_ms < -JUMP_MS) {
        core->clocks.wall_ms = (uint64_t)expected_ms;
        core->clocks.wall_ahead_ms += jump_ms;
        say_jump(core, jump_ms);
        store_clock(core);
    } else {
        core->clocks.wall_ms = later(core->clocks.wall_ms, (uint64_t)actual_ms);
        core->clocks.ticked_ms =
            earlier(core->clocks.ticked_ms, core->clocks.wall_ms - (uint64_t)actual_ms);
        if (core->clocks.wall_ms - core->clocks.stored_ms >= STORE_EVERY_MS)
            store_clock(core);
    }
}

void
clock_tick(struct core *core)
{
    core->clocks.wall_ms++;
    core->clocks.ticked_ms++;
    store_clock(core);
}

uint64_t
clock_told(const struct core *core, uint64_t stored_ms)
{
    int64_t told_ms = (int64_t)stored_ms + core->clocks.wall_ahead_ms;
    return stored_ms == 0 || told_ms <= 0 ? stored_ms : (uint64_t)told_ms;
}

uint64_t
clock_stored(const struct core *core, uint64_t told_ms)
{
    int64_t stored_ms = (int64_t)told_ms - core->clocks.wall_ahead_ms;
    return stored_ms > 0 ? (uint64_t)stored_ms : 1;
}
