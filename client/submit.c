/* Submissions: checked, numbered without gaps in the session, sent again until answered
 * (answers.c), stored once. */
#include "client.h"
#include "id.h"
#include "specs.h"

#include <stdarg.h>
#include <stdio.h>
#include <utlist.h>

enum {
    MESSAGE_BYTES_SOFT = LIMIT_MESSAGE_BYTES / 2,
    MAKE_CERTAIN_MS = 2000, /* how long it may take to hear that a refused one is not stored */
};

static struct slice
named(const char *name)
{
    if (!name)
        name = STINT_DEFAULT_NAME;
    return (struct slice){(const uint8_t *)name, strlen(name)};
}

/* A job that can't be submitted: which one of several, and why. */
static enum stint_status __attribute__((format(printf, 5, 6))) bad_job(struct stint_client *c,
    enum stint_status status, size_t index, bool alone, const char *format, ...)
{
    char detail[240];
    va_list arguments;
    int n = alone ? 0 : snprintf(detail, sizeof detail, "job %zu: ", index);
    va_start(arguments, format);
    (void)vsnprintf(detail + n, sizeof detail - (size_t)n, format, arguments);
    va_end(arguments);
    return client_fail(c, status, "submitting", detail);
}

/* Most jobs have none of this, and are to cost nothing for it. */
static bool
is_plain(const struct job_spec *s)
{
    return !s->unique.data && !s->group.data &&
        (s->delay_ms | s->due_ms | s->expires_in_ms | s->expires_at_ms | s->total_ms | s->batch |
            s->after.size | s->needs.size) == 0;
}

static unsigned
needs_of(const struct job_spec *s)
{
    if (is_plain(s))
        return 0;
    return (s->delay_ms || s->due_ms ? NEEDS_DELAY : 0U) | (s->unique.data ? NEEDS_UNIQUE : 0U) |
        (s->expires_in_ms || s->expires_at_ms ? NEEDS_EXPIRES : 0U) |
        (s->after.size ? NEEDS_AFTER : 0U) | (s->total_ms ? NEEDS_TOTAL : 0U) |
        (s->batch ? NEEDS_BATCH : 0U) | (s->needs.size ? NEEDS_NEEDS : 0U) |
        (s->group.data ? NEEDS_GROUPS : 0U);
}

