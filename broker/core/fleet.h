/* The fleet: connections, workers, their leases. Memory only; after a restart it is rebuilt from
 * the transit table (leases that nobody holds yet) and from what workers claim.
 */
#ifndef FLEET_H
#define FLEET_H

#include "book.h"
#include "message.h"
#include "progress.h"
#include "rights.h"

enum {
    REFUSERS_MAX = 64,
    POOLS_MAX = 1024, /* each has a post of some 80 bytes at each queue that it serves */
};

struct worker;

/* The sessions that could not start a job, as they said. */
struct refusers {
    uint32_t count;
    uint8_t sessions[][SESSION_BYTES]; /* as many: there may be very many such jobs */
};

/* With one more; NULL is none. */
struct refusers *refusers_add(struct refusers *refusers, const uint8_t session[SESSION_BYTES]);

/* What its end needs of a job, so that its record need not be read for it. */
struct leased {
    bool chunked; /* its body is in parts */
    bool unique; /* it has a unique key */
    bool start_by; /* its record says when it expires, until it is told to have begun */
    bool resumed; /* it was handed out before there was this lease */
    bool linked; /* it was after other jobs, others are after it, or it is in a batch or a group */
    uint64_t keep_ms; /* KEEP_DEFAULT: the broker's */
    struct series *series; /* where its run time goes; NULL: nowhere */
    struct needs *needs; /* of which its worker holds the amounts for it; NULL: none */
};

/* A running job's tie to a worker and an attempt. */
struct lease {
    struct stint_id id, key; /* what the job is called, and where it stands */
    uint32_t attempt;
    uint32_t kind; /* the hash of it, if any worker names kinds; else 0 */
    bool claimed; /* named in the claim that is coming in */
    bool begun; /* its handler was started, as far as we were told */
    bool suspect; /* it was lost with a worker before, so that it may be what ends them */
    bool grave; /* a suspect that may not share its worker with another one */
    struct leased leased;
    uint64_t time_to_run_ms, deadline_ms; /* deadline: by listened_ms; 0: none */
    uint64_t begun_ms; /* by the wall clock; 0: it has not begun, or nobody needs it */
    uint64_t dispatched_ms; /* by now_ms */
    struct worker *worker; /* NULL: held for whoever claims it in the grace time */
    struct refusers *refusers; /* NULL: none */
    struct progress *progress; /* NULL: it has told nothing */
    struct lease *prev, *next; /* in the worker's list */
    struct slice bytes; /* only while a step dispatches it */
    UT_hash_handle hh;
};

struct worker_counts {
    uint32_t held; /* jobs, and of them: */
    uint32_t begun, suspects, graves, trials; /* trials: suspects not yet begun */
    uint64_t succeeded, failed; /* ever */
};

/* What it may be given. */
struct worker_serves {
    struct queue **queues;
    uint32_t queues_count, turn; /* turn: which queue is next */
    uint32_t left; /* of its turn: so many jobs, if queues have weights; 0: it begins */
    struct pool *pool; /* NULL: it names its queues, which are those above; else there are none */
    struct kinds *kinds; /* that it handles; NULL: all */
    struct queue *draining; /* it gets nothing until it can take a suspect of this queue */
    struct want *reserved; /* for a job of which it makes room (room.h) */
};

struct worker_times {
    uint64_t seen_ms; /* by listened_ms */
    uint64_t recalled_ms; /* by now_ms */
    uint64_t rests_ms; /* it gets nothing before, by now_ms */
    uint64_t joined_ms; /* by listened_ms */
};

/* What it told of itself, and what it was told to be. */
struct worker_control {
    char *labels; /* separated by spaces; NULL: none */
    struct has *has; /* and how much of it is taken; NULL: nothing */
    uint32_t told, room; /* how often it said what it has; and may have had more room than before */
    uint32_t cores, load; /* of its machine; cores 0: it takes no orders */
    uint32_t share; /* of the fleet's size... */
    bool divided; /* ...which it has one of */
    bool paused; /* it gets nothing */
    enum leave leave; /* nor does it now */
    struct order ordered; /* last, in this conversation... */
    bool greeted; /* ...if there was one; else it gets nothing yet */
};

/* A session of role worker. It outlives its connection by the lost time. */
struct worker {
    uint8_t session[SESSION_BYTES];
    struct peer *peer; /* NULL: cut off */
    char key[STINT_LABEL_BYTES]; /* that made the session; "": none was asked for */
    char name[STINT_LABEL_BYTES], software[STINT_LABEL_BYTES];
    uint32_t slots, window;
    struct worker_counts counts;
    struct worker_serves serves;
    struct worker_times times;
    struct worker_control control;
    uint64_t joined; /* the how-manieth it is: the order in which workers are listed */
    bool claimed; /* it has said what it holds, so it may get more */
    bool known; /* it has done so before, in another conversation */
    struct lease *leases; /* oldest first */
    uint32_t fresh; /* leases of this step, at the end of the list, not yet sent */
    struct lease *first_fresh; /* while there are some */
    struct worker *prev, *next;
    UT_hash_handle hh;
};

