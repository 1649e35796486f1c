/* What jobs need of workers, each different need once for the whole broker; what workers have, and
 * how much of it is taken by what they hold; and the *wants* of a queue, its jobs' different needs.
 *
 * Jobs of a want stand among all others on disk. In each level a want has a *lane*: how far the
 * level was searched for its jobs. So what no worker can be given now is not read again and again,
 * and of one want the first in is the first out. A level without lanes has met no job that needs
 * anything. Memory only: after a restart, searching meets them again.
 */
#ifndef WANTS_H
#define WANTS_H

#include "ids.h"
#include "kinds.h"
#include "needs.h"

struct queue;
struct worker;

struct amount {
    struct slice name; /* in the text */
    uint32_t hash;
    uint64_t value; /* in thousandths */
};

/* What jobs need. Two that need the same have the same one. */
struct needs {
    struct needs **all; /* where it is found */
    uint32_t users;
    uint32_t amounts_count, labels_count;
    struct amount amounts[LIMIT_NEEDS];
    struct slice labels[LIMIT_NEEDS];
    size_t size; /* of the text */
    char text[(LIMIT_NEEDS_BYTES + 8) / 8 * 8]; /* with zeros to its end */
    UT_hash_handle hh;
};

/* That of this canonical text, with one user more. */
struct needs *needs_get(struct needs **all, struct slice text);
/* One user less; the last one ends it. */
void needs_put(struct needs *needs);

/* What a worker has. */
struct has {
    uint32_t amounts_count, labels_count;
    struct {
        struct amount most;
        uint64_t taken;
    } amounts[LIMIT_HAS];
    struct slice labels[LIMIT_HAS];
    char text[LIMIT_HAS_BYTES + 1];
};

/* Of this canonical text, nothing of it taken; NULL if that is empty. To be freed. */
struct has *has_new(struct slice text);
/* A job that needs this comes to the worker, or leaves it. `has` may be NULL. */
void has_take(struct has *has, const struct needs *needs);
void has_give_back(struct has *has, const struct needs *needs);
/* Has it ever as much as is needed? As much that is not taken? (Labels are not asked for.) */
bool has_enough(const struct has *has, const struct needs *needs);
bool has_free(const struct has *has, const struct needs *needs);
/* Do both amounts have the same name? */
bool has_is(const struct amount *a, const struct amount *b);
bool has_label(const struct has *has, struct slice label);
/* What is taken, as a text; empty: nothing is. */
void has_write_taken(const struct has *has, char *to, size_t size);

/* One need of a queue's jobs. */
struct want {
    struct needs *needs;
    struct queue *queue;
    uint32_t reserved; /* workers that make room for the next job */
    uint64_t since_ms; /* monotonic: that long workers that could run it were full; 0: they are not
                        */
    uint32_t apart; /* jobs of it that are kept apart */
    bool grouped; /* one of a group was passed over by a worker that could run it */
};

/* Those of a queue. */
struct wants {
    struct want **list;
    uint32_t count, size;
    uint32_t reserved; /* of all of them */
    uint64_t swept_ms; /* monotonic: what has no jobs any more was looked for then */
};

struct want *wants_find(const struct wants *wants, struct slice text);
/* Made if it is not there. Errors: NULL: there are LIMIT_QUEUE_NEEDS. */
struct want *
wants_get(struct wants *wants, struct queue *queue, struct needs **all, struct slice text);
/* It has no lanes any more, nobody is reserved for it, and nothing of it is kept apart. */
void wants_remove(struct wants *wants, struct want *want);
/* The queue goes. */
void wants_end(struct wants *wants);

#endif
