/* What jobs are: SUBMIT and SUBMITTED, by which they come in, and CHANGE. */
#include "message_fields.h"

#include <assert.h>

static const struct job_spec spec_defaults = {
    .queue = {(const uint8_t *)"default", 7},
    .kind = {(const uint8_t *)"default", 7},
    .keep_ms = KEEP_DEFAULT,
    .backoff_base_ms = DEFAULT_BACKOFF_BASE_MS,
    .backoff_cap_ms = DEFAULT_BACKOFF_CAP_MS,
    .max_attempts = DEFAULT_MAX_ATTEMPTS,
    .priority = DEFAULT_PRIORITY,
};

enum submit_key {
    SUBMIT_ACKED = 2,
    SUBMIT_COMMON = 3,
    SUBMIT_JOBS = 4,
};

/* Of a job in SUBMIT and of what is common to them. What comes after the backoff's cap, but for the
 * time of all runs, is in SUBMIT only. */
enum job_key {
    JOB_QUEUE = 1,
    JOB_KIND = 2,
    JOB_PAYLOAD = 3,
    JOB_PRIORITY = 4,
    JOB_MAX_ATTEMPTS = 5,
#define X(name, key, field, least, most, why) JOB_##name = (key),
#include "job_numbers.def"
#undef X
    JOB_UNIQUE = 17,
    JOB_AFTER = 18,
    JOB_GROUP = 21,
    JOB_NEEDS = 26,
};

/* It is shown to people, and is a key of the store. */
static struct slice
read_unique(struct decoding *d)
{
    struct slice text = pack_text(&d->r);
    if (!d->r.bad && (text.size == 0 || text.size > LIMIT_UNIQUE_BYTES))
        decoding_complain(d, STINT_INVALID, "a unique key has 1 to 255 bytes");
    if (!d->r.bad && (!text_is_utf8(text) || memchr(text.data, 0, text.size)))
        decoding_complain(d, STINT_INVALID, "a unique key is UTF-8 without a zero");
    return text;
}

/* Ids, and places of elements that stand before the one with this index: so there is no way to
 * write that jobs wait for each other. */
static struct slice
read_after(struct decoding *d, uint32_t index)
{
    struct slice bytes = {d->r.at, 0};
    uint32_t count = decoding_counted(d, LIMIT_AFTER, "a job is after at most 1000 others");
    for (uint32_t i = 0; i < count && !d->r.bad; i++) {
        struct stint_id id;
        if (pack_is_bytes(&d->r))
            decoding_id(d, &id);
        else {
            uint64_t earlier = pack_uint(&d->r);
            if (earlier < index && d->specs)
                d->specs[earlier].followed = true;
            if (earlier >= index && !d->r.bad)
                decoding_complain(d, STINT_INVALID, "a job is after ids, or jobs before it");
        }
    }
    bytes.size = count > 0 && !d->r.bad ? (size_t)(d->r.at - bytes.data) : 0;
    return bytes;
}

uint32_t
message_open_after(struct slice after, struct pack_reader *r)
{
    *r = pack_reader(after.data, after.size);
    return after.size > 0 ? pack_array(r) : 0;
}

struct after_ref
message_next_after(struct pack_reader *r)
{
    struct after_ref ref = {.earlier = !pack_is_bytes(r)};
    if (ref.earlier) {
        ref.index = (uint32_t)pack_uint(r);
        return ref;
    }
    struct slice id = pack_bytes(r);
    assert(id.size == STINT_ID_BYTES);
    memcpy(ref.id.bytes, id.data, STINT_ID_BYTES);
    return ref;
}

static struct slice
read_needs(struct decoding *d)
{
    char written[LIMIT_HAS_BYTES + 1];
    size_t size;
    struct slice text = pack_text(&d->r);
    const char *why = d->r.bad ? NULL : needs_write(NEEDS_OF_JOB, text, written, &size);
    if (why)
        decoding_complain(d, STINT_INVALID, why);
    return text;
}

/* Of the job that stands there among those of its message; 0: of all of them. */
static void
spec_field(struct decoding *d, struct job_spec *spec, uint32_t index, uint64_t key)
{
    switch (key) {
    case JOB_QUEUE:
        spec->queue = decoding_name(d);
        break;
    case JOB_KIND:
        spec->kind = decoding_name(d);
        break;
    case JOB_PAYLOAD:
        spec->payload = pack_bytes(&d->r);
        break;
    case JOB_UNIQUE:
        spec->unique = read_unique(d);
        break;
    case JOB_AFTER:
        spec->after = read_after(d, index);
        break;
    case JOB_NEEDS:
        spec->needs = read_needs(d);
        break;
    case JOB_GROUP:
        spec->group = decoding_group(d);
        break;
    case JOB_PRIORITY:
        spec->priority = (uint8_t)decoding_ranged(d, 0, 255, "the priority is 0 to 255");
        break;
    case JOB_MAX_ATTEMPTS:
        spec->max_attempts =
            (uint32_t)decoding_ranged(d, 1, LIMIT_ATTEMPTS, "max attempts are 1 to 65535");
        break;
#define X(name, key, field, least, most, why) \
    case JOB_##name: \
        spec->field = decoding_ranged(d, least, most, why); \
        break;
#include "job_numbers.def"
#undef X
    default:
        pack_skip(&d->r);
    }
}

