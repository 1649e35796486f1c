/* Frames to messages; the contract is in message.h. A decoder a message type, a switch over its
 * keys in each; the table at the end names them all.
 */
#include "decoding.h"

#include <stdlib.h>

void
decoding_complain(struct decoding *d, enum stint_status status, const char *why)
{
    if (d->status == STINT_OK) {
        d->status = status;
        d->why = why;
    }
    d->r.bad = true;
}

uint64_t
decoding_ranged(struct decoding *d, uint64_t min, uint64_t max, const char *why)
{
    uint64_t value = pack_uint(&d->r);
    if (!d->r.bad && (value < min || value > max))
        decoding_complain(d, STINT_INVALID, why);
    return d->r.bad ? 0 : value;
}

uint32_t
decoding_counted(struct decoding *d, uint32_t max, const char *why)
{
    uint32_t count = pack_array(&d->r);
    if (count > max)
        decoding_complain(d, STINT_TOO_LARGE, why);
    return d->r.bad ? 0 : count;
}

static struct slice
label(struct decoding *d)
{
    struct slice text = pack_text(&d->r);
    if (text.size > LIMIT_LABEL_BYTES)
        decoding_complain(d, STINT_TOO_LARGE, "a peer's name or software is over 128 bytes");
    if (!d->r.bad && !text_is_utf8(text))
        decoding_complain(d, STINT_BAD_NAME, "a peer's name or software is not UTF-8");
    return text;
}

struct slice
decoding_name(struct decoding *d)
{
    struct slice text = pack_text(&d->r);
    if (!d->r.bad && !name_is_valid(text))
        decoding_complain(d, STINT_BAD_NAME, "the name of a queue or kind is not allowed");
    return text;
}

static void
fixed_bytes(struct decoding *d, uint8_t *to, size_t size, const char *why)
{
    struct slice bytes = pack_bytes(&d->r);
    if (!d->r.bad && bytes.size != size)
        decoding_complain(d, STINT_INVALID, why);
    if (!d->r.bad)
        memcpy(to, bytes.data, size);
}

void
decoding_id(struct decoding *d, struct stint_id *id)
{
    fixed_bytes(d, id->bytes, STINT_ID_BYTES, "an id has 16 bytes");
}

void
decoding_ids(struct decoding *d)
{
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 ids in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++)
        decoding_id(d, &d->room->ids[i]);
}

/* Elements beyond those a version knows are skipped. */
void
decoding_skip_rest(struct decoding *d, uint32_t known, uint32_t elements)
{
    if (elements < known)
        decoding_complain(d, STINT_BAD_MESSAGE, "an array is too short");
    for (uint32_t i = known; i < elements && !d->r.bad; i++)
        pack_skip(&d->r);
}

static uint32_t
read_names(struct decoding *d, struct slice *names, uint32_t max, const char *why)
{
    uint32_t count = decoding_counted(d, max, why);
    for (uint32_t i = 0; i < count && !d->r.bad; i++)
        names[i] = decoding_name(d);
    return count;
}

static void
read_leases(struct decoding *d)
{
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 leases in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++) {
        struct lease_ref *lease = &d->room->leases[i];
        uint32_t elements = pack_array(&d->r);
        decoding_id(d, &lease->id);
        lease->attempt = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        lease->status = elements > 2 ? (uint32_t)pack_uint_max(&d->r, UINT32_MAX) : 0;
        lease->begun = d->m->type == MESSAGE_CLAIM && lease->status != 0;
        decoding_skip_rest(d, elements > 2 ? 3 : 2, elements);
    }
}

