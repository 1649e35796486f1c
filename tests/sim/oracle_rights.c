/* What the oracle knows of rights: who may do something to which job, and what a peer with a key
 * may be told. It knows which queue a job is in from where it stands in the store.
 */
#include "keys.h"
#include "oracle_inside.h"

#include <stdlib.h>

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
    bool gone = j && j->stored && j->now.state == STINT_UNKNOWN; /* then its id says where it was */
    if (j && !gone && !allowed_on_any(to->key, RIGHT_SEE, j))
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
rights_hear(struct party *from, const struct message *m)
{
    bool lists = m->type == MESSAGE_LIST && m->list.queue.size == 0;
    bool subscribes = m->type == MESSAGE_SUBSCRIBE && m->subscribe.queue.size == 0 && m->count == 0;
    if (!lists && !subscribes)
        return;
    from->asks_all = m->number;
    from->asks_whole = lists && m->list.cursor.size == 0 && m->list.kind.size == 0 &&
        m->list.filter.size == 0 && (m->list.states == 0 || m->list.states == STINT_STATES_ALL);
}

/* Does it see anything at all? */
static bool
sees_some(const struct grant *key)
{
    bool some = false;
    for (unsigned q = 0; q < KEYS_QUEUES; q++)
        some |= keys_allow(key, RIGHT_SEE, keys_queues[q]);
    return some;
}

static void
check_event(const struct party *to, const struct stint_event *e, const struct message *m)
{
    if (e->type == STINT_EVENT_LOST && !sees_some(to->key))
        sim_broken("%s was told that it missed events", to->key->name);
    if (e->type == STINT_EVENT_LOST)
        return;
    check_job(to, &e->id, m);
    check_queue(to, RIGHT_SEE, e->queue, m);
}

/* A cursor has an id behind its first byte, of a queue that there are jobs in. What a queue's
 * number is called, jobs say that were submitted to it. */
static void
check_cursor(const struct party *to, const struct message *m)
{
    struct stint_id at;
    if (m->page.cursor.size != 1 + STINT_ID_BYTES)
        return;
    memcpy(at.bytes, m->page.cursor.data + 1, STINT_ID_BYTES);
    for (uint32_t i = 0; i < known.count; i++)
        if (known.jobs[i].stored && id_queue(&known.jobs[i].id) == id_queue(&at)) {
            check_queue(to, RIGHT_SEE, keys_queues[known.jobs[i].wish.queue], m);
            return;
        }
}

/* What was there before this batch, may be seen and is not listed has gone meanwhile. */
static void
check_whole(const struct party *to, const struct stint_id *ids, uint32_t count)
{
    for (uint32_t i = 0; i < known.count; i++) {
        const struct job *j = &known.jobs[i];
        bool listed = false;
        if (j->was.state == STINT_UNKNOWN || j->moving != 0 ||
            !keys_allow(to->key, RIGHT_SEE, keys_queues[j->queue]))
            continue;
        for (uint32_t n = 0; n < count && !listed; n++)
            listed = memcmp(&ids[n], &j->id, sizeof *ids) == 0;
        if (!listed)
            LIST_ADD(traffic.unlisted, i);
    }
}

void
rights_check_lists(void)
{
    for (size_t i = 0; i < traffic.unlisted.count; i++) {
        const struct job *j = &known.jobs[traffic.unlisted.all[i]];
        if (j->now.state != STINT_UNKNOWN)
            sim_broken("a list of all jobs lacks %s", job_named(j));
    }
}

static void
check_jobs(const struct party *to, const struct message *m, struct message_arrays *arrays)
{
    struct stint_id *ids = calloc(m->count + 1, sizeof *ids);
    if (!ids)
        abort();
    uint32_t count = 0;
    for (; count < m->count && message_next_job(arrays); count++) {
        ids[count] = arrays->info.id;
        check_job(to, &arrays->info.id, m);
        check_queue(to, RIGHT_SEE, arrays->info.queue, m);
    }
    if (m->type == MESSAGE_JOBS) {
        check_cursor(to, m);
        if (to->asks_whole && to->asks_all == m->number && m->page.cursor.size == 0)
            check_whole(to, ids, count);
    }
    free(ids);
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
    if (m->type == MESSAGE_ERROR && m->error.status == STINT_DENIED && to->asks_all == m->number &&
        (m->error.about == MESSAGE_LIST || m->error.about == MESSAGE_SUBSCRIBE) &&
        (to->key->rights & RIGHT_SEE) != 0)
        sim_broken("%s is denied what it may see of all queues", to->key->name);
    if (m->type == MESSAGE_JOBS || m->type == MESSAGE_OUTCOMES) {
        check_jobs(to, m, arrays);
        return;
    }
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->type == MESSAGE_EVENTS)
            check_event(to, &arrays->events[i], m);
        else if (m->type == MESSAGE_QUEUES && message_next_queue(arrays))
            check_queue(to, RIGHT_SEE, arrays->queue_info.name, m);
        else if (m->type == MESSAGE_WORKERS && message_next_worker(arrays))
            check_names(to, arrays->worker_info.queues, m);
    }
}
