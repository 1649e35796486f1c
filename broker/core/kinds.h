/* Kinds that workers handle. Workers that name the same kinds share one set, so that the position
 * up to which a level was searched for them is kept once a set and not once a worker. */
#ifndef KINDS_H
#define KINDS_H

#include "limit.h"
#include "pack.h"

struct kinds {
    uint32_t count, users;
    char *text; /* the names in order, a space between them */
    struct slice names[LIMIT_KINDS]; /* in the text */
    uint32_t hashes[LIMIT_KINDS];
    struct kinds *prev, *next;
};

/* The set of these names, with one user more; NULL, which stands for all kinds, if there are none.
 * Reorders `names`. */
struct kinds *kinds_get(struct kinds **all, struct slice *names, uint32_t count);
/* One user less; the last one ends it. May be NULL. True if it has ended. */
bool kinds_put(struct kinds **all, struct kinds *kinds);

/* Is this kind in the set? NULL: all are. */
bool kinds_have(const struct kinds *kinds, struct slice kind);

/* A name's hash, never 0; and is it that of a kind in the set? */
uint32_t kinds_hash(struct slice kind);
bool kinds_have_hash(const struct kinds *kinds, uint32_t hash);

/* Write them as a text, cut with "..." if it does not fit; NULL is empty. */
void kinds_write(const struct kinds *kinds, char *to, size_t size);

#endif