/* Returns which keys were there, as bits. */
static uint32_t
read_spec(struct decoding *d, struct job_spec *spec, uint32_t index)
{
    int64_t last = -1;
    uint32_t keys = 0;
    for (uint32_t n = pack_map(&d->r); n > 0 && !d->r.bad; n--) {
        uint64_t key = pack_key(&d->r, &last);
        keys |= key <= JOB_BACKOFF_CAP || key == JOB_TOTAL ? 1U << key : 0;
        spec_field(d, spec, index, key);
    }
    return keys;
}

/* Each job is bytes (a payload, the rest as in the common part) or a map of what differs. */
static void
read_specs(struct decoding *d, const struct job_spec *common)
{
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 jobs in one message");
    d->specs = d->arrays->specs;
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++) {
        struct job_spec *spec = &d->arrays->specs[i];
        *spec = *common;
        if (pack_is_bytes(&d->r))
            spec->payload = pack_bytes(&d->r);
        else
            (void)read_spec(d, spec, i);
    }
}

/* Keys rise, so the common part has been read into the first spec when the jobs come. */
void
submit_field(struct decoding *d, uint64_t key)
{
    struct job_spec common;
    switch (key) {
    case SUBMIT_ACKED:
        d->m->submit.acked = pack_uint(&d->r);
        d->m->submit.jobs = (struct slice){d->r.at, pack_left(&d->r)};
        break;
    case SUBMIT_COMMON:
        d->arrays->specs[0] = spec_defaults;
        (void)read_spec(d, &d->arrays->specs[0], 0);
        d->has_common = true;
        break;
    case SUBMIT_JOBS:
        common = d->has_common ? d->arrays->specs[0] : spec_defaults;
        d->has_jobs = true;
        read_specs(d, &common);
        if (d->m->count == 0 && !d->r.bad)
            decoding_complain(d, STINT_INVALID, "a submit has at least one job");
        break;
    default:
        pack_skip(&d->r);
    }
}