static void
hello_field(struct decoding *d, uint64_t key)
{
    struct hello *h = &d->m->hello;
    switch (key) {
    case 2:
        h->version_min = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case 3:
        h->version_max = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case 4:
        h->role =
            (enum message_role)decoding_ranged(d, 1, 2, "the role is 1 (client) or 2 (worker)");
        break;
    case 5:
        fixed_bytes(d, h->session, SESSION_BYTES, "a session has 16 bytes");
        break;
    case 6:
        h->name = label(d);
        break;
    case 7:
        h->software = label(d);
        break;
    case 8:
        h->slots = (uint32_t)decoding_ranged(d, 0, LIMIT_WINDOW, "slots are 0 to 65536");
        break;
    case 9:
        h->window = (uint32_t)decoding_ranged(d, 0, LIMIT_WINDOW, "the window is 0 to 65536");
        break;
    case 10:
        h->queues = read_names(
            d, d->room->names.queues, LIMIT_QUEUES_SERVED, "a worker serves at most 256 queues");
        break;
    case 11:
        h->kinds =
            read_names(d, d->room->names.kinds, LIMIT_KINDS, "a worker names at most 64 kinds");
        break;
    default:
        pack_skip(&d->r);
    }
}

static void
read_brokers(struct decoding *d)
{
    struct welcome *w = &d->m->welcome;
    w->brokers = decoding_counted(d, 64, "over 64 brokers in the map");
    for (uint32_t i = 0; i < w->brokers && !d->r.bad; i++) {
        uint32_t elements = pack_array(&d->r);
        d->room->brokers[i].number = (uint16_t)pack_uint_max(&d->r, UINT16_MAX);
        d->room->brokers[i].endpoint = pack_text(&d->r);
        decoding_skip_rest(d, 2, elements);
    }
}

static void
welcome_field(struct decoding *d, uint64_t key)
{
    struct welcome *w = &d->m->welcome;
    switch (key) {
    case 2:
        w->version = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case 3:
        w->epoch = pack_uint(&d->r);
        break;
    case 4:
        w->broker = (uint16_t)pack_uint_max(&d->r, UINT16_MAX);
        break;
    case 5:
        w->heartbeat_ms =
            (uint32_t)decoding_ranged(d, 1, UINT32_MAX / 4, "the heartbeat is at least 1 ms");
        break;
    case 6:
        w->lost_ms =
            (uint32_t)decoding_ranged(d, 1, UINT32_MAX / 4, "the lost time is at least 1 ms");
        break;
    case 7:
        w->message_bytes = pack_uint(&d->r);
        break;
    case 8:
        w->payload_bytes = pack_uint(&d->r);
        break;
    case 9:
        w->result_bytes = pack_uint(&d->r);
        break;
    case 10:
        w->submission = pack_uint(&d->r);
        break;
    case 11:
        read_brokers(d);
        break;
    case 12:
        w->software = label(d);
        break;
    default:
        pack_skip(&d->r);
    }
}

static void
ping_field(struct decoding *d, uint64_t key)
{
    if (key == 2)
        d->m->ping.window =
            (uint32_t)decoding_ranged(d, 0, LIMIT_WINDOW, "the window is 0 to 65536");
    else if (key == 3)
        d->m->ping.token = pack_uint(&d->r);
    else
        pack_skip(&d->r);
}

static void
pong_field(struct decoding *d, uint64_t key)
{
    if (key == 2)
        d->m->pong.token = pack_uint(&d->r);
    else
        pack_skip(&d->r);
}

static void
error_field(struct decoding *d, uint64_t key)
{
    switch (key) {
    case 2:
        d->m->error.status = (enum stint_status)pack_uint_max(&d->r, UINT16_MAX);
        break;
    case 3:
        d->m->error.detail = pack_text(&d->r);
        break;
    case 4:
        d->m->error.about = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case 5:
        d->m->error.endpoint = pack_text(&d->r);
        break;
    default:
        pack_skip(&d->r);
    }
}

static void
spec_field(struct decoding *d, struct job_spec *spec, uint64_t key)
{
    switch (key) {
    case 1:
        spec->queue = decoding_name(d);
        break;
    case 2:
        spec->kind = decoding_name(d);
        break;
    case 3:
        spec->payload = pack_bytes(&d->r);
        break;
    case 4:
        spec->priority = (uint8_t)decoding_ranged(d, 0, 255, "the priority is 0 to 255");
        break;
    case 5:
        spec->max_attempts =
            (uint32_t)decoding_ranged(d, 1, LIMIT_ATTEMPTS, "max attempts are 1 to 65535");
        break;
    case 6:
        spec->keep_ms =
            decoding_ranged(d, 0, LIMIT_TIME_MS, "a duration is at most a hundred years");
        break;
    case 7:
        spec->time_to_run_ms =
            decoding_ranged(d, 1, LIMIT_TIME_MS, "the time to run is at least 1 ms");
        break;
    case 8:
        spec->backoff_base_ms =
            decoding_ranged(d, 1, LIMIT_TIME_MS, "the backoff base is at least 1 ms");
        break;
    case 9:
        spec->backoff_cap_ms =
            decoding_ranged(d, 1, LIMIT_TIME_MS, "the backoff cap is at least 1 ms");
        break;
    default:
        pack_skip(&d->r);
    }
}