struct watch {
    struct stint_id id;
    struct peer *peer;
    bool results;
    bool progress; /* it hears how far the job is... */
    bool behind; /* ...and the newest could not be told */
    bool output; /* it hears what its runs write on standard error */
    struct watch *prev, *next; /* of the peer */
    struct watch *prev_same, *next_same; /* of the same job; the first is in the table */
    UT_hash_handle hh;
};

struct subscription {
    uint64_t number;
    struct peer *peer;
    struct queue *queue; /* NULL: all; else it counts among the queue's watchers */
    uint32_t events;
    uint32_t ids_count;
    struct stint_id *ids; /* sorted; NULL: all */
    bool some; /* it does not hear everything: a queue, ids or a grant say of what */
    const struct grant *grant; /* it hears of the queues that this covers; NULL: of all. Borrowed */
    uint32_t heard_queue; /* the number of the one that was last asked about, and */
    bool heard; /* whether it is covered */
    struct pack_buffer pending;
    uint32_t pending_count;
    uint64_t dropped;
    struct subscription *prev, *next;
};

/* A READ_FEED that is not answered yet: it waits for an event, or for its turn. */
struct feed_reader {
    uint64_t number;
    struct peer *peer;
    char feed[STINT_NAME_BYTES];
    uint64_t from, life;
    bool wait;
    struct feed_reader *prev, *next;
};

/* What a connection was sent and has not shown to have read. It is the connection's, not the
 * session's: saying HELLO again settles nothing. */
struct account {
    uint64_t sent; /* bytes of all frames */
    uint64_t read; /* it has shown to have read up to here, by saying a token again */
    uint64_t token,
        sent_at_token; /* the open token (0: none), and what `sent` was when it was drawn */
    uint64_t read_ms; /* by listened_ms: when it showed that last */
    uint32_t sessions; /* that it has spoken for */
    bool ending; /* it owes too much: nothing more is heard from it */
};

/* Of its session. */
struct peer_submissions {
    uint64_t last, pruned; /* last one stored; answers up to `pruned` are forgotten */
    bool stored, changed; /* the session's row */
    bool refused; /* the next one, in this conversation */
    uint64_t owner; /* of the session: a hash of its key's name; 0: it was made without one */
};

/* Of this step, sent together at its end. */
struct peer_answers {
    struct pack_buffer submitted, settled, outcomes;
    uint32_t submitted_count, settled_count, outcomes_count;
    bool has_output; /* it is in the list of those to be flushed */
    struct peer *next_output;
};

/* A connection that said HELLO. */
struct peer {
    uint32_t number;
    enum message_role role;
    uint8_t session[SESSION_BYTES];
    char name[STINT_LABEL_BYTES];
    const struct grant *grant; /* of its key; NULL: none was asked for, and it may do everything */
    struct held_grant *held; /* the same, where it is held */
    uint64_t seen_ms; /* by listened_ms */
    struct worker *worker; /* of role worker */
    struct peer_submissions submissions;
    struct account account;
    /* Of this step, and not in a frame yet: bodies of jobs it is to get, and events. */
    uint64_t taken_bytes, events_bytes;
    struct peer_answers answers;
    struct watch *watches;
    uint32_t watches_count, subscriptions_count, readers_count;
    struct peer *prev, *next;
    UT_hash_handle hh; /* by session */
};

/* The queues that a grant covers, in the order of their numbers: sight.h. */
struct seen {
    struct queue **queues;
    uint32_t count, size;
    uint64_t changes; /* as they were after so many of the book's */
};

/* A grant, for all the peers that came with its key. */
struct held_grant {
    struct grant grant;
    uint32_t peers;
    struct seen seen;
    struct held_grant *next_same; /* of that name; the first is in the table */
    UT_hash_handle hh; /* by name */
};

/* What is to be pushed, to all peers together. */
struct pushed {
    uint64_t watches_count, subscribed_ids;
    uint64_t listening; /* watches that hear what runs write */
    uint32_t subscriptions_count;
    uint64_t events_bytes; /* not in a frame yet */
    struct feed_reader *readers; /* who came first is first */
    uint32_t readers_count;
};

