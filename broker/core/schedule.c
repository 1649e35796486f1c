/* Schedules; the contract is in schedule.h. */
#include "schedule.h"
#include "change.h"
#include "clock.h"
#include "job.h"
#include "submit.h"

enum {
    JOBS_A_STEP = 512,
    RETRY_MS = 1000, /* what can't be made is tried again so often */
};

/* One that was asked for by name. */
struct named_zone {
    char name[ZONE_NAME_BYTES];
    struct zone *zone;
    struct named_zone *next;
};

/* ---- when ---- */

/* The zones there are on a machine are few, so they stay. NULL: it has none of this name. */
static const struct zone *
zone_named(struct core *core, const char *name)
{
    struct named_zone *z = core->sweeps.schedules.zones;
    while (z && strcmp(z->name, name) != 0)
        z = z->next;
    if (z)
        return z->zone;
    struct zone *zone = NULL;
    if (core->options.zone)
        zone = core->options.zone(name);
    if (!zone && strcmp(name, "UTC") == 0)
        zone = zone_from_rule("UTC0");
    if (!zone)
        return NULL;
    z = calloc(1, sizeof *z);
    if (!z)
        abort();
    memcpy(z->name, name, strlen(name) + 1);
    z->zone = zone;
    z->next = core->sweeps.schedules.zones;
    core->sweeps.schedules.zones = z;
    return zone;
}

/* The time by which it goes. */
static uint64_t
time_of(const struct core *core, const struct schedule *s)
{
    return s->row.every_ms ? core->clocks.wall_ms : clock_told(core, core->clocks.wall_ms);
}

/* One of its times, as people are told it. */
static uint64_t
told(const struct core *core, const struct schedule *s, uint64_t time_ms)
{
    return s->row.every_ms ? clock_told(core, time_ms) : time_ms;
}

/* The first tick after this time; UINT64_MAX: there is none. */
static uint64_t
tick_after(const struct schedule *s, uint64_t after_ms)
{
    int64_t next;
    if (after_ms > LIMIT_MOMENT_MS)
        return UINT64_MAX;
    if (s->row.every_ms) {
        assert(after_ms >= s->row.began_ms);
        uint64_t over = (after_ms - s->row.began_ms) / s->row.every_ms;
        return s->row.began_ms + (over + 1) * s->row.every_ms;
    }
    if (!s->zone || !cron_next(&s->cron, s->zone, (int64_t)(after_ms / 1000), &next))
        return UINT64_MAX;
    return (uint64_t)next * 1000;
}

static bool
is_due(const struct core *core, const struct schedule *s)
{
    return s->next_ms <= time_of(core, s);
}

/* When the first of all is due. */
static void
look_ahead(struct core *core)
{
    struct schedules *all = &core->sweeps.schedules;
    all->told_ms = all->even_ms = UINT64_MAX;
    for (const struct schedule *s = all->all; s; s = s->hh.next) {
        uint64_t *first = s->row.every_ms ? &all->even_ms : &all->told_ms;
        if (s->trouble == STINT_OK)
            *first = earlier(*first, s->next_ms);
        else if (s->next_ms != UINT64_MAX && all->retry_ms == 0)
            all->retry_ms = core->clocks.now_ms + RETRY_MS;
    }
}

static void
plan(struct core *core, struct schedule *s)
{
    s->next_ms = s->row.paused ? UINT64_MAX : tick_after(s, s->row.seen_ms);
    look_ahead(core);
}

/* ---- rows ---- */

static void
write_row(struct core *core, struct schedule *s, struct slice job)
{
    uint8_t head[SCHEDULE_BEFORE_JOB_MAX];
    struct row_schedule row = s->row;
    row.name = text_slice(s->name);
    row.cron = text_slice(s->cron_text);
    row.zone = text_slice(s->zone_text);
    row.job = job;
    store_put(
        core->store, STORE_SCHEDULES, schedule_key(row.name), row_schedule_write(head, &row), job);
    core->step.written_bytes += SCHEDULE_BEFORE_JOB_MAX + job.size + ROW_OVERHEAD_BYTES;
}

