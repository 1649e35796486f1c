/* What the files of the core share; nobody else includes it. The core is a staircase: each file
 * stands on what it calls, in the order of tests/lint/floors.txt. A file has a header of what it
 * offers the files above it.
 */
#ifndef STATE_H
#define STATE_H

#include "batch_rows.h"
#include "core.h"
#include "feed_rows.h"
#include "fleet.h"
#include "group_rows.h"
#include "record.h"
#include "rows.h"
#include "schedule_rows.h"

#include <assert.h>

/* A worker's name, as a key of uthash. */
enum { SETTING_NAME_BYTES = (STINT_LABEL_BYTES + 7) / 8 * 8 };

/* Connections that the router is to hear of at the end of the step. */
struct ended {
    uint32_t number;
    bool ends; /* the connection; otherwise it is only no peer any more */
};

/* A ready job that searching does not find: a suspect, or one that a worker could not start. */
struct apart {
    struct stint_id key;
    struct shelf *shelf;
    bool suspect, grave;
    bool grouped; /* its group counts it as one that runs */
    uint64_t submitted_ms;
    struct needs *needs; /* NULL: it needs nothing */
    struct want *want; /* that of its queue; NULL: it needs nothing, or there are too many */
    struct refusers *refusers; /* NULL: none */
    struct apart *prev, *next; /* on the shelf */
    struct apart *prev_refused, *next_refused;
    UT_hash_handle hh;
};

/* Those of one level and kind; those with refusers on a shelf of their own. */
struct shelf {
    struct level *level;
    bool refused;
    char kind[STINT_NAME_BYTES];
    struct apart *jobs;
    struct shelf *prev, *next; /* in the queue */
};

struct clocks {
    uint64_t now_ms, started_ms; /* monotonic */
    /* The time by which jobs are due and outcomes expire: milliseconds since 1970, going on by the
     * monotonic clock. The wall clock may jump; then `wall_ahead_ms` is how far it is ahead. */
    uint64_t wall_ms, stored_ms;
    int64_t wall_ahead_ms;
    uint64_t ticked_ms; /* how far clock_tick has put it ahead of what passed */
    uint64_t judged_ms; /* liveness was last judged then */
    /* Silence is measured by a clock of its own, which goes on only while we listen: */
    uint64_t listened_ms; /* now */
    uint64_t heard_ms; /* whoever had something to say then has been heard */
    uint64_t round_ms; /* that is to become heard_ms */
    uint64_t grace_until_ms; /* 0: over */
    uint64_t recalled_ms; /* prefetch was last looked at then */
    uint64_t slot; /* of FIGURES_SLOT_MS, by now_ms, from 1 on: for the figures of queues */
};

struct schedule;

/* What makes jobs by the clock (schedule.h). */
struct schedules {
    struct schedule *all; /* uthash by name */
    struct named_zone *zones; /* that were asked for; they stay */
    uint64_t told_ms, even_ms; /* when one is due first: by the wall clock, by the broker's time */
    uint64_t retry_ms; /* monotonic: those that could not make their jobs try again; 0: none */
    struct pack_buffer row; /* of the one that is worked on */
};

/* A job that has ended so, and whose followers are to be told. */
struct linked_end {
    struct stint_id id;
    enum stint_state state;
    bool stored; /* as a row */
};

enum { LINKED_ENDS = 4096 };

/* Ends that are to be told to followers (links.h). */
struct links {
    struct linked_end ends[LINKED_ENDS]; /* of this step; further ones are rows at once */
    uint32_t first, count; /* those before `first` are told */
    bool rows; /* there are some */
    struct row_followers made; /* the last ones to wait, and no row yet */
    struct row_followers taken; /* those that are told next, and no row any more */
};

/* A batch that has changed in this step, or that something is to be done for. */
struct job_batch {
    uint64_t number;
    struct row_batch row;
    bool changed; /* it is to be written */
    bool tried; /* in this step it could not make its job */
    bool unjudged; /* whether it is over is not known before all that comes together has */
    struct job_batch *next_unjudged;
    UT_hash_handle hh;
};

/* Who waits for the end of a batch. One whose peer has gone stays until others come. */
struct batch_waiter {
    uint32_t peer;
    uint8_t session[SESSION_BYTES];
    uint64_t number, batch; /* number: of its request */
    struct batch_waiter *prev, *next;
};

