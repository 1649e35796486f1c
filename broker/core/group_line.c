/* The line of a group; the contract is in group_line.h. */
#include "group_line.h"

static const struct slice nothing = {NULL, 0};

bool
group_line_goes_before(const struct queue *q, uint8_t priority, uint64_t sequence,
    uint8_t than_priority, uint64_t than_sequence)
{
    return queue_prefers(q, priority, than_priority) ||
        (priority == than_priority && sequence < than_sequence);
}

/* ---- places ---- */

static bool
goes_before_place(const struct group *g, uint8_t priority, uint64_t sequence,
    const struct group_places *p, uint32_t i)
{
    return group_line_goes_before(g->queue, priority, sequence, p->priority[i], p->sequence[i]);
}

/* Where the job is; `count`: nowhere. */
static uint32_t
find_place(const struct group_places *p, uint8_t priority, uint64_t sequence)
{
    uint32_t i = 0;
    while (i < p->count && (p->sequence[i] != sequence || p->priority[i] != priority))
        i++;
    return i;
}

static void
insert_place(struct group_places *p, uint32_t at, uint8_t priority, uint64_t sequence)
{
    assert(p->count < GROUP_PLACES && at <= p->count);
    memmove(p->priority + at + 1, p->priority + at, p->count - at);
    memmove(p->sequence + at + 1, p->sequence + at, (p->count - at) * sizeof *p->sequence);
    p->priority[at] = priority;
    p->sequence[at] = sequence;
    p->count++;
}

/* The line is in that order. */
static void
sort_in(const struct group *g, struct group_places *p, uint8_t priority, uint64_t sequence)
{
    uint32_t at = p->count;
    while (at > 0 && goes_before_place(g, priority, sequence, p, at - 1))
        at--;
    insert_place(p, at, priority, sequence);
}

static void
remove_place(struct group_places *p, uint32_t at)
{
    assert(at < p->count);
    p->count--;
    memmove(p->priority + at, p->priority + at + 1, p->count - at);
    memmove(p->sequence + at, p->sequence + at + 1, (p->count - at) * sizeof *p->sequence);
}

static bool
take_place(struct group_places *p, uint8_t priority, uint64_t sequence)
{
    uint32_t at = find_place(p, priority, sequence);
    if (at == p->count)
        return false;
    remove_place(p, at);
    return true;
}

/* ---- rows ---- */

static struct slice
row_key(uint8_t key[GROUP_LINE_BYTES_MAX], const struct group *g, const struct group_places *p)
{
    return group_line_key(key, g->queue->number, group_name(g), p->priority[0], p->sequence[0]);
}

static void
put_row(struct core *core, const struct group *g, const struct group_places *p)
{
    uint8_t key[GROUP_LINE_BYTES_MAX], bytes[ROW_GROUP_LINE_BYTES_MAX];
    struct slice at = row_key(key, g, p), row = row_group_line_write(bytes, at, p);
    store_put(core->store, STORE_GROUP_LINES, at, row, nothing);
    core->step.written_bytes += g->name_bytes + row.size + ROW_OVERHEAD_BYTES;
}

/* The row that begins with the first of these is there no more. */
static void
del_row(struct core *core, const struct group *g, const struct group_places *p)
{
    uint8_t key[GROUP_LINE_BYTES_MAX];
    (void)store_del(core->store, STORE_GROUP_LINES, row_key(key, g, p));
}

/* The first row at or after, or the last at or before, that place; none is in it if it is damaged.
 */
static bool
seek_row(struct store *store, uint32_t queue, struct slice name, bool back, uint8_t priority,
    uint64_t sequence, struct group_places *p)
{
    uint8_t from[GROUP_LINE_BYTES_MAX];
    struct slice key, value, of;
    uint32_t number;
    struct slice begin = group_line_key(from, queue, name, priority, sequence);
    bool found = back ? store_seek_back(store, STORE_GROUP_LINES, begin, &key, &value)
                      : store_seek(store, STORE_GROUP_LINES, begin, &key, &value);
    if (!found || !group_line_key_read(key, &number, &of, &p->priority[0], &p->sequence[0]) ||
        number != queue || of.size != name.size || memcmp(of.data, name.data, of.size) != 0)
        return false;
    if (!row_group_line_read(key, value, p))
        p->count = 0;
    return true;
}

