/* Schedules, which make jobs by the clock: SET_SCHEDULE to SCHEDULES. */
#include "cron.h"
#include "message_fields.h"

static const char *const missed_names[] = {"unknown", "skip", "one", "all"};
static const char *const overlap_names[] = {"unknown", "start", "skip", "replace"};

const char *
stint_missed_name(enum stint_missed missed)
{
    return missed_names[missed <= STINT_MISSED_ALL ? missed : 0];
}

const char *
stint_overlap_name(enum stint_overlap overlap)
{
    return overlap_names[overlap <= STINT_OVERLAP_REPLACE ? overlap : 0];
}

/* The first ten mean the same in an element of SCHEDULES. */
enum set_schedule_key {
    SET_SCHEDULE_NAME = 2,
    SET_SCHEDULE_ACTION = 3,
    SET_SCHEDULE_CRON = 4,
    SET_SCHEDULE_ZONE = 5,
    SET_SCHEDULE_EVERY = 6,
    SET_SCHEDULE_MISSED = 7,
    SET_SCHEDULE_MOST = 8,
    SET_SCHEDULE_OVERLAP = 9,
    SET_SCHEDULE_JOB = 10,
    SET_SCHEDULE_RUN = 11,
};

static struct slice
read_name(struct decoding *d)
{
    struct slice text = pack_text(&d->r);
    if (!d->r.bad && !name_is_valid(text))
        decoding_complain(d, STINT_BAD_NAME, "the name of a schedule is not allowed");
    return text;
}

/* Text that is stored, and shown to people. */
static struct slice
read_text(struct decoding *d, size_t most, const char *why)
{
    struct slice text = pack_text(&d->r);
    for (size_t i = 0; i < text.size && !d->r.bad; i++)
        if ((text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] > '~')
            decoding_complain(d, STINT_INVALID, why);
    if (!d->r.bad && text.size >= most)
        decoding_complain(d, STINT_INVALID, why);
    return text;
}

static void
read_job(struct decoding *d)
{
    struct job_spec *spec = &d->arrays->specs[0];
    const uint8_t *begin = d->r.at;
    decoding_job(d, spec);
    d->m->set_schedule.job = (struct slice){begin, (size_t)(d->r.at - begin)};
    if (d->r.bad)
        return;
    if (spec->due_ms || spec->expires_at_ms)
        decoding_complain(d, STINT_INVALID, "the job of a schedule has no times of its own");
    else if (d->m->set_schedule.job.size > LIMIT_SCHEDULE_JOB_BYTES)
        decoding_complain(d, STINT_TOO_LARGE, "the job of a schedule has at most 16384 bytes");
}

void
set_schedule_field(struct decoding *d, uint64_t key)
{
    struct schedule_request *s = &d->m->set_schedule;
    switch (key) {
    case SET_SCHEDULE_NAME:
        s->name = read_name(d);
        break;
    case SET_SCHEDULE_ACTION:
        s->action = (enum stint_schedule_action)decoding_ranged(
            d, STINT_SET_SCHEDULE, STINT_RUN_SCHEDULE, "the action is 1 to 5");
        break;
    case SET_SCHEDULE_CRON:
        s->cron = read_text(d, CRON_TEXT_BYTES, "an expression has at most 255 plain characters");
        break;
    case SET_SCHEDULE_ZONE:
        s->zone = read_text(d, ZONE_NAME_BYTES, "a zone's name has at most 63 plain characters");
        break;
    case SET_SCHEDULE_EVERY:
        s->every_ms = decoding_ranged(
            d, LEAST_EVERY_MS, LIMIT_TIME_MS, "a period is 1,000 ms to a hundred years");
        break;
    case SET_SCHEDULE_MISSED:
        s->missed = (enum stint_missed)decoding_ranged(
            d, STINT_MISSED_SKIP, STINT_MISSED_ALL, "what is done of missed ticks is 1 to 3");
        break;
    case SET_SCHEDULE_MOST:
        s->most = (uint32_t)decoding_ranged(
            d, 1, LIMIT_MISSED, "at most 1 to 1000 missed ticks are made up for");
        break;
    case SET_SCHEDULE_OVERLAP:
        s->overlap = (enum stint_overlap)decoding_ranged(d, STINT_OVERLAP_START,
            STINT_OVERLAP_REPLACE, "what is done while the last job runs is 1 to 3");
        break;
    case SET_SCHEDULE_JOB:
        read_job(d);
        break;
    case SET_SCHEDULE_RUN:
        s->run = pack_uint(&d->r);
        break;
    default:
        pack_skip(&d->r);
    }
}