static void
read_spec(struct decoding *d, struct job_spec *spec)
{
    int64_t last = -1;
    for (uint32_t n = pack_map(&d->r); n > 0 && !d->r.bad; n--)
        spec_field(d, spec, pack_key(&d->r, &last));
}

/* Each job is bytes (a payload, the rest as in the common part) or a map of what differs. */
static void
read_specs(struct decoding *d, const struct job_spec *common)
{
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 jobs in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++) {
        struct job_spec *spec = &d->room->specs[i];
        *spec = *common;
        if (pack_is_bytes(&d->r))
            spec->payload = pack_bytes(&d->r);
        else
            read_spec(d, spec);
    }
}

static const struct job_spec spec_defaults = {
    .queue = {(const uint8_t *)"default", 7},
    .kind = {(const uint8_t *)"default", 7},
    .keep_ms = KEEP_DEFAULT,
    .backoff_base_ms = DEFAULT_BACKOFF_BASE_MS,
    .backoff_cap_ms = DEFAULT_BACKOFF_CAP_MS,
    .max_attempts = DEFAULT_MAX_ATTEMPTS,
    .priority = DEFAULT_PRIORITY,
};

/* Keys rise, so the common part (3) has been read into the first spec when the jobs (4) come. */
static void
submit_field(struct decoding *d, uint64_t key)
{
    struct job_spec common;
    switch (key) {
    case 2:
        d->m->submit.acked = pack_uint(&d->r);
        d->m->submit.jobs = (struct slice){d->r.at, pack_left(&d->r)};
        break;
    case 3:
        d->room->specs[0] = spec_defaults;
        read_spec(d, &d->room->specs[0]);
        d->has_common = true;
        break;
    case 4:
        common = d->has_common ? d->room->specs[0] : spec_defaults;
        d->has_jobs = true;
        read_specs(d, &common);
        if (d->m->count == 0 && !d->r.bad)
            decoding_complain(d, STINT_INVALID, "a submit has at least one job");
        break;
    default:
        pack_skip(&d->r);
    }
}

static void
read_submitted_answer(struct decoding *d, struct answer *a)
{
    *a = (struct answer){0};
    uint32_t elements = pack_array(&d->r);
    a->number = pack_uint(&d->r);
    a->status = (enum stint_status)pack_uint_max(&d->r, UINT16_MAX);
    if (a->status == STINT_OK) {
        a->count = pack_array(&d->r);
        a->inside = d->r;
        for (uint32_t i = 0; i < a->count && !d->r.bad; i++)
            pack_skip(&d->r);
        decoding_skip_rest(d, 3, elements);
    } else {
        a->index = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        a->detail = pack_text(&d->r);
        decoding_skip_rest(d, 4, elements);
    }
}

static void
submitted_field(struct decoding *d, uint64_t key)
{
    if (key != 2) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 answers in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++)
        read_submitted_answer(d, &d->room->answers[i]);
}

static void
dispatched_field(struct decoding *d, struct dispatched_job *job, uint64_t key)
{
    switch (key) {
    case 1:
        decoding_id(d, &job->id);
        break;
    case 2:
        job->attempt = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case 3:
        job->kind = decoding_name(d);
        break;
    case 4:
        job->payload = pack_bytes(&d->r);
        break;
    case 5:
        job->max_attempts = (uint32_t)pack_uint_max(&d->r, LIMIT_ATTEMPTS);
        break;
    case 6:
        job->time_to_run_ms = pack_uint_max(&d->r, LIMIT_TIME_MS);
        break;
    case 7:
        job->submitted_ms = pack_uint(&d->r);
        break;
    case 8:
        job->confirm = pack_bool(&d->r);
        break;
    default:
        pack_skip(&d->r);
    }
}

