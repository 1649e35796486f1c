/* What is told of a job; the contract is in describe.h. */
#include "describe.h"
#include "clock.h"

static uint64_t
wall_of(const struct core *core, uint64_t monotonic_ms)
{
    return clock_told(core, core->clocks.wall_ms - (core->clocks.now_ms - monotonic_ms));
}

void
describe_job(const struct core *core, const struct job *job, struct stint_job_info *info)
{
    const struct record *r = &job->record;
    const struct lease *lease = job->place == PLACE_LIVE ? job->lease : NULL;
    *info =
        (struct stint_job_info){.id = job->id, .state = r->state, .priority = job->level->priority};
    memcpy(info->queue, job->level->queue->name, sizeof info->queue);
    slice_to_text(info->kind, sizeof info->kind, r->kind);
    slice_to_text(info->error, sizeof info->error, r->error);
    info->attempt = r->attempt;
    info->failures = record_failures(r) - (r->last == LAST_SUCCEEDED);
    info->max_attempts = (uint32_t)record_get(r, FIELD_MAX_ATTEMPTS, DEFAULT_MAX_ATTEMPTS);
    info->submitted_ms = clock_told(core, r->submitted_ms);
    info->due_ms = clock_told(core, record_get(r, FIELD_DUE, 0));
    info->settled_ms = clock_told(core, record_get(r, FIELD_SETTLED, 0));
    info->keep_ms = job_kept_ms(core, job);
    info->time_to_run_ms = record_get(r, FIELD_TIME_TO_RUN, job->level->queue->set.time_to_run_ms);
    info->backoff_base_ms = record_get(r, FIELD_BACKOFF_BASE, 0);
    info->backoff_cap_ms = record_get(r, FIELD_BACKOFF_CAP, 0);
    info->expires_at_ms = clock_told(core, record_get(r, FIELD_START_BY, 0));
    info->after = (uint32_t)record_get(r, FIELD_AFTER, 0);
    info->after_flags = (uint32_t)record_get(r, FIELD_AFTER_FLAGS, 0);
    info->total_ms = record_get(r, FIELD_TOTAL, 0);
    info->spent_ms = record_get(r, FIELD_SPENT, 0);
    if (record_has(r, FIELD_UNIQUE)) {
        slice_to_text(info->unique, sizeof info->unique, r->unique);
        info->unique_flags = record_get(r, FIELD_UNIQUE_FLAGS, 0);
        info->unique_for_ms = record_get(r, FIELD_UNIQUE_FOR, 0);
    }
    slice_to_text(info->schedule, sizeof info->schedule, r->schedule);
    slice_to_text(info->needs, sizeof info->needs, r->needs);
    info->batch = batch_number(record_get(r, FIELD_BATCH, 0));
    info->batch_role = batch_role(record_get(r, FIELD_BATCH, 0));
    slice_to_text(info->group, sizeof info->group, r->group);
    info->group_holds = record_holds(r);
    if (r->state == STINT_SUCCEEDED)
        info->result_bytes = r->body_bytes;
    else {
        info->payload_bytes = r->body_bytes;
        info->result_bytes = record_get(r, FIELD_OUTPUT, 0);
    }
    if (lease) {
        info->state = STINT_RUNNING;
        info->attempt = lease->attempt;
        info->started_ms = wall_of(core, lease->dispatched_ms);
        if (lease->worker)
            memcpy(info->worker, lease->worker->name, sizeof info->worker);
        info->progress = progress_info(lease->progress, core->clocks.now_ms);
    }
}
