/* Jobs go out and their outcomes come in: DISPATCH, SETTLE, SETTLED, what is said of leases,
 * and how far runs are. */
#include "message_fields.h"

enum dispatch_key {
    DISPATCH_QUEUE = 2,
    DISPATCH_JOBS = 3,
};

/* Of a job in DISPATCH. */
enum dispatched_key {
    DISPATCHED_ID = 1,
    DISPATCHED_ATTEMPT = 2,
    DISPATCHED_KIND = 3,
    DISPATCHED_PAYLOAD = 4,
    DISPATCHED_MAX_ATTEMPTS = 5,
    DISPATCHED_TIME_TO_RUN = 6,
    DISPATCHED_SUBMITTED = 7,
    DISPATCHED_CONFIRM = 8,
    DISPATCHED_AFTER = 9,
    DISPATCHED_NEEDS = 10,
    DISPATCHED_GROUP = 11,
    DISPATCHED_BATCH = 13,
    DISPATCHED_COUNTS = 14,
};

/* Ids, one behind the other, in one value. */
static struct slice
read_parents(struct decoding *d)
{
    struct slice ids = pack_bytes(&d->r);
    if (!d->r.bad && (ids.size % STINT_ID_BYTES != 0 || ids.size > LIMIT_AFTER * STINT_ID_BYTES))
        decoding_complain(d, STINT_INVALID, "what a job was after are at most 1000 ids");
    return ids;
}

/* They are read by whoever wants to know them. */
static struct slice
read_counts(struct decoding *d)
{
    struct stint_batch_counts counts;
    struct slice bytes = {d->r.at, 0};
    pack_skip(&d->r);
    bytes.size = (size_t)(d->r.at - bytes.data);
    d->r.bad |= !message_read_counts(bytes, &counts);
    return bytes;
}

static void
dispatched_field(struct decoding *d, struct dispatched_job *job, uint64_t key)
{
    switch (key) {
    case DISPATCHED_ID:
        decoding_id(d, &job->id);
        break;
    case DISPATCHED_ATTEMPT:
        job->attempt = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case DISPATCHED_KIND:
        job->kind = decoding_name(d);
        break;
    case DISPATCHED_PAYLOAD:
        job->payload = pack_bytes(&d->r);
        break;
    case DISPATCHED_MAX_ATTEMPTS:
        job->max_attempts = (uint32_t)pack_uint_max(&d->r, LIMIT_ATTEMPTS);
        break;
    case DISPATCHED_TIME_TO_RUN:
        job->time_to_run_ms = pack_uint_max(&d->r, LIMIT_TIME_MS);
        break;
    case DISPATCHED_SUBMITTED:
        job->submitted_ms = pack_uint(&d->r);
        break;
    case DISPATCHED_CONFIRM:
        job->confirm = pack_bool(&d->r);
        break;
    case DISPATCHED_AFTER:
        job->after = read_parents(d);
        break;
    case DISPATCHED_NEEDS:
        job->needs = pack_text(&d->r);
        if (!d->r.bad && job->needs.size > LIMIT_NEEDS_BYTES)
            decoding_complain(d, STINT_INVALID, "what a job needs is at most 255 bytes");
        break;
    case DISPATCHED_BATCH:
        job->batch = pack_uint(&d->r);
        break;
    case DISPATCHED_COUNTS:
        job->counts = read_counts(d);
        break;
    case DISPATCHED_GROUP:
        job->group = decoding_group(d);
        break;
    default:
        pack_skip(&d->r);
    }
}

void
dispatch_field(struct decoding *d, uint64_t key)
{
    if (key == DISPATCH_QUEUE) {
        d->m->dispatch.queue = decoding_name(d);
        return;
    }
    if (key != DISPATCH_JOBS) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 jobs in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++) {
        struct dispatched_job *job = &d->arrays->dispatched[i];
        *job = (struct dispatched_job){.max_attempts = DEFAULT_MAX_ATTEMPTS};
        int64_t last = -1;
        for (uint32_t n = pack_map(&d->r); n > 0 && !d->r.bad; n--)
            dispatched_field(d, job, pack_key(&d->r, &last));
    }
}

size_t
message_open_dispatch(struct pack_buffer *b, struct slice queue)
{
    put_head(b, MESSAGE_DISPATCH, 2);
    put_key_text(b, DISPATCH_QUEUE, queue);
    put_key(b, DISPATCH_JOBS);
    return pack_open_array(b);
}

