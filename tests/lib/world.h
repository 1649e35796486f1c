/* A small world for tests of the core: a broker on the model store under a clock of the test's, and
 * peers whose frames the test writes and reads. Every step is checked by core_check. What happened
 * can be read back as a transcript, or message by message.
 */
#ifndef WORLD_H
#define WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core.h"
#include "id.h"
#include "message.h"
#include "store_model.h"
#include "transcript.h"

enum { WORLD_EVENTS = 256, WORLD_LOG = 4096, WORLD_KEYS = 16 };

struct world_batch { /* as it was given to the core, frames copied */
    struct batch batch;
    struct event events[WORLD_EVENTS];
};

struct world {
    struct core_options options;
    struct store *store;
    struct core *core;
    struct outbox out;
    struct message_arrays *arrays;
    struct message message; /* the last one read */
    uint64_t now_ms, wall_ms, seed;
    enum hearing heard; /* how much of what arrived is in the next batch */
    struct world_batch *log[WORLD_LOG]; /* every batch since the start */
    size_t steps, starts[64], starts_count;
    struct pack_buffer frames[WORLD_EVENTS];
    uint32_t peers[WORLD_EVENTS];
    enum event_kind kinds[WORLD_EVENTS];
    size_t pending;
    const struct grant *grants[WORLD_KEYS]; /* of the first peers' keys; NULL: it has none */
    struct transcript *transcript; /* NULL, or where all that is said is written */
};

struct world *world_new(const struct core_options *options);
/* From now on all is written to w->transcript, which goes with the world. */
void world_transcribe(struct world *w);
void world_destroy(struct world **world);

/* Write the next frame of a peer into the buffer returned; it is delivered by world_step. */
struct pack_buffer *world_frame(struct world *w, uint32_t peer);
void world_gone(struct world *w, uint32_t peer);
/* Let `ms` pass and give the core all frames. */
enum stint_status world_step(struct world *w, uint64_t ms);
/* Lose what is in memory and start again from what was committed. */
void world_restart(struct world *w);
/* Does replaying all batches on an empty store give the same store? */
bool world_replays(struct world *w);

/* The first message of a type to a peer in the last step's outbox, decoded into w->arrays; NULL if
 * there is none. */
const struct message *world_read(struct world *w, uint32_t peer, enum message_type type);
/* The next message to a peer, from entry `*i` of the outbox on, which goes on behind it; it is in
 * w->message. False: there is none. */
bool world_next(struct world *w, uint32_t peer, size_t *i);
size_t world_count(struct world *w, uint32_t peer, enum message_type type);
/* Is there a note, since the last call, whose sentence holds this text? */
bool world_told(struct world *w, const char *part);

/* Common sentences. */
void world_hello_client(struct world *w, uint32_t peer, uint8_t session);
void world_hello_worker(struct world *w, uint32_t peer, uint8_t session, uint32_t slots);
/* One that takes orders, on a machine of 4 cores, with a label. */
void world_hello_ordered(
    struct world *w, uint32_t peer, uint8_t session, uint32_t slots, const char *label);
void world_claim(struct world *w, uint32_t peer, const struct lease_ref *leases, uint32_t count);
struct job_spec world_job(const char *payload);
void world_submit(
    struct world *w, uint32_t peer, uint64_t number, const struct job_spec *jobs, uint32_t count);
void world_settle(struct world *w, uint32_t peer, uint64_t number, struct stint_id id,
    uint32_t attempt, enum outcome_type type, const char *body);
/* The state of a job as GET tells it; `info` (NULL: not wanted) is filled in. */
enum stint_state world_state(struct world *w, struct stint_id id, struct stint_job_info *info);

/* A connected client (peer 1), and a worker (peer 2) that has claimed nothing. */
void world_with_client(struct world *w);
void world_with_worker(struct world *w, uint32_t slots);
/* Submit one job as client 1 under the next number; its id. */
struct stint_id world_submit_one(struct world *w, uint64_t number, const char *payload);
/* Submit so many jobs like this one, in one message and a step of its own. */
void world_submit_many(
    struct world *w, uint32_t peer, uint64_t number, const struct job_spec *like, uint32_t count);
/* The job dispatched to a worker in the last step; fails the test if there is none. */
struct dispatched_job world_dispatched(struct world *w, uint32_t peer);

#endif
