/* Control: what workers are to do, how many jobs at a time the fleet runs, and what is done with
 * queues.
 */
#include "client.h"

static const char no_fleet[] = "this broker has no fleet control";

/* A broker that is too old knows none of these messages. */
static enum stint_status
if_too_old(struct stint_client *c, enum stint_status status, const char *what, const char *lacks)
{
    return status == STINT_UNKNOWN_TYPE ? client_fail(c, STINT_UNSUPPORTED, what, lacks) : status;
}

static enum stint_status
take_controlled(struct stint_client *c, const struct message *m, void *into)
{
    uint32_t *met = into;
    (void)c;
    if (m->type != MESSAGE_CONTROLLED)
        return STINT_BAD_MESSAGE;
    if (met)
        *met = m->controlled.met;
    return STINT_OK;
}

/* One of the three, and no more. */
static bool
read_target(const struct stint_target *t, struct control *control)
{
    const char *name = t->worker ? t->worker : t->label;
    if ((t->worker != NULL) + (t->label != NULL) + t->all != 1)
        return false;
    control->target = t->all ? CONTROL_ALL : t->worker ? CONTROL_NAMED : CONTROL_LABELLED;
    if (name)
        control->name = (struct slice){(const uint8_t *)name, strlen(name)};
    return t->all || (control->name.size > 0 && control->name.size <= LIMIT_LABEL_BYTES);
}

static enum stint_status
control(struct stint_client *c, const struct stint_target *target, struct control *what_to_do,
    uint32_t *met, uint32_t timeout_ms)
{
    static const char what[] = "controlling workers";
    if (!read_target(target, what_to_do))
        return client_fail(
            c, STINT_INVALID, what, "name a worker (1 to 128 bytes), or a label, or all");
    enum stint_status status = client_may_wait(c, what);
    if (status != STINT_OK)
        return status;
    struct call *call = client_call(c, MESSAGE_CONTROL);
    message_put_control(&call->request->frame, call->request->number, what_to_do);
    return if_too_old(c, client_ask(&call, timeout_ms, take_controlled, met, what), what, no_fleet);
}

enum stint_status
stint_set_slots(struct stint_client *c, const struct stint_target *target, uint32_t slots,
    uint32_t *met, uint32_t timeout_ms)
{
    struct control resize = {.action = CONTROL_RESIZE, .slots = slots};
    if (slots == STINT_OWN_SLOTS)
        resize.slots = SLOTS_OWN;
    else if (slots > LIMIT_WINDOW)
        return client_fail(c, STINT_INVALID, "resizing workers", "slots are at most 65536");
    return control(c, target, &resize, met, timeout_ms);
}

static enum stint_status
simple(struct stint_client *c, enum control_action action, const struct stint_target *target,
    uint32_t *met, uint32_t timeout_ms)
{
    struct control what = {.action = action, .slots = SLOTS_OWN};
    return control(c, target, &what, met, timeout_ms);
}

enum stint_status
stint_pause_workers(
    struct stint_client *c, const struct stint_target *target, uint32_t *met, uint32_t timeout_ms)
{
    return simple(c, CONTROL_PAUSE, target, met, timeout_ms);
}

enum stint_status
stint_resume_workers(
    struct stint_client *c, const struct stint_target *target, uint32_t *met, uint32_t timeout_ms)
{
    return simple(c, CONTROL_RESUME, target, met, timeout_ms);
}

enum stint_status
stint_drain_workers(
    struct stint_client *c, const struct stint_target *target, uint32_t *met, uint32_t timeout_ms)
{
    return simple(c, CONTROL_DRAIN, target, met, timeout_ms);
}

enum stint_status
stint_stop_workers(
    struct stint_client *c, const struct stint_target *target, uint32_t *met, uint32_t timeout_ms)
{
    return simple(c, CONTROL_STOP, target, met, timeout_ms);
}

static enum stint_status
take_fleet(struct stint_client *c, const struct message *m, void *into)
{
    struct stint_fleet *fleet = into;
    (void)c;
    if (m->type != MESSAGE_FLEET)
        return STINT_BAD_MESSAGE;
    if (fleet)
        *fleet = m->fleet;
    return STINT_OK;
}

static enum stint_status
ask_fleet(struct stint_client *c, enum message_type type, uint32_t slots, struct stint_fleet *fleet,
    uint32_t timeout_ms)
{
    static const char what[] = "asking for the fleet's size";
    const struct stint_fleet wanted = {.slots = slots};
    enum stint_status status = client_may_wait(c, what);
    if (status != STINT_OK)
        return status;
    struct call *call = client_call(c, type);
    if (type == MESSAGE_SET_FLEET)
        message_put_fleet(&call->request->frame, type, call->request->number, &wanted);
    else
        message_put_numbered(&call->request->frame, type, call->request->number);
    return if_too_old(c, client_ask(&call, timeout_ms, take_fleet, fleet, what), what, no_fleet);
}

enum stint_status
stint_set_fleet(
    struct stint_client *c, uint32_t slots, struct stint_fleet *fleet, uint32_t timeout_ms)
{
    if (slots > LIMIT_FLEET_SLOTS)
        return client_fail(
            c, STINT_INVALID, "resizing the fleet", "a fleet has at most 16777216 slots");
    return ask_fleet(c, MESSAGE_SET_FLEET, slots, fleet, timeout_ms);
}