/* The last row that begins at or before that place, of the same priority. */
static bool
find_row(struct core *core, const struct group *g, uint8_t priority, uint64_t sequence,
    struct group_places *p)
{
    return seek_row(core->store, g->queue->number, group_name(g), true, priority, sequence, p) &&
        p->count > 0 && p->priority[0] == priority;
}

/* The first row, in the queue's order. */
static bool
first_row(struct core *core, const struct group *g, struct group_places *p)
{
    struct slice name = group_name(g);
    uint32_t number = g->queue->number;
    do {
        uint8_t from = UINT8_MAX;
        if (g->queue->set.low_first && seek_row(core->store, number, name, true, 0, UINT64_MAX, p))
            from = p->priority[0];
        if (!seek_row(core->store, number, name, false, from, 0, p))
            return false;
        if (p->count > 0)
            return true;
        core_say(core, NOTE_ERROR,
            "jobs in a group's line are not found, the data is damaged; --verify",
            NOTE_TEXT("queue", g->queue->name));
        del_row(core, g, p);
    } while (true);
}

/* ---- the far ones ---- */

static void
split(struct group_places *p, struct group_places *upper)
{
    enum { HALF = GROUP_PLACES / 2 };
    assert(p->count == GROUP_PLACES);
    upper->count = GROUP_PLACES - HALF;
    memcpy(upper->priority, p->priority + HALF, upper->count);
    memcpy(upper->sequence, p->sequence + HALF, upper->count * sizeof *upper->sequence);
    p->count = HALF;
}

/* Where a group's row was damaged, one that comes may be there already. */
static void
add_far(struct core *core, struct group *g, uint8_t priority, uint64_t sequence)
{
    struct group_places p, upper;
    bool found = find_row(core, g, priority, sequence, &p);
    if (found && find_place(&p, priority, sequence) < p.count)
        return;
    g->row.far++;
    if (!found || (p.count == GROUP_PLACES && sequence > p.sequence[p.count - 1])) {
        p.count = 0; /* a row of its own */
    } else if (p.count == GROUP_PLACES) {
        split(&p, &upper);
        if (sequence > upper.sequence[0]) {
            put_row(core, g, &p);
            p = upper;
        } else {
            put_row(core, g, &upper);
        }
    }
    sort_in(g, &p, priority, sequence);
    put_row(core, g, &p);
}

static bool
remove_far(struct core *core, struct group *g, uint8_t priority, uint64_t sequence)
{
    struct group_places p;
    if (!find_row(core, g, priority, sequence, &p) || find_place(&p, priority, sequence) == p.count)
        return false;
    if (p.sequence[0] == sequence)
        del_row(core, g, &p);
    (void)take_place(&p, priority, sequence);
    if (p.count > 0)
        put_row(core, g, &p);
    g->row.far -= g->row.far > 0;
    return true;
}

/* ---- the ends ---- */

/* As a row of its own, or behind those of the last one before it. */
static void
write_tail(struct core *core, struct group *g)
{
    const struct group_places tail = g->row.tail;
    struct group_places p;
    g->row.tail.count = 0;
    if (tail.count == 0)
        return;
    uint8_t priority = tail.priority[0];
    bool found = find_row(core, g, priority, tail.sequence[tail.count - 1], &p);
    bool in_one = !found || p.sequence[p.count - 1] < tail.sequence[0];
    if (!found || p.count + tail.count > GROUP_PLACES)
        p.count = 0;
    for (uint32_t i = 0; i < tail.count; i++)
        if (in_one)
            insert_place(&p, p.count, priority, tail.sequence[i]);
        else
            add_far(core, g, priority, tail.sequence[i]);
    if (in_one) {
        put_row(core, g, &p);
        g->row.far += tail.count;
    }
}

