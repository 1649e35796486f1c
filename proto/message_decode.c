/* Frames to messages; the contract is in message.h. A decoder a message type, a switch over its
 * keys in each; the table at the end names them all.
 */
#include "message.h"

#include <stdlib.h>

/* What a field decoder works with; `why` is set by the first complaint. */
struct decoding {
    struct pack_reader r;
    struct message *m;
    struct message_room *room;
    enum stint_status status;
    const char *why;
};

static void
complain(struct decoding *d, enum stint_status status, const char *why)
{
    if (d->status == STINT_OK) {
        d->status = status;
        d->why = why;
    }
    d->r.bad = true;
}

static uint64_t
ranged(struct decoding *d, uint64_t min, uint64_t max, const char *why)
{
    uint64_t value = pack_uint(&d->r);
    if (!d->r.bad && (value < min || value > max))
        complain(d, STINT_INVALID, why);
    return d->r.bad ? 0 : value;
}

static uint32_t
counted(struct decoding *d, uint32_t max, const char *why)
{
    uint32_t count = pack_array(&d->r);
    if (count > max)
        complain(d, STINT_TOO_LARGE, why);
    return d->r.bad ? 0 : count;
}

static struct slice
label(struct decoding *d)
{
    struct slice text = pack_text(&d->r);
    if (text.size > LIMIT_LABEL_BYTES)
        complain(d, STINT_TOO_LARGE, "a peer's name or software is over 128 bytes");
    return text;
}

static struct slice
name(struct decoding *d)
{
    struct slice text = pack_text(&d->r);
    if (!d->r.bad && !name_is_valid(text))
        complain(d, STINT_BAD_NAME, "the name of a queue or kind is not allowed");
    return text;
}

static void
fixed_bytes(struct decoding *d, uint8_t *to, size_t size, const char *why)
{
    struct slice bytes = pack_bytes(&d->r);
    if (!d->r.bad && bytes.size != size)
        complain(d, STINT_INVALID, why);
    if (!d->r.bad)
        memcpy(to, bytes.data, size);
}

static void
read_id(struct decoding *d, struct stint_id *id)
{
    fixed_bytes(d, id->bytes, STINT_ID_BYTES, "an id has 16 bytes");
}

