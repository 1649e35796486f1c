/* Questions about jobs: WAIT, GET, LIST, CANCEL, RETRY, and their answers: OUTCOMES, JOBS, ANSWERS.
 */
#include "id.h"
#include "message_fields.h"

/* WAIT, GET, CANCEL, RETRY; the option is of WAIT (results) and GET (parts). */
enum ids_key {
    IDS = 2,
    IDS_OPTION = 3,
    WAIT_TELLS_PROGRESS = 4,
    GET_TELLS_ATTEMPTS = 4,
    WAIT_TELLS_OUTPUT = 5,
};

void
ids_field(struct decoding *d, uint64_t key)
{
    if (key == IDS)
        decoding_ids(d);
    else if (key == IDS_OPTION && d->m->type == MESSAGE_WAIT)
        d->m->wait.results = pack_bool(&d->r);
    else if (key == WAIT_TELLS_PROGRESS && d->m->type == MESSAGE_WAIT)
        d->m->wait.progress = pack_bool(&d->r);
    else if (key == WAIT_TELLS_OUTPUT && d->m->type == MESSAGE_WAIT)
        d->m->wait.output = pack_bool(&d->r);
    else if (key == IDS_OPTION && d->m->type == MESSAGE_GET)
        d->m->get.parts = (uint32_t)decoding_ranged(d, 0, 3, "the parts are 0 to 3");
    else if (key == GET_TELLS_ATTEMPTS && d->m->type == MESSAGE_GET)
        d->m->get.parts |= pack_bool(&d->r) ? (uint32_t)PART_ATTEMPTS : 0;
    else
        pack_skip(&d->r);
}

void
message_put_ids(struct pack_buffer *b, enum message_type type, uint64_t number,
    const struct stint_id *ids, uint32_t count, uint32_t option)
{
    bool with_option = type == MESSAGE_WAIT || type == MESSAGE_GET;
    bool progress = type == MESSAGE_WAIT && (option & WAIT_PROGRESS) != 0;
    bool output = type == MESSAGE_WAIT && (option & WAIT_OUTPUT) != 0;
    bool attempts = type == MESSAGE_GET && (option & PART_ATTEMPTS) != 0;
    put_head_numbered(b, type, (with_option ? 3U : 2U) + progress + output + attempts, number);
    put_ids(b, IDS, ids, count);
    if (!with_option)
        return;
    put_key(b, IDS_OPTION);
    if (type == MESSAGE_WAIT)
        pack_put_bool(b, (option & WAIT_RESULTS) != 0);
    else
        pack_put_uint(b, option & ~(uint32_t)PART_ATTEMPTS);
    if (progress)
        put_key_bool(b, WAIT_TELLS_PROGRESS, true);
    if (output)
        put_key_bool(b, WAIT_TELLS_OUTPUT, true);
    if (attempts)
        put_key_bool(b, GET_TELLS_ATTEMPTS, true);
}

enum list_jobs_key {
    LIST_QUEUE = 2,
    LIST_STATES = 3,
    LIST_KIND = 4,
    LIST_CURSOR = 5,
    LIST_LIMIT = 6,
    LIST_FILTER = 7,
};

void
list_field(struct decoding *d, uint64_t key)
{
    switch (key) {
    case LIST_QUEUE:
        d->m->list.queue = decoding_name(d);
        break;
    case LIST_STATES:
        d->m->list.states = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case LIST_KIND:
        d->m->list.kind = decoding_name(d);
        break;
    case LIST_CURSOR:
        d->m->list.cursor = pack_bytes(&d->r);
        break;
    case LIST_LIMIT:
        d->m->list.limit = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case LIST_FILTER:
        d->m->list.filter = decoding_filter(d);
        break;
    default:
        pack_skip(&d->r);
    }
}