void
message_put_set_schedule(struct pack_buffer *b, uint64_t number, const struct schedule_request *s)
{
    const uint64_t numbers[] = {s->every_ms, s->missed, s->most, s->overlap};
    uint32_t fields =
        3U + (s->cron.size > 0) + (s->zone.size > 0) + (s->job.size > 0) + (s->run > 0);
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
        fields += numbers[i] != 0;
    put_head_numbered(b, MESSAGE_SET_SCHEDULE, fields, number);
    put_key_text(b, SET_SCHEDULE_NAME, s->name);
    pack_put_key_uint(b, SET_SCHEDULE_ACTION, s->action);
    if (s->cron.size)
        put_key_text(b, SET_SCHEDULE_CRON, s->cron);
    if (s->zone.size)
        put_key_text(b, SET_SCHEDULE_ZONE, s->zone);
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i])
            pack_put_key_uint(b, (uint8_t)(SET_SCHEDULE_EVERY + i), numbers[i]);
    if (s->job.size)
        put_key_filter(b, SET_SCHEDULE_JOB, s->job); /* which is msgpack already */
    if (s->run)
        pack_put_key_uint(b, SET_SCHEDULE_RUN, s->run);
}

enum list_schedules_key {
    LIST_SCHEDULES_NAME = 2,
    LIST_SCHEDULES_CURSOR = 3,
    LIST_SCHEDULES_NEXT = 4,
};

void
list_schedules_field(struct decoding *d, uint64_t key)
{
    if (key == LIST_SCHEDULES_NAME)
        d->m->list_schedules.name = read_name(d);
    else if (key == LIST_SCHEDULES_CURSOR)
        d->m->list_schedules.cursor = pack_bytes(&d->r);
    else if (key == LIST_SCHEDULES_NEXT)
        d->m->list_schedules.next =
            (uint32_t)decoding_ranged(d, 0, STINT_NEXT_TICKS, "at most 100 ticks to come are told");
    else
        pack_skip(&d->r);
}

void
message_put_list_schedules(
    struct pack_buffer *b, uint64_t number, struct slice name, uint32_t next, struct slice cursor)
{
    put_head_numbered(
        b, MESSAGE_LIST_SCHEDULES, 1U + (name.size > 0) + (cursor.size > 0) + (next > 0), number);
    if (name.size)
        put_key_text(b, LIST_SCHEDULES_NAME, name);
    if (cursor.size)
        put_key_bytes(b, LIST_SCHEDULES_CURSOR, cursor.data, cursor.size);
    if (next)
        pack_put_key_uint(b, LIST_SCHEDULES_NEXT, next);
}

/* Of an element of SCHEDULES; all but the name are absent where they are zero or empty. */
enum schedule_key {
    SCHEDULE_QUEUE = 11,
    SCHEDULE_KIND = 12,
    SCHEDULE_PAUSED = 13,
    SCHEDULE_MADE = 14,
    SCHEDULE_TROUBLE = 15,
    SCHEDULE_LAST = 16,
    SCHEDULE_JOBS = 17,
    SCHEDULE_SKIPPED = 18,
    SCHEDULE_LAST_ID = 19,
    SCHEDULE_RUN_ID = 20,
    SCHEDULE_NEXT = 21,
};

static void
read_next(struct pack_reader *r, struct schedule_item *item)
{
    uint32_t count = pack_array(r);
    for (uint32_t i = 0; i < count && !r->bad; i++) {
        uint64_t at = pack_uint(r);
        if (i < STINT_NEXT_TICKS)
            item->info.next[item->info.next_count++] = at;
    }
}

static void
read_text_field(struct pack_reader *r, struct stint_schedule_info *s, uint64_t key)
{
    struct slice text = pack_text(r);
    if (key == SET_SCHEDULE_NAME)
        slice_to_text(s->name, sizeof s->name, text);
    else if (key == SET_SCHEDULE_CRON)
        slice_to_text(s->cron, sizeof s->cron, text);
    else if (key == SET_SCHEDULE_ZONE)
        slice_to_text(s->zone, sizeof s->zone, text);
    else if (key == SCHEDULE_QUEUE)
        slice_to_text(s->queue, sizeof s->queue, text);
    else
        slice_to_text(s->kind, sizeof s->kind, text);
}

