/* What the core's own files share; nobody else includes it. A file a group of messages:
 * core_session (HELLO to BYE, liveness), core_attempt (what a worker says of the jobs it holds, and
 * what becomes of them without it), core_submit, core_dispatch, core_apart (jobs that are not
 * handed out like the others), core_settle, core_query, core_watch (outcomes and events pushed),
 * core_sweep (what time does), core_job (the moves of a job between tables that the others are made
 * of), core_verify (reads it all and complains).
 */
#ifndef CORE_INSIDE_H
#define CORE_INSIDE_H

#include "core.h"
#include "fleet.h"
#include "record.h"

#include <assert.h>

struct stranger {
    uint32_t number;
    bool ends; /* its connection, too */
};

/* A ready job that searching does not find: a suspect, or one that a worker could not start. */
struct apart {
    struct stint_id id;
    struct shelf *shelf;
    bool suspect, grave;
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

struct core {
    struct core_options options;
    struct store *store;
    struct book book;
    struct fleet fleet;
    struct outbox *out; /* of this step */
    uint64_t epoch, now_ms, started_ms;
    /* The time by which jobs are due and outcomes expire: milliseconds since 1970, going on by the
     * monotonic clock. The wall clock may jump; then `wall_ahead_ms` is how far it is ahead. */
    uint64_t wall_ms, clock_stored_ms;
    int64_t wall_ahead_ms;
    uint64_t random_key[2], random_count;
    uint64_t judged_ms; /* liveness was last judged then */
    /* Silence is measured by a clock of its own, which goes on only while we listen: */
    uint64_t listened_ms; /* now */
    uint64_t heard_ms; /* whoever had something to say then has been heard */
    uint64_t round_ms; /* that is to become heard_ms */
    uint64_t grace_until_ms; /* 0: over */
    uint64_t recalled_ms; /* prefetch was last looked at then */
    uint64_t next_due_ms; /* wall clock; when the first parked job is due */
    uint64_t next_expiry; /* wall clock, likewise for settled ones */
    uint64_t next_session_sweep_ms, next_queue_sweep_ms;
    uint32_t queue_cursor; /* number of the queue that was looked at last */
    struct pack_buffer leaving; /* sessions of which not all was forgotten yet */
    uint64_t forgotten; /* answers, in this step */
    uint8_t session_cursor[SESSION_BYTES];
    uint64_t sessions; /* stored ones */
    struct places *places; /* of the jobs of a message */
    uint64_t refused_noted_ms, refused_untold;
    struct apart *apart; /* uthash by id */
    struct apart *refused; /* those of them that have refusers */
    uint32_t searched; /* rows that searching has passed over in this step */
    bool unfinished; /* it goes on in the next step */
    char unserved[STINT_NAME_BYTES];
    uint64_t listed; /* rows that lists have looked at in this step */
    struct stint_stats figures;
    struct peer *outputs; /* peers that have answers to be sent at the end of the step */
    struct stranger *strangers; /* what the router is to forget at the end of the step */
    size_t strangers_count, strangers_size;
    struct message message;
    struct message_room *room;
    uint8_t scratch[RECORD_HEAD_MAX + RECORD_INLINE_MAX];
    struct pack_buffer body, output; /* large ones, put together */
    struct pack_buffer page; /* a reply that is being collected */
    struct notes notes;
};

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

/* core_random.c */
uint64_t core_random(struct core *core);
void random_stir(struct core *core, uint64_t seed);

/* core_clock.c */
void clock_set(struct core *core, uint64_t passed_ms, uint64_t wall_ms);
bool clock_load(struct core *core);
/* A stored time as the wall clock has it now, for people. */
uint64_t clock_told(const struct core *core, uint64_t stored_ms);

/* core_reply.c: what peers are sent, and what they owe for it. */
void reply_ended(void *context, const struct outbox_entry *entry);
void reply_end_connections(struct core *core);
/* May more be sent to this peer? One that does not read would make us keep it all. */
bool peer_reads(const struct core *core, const struct peer *peer);
/* The peer has shown to have read up to there. */
void peer_has_read(struct core *core, struct peer *peer, uint64_t sent);
/* Tell a person: core_say(core, NOTE_WARN, "a worker is lost", NOTE_TEXT("worker", name)). */
#define core_say(core, level, event, ...) \
    notes_add(&(core)->notes, level, event, (const struct note_field[]){__VA_ARGS__}, \
        sizeof((const struct note_field[]){__VA_ARGS__}) / sizeof(struct note_field))
/* Answer with an ERROR message. */
void core_refuse(struct core *core, uint32_t peer, const struct message *about,
    enum stint_status status, const char *detail);
/* Counts a refusal that was told otherwise. */
void core_refused(
    struct core *core, uint32_t number, const struct message *about, enum stint_status status);
/* The router forgets the connection at the end of the step, unless it is a peer by then. */
void core_forget(struct core *core, uint32_t number);
/* The connection, which is no peer any more, ends at the end of the step. */
void core_end(struct core *core, uint32_t number);
/* The peer has answers to be flushed at the end of the step. */
void core_has_output(struct core *core, struct peer *peer);
/* Forget a connection's state here, or also the router's, which ends it if it owes much. */
void core_remove_peer(struct core *core, struct peer *peer);
void core_drop_peer(struct core *core, struct peer *peer);

/* core_job.c: a record is read into core->scratch, so it lasts until the next job_find. */
enum place job_find(struct core *core, const struct stint_id *id, struct record *record);
bool job_read(
    struct core *core, enum store_table table, const struct stint_id *id, struct record *record);
void job_insert(
    struct core *core, struct level *level, const struct stint_id *id, const struct job_spec *spec);
void job_write(struct core *core, enum store_table table, const struct stint_id *id,
    const struct record *record);
void job_settle(struct core *core, struct level *level, const struct stint_id *id, enum place place,
    enum stint_state from, struct record *record, enum stint_state to, struct slice result);
void job_forget(struct core *core, struct level *level, const struct stint_id *id,
    enum stint_state from, bool parted);
void job_park(struct core *core, struct level *level, const struct stint_id *id,
    enum stint_state from, struct record *record, uint64_t due_ms);
void job_unpark(
    struct core *core, struct level *level, const struct stint_id *id, struct record *record);
void job_make_ready(struct core *core, struct level *level, const struct stint_id *id,
    enum stint_state from, const struct record *record);
/* Keep what a dead job wrote, as far as there is room for it; before it is settled. */
void job_keep_output(
    struct core *core, const struct stint_id *id, struct record *record, struct slice output);
void job_drop_output(struct core *core, const struct stint_id *id, struct record *record);
/* What was kept, put together; borrowed. False if a part is damaged. */
bool job_output(struct core *core, const struct stint_id *id, const struct record *record,
    struct slice *output);
void job_remove_settled(
    struct core *core, struct level *level, const struct stint_id *id, const struct record *record);
void job_set_aside(
    struct core *core, enum store_table table, const struct stint_id *id, struct slice bytes);
/* The body, put together if it is in parts; borrowed. False if a part is damaged. */
bool job_body(
    struct core *core, const struct stint_id *id, const struct record *record, struct slice *body);

/* A piece of a large body as it is stored, checked. */
bool part_read(struct store *store, const struct stint_id *id, uint32_t part, struct slice *piece);

/* core_session.c */
void session_hello(struct core *core, uint32_t number, const struct message *m);
void session_ping(struct core *core, struct peer *peer, const struct message *m);
void session_bye(struct core *core, struct peer *peer, const struct message *m);
void session_store(struct core *core, struct peer *peer);
/* Its row and its answers go, as far as this step has room for it, and the rest later. */
void session_forget(struct core *core, const uint8_t session[SESSION_BYTES]);
void session_forget_more(struct core *core);
/* A stored session's row; false if it is damaged. */
bool session_read(struct slice row, uint64_t *submission, uint64_t *pruned);
void session_judge(struct core *core, enum hearing heard);

/* core_attempt.c */
/* The lease of a job whose record this is, for its next attempt. `worker` may be NULL: then it is a
 * running one, which nobody has claimed since the restart. */
struct lease *attempt_lease(struct core *core, const struct stint_id *id,
    const struct record *record, struct worker *worker);
void attempt_claim(struct core *core, struct peer *peer, const struct message *m);
void attempt_started(struct core *core, struct peer *peer, const struct message *m);
/* Leases of this worker whose time is long over are taken back. */
void attempt_judge(struct core *core, struct worker *worker);
/* A worker's leases end, lost; then the worker is forgotten. */
void attempt_end_worker(struct core *core, struct worker *worker);
/* What nobody has claimed since the restart is lost. */
void attempt_end_grace(struct core *core);

/* core_queues.c */
void queues_sweep(struct core *core);
void query_queues(struct core *core, struct peer *peer, const struct message *m);
void query_workers(struct core *core, struct peer *peer, const struct message *m);

/* core_submit.c */
struct places *places_new(void);
void submit_message(struct core *core, struct peer *peer, const struct message *m);
/* Does the check of a stored answer hold? */
bool answer_is_whole(uint64_t number, struct slice row);

/* core_dispatch.c */
void dispatch_all(struct core *core);
void dispatch_recall(struct core *core);
/* A kind that waits in this queue and that no worker of it handles, or NULL; borrowed until the
 * next call. */
const char *dispatch_unserved(struct core *core, struct queue *queue);

/* core_apart.c */
/* A suspect that was found by searching. False: there is no room to keep it apart. */
bool apart_keep(
    struct core *core, struct level *level, const struct stint_id *id, const struct record *r);
/* Can it be remembered of one more job who has refused it? */
bool apart_has_room(const struct core *core);
/* A ready job that these sessions can't start, which are taken over. */
void apart_refused(struct core *core, struct level *level, const struct stint_id *id,
    const struct record *r, struct refusers *refusers);
/* Its id, if it is kept apart, is so no longer. */
void apart_forget(struct core *core, const struct stint_id *id);
/* Is there a worker that has not refused it? */
bool apart_others(
    struct core *core, const struct queue *q, struct slice kind, const struct refusers *refusers);
/* What this worker may be given of the queue, if it is of this priority at least; or NULL. */
struct apart *apart_for(const struct worker *w, const struct queue *q, uint8_t priority);
/* Its refusers are the caller's now. */
void apart_take_refusers(struct core *core, struct apart *apart);
/* Jobs that everybody has refused who is left have failed. */
void apart_judge(struct core *core);
void apart_check(const struct core *core);
void apart_fini(struct core *core);

/* core_settle.c */
void settle_message(struct core *core, struct peer *peer, const struct message *m);
/* The lease ends and its job goes back to the backlog, or is dead if its attempts are used up. */
void settle_release(struct core *core, struct lease *lease, enum record_last last, const char *why);
void settle_cancel(struct core *core, struct peer *peer, const struct message *m);
void settle_retry(struct core *core, struct peer *peer, const struct message *m);
/* An attempt that no worker could begin, or that was not ended in time, has failed. The job is
 * ready or running (`from`). */
void settle_failed(struct core *core, struct level *level, const struct stint_id *id,
    enum stint_state from, struct record *r, enum record_last last, struct slice why);
void settle_revoke(struct core *core, struct lease *lease, enum stint_status why);

/* core_query.c */
void query_wait(struct core *core, struct peer *peer, const struct message *m);
void query_get(struct core *core, struct peer *peer, const struct message *m);
void query_list(struct core *core, struct peer *peer, const struct message *m);
void query_stats(struct core *core, struct peer *peer, const struct message *m);
/* The elements of a reply are collected in core->page, and sent as a message of this type. */
void page_begin(struct core *core);
void page_send(struct core *core, struct peer *peer, enum message_type type, uint64_t number,
    uint32_t count, struct slice cursor);
void query_answers(struct core *core, struct peer *peer, uint64_t number, const uint32_t *statuses,
    uint32_t count);
void query_describe(struct core *core, const struct stint_id *id, enum place place,
    const struct record *record, struct stint_job_info *info);

/* core_watch.c */
void watch_settled(
    struct core *core, const struct stint_id *id, const struct record *record, struct slice result);
void watch_put_outcome(struct core *core, struct peer *peer, const struct stint_job_info *info);
void watch_event(struct core *core, enum stint_event_type type, const struct level *level,
    const struct stint_id *id, uint64_t count);
void watch_subscribe(struct core *core, struct peer *peer, const struct message *m);
void watch_unsubscribe(struct core *core, struct peer *peer, const struct message *m);
void watch_flush(struct core *core);
/* Sends the SUBMITTED or SETTLED message that has been collected for a peer. */
void watch_flush_answers(struct core *core, struct peer *peer, enum message_type type,
    struct pack_buffer *answers, uint32_t *count);

/* core_sweep.c */
void sweep_all(struct core *core);
/* There are as many sessions as there may be. */
void sweep_sessions_soon(struct core *core);
void sweep_mark_expiry(
    struct core *core, struct level *level, const struct stint_id *id, uint64_t expires_ms);
/* Is there a mark for an outcome that expires then? */
bool sweep_is_marked(struct store *store, const struct stint_id *id, uint64_t expires_ms);
void sweep_load(struct core *core);
/* When time alone has work for us, in wall-clock ms. */
uint64_t sweep_next_ms(const struct core *core);

#endif
