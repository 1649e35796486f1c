/* What comes with the end of a run: all of it is there once that end is, or nothing ever is. Which
 * jobs a run has asked for is known from the frame that told its end, and from who asked.
 */
#include "keys.h"
#include "oracle_inside.h"

#include <stdlib.h>

enum { CANCELLED_MAX = 4 };

/* What one run asks for, as its SETTLE says. */
static struct joint_end {
    struct stint_id id;
    uint32_t attempt;
    enum outcome_type type;
    uint32_t first, count; /* the numbers of its jobs, which stand together */
    struct stint_id cancelled[CANCELLED_MAX];
    uint32_t cancelled_count;
    bool pressing; /* its jobs come however many wait */
    bool real; /* its jobs are there */
} * ends;
static size_t ends_count, ends_size;
static struct message_arrays *arrays;

void
joint_begin(void)
{
    ends_count = 0;
    if (!arrays && !(arrays = calloc(1, sizeof *arrays)))
        abort();
}

uint32_t
oracle_brought(const struct wish *wish, uint32_t parent, uint32_t attempt)
{
    uint32_t number = oracle_wish(wish);
    struct job *j = &known.jobs[number];
    j->answer = ANSWER_UNKNOWN; /* nobody is told */
    j->brought = true;
    j->brought_attempt = attempt;
    sim_trace("  job %u asks for job %u with its end", parent, number);
    return number;
}

bool
oracle_was_brought(uint32_t job)
{
    return known.jobs[job].brought;
}

static struct joint_end *
end_of(const struct stint_id *id, uint32_t attempt)
{
    for (size_t i = 0; i < ends_count; i++)
        if (ends[i].attempt == attempt && id_compare(&ends[i].id, id) == 0)
            return &ends[i];
    return NULL;
}

static struct joint_end *
new_end(void)
{
    if (ends_count == ends_size) {
        ends_size = ends_size ? 2 * ends_size : 64;
        ends = realloc(ends, ends_size * sizeof *ends);
        if (!ends)
            abort();
    }
    return memset(&ends[ends_count++], 0, sizeof *ends);
}

/* May who came with this key ask for all of it? */
static bool
is_allowed(const struct grant *key, const struct joint_end *e)
{
    bool allowed = true;
    for (uint32_t i = 0; i < e->count; i++)
        allowed &= keys_allow(key, RIGHT_SUBMIT, keys_queues[known.jobs[e->first + i].wish.queue]);
    for (uint32_t i = 0; i < e->cancelled_count; i++)
        allowed &= rights_let(key, RIGHT_SUBMIT | RIGHT_CONTROL, &e->cancelled[i]);
    return allowed;
}

static void
read_end(struct joint_end *e, const struct outcome *o)
{
    uint32_t count = message_joint_jobs(o->joint, arrays->specs), number, attempt;
    e->id = o->id;
    e->attempt = o->attempt;
    e->type = o->type;
    e->count = count;
    for (uint32_t i = 0; i < count; i++) {
        if (!oracle_number(arrays->specs[i].payload, &number, &attempt))
            sim_broken("the payload of a job that comes with an end was changed on its way");
        e->first = i == 0 ? number : e->first;
        const struct job *j = &known.jobs[number];
        if (number != e->first + i || !j->brought || j->brought_attempt != o->attempt)
            sim_broken("an end asks for jobs that its run did not ask for");
    }
    count = message_joint_ids(o->joint, arrays->ids);
    e->cancelled_count = count < CANCELLED_MAX ? count : CANCELLED_MAX;
    memcpy(e->cancelled, arrays->ids, e->cancelled_count * sizeof *e->cancelled);
}

bool
joint_hear(const struct grant *key, const struct outcome *o)
{
    struct joint_end *e = end_of(&o->id, o->attempt);
    if (!e)
        read_end(e = new_end(), o);
    e->pressing |= message_joint_flags(o->joint) & JOINT_BEYOND;
    if (!is_allowed(key, e))
        return false;
    for (uint32_t i = 0; i < e->count; i++)
        LIST_ADD(traffic.submits, e->first + i);
    for (uint32_t i = 0; i < e->cancelled_count; i++)
        LIST_ADD(traffic.cancels, e->cancelled[i]);
    return true;
}