static bool
same(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Which optional numbers of a spec differ from what `base` says; the bits are the keys. */
static uint32_t
differing(const struct job_spec *s, const struct job_spec *base)
{
    return (uint32_t)(!same(s->queue, base->queue)) << JOB_QUEUE |
        (uint32_t)(!same(s->kind, base->kind)) << JOB_KIND |
        (uint32_t)(!same(s->unique, base->unique)) << JOB_UNIQUE |
        (uint32_t)(!same(s->after, base->after)) << JOB_AFTER |
        (uint32_t)(!same(s->needs, base->needs)) << JOB_NEEDS |
        (uint32_t)(!same(s->group, base->group)) << JOB_GROUP |
        (uint32_t)(s->priority != base->priority) << JOB_PRIORITY |
#define X(name, key, field, least, most, why) (uint32_t)(s->field != base->field) << (key) |
#include "job_numbers.def"
#undef X
        (uint32_t)(s->max_attempts != base->max_attempts) << JOB_MAX_ATTEMPTS;
}

static uint32_t
count_bits(uint32_t bits)
{
    uint32_t n = 0;
    for (; bits; bits &= bits - 1)
        n++;
    return n;
}

/* The numbers with these keys, which rise. */
static void
put_numbers(struct pack_buffer *b, const struct job_spec *s, uint32_t keys)
{
#define X(name, key, field, least, most, why) \
    if (keys & 1U << (key)) \
        pack_put_key_uint(b, key, s->field);
#include "job_numbers.def"
#undef X
}

static void
put_spec(struct pack_buffer *b, const struct job_spec *s, uint32_t keys)
{
    pack_put_map(b, count_bits(keys));
    if (keys & 1U << JOB_QUEUE)
        put_key_text(b, JOB_QUEUE, s->queue);
    if (keys & 1U << JOB_KIND)
        put_key_text(b, JOB_KIND, s->kind);
    if (keys & 1U << JOB_PAYLOAD)
        put_key_bytes(b, JOB_PAYLOAD, s->payload.data, s->payload.size);
    if (keys & 1U << JOB_PRIORITY)
        pack_put_key_uint(b, JOB_PRIORITY, s->priority);
    if (keys & 1U << JOB_MAX_ATTEMPTS)
        pack_put_key_uint(b, JOB_MAX_ATTEMPTS, s->max_attempts);
    put_numbers(b, s, keys & ((1U << JOB_UNIQUE) - 1));
    if (keys & 1U << JOB_UNIQUE)
        put_key_text(b, JOB_UNIQUE, s->unique);
    if (keys & 1U << JOB_AFTER) {
        put_key(b, JOB_AFTER);
        memcpy(pack_reserve(b, s->after.size), s->after.data, s->after.size);
    }
    put_numbers(b, s, keys & ((1U << JOB_GROUP) - (1U << JOB_AFTER)));
    if (keys >> JOB_GROUP == 0)
        return;
    if (keys & 1U << JOB_GROUP)
        put_key_text(b, JOB_GROUP, s->group);
    put_numbers(b, s, keys & ~((1U << JOB_GROUP) - 1));
    if (keys & 1U << JOB_NEEDS)
        put_key_text(b, JOB_NEEDS, s->needs);
}

/* The first job's settings become the common part, and the others say what differs. What no job
 * can say (that it wants the broker's retention, no time limit, no unique key, batch, group or
 * needs, or waits for none) must not be overridden by the common part, so those stay out of it if
 * any job leaves them alone.
 */
static uint32_t
common_part(const struct job_spec *jobs, uint32_t count, struct job_spec *base)
{
    *base = spec_defaults;
    struct job_spec common = jobs[0];
    common.after = (struct slice){NULL, 0}; /* each says what it means by a place */
    for (uint32_t i = 1; i < count; i++) {
        if (jobs[i].keep_ms == KEEP_DEFAULT)
            common.keep_ms = KEEP_DEFAULT;
        if (jobs[i].time_to_run_ms == 0)
            common.time_to_run_ms = 0;
        if (jobs[i].total_ms == 0)
            common.total_ms = 0;
        if (jobs[i].batch == 0)
            common.batch = 0;
        if (jobs[i].unique.size == 0)
            common.unique = (struct slice){NULL, 0};
        if (jobs[i].needs.size == 0)
            common.needs = (struct slice){NULL, 0};
        if (jobs[i].group.size == 0)
            common.group = (struct slice){NULL, 0};
    }
    uint32_t keys = differing(&common, base);
    *base = common;
    return keys;
}

void
message_put_submit(struct pack_buffer *b, uint64_t number, uint64_t acked,
    const struct job_spec *jobs, uint32_t count)
{
    struct job_spec base;
    uint32_t common = common_part(jobs, count, &base);

    put_head_numbered(b, MESSAGE_SUBMIT, common ? 4 : 3, number);
    pack_put_key_uint(b, SUBMIT_ACKED, acked);
    if (common) {
        put_key(b, SUBMIT_COMMON);
        put_spec(b, &base, common);
    }
    put_key_array(b, SUBMIT_JOBS, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t keys = differing(&jobs[i], &base);
        if (keys == 0)
            pack_put_bytes(b, jobs[i].payload.data, jobs[i].payload.size);
        else
            put_spec(b, &jobs[i], keys | 1U << JOB_PAYLOAD);
    }
}

void
message_put_submit_again(struct pack_buffer *b, struct slice frame, uint64_t number, uint64_t acked)
{
    struct pack_reader in = pack_reader(frame.data, frame.size);
    uint32_t pairs = pack_map(&in);
    for (unsigned i = 0; i < 3; i++) { /* the type, the number, what is confirmed: as above */
        (void)pack_uint(&in);
        (void)pack_uint(&in);
    }
    put_head_numbered(b, MESSAGE_SUBMIT, pairs - 1, number);
    pack_put_key_uint(b, SUBMIT_ACKED, acked);
    memcpy(pack_reserve(b, pack_left(&in)), in.at, pack_left(&in));
}

void
decoding_job_among(struct decoding *d, struct job_spec *spec, uint32_t index)
{
    *spec = spec_defaults;
    if (pack_is_bytes(&d->r))
        spec->payload = pack_bytes(&d->r);
    else
        (void)read_spec(d, spec, index);
}

void
decoding_job(struct decoding *d, struct job_spec *spec)
{
    *spec = spec_defaults;
    (void)read_spec(d, spec, 0);
    if (spec->after.size)
        decoding_complain(d, STINT_INVALID, "a job that stands alone is after no others");
    else if (spec->batch)
        decoding_complain(d, STINT_INVALID, "a job that stands alone is in no batch");
}

bool
message_read_job(struct slice bytes, struct job_spec *spec)
{
    struct decoding d = {.r = pack_reader(bytes.data, bytes.size)};
    decoding_job(&d, spec);
    return !d.r.bad && pack_left(&d.r) == 0;
}

void
message_put_job(struct pack_buffer *b, const struct job_spec *spec)
{
    put_spec(b, spec, differing(spec, &spec_defaults) | 1U << JOB_PAYLOAD);
}

/* An answer is [number, status, runs] or [number, status, index, detail]. */
enum { ACCEPTED_ELEMENTS = 3, REFUSED_ELEMENTS = 4 };
/* A run is [id, count], or [id, count, met]. */
enum { RUN_ELEMENTS = 2, RUN_ELEMENTS_MET = 3 };

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
        decoding_skip_rest(d, ACCEPTED_ELEMENTS, elements);
    } else {
        a->index = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        a->detail = pack_text(&d->r);
        decoding_skip_rest(d, REFUSED_ELEMENTS, elements);
    }
}