static void
schedule_field(struct pack_reader *r, struct schedule_item *item, uint64_t key)
{
    struct stint_schedule_info *s = &item->info;
    const uint8_t *begin = r->at;
    switch (key) {
    case SET_SCHEDULE_EVERY:
        s->every_ms = pack_uint(r);
        break;
    case SET_SCHEDULE_MISSED:
        s->missed = (enum stint_missed)pack_uint_max(r, UINT8_MAX);
        break;
    case SET_SCHEDULE_MOST:
        s->missed_most = (uint32_t)pack_uint_max(r, UINT32_MAX);
        break;
    case SET_SCHEDULE_OVERLAP:
        s->overlap = (enum stint_overlap)pack_uint_max(r, UINT8_MAX);
        break;
    case SET_SCHEDULE_JOB:
        pack_skip(r);
        item->job = (struct slice){begin, (size_t)(r->at - begin)};
        break;
    case SCHEDULE_PAUSED:
        s->paused = pack_bool(r);
        break;
    case SCHEDULE_MADE:
        s->made = pack_bool(r);
        break;
    case SCHEDULE_TROUBLE:
        s->trouble = (enum stint_status)pack_uint_max(r, UINT16_MAX);
        break;
    case SCHEDULE_LAST:
        s->last_ms = pack_uint(r);
        break;
    case SCHEDULE_JOBS:
        s->jobs = pack_uint(r);
        break;
    case SCHEDULE_SKIPPED:
        s->skipped = pack_uint(r);
        break;
    case SCHEDULE_LAST_ID:
        read_id(r, &s->last_id);
        break;
    case SCHEDULE_RUN_ID:
        read_id(r, &s->run_id);
        break;
    case SCHEDULE_NEXT:
        read_next(r, item);
        break;
    case SET_SCHEDULE_NAME:
    case SET_SCHEDULE_CRON:
    case SET_SCHEDULE_ZONE:
    case SCHEDULE_QUEUE:
    case SCHEDULE_KIND:
        read_text_field(r, s, key);
        break;
    default:
        pack_skip(r);
    }
}

bool
message_next_schedule(struct message_arrays *arrays)
{
    struct pack_reader *r = &arrays->items.r;
    struct schedule_item *item = &arrays->items.schedule;
    int64_t last = -1;
    item->info = (struct stint_schedule_info){.name = ""};
    item->job = (struct slice){NULL, 0};
    for (uint32_t n = pack_map(r); n > 0 && !r->bad; n--)
        schedule_field(r, item, pack_key(r, &last));
    return !r->bad;
}

static bool
is_some(const struct stint_id *id)
{
    static const struct stint_id none;
    return memcmp(id, &none, sizeof none) != 0;
}

static void
put_texts(struct pack_buffer *b, const struct stint_schedule_info *s)
{
    put_key_string(b, SET_SCHEDULE_NAME, s->name);
    if (s->cron[0])
        put_key_string(b, SET_SCHEDULE_CRON, s->cron);
    if (s->zone[0])
        put_key_string(b, SET_SCHEDULE_ZONE, s->zone);
}

void
message_put_schedule(struct pack_buffer *b, const struct schedule_item *item)
{
    const struct stint_schedule_info *s = &item->info;
    const uint64_t rules[] = {s->every_ms, s->missed, s->missed_most, s->overlap};
    const uint64_t numbers[] = {s->trouble, s->last_ms, s->jobs, s->skipped};
    uint32_t fields = 1U + (s->cron[0] != 0) + (s->zone[0] != 0) + (item->job.size > 0) +
        (s->queue[0] != 0) + (s->kind[0] != 0) + s->paused + s->made + is_some(&s->last_id) +
        is_some(&s->run_id) + (s->next_count > 0);
    for (unsigned i = 0; i < 4; i++)
        fields += 0U + (rules[i] != 0) + (numbers[i] != 0);
    pack_put_map(b, fields);
    put_texts(b, s);
    for (uint8_t i = 0; i < 4; i++)
        if (rules[i])
            pack_put_key_uint(b, (uint8_t)(SET_SCHEDULE_EVERY + i), rules[i]);
    if (item->job.size)
        put_key_filter(b, SET_SCHEDULE_JOB, item->job);
    if (s->queue[0])
        put_key_string(b, SCHEDULE_QUEUE, s->queue);
    if (s->kind[0])
        put_key_string(b, SCHEDULE_KIND, s->kind);
    if (s->paused)
        put_key_bool(b, SCHEDULE_PAUSED, true);
    if (s->made)
        put_key_bool(b, SCHEDULE_MADE, true);
    for (uint8_t i = 0; i < 4; i++)
        if (numbers[i])
            pack_put_key_uint(b, (uint8_t)(SCHEDULE_TROUBLE + i), numbers[i]);
    if (is_some(&s->last_id)) {
        put_key(b, SCHEDULE_LAST_ID);
        put_id(b, &s->last_id);
    }
    if (is_some(&s->run_id)) {
        put_key(b, SCHEDULE_RUN_ID);
        put_id(b, &s->run_id);
    }
    if (s->next_count == 0)
        return;
    put_key_array(b, SCHEDULE_NEXT, s->next_count);
    for (uint32_t i = 0; i < s->next_count; i++)
        pack_put_uint(b, s->next[i]);
}