bool
joint_is_doubtful(const struct outcome *o)
{
    const struct joint_end *e = end_of(&o->id, o->attempt);
    bool doubtful = false;
    for (uint32_t i = 0; i < e->count; i++) {
        const struct wish *w = &known.jobs[e->first + i].wish;
        for (unsigned n = 0; n < w->after.count; n++)
            doubtful |= w->after.jobs[n] < e->first;
    }
    for (uint32_t i = 0; i < e->cancelled_count; i++) { /* where it stands says who may */
        const struct job *j = job_known(&e->cancelled[i]);
        doubtful |= j && (j->queue != j->wish.queue || j->now_queue != j->wish.queue);
    }
    return doubtful;
}

bool
joint_heard(void)
{
    bool heard = false;
    for (size_t i = 0; i < traffic.outcomes.count && !heard; i++)
        heard = traffic.outcomes.all[i].brings;
    return heard;
}

bool
joint_presses(const struct job *j)
{
    for (size_t i = 0; i < ends_count; i++)
        if ((uint32_t)(j - known.jobs) - ends[i].first < ends[i].count)
            return ends[i].pressing;
    return false;
}

/* One of them may have come and gone within the step. */
static bool
any_deleted(const struct joint_end *e)
{
    (void)e;
    return traffic.deletes.count > 0;
}

static void
check_cancelled(const struct joint_end *e)
{
    for (uint32_t i = 0; i < e->cancelled_count; i++) {
        const struct job *j = job_known(&e->cancelled[i]);
        if (j && j->now.state != STINT_UNKNOWN && !stint_state_settled(j->now.state) &&
            traffic.retries.count == 0 && id_compare(&e->cancelled[i], &e->id) != 0)
            sim_broken("%s was to be cancelled with an end, and is not", job_named(j));
    }
}

/* Did the end become real in this step, as far as the job that has ended shows? */
static bool
has_ended(const struct joint_end *e, const struct job *j)
{
    if (e->type == OUTCOME_SUCCEEDED)
        return j->now.state == STINT_SUCCEEDED && j->now.attempt == e->attempt &&
            (j->was.state != STINT_SUCCEEDED || j->was.attempt != e->attempt);
    return false; /* a failure may be one whose jobs were refused */
}

/* Can it have, if what it brings is there now and was not? */
static bool
may_have_ended(const struct joint_end *e, const struct job *j)
{
    bool there = j->was.attempt == e->attempt && !stint_state_settled(j->was.state);
    if (e->type == OUTCOME_SUCCEEDED)
        return there &&
            (j->now.state == STINT_UNKNOWN ||
                (j->now.state == STINT_SUCCEEDED && j->now.attempt == e->attempt));
    return there && (j->now.state != STINT_RUNNING || j->now.attempt > e->attempt);
}

void
joint_check(void)
{
    for (size_t i = 0; i < ends_count; i++) {
        struct joint_end *e = &ends[i];
        const struct job *j = job_known(&e->id);
        uint32_t stored = 0;
        for (uint32_t n = 0; n < e->count; n++)
            stored += known.jobs[e->first + n].stored;
        if (!j)
            sim_broken("there is an end of a job that is not known");
        if (stored > 0 && stored < e->count && !any_deleted(e))
            sim_broken("of %u jobs that come with the end of %s there are %u", e->count,
                job_named(j), stored);
        if (stored > 0 && !e->real && !may_have_ended(e, j))
            sim_broken("what comes with the end of %s is there without it", job_named(j));
        if (has_ended(e, j) && stored < e->count && !any_deleted(e))
            sim_broken("%s has ended without what comes with that", job_named(j));
        if (has_ended(e, j))
            check_cancelled(e);
        e->real |= stored > 0;
    }
}
