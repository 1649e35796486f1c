/* Rows of groups, verified; the contract is in verify_groups.h. */
#include "verify_groups.h"
#include "group_line.h"

/* The number of a group. */
static uint64_t
number_of(uint32_t queue, struct slice name)
{
    return record_check(name.data, name.size, queue) | 1;
}

static bool
read_group(const struct group_check *c, uint32_t queue, struct slice name, struct row_group *row)
{
    uint8_t key[GROUP_KEY_BYTES_MAX];
    struct slice value, at = group_key(key, queue, name);
    return store_get(c->store, STORE_GROUPS, at, &value) && row_group_read(at, value, row);
}

static bool
stands_at(const struct group_check *c, const struct stint_id *key, uint64_t turn)
{
    uint8_t at[GROUP_TURN_KEY_BYTES];
    struct slice value;
    return store_get(c->store, STORE_GROUP_TURNS, group_turn_key(at, key, turn), &value);
}

static void
check_ready(struct group_check *c, const struct stint_id *key, struct slice name)
{
    uint32_t queue = id_queue(key);
    struct row_group row = {.ready = 0};
    struct level *level = book_level_of(c->book, key);
    bool known = read_group(c, queue, name, &row);
    bool in_line = group_line_has(c->store, queue, name, &row, id_priority(key), id_sequence(key));
    bool stands = known && row.stands == id_sequence(key) && row.priority == id_priority(key) &&
        stands_at(c, key, row.turn);
    c->ready += number_of(queue, name);
    c->lines += in_line;
    c->turns += stands;
    if (level) {
        level->groups.ready--;
        level->groups.standing -= stands;
    }
    if (in_line == stands)
        c->complain(c->context, "a ready job is not in its group's line, or twice", key);
}

void
group_check_job(
    struct group_check *c, const struct stint_id *key, const struct record *r, bool runs)
{
    if (!record_has(r, FIELD_GROUP))
        return;
    bool apart = r->state == STINT_READY && !runs && stands_at(c, key, GROUP_TURN_APART);
    c->turns += apart;
    if (runs || apart || record_holds(r))
        c->out += number_of(id_queue(key), r->group);
    else if (r->state == STINT_READY)
        check_ready(c, key, r->group);
    if (record_holds(r) && r->state != STINT_SCHEDULED)
        c->complain(c->context, "a job keeps its group's place and is not to be tried again", key);
}

static bool
is_in_order(const struct queue *q, const struct group_places *p)
{
    for (uint32_t i = 1; i < p->count; i++)
        if (!group_line_goes_before(
                q, p->priority[i - 1], p->sequence[i - 1], p->priority[i], p->sequence[i]))
            return false;
    return true;
}

/* The places that the group's row has. */
static void
check_ends(struct group_check *c, uint32_t queue, const struct row_group *row)
{
    const struct group_places *near = &row->near, *tail = &row->tail;
    const struct queue *q = book_queue_by_number(c->book, queue);
    if (!q || q->set.low_first != row->low_first)
        return; /* the queue's order has changed, and they are still to be put into it */
    bool good = is_in_order(q, near) && is_in_order(q, tail) &&
        (tail->count == 0 || tail->priority[0] == tail->priority[tail->count - 1]);
    if (near->count > 0 && tail->count > 0)
        good &= group_line_goes_before(q, near->priority[near->count - 1],
            near->sequence[near->count - 1], tail->priority[0], tail->sequence[0]);
    if (!good)
        c->complain(c->context, "a group's line is not in order", NULL);
}

static void
check_group(struct group_check *c, uint32_t queue, struct slice name, const struct row_group *row)
{
    uint8_t at[GROUP_DUE_KEY_BYTES_MAX];
    struct slice value;
    c->ready -= number_of(queue, name) * row->ready;
    c->out -= number_of(queue, name) * row->out;
    c->dues += row->due_ms > 0;
    c->lines -= row->near.count + row->tail.count;
    c->far -= number_of(queue, name) * row->far;
    if (row->due_ms &&
        !store_get(c->store, STORE_GROUP_DUE, group_due_key(at, row->due_ms, queue, name), &value))
        c->complain(c->context, "a group would never be looked at", NULL);
    check_ends(c, queue, row);
    struct stint_id key = id_make(c->book->broker, queue, row->priority, row->stands);
    if (row->stands && !stands_at(c, &key, row->turn))
        c->complain(c->context, "a job of a group that is next would never be handed out", &key);
}