void
submitted_field(struct decoding *d, uint64_t key)
{
    if (key != KEY_ELEMENTS) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 answers in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++)
        read_submitted_answer(d, &d->arrays->answers[i]);
}

bool
message_next_run(struct answer *answer, struct stint_id *first, uint32_t *count)
{
    struct pack_reader *r = &answer->inside;
    uint32_t elements = pack_array(r);
    struct slice id = pack_bytes(r);
    *count = (uint32_t)pack_uint_max(r, LIMIT_JOBS);
    answer->met = elements == RUN_ELEMENTS_MET ? (enum stint_met)pack_uint_max(r, UINT8_MAX)
                                               : STINT_MET_NOTHING;
    if (r->bad || elements < RUN_ELEMENTS || elements > RUN_ELEMENTS_MET ||
        id.size != STINT_ID_BYTES)
        return false;
    memcpy(first->bytes, id.data, STINT_ID_BYTES);
    return true;
}

void
message_put_accepted(struct pack_buffer *b, uint64_t number)
{
    pack_put_array(b, ACCEPTED_ELEMENTS);
    pack_put_uint(b, number);
    pack_put_uint(b, STINT_OK);
}

void
message_put_refused(struct pack_buffer *b, uint64_t number, enum stint_status status,
    uint64_t index, struct slice detail)
{
    pack_put_array(b, REFUSED_ELEMENTS);
    pack_put_uint(b, number);
    pack_put_uint(b, status);
    pack_put_uint(b, index);
    pack_put_text(b, detail.data, detail.size);
}

void
message_put_run(struct pack_buffer *b, const struct stint_id *first, uint32_t count)
{
    pack_put_array(b, RUN_ELEMENTS);
    put_id(b, first);
    pack_put_uint(b, count);
}

void
message_put_run_met(
    struct pack_buffer *b, const struct stint_id *first, uint32_t count, enum stint_met met)
{
    pack_put_array(b, RUN_ELEMENTS_MET);
    put_id(b, first);
    pack_put_uint(b, count);
    pack_put_uint(b, met);
}

/* ---- CHANGE ---- */

_Static_assert(CHANGE_QUEUE == 1 << JOB_QUEUE && CHANGE_KIND == 1 << JOB_KIND &&
        CHANGE_PAYLOAD == 1 << JOB_PAYLOAD && CHANGE_PRIORITY == 1 << JOB_PRIORITY &&
        CHANGE_MAX_ATTEMPTS == 1 << JOB_MAX_ATTEMPTS && CHANGE_KEEP == 1 << JOB_KEEP &&
        CHANGE_TIME_TO_RUN == 1 << JOB_TIME_TO_RUN &&
        CHANGE_BACKOFF_BASE == 1 << JOB_BACKOFF_BASE &&
        CHANGE_BACKOFF_CAP == 1 << JOB_BACKOFF_CAP && CHANGE_TOTAL == 1 << JOB_TOTAL,
    "what is to be changed is told by the keys of a job");

enum change_key {
    CHANGE_IDS = 2,
    CHANGE_TO = 3,
    CHANGE_DUE = 4,
};

void
change_field(struct decoding *d, uint64_t key)
{
    struct change *change = &d->m->change;
    switch (key) {
    case CHANGE_IDS:
        decoding_ids(d);
        break;
    case CHANGE_TO:
        change->to = spec_defaults;
        change->set |= read_spec(d, &change->to, 0);
        break;
    case CHANGE_DUE:
        change->delay_ms =
            decoding_ranged(d, 0, LIMIT_TIME_MS, "a duration is at most a hundred years");
        change->set |= CHANGE_DELAY;
        break;
    default:
        pack_skip(&d->r);
    }
}

void
message_put_change(struct pack_buffer *b, uint64_t number, const struct stint_id *ids,
    uint32_t count, const struct change *change)
{
    bool delays = (change->set & CHANGE_DELAY) != 0;
    put_head_numbered(b, MESSAGE_CHANGE, delays ? 4 : 3, number);
    put_ids(b, CHANGE_IDS, ids, count);
    put_key(b, CHANGE_TO);
    put_spec(b, &change->to, change->set & ~(uint32_t)CHANGE_DELAY);
    if (delays)
        pack_put_key_uint(b, CHANGE_DUE, change->delay_ms);
}