/* Batches (batches.h, batch.h). */
struct batches {
    struct job_batch *held; /* uthash by number */
    bool together; /* an end and its new jobs are one: none is judged between them */
    struct job_batch *unjudged;
    bool looking; /* rows are looked at, from here on */
    uint64_t at, looked; /* looked: so many so far */
    uint64_t look_ms; /* the broker's time: they are to be looked at then */
    bool settled, removed; /* one was, in this step */
    struct batch_waiter *waiters;
    uint32_t waiters_count, waiters_kept; /* kept: when it was last seen who is gone */
    struct pack_buffer job; /* that is made */
};

struct group;

/* Groups (groups.h): those that were looked at last, and what of it all is to be written. */
struct groups {
    struct group *all; /* uthash by queue and name */
    struct group *recent; /* the last that was looked at */
    struct group *changed;
    struct level *levels;
    struct queue_groups *queues, *walks; /* changed; those whose groups are looked at */
    uint64_t due_ms; /* by the broker's time: when the first is to be looked at */
};

/* When time has work for us, and where the walks that go on in pieces stand. */
struct sweeps {
    uint64_t due_ms; /* by the broker's time: when the first parked job is due */
    uint64_t expiry_ms; /* likewise, when the first outcomes expire */
    uint64_t unique_ms; /* and when the first unique key is free again */
    uint64_t deadline_ms; /* and when a job may expire that has not begun */
    uint64_t sessions_ms, queues_ms; /* monotonic: the next look at them */
    uint32_t queue; /* number of the one that was looked at last */
    uint8_t session[SESSION_BYTES]; /* likewise */
    struct pack_buffer leaving; /* sessions of which not all was forgotten yet */
    struct schedules schedules;
    struct links links;
    struct batches batches;
    struct groups groups;
};

/* What a person has set for the workers of a name. */
struct setting {
    char name[SETTING_NAME_BYTES]; /* with zeros to its end */
    uint32_t slots; /* SLOTS_OWN: none are set */
    bool paused;
    UT_hash_handle hh;
};

/* Events of this step that are not written yet, as those of rows. */
struct pending_row {
    size_t at; /* where its events begin */
    uint32_t count;
};

struct pending {
    struct pack_buffer events;
    struct pending_row *rows;
    uint32_t rows_count, rows_size;
    uint32_t queue; /* of the last event: its number */
};

/* A feed as it is stored, and what it does now. */
struct feed {
    struct row_feed row; /* without its texts */
    char name[STINT_NAME_BYTES], queues[STINT_NAME_BYTES];
    bool changed; /* its row is to be written */
    bool losing; /* there is no room for its events, and that was noted */
    struct oldest_events {
        uint64_t first, end, at_ms, bytes; /* bytes 0: there is none */
    } oldest; /* of its rows of events */
    struct {
        uint32_t number; /* of the queue that was last asked about, and */
        bool hears; /* whether it hears of it */
    } heard;
    struct pending pending;
    struct feed *prev, *next;
};

struct feeds {
    struct feed *list;
    uint32_t count; /* with those whose rows still go */
    bool news; /* readers are to be looked at, at the end of the step */
    bool unanswered; /* some of them wait for the next step */
};

/* How the fleet is to be. */
struct wishes {
    struct setting *settings; /* uthash by name */
    uint32_t fleet_slots; /* divided among workers; 0: none are set */
    bool changed; /* in this step: workers are to be told */
    bool undivided; /* the fleet's size is to be divided anew */
    uint64_t divided_ms; /* by now_ms: when that was last done */
};

/* A job that somebody listens to, and the connection of who runs it. */
struct shown {
    uint32_t peer;
    struct stint_id id;
};

/* What one step has done and has to do at its end. */
struct step {
    struct outbox *out;
    const struct grant *grant; /* of who sent the frame that is heard now; NULL: everything */
    uint64_t room_bytes; /* the batch's: what new jobs may take */
    uint64_t written_bytes; /* of records and their parts */
    uint64_t forgotten; /* answers */
    uint64_t listed; /* rows that lists have looked at */
    uint32_t links_cut; /* taken out of rows of followers */
    uint32_t searched; /* rows that searching for ready jobs has passed over */
    bool unfinished; /* that goes on in the next step */
    uint32_t roomless; /* jobs of groups that workers have passed over, having no room */
    bool roomless_cut; /* that goes on in the next step, as well */
    bool lent; /* fresh leases have bytes that are borrowed from the store */
    bool paused; /* a queue was: what of it waits in workers is asked back */
    struct peer *outputs; /* peers that have answers to be sent */
    struct shown *shows; /* jobs whose workers are to show what they write */
    uint32_t shows_count, shows_size;
    struct ended *ended;
    size_t ended_count, ended_size;
};