static void
check_level(
    struct group_check *c, uint32_t number, uint8_t priority, uint64_t ready, uint64_t standing)
{
    uint8_t key[QUEUE_GROUPS_KEY_BYTES];
    struct slice value;
    struct queue *q = book_queue_by_number(c->book, number);
    struct level *level = q ? book_level(c->book, q, priority, false) : NULL;
    if (!store_get(c->store, STORE_GROUPS, queue_groups_key(key, number), &value))
        c->complain(c->context, "what the groups of a queue share is missing", NULL);
    if (level) {
        level->groups.ready += ready;
        level->groups.standing += standing;
    } else
        c->complain(c->context, "jobs of groups are counted in a priority that there is not", NULL);
}

void
group_check_row(struct group_check *c, struct slice key, struct slice value)
{
    enum group_row which;
    uint32_t number, weight;
    uint64_t ready, standing;
    struct slice name;
    struct row_group row;
    struct row_queue_groups of_queue;
    bool good = group_key_read(key, &which, &number, &name);
    struct queue *q = good ? book_queue_by_number(c->book, number) : NULL;
    if (good && which == GROUP_ROW_GROUP && (good = row_group_read(key, value, &row)))
        check_group(c, number, name, &row);
    else if (good && which == GROUP_ROW_LEVEL &&
        (good = row_level_groups_read(key, value, &ready, &standing)))
        check_level(c, number, name.data[0], ready, standing);
    else if (good && which == GROUP_ROW_WEIGHT &&
        (good = q && row_group_weight_read(key, value, &weight)))
        q->set.group_weights--;
    else if (good && which == GROUP_ROW_QUEUE)
        good = q && row_queue_groups_read(key, value, &of_queue);
    if (!good)
        c->complain(c->context, "a row of groups is damaged", NULL);
}

/* The places of a row: behind those of the row before it, and behind those that are near. */
static void
check_row_of_line(
    struct group_check *c, uint32_t queue, struct slice name, const struct group_places *p)
{
    struct row_group row;
    const struct queue *q = book_queue_by_number(c->book, queue);
    uint64_t of = number_of(queue, name) + p->priority[0];
    bool good = of != c->behind_of || c->behind < p->sequence[0];
    if (q && read_group(c, queue, name, &row) && row.near.count > 0 &&
        row.low_first == q->set.low_first)
        good &= group_line_goes_before(q, row.near.priority[row.near.count - 1],
            row.near.sequence[row.near.count - 1], p->priority[0], p->sequence[0]);
    if (!good)
        c->complain(c->context, "a group's line is not in order", NULL);
    c->behind_of = of;
    c->behind = p->sequence[p->count - 1];
}

void
group_check_line(struct group_check *c, struct slice key, struct slice value)
{
    uint32_t queue;
    struct slice name;
    uint8_t priority;
    uint64_t sequence;
    struct group_places places;
    if (!group_line_key_read(key, &queue, &name, &priority, &sequence) ||
        !row_group_line_read(key, value, &places)) {
        c->complain(c->context, "a row of a group's line is damaged", NULL);
        return;
    }
    c->lines -= places.count;
    c->far += number_of(queue, name) * places.count;
    check_row_of_line(c, queue, name, &places);
}

void
group_check_turn(struct group_check *c, struct slice key, struct slice value)
{
    struct stint_id id;
    uint64_t turn;
    struct slice name;
    c->turns--;
    if (!group_turn_key_read(key, &id, &turn) || !row_group_turn_read(key, value, &name))
        c->complain(c->context, "a turn of a group is damaged", NULL);
}

void
group_check_due(struct group_check *c, struct slice key)
{
    uint64_t due_ms;
    uint32_t queue;
    struct slice name;
    c->dues--;
    if (!group_due_read(key, &due_ms, &queue, &name))
        c->complain(c->context, "when a group is to be looked at is damaged", NULL);
}

void
group_check_end(struct group_check *c)
{
    bool levels = true, weights = true;
    for (const struct queue *q = c->book->by_name; q; q = q->hh.next) {
        weights &= q->set.group_weights == 0;
        for (uint32_t i = 0; i < q->levels_count; i++)
            levels &= q->levels[i]->groups.ready == 0 && q->levels[i]->groups.standing == 0;
    }
    if (!levels)
        c->complain(
            c->context, "jobs of groups are counted in a priority that are not there", NULL);
    if (!weights)
        c->complain(c->context, "weights of groups are counted that are not there", NULL);
    if (c->ready || c->out)
        c->complain(
            c->context, "a group counts jobs that are not there, or does not count some", NULL);
    if (c->lines || c->far || c->turns)
        c->complain(
            c->context, "a group has jobs in its line or its turn that are not there", NULL);
    if (c->dues)
        c->complain(c->context, "groups are to be looked at that are not there", NULL);
}
