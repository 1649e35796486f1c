/* What the worker's own files share: worker.c, leases.c, telling.c, orders.c and crew.c, which talk
 * to the broker on one thread, and slots.c and task.c, which run handlers on others. Between them
 * stands `struct handover`: jobs that wait on one side, outcomes on the other, one lock.
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

/* What is to become real with the end of a job. */
struct with_end {
    struct pack_buffer jobs, ids; /* jobs: one behind the other, as the message has them */
    struct joint_size size;
    struct pack_buffer bytes; /* all of it, as it is told */
    uint64_t since_ms, delay_ms,
        again_ms; /* while there is no room for it; since 0: there may be */
    char why[512]; /* what was refused last, or "" */
};

/* What a job has to do with others, in its delivery. */
struct around {
    const struct stint_id *parents; /* that it was after; they need no alignment */
    size_t parents_count;
    uint64_t batch; /* as of struct dispatched_job */
    struct slice counts; /* likewise */
    const char *group; /* that it is in; NULL: none */
};

/* A job this worker holds. */
struct held {
    struct stint_task_info info; /* payload and kind point into the delivery */
    struct delivery *delivery;
    uint64_t time_to_run_ms;
    struct around around;
    enum outcome_type outcome; /* 0: none yet */
    uint8_t *body; /* result or error text, allocated */
    size_t body_bytes;
    uint8_t *output, *errors; /* kept with a failure, with a success; allocated */
    size_t output_bytes, errors_bytes;
    uint64_t delay_ms;
    bool revoked; /* its lease is over: nothing of it is to be told */
    bool begun; /* the broker knows that its handler is started, or may be */
    uint64_t asked; /* number of the STARTED that is to be confirmed before it may begin */
    struct with_end *with_end; /* NULL: nothing */
    struct live *live; /* what it writes, as who listens is told: live.c; NULL: nothing so far */
    struct held *prev, *next;
};

/* How far a job is. */
struct said {
    uint32_t percent;
    char text[STINT_PROGRESS_BYTES];
};

/* What a task says of that, and what the broker was told: telling.c. */
struct task_progress {
    pthread_mutex_t lock; /* of the next two */
    bool used; /* it has said something */
    struct said newest;
    atomic_bool changed; /* since the conversation's thread looked */
    bool was_told; /* in this conversation, with the handover's lock held: */
    struct said told;
    atomic_bool *news; /* the worker's: some task has changed */
};

struct stint_task {
    struct held *held; /* NULL: the slot is idle */
    atomic_bool cancelled, timed_out;
    int cancel_fd;
    bool signalled; /* cancel_fd is readable */
    uint64_t started_us; /* 0: idle */
    struct task_progress progress;
    struct handover *handover; /* the worker's */
};

/* ENDING: its thread takes no more jobs and gives its handlers' states back. */
enum slot_life { SLOT_NONE, SLOT_LIVES, SLOT_ENDING, SLOT_ENDED };

struct slot {
    struct stint_worker *worker;
    uint32_t number;
    enum slot_life life; /* with the handover's lock held */
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
    uint32_t running; /* jobs in slots */
    uint32_t slots; /* no more jobs than these begin, and no slot from this number on lives on */
    struct held *asked; /* jobs that may begin when the broker has confirmed it */
    struct held *later; /* jobs whose ends wait until there is room for what comes with them */
    struct welcome broker; /* of the last conversation */
    bool listened; /* somebody may listen to a job */
    uint64_t listened_ms; /* who does was told then */
    uint64_t finished, run_us; /* since the link's thread looked last */
    bool closing;
    bool held_back; /* there was work ahead when outcomes were last to be told */
    int wake_fd; /* eventfd: rung when `done` gets its first, and when what is held back may go */
};

/* The slots there are. They come and go while others run jobs; only the thread of the conversation
 * looks here. */
struct crew {
    struct slot **slots;
    uint32_t count; /* made; more than wanted while some still run */
    uint32_t wanted; /* as handover.slots */
    uint32_t own, most; /* as it was made with; as many as it can be given */
    bool restless; /* slots are to be started, or joined */
};

/* Slots that follow the work. */
struct local {
    bool follows; /* whether they do */
    uint32_t min, max;
    uint32_t needed; /* the most that ran at a time since `since_ms` */
    uint64_t since_ms, cool_down_ms;
};

/* What the broker has ordered, in its own conversation, and when this worker leaves by itself. */
struct orders {
    bool paused; /* nothing is to be begun */
    bool resized; /* the broker is to be told */
    bool telling; /* it may not know yet: what it sends too much of is given back */
    enum leave leave; /* 0: it stays */
    bool left; /* by itself */
    uint64_t exit_idle_ms, exit_after_ms; /* 0: never */
    uint64_t begun_ms, idle_since_ms;
    uint64_t load_ms; /* when the machine was asked last */
    struct local local;
};

/* What the worker runs, from which queues. */
struct served {
    char **queues, **labels;
    char has[LIMIT_HAS_BYTES + 1];
    struct stint_handler handlers[HANDLERS_MAX];
    const char *kinds[HANDLERS_MAX]; /* of the handlers, as the broker is told */
    uint32_t queues_count, labels_count, handlers_count;
};

/* What other threads ask for, and are told. */
struct shared {
    atomic_bool ran; /* stint_worker_run was called, with handlers */
    atomic_uint stops; /* calls of stint_worker_stop */
    atomic_bool connected;
    _Atomic uint64_t held_off_ms; /* no new jobs until then */
    atomic_bool news; /* of how far jobs are */
    _Atomic uint64_t turned_ms; /* the conversation's thread came round then; 0: it does not run */
};

