/* A worker on a thread of its own, whose handler gives back what it is given. */
#ifndef ECHO_H
#define ECHO_H

#include "stint_worker.h"

#include <pthread.h>

struct hands {
    struct stint_worker *worker; /* NULL: none yet */
    pthread_t thread;
    enum stint_status status; /* of stint_worker_run, once it is joined */
};

static inline void
echo(struct stint_task *task, void *state)
{
    const struct stint_task_info *job = stint_task_info(task);
    (void)state;
    stint_task_succeed(task, job->payload, job->payload_bytes);
}

static inline void *
work(void *context)
{
    struct hands *h = context;
    h->status = stint_worker_run(h->worker);
    return NULL;
}

static inline bool
begin_work(struct hands *h, const char *endpoint)
{
    struct stint_worker_options o = {.endpoint = endpoint, .slots = 2};
    struct stint_handler handler = {.run = echo};
    return !h->worker && stint_worker_new(&o, &h->worker) == STINT_OK &&
        stint_worker_handle(h->worker, &handler) == STINT_OK &&
        pthread_create(&h->thread, NULL, work, h) == 0;
}

static inline bool
end_work(struct hands *h)
{
    stint_worker_stop(h->worker);
    bool joined = pthread_join(h->thread, NULL) == 0;
    stint_worker_destroy(&h->worker);
    return joined;
}

#endif