void
message_put_dispatched(struct pack_buffer *b, const struct dispatched_job *job)
{
    pack_put_map(b,
        5U + (job->max_attempts != DEFAULT_MAX_ATTEMPTS) + (job->time_to_run_ms > 0) +
            job->confirm + (job->after.size > 0) + (job->needs.size > 0) + (job->batch != 0) +
            (job->counts.size > 0) + (job->group.size > 0));
    put_key(b, DISPATCHED_ID);
    put_id(b, &job->id);
    pack_put_key_uint(b, DISPATCHED_ATTEMPT, job->attempt);
    put_key_text(b, DISPATCHED_KIND, job->kind);
    put_key_bytes(b, DISPATCHED_PAYLOAD, job->payload.data, job->payload.size);
    if (job->max_attempts != DEFAULT_MAX_ATTEMPTS)
        pack_put_key_uint(b, DISPATCHED_MAX_ATTEMPTS, job->max_attempts);
    if (job->time_to_run_ms)
        pack_put_key_uint(b, DISPATCHED_TIME_TO_RUN, job->time_to_run_ms);
    pack_put_key_uint(b, DISPATCHED_SUBMITTED, job->submitted_ms);
    if (job->confirm)
        put_key_bool(b, DISPATCHED_CONFIRM, true);
    if (job->after.size > 0)
        put_key_bytes(b, DISPATCHED_AFTER, job->after.data, job->after.size);
    if (job->needs.size > 0)
        put_key_text(b, DISPATCHED_NEEDS, job->needs);
    if (job->group.size > 0)
        put_key_text(b, DISPATCHED_GROUP, job->group);
    if (job->batch)
        pack_put_key_uint(b, DISPATCHED_BATCH, job->batch);
    if (job->counts.size > 0)
        put_key_filter(b, DISPATCHED_COUNTS, job->counts); /* which is msgpack already */
}

enum settle_key {
    SETTLE_OUTCOMES = 2,
    SETTLE_WINDOW = 3,
};

void
settle_field(struct decoding *d, uint64_t key)
{
    if (key == SETTLE_WINDOW) {
        d->m->settle.window =
            (uint32_t)decoding_ranged(d, 0, LIMIT_WINDOW, "the window is 0 to 65536");
        return;
    }
    if (key != SETTLE_OUTCOMES) {
        pack_skip(&d->r);
        return;
    }
    struct joint_size joint = {0};
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 outcomes in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++) {
        struct outcome *o = &d->arrays->outcomes[i];
        uint32_t elements = pack_array(&d->r);
        decoding_id(d, &o->id);
        o->attempt = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        o->type = (enum outcome_type)decoding_ranged(d, 1, OUTCOME_UNABLE, "an outcome is 1 to 6");
        o->body = elements > 3 ? pack_bytes(&d->r) : (struct slice){NULL, 0};
        o->delay_ms = elements > 4 ? pack_uint_max(&d->r, LIMIT_TIME_MS) : 0;
        o->extra = elements > 5 ? pack_bytes(&d->r) : (struct slice){NULL, 0};
        o->joint = elements > 6 ? decoding_joint(d, &joint) : (struct slice){NULL, 0};
        decoding_skip_rest(d, elements > 7 ? 7 : elements > 3 ? elements : 3, elements);
    }
}

void
message_put_settle(struct pack_buffer *b, uint64_t number, const struct outcome *outcomes,
    uint32_t count, uint32_t window)
{
    put_head_numbered(b, MESSAGE_SETTLE, window == WINDOW_UNCHANGED ? 2 : 3, number);
    put_key_array(b, SETTLE_OUTCOMES, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct outcome *o = &outcomes[i];
        uint32_t elements = o->joint.size ? 7
            : o->extra.size               ? 6
            : o->delay_ms                 ? 5
            : o->body.size                ? 4
                                          : 3;
        pack_put_array(b, elements);
        put_id(b, &o->id);
        pack_put_uint(b, o->attempt);
        pack_put_uint(b, o->type);
        if (elements > 3)
            pack_put_bytes(b, o->body.data, o->body.size);
        if (elements > 4)
            pack_put_uint(b, o->delay_ms);
        if (elements > 5)
            pack_put_bytes(b, o->extra.data, o->extra.size);
        if (elements > 6)
            memcpy(pack_reserve(b, o->joint.size), o->joint.data, o->joint.size);
    }
    if (window != WINDOW_UNCHANGED)
        pack_put_key_uint(b, SETTLE_WINDOW, window);
}