/* Memory that is used again and again. */
struct scratch {
    struct message message;
    struct message_arrays *decoded; /* the arrays of the message */
    struct places *places; /* of the jobs of a message */
    struct judgement judgement; /* of the message: which of its elements are denied */
    uint8_t record[RECORD_HEAD_MAX + RECORD_INLINE_MAX];
    uint8_t attempts[ATTEMPTS_BYTES_MAX]; /* of a record, with one more */
    struct stint_attempt told[LIMIT_ATTEMPTS_TOLD]; /* of a job, as they are told */
    struct pack_buffer body, output; /* large ones, put together */
    struct pack_buffer page; /* a reply that is being collected */
    struct pack_buffer parents; /* ids that a job is after */
    struct message_arrays *joint; /* of what comes with an end; NULL: nothing ever did */
    struct pack_buffer records; /* of jobs of groups that are handed out in this step */
    char unserved[STINT_NAME_BYTES];
    char needs[LIMIT_HAS_BYTES + 1]; /* of a job that is made */
};

struct bulk;

/* Operations on many jobs (bulk.h). */
struct bulks {
    struct bulk *all; /* utlist, in the order in which they began */
    struct bulk *turn; /* whose turn it was; NULL: none's */
    uint32_t count, open; /* open: that have not ended */
    uint32_t step_cost; /* what a step may cost now */
    bool begun; /* one was, in this step */
    uint64_t stepped_ms; /* monotonic: the last one */
};

/* What was denied, and is not in a note yet. */
struct refusals {
    uint64_t noted_ms, untold;
};

struct core {
    struct core_options options;
    struct store *store;
    struct book book;
    struct fleet fleet;
    uint64_t epoch;
    uint64_t sessions; /* stored ones */
    struct clocks clocks;
    struct {
        uint64_t key[2], count;
    } random;
    struct sweeps sweeps;
    struct aparts {
        struct apart *jobs; /* uthash by key */
        struct apart *refused; /* those of them that have refusers */
    } apart;
    struct needs *needs; /* of leases, wants and jobs that are kept apart: uthash by their texts */
    struct refusals refusals;
    struct wishes wishes;
    struct feeds feeds;
    struct bulks bulks;
    struct step step;
    struct scratch scratch;
    struct stint_stats figures;
    struct notes notes;
};

/* What a row costs beside its bytes, at most. */
enum { ROW_OVERHEAD_BYTES = 128 };

enum place { PLACE_NONE, PLACE_LIVE, PLACE_PARKED, PLACE_SETTLED };

static inline struct slice
id_key(const struct stint_id *id)
{
    return (struct slice){id->bytes, STINT_ID_BYTES};
}

static inline struct slice
text_slice(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static inline uint64_t
earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t
later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What is told in several messages if need be begins another one beyond that. */
static inline size_t
page_bytes(const struct core *core)
{
    return core->options.message_bytes / 8;
}

/* How many rows a page of a list may look at, if it may look at `most` where it is the only one: a
 * step may bring many questions. Beyond what they look at together a page has at least a few, so
 * that every list comes to its end. */
enum { LISTED_A_STEP = 200000, LISTED_AT_LEAST = 50 };

static inline uint32_t
rows_a_page(const struct core *core, uint32_t most)
{
    return core->step.listed < LISTED_A_STEP ? most : LISTED_AT_LEAST;
}

/* How many jobs may wait in it; 0: any number. */
static inline uint64_t
backlog_most(const struct core *core, const struct queue *q)
{
    uint64_t most = core->options.max.queue_backlog;
    return q->set.backlog_max && (!most || q->set.backlog_max < most) ? q->set.backlog_max : most;
}

/* May so much more be written in this step? It is taken off twice over, as pages are rarely full:
 * a flood in one batch must not fill the store, because that would end the step of everybody in it.
 */
static inline bool
store_has_room(const struct core *core, uint64_t bytes)
{
    return 2 * (core->step.written_bytes + bytes) <= core->step.room_bytes;
}

/* Tell a person: core_say(core, NOTE_WARN, "a worker is lost", NOTE_TEXT("worker", name)). */
#define core_say(core, level, event, ...) \
    notes_add(&(core)->notes, level, event, (const struct note_field[]){__VA_ARGS__}, \
        sizeof((const struct note_field[]){__VA_ARGS__}) / sizeof(struct note_field))

/* Who changed what, and how much of it: core_audit(core, peer, "jobs were cancelled",
 * NOTE_NUMBER("jobs", count)). */
#define core_audit(core, peer, event, ...) \
    core_say(core, NOTE_AUDIT, event, NOTE_NUMBER("audit", 1), \
        NOTE_TEXT("key", grant_name((peer)->grant)), NOTE_TEXT("peer", (peer)->name), __VA_ARGS__)

#endif
