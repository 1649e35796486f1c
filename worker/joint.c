/* What a task asks for with its end: gathered on the handler's thread, told with the outcome by the
 * thread of the conversation, and told again for as long as the broker has no room for it.
 */
#include "specs.h"
#include "worker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

enum {
    JOINT_BYTES = (4 << 20) - (64 << 10), /* of one end: with its result it fits into a message */
    AGAIN_MS = 100, /* doubles */
    AGAIN_MS_MAX = 2000,
    PRESSING_MS = 10000, /* after so long the jobs are to be taken however many wait */
};

static struct with_end *
of(struct held *held)
{
    if (!held->with_end && !(held->with_end = calloc(1, sizeof *held->with_end)))
        abort();
    return held->with_end;
}

static bool
is_empty(const struct with_end *e)
{
    return !e || (e->size.jobs == 0 && e->size.ids == 0);
}

static void
drop(struct held *held)
{
    struct with_end *e = held->with_end;
    if (!e)
        return;
    e->jobs.used = e->ids.used = 0;
    e->size = (struct joint_size){0};
}

void
joint_free(struct held *held)
{
    struct with_end *e = held->with_end;
    if (!e)
        return;
    pack_buffer_free(&e->jobs);
    pack_buffer_free(&e->ids);
    pack_buffer_free(&e->bytes);
    free(e);
    held->with_end = NULL;
}

void
joint_end(struct held *held, enum outcome_type outcome)
{
    if (outcome != OUTCOME_SUCCEEDED)
        drop(held);
}

/* ---- asked for ---- */

static bool
takes(const struct held *held)
{
    return held->outcome == 0 || held->outcome == OUTCOME_SUCCEEDED ||
        held->outcome == OUTCOME_FAILED || held->outcome == OUTCOME_DEAD;
}

static bool
knows_of_it(const struct welcome *broker)
{
    static const char name[] = "settle_jobs";
    return broker->features & feature_bit((struct slice){(const uint8_t *)name, sizeof name - 1});
}

/* What the broker can do, as the thread of the conversation knows it. */
static struct welcome
broker_of(const struct stint_task *task)
{
    struct handover *h = task->handover;
    pthread_mutex_lock(&h->lock);
    struct welcome broker = h->broker;
    pthread_mutex_unlock(&h->lock);
    return broker;
}

static enum stint_status
fail(struct with_end *e, enum stint_status status, const char *detail)
{
    (void)snprintf(
        e->why, sizeof e->why, "%s%s%s", stint_status_text(status), *detail ? ": " : "", detail);
    return status;
}

static enum stint_status
may_ask(struct stint_task *task, struct welcome *broker)
{
    struct with_end *e = of(task->held);
    *broker = broker_of(task);
    if (!takes(task->held))
        return fail(e, STINT_WRONG_STATE, "the run has been given back");
    if (!knows_of_it(broker))
        return fail(
            e, STINT_UNSUPPORTED, "the broker is too old for jobs that come with the end of a run");
    return STINT_OK;
}

/* What a job is after: places of jobs that were asked for in the same call are others in the whole.
 * False: one is the job that asks. */
static bool
put_after(struct pack_buffer *b, struct slice after, uint32_t before, const struct stint_id *self)
{
    struct pack_reader r;
    uint32_t count = message_open_after(after, &r);
    pack_put_array(b, count);
    for (uint32_t i = 0; i < count; i++) {
        struct after_ref ref = message_next_after(&r);
        if (ref.earlier)
            pack_put_uint(b, before + ref.index);
        else if (id_compare(&ref.id, self) == 0)
            return false;
        else
            pack_put_bytes(b, ref.id.bytes, STINT_ID_BYTES);
    }
    return true;
}

static enum stint_status
add_job(struct held *held, struct job_spec spec, uint32_t before)
{
    struct with_end *e = held->with_end;
    struct pack_buffer after = {0};
    enum stint_status status = STINT_OK;
    if (spec.after.size > 0) {
        if (!put_after(&after, spec.after, before, &held->info.id))
            status = fail(e, STINT_INVALID, "a job is after the one that asks for it");
        spec.after = (struct slice){after.data, after.used};
    }
    if (status == STINT_OK)
        message_put_job(&e->jobs, &spec);
    pack_buffer_free(&after);
    return status;
}

static enum stint_status
add_jobs(struct held *held, const struct welcome *broker, struct slice joint, uint32_t count)
{
    struct with_end *e = held->with_end;
    struct job_spec *specs = malloc((count + 1) * sizeof *specs);
    enum stint_status status = STINT_OK;
    size_t used = e->jobs.used;
    if (!specs)
        abort();
    (void)message_joint_jobs(joint, specs);
    if (count > 0)
        status = specs_check(broker, specs, count, e->why);
    for (uint32_t i = 0; i < count && status == STINT_OK; i++)
        status = add_job(held, specs[i], e->size.jobs);
    if (status == STINT_OK && e->jobs.used + e->ids.used > JOINT_BYTES)
        status = fail(e, STINT_TOO_LARGE, "with one end there come at most 4 MiB of jobs");
    if (status != STINT_OK)
        e->jobs.used = used;
    free(specs);
    return status;
}

/* Of ids: those of the bytes, behind those there are. */
static void
add_ids(struct with_end *e, struct slice joint, uint32_t count)
{
    size_t size = count * sizeof(struct stint_id);
    if (count > 0)
        (void)message_joint_ids(joint, (struct stint_id *)pack_reserve(&e->ids, size));
}

