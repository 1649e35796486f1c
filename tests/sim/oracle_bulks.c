/* What the oracle knows of bulk operations: which are asked for, which are on disk, and which jobs
 * they may treat. While one goes on, it is to each of its jobs as if a command for that job alone
 * came with every batch; to any other job it is nothing, and what it does there is not explained.
 */
#include "keys.h"
#include "oracle_inside.h"
#include "rows.h"

enum { BULKS_MAX = 64, JOBS_MAX = 8192 };

/* One as it was asked for, or stands on disk. */
struct bulk {
    uint64_t number;
    enum stint_bulk_action action;
    unsigned queue, to; /* which of keys_queues; KEYS_QUEUES: any, none */
    uint8_t priority;
    bool dry, open;
    unsigned since; /* the step at whose end it was first on disk; 0: it was not yet */
    uint64_t done;
};

static struct bulk heard[BULKS_MAX], stored[BULKS_MAX];
static unsigned heard_count, stored_count, step;
static unsigned came[JOBS_MAX]; /* the step in which each job was stored */

void
bulks_begin(void)
{
    heard_count = stored_count = step = 0;
    memset(came, 0, sizeof came);
}

void
bulks_batch(void)
{
    heard_count = 0;
}

/* The queue that its filter names, as the simulator's people write it. */
static unsigned
queue_of(struct slice bytes)
{
    struct filter filter;
    const char *why;
    if (!filter_read(bytes, &filter, &why))
        sim_broken("a filter that can't be read: %s", why);
    for (uint32_t i = 0; i < filter.count; i++)
        if (filter.terms[i].field == FILTER_QUEUE && filter.terms[i].is == FILTER_IS)
            return keys_index(filter.terms[i].text);
    return KEYS_QUEUES;
}

static bool
may(const struct grant *key, uint32_t rights, unsigned queue)
{
    if (queue == KEYS_QUEUES)
        return !keys_restrict(key) && (!key || (key->rights & rights) != 0);
    return keys_allow(key, rights, keys_queues[queue]);
}

void
bulks_hear(const struct party *from, const struct message *m)
{
    const struct bulk_request *k = &m->bulk;
    const uint32_t rights = RIGHT_SUBMIT | RIGHT_CONTROL;
    struct bulk b = {.number = k->bulk,
        .action = k->action,
        .queue = queue_of(k->filter),
        .to = keys_index(k->queue),
        .priority = (uint8_t)k->priority,
        .dry = k->dry,
        .open = true};
    if (!may(from->key, rights, b.queue) || (b.to < KEYS_QUEUES && !may(from->key, rights, b.to)) ||
        heard_count == BULKS_MAX)
        return;
    known.wall_us += heard_count == 0 ? 1000 : 0; /* a moment is over with the step */
    heard[heard_count++] = b;
}

void
bulks_told(const struct party *to, const struct message *m, struct message_arrays *arrays)
{
    for (uint32_t i = 0; i < m->count; i++) {
        if (!message_next_bulk(arrays))
            sim_broken("a bulk operation that can't be read");
        if (to->key && !may(to->key, RIGHTS_ALL, queue_of(arrays->bulk.filter)))
            sim_broken("%s was told of a bulk operation that is not its own", to->key->name);
        if (to->key && keys_restrict(to->key) && arrays->bulk.info.key[0])
            sim_broken("%s was told whose a bulk operation is", to->key->name);
    }
}

static bool
is_about(const struct bulk *b, uint32_t i)
{
    const struct job *j = &known.jobs[i];
    uint32_t queues = 1U << j->queue | 1U << j->now_queue | j->moving;
    if (!b->open || b->dry || !j->stored || (b->since && came[i] > b->since))
        return false;
    return b->queue == KEYS_QUEUES || (queues >> b->queue & 1);
}

/* Calls `each` for what may be done to which job in this step. */
static void
each_pair(void (*each)(const struct bulk *b, const struct job *j))
{
    for (unsigned n = 0; n < stored_count + heard_count; n++) {
        const struct bulk *b = n < stored_count ? &stored[n] : &heard[n - stored_count];
        for (uint32_t i = 0; i < known.count; i++)
            if (is_about(b, i))
                each(b, &known.jobs[i]);
    }
}

static void
move(const struct bulk *b, const struct job *j)
{
    if (b->action == STINT_BULK_MOVE)
        job_may_move(&j->id, b->to);
}

void
bulks_may_move(void)
{
    each_pair(move);
}

static void
add_change(const struct bulk *b, const struct job *j)
{
    struct heard_change c = {.id = j->id, .queue = KEYS_QUEUES, .priority = b->priority};
    c.set = b->action == STINT_BULK_MOVE  ? CHANGE_QUEUE
        : b->action == STINT_BULK_PROMOTE ? CHANGE_DELAY
                                          : CHANGE_PRIORITY;
    if (b->action == STINT_BULK_MOVE)
        c.queue = b->to;
    LIST_ADD(traffic.changes, c);
}

static void
command(const struct bulk *b, const struct job *j)
{
    if (b->action == STINT_BULK_CANCEL)
        LIST_ADD(traffic.cancels, j->id);
    else if (b->action == STINT_BULK_RETRY)
        LIST_ADD(traffic.retries, j->id);
    else if (b->action == STINT_BULK_DELETE)
        LIST_ADD(traffic.deletes, j->id);
    else
        add_change(b, j);
}

void
bulks_command(void)
{
    step++;
    for (uint32_t i = 0; i < known.count && i < JOBS_MAX; i++)
        if (known.jobs[i].stored && came[i] == 0)
            came[i] = step;
    each_pair(command);
}

static const struct bulk *
find(const struct bulk *all, unsigned count, uint64_t number)
{
    for (unsigned i = 0; i < count; i++)
        if (all[i].number == number)
            return &all[i];
    return NULL;
}

/* How it stands now; it was asked for, or stood there before. */
static struct bulk
from_row(const struct row_bulk *row)
{
    const struct bulk *was = find(stored, stored_count, row->bulk);
    const struct bulk *asked = find(heard, heard_count, row->bulk);
    if (!was && !asked)
        sim_broken("a bulk operation is on disk that nobody asked for");
    struct bulk b = was ? *was : *asked;
    b.since = b.since ? b.since : step;
    b.open = row->state < STINT_BULK_DONE;
    if (was && ((b.open && !was->open) || row->done < was->done))
        sim_broken("a bulk operation goes back");
    if (row->action != b.action || row->dry != b.dry || (b.dry && row->done > 0))
        sim_broken("a bulk operation does what nobody asked for");
    b.done = row->done;
    return b;
}

void
bulks_read(struct store *s)
{
    struct bulk found[BULKS_MAX];
    unsigned count = 0;
    uint8_t from[BULK_KEY_BYTES + 1] = {0};
    struct slice key, value, at = {from, 1};
    struct row_bulk row;
    s->ops->begin(s);
    while (store_seek(s, STORE_BULKS, at, &key, &value)) {
        if (!row_bulk_read(key, value, &row) || count == BULKS_MAX)
            sim_broken("the row of a bulk operation is damaged, or there are too many");
        found[count++] = from_row(&row);
        memcpy(from, key.data, BULK_KEY_BYTES);
        at.size = sizeof from;
    }
    s->ops->abort(s);
    memcpy(stored, found, count * sizeof *found);
    stored_count = count;
}

bool
bulks_all_ended(void)
{
    for (unsigned i = 0; i < stored_count; i++)
        if (stored[i].open)
            return false;
    return true;
}
