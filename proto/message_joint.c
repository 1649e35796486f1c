/* What an outcome in SETTLE asks for together with its end: new jobs, and jobs to be cancelled. It
 * is an array of the jobs, each as SUBMIT has it without a common part, of ids, and of flags. The
 * decoder sees that it is good and keeps its bytes: whoever makes it real reads them into arrays.
 */
#include "message_fields.h"

#include <assert.h>

/* Elements of it. */
enum { JOINT_JOBS = 1, JOINT_IDS = 2, JOINT_FLAGS = 3 };

static void
check_jobs(struct decoding *d, struct joint_size *size)
{
    uint32_t count = decoding_counted(d, LIMIT_JOBS, "over 4096 new jobs with an end");
    for (uint32_t i = 0; i < count && !d->r.bad; i++) {
        struct job_spec spec;
        struct pack_reader r;
        decoding_job_among(d, &spec, i);
        size->links += d->r.bad ? 0 : message_open_after(spec.after, &r);
    }
    size->jobs += count;
    if (!d->r.bad && size->jobs > LIMIT_JOBS)
        decoding_complain(d, STINT_TOO_LARGE, "over 4096 new jobs in one message");
    if (!d->r.bad && size->links > LIMIT_AFTER_ALL)
        decoding_complain(d, STINT_TOO_LARGE, "the new jobs are after over 32768 others");
}

static void
check_ids(struct decoding *d, struct joint_size *size)
{
    uint32_t count = decoding_counted(d, LIMIT_JOBS, "over 4096 jobs to be cancelled with an end");
    for (uint32_t i = 0; i < count && !d->r.bad; i++) {
        struct stint_id id;
        decoding_id(d, &id);
    }
    size->ids += count;
    if (!d->r.bad && size->ids > LIMIT_JOBS)
        decoding_complain(d, STINT_TOO_LARGE, "over 4096 jobs to be cancelled in one message");
}

struct slice
decoding_joint(struct decoding *d, struct joint_size *size)
{
    struct slice bytes = {d->r.at, 0};
    uint32_t elements = pack_array(&d->r);
    if (elements >= JOINT_JOBS)
        check_jobs(d, size);
    if (elements >= JOINT_IDS)
        check_ids(d, size);
    if (elements >= JOINT_FLAGS)
        (void)decoding_ranged(d, 0, JOINT_FLAGS_ALL, "flags of an end are 0 or 1");
    decoding_skip_rest(d, elements < JOINT_FLAGS ? elements : JOINT_FLAGS, elements);
    bytes.size = elements > 0 && !d->r.bad ? (size_t)(d->r.at - bytes.data) : 0;
    return bytes;
}

bool
message_joint_check(struct slice bytes, struct joint_size *size, const char **why)
{
    struct decoding d = {.r = pack_reader(bytes.data, bytes.size), .why = "it is cut, or no list"};
    *size = (struct joint_size){0};
    (void)decoding_joint(&d, size);
    *why = d.why;
    return !d.r.bad && pack_left(&d.r) == 0;
}

uint32_t
message_joint_jobs(struct slice joint, struct job_spec *specs)
{
    struct decoding d = {.r = pack_reader(joint.data, joint.size), .specs = specs};
    uint32_t count = pack_array(&d.r) >= JOINT_JOBS ? pack_array(&d.r) : 0;
    for (uint32_t i = 0; i < count; i++)
        decoding_job_among(&d, &specs[i], i);
    assert(!d.r.bad); /* decoding_joint has seen it */
    return count;
}

uint32_t
message_joint_ids(struct slice joint, struct stint_id *ids)
{
    struct decoding d = {.r = pack_reader(joint.data, joint.size)};
    if (pack_array(&d.r) < JOINT_IDS)
        return 0;
    for (uint32_t n = pack_array(&d.r); n > 0; n--)
        pack_skip(&d.r);
    uint32_t count = pack_array(&d.r);
    for (uint32_t i = 0; i < count; i++)
        decoding_id(&d, &ids[i]);
    assert(!d.r.bad);
    return count;
}

uint64_t
message_joint_flags(struct slice joint)
{
    struct pack_reader r = pack_reader(joint.data, joint.size);
    if (pack_array(&r) < JOINT_FLAGS)
        return 0;
    pack_skip(&r);
    pack_skip(&r);
    return pack_uint(&r);
}

void
message_put_joint(struct pack_buffer *b, const struct joint *joint)
{
    const struct slice *jobs = &joint->jobs;
    pack_put_array(b, joint->flags ? JOINT_FLAGS : joint->ids_count > 0 ? JOINT_IDS : JOINT_JOBS);
    pack_put_array(b, joint->jobs_count);
    if (jobs->size > 0)
        memcpy(pack_reserve(b, jobs->size), jobs->data, jobs->size);
    if (joint->ids_count == 0 && !joint->flags)
        return;
    pack_put_array(b, joint->ids_count);
    for (uint32_t i = 0; i < joint->ids_count; i++)
        put_id(b, &joint->ids[i]);
    if (joint->flags)
        pack_put_uint(b, joint->flags);
}
