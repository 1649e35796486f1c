/* Rows of groups, verified; the contract is in verify_groups.h. */
#include "verify_groups.h"

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
    uint8_t at[GROUP_LINE_BYTES_MAX];
    uint32_t queue = id_queue(key);
    struct row_group row;
    struct slice value, line = group_line_key(at, queue, name, id_priority(key), id_sequence(key));
    struct level *level = book_level_of(c->book, key);
    bool in_line = store_get(c->store, STORE_GROUP_LINES, line, &value);
    bool stands = read_group(c, queue, name, &row) && row.stands == id_sequence(key) &&
        row.priority == id_priority(key) && stands_at(c, key, row.turn);
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

static void
check_group(struct group_check *c, uint32_t queue, struct slice name, const struct row_group *row)
{
    uint8_t at[GROUP_DUE_KEY_BYTES_MAX];
    struct slice value;
    c->ready -= number_of(queue, name) * row->ready;
    c->out -= number_of(queue, name) * row->out;
    c->dues += row->due_ms > 0;
    if (row->due_ms &&
        !store_get(c->store, STORE_GROUP_DUE, group_due_key(at, row->due_ms, queue, name), &value))
        c->complain(c->context, "a group would never be looked at", NULL);
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

void
group_check_line(struct group_check *c, struct slice key)
{
    uint32_t queue;
    struct slice name;
    uint8_t priority;
    uint64_t sequence;
    c->lines--;
    if (!group_line_read(key, &queue, &name, &priority, &sequence))
        c->complain(c->context, "a row of a group's line is damaged", NULL);
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
    if (c->lines || c->turns)
        c->complain(
            c->context, "a group has jobs in its line or its turn that are not there", NULL);
    if (c->dues)
        c->complain(c->context, "groups are to be looked at that are not there", NULL);
}
