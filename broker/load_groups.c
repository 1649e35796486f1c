/* Groups of a dump; the contract is in load.h. Their jobs make them: each that is ready is in the
 * line of its group, and the broker looks at all of them when it starts.
 */
#include "group_rows.h"
#include "load.h"

static const struct slice nothing = {NULL, 0};

static void
put_group(struct load *load, uint32_t queue, struct slice name, const struct row_group *row)
{
    uint8_t key[GROUP_KEY_BYTES_MAX], bytes[ROW_GROUP_BYTES_MAX];
    struct slice at = group_key(key, queue, name);
    store_put(load->store, STORE_GROUPS, at, row_group_write(bytes, at, row), nothing);
}

static bool
read_name(struct load *load, uint32_t *queue, struct slice *name)
{
    struct load_line *l = &load->line;
    *queue = (uint32_t)line_must_number(l, "queue", UINT32_MAX);
    *name = line_bytes(l, "name", LIMIT_GROUP_BYTES);
    if (!l->why[0] && !group_is_valid(*name))
        line_wrong(l, "name is none of a group");
    if (!l->why[0] && !book_queue_by_number(&load->book, *queue))
        line_wrong(l, "no line before names the queue %u", *queue);
    return !l->why[0];
}

bool
load_group(struct load *load)
{
    struct load_line *l = &load->line;
    struct slice name;
    uint32_t queue;
    bool good = read_name(load, &queue, &name);
    const struct row_group row = {.tokens = line_number(l, "tokens", INT64_MAX),
        .filled_ms = line_number(l, "filled_ms", INT64_MAX)};
    if (!good || l->why[0])
        return false;
    put_group(load, queue, name, &row);
    return true;
}

bool
load_group_weight(struct load *load)
{
    uint8_t key[GROUP_WEIGHT_KEY_BYTES_MAX], bytes[ROW_GROUP_WEIGHT_BYTES_MAX];
    struct load_line *l = &load->line;
    struct slice name;
    uint32_t queue;
    bool good = read_name(load, &queue, &name);
    uint32_t weight = (uint32_t)line_must_number(l, "weight", LIMIT_GROUP_WEIGHT);
    if (good && weight < 1)
        line_wrong(l, "weight is at least 1");
    if (!good || l->why[0])
        return false;
    struct slice at = group_weight_key(key, queue, name);
    store_put(load->store, STORE_GROUPS, at, row_group_weight_write(bytes, at, weight), nothing);
    return true;
}

void
load_group_job(struct load *load, struct level *level, const struct stint_id *at,
    const struct record *r, bool runs)
{
    uint8_t key[GROUP_KEY_BYTES_MAX], line[GROUP_LINE_BYTES_MAX];
    uint32_t queue = level->queue->number;
    struct row_group row = {.ready = 0};
    struct slice value;
    bool ready = r->state == STINT_READY && !runs, out = runs || record_holds(r);
    if (!record_has(r, FIELD_GROUP) || (!ready && !out))
        return;
    struct slice group = group_key(key, queue, r->group);
    if (store_get(load->store, STORE_GROUPS, group, &value) && !row_group_read(group, value, &row))
        row = (struct row_group){.ready = 0};
    row.ready += ready;
    row.far += ready;
    row.out += out;
    put_group(load, queue, r->group, &row);
    if (!ready)
        return;
    level->groups.ready++;
    store_put(load->store, STORE_GROUP_LINES,
        group_line_key(line, queue, r->group, level->priority, id_sequence(at)), nothing, nothing);
}

void
load_finish_groups(struct load *load)
{
    const struct row_queue_groups of_queue = {.walks = true};
    for (const struct queue *q = load->book.by_name; q; q = q->hh.next) {
        uint8_t key[LEVEL_GROUPS_KEY_BYTES], bytes[ROW_QUEUE_GROUPS_BYTES_MAX];
        struct slice found, value, name, at = queue_groups_key(key, q->number);
        enum group_row which;
        uint32_t queue;
        if (!store_seek(load->store, STORE_GROUPS, at, &found, &value) ||
            !group_key_read(found, &which, &queue, &name) || queue != q->number)
            continue; /* it has no groups */
        store_put(
            load->store, STORE_GROUPS, at, row_queue_groups_write(bytes, at, &of_queue), nothing);
        for (uint32_t i = 0; i < q->levels_count; i++) {
            uint8_t level[ROW_LEVEL_GROUPS_BYTES_MAX];
            struct slice level_at = level_groups_key(key, q->number, q->levels[i]->priority);
            store_put(load->store, STORE_GROUPS, level_at,
                row_level_groups_write(level, level_at, q->levels[i]->groups.ready, 0), nothing);
        }
    }
}