struct fleet {
    struct peer **by_number;
    uint32_t by_number_size, peers_count, workers_count;
    struct pushed pushed;
    struct peer *peers, *peers_by_session;
    struct held_grant *grants;
    uint64_t unread; /* of all accounts */
    uint64_t joined; /* workers, ever */
    struct worker *workers, *by_session;
    struct kinds *kinds;
    struct lease *leases; /* uthash by id */
    struct lease *orphans; /* held for the grace time */
    struct lease *spare; /* freed ones, for reuse */
    struct progresses progresses;
    struct watch *watches; /* uthash by id */
    struct subscription *subscriptions;
    uint64_t slots;
};

void fleet_fini(struct fleet *fleet);

struct peer *fleet_peer(struct fleet *fleet, uint32_t number);
struct peer *fleet_peer_of_session(struct fleet *fleet, const uint8_t session[SESSION_BYTES]);
/* The session has no other connection. */
struct peer *
fleet_peer_add(struct fleet *fleet, uint32_t number, const uint8_t session[SESSION_BYTES]);
/* The peer has what this grants, which is copied, until it is forgotten. NULL: everything. */
void fleet_peer_grant(struct fleet *fleet, struct peer *peer, const struct grant *grant);
/* Forget a connection: its watches and subscriptions end; its worker is cut off, not lost. */
void fleet_peer_remove(struct fleet *fleet, struct peer *peer);

struct worker *fleet_worker(struct fleet *fleet, const uint8_t session[SESSION_BYTES]);
struct worker *fleet_worker_add(struct fleet *fleet, const uint8_t session[SESSION_BYTES]);
/* The queues it serves, copied, and the kinds it handles, whose order may be changed. */
void fleet_worker_serve(struct fleet *fleet, struct worker *worker, struct queue *const *queues,
    uint32_t count, struct slice *kinds, uint32_t kinds_count);
/* The same of one that serves by prefixes (and names): `terms` but for the kinds, which are given
 * beside them. The queues that it names are expected already. Errors: false if there are POOLS_MAX
 * pools; then it serves nothing. */
bool fleet_worker_serve_by_prefix(struct fleet *fleet, struct book *book, struct worker *worker,
    struct pool_terms *terms, struct slice *kinds, uint32_t kinds_count);
/* How many names and prefixes it has said, those that say nothing beside the others not counted. */
uint32_t fleet_worker_names(const struct worker *worker);
bool fleet_worker_serves_queue(const struct worker *worker, const struct queue *queue);
/* The labels it has, copied. */
void fleet_worker_label(struct worker *worker, const struct slice *labels, uint32_t count);
bool fleet_worker_has_label(const struct worker *worker, struct slice label);
/* The worker waits until it can take a suspect of this queue; NULL: it does not wait any more. */
void fleet_worker_drain(struct worker *worker, struct queue *queue);
/* It makes room for a job of this want; NULL: for none any more. */
void fleet_worker_reserve(struct worker *worker, struct want *want);
/* Forget a worker that has no leases any more. */
void fleet_worker_remove(struct fleet *fleet, struct worker *worker);

struct lease *fleet_lease(struct fleet *fleet, const struct stint_id *id);
/* This one will be asked for soon: fetch it from memory meanwhile. */
void fleet_lease_expect(const struct fleet *fleet, const struct stint_id *id);
/* `worker` may be NULL: then nobody holds it yet. */
struct lease *fleet_lease_add(struct fleet *fleet, const struct stint_id *id,
    const struct stint_id *key, uint32_t attempt, struct worker *worker);
/* Give an orphan to a worker. */
void fleet_lease_adopt(struct fleet *fleet, struct lease *lease, struct worker *worker);
/* What is known of the job's past. */
void fleet_lease_suspect(struct lease *lease, bool grave);
/* Its handler was started. */
void fleet_lease_begin(struct lease *lease);
void fleet_lease_remove(struct fleet *fleet, struct lease *lease);

/* Errors: false if the peer, or all together, wait for as many jobs as they may. */
bool fleet_watch(
    struct fleet *fleet, struct peer *peer, const struct stint_id *id, bool results, bool progress);
struct watch *fleet_watches(struct fleet *fleet, const struct stint_id *id);
void fleet_unwatch(struct fleet *fleet, struct watch *watch);
void fleet_watches_end(struct fleet *fleet, struct watch *first);

struct subscription *fleet_subscribe(struct fleet *fleet, struct peer *peer, uint64_t number);
void fleet_unsubscribe(struct fleet *fleet, struct subscription *subscription);

struct feed_reader *fleet_read(struct fleet *fleet, struct peer *peer, uint64_t number);
/* The peer's of this number; NULL if there is none. */
struct feed_reader *fleet_reader(struct fleet *fleet, const struct peer *peer, uint64_t number);
void fleet_end_reader(struct fleet *fleet, struct feed_reader *reader);

#endif