/* Its job's bytes, which last until the next call. Empty: its row is damaged. */
static struct slice
read_job(struct core *core, const struct schedule *s)
{
    struct pack_buffer *b = &core->sweeps.schedules.row;
    struct row_schedule row;
    struct slice value, name = text_slice(s->name);
    if (!store_get(core->store, STORE_SCHEDULES, schedule_key(name), &value))
        return (struct slice){NULL, 0};
    b->used = 0;
    memcpy(pack_reserve(b, value.size), value.data, value.size);
    if (!row_schedule_read(name, (struct slice){b->data, value.size}, &row))
        return (struct slice){NULL, 0};
    return row.job;
}

/* Its row is as this says. The texts are read into what it is known by. */
static bool
take_row(struct core *core, struct schedule *s, const struct row_schedule *row)
{
    const char *why;
    struct job_spec spec;
    s->row = *row;
    s->row.name = s->row.cron = s->row.zone = s->row.job = (struct slice){NULL, 0};
    slice_to_text(s->cron_text, sizeof s->cron_text, row->cron);
    slice_to_text(s->zone_text, sizeof s->zone_text, row->zone);
    if (!message_read_job(row->job, &spec))
        return false;
    slice_to_text(s->queue, sizeof s->queue, spec.queue);
    slice_to_text(s->kind, sizeof s->kind, spec.kind);
    s->zone = NULL;
    if (row->every_ms)
        return true;
    s->zone = zone_named(core, s->zone_text);
    return cron_parse(s->cron_text, &s->cron, &why);
}

static struct schedule *
add(struct core *core, struct slice name)
{
    struct schedule *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    slice_to_text(s->name, sizeof s->name, name);
    HASH_ADD_KEYPTR(hh, core->sweeps.schedules.all, s->name, LIMIT_NAME_BYTES, s);
    return s;
}

static void
forget(struct core *core, struct schedule *s)
{
    HASH_DEL(core->sweeps.schedules.all, s);
    free(s);
}

bool
schedule_load(struct core *core)
{
    uint8_t at[LIMIT_NAME_BYTES + 1] = {0};
    struct slice key, value, from = {at, 1};
    while (store_seek(core->store, STORE_SCHEDULES, from, &key, &value)) {
        struct row_schedule row;
        if (!row_schedule_read(key, value, &row))
            return false;
        struct schedule *s = add(core, key);
        if (!take_row(core, s, &row))
            return false;
        if (!s->zone && !row.every_ms)
            core_say(core, NOTE_ERROR, "the time zone of a schedule is not there: it makes no jobs",
                NOTE_TEXT("schedule", s->name), NOTE_TEXT("zone", s->zone_text));
        s->next_ms = row.paused ? UINT64_MAX : tick_after(s, row.seen_ms);
        memcpy(at, key.data, key.size);
        at[key.size] = 0;
        from.size = key.size + 1;
    }
    look_ahead(core);
    return true;
}

void
schedule_fini(struct core *core)
{
    struct named_zone *next, *z = core->sweeps.schedules.zones;
    while (core->sweeps.schedules.all)
        forget(core, core->sweeps.schedules.all);
    for (; z; z = next) {
        next = z->next;
        free(z->zone);
        free(z);
    }
    pack_buffer_free(&core->sweeps.schedules.row);
}

struct schedule *
schedule_find(struct core *core, struct slice name)
{
    struct schedule *s = NULL;
    char padded[STINT_NAME_BYTES] = {0};
    slice_to_text(padded, sizeof padded, name);
    if (name.size <= LIMIT_NAME_BYTES)
        HASH_FIND(hh, core->sweeps.schedules.all, padded, LIMIT_NAME_BYTES, s);
    return s;
}

