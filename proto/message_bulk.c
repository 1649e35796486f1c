/* Operations on all jobs that a filter is true of: BULK begins one, LIST_BULKS and STOP_BULK are
 * about those that there are, and BULKS answers all three.
 */
#include "message_fields.h"

enum bulk_key {
    BULK_NUMBER = 2,
    BULK_ACTION = 3,
    BULK_FILTER = 4,
    BULK_QUEUE = 5,
    BULK_PRIORITY = 6,
    BULK_DRY = 7,
    BULK_ALL = 8,
};

static const char an_action[] = "the action is 1 to 6";

void
bulk_field(struct decoding *d, uint64_t key)
{
    struct bulk_request *k = &d->m->bulk;
    switch (key) {
    case BULK_NUMBER:
        k->bulk = pack_uint(&d->r);
        break;
    case BULK_ACTION:
        k->action = (enum stint_bulk_action)decoding_ranged(
            d, STINT_BULK_CANCEL, STINT_BULK_PRIORITY, an_action);
        break;
    case BULK_FILTER:
        k->filter = decoding_filter(d);
        break;
    case BULK_QUEUE:
        k->queue = decoding_name(d);
        break;
    case BULK_PRIORITY:
        k->priority = (int32_t)decoding_ranged(d, 0, 255, "the priority is 0 to 255");
        break;
    case BULK_DRY:
        k->dry = pack_bool(&d->r);
        break;
    case BULK_ALL:
        k->all = pack_bool(&d->r);
        break;
    default:
        pack_skip(&d->r);
    }
}

void
message_put_bulk(struct pack_buffer *b, uint64_t number, const struct bulk_request *k)
{
    put_head_numbered(b, MESSAGE_BULK,
        3U + (k->filter.size > 0) + (k->queue.size > 0) + (k->priority >= 0) + k->dry + k->all,
        number);
    pack_put_key_uint(b, BULK_NUMBER, k->bulk);
    pack_put_key_uint(b, BULK_ACTION, k->action);
    if (k->filter.size)
        put_key_filter(b, BULK_FILTER, k->filter);
    if (k->queue.size)
        put_key_text(b, BULK_QUEUE, k->queue);
    if (k->priority >= 0)
        pack_put_key_uint(b, BULK_PRIORITY, (uint64_t)k->priority);
    if (k->dry)
        put_key_bool(b, BULK_DRY, true);
    if (k->all)
        put_key_bool(b, BULK_ALL, true);
}

enum list_bulks_key {
    LIST_BULKS_NUMBER = 2,
    LIST_BULKS_CURSOR = 3,
};

void
list_bulks_field(struct decoding *d, uint64_t key)
{
    if (key == LIST_BULKS_NUMBER)
        d->m->list_bulks.bulk = pack_uint(&d->r);
    else if (key == LIST_BULKS_CURSOR && d->m->type == MESSAGE_LIST_BULKS)
        d->m->list_bulks.cursor = pack_bytes(&d->r);
    else
        pack_skip(&d->r);
}

void
message_put_list_bulks(struct pack_buffer *b, enum message_type type, uint64_t number,
    uint64_t bulk, struct slice cursor)
{
    put_head_numbered(b, type, 1U + (bulk != 0) + (cursor.size > 0), number);
    if (bulk)
        pack_put_key_uint(b, LIST_BULKS_NUMBER, bulk);
    if (cursor.size)
        put_key_bytes(b, LIST_BULKS_CURSOR, cursor.data, cursor.size);
}

/* Of an element of BULKS. Zero and empty are absent, but for the first three. */
enum bulk_info_key {
    BULK_INFO_NUMBER = 1,
    BULK_INFO_ACTION = 2,
    BULK_INFO_STATE = 3,
    BULK_INFO_FILTER = 4,
    BULK_INFO_QUEUE = 5,
    BULK_INFO_PRIORITY = 6,
    BULK_INFO_DRY = 7,
    BULK_INFO_KEY = 8,
    BULK_INFO_BEGAN = 9,
    BULK_INFO_ENDED = 10,
    BULK_INFO_COUNTED = 11,
    BULK_INFO_DONE = 12,
    BULK_INFO_REFUSED = 13,
    BULK_INFO_STATUS = 14,
    BULK_INFO_EXAMPLES = 15,
};
enum { FIGURES = BULK_INFO_REFUSED - BULK_INFO_BEGAN + 1 };

/* It may be of a newer broker, which knows more fields: whoever shows it sees to that. */
static void
read_filter(struct pack_reader *r, struct slice *filter)
{
    struct pack_reader array = *r;
    filter->data = r->at;
    (void)pack_array(&array);
    r->bad |= array.bad;
    pack_skip(r);
    filter->size = r->bad ? 0 : (size_t)(r->at - filter->data);
}