void
message_put_list(struct pack_buffer *b, uint64_t number, const struct message *m)
{
    uint32_t fields = 3U + (m->list.queue.size > 0) + (m->list.kind.size > 0) +
        (m->list.cursor.size > 0) + (m->list.filter.size > 0);
    put_head_numbered(b, MESSAGE_LIST, fields, number);
    if (m->list.queue.size)
        put_key_text(b, LIST_QUEUE, m->list.queue);
    pack_put_key_uint(b, LIST_STATES, m->list.states);
    if (m->list.kind.size)
        put_key_text(b, LIST_KIND, m->list.kind);
    if (m->list.cursor.size)
        put_key_bytes(b, LIST_CURSOR, m->list.cursor.data, m->list.cursor.size);
    pack_put_key_uint(b, LIST_LIMIT, m->list.limit);
    if (m->list.filter.size)
        put_key_filter(b, LIST_FILTER, m->list.filter);
}

/* JOBS, OUTCOMES, QUEUES, WORKERS: the elements are read later, one at a time. */
void
items_field(struct decoding *d, uint64_t key)
{
    if (key == KEY_ELEMENTS) {
        d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 elements in one message");
        d->arrays->items.r = d->r;
        for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++)
            pack_skip(&d->r);
    } else if (key == KEY_CURSOR)
        d->m->page.cursor = pack_bytes(&d->r);
    else
        pack_skip(&d->r);
}

void
answers_field(struct decoding *d, uint64_t key)
{
    if (key != KEY_ELEMENTS) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 answers in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++)
        d->arrays->statuses[i] = (uint32_t)pack_uint_max(&d->r, UINT16_MAX);
}

void
message_put_answers(
    struct pack_buffer *b, uint64_t number, const uint32_t *statuses, uint32_t count)
{
    put_head_numbered(b, MESSAGE_ANSWERS, 2, number);
    put_key_array(b, KEY_ELEMENTS, count);
    for (uint32_t i = 0; i < count; i++)
        pack_put_uint(b, statuses[i]);
}

/* Of an attempt in them: attempt, end, started, ended, worker, error. */
enum { ATTEMPT_ELEMENTS = 6 };

/* Of a job in JOBS and OUTCOMES. */
enum info_key {
    INFO_ID = 1,
    INFO_STATE = 2,
    INFO_QUEUE = 3,
    INFO_KIND = 4,
    INFO_ATTEMPT = 5,
    INFO_FAILURES = 6,
    INFO_MAX_ATTEMPTS = 7,
    INFO_SUBMITTED = 8,
    INFO_DUE = 9,
    INFO_STARTED = 10,
    INFO_SETTLED = 11,
    INFO_KEEP = 12,
    INFO_TIME_TO_RUN = 13,
    INFO_PAYLOAD_BYTES = 14,
    INFO_RESULT_BYTES = 15,
    INFO_PAYLOAD = 16,
    INFO_RESULT = 17,
    INFO_WORKER = 18,
    INFO_ERROR = 19,
    INFO_BACKOFF_BASE = 20,
    INFO_BACKOFF_CAP = 21,
    INFO_PRIORITY = 22,
    INFO_UNIQUE = 23,
    INFO_UNIQUE_FLAGS = 24,
    INFO_UNIQUE_FOR = 25,
    INFO_EXPIRES_AT = 26,
    INFO_AFTER = 27,
    INFO_AFTER_FLAGS = 28,
    INFO_SCHEDULE = 29,
    INFO_TOTAL = 30,
    INFO_SPENT = 31,
    INFO_ATTEMPTS = 32,
    INFO_GROUP = 33,
    INFO_GROUP_HOLDS = 34,
    INFO_BATCH = 36,
    INFO_NEEDS = 39,
    INFO_PROGRESS = 40, /* and the two behind it */
    INFO_PARENTS = 43,
};

/* Runs that have ended; more than are ever told are none of a broker's. */
static void
read_attempts(struct message_arrays *arrays)
{
    struct pack_reader *r = &arrays->items.r;
    uint32_t count = pack_array(r);
    r->bad |= count > LIMIT_ATTEMPTS_TOLD;
    for (uint32_t i = 0; i < count && !r->bad; i++) {
        struct stint_attempt *a = &arrays->items.attempts[i];
        uint32_t elements = pack_array(r);
        r->bad |= elements < ATTEMPT_ELEMENTS;
        a->attempt = (uint32_t)pack_uint_max(r, UINT32_MAX);
        a->end = (enum stint_attempt_end)pack_uint_max(r, UINT16_MAX);
        a->started_ms = pack_uint(r);
        a->ended_ms = pack_uint(r);
        slice_to_text(a->worker, sizeof a->worker, pack_text(r));
        slice_to_text(a->error, sizeof a->error, pack_bytes(r));
        for (uint32_t e = ATTEMPT_ELEMENTS; e < elements && !r->bad; e++)
            pack_skip(r);
    }
    arrays->info.attempts = count ? arrays->items.attempts : NULL;
    arrays->info.attempts_count = count;
}