void
settled_field(struct decoding *d, uint64_t key)
{
    if (key != KEY_ELEMENTS) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 answers in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++) {
        struct answer *a = &d->arrays->answers[i];
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

size_t
message_open_settled(struct pack_buffer *b, uint64_t number)
{
    pack_put_array(b, 2);
    pack_put_uint(b, number);
    return pack_open_array(b);
}

void
message_put_exception(struct pack_buffer *b, uint32_t index, enum stint_status status)
{
    pack_put_array(b, 2);
    pack_put_uint(b, index);
    pack_put_uint(b, status);
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

/* CLAIM, CLAIMED, STARTED, CONFIRMED, REVOKE and SHOW; the second in CLAIM alone. */
enum leases_key {
    LEASES = 2,
    CLAIM_MORE = 3,
};

static void
read_leases(struct decoding *d)
{
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 leases in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++) {
        struct lease_ref *lease = &d->arrays->leases[i];
        uint32_t elements = pack_array(&d->r);
        decoding_id(d, &lease->id);
        lease->attempt = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        lease->status = elements > 2 ? (uint32_t)pack_uint_max(&d->r, UINT32_MAX) : 0;
        lease->begun = d->m->type == MESSAGE_CLAIM && lease->status != 0;
        decoding_skip_rest(d, elements > 2 ? 3 : 2, elements);
    }
}

void
leases_field(struct decoding *d, uint64_t key)
{
    if (key == LEASES)
        read_leases(d);
    else if (key == CLAIM_MORE && d->m->type == MESSAGE_CLAIM)
        d->m->claim.more = pack_bool(&d->r);
    else
        pack_skip(&d->r);
}

void
message_put_leases(struct pack_buffer *b, enum message_type type, uint64_t number,
    const struct lease_ref *leases, uint32_t count, bool more)
{
    bool with_status = type == MESSAGE_CLAIMED || type == MESSAGE_CONFIRMED ||
        type == MESSAGE_REVOKE || type == MESSAGE_SHOW;
    put_head_numbered(b, type, type == MESSAGE_CLAIM ? 3 : 2, number);
    put_key_array(b, LEASES, count);
    for (uint32_t i = 0; i < count; i++) {
        bool begun = type == MESSAGE_CLAIM && leases[i].begun;
        pack_put_array(b, with_status || begun ? 3 : 2);
        put_id(b, &leases[i].id);
        pack_put_uint(b, leases[i].attempt);
        if (with_status || begun)
            pack_put_uint(b, begun ? 1 : leases[i].status);
    }
    if (type == MESSAGE_CLAIM)
        put_key_bool(b, CLAIM_MORE, more);
}

enum recall_key {
    RECALL_COUNT = 2,
    RECALL_QUEUE = 3,
};

void
recall_field(struct decoding *d, uint64_t key)
{
    if (key == RECALL_COUNT)
        d->m->count =
            (uint32_t)decoding_ranged(d, 0, LIMIT_WINDOW, "a recall is of at most 65536 jobs");
    else if (key == RECALL_QUEUE)
        d->m->recall.queue = decoding_name(d);
    else
        pack_skip(&d->r);
}

void
message_put_recall(struct pack_buffer *b, uint32_t count, struct slice queue)
{
    put_head(b, MESSAGE_RECALL, 1U + (queue.size > 0));
    pack_put_key_uint(b, RECALL_COUNT, count);
    if (queue.size)
        put_key_text(b, RECALL_QUEUE, queue);
}

enum progress_key {
    PROGRESS_TOLD = 2,
};

static void
read_told(struct decoding *d, struct told_progress *told)
{
    uint32_t elements = pack_array(&d->r);
    decoding_id(d, &told->id);
    told->attempt = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
    told->text = decoding_progress_text(d);
    told->percent = elements > 3 ? (uint32_t)decoding_ranged(d, 0, 100, "a percentage is 0 to 100")
                                 : STINT_NO_PERCENT;
    decoding_skip_rest(d, elements > 3 ? 4 : 3, elements);
}

void
progress_field(struct decoding *d, uint64_t key)
{
    if (key != PROGRESS_TOLD) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = decoding_counted(d, LIMIT_JOBS, "progress of over 4096 jobs in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++)
        read_told(d, &d->arrays->told[i]);
}

void
message_put_progress(struct pack_buffer *b, const struct told_progress *told, uint32_t count)
{
    put_head(b, MESSAGE_PROGRESS, 1);
    put_key_array(b, PROGRESS_TOLD, count);
    for (uint32_t i = 0; i < count; i++) {
        bool with_percent = told[i].percent != STINT_NO_PERCENT;
        pack_put_array(b, with_percent ? 4 : 3);
        put_id(b, &told[i].id);
        pack_put_uint(b, told[i].attempt);
        pack_put_text(b, told[i].text.data, told[i].text.size);
        if (with_percent)
            pack_put_uint(b, told[i].percent);
    }
}