/* ---- what people do ---- */

static bool
same_text(const char *text, struct slice slice)
{
    return strlen(text) == slice.size &&
        (slice.size == 0 || memcmp(text, slice.data, slice.size) == 0);
}

/* Does it have other ticks from now on? */
static bool
ticks_otherwise(const struct schedule *s, const struct row_schedule *wanted)
{
    return s->row.began_ms == 0 || s->row.every_ms != wanted->every_ms ||
        !same_text(s->cron_text, wanted->cron) || !same_text(s->zone_text, wanted->zone);
}

/* Is there a schedule that does as it is wanted? */
static bool
may_be(struct core *core, const struct row_schedule *wanted, const struct job_spec *spec,
    enum stint_status *status, const char **why)
{
    struct schedule probe = {.row.every_ms = wanted->every_ms};
    *status = STINT_INVALID;
    if (wanted->every_ms == 0) {
        slice_to_text(probe.cron_text, sizeof probe.cron_text, wanted->cron);
        slice_to_text(probe.zone_text, sizeof probe.zone_text, wanted->zone);
        *why = "the broker's machine has no time zone of this name; is tzdata installed?";
        if (!(probe.zone = zone_named(core, probe.zone_text)) ||
            !cron_parse(probe.cron_text, &probe.cron, why))
            return false;
        *why = "this time never comes";
        if (tick_after(&probe, time_of(core, &probe)) == UINT64_MAX)
            return false;
    }
    *status = STINT_TOO_LARGE;
    *why = "a payload is over --payload-max";
    if (spec->payload.size > core->options.payload_bytes)
        return false;
    *status = STINT_STORE_FULL;
    *why = "the store or its disk is full; see --store-size and --disk-free";
    return store_has_room(
        core, SCHEDULE_BEFORE_JOB_MAX + wanted->job.size + 2ULL * ROW_OVERHEAD_BYTES);
}

static struct row_schedule
row_wanted(const struct schedule_request *request)
{
    static const struct slice utc = {(const uint8_t *)"UTC", 3};
    struct row_schedule row = {.cron = request->cron,
        .every_ms = request->every_ms,
        .missed = request->missed ? request->missed : STINT_MISSED_ONE,
        .overlap = request->overlap ? request->overlap : STINT_OVERLAP_START,
        .job = request->job};
    if (row.missed == STINT_MISSED_ALL)
        row.most = request->most ? request->most : LIMIT_MISSED;
    if (row.every_ms == 0)
        row.zone = request->zone.size ? request->zone : utc;
    return row;
}

struct schedule *
schedule_set(struct core *core, const struct schedule_request *request, const struct job_spec *spec,
    bool *made, enum stint_status *status, const char **why)
{
    struct schedule *s = schedule_find(core, request->name);
    struct row_schedule wanted = row_wanted(request);
    *made = !s;
    if (!may_be(core, &wanted, spec, status, why))
        return NULL;
    if (!s && HASH_COUNT(core->sweeps.schedules.all) >= LIMIT_SCHEDULES) {
        *status = STINT_TOO_MANY;
        *why = "there are as many schedules as there may be, 10,000";
        return NULL;
    }
    if (!s)
        s = add(core, request->name);
    bool anew = ticks_otherwise(s, &wanted);
    wanted.paused = s->row.paused;
    wanted.began_ms = s->row.began_ms;
    wanted.seen_ms = s->row.seen_ms;
    wanted.ticked_ms = anew ? 0 : s->row.ticked_ms;
    wanted.last = s->row.last;
    wanted.run = s->row.run;
    wanted.run_id = s->row.run_id;
    wanted.jobs = s->row.jobs;
    wanted.skipped = s->row.skipped;
    bool good = take_row(core, s, &wanted);
    assert(good);
    if (anew)
        s->row.began_ms = s->row.seen_ms = time_of(core, s);
    s->trouble = STINT_OK;
    write_row(core, s, request->job);
    plan(core, s);
    return s;
}