static void
put_attempts(struct pack_buffer *b, const struct stint_attempt *attempts, uint64_t count)
{
    put_key_array(b, INFO_ATTEMPTS, (uint32_t)count);
    for (const struct stint_attempt *a = attempts; a < attempts + count; a++) {
        pack_put_array(b, ATTEMPT_ELEMENTS);
        pack_put_uint(b, a->attempt);
        pack_put_uint(b, a->end);
        pack_put_uint(b, a->started_ms);
        pack_put_uint(b, a->ended_ms);
        pack_put_text(b, a->worker, strlen(a->worker));
        pack_put_bytes(b, a->error, strlen(a->error));
    }
}

static void
put_group(struct pack_buffer *b, const struct stint_job_info *i)
{
    if (i->group[0])
        put_key_string(b, INFO_GROUP, i->group);
    if (i->group_holds)
        put_key_bool(b, INFO_GROUP_HOLDS, true);
}

/* Ids, one behind the other, borrowed from the frame. */
static void
read_parents(struct message_arrays *arrays)
{
    struct slice ids = pack_bytes(&arrays->items.r);
    if (ids.size % STINT_ID_BYTES != 0 || ids.size > LIMIT_AFTER * STINT_ID_BYTES)
        arrays->items.r.bad = true;
    else if (ids.size > 0) {
        arrays->info.parents = (const struct stint_id *)ids.data;
        arrays->info.parents_count = ids.size / STINT_ID_BYTES;
    }
}

/* What jobs have had since there was a second form of them. */
static void
later_field(struct message_arrays *arrays, uint64_t key)
{
    struct pack_reader *r = &arrays->items.r;
    struct stint_job_info *info = &arrays->info;
    switch (key) {
    case INFO_UNIQUE:
        slice_to_text(info->unique, sizeof info->unique, pack_text(r));
        break;
    case INFO_UNIQUE_FLAGS:
        info->unique_flags = pack_uint(r);
        break;
    case INFO_UNIQUE_FOR:
        info->unique_for_ms = pack_uint(r);
        break;
    case INFO_EXPIRES_AT:
        info->expires_at_ms = pack_uint(r);
        break;
    case INFO_AFTER:
        info->after = (uint32_t)pack_uint_max(r, UINT32_MAX);
        break;
    case INFO_AFTER_FLAGS:
        info->after_flags = (uint32_t)pack_uint_max(r, UINT32_MAX);
        break;
    case INFO_SCHEDULE:
        slice_to_text(info->schedule, sizeof info->schedule, pack_text(r));
        break;
    case INFO_TOTAL:
        info->total_ms = pack_uint(r);
        break;
    case INFO_SPENT:
        info->spent_ms = pack_uint(r);
        break;
    case INFO_NEEDS:
        slice_to_text(info->needs, sizeof info->needs, pack_text(r));
        break;
    case INFO_ATTEMPTS:
        read_attempts(arrays);
        break;
    case INFO_BATCH:
        info->batch = pack_uint(r);
        info->batch_role = batch_role(info->batch);
        info->batch = batch_number(info->batch);
        break;
    case INFO_GROUP:
        slice_to_text(info->group, sizeof info->group, pack_text(r));
        break;
    case INFO_GROUP_HOLDS:
        info->group_holds = pack_bool(r);
        break;
    case INFO_PARENTS:
        read_parents(arrays);
        break;
    default:
        pack_skip(r);
    }
}

