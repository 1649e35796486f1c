/* Schedules for people; the contract is in schedule_control.h. Who controls the queue that a
 * schedule's jobs go to controls the schedule; who sets one, or has it make a job, may submit
 * there, too. Who may not see that queue is told nothing of it.
 */
#include "schedule_control.h"
#include "peers.h"
#include "reply.h"
#include "schedule.h"

static bool
allowed(const struct peer *peer, uint32_t right, const char *queue)
{
    return grant_allows(peer->grant, right, text_slice(queue));
}

static bool
may_control(const struct peer *peer, enum stint_schedule_action action, const char *queue)
{
    bool makes_jobs = action == STINT_SET_SCHEDULE || action == STINT_RUN_SCHEDULE;
    return allowed(peer, RIGHT_CONTROL, queue) &&
        (!makes_jobs || allowed(peer, RIGHT_SUBMIT, queue));
}

static void
deny(struct core *core, struct peer *peer, const struct message *m)
{
    reply_refuse(core, peer->number, m, STINT_DENIED,
        "this key may not do that to a schedule of this name, or to its queue, if it is there");
}

static void
tell(struct core *core, struct peer *peer, const struct message *m, const struct schedule *s,
    bool made)
{
    struct schedule_item *item = &core->scratch.decoded->items.schedule;
    schedule_describe(core, s, 1, false, item);
    item->info.made = made;
    if (m->set_schedule.action == STINT_RUN_SCHEDULE)
        item->info.run_id = s->row.run_id;
    reply_page_begin(core);
    message_put_schedule(&core->scratch.page, item);
    reply_page_send(core, peer, MESSAGE_SCHEDULES, m->number, 1, (struct slice){0});
}

static void
set_schedule(struct core *core, struct peer *peer, const struct message *m)
{
    const struct schedule_request *request = &m->set_schedule;
    const struct job_spec spec = core->scratch.decoded->specs[0];
    enum stint_status status;
    const char *why;
    bool made;
    char queue[STINT_NAME_BYTES];
    if (request->job.size == 0 || (request->cron.size > 0) == (request->every_ms > 0)) {
        reply_refuse(core, peer->number, m, STINT_INVALID,
            "a schedule that is set has a job, and either an expression or a period");
        return;
    }
    slice_to_text(queue, sizeof queue, spec.queue);
    if (!may_control(peer, STINT_SET_SCHEDULE, queue)) {
        deny(core, peer, m);
        return;
    }
    struct schedule *s = schedule_set(core, request, &spec, &made, &status, &why);
    if (!s) {
        reply_refuse(core, peer->number, m, status, why);
        return;
    }
    core_audit(core, peer, made ? "a schedule is made" : "a schedule is changed",
        NOTE_TEXT("schedule", s->name), NOTE_TEXT("queue", s->queue));
    tell(core, peer, m, s, made);
}

static const char *
done(enum stint_schedule_action action)
{
    switch (action) {
    case STINT_PAUSE_SCHEDULE:
        return "a schedule is paused";
    case STINT_RESUME_SCHEDULE:
        return "a schedule is resumed";
    case STINT_RUN_SCHEDULE:
        return "a schedule makes a job now";
    default:
        return "a schedule is removed";
    }
}

/* What is done to one that is there. */
static void
change_schedule(struct core *core, struct peer *peer, const struct message *m, struct schedule *s)
{
    enum stint_schedule_action action = m->set_schedule.action;
    enum stint_status status = STINT_OK;
    if (action == STINT_RUN_SCHEDULE && m->set_schedule.run == 0)
        status = STINT_INVALID;
    else if (action == STINT_RUN_SCHEDULE)
        status = schedule_run(core, s, m->set_schedule.run);
    else if (action == STINT_PAUSE_SCHEDULE)
        schedule_pause(core, s);
    else if (action == STINT_RESUME_SCHEDULE)
        schedule_resume(core, s);
    if (status != STINT_OK) {
        reply_refuse(core, peer->number, m, status,
            status == STINT_INVALID ? "a run has a number" : "its job could not be made");
        return;
    }
    core_audit(
        core, peer, done(action), NOTE_TEXT("schedule", s->name), NOTE_TEXT("queue", s->queue));
    tell(core, peer, m, s, false);
    if (action == STINT_REMOVE_SCHEDULE)
        schedule_remove(core, s);
}

