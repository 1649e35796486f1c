/* Which connections there are: the router's numbers for them, and the routing ids that its socket
 * knows them by. No socket: the simulator numbers its connections with it too. A number is given
 * again once its connection was forgotten, so nobody may remember one for longer.
 */
#ifndef ROUTES_H
#define ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define uthash_fatal(text) abort()
#include <stdlib.h>
#include <uthash.h>

enum { ROUTING_BYTES = 255 };

struct connection;
struct grant;

struct route {
    uint32_t number;
    bool used, gone;
    bool heard; /* something came from it since the router last looked */
    bool known; /* the router knows where its messages come from: */
    bool barred; /* what it says is not heard: its key is revoked */
    uint64_t key; /* the number of its key; 0: it was asked for none */
    const struct grant *grant; /* of that key */
    struct connection *connection; /* NULL: from nowhere that it could end */
    uint8_t ends_in; /* not 0: its connection is over, and it is gone after so many rounds */
    uint8_t size;
    uint8_t id[ROUTING_BYTES];
    bool told; /* the core was told that it is gone: it is in that list no more */
    struct route *prev, *next; /* among those that end, or are gone; or (next) are free */
    UT_hash_handle hh;
};

struct routes {
    struct route **all; /* by number */
    uint32_t count, max;
    struct route *by_id, *free_list, *gone, *ending, *last;
    size_t read, forgotten; /* in this round: frames, and routes */
};

void routes_init(struct routes *routes, uint32_t max);
void routes_fini(struct routes *routes);

/* The route of a routing id, made if it is new. NULL if there are too many, or the id is too
 * long. */
struct route *routes_find(struct routes *routes, const uint8_t *id, size_t size);

/* The route of a number, or NULL. */
struct route *routes_at(const struct routes *routes, uint32_t number);

/* It can't be reached any more: the core is to be told, once. */
void routes_mark_gone(struct routes *routes, struct route *route);
/* The next one to tell of, or NULL. */
struct route *routes_take_gone(struct routes *routes);

/* Its connection is over, but what came over it before may not have been read: it is gone after two
 * rounds of reading. */
void routes_mark_ending(struct routes *routes, struct route *route);
/* A round of reading is over. */
void routes_end_round(struct routes *routes);

void routes_forget(struct routes *routes, struct route *route);

/* So many frames were read; the socket lets connections take turns. True if a round is over:
 * whoever had something to say when the last one was over has been heard since. */
bool routes_round(struct routes *routes, size_t frames);

#endif