void
schedule_remove(struct core *core, struct schedule *s)
{
    store_del(core->store, STORE_SCHEDULES, schedule_key(text_slice(s->name)));
    forget(core, s);
    look_ahead(core);
}

/* What it was is written, with its job as it stands. */
static void
write_again(struct core *core, struct schedule *s)
{
    struct slice job = read_job(core, s);
    if (job.size > 0)
        write_row(core, s, job);
}

void
schedule_pause(struct core *core, struct schedule *s)
{
    s->row.paused = true;
    s->trouble = STINT_OK;
    write_again(core, s);
    plan(core, s);
}

void
schedule_resume(struct core *core, struct schedule *s)
{
    s->row.paused = false;
    s->row.seen_ms = later(time_of(core, s), s->row.every_ms ? s->row.began_ms : 0);
    s->row.began_ms = s->row.every_ms ? s->row.began_ms : s->row.seen_ms;
    s->trouble = STINT_OK;
    write_again(core, s);
    plan(core, s);
}

/* ---- ticks ---- */

/* Its job is made, as far as its rule for overlaps lets it; `id` is that, or the one that it meets.
 */
static enum stint_status
make(struct core *core, struct schedule *s, const struct job_spec *spec, enum stint_overlap overlap,
    struct stint_id *id)
{
    struct job last;
    bool runs = overlap != STINT_OVERLAP_START && job_find(core, &s->row.last, &last) &&
        last.place != PLACE_SETTLED;
    if (runs && overlap == STINT_OVERLAP_SKIP) {
        s->row.skipped++;
        return STINT_OK;
    }
    bool instead = runs && last.state != STINT_RUNNING &&
        book_queue(&core->book, spec->queue) == last.level->queue;
    enum stint_status status = submit_may(core, spec, instead);
    if (status != STINT_OK)
        return status;
    if (runs)
        (void)change_cancel(core, &last, NULL);
    if (submit_job(core, spec, id) == STINT_MET_NOTHING) {
        s->row.last = *id;
        s->row.jobs++;
    } else
        s->row.skipped++; /* the one that holds the key is somebody's */
    return STINT_OK;
}

static void
note_trouble(struct core *core, struct schedule *s, enum stint_status status)
{
    if (s->trouble == STINT_OK && status != STINT_OK)
        core_say(core, NOTE_WARN, "a schedule can't make its job, and tries again",
            NOTE_TEXT("schedule", s->name), NOTE_TEXT("queue", s->queue),
            NOTE_TEXT("why", stint_status_name(status)));
    s->trouble = status;
}

/* The job to make, which lasts until the next one is read. */
static bool
read_spec(struct core *core, struct schedule *s, struct job_spec *spec, struct slice *job)
{
    *job = read_job(core, s);
    if (job->size == 0 || !message_read_job(*job, spec))
        return false;
    spec->schedule = text_slice(s->name);
    return true;
}

static bool
is_late(uint64_t tick_ms, uint64_t now_ms)
{
    return now_ms - tick_ms > LATE_MS;
}

/* The first tick that is made of those that are due; after now, if there is none. */
static uint64_t
first_made(const struct schedule *s, uint64_t now_ms)
{
    if (s->row.missed != STINT_MISSED_SKIP || !is_late(s->next_ms, now_ms))
        return s->next_ms;
    return tick_after(s, later(now_ms - LATE_MS - 1, s->row.seen_ms));
}