static void
dispatch_field(struct decoding *d, uint64_t key)
{
    if (key == 2) {
        d->m->dispatch.queue = decoding_name(d);
        return;
    }
    if (key != 3) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 jobs in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++) {
        struct dispatched_job *job = &d->room->dispatched[i];
        *job = (struct dispatched_job){.max_attempts = DEFAULT_MAX_ATTEMPTS};
        int64_t last = -1;
        for (uint32_t n = pack_map(&d->r); n > 0 && !d->r.bad; n--)
            dispatched_field(d, job, pack_key(&d->r, &last));
    }
}

static void
settle_field(struct decoding *d, uint64_t key)
{
    if (key == 3) {
        d->m->settle.window =
            (uint32_t)decoding_ranged(d, 0, LIMIT_WINDOW, "the window is 0 to 65536");
        return;
    }
    if (key != 2) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 outcomes in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++) {
        struct outcome *o = &d->room->outcomes[i];
        uint32_t elements = pack_array(&d->r);
        decoding_id(d, &o->id);
        o->attempt = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        o->type = (enum outcome_type)decoding_ranged(d, 1, OUTCOME_UNABLE, "an outcome is 1 to 6");
        o->body = elements > 3 ? pack_bytes(&d->r) : (struct slice){NULL, 0};
        o->delay_ms = elements > 4 ? pack_uint_max(&d->r, LIMIT_TIME_MS) : 0;
        o->extra = elements > 5 ? pack_bytes(&d->r) : (struct slice){NULL, 0};
        decoding_skip_rest(d, elements > 6 ? 6 : elements > 3 ? elements : 3, elements);
    }
}

static void
settled_field(struct decoding *d, uint64_t key)
{
    if (key != 2) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 answers in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++) {
        struct answer *a = &d->room->answers[i];
        *a = (struct answer){0};
        uint32_t elements = pack_array(&d->r);
        a->number = pack_uint(&d->r);
        a->count = pack_array(&d->r);
        a->inside = d->r;
        for (uint32_t n = 0; n < a->count && !d->r.bad; n++)
            pack_skip(&d->r);
        decoding_skip_rest(d, 2, elements);
    }
}

static void
leases_field(struct decoding *d, uint64_t key)
{
    if (key == 2)
        read_leases(d);
    else if (key == 3 && d->m->type == MESSAGE_CLAIM)
        d->m->claim.more = pack_bool(&d->r);
    else
        pack_skip(&d->r);
}

static void
recall_field(struct decoding *d, uint64_t key)
{
    if (key == 2)
        d->m->count =
            (uint32_t)decoding_ranged(d, 0, LIMIT_WINDOW, "a recall is of at most 65536 jobs");
    else
        pack_skip(&d->r);
}

static void
no_field(struct decoding *d, uint64_t key)
{
    (void)key;
    pack_skip(&d->r);
}

typedef void field_decoder(struct decoding *d, uint64_t key);

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
message_decode(const void *frame, size_t size, struct message *message, struct message_room *room,
    const char **why)
{
    struct decoding d = {
        .r = pack_reader(frame, size), .m = message, .room = room, .status = STINT_OK, .why = ""};
    int64_t last = -1;

    *message = (struct message){.type = MESSAGE_NONE};
    uint32_t fields = pack_map(&d.r);
    if (fields == 0 || pack_key(&d.r, &last) != 0)
        d.r.bad = true;
    uint64_t type = pack_uint(&d.r);
    if (type == MESSAGE_PING)
        message->ping.window = WINDOW_UNCHANGED;
    else if (type == MESSAGE_SETTLE)
        message->settle.window = WINDOW_UNCHANGED;
    *why = "not a map that begins with its type";
    if (d.r.bad)
        return STINT_BAD_MESSAGE;
    message->type = (enum message_type)type;
    field_decoder *decode = decoder_of(type);
    for (uint32_t i = 1; i < fields && !d.r.bad; i++) {
        uint64_t key = pack_key(&d.r, &last);
        if (key == 1 && !d.r.bad) {
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
