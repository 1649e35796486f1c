/* Reading what a decoded message holds many of, an element at a time: runs of ids, exceptions,
 * jobs, queues, workers. The contract is in message.h.
 */
#include "message.h"

bool
message_next_run(struct answer *answer, struct stint_id *first, uint32_t *count)
{
    struct pack_reader *r = &answer->inside;
    uint32_t elements = pack_array(r);
    struct slice id = pack_bytes(r);
    *count = (uint32_t)pack_uint_max(r, LIMIT_JOBS);
    if (r->bad || elements != 2 || id.size != STINT_ID_BYTES)
        return false;
    memcpy(first->bytes, id.data, STINT_ID_BYTES);
    return true;
}

bool
message_next_exception(struct answer *answer, uint32_t *index, enum stint_status *status)
{
    struct pack_reader *r = &answer->inside;
    uint32_t elements = pack_array(r);
    *index = (uint32_t)pack_uint_max(r, LIMIT_JOBS);
    *status = (enum stint_status)pack_uint_max(r, UINT16_MAX);
    return !r->bad && elements == 2;
}

static void
job_info_field(struct pack_reader *r, struct stint_job_info *info, uint64_t key)
{
    struct slice s;
    switch (key) {
    case 1:
        s = pack_bytes(r);
        if (s.size == STINT_ID_BYTES)
            memcpy(info->id.bytes, s.data, STINT_ID_BYTES);
        else
            r->bad = true;
        break;
    case 2:
        info->state = (enum stint_state)pack_uint_max(r, UINT16_MAX);
        break;
    case 3:
        slice_to_text(info->queue, sizeof info->queue, pack_text(r));
        break;
    case 4:
        slice_to_text(info->kind, sizeof info->kind, pack_text(r));
        break;
    case 5:
        info->attempt = (uint32_t)pack_uint_max(r, UINT32_MAX);
        break;
    case 6:
        info->failures = (uint32_t)pack_uint_max(r, UINT32_MAX);
        break;
    case 7:
        info->max_attempts = (uint32_t)pack_uint_max(r, UINT32_MAX);
        break;
    case 8:
        info->submitted_ms = pack_uint(r);
        break;
    case 9:
        info->due_ms = pack_uint(r);
        break;
    case 10:
        info->started_ms = pack_uint(r);
        break;
    case 11:
        info->settled_ms = pack_uint(r);
        break;
    case 12:
        info->keep_ms = pack_uint(r);
        break;
    case 13:
        info->time_to_run_ms = pack_uint(r);
        break;
    case 14:
        info->payload_bytes = pack_uint(r);
        break;
    case 15:
        info->result_bytes = pack_uint(r);
        break;
    case 16:
        s = pack_bytes(r);
        info->payload = s.data;
        break;
    case 17:
        s = pack_bytes(r);
        info->result = s.data;
        break;
    case 18:
        slice_to_text(info->worker, sizeof info->worker, pack_text(r));
        break;
    case 19:
        slice_to_text(info->error, sizeof info->error, pack_bytes(r));
        break;
    case 20:
        info->backoff_base_ms = pack_uint(r);
        break;
    case 21:
        info->backoff_cap_ms = pack_uint(r);
        break;
    default:
        pack_skip(r);
    }
}

bool
message_next_job(struct message_room *room)
{
    struct pack_reader *r = &room->items;
    int64_t last = -1;
    room->info = (struct stint_job_info){0};
    for (uint32_t n = pack_map(r); n > 0 && !r->bad; n--)
        job_info_field(r, &room->info, pack_key(r, &last));
    room->info.priority = (uint8_t)(255 - room->info.id.bytes[6]);
    return !r->bad;
}

bool
message_next_queue(struct message_room *room)
{
    struct pack_reader *r = &room->items;
    struct stint_queue_info *info = &room->queue_info;
    int64_t last = -1;
    *info = (struct stint_queue_info){0};
    for (uint32_t n = pack_map(r); n > 0 && !r->bad; n--) {
        uint64_t key = pack_key(r, &last);
        if (key == 1)
            slice_to_text(info->name, sizeof info->name, pack_text(r));
        else if (key == 2)
            info->number = (uint32_t)pack_uint_max(r, UINT32_MAX);
        else if (key == 3) {
            uint32_t states = pack_array(r);
            for (uint32_t i = 0; i < states && !r->bad; i++) {
                uint64_t value = pack_uint(r);
                if (i < STINT_STATES)
                    info->jobs[i] = value;
            }
        } else if (key == 4)
            info->workers = (uint32_t)pack_uint_max(r, UINT32_MAX);
        else if (key == 5)
            slice_to_text(info->unserved, sizeof info->unserved, pack_text(r));
        else
            pack_skip(r);
    }
    return !r->bad;
}

bool
message_next_worker(struct message_room *room)
{
    struct pack_reader *r = &room->items;
    struct stint_worker_info *info = &room->worker_info;
    uint32_t *const counts[] = {&info->slots, &info->window, &info->held};
    uint64_t *const totals[] = {&info->seen_ms_ago, &info->succeeded, &info->failed};
    int64_t last = -1;
    *info = (struct stint_worker_info){0};
    for (uint32_t n = pack_map(r); n > 0 && !r->bad; n--) {
        uint64_t key = pack_key(r, &last);
        if (key == 1)
            slice_to_text(info->name, sizeof info->name, pack_text(r));
        else if (key == 2)
            slice_to_text(info->software, sizeof info->software, pack_text(r));
        else if (key == 3)
            slice_to_text(info->queues, sizeof info->queues, pack_text(r));
        else if (key >= 4 && key <= 6)
            *counts[key - 4] = (uint32_t)pack_uint_max(r, UINT32_MAX);
        else if (key >= 7 && key <= 9)
            *totals[key - 7] = pack_uint(r);
        else if (key == 10)
            slice_to_text(info->kinds, sizeof info->kinds, pack_text(r));
        else
            pack_skip(r);
    }
    return !r->bad;
}