static void
job_info_field(struct message_arrays *arrays, uint64_t key)
{
    struct pack_reader *r = &arrays->items.r;
    struct stint_job_info *info = &arrays->info;
    struct slice s;
    switch (key) {
    case INFO_ID:
        s = pack_bytes(r);
        if (s.size == STINT_ID_BYTES)
            memcpy(info->id.bytes, s.data, STINT_ID_BYTES);
        else
            r->bad = true;
        info->priority = id_priority(&info->id);
        break;
    case INFO_STATE:
        info->state = (enum stint_state)pack_uint_max(r, UINT16_MAX);
        break;
    case INFO_QUEUE:
        slice_to_text(info->queue, sizeof info->queue, pack_text(r));
        break;
    case INFO_KIND:
        slice_to_text(info->kind, sizeof info->kind, pack_text(r));
        break;
    case INFO_ATTEMPT:
        info->attempt = (uint32_t)pack_uint_max(r, UINT32_MAX);
        break;
    case INFO_FAILURES:
        info->failures = (uint32_t)pack_uint_max(r, UINT32_MAX);
        break;
    case INFO_MAX_ATTEMPTS:
        info->max_attempts = (uint32_t)pack_uint_max(r, UINT32_MAX);
        break;
    case INFO_SUBMITTED:
        info->submitted_ms = pack_uint(r);
        break;
    case INFO_DUE:
        info->due_ms = pack_uint(r);
        break;
    case INFO_STARTED:
        info->started_ms = pack_uint(r);
        break;
    case INFO_SETTLED:
        info->settled_ms = pack_uint(r);
        break;
    case INFO_KEEP:
        info->keep_ms = pack_uint(r);
        break;
    case INFO_TIME_TO_RUN:
        info->time_to_run_ms = pack_uint(r);
        break;
    case INFO_PAYLOAD_BYTES:
        info->payload_bytes = pack_uint(r);
        break;
    case INFO_RESULT_BYTES:
        info->result_bytes = pack_uint(r);
        break;
    case INFO_PAYLOAD:
        s = pack_bytes(r);
        info->payload = s.data;
        break;
    case INFO_RESULT:
        s = pack_bytes(r);
        info->result = s.data;
        break;
    case INFO_WORKER:
        slice_to_text(info->worker, sizeof info->worker, pack_text(r));
        break;
    case INFO_ERROR:
        slice_to_text(info->error, sizeof info->error, pack_bytes(r));
        break;
    case INFO_BACKOFF_BASE:
        info->backoff_base_ms = pack_uint(r);
        break;
    case INFO_BACKOFF_CAP:
        info->backoff_cap_ms = pack_uint(r);
        break;
    case INFO_PRIORITY:
        info->priority = (uint8_t)pack_uint_max(r, UINT8_MAX);
        break;
    case INFO_PROGRESS + PROGRESS_AGO:
    case INFO_PROGRESS + PROGRESS_PERCENT:
    case INFO_PROGRESS + PROGRESS_TEXT:
        read_progress(
            r, (enum progress_at)(key - INFO_PROGRESS), &info->progress, arrays->items.progress);
        break;
    default:
        later_field(arrays, key);
    }
}

bool
message_next_job(struct message_arrays *arrays)
{
    struct pack_reader *r = &arrays->items.r;
    int64_t last = -1;
    arrays->info = (struct stint_job_info){0};
    for (uint32_t n = pack_map(r); n > 0 && !r->bad; n--)
        job_info_field(arrays, pack_key(r, &last));
    return !r->bad;
}

/* Those with the highest keys, but for its progress. */
static void
put_last_fields(struct pack_buffer *b, const struct stint_job_info *i)
{
    if (i->total_ms)
        pack_put_key_uint(b, INFO_TOTAL, i->total_ms);
    if (i->spent_ms)
        pack_put_key_uint(b, INFO_SPENT, i->spent_ms);
    if (i->attempts)
        put_attempts(b, i->attempts, i->attempts_count);
    put_group(b, i);
    if (i->batch)
        pack_put_key_uint(
            b, INFO_BATCH, batch_value(i->batch, (enum stint_batch_role)i->batch_role));
}