static void
control(struct core *core, struct peer *peer, const struct message *m)
{
    enum stint_schedule_action action = m->set_schedule.action;
    if (m->set_schedule.name.size == 0 || action == 0) {
        reply_refuse(
            core, peer->number, m, STINT_INVALID, "a SET_SCHEDULE has a name and an action");
        return;
    }
    struct schedule *s = schedule_find(core, m->set_schedule.name);
    if (s ? !may_control(peer, action, s->queue)
          : action != STINT_SET_SCHEDULE && grant_is_narrow(peer->grant))
        deny(core, peer, m);
    else if (action == STINT_SET_SCHEDULE)
        set_schedule(core, peer, m);
    else if (s)
        change_schedule(core, peer, m, s);
    else
        reply_refuse(core, peer->number, m, STINT_NO_SUCH_SCHEDULE, "");
}

/* ---- lists ---- */

static void
list_one(struct core *core, struct peer *peer, const struct message *m)
{
    struct schedule_item *item = &core->scratch.decoded->items.schedule;
    const struct schedule *s = schedule_find(core, m->list_schedules.name);
    if (s && allowed(peer, RIGHT_SEE, s->queue)) {
        schedule_describe(core, s, m->list_schedules.next, true, item);
        reply_page_begin(core);
        message_put_schedule(&core->scratch.page, item);
        reply_page_send(core, peer, MESSAGE_SCHEDULES, m->number, 1, (struct slice){0});
    } else if (grant_is_narrow(peer->grant))
        deny(core, peer, m);
    else
        reply_refuse(core, peer->number, m, STINT_NO_SUCH_SCHEDULE, "");
}

/* In the order of their names. The cursor is the last name of the page before. */
static void
list_all(struct core *core, struct peer *peer, const struct message *m)
{
    struct schedule_item *item = &core->scratch.decoded->items.schedule;
    uint8_t at[LIMIT_NAME_BYTES + 1] = {0};
    char last[STINT_NAME_BYTES] = "";
    struct slice cursor = m->list_schedules.cursor, key, value, from = {at, 1};
    uint32_t count = 0, next = m->list_schedules.next > 0;
    bool full = false;
    if (core->step.listed >= LISTED_A_STEP) { /* a page that ends early would tell of others */
        reply_refuse(
            core, peer->number, m, STINT_TOO_MANY, "so much was listed just now; ask again");
        return;
    }
    if (cursor.size > 0 && cursor.size <= LIMIT_NAME_BYTES) {
        memcpy(at, cursor.data, cursor.size);
        from.size = cursor.size + 1;
    }
    reply_page_begin(core);
    while (!full && store_seek(core->store, STORE_SCHEDULES, from, &key, &value)) {
        const struct schedule *s = schedule_find(core, key);
        memcpy(at, key.data, key.size);
        at[key.size] = 0;
        from.size = key.size + 1;
        core->step.listed++;
        if (!s || !allowed(peer, RIGHT_SEE, s->queue))
            continue;
        schedule_describe(core, s, next, false, item);
        message_put_schedule(&core->scratch.page, item);
        memcpy(last, s->name, sizeof last);
        full = ++count == LIMIT_JOBS || core->scratch.page.used > page_bytes(core);
    }
    reply_page_send(core, peer, MESSAGE_SCHEDULES, m->number, count,
        full ? text_slice(last) : (struct slice){0});
}

void
schedule_message(struct core *core, struct peer *peer, const struct message *m)
{
    if (m->type == MESSAGE_SET_SCHEDULE)
        control(core, peer, m);
    else if (m->list_schedules.name.size > 0)
        list_one(core, peer, m);
    else
        list_all(core, peer, m);
}