static enum stint_status
add(struct stint_task *task, struct slice joint)
{
    struct welcome broker;
    struct joint_size more;
    const char *why;
    enum stint_status status = may_ask(task, &broker);
    struct with_end *e = of(task->held);
    if (status != STINT_OK)
        return status;
    if (!message_joint_check(joint, &more, &why))
        return fail(e, STINT_INVALID, why);
    if (e->size.jobs + more.jobs > LIMIT_JOBS || e->size.ids + more.ids > LIMIT_JOBS)
        return fail(e, STINT_TOO_MANY, "with one end there come at most 4096 jobs");
    if (e->size.links + more.links > LIMIT_AFTER_ALL)
        return fail(e, STINT_TOO_MANY, "with one end there come jobs after at most 32768 others");
    status = add_jobs(task->held, &broker, joint, more.jobs);
    if (status != STINT_OK)
        return status;
    add_ids(e, joint, more.ids);
    e->size.jobs += more.jobs;
    e->size.ids += more.ids;
    e->size.links += more.links;
    return STINT_OK;
}

enum stint_status
stint_task_submit_packed(struct stint_task *task, const void *bytes, size_t size)
{
    return add(task, (struct slice){bytes, size});
}

enum stint_status
stint_task_submit(struct stint_task *task, const struct stint_job *jobs, size_t count)
{
    struct pack_buffer b = {0};
    enum stint_status status = specs_pack(jobs, count, &b, of(task->held)->why);
    if (status == STINT_OK)
        status = add(task, (struct slice){b.data, b.used});
    pack_buffer_free(&b);
    return status;
}

enum stint_status
stint_task_cancel(struct stint_task *task, const struct stint_id *id)
{
    struct pack_buffer b = {0};
    message_put_joint(&b, &(struct joint){.ids = id, .ids_count = 1});
    enum stint_status status = add(task, (struct slice){b.data, b.used});
    pack_buffer_free(&b);
    return status;
}

void
stint_task_ask_nothing(struct stint_task *task)
{
    drop(task->held);
}

const char *
stint_task_error(const struct stint_task *task)
{
    return task->held->with_end ? task->held->with_end->why : "";
}

bool
stint_task_may_ask(const struct stint_task *task)
{
    const struct welcome broker = broker_of(task);
    return knows_of_it(&broker);
}

/* ---- told ---- */

struct slice
joint_bytes(struct held *held)
{
    struct with_end *e = held->with_end;
    if (is_empty(e) || !takes(held))
        return (struct slice){NULL, 0};
    bool pressing = e->since_ms && wire_now_ms() - e->since_ms >= PRESSING_MS;
    e->bytes.used = 0;
    message_put_joint(&e->bytes,
        &(struct joint){.jobs = {e->jobs.data, e->jobs.used},
            .jobs_count = e->size.jobs,
            .ids = (const struct stint_id *)e->ids.data,
            .ids_count = e->size.ids,
            .flags = pressing ? JOINT_BEYOND : 0});
    return (struct slice){e->bytes.data, e->bytes.used};
}

void
joint_refuse_old(struct stint_worker *w, struct held *held)
{
    static const char why[] =
        "what it asked for with its end was refused: the broker is too old for that";
    if (is_empty(held->with_end) || session_has_feature(&w->session, "settle_jobs"))
        return;
    drop(held);
    if (held->outcome != OUTCOME_SUCCEEDED)
        return; /* it has failed, and says why */
    free(held->body);
    held->outcome = OUTCOME_FAILED;
    held->body = (uint8_t *)strdup(why);
    held->body_bytes = sizeof why - 1;
    held->errors_bytes = 0;
    if (!held->body)
        abort();
}

bool
joint_waits(struct stint_worker *w, struct held *held, enum stint_status status)
{
    struct with_end *e = held->with_end;
    bool passes = status == STINT_QUEUE_FULL || status == STINT_QUEUE_CLOSED ||
        status == STINT_BACKLOG_FULL || status == STINT_STORE_FULL || status == STINT_TOO_MANY ||
        status == STINT_TOO_VARIED;
    if (!passes || is_empty(e) || !takes(held))
        return false;
    uint64_t now_ms = wire_now_ms(), twice_ms = 2 * e->delay_ms;
    e->delay_ms = !e->since_ms ? AGAIN_MS : twice_ms < AGAIN_MS_MAX ? twice_ms : AGAIN_MS_MAX;
    e->since_ms = e->since_ms ? e->since_ms : now_ms;
    e->again_ms = now_ms + e->delay_ms;
    DL_APPEND(w->handover.later, held);
    return true;
}

void
joint_tell_again(struct stint_worker *w)
{
    struct held *h, *next;
    uint64_t now_ms = wire_now_ms();
    DL_FOREACH_SAFE (w->handover.later, h, next) {
        if (h->with_end->again_ms > now_ms)
            continue;
        DL_DELETE(w->handover.later, h);
        DL_APPEND(w->handover.done, h);
    }
}

void
joint_give_up(struct stint_worker *w)
{
    struct held *h, *next;
    DL_FOREACH_SAFE (w->handover.later, h, next) {
        DL_DELETE(w->handover.later, h);
        h->outcome = OUTCOME_SNOOZED; /* as programs that are ended with their worker */
        h->delay_ms = 0;
        h->body_bytes = 0;
        DL_APPEND(w->handover.done, h);
    }
}
