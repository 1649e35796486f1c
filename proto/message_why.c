/* Why jobs wait: WHY and REASONS. */
#include "message_fields.h"

enum why_key {
    WHY_QUEUE = 2,
    WHY_IDS = 3,
};

void
why_field(struct decoding *d, uint64_t key)
{
    if (key == WHY_QUEUE)
        d->m->why.queue = decoding_name(d);
    else if (key == WHY_IDS)
        decoding_ids(d);
    else
        pack_skip(&d->r);
}

void
message_put_why(struct pack_buffer *b, uint64_t number, struct slice queue,
    const struct stint_id *ids, uint32_t count)
{
    put_head_numbered(b, MESSAGE_WHY, 1U + (queue.size > 0) + (count > 0), number);
    if (queue.size)
        put_key_text(b, WHY_QUEUE, queue);
    if (count)
        put_ids(b, WHY_IDS, ids, count);
}

/* Of an element of REASONS; all but the first are absent where they are zero or empty. */
enum reason_key {
    REASON_WHY = 1,
    REASON_ID = 2,
    REASON_QUEUE = 3,
    REASON_KIND = 4,
    REASON_STATE = 5,
    REASON_CLOSED = 6,
    REASON_FULL = 7,
    REASON_ABOUT = 8,
    REASON_WORKERS = 9,
    REASON_PAUSED = 10,
    REASON_LEAVING = 11,
    REASON_AWAY = 12,
    REASON_SLOTS = 13,
    REASON_BEFORE = 14,
    REASON_DUE = 15,
    REASON_WORKER = 16,
    REASON_ERROR = 17,
    REASON_NEEDS = 18,
};
enum {
    FLAGS = REASON_ABOUT - REASON_CLOSED + 1,
    COUNTS = REASON_AWAY - REASON_WORKERS + 1,
    NUMBERS = REASON_DUE - REASON_SLOTS + 1,
};

static void
reason_text_field(struct pack_reader *r, struct stint_reason *reason, uint64_t key)
{
    switch (key) {
    case REASON_QUEUE:
        slice_to_text(reason->queue, sizeof reason->queue, pack_text(r));
        break;
    case REASON_KIND:
        slice_to_text(reason->kind, sizeof reason->kind, pack_text(r));
        break;
    case REASON_WORKER:
        slice_to_text(reason->worker, sizeof reason->worker, pack_text(r));
        break;
    case REASON_ERROR:
        slice_to_text(reason->error, sizeof reason->error, pack_bytes(r));
        break;
    case REASON_NEEDS:
        slice_to_text(reason->needs, sizeof reason->needs, pack_text(r));
        break;
    default:
        pack_skip(r);
    }
}

static void
reason_field(struct pack_reader *r, struct stint_reason *reason, uint64_t key)
{
    bool *const flags[FLAGS] = {&reason->closed, &reason->full, &reason->about};
    uint32_t *const counts[COUNTS] = {
        &reason->workers, &reason->paused, &reason->leaving, &reason->away};
    uint64_t *const numbers[NUMBERS] = {&reason->slots, &reason->before, &reason->due_ms};
    struct slice id;
    if (key == REASON_WHY)
        reason->why = (enum stint_why)pack_uint_max(r, UINT16_MAX);
    else if (key == REASON_STATE)
        reason->state = (enum stint_state)pack_uint_max(r, UINT16_MAX);
    else if (key == REASON_ID) {
        id = pack_bytes(r);
        r->bad |= id.size != STINT_ID_BYTES;
        if (!r->bad)
            memcpy(reason->id.bytes, id.data, STINT_ID_BYTES);
    } else if (key >= REASON_CLOSED && key <= REASON_ABOUT)
        *flags[key - REASON_CLOSED] = pack_bool(r);
    else if (key >= REASON_WORKERS && key <= REASON_AWAY)
        *counts[key - REASON_WORKERS] = (uint32_t)pack_uint_max(r, UINT32_MAX);
    else if (key >= REASON_SLOTS && key <= REASON_DUE)
        *numbers[key - REASON_SLOTS] = pack_uint(r);
    else
        reason_text_field(r, reason, key);
}

bool
message_next_reason(struct message_arrays *arrays)
{
    struct pack_reader *r = &arrays->items.r;
    int64_t last = -1;
    arrays->reason = (struct stint_reason){.why = STINT_WHY_UNKNOWN};
    for (uint32_t n = pack_map(r); n > 0 && !r->bad; n--)
        reason_field(r, &arrays->reason, pack_key(r, &last));
    return !r->bad;
}

static void
put_reason_texts(struct pack_buffer *b, const struct stint_reason *r)
{
    if (r->worker[0])
        put_key_string(b, REASON_WORKER, r->worker);
    if (r->error[0])
        put_key_bytes(b, REASON_ERROR, r->error, strlen(r->error));
    if (r->needs[0])
        put_key_string(b, REASON_NEEDS, r->needs);
}

void
message_put_reason(struct pack_buffer *b, const struct stint_reason *r)
{
    static const struct stint_id none;
    const bool flags[FLAGS] = {r->closed, r->full, r->about};
    const uint64_t numbers[COUNTS + NUMBERS] = {
        r->workers, r->paused, r->leaving, r->away, r->slots, r->before, r->due_ms};
    bool has_id = memcmp(&r->id, &none, sizeof none) != 0;
    uint32_t fields = 1U + has_id + (r->queue[0] != 0) + (r->kind[0] != 0) + (r->state != 0) +
        (r->worker[0] != 0) + (r->error[0] != 0) + (r->needs[0] != 0);
    for (unsigned i = 0; i < FLAGS; i++)
        fields += flags[i];
    for (unsigned i = 0; i < COUNTS + NUMBERS; i++)
        fields += numbers[i] != 0;
    pack_put_map(b, fields);
    pack_put_key_uint(b, REASON_WHY, r->why);
    if (has_id) {
        put_key(b, REASON_ID);
        put_id(b, &r->id);
    }
    if (r->queue[0])
        put_key_string(b, REASON_QUEUE, r->queue);
    if (r->kind[0])
        put_key_string(b, REASON_KIND, r->kind);
    if (r->state)
        pack_put_key_uint(b, REASON_STATE, r->state);
    for (uint8_t i = 0; i < FLAGS; i++)
        if (flags[i])
            put_key_bool(b, (uint8_t)(REASON_CLOSED + i), true);
    for (uint8_t i = 0; i < COUNTS + NUMBERS; i++)
        if (numbers[i])
            pack_put_key_uint(b, (uint8_t)(REASON_WORKERS + i), numbers[i]);
    put_reason_texts(b, r);
}