/* Whom to tell what happens. */
struct telling {
    void (*told)(
        void *context, enum stint_worker_event event, uint32_t running, const char *detail);
    void *context;
    const char *refusal,
        *no_room; /* that were told last; NULL: none since there was a conversation */
};

/* When the broker was told how far jobs are, and of which slot last. */
struct news {
    uint64_t told_ms;
    uint32_t slot;
};

struct stint_worker {
    struct session session;
    struct link *link;
    char endpoint[256], name[STINT_LABEL_BYTES];
    uint32_t prefetch, drain_ms;
    struct served served;
    struct handover handover;
    struct crew crew;
    struct orders orders;
    bool claimed; /* in this conversation */
    uint64_t number; /* of the last request */
    double mean_us; /* of run times, lately; 0: nothing was measured yet */
    uint64_t settled_us; /* outcomes were last sent then */
    struct shared shared;
    struct telling telling;
    struct news news;
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
/* A conversation has begun: what the broker does not know of is not told to it. */
void leases_greet(struct stint_worker *w);
/* What was to be told later is given back. */
void leases_give_up(struct stint_worker *w);
/* Tell the outcomes that are due. */
void leases_settle(struct stint_worker *w);
/* Give back all that has not begun. */
void leases_give_back(struct stint_worker *w);
/* Give back of that what is held beyond so many jobs. */
void leases_keep(struct stint_worker *w, uint32_t most);
/* The request is over; of a SETTLE, so are its jobs. */
void leases_end_request(struct stint_worker *w, struct request **request);
void held_free_all(struct held *list);

/* joint.c */
/* What comes with the end of this job, borrowed; empty: nothing. */
struct slice joint_bytes(struct held *held);
/* The broker, for all we know now, does not know of such things: the run has failed. */
void joint_refuse_old(struct stint_worker *w, struct held *held);
/* With the handover's lock held: is it an end that was not taken, and waits? Then it stands in
 * `later` now. */
bool joint_waits(struct stint_worker *w, struct held *held, enum stint_status status);
/* With the handover's lock held: those whose time it is are to be told again; or all, and as given
 * back, since this worker ends. */
void joint_tell_again(struct stint_worker *w);
void joint_give_up(struct stint_worker *w);
/* The task has ended so: what was asked for before does not count with all ends. */
void joint_end(struct held *held, enum outcome_type outcome);
void joint_free(struct held *held);

/* live.c */
/* Tell what runs write to which somebody listens, if it is time. */
void live_send(struct stint_worker *w);
/* The run is over: the last of it, before its end is told. */
void live_end(struct stint_worker *w, struct held *held);
/* With the handover's lock held: somebody listens to it, or nobody any more. */
void live_show(struct stint_worker *w, struct held *held, bool on);
/* The same: in a new conversation it is not known. */
void live_forget(struct held *held);

/* telling.c */
/* Tell the broker how far jobs are, if there is news and it is time. */
void telling_send(struct stint_worker *w);
/* With the handover's lock held: the broker knows nothing of it any more. */
void telling_again(struct stint_worker *w);
/* With the handover's lock held: the task is over. */
void telling_end(struct stint_task *task);

/* orders.c */
/* An ORDER of the broker. */
void orders_take(struct stint_worker *w, const struct message *m);
/* A conversation has begun: it orders what is not so by itself. */
void orders_forget(struct stint_worker *w);
/* Time passes; each turn of the loop. */
void orders_tick(struct stint_worker *w);
/* When orders_tick is to be called next, in ms from now. */
uint64_t orders_wake_ms(const struct stint_worker *w);
/* Is it to take no more jobs: stopped, or ordered to leave? */
bool orders_leaves(const struct stint_worker *w);

/* crew.c */
/* Start as many slots as are wanted. Errors: STINT_NO_MEMORY, STINT_SYSTEM. */
enum stint_status crew_start(struct stint_worker *w);
/* So many from now on, at most crew.most: new ones start, those that are too many end after what
 * they run now. */
void crew_resize(struct stint_worker *w, uint32_t wanted);
/* Start and join those whose time it is; each turn of the loop. */
void crew_tend(struct stint_worker *w);
/* Let all end after what they run now, and wait for them. */
void crew_join(struct stint_worker *w);

/* slots.c */
/* The slot's thread. False: the system has no more. */
bool slot_start(struct slot *slot);
/* Wait for its end. */
void slot_join(struct slot *slot);
/* Something has changed that idle slots wait for. */
void slots_wake(struct stint_worker *w);
/* Of this machine: its cores, and its load in hundredths of one. */
uint32_t machine_cores(void);
uint32_t machine_load(void);

/* task.c: what a slot does, in this order; all but run and end with the handover's lock held. */
bool slot_may_begin(const struct slot *slot);
/* Is it to end, once it has nothing to begin? */
bool slot_is_over(const struct slot *slot);
void slot_begin(struct slot *slot, struct held *held);
void slot_run(struct slot *slot);
void slot_finish(struct slot *slot);
/* The slot takes no more jobs: its handlers' states go. Then ended, with the lock held. */
void slot_end(struct slot *slot);
void slot_ended(struct slot *slot);
void slot_cancel(struct stint_task *task, bool timed_out);
void held_free(struct held *held);
bool worker_holds_off(const struct stint_worker *w);
void worker_say(struct stint_worker *w, enum stint_worker_event event, const char *detail);

#endif