const char *
client_lacks(const struct stint_client *c, unsigned needs)
{
    static const struct {
        enum client_need need;
        const char *feature, *lacks;
    } all[] = {{NEEDS_DELAY, "delay", "the broker is too old for jobs that are due later"},
        {NEEDS_UNIQUE, "unique", "the broker is too old for unique keys"},
        {NEEDS_EXPIRES, "expires", "the broker is too old for jobs that expire"},
        {NEEDS_AFTER, "after", "the broker is too old for jobs that wait for others"},
        {NEEDS_TOTAL, "total", "the broker is too old for a limit of all runs of a job"},
        {NEEDS_BATCH, "batches", "the broker is too old for batches"},
        {NEEDS_NEEDS, "needs", "the broker is too old for jobs that need something of a worker"},
        {NEEDS_GROUPS, "groups", "the broker is too old for groups of jobs"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if ((needs & all[i].need) && !session_has_feature(&c->session, all[i].feature))
            return all[i].lacks;
    return NULL;
}

/* Where in the caller's call the jobs of a message begin, and the ids of those that have gone. */
struct piece_place {
    size_t first;
    const struct stint_id *gone; /* NULL: they are not known */
};

static enum stint_status
check_unique(struct stint_client *c, const struct job_spec *s, size_t index, bool alone)
{
    if (s->unique.size == 0 || s->unique.size > LIMIT_UNIQUE_BYTES || !text_is_utf8(s->unique))
        return bad_job(
            c, STINT_INVALID, index, alone, "a unique key has 1 to 255 bytes, and is UTF-8");
    if (s->unique_flags & ~(uint64_t)UNIQUE_FLAGS_ALL || s->unique_for_ms > LIMIT_TIME_MS)
        return bad_job(c, STINT_INVALID, index, alone,
            "unique_flags are bits of enum stint_unique, and unique_for_ms at most a hundred "
            "years");
    return STINT_OK;
}

static const char LONG_DURATION[] = "a duration is at most a hundred years";

/* What only some jobs have. */
static enum stint_status
check_more(struct stint_client *c, const struct job_spec *s, size_t index, bool alone)
{
    if (s->delay_ms > LIMIT_TIME_MS || s->expires_in_ms > LIMIT_TIME_MS ||
        s->total_ms > LIMIT_TIME_MS)
        return bad_job(c, STINT_INVALID, index, alone, LONG_DURATION);
    if (s->due_ms > LIMIT_MOMENT_MS || s->expires_at_ms > LIMIT_MOMENT_MS)
        return bad_job(c, STINT_INVALID, index, alone, "a time is at most in the year 9999");
    if (s->batch > LIMIT_BATCH)
        return bad_job(c, STINT_INVALID, index, alone, "there is no batch of this number");
    const char *lacks = c->submissions.welcomed ? client_lacks(c, needs_of(s)) : NULL;
    if (lacks)
        return bad_job(c, STINT_UNSUPPORTED, index, alone, "%s", lacks);
    char needs[LIMIT_HAS_BYTES + 1];
    size_t size;
    const char *why = s->needs.size ? needs_write(NEEDS_OF_JOB, s->needs, needs, &size) : NULL;
    if (why)
        return bad_job(c, STINT_INVALID, index, alone, "\"%.100s\": %s", s->needs.data, why);
    if (s->group.data && !group_is_valid(s->group))
        return bad_job(
            c, STINT_INVALID, index, alone, "a group has a name of 1 to 128 bytes of UTF-8");
    return s->unique.data ? check_unique(c, s, index, alone) : STINT_OK;
}

static enum stint_status
check_sizes(struct stint_client *c, const struct job_spec *s, size_t index, bool alone)
{
    uint64_t most = LIMIT_BODY_BYTES_MAX;
    if (c->submissions.welcomed && c->session.welcome.payload_bytes < most)
        most = c->session.welcome.payload_bytes;
    if (s->payload.size > most)
        return bad_job(c, STINT_TOO_LARGE, index, alone,
            "a payload of %zu bytes, and the broker's limit (--payload-max) is %llu",
            s->payload.size, (unsigned long long)most);
    if ((s->keep_ms > LIMIT_TIME_MS && s->keep_ms != KEEP_DEFAULT) ||
        s->time_to_run_ms > LIMIT_TIME_MS || s->backoff_base_ms > LIMIT_TIME_MS ||
        s->backoff_cap_ms > LIMIT_TIME_MS)
        return bad_job(c, STINT_INVALID, index, alone, LONG_DURATION);
    return is_plain(s) ? STINT_OK : check_more(c, s, index, alone);
}

/* Is it one of the same call? Which? */
static bool
is_earlier(const struct stint_id *id, uint64_t *index)
{
    *index = id_sequence(id) - 1;
    return id_queue(id) == 0 && id_broker(id) == 0 && id_sequence(id) > 0;
}

static enum stint_status
check_after(struct stint_client *c, const struct stint_job *job, size_t index, bool alone)
{
    uint64_t place;
    if (job->after.count > LIMIT_AFTER)
        return bad_job(
            c, STINT_INVALID, index, alone, "it is after more than %d others", LIMIT_AFTER);
    if ((job->after.count > 0 && !job->after.ids) || job->after.flags & ~(uint32_t)AFTER_FLAGS_ALL)
        return bad_job(c, STINT_INVALID, index, alone,
            "flags of after are bits of enum stint_after, and there are ids");
    for (uint32_t i = 0; i < job->after.count; i++)
        if (is_earlier(&job->after.ids[i], &place) && place >= index)
            return bad_job(c, STINT_INVALID, index, alone,
                "it is after a job that does not stand before it, stint_earlier(%llu)",
                (unsigned long long)place);
    return STINT_OK;
}

static enum stint_status
spec_of(struct stint_client *c, const struct stint_job *job, size_t index, bool alone,
    struct job_spec *s)
{
    const uint8_t *something = (const uint8_t *)job->after.ids;
    *s = (struct job_spec){.queue = named(job->queue),
        .kind = named(job->kind),
        .payload = {job->payload, job->payload_bytes},
        .keep_ms = job->keep_ms < 0 ? KEEP_DEFAULT : (uint64_t)job->keep_ms,
        .time_to_run_ms = job->time_to_run_ms,
        .backoff_base_ms = job->backoff_base_ms ? job->backoff_base_ms : DEFAULT_BACKOFF_BASE_MS,
        .backoff_cap_ms = job->backoff_cap_ms ? job->backoff_cap_ms : DEFAULT_BACKOFF_CAP_MS,
        .delay_ms = job->delay_ms,
        .due_ms = job->due_ms,
        .expires_in_ms = job->expires_in_ms,
        .expires_at_ms = job->expires_at_ms,
        .total_ms = job->total_ms,
        .needs = {(const uint8_t *)job->needs, job->needs ? strlen(job->needs) : 0},
        .batch = job->batch,
        .unique = {(const uint8_t *)job->unique, job->unique ? strlen(job->unique) : 0},
        .unique_flags = job->unique ? job->unique_flags : 0,
        .unique_for_ms = job->unique ? job->unique_for_ms : 0,
        .group = {(const uint8_t *)job->group, job->group ? strlen(job->group) : 0},
        .after = {something, job->after.count}, /* until put_after */
        .after_flags = job->after.count ? job->after.flags : 0,
        .max_attempts = job->max_attempts ? job->max_attempts : DEFAULT_MAX_ATTEMPTS,
        .priority = (uint8_t)(job->priority < 0 ? DEFAULT_PRIORITY : job->priority)};
    if (!name_is_valid(s->queue))
        return bad_job(c, STINT_BAD_NAME, index, alone, "queue \"%.100s\"", job->queue);
    if (!name_is_valid(s->kind))
        return bad_job(c, STINT_BAD_NAME, index, alone, "kind \"%.100s\"", job->kind);
    if (job->priority > 255)
        return bad_job(c, STINT_INVALID, index, alone, "the priority is 0 to 255, not %ld",
            (long)job->priority);
    if (s->max_attempts > LIMIT_ATTEMPTS)
        return bad_job(c, STINT_INVALID, index, alone, "max attempts are 1 to 65535, not %lu",
            (unsigned long)s->max_attempts);
    enum stint_status status = check_after(c, job, index, alone);
    if (status == STINT_OK)
        status = check_sizes(c, s, index, alone);
    if (status == STINT_OK && !job->payload && job->payload_bytes > 0)
        return bad_job(c, STINT_INVALID, index, alone, "a payload of %zu bytes, which is NULL",
            job->payload_bytes);
    return status;
}

enum stint_status
client_job_spec(struct stint_client *c, const struct stint_job *job, struct job_spec *spec)
{
    return spec_of(c, job, 0, true, spec);
}

bool
client_may_be_stored(const struct stint_client *c, const struct call *call)
{
    const struct submissions *s = &c->submissions;
    return call->request->ever_sent || call->request->number <= s->stored ||
        (c->own_session && !s->welcomed); /* an earlier client of the session may have sent it */
}

void
client_set_detail(struct call *call, const char *text)
{
    free(call->detail);
    call->detail = strdup(text);
}

static enum stint_status
submit_specs(struct stint_client *c, const struct job_spec *specs, uint32_t count,
    const struct call *from, struct call **made)
{
    struct submissions *s = &c->submissions;
    if (s->open >= LIMIT_SUBMISSIONS_OPEN)
        return client_fail(c, STINT_TOO_MANY, "submitting", "too many are unanswered");
    struct call *call = client_call(c, MESSAGE_SUBMIT);
    call->replied = client_submit_failed;
    call->done = from->done;
    call->context = from->context;
    call->first = from->first;
    call->count = count;
    for (uint32_t i = 0; i < count; i++)
        call->needs |= (uint16_t)needs_of(&specs[i]);
    message_put_submit(&call->request->frame, call->request->number, s->acked, specs, count);
    client_send(call);
    s->open++;
    *made = call;
    return STINT_OK;
}

/* What a job is after, as the message has it. Jobs of the same call stand in this message, or have
 * gone before it in another one: then their ids are known. */
static bool
put_after(
    struct pack_buffer *b, const struct stint_job *job, size_t first, const struct stint_id *gone)
{
    bool all = true;
    pack_put_array(b, job->after.count);
    for (uint32_t i = 0; i < job->after.count; i++) {
        const struct stint_id *id = &job->after.ids[i];
        uint64_t place;
        if (!is_earlier(id, &place))
            pack_put_bytes(b, id->bytes, STINT_ID_BYTES);
        else if (place >= first)
            pack_put_uint(b, place - first);
        else if (gone)
            pack_put_bytes(b, gone[place].bytes, STINT_ID_BYTES);
        else
            all = false;
    }
    return all;
}

/* The same of all jobs, one behind the other. */
static enum stint_status
put_all_after(struct stint_client *c, struct pack_buffer *b, const struct stint_job *jobs,
    size_t count, struct job_spec *specs, const struct piece_place *place)
{
    for (size_t i = 0; i < count; i++) {
        size_t begun = b->used;
        if (jobs[i].after.count == 0)
            continue;
        if (!put_after(b, &jobs[i], place->first, place->gone))
            return bad_job(c, STINT_TOO_LARGE, place->first + i, false,
                "it is after one that does not fit into the same message, of 4096 jobs and 4 MiB");
        specs[i].after.size = b->used - begun;
    }
    for (size_t i = 0, at = 0; i < count; i++) {
        specs[i].after.data = specs[i].after.size ? b->data + at : NULL;
        at += specs[i].after.size;
    }
    return STINT_OK;
}

/* `from` says whom to tell, and where in the caller's call these jobs begin. */
static enum stint_status
submit(struct stint_client *c, const struct stint_job *jobs, size_t count, bool alone,
    const struct call *from, const struct stint_id *gone, struct call **made)
{
    struct job_spec one, *specs = &one;
    struct pack_buffer after = {NULL, 0, 0};
    const struct piece_place place = {from->first, gone};
    size_t bytes = 0;
    if (c->closing)
        return client_fail(c, STINT_CLOSED, "submitting", "the client is being destroyed");
    if (c->submissions.forgotten) {
        c->submissions.forgotten = false;
        return client_fail(c, STINT_UNKNOWN_OUTCOME, "submitting",
            "the broker has forgotten this session, and with it whether this was stored before");
    }
    if (count > 1 && !(specs = malloc(count * sizeof *specs)))
        return client_fail(c, STINT_NO_MEMORY, "submitting", "");
    enum stint_status status = STINT_OK;
    for (size_t i = 0; i < count && status == STINT_OK; i++) {
        status = spec_of(c, &jobs[i], from->first + i, alone, &specs[i]);
        bytes += jobs[i].payload_bytes;
    }
    if (status == STINT_OK)
        status = put_all_after(c, &after, jobs, count, specs, &place);
    bytes += after.used;
    if (status == STINT_OK && count > 1 && bytes > MESSAGE_BYTES_SOFT)
        status = client_fail(c, STINT_TOO_LARGE, "submitting", "a message is at most 4 MiB");
    if (status == STINT_OK)
        status = submit_specs(c, specs, (uint32_t)count, from, made);
    if (specs != &one)
        free(specs);
    pack_buffer_free(&after);
    return status;
}

enum stint_status
stint_submit_async(struct stint_client *c, const struct stint_job *jobs, size_t count,
    stint_submitted_fn *done, void *context)
{
    struct call from = {.done = done, .context = context}, *call;
    if (count == 0 || count > LIMIT_JOBS)
        return client_fail(c, STINT_INVALID, "submitting", "1 to 4096 jobs at a time");
    if (!jobs)
        return client_fail(c, STINT_INVALID, "submitting", COUNT_OF_NULL);
    return submit(c, jobs, count, count == 1, &from, NULL, &call);
}

size_t
stint_client_pending(const struct stint_client *c)
{
    return c->submissions.open - c->submissions.abandoned;
}

enum stint_status
stint_client_held(const struct stint_client *c, const char **why)
{
    if (why)
        *why = c->submissions.why;
    return c->submissions.held;
}

/* ---- synchronous ---- */

/* One message of a synchronous submit. */
struct piece {
    struct stint_client *client;
    struct stint_id *ids;
    uint8_t *met; /* NULL: no job has a unique key */
    enum stint_status status;
    bool over;
};

static void
piece_done(void *context, enum stint_status status, const struct stint_id *ids, size_t count)
{
    struct piece *piece = context;
    piece->status = status;
    piece->over = true;
    if (piece->ids && status == STINT_OK)
        memcpy(piece->ids, ids, count * sizeof *ids);
    if (piece->met && status == STINT_OK)
        memcpy(piece->met, piece->client->lent.met, count);
}

/* Takes back what was never sent; nor was anything behind it, so their numbers move up. */
static void
take_back(struct stint_client *c, struct call *call)
{
    uint64_t number = call->request->number;
    for (struct request *r = call->request->next; r; r = r->next)
        client_renumber(r->owner, number++);
    c->submissions.last--;
    call->done = NULL;
    client_finish(call, STINT_OK, 0);
}

/* It stays in its place, as its number must not be missing, until it is answered, or until a
 * WELCOME tells what became of it; but it is answered to nobody. */
static enum stint_status
abandon(struct stint_client *c, struct call *call, const char *why)
{
    call->done = NULL;
    call->abandoned = true;
    c->submissions.abandoned++;
    return client_fail(c, STINT_UNKNOWN_OUTCOME, "submitting", why);
}

/* Time is over, or the client at its end (`status`). What may be stored has an unknown outcome, but
 * what was refused for now: then a new conversation tells for certain. */
static enum stint_status
give_up(struct stint_client *c, struct call *call, struct piece *piece, enum stint_status status)
{
    enum stint_status held = c->submissions.held;
    bool late = status == STINT_TIMEOUT;
    assert(call);
    if (!client_may_be_stored(c, call)) {
        take_back(c, call);
        if (!late)
            return status;
        if (held != STINT_OK)
            return client_fail_so(c, held, "submitting", c->submissions.why);
        status = client_too_late(c, "submitting");
        if (status == STINT_TOO_MANY) /* it would be taken for a word about the jobs */
            status = STINT_TIMEOUT;
        return status;
    }
    if (late && held != STINT_OK) {
        call->refused = held;
        client_set_detail(call, "there was no room in time");
        session_renew(&c->session, wire_now_ms(), NULL);
        (void)client_run_until(c, &piece->over, wire_now_ms() + MAKE_CERTAIN_MS);
        if (piece->over)
            return piece->status;
    }
    return abandon(c, call, late ? "it was sent, and not answered in time" : "");
}

static enum stint_status
submit_piece(struct stint_client *c, const struct stint_job *jobs, size_t count, bool alone,
    struct piece *piece, size_t first, uint64_t end_ms)
{
    struct call from = {.done = piece_done, .context = piece, .first = first}, *call = NULL;
    const struct stint_id *gone = piece->ids ? piece->ids - first : NULL; /* of the whole call */
    enum stint_status status = submit(c, jobs, count, alone, &from, gone, &call);
    if (status != STINT_OK)
        return status;
    status = client_run_for_answer(c, &piece->over, end_ms);
    return piece->over ? piece->status : give_up(c, call, piece, status);
}

static enum stint_status
check_all(struct stint_client *c, const struct stint_job *jobs, size_t count)
{
    enum stint_status status = STINT_OK;
    struct job_spec spec;
    if (!jobs && count > 0)
        return client_fail(c, STINT_INVALID, "submitting", COUNT_OF_NULL);
    for (size_t i = 0; i < count && status == STINT_OK; i++)
        status = spec_of(c, &jobs[i], i, count == 1, &spec);
    return status;
}

/* What jobs with unique keys meet is kept for stint_client_met. */
static bool
remember_met(struct stint_client *c, const struct stint_job *jobs, size_t count)
{
    bool unique = false;
    for (size_t i = 0; i < count && !unique; i++)
        unique = jobs[i].unique != NULL;
    free(c->submissions.met);
    c->submissions.met = unique ? calloc(count, 1) : NULL;
    c->submissions.met_count = c->submissions.met ? count : 0;
    return !unique || c->submissions.met;
}

enum stint_met
stint_client_met(const struct stint_client *c, size_t index)
{
    if (c->calling > 0)
        return index < LIMIT_JOBS ? (enum stint_met)c->lent.met[index] : STINT_MET_NOTHING;
    return index < c->submissions.met_count ? (enum stint_met)c->submissions.met[index]
                                            : STINT_MET_NOTHING;
}

/* How many of these jobs one message takes. */
static size_t
fitting(const struct stint_job *jobs, size_t count)
{
    size_t n = 0, bytes = 0, links = 0;
    for (; n < count && n < LIMIT_JOBS; n++) {
        links += jobs[n].after.count;
        bytes += jobs[n].payload_bytes + jobs[n].after.count * (size_t)(STINT_ID_BYTES + 2);
        if (n > 0 && (bytes > MESSAGE_BYTES_SOFT || links > LIMIT_AFTER_ALL))
            break;
    }
    return n;
}

enum stint_status
stint_submit_some(struct stint_client *c, const struct stint_job *jobs, size_t count,
    struct stint_id *ids, size_t *stored, uint32_t timeout_ms)
{
    uint64_t end_ms = client_end_ms(timeout_ms);
    size_t at = 0;
    struct stint_id *own = NULL; /* later messages name jobs of earlier ones by their ids */
    enum stint_status status = client_may_wait(c, "submitting");
    if (status == STINT_OK)
        status = check_all(c, jobs, count);
    if (status == STINT_OK && !remember_met(c, jobs, count))
        status = client_fail(c, STINT_NO_MEMORY, "submitting", "");
    if (status == STINT_OK && !ids && fitting(jobs, count) < count) {
        ids = own = calloc(count, sizeof *own);
        status = own ? STINT_OK : client_fail(c, STINT_NO_MEMORY, "submitting", "");
    }
    while (status == STINT_OK && at < count) {
        size_t n = fitting(jobs + at, count - at);
        struct piece piece = {.client = c,
            .ids = ids ? ids + at : NULL,
            .met = c->submissions.met ? c->submissions.met + at : NULL};
        status = submit_piece(c, jobs + at, n, count == 1, &piece, at, end_ms);
        at += status == STINT_OK ? n : 0;
    }
    free(own);
    if (stored)
        *stored = at;
    return status;
}

enum stint_status
stint_submit(struct stint_client *c, const struct stint_job *jobs, size_t count,
    struct stint_id *ids, uint32_t timeout_ms)
{
    return stint_submit_some(c, jobs, count, ids, NULL, timeout_ms);
}

/* ---- jobs that a run asks for with its end ---- */

/* Who looks at them as if they were submitted. */
static struct stint_client *
new_checker(void)
{
    struct stint_client *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    (void)strcpy(c->endpoint, "the end of a job");
    return c;
}

static enum stint_status
end_checker(struct stint_client *c, enum stint_status status, char why[SPECS_WHY_BYTES])
{
    (void)snprintf(why, SPECS_WHY_BYTES, "%s", c->error);
    free(c);
    return status;
}

static enum stint_status
pack(struct stint_client *c, const struct stint_job *jobs, size_t count, struct job_spec *specs,
    struct pack_buffer *b)
{
    struct pack_buffer after = {NULL, 0, 0}, bytes = {NULL, 0, 0};
    const struct piece_place place = {0, NULL};
    enum stint_status status = STINT_OK;
    for (size_t i = 0; i < count && status == STINT_OK; i++)
        status = spec_of(c, &jobs[i], i, count == 1, &specs[i]);
    if (status == STINT_OK)
        status = put_all_after(c, &after, jobs, count, specs, &place);
    for (size_t i = 0; i < count && status == STINT_OK; i++)
        message_put_job(&bytes, &specs[i]);
    if (status == STINT_OK)
        message_put_joint(
            b, &(struct joint){.jobs = {bytes.data, bytes.used}, .jobs_count = (uint32_t)count});
    pack_buffer_free(&after);
    pack_buffer_free(&bytes);
    return status;
}

enum stint_status
specs_pack(
    const struct stint_job *jobs, size_t count, struct pack_buffer *b, char why[SPECS_WHY_BYTES])
{
    struct stint_client *c = new_checker();
    struct job_spec *specs = NULL;
    enum stint_status status = STINT_OK;
    if (count == 0 || count > LIMIT_JOBS)
        status = client_fail(c, STINT_INVALID, "submitting", "1 to 4096 jobs at a time");
    else if (!jobs)
        status = client_fail(c, STINT_INVALID, "submitting", COUNT_OF_NULL);
    else if (!(specs = malloc(count * sizeof *specs)))
        status = client_fail(c, STINT_NO_MEMORY, "submitting", "");
    else
        status = pack(c, jobs, count, specs, b);
    free(specs);
    return end_checker(c, status, why);
}

enum stint_status
specs_check(const struct welcome *broker, const struct job_spec *specs, size_t count,
    char why[SPECS_WHY_BYTES])
{
    struct stint_client *c = new_checker();
    enum stint_status status = STINT_OK;
    c->session.welcome = *broker;
    c->submissions.welcomed = true;
    for (size_t i = 0; i < count && status == STINT_OK; i++)
        status = check_sizes(c, &specs[i], i, count == 1);
    return end_checker(c, status, why);
}

enum stint_status
stint_jobs_pack(
    const struct stint_job *jobs, size_t count, void **bytes, size_t *size, const char **why)
{
    static _Thread_local char text[SPECS_WHY_BYTES];
    struct pack_buffer b = {NULL, 0, 0};
    enum stint_status status = specs_pack(jobs, count, &b, text);
    *bytes = status == STINT_OK ? b.data : NULL;
    *size = status == STINT_OK ? b.used : 0;
    if (why)
        *why = text;
    if (status != STINT_OK)
        pack_buffer_free(&b);
    return status;
}
