/* People of the simulated world; the contract is in people.h. */
#include "people.h"
#include "keys.h"
#include "worker.h"

enum { PATIENCE_MS = 3000 };

static bool
each_job(void *context, const struct stint_job_info *info)
{
    (void)context;
    return info->state != STINT_UNKNOWN;
}

static bool
each_queue(void *context, const struct stint_queue_info *info)
{
    (void)context;
    return info->name[0] != '\0';
}

static bool
each_running(void *context, const struct stint_running_info *info)
{
    (void)context;
    if (info->attempt == 0 || info->queue[0] == '\0' || info->kind[0] == '\0')
        sim_broken("a worker is said to run what is no job");
    return true;
}

/* Keeps the name of one of them. */
static bool
each_worker(void *context, const struct stint_worker_info *info)
{
    char *name = context;
    if (info->begun > info->held)
        sim_broken("what is told of %s can't be", info->name);
    (void)snprintf(name, STINT_LABEL_BYTES, "%s", info->name);
    return true;
}

void
people_change(
    struct stint_client *client, struct chance *chance, const struct stint_id *id, unsigned queues)
{
    struct stint_change change = STINT_CHANGE_INIT;
    unsigned what = 1 + (unsigned)chance_below(chance, 7);
    if (what & 1)
        change.queue = keys_queues[chance_below(chance, queues)];
    if (what & 2)
        change.priority = (int32_t)chance_below(chance, 256);
    if (what & 4)
        change.delay_ms = chance_in_100(chance, 50) ? 0 : (int64_t)chance_skewed(chance, 4000);
    (void)stint_change(client, id, 1, &change, NULL, PATIENCE_MS);
}

static bool
each_bulk(void *context, const struct stint_bulk_info *info)
{
    uint64_t *last = context;
    if (strcmp(info->where, "?") == 0 || (info->dry && info->done > 0))
        sim_broken("what is told of a bulk operation can't be");
    *last = info->bulk;
    return true;
}

void
people_bulk(struct stint_client *client, struct chance *chance, unsigned queues)
{
    static const char *const more[] = {"", " state=ready,scheduled", " state=dead,cancelled",
        " age>1s", " failures>=1", " priority<128"};
    struct stint_bulk bulk = STINT_BULK_INIT;
    uint64_t last = 0;
    char where[120];
    const char *queue = keys_queues[chance_below(chance, queues)];
    (void)snprintf(where, sizeof where, "%s%s%s", chance_in_100(chance, 80) ? "queue=" : "kind~",
        chance_in_100(chance, 80) ? queue : "a", more[chance_below(chance, 6)]);
    bulk.where = where;
    bulk.action = (enum stint_bulk_action)chance_between(chance, 1, STINT_BULK_PRIORITY);
    bulk.dry = chance_in_100(chance, 20);
    if (bulk.action == STINT_BULK_MOVE)
        bulk.queue = keys_queues[chance_below(chance, queues)];
    if (bulk.action == STINT_BULK_PRIORITY)
        bulk.priority = (int32_t)chance_below(chance, 256);
    (void)stint_bulk_begin(client, &bulk, NULL, PATIENCE_MS);
    (void)stint_bulks(client, each_bulk, &last, PATIENCE_MS);
    if (last && chance_in_100(chance, 20))
        (void)stint_bulk_stop(client, last, NULL, PATIENCE_MS);
}

void
people_list_jobs(struct stint_client *client, uint64_t limit, uint32_t patience_ms)
{
    const struct stint_filter filter = {.limit = limit};
    (void)stint_list(client, &filter, each_job, NULL, patience_ms);
}

void
people_list_fleet(struct stint_client *client, uint32_t patience_ms)
{
    char name[STINT_LABEL_BYTES] = "";
    (void)stint_workers(client, each_worker, name, patience_ms);
    (void)stint_queues(client, each_queue, NULL, patience_ms);
    if (*name)
        (void)stint_running(client, name, each_running, NULL, patience_ms);
}

static void
happened(void *context, const struct stint_event *event)
{
    (void)context;
    if (event->type != STINT_EVENT_LOST && event->queue[0] == '\0')
        sim_broken("an event is of no queue");
}

void
people_subscribe(struct stint_client *client, uint32_t patience_ms)
{
    const struct stint_subscription all = {0};
    stint_unsubscribe(client, happened, NULL);
    (void)stint_subscribe(client, &all, happened, NULL, patience_ms);
}

