/* Every message's head, and which decoder its type has; the contract is in message.h, the fields
 * are in message_*.c.
 */
#include "message_fields.h"

const char *
message_name(enum message_type type)
{
    switch (type) {
#define X(number, name, sender, decoder) \
    case MESSAGE_##name: \
        return #name;
#include "message.def"
#undef X
    case MESSAGE_NONE:
        break;
    }
    return "UNKNOWN";
}

bool
message_allowed(enum message_type type, enum message_role role)
{
    enum { P = 3, C = 1, W = 2, B = 0, A = 3 };
    switch (type) {
#define X(number, name, sender, decoder) \
    case MESSAGE_##name: \
        return ((sender) & (int)role) != 0;
#include "message.def"
#undef X
    case MESSAGE_NONE:
        break;
    }
    return false;
}

static field_decoder *
decoder_of(uint64_t type)
{
    switch (type) {
#define X(number, name, sender, decoder) \
    case MESSAGE_##name: \
        return decoder;
#include "message.def"
#undef X
    default:
        return NULL;
    }
}

enum stint_status
message_decode(const void *frame, size_t size, struct message *message,
    struct message_arrays *arrays, const char **why)
{
    struct decoding d = {.r = pack_reader(frame, size),
        .m = message,
        .arrays = arrays,
        .status = STINT_OK,
        .why = ""};
    int64_t last = -1;

    *message = (struct message){.type = MESSAGE_NONE};
    uint32_t fields = pack_map(&d.r);
    if (fields == 0 || pack_key(&d.r, &last) != KEY_TYPE)
        d.r.bad = true;
    uint64_t type = pack_uint(&d.r);
    if (type == MESSAGE_PING)
        message->ping = (struct ping){.window = WINDOW_UNCHANGED, .slots = SLOTS_UNCHANGED};
    else if (type == MESSAGE_CONTROL)
        message->control.slots = SLOTS_OWN;
    else if (type == MESSAGE_ORDER)
        message->order.slots = SLOTS_OWN;
    else if (type == MESSAGE_SETTLE)
        message->settle.window = WINDOW_UNCHANGED;
    else if (type == MESSAGE_BULK)
        message->bulk.priority = -1;
    else if (type == MESSAGE_SET_BATCH)
        message->set_batch.keep_ms = KEEP_DEFAULT;
    else if (type == MESSAGE_SET_QUEUE) {
        message->set_queue.limits = (struct stint_queue_limits)STINT_QUEUE_LIMITS_INIT;
        message->set_queue.tuning = (struct stint_queue_tuning)STINT_QUEUE_TUNING_INIT;
        message->set_queue.groups = (struct group_setting){UINT32_MAX, UINT64_MAX, 0};
    } else if (type == MESSAGE_QUEUE)
        message->queue = (struct stint_queue_setting){.weight = 1, .keep_ms = STINT_KEEP_UNSET};
    *why = "not a map that begins with its type";
    if (d.r.bad)
        return STINT_BAD_MESSAGE;
    message->type = (enum message_type)type;
    field_decoder *decode = decoder_of(type);
    for (uint32_t i = 1; i < fields && !d.r.bad; i++) {
        uint64_t key = pack_key(&d.r, &last);
        if (key == KEY_NUMBER && !d.r.bad) {
            message->number = pack_uint(&d.r);
            if (!decode)
                break;
        } else if (decode)
            decode(&d, key);
        else
            break;
    }
    *why = d.why;
    if (!decode)
        return STINT_UNKNOWN_TYPE;
    if (d.status != STINT_OK)
        return d.status;
    if (type == MESSAGE_SUBMIT && !d.r.bad && !d.has_jobs) {
        *why = "a submit has at least one job";
        return STINT_INVALID;
    }
    if (d.r.bad || d.r.at != d.r.end) {
        *why = "a field has the wrong type, or the frame is cut or too long";
        return STINT_BAD_MESSAGE;
    }
    return STINT_OK;
}
