/* What the client's own files share. A request's owner is a `struct call`, which says what to do
 * with the reply. */
#ifndef CLIENT_H
#define CLIENT_H

#include "id.h"
#include "link.h"
#include "stint.h"
#include "where.h"

#define uthash_fatal(text) abort()
#include <stdlib.h>
#include <uthash.h>

struct call {
    struct stint_client *client;
    /* Takes the reply, or the failure; `m` is NULL if there is none. */
    void (*replied)(struct call *call, enum stint_status status, const struct message *m);
    struct request *request;
    /* Of a submission: */
    stint_submitted_fn *done;
    void *context;
    uint32_t count;
    size_t first; /* index of its first job in the caller's call */
    bool abandoned; /* nobody waits for its answer any more */
    uint8_t retries; /* of one that was refused, as there was much to read */
    uint16_t needs; /* features of the broker: bits of enum client_need */
    /* Not STINT_OK: it was refused, and is to end with this once the next WELCOME has told that it
     * is not stored. */
    enum stint_status refused;
    char *detail; /* of the refusal; or NULL */
    struct call *next; /* of those that end together */
    /* Of a synchronous call: */
    bool over;
    enum stint_status status;
    void *into;
};

/* What older brokers would skip in a job. */
enum client_need {
    NEEDS_DELAY = 1,
    NEEDS_UNIQUE = 2,
    NEEDS_EXPIRES = 4,
    NEEDS_AFTER = 8,
    NEEDS_TOTAL = 32,
    NEEDS_BATCH = 64,
    NEEDS_NEEDS = 128,
    NEEDS_GROUPS = 256,
};

/* Whom to tell how a job ended: who watches it, and who waits for it. */
struct watcher {
    bool active, results;
    stint_outcome_fn *settled;
    void *context;
};

struct watched {
    struct stint_id id;
    struct watcher watch, wait;
    struct stint_job_info *heard; /* its outcome, if the result was left out; NULL: nothing yet */
    uint32_t output_attempt; /* what its runs write was told of this one, */
    uint64_t output_at; /* up to here */
    UT_hash_handle hh;
};

struct subscribed {
    uint64_t number;
    struct pack_buffer frame; /* said again in each conversation */
    stint_event_fn *happened;
    void *context;
    bool over; /* it ended while it was told */
    struct subscribed *next;
};

/* A feed that is followed. There is always a request open for its next page, but while it is told.
 */
struct followed {
    struct stint_follow what;
    struct stint_feed_position at;
    struct call *call;
    uint64_t again_at_pong; /* not 0: it was refused for now, and is asked again with this PONG */
    bool over; /* it ended while it was told */
    struct followed *next;
    char name[];
};

/* How far the session's submissions are. */
struct submissions {
    uint64_t last; /* made */
    uint64_t acked; /* all up to here are answered */
    uint64_t stored; /* the broker had these at the last WELCOME, */
    bool welcomed; /* if there was one; */
    bool forgotten; /* it was less than the broker has answered, and nobody was told yet */
    uint8_t *met; /* of the last synchronous call, if it had unique keys: what its jobs were */
    size_t met_count;
    size_t open, abandoned; /* not answered; and of them, those that nobody waits for */
    /* While the broker has no room: */
    enum stint_status held; /* why; STINT_OK: they go on */
    char why[200];
    uint64_t held_number; /* the one that was refused last, */
    uint32_t refusals; /* so many times in a row */
    uint64_t backoff_ms, resume_ms; /* UINT64_MAX: one was sent to see whether there is room now */
};

/* The jobs whose end the application is told of. */
struct watching {
    struct watched *all; /* uthash by id */
    size_t watches, waits; /* of them, those that somebody watches, and waits for */
    bool waited; /* nothing is waited for any more */
    size_t unwatched; /* let go of in this conversation; the broker may watch them still */
    uint64_t again_at_pong; /* not 0: ask again for all when this PONG has come */
    stint_outcome_fn *progress; /* NULL: nobody wants to hear how far they are */
    void *progress_context;
    stint_output_fn *output; /* NULL: nobody wants to hear what they write */
    void *output_context;
};

/* A question to ask again, as there was much to read. */
struct later {
    struct call *call; /* NULL: there is none */
    uint64_t at_pong; /* when this PONG has come */
};

/* What the application is lent of the last answer. */
struct lent {
    struct stint_id *ids; /* LIMIT_JOBS of them */
    uint8_t met[LIMIT_JOBS]; /* what these were: enum stint_met */
    struct stint_job_info info; /* of stint_get, with its bodies in these */
    struct pack_buffer payload, result;
    struct stint_attempt attempts[LIMIT_ATTEMPTS_TOLD];
    struct pack_buffer parents;
    char progress[STINT_PROGRESS_BYTES];
    char where[WHERE_TEXT_BYTES]; /* the filter of a bulk operation */
};

/* What the application hears of: subscriptions and feeds, and those that are being told. */
struct told {
    struct subscribed *subscribed, *telling;
    struct followed *followed, *telling_feed;
};