/* Zero and empty are absent. */
void
message_put_job_info(struct pack_buffer *b, const struct stint_job_info *i)
{
    const struct {
        uint8_t key;
        uint64_t value;
    } numbers[] = {{INFO_ATTEMPT, i->attempt}, {INFO_FAILURES, i->failures},
        {INFO_MAX_ATTEMPTS, i->max_attempts}, {INFO_SUBMITTED, i->submitted_ms},
        {INFO_DUE, i->due_ms}, {INFO_STARTED, i->started_ms}, {INFO_SETTLED, i->settled_ms},
        {INFO_KEEP, i->keep_ms}, {INFO_TIME_TO_RUN, i->time_to_run_ms},
        {INFO_PAYLOAD_BYTES, i->payload_bytes}, {INFO_RESULT_BYTES, i->result_bytes}};
    enum { NUMBERS = sizeof numbers / sizeof *numbers };
    bool moved = i->queue[0] && i->priority != id_priority(&i->id);
    uint32_t fields = 2U + moved + (i->queue[0] != 0) + (i->kind[0] != 0) + (i->payload != NULL) +
        (i->result != NULL) + (i->worker[0] != 0) + (i->error[0] != 0) + (i->backoff_base_ms != 0) +
        (i->backoff_cap_ms != 0) + (i->unique[0] != 0) + (i->unique_flags != 0) +
        (i->unique_for_ms != 0) + (i->expires_at_ms != 0) + (i->after != 0) +
        (i->after_flags != 0) + (i->schedule[0] != 0) + (i->total_ms != 0) + (i->spent_ms != 0) +
        (i->attempts != NULL) + (i->group[0] != 0) + i->group_holds + (i->batch != 0) +
        (i->needs[0] != 0) + (i->parents != NULL) + progress_fields(&i->progress);
    for (unsigned n = 0; n < NUMBERS; n++)
        fields += numbers[n].value != 0;

    pack_put_map(b, fields);
    put_key(b, INFO_ID);
    put_id(b, &i->id);
    pack_put_key_uint(b, INFO_STATE, i->state);
    if (i->queue[0])
        put_key_string(b, INFO_QUEUE, i->queue);
    if (i->kind[0])
        put_key_string(b, INFO_KIND, i->kind);
    for (unsigned n = 0; n < NUMBERS; n++)
        if (numbers[n].value)
            pack_put_key_uint(b, numbers[n].key, numbers[n].value);
    if (i->payload)
        put_key_bytes(b, INFO_PAYLOAD, i->payload, i->payload_bytes);
    if (i->result)
        put_key_bytes(b, INFO_RESULT, i->result, i->result_bytes);
    if (i->worker[0])
        put_key_string(b, INFO_WORKER, i->worker);
    if (i->error[0])
        put_key_bytes(b, INFO_ERROR, i->error, strlen(i->error));
    if (i->backoff_base_ms)
        pack_put_key_uint(b, INFO_BACKOFF_BASE, i->backoff_base_ms);
    if (i->backoff_cap_ms)
        pack_put_key_uint(b, INFO_BACKOFF_CAP, i->backoff_cap_ms);
    if (moved)
        pack_put_key_uint(b, INFO_PRIORITY, i->priority);
    if (i->unique[0])
        put_key_string(b, INFO_UNIQUE, i->unique);
    if (i->unique_flags)
        pack_put_key_uint(b, INFO_UNIQUE_FLAGS, i->unique_flags);
    if (i->unique_for_ms)
        pack_put_key_uint(b, INFO_UNIQUE_FOR, i->unique_for_ms);
    if (i->expires_at_ms)
        pack_put_key_uint(b, INFO_EXPIRES_AT, i->expires_at_ms);
    if (i->after)
        pack_put_key_uint(b, INFO_AFTER, i->after);
    if (i->after_flags)
        pack_put_key_uint(b, INFO_AFTER_FLAGS, i->after_flags);
    if (i->schedule[0])
        put_key_string(b, INFO_SCHEDULE, i->schedule);
    put_last_fields(b, i);
    if (i->needs[0])
        put_key_string(b, INFO_NEEDS, i->needs);
    put_progress(b, INFO_PROGRESS, &i->progress);
    if (i->parents)
        put_key_bytes(b, INFO_PARENTS, i->parents, i->parents_count * sizeof *i->parents);
}