static void
read_examples(struct pack_reader *r, struct stint_bulk_info *i)
{
    for (uint32_t n = pack_array(r); n > 0 && !r->bad; n--) {
        struct slice id = pack_bytes(r);
        r->bad |= id.size != STINT_ID_BYTES;
        if (!r->bad && i->examples_count < STINT_BULK_EXAMPLES)
            memcpy(i->examples[i->examples_count++].bytes, id.data, STINT_ID_BYTES);
    }
}

static void
bulk_info_field(struct pack_reader *r, struct bulk_item *item, uint64_t key)
{
    struct stint_bulk_info *i = &item->info;
    uint64_t *const figures[FIGURES] = {
        &i->began_ms, &i->ended_ms, &i->counted, &i->done, &i->refused};
    if (key == BULK_INFO_NUMBER)
        i->bulk = pack_uint(r);
    else if (key == BULK_INFO_ACTION)
        i->action = (enum stint_bulk_action)pack_uint_max(r, UINT16_MAX);
    else if (key == BULK_INFO_STATE)
        i->state = (enum stint_bulk_state)pack_uint_max(r, UINT16_MAX);
    else if (key == BULK_INFO_FILTER)
        read_filter(r, &item->filter);
    else if (key == BULK_INFO_QUEUE)
        slice_to_text(i->queue, sizeof i->queue, pack_text(r));
    else if (key == BULK_INFO_PRIORITY)
        i->priority = (uint8_t)pack_uint_max(r, UINT8_MAX);
    else if (key == BULK_INFO_DRY)
        i->dry = pack_bool(r);
    else if (key == BULK_INFO_KEY)
        slice_to_text(i->key, sizeof i->key, pack_text(r));
    else if (key >= BULK_INFO_BEGAN && key <= BULK_INFO_REFUSED)
        *figures[key - BULK_INFO_BEGAN] = pack_uint(r);
    else if (key == BULK_INFO_STATUS)
        i->status = (enum stint_status)pack_uint_max(r, UINT16_MAX);
    else if (key == BULK_INFO_EXAMPLES)
        read_examples(r, i);
    else
        pack_skip(r);
}

bool
message_next_bulk(struct message_arrays *arrays)
{
    struct pack_reader *r = &arrays->items.r;
    int64_t last = -1;
    arrays->bulk = (struct bulk_item){.info.where = ""};
    for (uint32_t n = pack_map(r); n > 0 && !r->bad; n--)
        bulk_info_field(r, &arrays->bulk, pack_key(r, &last));
    return !r->bad;
}

static void
put_target(struct pack_buffer *b, const struct stint_bulk_info *i)
{
    if (i->queue[0])
        put_key_string(b, BULK_INFO_QUEUE, i->queue);
    if (i->priority)
        pack_put_key_uint(b, BULK_INFO_PRIORITY, i->priority);
    if (i->dry)
        put_key_bool(b, BULK_INFO_DRY, true);
    if (i->key[0])
        put_key_string(b, BULK_INFO_KEY, i->key);
}

void
message_put_bulk_info(struct pack_buffer *b, const struct bulk_item *item)
{
    const struct stint_bulk_info *i = &item->info;
    const uint64_t figures[FIGURES] = {i->began_ms, i->ended_ms, i->counted, i->done, i->refused};
    uint32_t fields = 3U + (item->filter.size > 0) + (i->queue[0] != 0) + (i->priority != 0) +
        i->dry + (i->key[0] != 0) + (i->status != STINT_OK) + (i->examples_count > 0);
    for (unsigned n = 0; n < FIGURES; n++)
        fields += figures[n] != 0;
    pack_put_map(b, fields);
    pack_put_key_uint(b, BULK_INFO_NUMBER, i->bulk);
    pack_put_key_uint(b, BULK_INFO_ACTION, i->action);
    pack_put_key_uint(b, BULK_INFO_STATE, i->state);
    if (item->filter.size)
        put_key_filter(b, BULK_INFO_FILTER, item->filter);
    put_target(b, i);
    for (uint8_t n = 0; n < FIGURES; n++)
        if (figures[n])
            pack_put_key_uint(b, (uint8_t)(BULK_INFO_BEGAN + n), figures[n]);
    if (i->status != STINT_OK)
        pack_put_key_uint(b, BULK_INFO_STATUS, i->status);
    if (i->examples_count == 0)
        return;
    put_key_array(b, BULK_INFO_EXAMPLES, i->examples_count);
    for (uint32_t n = 0; n < i->examples_count; n++)
        put_id(b, &i->examples[n]);
}