struct stint_client {
    struct session session;
    struct link *link;
    char endpoint[256], name[STINT_LABEL_BYTES];
    bool own_session; /* brought by the caller: it is not ended with the client */
    bool refuse_at_once;
    int epoll_fd, socket_fd; /* for an event loop, and what it looks at; -1: none */
    bool closing; /* it is being destroyed */
    bool busy; /* there was more to do than one call does */
    unsigned calling; /* callbacks that have not returned */
    uint64_t called; /* callbacks so far */
    uint64_t number; /* of the last request */
    struct submissions submissions;
    struct watching watching;
    struct later later;
    struct told told;
    struct lent lent;
    char error[512];
};

/* Remember a sentence about a failure and pass the status on. */
enum stint_status
client_fail(struct stint_client *c, enum stint_status status, const char *what, const char *detail);
/* The same, where the status's own words would mislead. */
enum stint_status client_fail_so(
    struct stint_client *c, enum stint_status status, const char *what, const char *text);
/* The detail, where there is a count and nothing to count. */
#define COUNT_OF_NULL "there are some, and the pointer to them is NULL"
/* The detail, where what the broker says answers another question. */
#define NO_ANSWER "the broker's answer is none to this question"
/* What to call it when time is over. */
enum stint_status client_too_late(struct stint_client *c, const char *what);

/* May a call wait now? Not in a callback. */
enum stint_status client_may_wait(struct stint_client *c, const char *what);
/* When a call that begins now is to end; 0 is for ever. */
uint64_t client_end_ms(uint32_t timeout_ms);
/* Send, receive and call back until `*over`, or the deadline, which is STINT_TIMEOUT. */
enum stint_status client_run_until(struct stint_client *c, const bool *over, uint64_t end_ms);
/* The same; but the deadline does not count while bytes of a large frame move. */
enum stint_status client_run_for_answer(struct stint_client *c, const bool *over, uint64_t end_ms);

/* A request with the next number; its frame is to be written, then client_send called. */
struct call *client_call(struct stint_client *c, enum message_type type);
void client_send(struct call *call);
/* Take back a request, answered or not, and free its call. */
void client_end(struct call **call);

/* Send a request and wait for its reply; the call is freed. `reply` may be NULL; it is called with
 * the reply while that can be read. */
enum stint_status client_ask(struct call **call, uint32_t timeout_ms,
    enum stint_status (*reply)(struct stint_client *c, const struct message *m, void *into),
    void *into, const char *what);

/* submit.c */
/* May it be stored, for all we know? */
/* What of that the broker does not know which has greeted us last, in words; NULL: nothing. */
const char *client_lacks(const struct stint_client *c, unsigned needs);
/* A QUEUE into a struct stint_queue_setting, if one is wanted. */
enum stint_status client_take_queue(struct stint_client *c, const struct message *m, void *into);
bool client_may_be_stored(const struct stint_client *c, const struct call *call);
void client_set_detail(struct call *call, const char *text);
/* answers.c */
/* A conversation has begun; its WELCOME tells what the broker has of our session. */
void client_opened(struct stint_client *c);
void client_take_submitted(struct stint_client *c, const struct message *m);
/* An ERROR about a submission. */
void client_submit_failed(struct call *call, enum stint_status status, const struct message *m);
/* If submissions are held, and it is time: let one go. */
void client_try_held(struct stint_client *c, uint64_t now_ms);
/* Ends a submission, and tells whoever waits for it. */
void client_finish(struct call *call, enum stint_status status, size_t count);
/* Gives it the number, in its frame too. */
void client_renumber(struct call *call, uint64_t number);
/* The client is at its end: tells all that is not answered. */
void client_end_submissions(struct stint_client *c);
/* watch.c */
void client_take_outcomes(struct stint_client *c, const struct message *m);
void client_take_output(struct stint_client *c, const struct message *m);
void client_watch_again(struct stint_client *c);
/* The broker left something out because we had much to read. Ask again if that is over. */
void client_watch_rest(struct stint_client *c);
void client_watched_free(struct stint_client *c, struct watched **watched);
/* events.c */
void client_take_events(struct stint_client *c, const struct message *m);
void client_subscribe_again(struct stint_client *c);
void client_subscribed_free(struct subscribed **subscribed);

/* follow.c */
void client_followed_free(struct followed **followed);
/* A conversation has begun. */
void client_follow_opened(struct stint_client *c);
/* Ask again for what was refused, if it is time. */
void client_follow_rest(struct stint_client *c);

/* What SUBMIT says of this job. Errors: as stint_submit. */
enum stint_status
client_job_spec(struct stint_client *c, const struct stint_job *job, struct job_spec *spec);
bool client_good_name(const char *name);

/* query.c */
/* A filter's bytes; none if it has no term. */
enum stint_status client_write_where(
    struct stint_client *c, const struct where *where, struct pack_buffer *bytes, const char *what);

#endif