/* What is due of a schedule. Where a job can't be made, the ticks from there on are not over. */
static void
tick(struct core *core, struct schedule *s, uint32_t *share)
{
    struct job_spec spec;
    struct slice job;
    struct stint_id id;
    uint64_t now_ms = time_of(core, s), at_ms = first_made(s, now_ms);
    uint32_t most = s->row.missed == STINT_MISSED_ALL ? s->row.most : 1;
    enum stint_status status = STINT_OK;
    if (!read_spec(core, s, &spec, &job)) {
        note_trouble(core, s, STINT_DAMAGED);
        return;
    }
    uint32_t n = 0;
    s->row.skipped += at_ms > now_ms;
    for (; n < most && at_ms <= now_ms && status == STINT_OK; n++) {
        status = make(core, s, &spec, s->row.overlap, &id);
        *share -= *share > 0;
        if (status != STINT_OK)
            break;
        s->row.seen_ms = at_ms;
        s->row.ticked_ms = is_late(at_ms, now_ms) ? now_ms : at_ms;
        at_ms = tick_after(s, at_ms);
    }
    if (status == STINT_OK)
        s->row.seen_ms = now_ms;
    note_trouble(core, s, status);
    if (status == STINT_OK || n > 0)
        write_row(core, s, job);
    s->next_ms = tick_after(s, s->row.seen_ms);
}

void
schedule_sweep(struct core *core)
{
    uint32_t share = JOBS_A_STEP;
    bool again =
        core->sweeps.schedules.retry_ms && core->clocks.now_ms >= core->sweeps.schedules.retry_ms;
    if (again)
        core->sweeps.schedules.retry_ms = 0;
    for (struct schedule *s = core->sweeps.schedules.all; s && share > 0; s = s->hh.next)
        if (is_due(core, s) && (s->trouble == STINT_OK || again))
            tick(core, s, &share);
    look_ahead(core);
}

static uint64_t
until(uint64_t due_ms, uint64_t now_ms)
{
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

uint64_t
schedule_due_in(const struct core *core)
{
    const struct schedules *all = &core->sweeps.schedules;
    if (!all->all)
        return UINT64_MAX;
    uint64_t due_in = earlier(until(all->even_ms, core->clocks.wall_ms),
        until(all->told_ms, clock_told(core, core->clocks.wall_ms)));
    return all->retry_ms ? earlier(due_in, until(all->retry_ms, core->clocks.now_ms)) : due_in;
}

enum stint_status
schedule_run(struct core *core, struct schedule *s, uint64_t run)
{
    struct job_spec spec;
    struct slice job;
    if (run == s->row.run)
        return STINT_OK;
    if (!read_spec(core, s, &spec, &job))
        return STINT_DAMAGED;
    enum stint_status status = make(core, s, &spec, STINT_OVERLAP_START, &s->row.run_id);
    if (status != STINT_OK)
        return status;
    s->row.run = run;
    write_row(core, s, job);
    return STINT_OK;
}

/* ---- what is told ---- */

void
schedule_describe(struct core *core, const struct schedule *s, uint32_t next, bool with_job,
    struct schedule_item *item)
{
    struct stint_schedule_info *info = &item->info;
    *info = (struct stint_schedule_info){.every_ms = s->row.every_ms,
        .missed = s->row.missed,
        .missed_most = s->row.most,
        .overlap = s->row.overlap,
        .paused = s->row.paused,
        .trouble = s->trouble,
        .last_ms = s->row.ticked_ms ? told(core, s, s->row.ticked_ms) : 0,
        .last_id = s->row.last,
        .jobs = s->row.jobs,
        .skipped = s->row.skipped};
    memcpy(info->name, s->name, sizeof info->name);
    memcpy(info->queue, s->queue, sizeof info->queue);
    memcpy(info->kind, s->kind, sizeof info->kind);
    memcpy(info->cron, s->cron_text, sizeof info->cron);
    memcpy(info->zone, s->zone_text, sizeof info->zone);
    item->job = with_job ? read_job(core, s) : (struct slice){NULL, 0};
    uint64_t at_ms = s->next_ms;
    for (; info->next_count < next && at_ms != UINT64_MAX; at_ms = tick_after(s, at_ms))
        info->next[info->next_count++] = told(core, s, at_ms);
}
