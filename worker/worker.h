/* What the worker's own files share: worker.c and leases.c, which talk to the broker on one thread,
 * and slots.c and task.c, which run handlers on others. Between them stands `struct handover`: jobs
 * that wait on one side, outcomes on the other, one lock.
 */
#ifndef WORKER_H
#define WORKER_H

#include "id.h"
#include "link.h"
#include "stint_worker.h"

#include <pthread.h>
#include <stdatomic.h>

enum { HANDLERS_MAX = 64 };

/* Jobs that came in one DISPATCH share an allocation; the last one to go frees it. */
struct delivery {
    uint64_t left; /* jobs not gone yet; as wide as what follows the delivery is aligned */
    char queue[STINT_NAME_BYTES];
};

/* A job this worker holds. */
struct held {
    struct stint_task_info info; /* payload and kind point into the delivery */
    struct delivery *delivery;
    uint64_t time_to_run_ms;
    enum outcome_type outcome; /* 0: none yet */
    uint8_t *body; /* result or error text, allocated */
    size_t body_bytes;
    uint8_t *output, *errors; /* kept with a failure, with a success; allocated */
    size_t output_bytes, errors_bytes;
    uint64_t delay_ms;
    bool revoked; /* its lease is over: nothing of it is to be told */
    bool begun; /* the broker knows that its handler is started, or may be */
    uint64_t asked; /* number of the STARTED that is to be confirmed before it may begin */
    struct held *prev, *next;
};

struct stint_task {
    struct held *held; /* NULL: the slot is idle */
    atomic_bool cancelled, timed_out;
    int cancel_fd;
    bool signalled; /* cancel_fd is readable */
    uint64_t started_us; /* 0: idle */
};

struct slot {
    struct stint_worker *worker;
    uint32_t number;
    pthread_t thread;
    struct stint_task task;
    void *states[HANDLERS_MAX];
    bool made[HANDLERS_MAX];
};

struct handover {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct held *waiting, *done;
    uint32_t waiting_count;
    struct held *asked; /* jobs that may begin when the broker has confirmed it */
    uint64_t finished, run_us; /* since the link's thread looked last */
    bool closing;
    int wake_fd; /* eventfd: rung when `done` gets its first */
};

/* What the worker runs, from which queues. */
struct served {
    char **queues;
    struct stint_handler handlers[HANDLERS_MAX];
    const char *kinds[HANDLERS_MAX]; /* of the handlers, as the broker is told */
    uint32_t queues_count, handlers_count;
};

/* What other threads ask for, and are told. */
struct shared {
    atomic_uint stops; /* calls of stint_worker_stop */
    atomic_bool connected;
    _Atomic uint64_t held_off_ms; /* no new jobs until then */
};

struct stint_worker {
    struct session session;
    struct link *link;
    char endpoint[256], name[STINT_LABEL_BYTES];
    uint32_t slots_count, prefetch, drain_ms;
    struct served served;
    struct handover handover;
    struct slot *slots;
    bool claimed; /* in this conversation */
    uint64_t number; /* of the last request */
    double mean_us; /* of run times, lately; 0: nothing was measured yet */
    uint64_t settled_us; /* outcomes were last sent then */
    struct shared shared;
    void (*told)(
        void *context, enum stint_worker_event event, uint32_t running, const char *detail);
    void *told_context;
    const char *refusal; /* that was told */
    bool leaving; /* we have said BYE: what comes now is not ours any more */
    bool gone; /* the broker has answered that */
    char error[640];
};

/* leases.c */
enum { LEASES_TOLD_AFTER_US = 10000 }; /* an outcome is held back so long at most */
/* Take what the broker has sent; `owner` is the worker. */
void leases_take(void *owner, const struct message *m);
/* Claim all that is held, in whatever state: what is not named the broker takes for lost. */
void leases_claim(struct stint_worker *w);
/* Tell the outcomes that are due. */
void leases_settle(struct stint_worker *w);
/* Give back all that has not begun. */
void leases_give_back(struct stint_worker *w);
/* The request is over; of a SETTLE, so are its jobs. */
void leases_end_request(struct stint_worker *w, struct request **request);
void held_free_all(struct held *list);

/* slots.c */
enum stint_status slots_start(struct stint_worker *w);
/* Let slots end after what they run now, and wait for them. */
void slots_join(struct stint_worker *w);

/* task.c: what a slot does, in this order; begin and finish with the handover's lock held. */
void slot_begin(struct slot *slot, struct held *held);
void slot_run(struct slot *slot);
void slot_finish(struct slot *slot);
/* The slot takes no more jobs: its handlers' states go. */
void slot_end(struct slot *slot);
void slot_cancel(struct stint_task *task, bool timed_out);
void held_free(struct held *held);
bool worker_holds_off(const struct stint_worker *w);
void worker_say(struct stint_worker *w, enum stint_worker_event event, const char *detail);

#endif
