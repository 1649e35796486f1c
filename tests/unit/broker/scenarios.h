/* Scenarios of the protocol: what peers say to the core, in order. test_transcripts.c plays them
 * and compares what is said with transcripts/NAME.txt.
 */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include "world.h"

struct scenario {
    const char *name, *heading;
    void (*play)(struct world *w);
    uint64_t queue_backlog_max, unread_bytes; /* 0: the default; the latter also of answers_bytes */
};

extern const struct scenario scenarios[];
extern const size_t scenarios_count;

/* In files of their own. */
void play_queues(struct world *w);
void play_unique(struct world *w);
void play_groups(struct world *w);
void play_feed(struct world *w);
void play_schedules(struct world *w);
void play_batches(struct world *w);
void play_bulk(struct world *w);
void play_joint(struct world *w);
void play_live(struct world *w);

/* Common sentences. */

enum { CLIENT = 1, WORKER = 2, SECOND = 3 }; /* and their sessions */

static inline void
say(struct world *w, const char *sentence)
{
    transcript_say(w->transcript, sentence);
}

static inline void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

/* Time passes in small steps, as a broker that is awake sees it. */
static inline void
wait_ms(struct world *w, uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += 250)
        step(w, ms - passed < 250 ? ms - passed : 250);
}

/* The n-th job of the first queue. */
static inline struct stint_id
job(uint64_t n)
{
    return id_make(0, 1, DEFAULT_PRIORITY, n);
}

static inline void
greet_client(struct world *w)
{
    world_hello_client(w, CLIENT, CLIENT);
    step(w, 0);
}

static inline void
greet_worker(struct world *w, uint32_t peer, uint32_t slots)
{
    world_hello_worker(w, peer, (uint8_t)peer, slots);
    world_claim(w, peer, NULL, 0);
    step(w, 0);
}

static inline void
submit(struct world *w, uint64_t number, const char *payload)
{
    struct job_spec spec = world_job(payload);
    world_submit(w, CLIENT, number, &spec, 1);
}

static inline void
submit_three(struct world *w, uint64_t number)
{
    struct job_spec specs[3] = {world_job("one"), world_job("two"), world_job("three")};
    world_submit(w, CLIENT, number, specs, 3);
}

#endif