/* What is near is in the queue's order, which may be another one now. */
static void
put_in_order(struct core *core, struct group *g)
{
    const struct group_places near = g->row.near;
    if (g->row.low_first == g->queue->set.low_first)
        return;
    bool is_all = g->row.far == 0 && g->row.tail.count == 0;
    g->row.low_first = g->queue->set.low_first;
    g->row.near.count = 0;
    write_tail(core, g);
    for (uint32_t i = 0; i < near.count; i++)
        if (is_all)
            sort_in(g, &g->row.near, near.priority[i], near.sequence[i]);
        else
            add_far(core, g, near.priority[i], near.sequence[i]);
    group_mark(core, g);
}

/* None is near only if there is none at all. */
static void
come_near(struct core *core, struct group *g)
{
    struct row_group *row = &g->row;
    struct group_places p;
    put_in_order(core, g);
    if (row->near.count > 0 || (row->far == 0 && row->tail.count == 0))
        return;
    bool found = row->far > 0 && first_row(core, g, &p);
    if (found && row->tail.count > 0 &&
        goes_before_place(g, row->tail.priority[0], row->tail.sequence[0], &p, p.count - 1)) {
        write_tail(core, g);
        found = first_row(core, g, &p);
    }
    group_mark(core, g);
    if (found) {
        del_row(core, g, &p);
        row->far -= earlier(p.count, row->far);
        row->near = p;
        return;
    }
    row->far = 0;
    row->near = row->tail;
    row->tail.count = 0;
}

static void
add_near(struct core *core, struct group *g, uint8_t priority, uint64_t sequence)
{
    struct group_places *near = &g->row.near;
    if (near->count == GROUP_PLACES) {
        near->count--;
        add_far(core, g, near->priority[near->count], near->sequence[near->count]);
    }
    sort_in(g, near, priority, sequence);
}

static void
add_tail(struct core *core, struct group *g, uint8_t priority, uint64_t sequence)
{
    struct group_places *tail = &g->row.tail;
    if (tail->count > 0 &&
        (tail->count == GROUP_PLACES || tail->priority[0] != priority ||
            sequence <= tail->sequence[tail->count - 1]))
        write_tail(core, g);
    insert_place(tail, tail->count, priority, sequence);
}

/* ---- the line ---- */

void
group_line_add(struct core *core, struct group *g, uint8_t priority, uint64_t sequence)
{
    const struct row_group *row = &g->row;
    const struct group_places *near = &row->near;
    come_near(core, g);
    bool is_all = row->far == 0 && row->tail.count == 0 && near->count < GROUP_PLACES;
    if (is_all || goes_before_place(g, priority, sequence, near, near->count - 1))
        add_near(core, g, priority, sequence);
    else
        add_tail(core, g, priority, sequence);
    core->step.written_bytes += 2 * NUMBER_BYTES_MAX;
    group_mark(core, g);
}

bool
group_line_remove(struct core *core, struct group *g, uint8_t priority, uint64_t sequence)
{
    if (!take_place(&g->row.near, priority, sequence) &&
        !take_place(&g->row.tail, priority, sequence) && !remove_far(core, g, priority, sequence))
        return false;
    group_mark(core, g);
    return true;
}

bool
group_line_first(struct core *core, struct group *g, uint8_t *priority, uint64_t *sequence)
{
    come_near(core, g);
    if (g->row.near.count == 0)
        return false;
    *priority = g->row.near.priority[0];
    *sequence = g->row.near.sequence[0];
    return true;
}

bool
group_line_has(struct store *store, uint32_t queue, struct slice name, const struct row_group *row,
    uint8_t priority, uint64_t sequence)
{
    struct group_places p;
    return find_place(&row->near, priority, sequence) < row->near.count ||
        find_place(&row->tail, priority, sequence) < row->tail.count ||
        (seek_row(store, queue, name, true, priority, sequence, &p) &&
            find_place(&p, priority, sequence) < p.count);
}
