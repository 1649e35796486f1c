/* What the oracle's two files share: oracle_frames.c, which reads what came and went, and oracle.c,
 * which judges. */
#ifndef ORACLE_INSIDE_H
#define ORACLE_INSIDE_H

#include "ids.h"
#include "oracle.h"
#include "record.h"

/* A session that said HELLO, as far as the frames show. */
struct party {
    uint8_t session[SESSION_BYTES];
    enum message_role role;
    char name[STINT_LABEL_BYTES];
    uint64_t seen_us; /* its last frame was taken then */
    uint32_t window;
    bool left, claimed; /* said BYE, ended a CLAIM: in this batch */
    UT_hash_handle hh;
};

struct heard_outcome {
    struct stint_id id;
    uint32_t attempt;
    enum outcome_type type;
    uint64_t delay_ms, number;
    uint32_t index;
    struct party *from;
};

struct heard_claim {
    struct stint_id id;
    uint32_t attempt;
    struct party *from;
};

struct sent_dispatch {
    struct stint_id id;
    uint32_t attempt;
    struct party *to;
    size_t payload_bytes;
    uint32_t job;
};

#define LIST_OF(type) \
    struct { \
        type *all; \
        size_t count, size; \
    }

/* All that came in with a batch and went out after it. */
struct traffic {
    LIST_OF(struct heard_outcome) outcomes;
    LIST_OF(struct heard_claim) claims;
    LIST_OF(struct stint_id) cancels;
    LIST_OF(struct stint_id) retries;
    LIST_OF(uint32_t) submits; /* numbers of jobs */
    LIST_OF(struct sent_dispatch) dispatches;
    LIST_OF(struct heard_outcome) confirmed; /* outcomes whose SETTLED took no exception to them */
};

#define LIST_ADD(list, ...) \
    do { \
        if ((list).count == (list).size) { \
            (list).size = (list).size ? 2 * (list).size : 64; \
            (list).all = realloc((list).all, (list).size * sizeof *(list).all); \
            if (!(list).all) \
                abort(); \
        } \
        (list).all[(list).count++] = (__VA_ARGS__); \
    } while (0)

extern struct traffic traffic;

void frames_begin(void);
void frames_end(void);
/* Forget the traffic of the last batch. */
void frames_clear(void);
/* The broker has restarted: nobody is connected. */
void frames_restart(void);
void frames_in(const struct batch *batch);
void frames_out(const struct outbox *out);

#endif
