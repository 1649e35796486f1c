/* Groups of a queue, as they are told: in the order of their names, a page at a time; a page's
 * cursor is the name of its last. A group that waits for its bucket alone is not told of: it has no
 * jobs.
 */
#include "group_list.h"
#include "groups.h"
#include "reply.h"

enum { ROWS_A_PAGE = 8192 };

static void
put_group(struct core *core, struct queue *q, struct slice name, const struct row_group *row)
{
    struct stint_group_info info = {.ready = row->ready, .running = row->out};
    const struct stint_id none = {{0}};
    slice_to_text(info.name, sizeof info.name, name);
    info.weight = groups_weight(core, q, name);
    info.wait_ms = groups_wait_of(core, q, &none, name).token_ms;
    message_put_group_info(&core->scratch.page, &info);
}

static void
list_one(struct core *core, struct peer *peer, const struct message *m, struct queue *q)
{
    struct row_group row;
    bool there = groups_get(core, q, m->list_groups.name, &row) && row.ready + row.out > 0;
    if (there)
        put_group(core, q, m->list_groups.name, &row);
    reply_page_send(core, peer, MESSAGE_GROUPS, m->number, there, (struct slice){0});
}

/* The next row of a group of the queue behind the name in `at`, which is replaced by its name. */
static bool
next_group(struct core *core, const struct queue *q, struct slice *at,
    uint8_t name[LIMIT_GROUP_BYTES], struct row_group *row)
{
    uint8_t from[GROUP_KEY_BYTES_MAX + 1];
    static const uint8_t first = 1; /* behind all rows that are of no group */
    const struct slice begin = {&first, 1};
    struct slice key, value, found;
    enum group_row which;
    uint32_t queue;
    size_t size = group_key(from, q->number, at->size ? *at : begin).size;
    from[size] = 0; /* the least key after that one */
    if (!store_seek(
            core->store, STORE_GROUPS, (struct slice){from, size + (at->size > 0)}, &key, &value) ||
        !group_key_read(key, &which, &queue, &found) || queue != q->number ||
        which != GROUP_ROW_GROUP || !row_group_read(key, value, row))
        return false;
    memcpy(name, found.data, found.size);
    *at = (struct slice){name, found.size};
    return true;
}

static void
list_all(struct core *core, struct peer *peer, const struct message *m, struct queue *q)
{
    uint8_t name[LIMIT_GROUP_BYTES];
    struct slice at = m->list_groups.cursor;
    struct row_group row;
    uint32_t count = 0, rows = rows_a_page(core, ROWS_A_PAGE), looked = 0;
    bool more = true;
    groups_flush(core); /* what this step has done so far is told, too */
    while (count < LIMIT_JOBS && core->scratch.page.used < page_bytes(core) && looked < rows) {
        more = next_group(core, q, &at, name, &row);
        if (!more)
            break;
        looked++;
        core->step.listed++;
        if (row.ready + row.out == 0)
            continue;
        put_group(core, q, at, &row);
        count++;
    }
    reply_page_send(
        core, peer, MESSAGE_GROUPS, m->number, count, more ? at : (struct slice){NULL, 0});
}

void
group_list(struct core *core, struct peer *peer, const struct message *m)
{
    struct queue *q = book_queue(&core->book, m->list_groups.queue);
    if (m->list_groups.cursor.size && !group_is_valid(m->list_groups.cursor)) {
        reply_refuse(
            core, peer->number, m, STINT_INVALID, "this cursor was not given by such a list");
        return;
    }
    if (!q) {
        reply_refuse(core, peer->number, m, STINT_NO_SUCH_QUEUE,
            "no job has come for it, and nothing is set for it");
        return;
    }
    reply_page_begin(core);
    if (m->list_groups.name.size)
        list_one(core, peer, m, q);
    else
        list_all(core, peer, m, q);
}
