/* What the oracle knows of rights: who may do something to which job, and what a peer with a key
 * may be told. It knows which queue a job is in from where it stands in the store.
 */
#include "keys.h"
#include "oracle_inside.h"

/* On its queue, or on one to which it may be moved in this batch. */
static bool
allowed_on_any(const struct grant *key, uint32_t rights, const struct job *j)
{
    uint32_t queues = j->moving | 1U << j->queue;
    for (unsigned q = 0; q < KEYS_QUEUES; q++)
        if ((queues >> q & 1) && keys_allow(key, rights, keys_queues[q]))
            return true;
    return false;
}

bool
rights_let(const struct grant *key, uint32_t rights, const struct stint_id *id)
{
    const struct job *j = job_known(id);
    if (!keys_restrict(key) || !j) /* of a job of this very batch nothing is known yet */
        return !key || (key->rights & rights) != 0;
    return allowed_on_any(key, rights, j);
}

static void
check_queue(const struct party *to, uint32_t rights, const char *queue, const struct message *m)
{
    if (queue[0] && !keys_allow(to->key, rights, queue))
        sim_broken(
            "%s was told of the queue %s by %s", to->key->name, queue, message_name(m->type));
}

static void
check_job(const struct party *to, const struct stint_id *id, const struct message *m)
{
    const struct job *j = job_known(id);
    if (j && !allowed_on_any(to->key, RIGHT_SEE, j))
        sim_broken("%s was told of %s by %s", to->key->name, job_named(j), message_name(m->type));
}

/* Names, with a space between two. */
static void
check_names(const struct party *to, const char *names, const struct message *m)
{
    char name[STINT_NAME_BYTES];
    while (*names) {
        size_t size = strcspn(names, " ");
        (void)snprintf(name, sizeof name, "%.*s", (int)size, names);
        check_queue(to, RIGHT_SEE, name, m);
        names += size + strspn(names + size, " ");
    }
}

void
rights_check_told(const struct party *to, const struct message *m, struct message_arrays *arrays)
{
    char queue[STINT_NAME_BYTES];
    if (m->type == MESSAGE_STATS && keys_restrict(to->key))
        sim_broken("%s was told the figures of all queues", to->key->name);
    if (m->type == MESSAGE_DISPATCH) {
        slice_to_text(queue, sizeof queue, m->dispatch.queue);
        check_queue(to, RIGHT_RUN, queue, m);
    }
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->type == MESSAGE_EVENTS) {
            check_job(to, &arrays->events[i].id, m);
            check_queue(to, RIGHT_SEE, arrays->events[i].queue, m);
        } else if ((m->type == MESSAGE_JOBS || m->type == MESSAGE_OUTCOMES) &&
            message_next_job(arrays)) {
            check_job(to, &arrays->info.id, m);
            check_queue(to, RIGHT_SEE, arrays->info.queue, m);
        } else if (m->type == MESSAGE_QUEUES && message_next_queue(arrays))
            check_queue(to, RIGHT_SEE, arrays->queue_info.name, m);
        else if (m->type == MESSAGE_WORKERS && message_next_worker(arrays))
            check_names(to, arrays->worker_info.queues, m);
    }
}