enum stint_status
stint_get_fleet(struct stint_client *c, struct stint_fleet *fleet, uint32_t timeout_ms)
{
    return ask_fleet(c, MESSAGE_GET_FLEET, 0, fleet, timeout_ms);
}

enum stint_status
client_take_queue(struct stint_client *c, const struct message *m, void *into)
{
    struct stint_queue_setting *now = into;
    (void)c;
    if (m->type != MESSAGE_QUEUE)
        return STINT_BAD_MESSAGE;
    if (now)
        *now = m->queue;
    return STINT_OK;
}

/* How it is to be set. `limits` and `tuning` of their actions. */
struct wanted {
    struct slice name;
    enum stint_queue_action action;
    const struct stint_queue_limits *limits;
    const struct stint_queue_tuning *tuning;
};

static enum stint_status
set_queue(struct stint_client *c, const struct wanted *w, struct stint_queue_setting *now,
    uint32_t timeout_ms)
{
    static const char what[] = "controlling a queue";
    enum stint_status status = client_may_wait(c, what);
    if (status != STINT_OK)
        return status;
    struct call *call = client_call(c, MESSAGE_SET_QUEUE);
    struct pack_buffer *frame = &call->request->frame;
    if (w->action == STINT_TUNE_QUEUE)
        message_put_tune_queue(frame, call->request->number, w->name, w->tuning);
    else
        message_put_set_queue(frame, call->request->number, w->name, w->action, w->limits);
    return if_too_old(c, client_ask(&call, timeout_ms, client_take_queue, now, what), what,
        "this broker has no control of queues");
}

enum stint_status
stint_set_queue(struct stint_client *c, const char *queue, enum stint_queue_action action,
    struct stint_queue_setting *now, uint32_t timeout_ms)
{
    static const char what[] = "controlling a queue";
    struct slice name = {(const uint8_t *)queue, strlen(queue)};
    if (!name_is_valid(name))
        return client_fail(c, STINT_BAD_NAME, what, queue);
    if (action < STINT_PAUSE_QUEUE || action > STINT_ORDER_LOW_FIRST)
        return client_fail(c, STINT_INVALID, what, "there is no such action");
    const struct wanted wanted = {.name = name, .action = action};
    return set_queue(c, &wanted, now, timeout_ms);
}

enum stint_status
stint_limit_queue(struct stint_client *c, const char *queue,
    const struct stint_queue_limits *limits, struct stint_queue_setting *now, uint32_t timeout_ms)
{
    static const char what[] = "limiting a queue";
    struct slice name = {(const uint8_t *)queue, strlen(queue)};
    if (!name_is_valid(name))
        return client_fail(c, STINT_BAD_NAME, what, queue);
    if ((limits->running != UINT32_MAX && limits->running > LIMIT_QUEUE_RUNNING) ||
        (limits->rate != UINT64_MAX && limits->rate > LIMIT_QUEUE_RATE))
        return client_fail(
            c, STINT_INVALID, what, "at most 16777216 jobs at once, and a million a second");
    enum stint_status status = stint_connect(c, timeout_ms);
    if (status != STINT_OK)
        return status;
    if (!session_has_feature(&c->session, "limits"))
        return client_fail(
            c, STINT_UNSUPPORTED, what, "the broker is too old for limits of queues");
    const struct wanted wanted = {.name = name, .action = STINT_LIMIT_QUEUE, .limits = limits};
    return set_queue(c, &wanted, now, timeout_ms);
}

/* What of it can't be; NULL: nothing. */
static const char *
wrong_of(const struct stint_queue_tuning *t)
{
    if (t->weight != UINT32_MAX && (t->weight < 1 || t->weight > LIMIT_QUEUE_WEIGHT))
        return "a queue's weight is 1 to 100";
    if (t->backlog_max != UINT32_MAX && t->backlog_max > LIMIT_QUEUE_BACKLOG)
        return "at most 1073741824 jobs that wait";
    if ((t->keep_ms < STINT_KEEP_UNSET && t->keep_ms > LIMIT_TIME_MS) ||
        (t->time_to_run_ms != UINT64_MAX && t->time_to_run_ms > LIMIT_TIME_MS))
        return "a duration is at most a hundred years";
    return NULL;
}

enum stint_status
stint_tune_queue(struct stint_client *c, const char *queue, const struct stint_queue_tuning *tuning,
    struct stint_queue_setting *now, uint32_t timeout_ms)
{
    static const char what[] = "setting a queue";
    struct slice name = {(const uint8_t *)queue, strlen(queue)};
    if (!name_is_valid(name))
        return client_fail(c, STINT_BAD_NAME, what, queue);
    const char *wrong = wrong_of(tuning);
    if (wrong)
        return client_fail(c, STINT_INVALID, what, wrong);
    enum stint_status status = stint_connect(c, timeout_ms);
    if (status != STINT_OK)
        return status;
    if (!session_has_feature(&c->session, "defaults"))
        return client_fail(c, STINT_UNSUPPORTED, what,
            "the broker is too old for weights, backlogs and defaults of queues");
    const struct wanted wanted = {.name = name, .action = STINT_TUNE_QUEUE, .tuning = tuning};
    return set_queue(c, &wanted, now, timeout_ms);
}
