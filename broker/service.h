/* A broker as a whole: data directory, store, core, router, the loop. stintd runs one in a process
 * of its own (main.c), stint_embed_open one on a thread of somebody else's process (embed.c).
 * Nothing in here is the process's: no signal, no limit, no stream, no exit.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "data.h"
#include "options.h"
#include "router.h"

/* What it runs in. */
struct service_host {
    void *context;
    int fd; /* readable: `woken` is to be asked at once */
    bool (*woken)(void *context); /* in each turn of the loop; true: it is the last one */
    void (*ready)(void *context); /* it serves from now on; may be NULL */
    void (*alive)(void *context); /* about once a second; may be NULL */
    void (*on_damage)(const char *what); /* as in store_lmdb.h */
    bool shared_process; /* it is somebody else's: nothing of it is changed */
};

struct service {
    struct options options;
    struct service_host host;
    struct data data;
    struct store *store; /* with the journal before it, if there is one (store_journal.h) */
    struct store *lmdb; /* the data file's own, which is in `store` */
    bool has_journal;
    struct core *core;
    struct keys *keys; /* NULL: nobody is asked for one */
    struct router *router;
    bool low; /* the disk's reserve is being used up */
    char endpoint[256]; /* told to peers; known once the router listens */
};

/* Nothing is open; options have their defaults. */
void service_init(struct service *service);

/* Each returns 0, or the exit code (sysexits.h) that says what kind of trouble it is, after
 * log_refusal or log_event has told in a sentence. What is open then is closed by
 * service_close. */
/* The exit code for a store that could not be opened. */
int service_exit_code(enum stint_status status);
int service_open_store(struct service *service); /* the directory and the store alone */
int service_open(struct service *service);
int service_serve(struct service *service); /* until `woken` says so, or the store fails */

void service_close(struct service *service);

#endif
