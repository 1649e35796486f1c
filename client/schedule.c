/* Schedules: set, controlled and listed. */
#include "client.h"

#include <stdlib.h>

static const char lacks[] = "the broker is too old for schedules";

/* Where the elements of SCHEDULES go. */
struct telling {
    stint_schedule_fn *each;
    void *context;
    struct stint_schedule_info *one; /* NULL, or where the only one goes, without its job */
    char last[STINT_NAME_BYTES]; /* name of the last one that was told */
    bool ended; /* whoever is told has heard enough, or there are no more */
};

static char *
copy_of(struct slice text)
{
    char *copy = malloc(text.size + 1);
    if (!copy)
        abort();
    slice_to_text(copy, text.size + 1, text);
    return copy;
}

/* Tells of one, with its job if it came along. */
static bool
tell(const struct telling *t, const struct schedule_item *item)
{
    struct stint_schedule_info info = item->info;
    struct job_spec spec;
    struct stint_job job = STINT_JOB_INIT;
    if (item->job.size == 0 || !message_read_job(item->job, &spec))
        return t->each(t->context, &info);
    char *unique = spec.unique.size ? copy_of(spec.unique) : NULL;
    char *needs = spec.needs.size ? copy_of(spec.needs) : NULL;
    char *group = spec.group.size ? copy_of(spec.group) : NULL;
    job.queue = info.queue;
    job.kind = info.kind;
    job.payload = spec.payload.data;
    job.payload_bytes = spec.payload.size;
    job.priority = spec.priority;
    job.max_attempts = spec.max_attempts;
    job.keep_ms = spec.keep_ms == KEEP_DEFAULT ? -1 : (int64_t)spec.keep_ms;
    job.time_to_run_ms = spec.time_to_run_ms;
    job.backoff_base_ms = spec.backoff_base_ms;
    job.backoff_cap_ms = spec.backoff_cap_ms;
    job.delay_ms = spec.delay_ms;
    job.unique = unique;
    job.unique_flags = spec.unique_flags;
    job.unique_for_ms = spec.unique_for_ms;
    job.expires_in_ms = spec.expires_in_ms;
    job.needs = needs;
    job.group = group;
    info.job = &job;
    bool goes_on = t->each(t->context, &info);
    free(unique);
    free(needs);
    free(group);
    return goes_on;
}

static enum stint_status
take_schedules(struct stint_client *c, const struct message *m, void *into)
{
    struct telling *t = into;
    struct message_arrays *arrays = link_arrays(c->link);
    if (m->type != MESSAGE_SCHEDULES || (t->one && m->count != 1))
        return STINT_BAD_MESSAGE;
    t->ended = m->page.cursor.size == 0 || m->count == 0;
    for (uint32_t i = 0; i < m->count; i++) {
        if (!message_next_schedule(arrays))
            return STINT_BAD_MESSAGE;
        const struct schedule_item item = arrays->items.schedule;
        memcpy(t->last, item.info.name, sizeof t->last);
        if (t->one) {
            *t->one = item.info;
            continue;
        }
        c->calling++;
        bool goes_on = tell(t, &item);
        c->calling--;
        if (!goes_on) {
            t->ended = true;
            return STINT_OK;
        }
    }
    return STINT_OK;
}

/* Connected, to a broker that has schedules. */
static enum stint_status
begin(struct stint_client *c, uint32_t timeout_ms, const char *what)
{
    enum stint_status status = stint_connect(c, timeout_ms);
    if (status == STINT_OK && !session_has_feature(&c->session, "schedules"))
        return client_fail(c, STINT_UNSUPPORTED, what, lacks);
    return status == STINT_OK ? client_may_wait(c, what) : status;
}

static enum stint_status
ask(struct stint_client *c, const struct schedule_request *request, struct stint_schedule_info *now,
    uint32_t timeout_ms, const char *what)
{
    struct stint_schedule_info told;
    struct telling t = {.one = now ? now : &told};
    enum stint_status status = begin(c, timeout_ms, what);
    if (status != STINT_OK)
        return status;
    struct call *call = client_call(c, MESSAGE_SET_SCHEDULE);
    message_put_set_schedule(&call->request->frame, call->request->number, request);
    return client_ask(&call, timeout_ms, take_schedules, &t, what);
}

static struct slice
text_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, text ? strlen(text) : 0};
}

enum stint_status
stint_set_schedule(struct stint_client *c, const struct stint_schedule *s,
    struct stint_schedule_info *now, uint32_t timeout_ms)
{
    static const char what[] = "setting a schedule";
    struct job_spec spec;
    struct pack_buffer job = {0};
    if (!s->name || !client_good_name(s->name))
        return client_fail(c, STINT_BAD_NAME, what, s->name ? s->name : "");
    if ((s->cron != NULL) == (s->every_ms != 0))
        return client_fail(c, STINT_INVALID, what, "either an expression or a period is given");
    if (s->job.due_ms || s->job.expires_at_ms)
        return client_fail(c, STINT_INVALID, what, "its job has no times of its own");
    enum stint_status status = client_job_spec(c, &s->job, &spec);
    if (status == STINT_OK)
        status = begin(c, timeout_ms, what);
    if (status == STINT_OK) /* again, now that it is known what the broker can do */
        status = client_job_spec(c, &s->job, &spec);
    if (status != STINT_OK)
        return status;
    message_put_job(&job, &spec);
    const struct schedule_request request = {.action = STINT_SET_SCHEDULE,
        .name = text_of(s->name),
        .cron = text_of(s->cron),
        .zone = text_of(s->zone),
        .every_ms = s->every_ms,
        .missed = s->missed,
        .most = s->missed_most,
        .overlap = s->overlap,
        .job = {job.data, job.used}};
    status = ask(c, &request, now, timeout_ms, what);
    pack_buffer_free(&job);
    return status;
}

/* So that a run that is sent again, after a reconnect, is the same one. */
static uint64_t
draw(void)
{
    uint64_t number;
    wire_random(&number, sizeof number);
    return number >> 1 | 1;
}

enum stint_status
stint_control_schedule(struct stint_client *c, const char *name, enum stint_schedule_action action,
    struct stint_schedule_info *now, uint32_t timeout_ms)
{
    static const char what[] = "controlling a schedule";
    if (!client_good_name(name))
        return client_fail(c, STINT_BAD_NAME, what, name);
    if (action <= STINT_SET_SCHEDULE || action > STINT_RUN_SCHEDULE)
        return client_fail(c, STINT_INVALID, what, "there is no such action");
    const struct schedule_request request = {
        .action = action, .name = text_of(name), .run = action == STINT_RUN_SCHEDULE ? draw() : 0};
    return ask(c, &request, now, timeout_ms, what);
}

enum stint_status
stint_schedules(struct stint_client *c, const char *name, uint32_t next, stint_schedule_fn *each,
    void *context, uint32_t timeout_ms)
{
    static const char what[] = "listing schedules";
    struct telling t = {.each = each, .context = context};
    if (name && !client_good_name(name))
        return client_fail(c, STINT_BAD_NAME, what, name);
    if (next > STINT_NEXT_TICKS)
        return client_fail(c, STINT_INVALID, what, "at most 100 ticks to come are told");
    enum stint_status status = begin(c, timeout_ms, what);
    while (status == STINT_OK && !t.ended) {
        struct call *call = client_call(c, MESSAGE_LIST_SCHEDULES);
        message_put_list_schedules(&call->request->frame, call->request->number, text_of(name),
            name ? next : 1, text_of(t.last));
        status = client_ask(&call, timeout_ms, take_schedules, &t, what);
    }
    return status;
}
