/* Groups of jobs: LIST_GROUPS and GROUPS. What is set for them is in SET_QUEUE. */
#include "message_fields.h"

/* It is shown to people, and is a key of the store. */
struct slice
decoding_group(struct decoding *d)
{
    struct slice text = pack_text(&d->r);
    if (!d->r.bad && !group_is_valid(text))
        decoding_complain(
            d, STINT_INVALID, "the name of a group is 1 to 128 bytes of UTF-8 without a zero");
    return text;
}

bool
group_is_valid(struct slice name)
{
    return name.size > 0 && name.size <= LIMIT_GROUP_BYTES && text_is_utf8(name) &&
        !memchr(name.data, 0, name.size);
}

enum list_groups_key {
    LIST_GROUPS_QUEUE = 2,
    LIST_GROUPS_CURSOR = 3,
    LIST_GROUPS_NAME = 4,
};

void
list_groups_field(struct decoding *d, uint64_t key)
{
    if (key == LIST_GROUPS_QUEUE)
        d->m->list_groups.queue = decoding_name(d);
    else if (key == LIST_GROUPS_CURSOR)
        d->m->list_groups.cursor = pack_bytes(&d->r);
    else if (key == LIST_GROUPS_NAME)
        d->m->list_groups.name = decoding_group(d);
    else
        pack_skip(&d->r);
}

void
message_put_list_groups(struct pack_buffer *b, uint64_t number, struct slice queue,
    struct slice name, struct slice cursor)
{
    put_head_numbered(b, MESSAGE_LIST_GROUPS, 2U + (cursor.size > 0) + (name.size > 0), number);
    put_key_text(b, LIST_GROUPS_QUEUE, queue);
    if (cursor.size)
        put_key_bytes(b, LIST_GROUPS_CURSOR, cursor.data, cursor.size);
    if (name.size)
        put_key_text(b, LIST_GROUPS_NAME, name);
}

/* Of a group in GROUPS. Zero is absent. */
enum group_key {
    GROUP_NAME = 1,
    GROUP_READY = 2,
    GROUP_RUNNING = 3,
    GROUP_WEIGHT = 4,
    GROUP_WAIT = 5,
};

bool
message_next_group(struct message_arrays *arrays)
{
    struct pack_reader *r = &arrays->items.r;
    struct stint_group_info *info = &arrays->items.group;
    int64_t last = -1;
    *info = (struct stint_group_info){.weight = 1};
    for (uint32_t n = pack_map(r); n > 0 && !r->bad; n--) {
        uint64_t key = pack_key(r, &last);
        if (key == GROUP_NAME)
            slice_to_text(info->name, sizeof info->name, pack_text(r));
        else if (key == GROUP_READY)
            info->ready = pack_uint(r);
        else if (key == GROUP_RUNNING)
            info->running = pack_uint(r);
        else if (key == GROUP_WEIGHT)
            info->weight = (uint32_t)pack_uint_max(r, UINT32_MAX);
        else if (key == GROUP_WAIT)
            info->wait_ms = pack_uint(r);
        else
            pack_skip(r);
    }
    return !r->bad;
}

void
message_put_group_info(struct pack_buffer *b, const struct stint_group_info *info)
{
    const uint64_t numbers[] = {
        info->ready, info->running, info->weight > 1 ? info->weight : 0, info->wait_ms};
    enum { NUMBERS = sizeof numbers / sizeof *numbers };
    uint32_t fields = 1;
    for (unsigned i = 0; i < NUMBERS; i++)
        fields += numbers[i] != 0;
    pack_put_map(b, fields);
    put_key_string(b, GROUP_NAME, info->name);
    for (uint8_t i = 0; i < NUMBERS; i++)
        if (numbers[i])
            pack_put_key_uint(b, (uint8_t)(GROUP_READY + i), numbers[i]);
}
