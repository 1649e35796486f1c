/* What becomes real together with the end of an attempt; the contract is in joint.h. It is judged
 * as a whole before anything of that end is written, with what a SUBMIT and a CANCEL of the same
 * would be judged by. Then the attempt ends, so that the keys it held are free; then jobs are
 * cancelled, for the same reason; then the new ones are stored. All of it is in one step, and so in
 * one transaction. An end that is told again finds its attempt over, and nothing of this happens.
 */
#include "joint.h"
#include "change.h"
#include "job.h"
#include "submit.h"

#include <stdlib.h>

/* The jobs are read into arrays of their own, as those of the message are still needed. Whatever
 * looks for decoded jobs finds these until the arrays are exchanged again. */
static void
exchange(struct core *core)
{
    struct message_arrays *joint = core->scratch.joint;
    if (!joint && !(joint = malloc(sizeof *joint)))
        abort();
    core->scratch.joint = core->scratch.decoded;
    core->scratch.decoded = joint;
}

bool
joint_passes(enum stint_status status)
{
    return status == STINT_QUEUE_FULL || status == STINT_BACKLOG_FULL ||
        status == STINT_STORE_FULL || status == STINT_QUEUE_CLOSED || status == STINT_TOO_MANY ||
        status == STINT_TOO_VARIED;
}

static enum stint_status
refuse(char why[SUBMIT_DETAIL_BYTES], enum stint_status status, const char *text)
{
    assert(strlen(text) < SUBMIT_DETAIL_BYTES);
    (void)strcpy(why, text);
    return status;
}

static enum stint_status
may_cancel(struct core *core, const struct peer *peer, const struct outcome *o,
    char why[SUBMIT_DETAIL_BYTES])
{
    struct message m = {.type = MESSAGE_CANCEL};
    struct judgement j;
    m.count = message_joint_ids(o->joint, core->scratch.decoded->ids);
    if (m.count == 0)
        return STINT_OK;
    rights_judge(peer->grant, &core->book, &m, core->scratch.decoded, &j);
    if (j.why)
        return refuse(why, STINT_DENIED, j.why);
    return j.denied_count > 0
        ? refuse(why, STINT_DENIED, "this key may not cancel one of those jobs")
        : STINT_OK;
}

/* It is over when the new ones are stored, and maybe forgotten. */
static bool
is_after(const struct job_spec *spec, const struct stint_id *id)
{
    struct pack_reader r;
    bool found = false;
    for (uint32_t n = message_open_after(spec->after, &r); n > 0 && !found; n--) {
        struct after_ref ref = message_next_after(&r);
        found = !ref.earlier && id_compare(&ref.id, id) == 0;
    }
    return found;
}

static enum stint_status
may_submit(struct core *core, const struct peer *peer, const struct outcome *o,
    char why[SUBMIT_DETAIL_BYTES])
{
    struct message m = {.type = MESSAGE_SUBMIT};
    struct judgement j;
    m.count = message_joint_jobs(o->joint, core->scratch.decoded->specs);
    if (m.count == 0)
        return STINT_OK;
    rights_judge(peer->grant, &core->book, &m, core->scratch.decoded, &j);
    if (j.why)
        return refuse(why, STINT_DENIED, j.why);
    for (uint32_t i = 0; i < m.count; i++)
        if (is_after(&core->scratch.decoded->specs[i], &o->id))
            return refuse(why, STINT_INVALID,
                "a job is after the one that it comes from, which has ended when it is stored");
    return submit_may_all(core, m.count, message_joint_flags(o->joint) & JOINT_BEYOND, why);
}

static void
append(uint8_t text[LIMIT_ERROR_BYTES], struct slice *to, struct slice more)
{
    size_t room = LIMIT_ERROR_BYTES - to->size, size = more.size < room ? more.size : room;
    if (size > 0)
        memcpy(text + to->size, more.data, size);
    to->size += size;
}

/* Why not, and then what the worker has said. */
static void
write_error(const struct outcome *o, const char why[SUBMIT_DETAIL_BYTES],
    uint8_t text[LIMIT_ERROR_BYTES], struct slice *error)
{
    *error = (struct slice){text, 0};
    append(text, error, text_slice("what it asked for with its end was refused: "));
    append(text, error, text_slice(why));
    if (o->type == OUTCOME_SUCCEEDED || o->body.size == 0)
        return;
    append(text, error, text_slice("\n"));
    append(text, error, o->body);
}

enum stint_status
joint_may(struct core *core, const struct peer *peer, const struct outcome *o,
    uint8_t text[LIMIT_ERROR_BYTES], struct slice *error)
{
    char why[SUBMIT_DETAIL_BYTES];
    exchange(core);
    enum stint_status status = may_cancel(core, peer, o, why);
    if (status == STINT_OK)
        status = may_submit(core, peer, o, why);
    exchange(core);
    if (status != STINT_OK)
        write_error(o, why, text, error);
    return status;
}

static void
cancel_all(struct core *core, const struct peer *peer, const struct outcome *o)
{
    char text[STINT_ID_TEXT_BYTES];
    struct stint_id first = {{0}};
    uint32_t count = message_joint_ids(o->joint, core->scratch.decoded->ids), done = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct stint_id id = core->scratch.decoded->ids[i];
        struct job job;
        /* One that is over, or not there any more, is what was wanted. */
        if (!job_find(core, &id, &job) || change_cancel(core, &job, NULL) != STINT_OK)
            continue;
        first = done++ == 0 ? id : first;
    }
    if (done > 0)
        core_audit(core, peer, "jobs were cancelled", NOTE_NUMBER("jobs", done),
            NOTE_TEXT("first", stint_id_format(&first, text)));
}

void
joint_apply(struct core *core, struct peer *peer, const struct outcome *o)
{
    exchange(core);
    cancel_all(core, peer, o);
    submit_all(core, message_joint_jobs(o->joint, core->scratch.decoded->specs));
    exchange(core);
}
