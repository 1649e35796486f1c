/* What the client's own files share. A request's owner is a `struct call`, which says what to do
 * with the reply. */
#ifndef CLIENT_H
#define CLIENT_H

#include "id.h"
#include "link.h"
#include "stint.h"

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
    /* Of a synchronous call: */
    bool over;
    enum stint_status status;
    void *into;
};

struct watched {
    struct stint_id id;
    bool results;
    struct stint_job_info *heard; /* its outcome, if the result was left out; NULL: nothing yet */
    stint_outcome_fn *settled;
    void *context;
    UT_hash_handle hh;
};

struct subscribed {
    uint64_t number;
    struct pack_buffer frame; /* said again in each conversation */
    stint_event_fn *happened;
    void *context;
    struct subscribed *next;
};

struct stint_client {
    struct session session;
    struct link *link;
    char endpoint[256], name[STINT_LABEL_BYTES];
    bool own_session; /* brought by the caller: it is not ended with the client */
    uint64_t number; /* of the last request */
    uint64_t submission; /* of the last submission made */
    uint64_t acked; /* all up to here are answered */
    uint64_t stored; /* last one the broker knew at the last WELCOME, */
    bool forgotten; /* and it was less than the broker has answered */
    size_t pending;
    struct watched *watched; /* uthash by id */
    uint64_t watch_at_pong; /* not 0: ask again for what is watched when this PONG has come */
    struct subscribed *subscribed;
    struct stint_id *ids; /* of one answer, LIMIT_JOBS of them */
    struct stint_job_info info; /* of stint_get, with its body in `body` */
    struct pack_buffer body;
    char error[512];
};

/* Remember a sentence about a failure and pass the status on. */
enum stint_status
client_fail(struct stint_client *c, enum stint_status status, const char *what, const char *detail);

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
/* A conversation has begun; its WELCOME tells what the broker has of our session. */
void client_opened(struct stint_client *c);
void client_take_submitted(struct stint_client *c, const struct message *m);
/* watch.c */
void client_take_outcomes(struct stint_client *c, const struct message *m);
void client_take_events(struct stint_client *c, const struct message *m);
void client_watch_again(struct stint_client *c);
/* The broker left something out because we had much to read. Ask again if that is over. */
void client_watch_rest(struct stint_client *c);
void client_watched_free(struct stint_client *c, struct watched **watched);

bool client_good_name(const char *name);

#endif
