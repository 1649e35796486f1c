/* Whether a filter is true of a job; the contract is in match.h. */
#include "match.h"
#include "describe.h"
#include "clock.h"

static uint8_t
lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

static bool
contains(struct slice text, struct slice part)
{
    for (size_t at = 0; at + part.size <= text.size; at++) {
        size_t i = 0;
        while (i < part.size && lower(text.data[at + i]) == lower(part.data[i]))
            i++;
        if (i == part.size)
            return true;
    }
    return false;
}

static bool
begins_with(struct slice text, struct slice part)
{
    return text.size >= part.size &&
        (part.size == 0 || memcmp(text.data, part.data, part.size) == 0);
}

static bool
text_is(const struct filter_term *t, struct slice text)
{
    switch (t->is) {
    case FILTER_IS:
        return text.size == t->text.size && begins_with(text, t->text);
    case FILTER_IS_NOT:
        return text.size != t->text.size || !begins_with(text, t->text);
    case FILTER_CONTAINS:
        return contains(text, t->text);
    case FILTER_BEGINS:
        return begins_with(text, t->text);
    default: /* FILTER_BEGINS_NOT: it knows no other */
        return !begins_with(text, t->text);
    }
}

/* `order`: less than 0, 0 or more, as the one compares with the other. */
static bool
order_is(enum filter_operator is, int order)
{
    switch (is) {
    case FILTER_IS:
        return order == 0;
    case FILTER_IS_NOT:
        return order != 0;
    case FILTER_LESS:
        return order < 0;
    case FILTER_AT_MOST:
        return order <= 0;
    case FILTER_MORE:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool
number_is(const struct filter_term *t, uint64_t number)
{
    return order_is(t->is, number < t->number ? -1 : number > t->number);
}

static uint64_t
since(uint64_t now_ms, uint64_t then_ms)
{
    return now_ms > then_ms ? now_ms - then_ms : 0;
}

static bool
time_is(
    const struct core *core, const struct filter_term *t, const struct job *job, uint64_t now_ms)
{
    const struct record *r = &job->record;
    switch (t->field) {
    case FILTER_AGE:
        return number_is(t, since(now_ms, r->submitted_ms));
    case FILTER_DUE:
        return job->state == STINT_SCHEDULED &&
            number_is(t, since(record_get(r, FIELD_DUE, 0), now_ms));
    case FILTER_SETTLED:
        return job->place == PLACE_SETTLED &&
            number_is(t, since(now_ms, record_get(r, FIELD_SETTLED, 0)));
    default: /* FILTER_SUBMITTED */
        return number_is(t, clock_told(core, r->submitted_ms));
    }
}

static struct slice
worker_of(const struct job *job)
{
    const struct lease *lease = job->place == PLACE_LIVE ? job->lease : NULL;
    return lease && lease->worker ? text_slice(lease->worker->name) : (struct slice){0};
}

/* Of a job, numbers and texts are what it is told with (describe_job). */
static bool
term_is(
    const struct core *core, const struct filter_term *t, const struct job *job, uint64_t now_ms)
{
    const struct record *r = &job->record;
    switch (t->field) {
    case FILTER_ID:
        return order_is(t->is, memcmp(job->id.bytes, t->text.data, STINT_ID_BYTES));
    case FILTER_STATE:
        return (t->number >> job->state & 1) != 0;
    case FILTER_KIND:
        return text_is(t, r->kind);
    case FILTER_PRIORITY:
        return number_is(t, job->level->priority);
    case FILTER_ATTEMPTS:
        return number_is(
            t, job->place == PLACE_LIVE && job->lease ? job->lease->attempt : r->attempt);
    case FILTER_FAILURES:
        return number_is(t, record_failures(r) - (r->last == LAST_SUCCEEDED));
    case FILTER_ERROR:
        return text_is(t, r->error);
    case FILTER_WORKER:
        return text_is(t, worker_of(job));
    case FILTER_UNIQUE:
        return text_is(t, r->unique);
    case FILTER_GROUP:
        return text_is(t, r->group);
    case FILTER_NEEDS:
        return text_is(t, r->needs);
    case FILTER_BYTES:
        return number_is(t, r->body_bytes);
    case FILTER_BATCH: /* which jobs are in, not what it has made */
        return number_is(t, record_get(r, FIELD_BATCH, 0));
    case FILTER_QUEUE: /* match_queue has said so */
    case FILTER_FIELDS:
        return true;
    default:
        return time_is(core, t, job, now_ms);
    }
}

bool
match_job(
    const struct core *core, const struct filter *filter, const struct job *job, uint64_t now_ms)
{
    for (uint32_t i = 0; i < filter->count; i++)
        if (!term_is(core, &filter->terms[i], job, now_ms))
            return false;
    return true;
}

uint64_t
match_batch(const struct filter *filter)
{
    uint64_t batch = 0;
    for (uint32_t i = 0; i < filter->count && batch == 0; i++)
        if (filter->terms[i].field == FILTER_BATCH && filter->terms[i].is == FILTER_IS &&
            batch_role(filter->terms[i].number) == STINT_BATCH_JOB)
            batch = filter->terms[i].number;
    return batch;
}

bool
match_queue(const struct filter *filter, const struct queue *queue)
{
    struct slice name = {(const uint8_t *)queue->name, queue->name_bytes};
    for (uint32_t i = 0; i < filter->count; i++)
        if (filter->terms[i].field == FILTER_QUEUE && !text_is(&filter->terms[i], name))
            return false;
    return true;
}