/* One by name, or those with a label, or all. */
static struct stint_target
choose_target(struct chance *chance, char name[16], unsigned workers)
{
    static const char *const labels[] = {"even", "odd"};
    (void)snprintf(name, 16, "worker %u", (unsigned)chance_below(chance, workers));
    if (chance_in_100(chance, 50))
        return (struct stint_target){.worker = name};
    return chance_in_100(chance, 50)
        ? (struct stint_target){.all = true}
        : (struct stint_target){.label = labels[chance_below(chance, 2)]};
}

void
people_meddle(struct stint_client *client, struct chance *chance, unsigned workers)
{
    char name[16];
    struct stint_target target = choose_target(chance, name, workers);
    switch (chance_below(chance, 12)) {
    case 0:
    case 1:
    case 2:
        (void)stint_set_slots(
            client, &target, (uint32_t)chance_below(chance, 8), NULL, PATIENCE_MS);
        break;
    case 3:
        (void)stint_set_slots(client, &target, STINT_OWN_SLOTS, NULL, PATIENCE_MS);
        break;
    case 4:
    case 5:
        (void)stint_pause_workers(client, &target, NULL, PATIENCE_MS);
        break;
    case 6:
    case 7:
    case 8:
        (void)stint_resume_workers(client, &target, NULL, PATIENCE_MS);
        break;
    case 9:
        (void)stint_drain_workers(client, &target, NULL, PATIENCE_MS);
        break;
    case 10:
        (void)stint_stop_workers(client, &target, NULL, PATIENCE_MS);
        break;
    default:
        (void)stint_set_fleet(
            client, (uint32_t)chance_below(chance, 4 * (uint64_t)workers), NULL, PATIENCE_MS);
    }
}

static void
limit_queue(struct stint_client *client, struct chance *chance, const char *queue)
{
    static const uint64_t rates[] = {0, UINT64_MAX, 3600, 36000, 3600000};
    struct stint_queue_limits limits = STINT_QUEUE_LIMITS_INIT;
    struct stint_queue_setting now;
    if (chance_in_100(chance, 60))
        limits.running = (uint32_t)chance_below(chance, 4);
    limits.rate = rates[chance_below(chance, 5)];
    if (stint_limit_queue(client, queue, &limits, &now, PATIENCE_MS) == STINT_OK &&
        limits.running != UINT32_MAX && now.running != limits.running)
        sim_broken("the queue %s was limited, and is not so", queue);
}

static void
tune_queue(struct stint_client *client, struct chance *chance, const char *queue)
{
    static const uint64_t keeps[] = {UINT64_MAX, STINT_KEEP_UNSET, 0, 20000, 90000};
    static const uint64_t limits[] = {UINT64_MAX, 0, 300, 3000};
    struct stint_queue_tuning tuning = STINT_QUEUE_TUNING_INIT;
    struct stint_queue_setting now;
    if (chance_in_100(chance, 40))
        tuning.weight = 1 + (uint32_t)chance_below(chance, 5);
    if (chance_in_100(chance, 40))
        tuning.backlog_max = (uint32_t)chance_below(chance, 30);
    tuning.keep_ms = keeps[chance_below(chance, sizeof keeps / sizeof *keeps)];
    tuning.time_to_run_ms = limits[chance_below(chance, sizeof limits / sizeof *limits)];
    if (stint_tune_queue(client, queue, &tuning, &now, PATIENCE_MS) == STINT_OK &&
        tuning.backlog_max != UINT32_MAX && now.backlog_max != tuning.backlog_max)
        sim_broken("the queue %s was set, and is not so", queue);
}

static void
set_groups(struct stint_client *client, struct chance *chance, const char *queue)
{
    static const uint64_t rates[] = {0, 0, UINT64_MAX, 3600, 36000};
    const struct stint_group_weight weight = {"g", 1 + (uint32_t)chance_below(chance, 4)};
    struct stint_group_setting set = STINT_GROUP_SETTING_INIT;
    struct stint_queue_setting now;
    if (chance_in_100(chance, 70))
        set.running = (uint32_t)chance_below(chance, 4);
    set.rate = rates[chance_below(chance, sizeof rates / sizeof *rates)];
    set.weights = &weight;
    set.weights_count = chance_in_100(chance, 30);
    if (stint_set_groups(client, queue, &set, &now, PATIENCE_MS) == STINT_OK &&
        set.running != UINT32_MAX && now.group_running != set.running)
        sim_broken("groups of the queue %s were set, and are not so", queue);
}