static void
read_ids(struct decoding *d)
{
    d->m->count = counted(d, LIMIT_JOBS, "over 4096 ids in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++)
        read_id(d, &d->room->ids[i]);
}

/* Elements beyond those a version knows are skipped. */
static void
skip_rest(struct decoding *d, uint32_t known, uint32_t elements)
{
    if (elements < known)
        complain(d, STINT_BAD_MESSAGE, "an array is too short");
    for (uint32_t i = known; i < elements && !d->r.bad; i++)
        pack_skip(&d->r);
}

static void
read_leases(struct decoding *d)
{
    d->m->count = counted(d, LIMIT_JOBS, "over 4096 leases in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++) {
        struct lease_ref *lease = &d->room->leases[i];
        uint32_t elements = pack_array(&d->r);
        read_id(d, &lease->id);
        lease->attempt = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        lease->status = elements > 2 ? (uint32_t)pack_uint_max(&d->r, UINT32_MAX) : 0;
        skip_rest(d, elements > 2 ? 3 : 2, elements);
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
        h->role = (enum message_role)ranged(d, 1, 2, "the role is 1 (client) or 2 (worker)");
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
        h->slots = (uint32_t)ranged(d, 0, LIMIT_WINDOW, "slots are 0 to 65536");
        break;
    case 9:
        h->window = (uint32_t)ranged(d, 0, LIMIT_WINDOW, "the window is 0 to 65536");
        break;
    case 10:
        h->queues = counted(d, LIMIT_QUEUES_SERVED, "a worker serves at most 256 queues");
        for (uint32_t i = 0; i < h->queues && !d->r.bad; i++)
            d->room->names[i] = name(d);
        break;
    default:
        pack_skip(&d->r);
    }
}

static void
read_brokers(struct decoding *d)
{
    struct welcome *w = &d->m->welcome;
    w->brokers = counted(d, 64, "over 64 brokers in the map");
    for (uint32_t i = 0; i < w->brokers && !d->r.bad; i++) {
        uint32_t elements = pack_array(&d->r);
        d->room->brokers[i].number = (uint16_t)pack_uint_max(&d->r, UINT16_MAX);
        d->room->brokers[i].endpoint = pack_text(&d->r);
        skip_rest(d, 2, elements);
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
        w->heartbeat_ms = (uint32_t)ranged(d, 1, UINT32_MAX / 4, "the heartbeat is at least 1 ms");
        break;
    case 6:
        w->lost_ms = (uint32_t)ranged(d, 1, UINT32_MAX / 4, "the lost time is at least 1 ms");
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
        d->m->ping.window = (uint32_t)ranged(d, 0, LIMIT_WINDOW, "the window is 0 to 65536");
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
        spec->queue = name(d);
        break;
    case 2:
        spec->kind = name(d);
        break;
    case 3:
        spec->payload = pack_bytes(&d->r);
        break;
    case 4:
        spec->priority = (uint8_t)ranged(d, 0, 255, "the priority is 0 to 255");
        break;
    case 5:
        spec->max_attempts = (uint32_t)ranged(d, 1, LIMIT_ATTEMPTS, "max attempts are 1 to 65535");
        break;
    case 6:
        spec->keep_ms = ranged(d, 0, LIMIT_TIME_MS, "a duration is at most a hundred years");
        break;
    case 7:
        spec->time_to_run_ms = ranged(d, 1, LIMIT_TIME_MS, "the time to run is at least 1 ms");
        break;
    case 8:
        spec->backoff_base_ms = ranged(d, 1, LIMIT_TIME_MS, "the backoff base is at least 1 ms");
        break;
    case 9:
        spec->backoff_cap_ms = ranged(d, 1, LIMIT_TIME_MS, "the backoff cap is at least 1 ms");
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
    d->m->count = counted(d, LIMIT_JOBS, "over 4096 jobs in one message");
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
        d->m->count = 1; /* says that a common part is there */
        break;
    case 4:
        common = d->m->count ? d->room->specs[0] : spec_defaults;
        read_specs(d, &common);
        if (d->m->count == 0 && !d->r.bad)
            complain(d, STINT_INVALID, "a submit has at least one job");
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
        skip_rest(d, 3, elements);
    } else {
        a->index = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        a->detail = pack_text(&d->r);
        skip_rest(d, 4, elements);
    }
}

static void
submitted_field(struct decoding *d, uint64_t key)
{
    if (key != 2) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = counted(d, LIMIT_JOBS, "over 4096 answers in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++)
        read_submitted_answer(d, &d->room->answers[i]);
}

static void
dispatched_field(struct decoding *d, struct dispatched_job *job, uint64_t key)
{
    switch (key) {
    case 1:
        read_id(d, &job->id);
        break;
    case 2:
        job->attempt = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case 3:
        job->kind = name(d);
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
    default:
        pack_skip(&d->r);
    }
}

static void
dispatch_field(struct decoding *d, uint64_t key)
{
    if (key == 2) {
        d->m->dispatch.queue = name(d);
        return;
    }
    if (key != 3) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = counted(d, LIMIT_JOBS, "over 4096 jobs in one message");
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
        d->m->settle.window = (uint32_t)ranged(d, 0, LIMIT_WINDOW, "the window is 0 to 65536");
        return;
    }
    if (key != 2) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = counted(d, LIMIT_JOBS, "over 4096 outcomes in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++) {
        struct outcome *o = &d->room->outcomes[i];
        uint32_t elements = pack_array(&d->r);
        read_id(d, &o->id);
        o->attempt = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        o->type = (enum outcome_type)ranged(d, 1, OUTCOME_RETURNED, "an outcome is 1 to 5");
        o->body = elements > 3 ? pack_bytes(&d->r) : (struct slice){NULL, 0};
        o->delay_ms = elements > 4 ? pack_uint_max(&d->r, LIMIT_TIME_MS) : 0;
        skip_rest(d, elements > 5 ? 5 : elements > 3 ? elements : 3, elements);
    }
}

static void
settled_field(struct decoding *d, uint64_t key)
{
    if (key != 2) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = counted(d, LIMIT_JOBS, "over 4096 answers in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++) {
        struct answer *a = &d->room->answers[i];
        *a = (struct answer){0};
        uint32_t elements = pack_array(&d->r);
        a->number = pack_uint(&d->r);
        a->count = pack_array(&d->r);
        a->inside = d->r;
        for (uint32_t n = 0; n < a->count && !d->r.bad; n++)
            pack_skip(&d->r);
        skip_rest(d, 2, elements);
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
        d->m->count = (uint32_t)ranged(d, 0, LIMIT_WINDOW, "a recall is of at most 65536 jobs");
    else
        pack_skip(&d->r);
}

/* WAIT, GET, CANCEL, RETRY: ids, and for the first two one option. */
static void
ids_field(struct decoding *d, uint64_t key)
{
    if (key == 2)
        read_ids(d);
    else if (key == 3 && d->m->type == MESSAGE_WAIT)
        d->m->wait.results = pack_bool(&d->r);
    else if (key == 3 && d->m->type == MESSAGE_GET)
        d->m->get.parts = (uint32_t)ranged(d, 0, 3, "the parts are 0 to 3");
    else
        pack_skip(&d->r);
}

static void
list_field(struct decoding *d, uint64_t key)
{
    switch (key) {
    case 2:
        d->m->list.queue = name(d);
        break;
    case 3:
        d->m->list.states = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case 4:
        d->m->list.kind = name(d);
        break;
    case 5:
        d->m->list.cursor = pack_bytes(&d->r);
        break;
    case 6:
        d->m->list.limit = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    default:
        pack_skip(&d->r);
    }
}

/* JOBS, OUTCOMES, QUEUES, WORKERS: the elements are read later, one at a time. */
static void
items_field(struct decoding *d, uint64_t key)
{
    if (key == 2) {
        d->m->count = counted(d, LIMIT_JOBS, "over 4096 elements in one message");
        d->room->items = d->r;
        for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++)
            pack_skip(&d->r);
    } else if (key == 3 && d->m->type == MESSAGE_JOBS)
        d->m->jobs.cursor = pack_bytes(&d->r);
    else
        pack_skip(&d->r);
}

static void
answers_field(struct decoding *d, uint64_t key)
{
    if (key != 2) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = counted(d, LIMIT_JOBS, "over 4096 answers in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++)
        d->room->statuses[i] = (uint32_t)pack_uint_max(&d->r, UINT16_MAX);
}

static void
stats_field(struct decoding *d, uint64_t key)
{
    struct stint_stats *s = &d->m->stats;
    uint64_t n = 2;
#define X(field) \
    if (key == n++) { \
        s->field = pack_uint(&d->r); \
        return; \
    }
    STINT_STATS_FIELDS(X)
#undef X
    if (key == 64) {
        uint32_t states = pack_array(&d->r);
        for (uint32_t i = 0; i < states && !d->r.bad; i++) {
            uint64_t value = pack_uint(&d->r);
            if (i < STINT_STATES)
                s->jobs[i] = value;
        }
    } else
        pack_skip(&d->r);
}

static void
subscribe_field(struct decoding *d, uint64_t key)
{
    switch (key) {
    case 2:
        d->m->subscribe.queue = name(d);
        break;
    case 3:
        d->m->subscribe.events = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case 4:
        read_ids(d);
        break;
    default:
        pack_skip(&d->r);
    }
}

static void
events_field(struct decoding *d, uint64_t key)
{
    if (key != 2) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = counted(d, LIMIT_JOBS, "over 4096 events in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++) {
        struct stint_event *e = &d->room->events[i];
        uint32_t elements = pack_array(&d->r);
        e->type = (enum stint_event_type)pack_uint_max(&d->r, UINT16_MAX);
        read_id(d, &e->id);
        e->at_ms = pack_uint(&d->r);
        e->count = pack_uint(&d->r);
        slice_to_text(e->queue, sizeof e->queue, pack_text(&d->r));
        skip_rest(d, 5, elements);
    }
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
    if (d.r.bad || d.r.at != d.r.end) {
        *why = "a field has the wrong type, or the frame is cut or too long";
        return STINT_BAD_MESSAGE;
    }
    return STINT_OK;
}
