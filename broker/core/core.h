/* The job lifecycle as a deterministic state machine: (state, batch) to (state, effects). It has no
 * socket, clock, file or random source of its own: time, seed and requests come with the batch, the
 * durable state is the store's, and what is to be sent goes to the outbox.
 *
 * One contract holds the broker together: *what is in the outbox is true*. A step returns STINT_OK
 * only after its commit, and only then does the router send. Any other result has one answer: log
 * it and exit; the restart goes on from what is on disk. There is no undo of memory.
 */
#ifndef CORE_H
#define CORE_H

#include "note.h"
#include "outbox.h"
#include "rights.h"
#include "stint_job.h"
#include "store.h"
#include "zone.h"

#include <stdint.h>

/* How many there may be. */
struct core_max {
    uint64_t queue_backlog, backlog; /* jobs ready, scheduled or blocked; 0: no limit */
    uint32_t queues, levels, peers, sessions;
    uint32_t apart; /* jobs that are not handed out like the others, and remembered for that */
    uint64_t progress_bytes; /* of what runs tell of how far they are */
    uint32_t workers; /* those that are cut off count until they are lost; 0: twice peers */
};

struct core_options {
    uint16_t broker; /* this broker's number, part of every id it makes */
    const char *endpoint; /* told to peers in the map of brokers; borrowed for life */
    const char *software; /* name and version; borrowed for life */
    uint32_t heartbeat_ms, lost_ms, grace_ms;
    uint64_t keep_ms, keep_dead_ms;
    uint64_t session_keep_ms; /* a client session unused for so long is forgotten */
    uint64_t payload_bytes, result_bytes;
    uint64_t message_bytes; /* no frame is larger; what could be is cut at an eighth of it */
    /* What a peer was sent and has not shown to have read: from here on it is given nothing more
     * that it could do without... */
    uint64_t unread_bytes;
    uint64_t answers_bytes; /* ...and so much beyond that, for the rest; then it is cut off */
    uint64_t unread_total_bytes; /* the first, for all peers together */
    struct core_max max;
    zone_opener *zone; /* by which schedules find their time zones; NULL: there is UTC alone */
    uint64_t queue_keep_ms; /* a queue that is empty and not used for so long goes */
};
/* All fields but endpoint and software set to their defaults. */
void core_options_init(struct core_options *options);

enum event_kind {
    EVENT_FRAME, /* a peer sent a frame */
    EVENT_GONE, /* the router can't reach the peer any more */
    EVENT_ALIVE, /* bytes of a frame came from the peer, which is not whole yet */
};

struct event {
    enum event_kind kind;
    uint32_t peer; /* the router's number for the connection */
    struct slice frame;
    /* EVENT_FRAME: NULL: no key was asked for, everything is allowed; borrowed for the step */
    const struct grant *grant;
};

/* How much was read of what had arrived. Nobody is judged by a silence that may only be ours. */
enum hearing {
    HEARD_ALL, /* nothing is left */
    HEARD_EACH, /* whoever had something to say at the last batch that was not HEARD_SOME */
    HEARD_SOME,
};

struct batch {
    uint64_t now_ms; /* monotonic */
    uint64_t wall_ms; /* since 1970 */
    uint64_t seed;
    uint64_t room_bytes; /* what new jobs may take, as the store said before the step */
    enum hearing heard;
    const struct event *events;
    size_t count;
};

struct core;

/* Open the state in `store`: brings it to this format, counts the epoch up and commits that. The
 * core owns nothing of what it is given. `*error` is a constant sentence on failure. Errors:
 * STINT_IO, STINT_DAMAGED, STINT_VERSION_MISMATCH (a newer program wrote it). */
enum stint_status core_new(const struct core_options *options, struct store *store, uint64_t now_ms,
    struct core **core, const char **error);
void core_destroy(struct core **core);

/* Apply a batch; what is to be sent is appended to `out`. Errors: STINT_IO: exit. */
enum stint_status core_step(struct core *core, const struct batch *batch, struct outbox *out);

/* How long nothing will change by time alone, in ms from the last step's time. */
uint64_t core_idle_ms(const struct core *core);

/* What a person may want to know of the last steps (a worker lost, a damaged record), one note a
 * call, or false; for the log. Its texts are in the note. */
bool core_next_note(struct core *core, struct note *note);

/* Figures, as GET_STATS tells them. */
void core_stats(struct core *core, struct stint_stats *stats);

/* What is stored, found by reading all of it. */
struct verify_report {
    uint64_t jobs[STINT_STATES];
    uint64_t sessions, answers;
    uint64_t damaged; /* records set aside when they were met */
    uint64_t problems;
    /* Called for each problem; `id` is the text form of a job's id, or "". May be NULL. */
    void (*problem)(void *context, const char *what, const char *id);
    void *context;
};
/* Read every row of a store that no core uses, and report what does not fit together. `broker` is
 * the number of the broker whose store it is. The counts of `report` begin at 0. */
void core_verify(struct store *store, uint16_t broker, struct verify_report *report);

/* Assert every invariant that ties leases, books and fleet together. For tests. */
void core_check(const struct core *core);

#endif