static bool
each_group(void *context, const struct stint_group_info *info)
{
    (void)context;
    if (info->ready + info->running == 0 || info->name[0] == '\0')
        sim_broken("a group is told of that has no jobs");
    return true;
}

void
people_set_queue(struct stint_client *client, struct chance *chance, unsigned queues)
{
    static const enum stint_queue_action actions[] = {STINT_PAUSE_QUEUE, STINT_PAUSE_QUEUE,
        STINT_RESUME_QUEUE, STINT_RESUME_QUEUE, STINT_CLOSE_QUEUE, STINT_OPEN_QUEUE,
        STINT_REMOVE_QUEUE, STINT_ORDER_FIFO, STINT_ORDER_LIFO, STINT_ORDER_LIFO,
        STINT_ORDER_HIGH_FIRST, STINT_ORDER_LOW_FIRST};
    const char *queue = keys_queues[chance_below(chance, queues)];
    enum stint_queue_action action =
        actions[chance_below(chance, sizeof actions / sizeof *actions)];
    struct stint_queue_setting now;
    if (chance_in_100(chance, 25)) {
        limit_queue(client, chance, queue);
        return;
    }
    if (chance_in_100(chance, 25)) {
        tune_queue(client, chance, queue);
        return;
    }
    if (chance_in_100(chance, 40)) {
        set_groups(client, chance, queue);
        (void)stint_groups(client, queue, NULL, each_group, NULL, PATIENCE_MS);
        return;
    }
    if (stint_set_queue(client, queue, action, &now, PATIENCE_MS) != STINT_OK)
        return;
    if ((action == STINT_PAUSE_QUEUE && !now.paused) || (action == STINT_OPEN_QUEUE && now.closed))
        sim_broken("the queue %s was set, and is not so", queue);
}

/* It is so now, or never was, or is not ours to set. */
static bool
is_taken_back(enum stint_status status)
{
    return status == STINT_OK || status == STINT_NO_SUCH_QUEUE || status == STINT_DENIED;
}

static bool
relent_queues(struct stint_client *client, unsigned queues)
{
    const struct stint_queue_limits none = {.running = 0, .rate = 0};
    const struct stint_queue_tuning usual = {.weight = 1, .keep_ms = STINT_KEEP_UNSET};
    const struct stint_group_weight weight = {"g", 1};
    const struct stint_group_setting free = {.weights = &weight, .weights_count = 1};
    bool done = true;
    for (unsigned i = 0; i < queues && done; i++)
        done = is_taken_back(stint_set_groups(client, keys_queues[i], &free, NULL, PATIENCE_MS)) &&
            is_taken_back(stint_limit_queue(client, keys_queues[i], &none, NULL, PATIENCE_MS)) &&
            is_taken_back(stint_tune_queue(client, keys_queues[i], &usual, NULL, PATIENCE_MS)) &&
            is_taken_back(
                stint_set_queue(client, keys_queues[i], STINT_RESUME_QUEUE, NULL, PATIENCE_MS)) &&
            is_taken_back(
                stint_set_queue(client, keys_queues[i], STINT_OPEN_QUEUE, NULL, PATIENCE_MS));
    return done;
}

/* By name, as a worker may be away for the moment for which something is set. */
bool
people_relent(struct stint_client *client, unsigned workers, unsigned queues)
{
    char name[16];
    const struct stint_target target = {.worker = name};
    struct stint_fleet fleet;
    bool done = relent_queues(client, queues) &&
        stint_set_fleet(client, 0, &fleet, PATIENCE_MS) == STINT_OK;
    if (done && fleet.slots != 0)
        sim_broken("the fleet's size was taken back, and is %u", fleet.slots);
    for (unsigned i = 0; i < workers && done; i++) {
        (void)snprintf(name, sizeof name, "worker %u", i);
        done = stint_resume_workers(client, &target, NULL, PATIENCE_MS) == STINT_OK &&
            stint_set_slots(client, &target, STINT_OWN_SLOTS, NULL, PATIENCE_MS) == STINT_OK;
    }
    return done;
}

void
people_judge(const struct stint_worker *w, const char *name)
{
    if (w->orders.paused)
        sim_broken("%s is paused and begins a job", name);
    if (w->orders.leave != LEAVE_NOT)
        sim_broken("%s is to leave and begins a job", name);
    if (w->handover.running > w->handover.slots)
        sim_broken(
            "%s has %u slots and runs %u jobs", name, w->handover.slots, w->handover.running);
}
