/* What is said of the fleet, with random fields. */
#include "sayings.h"

static uint32_t
own_or_some(void)
{
    return chance() ? SLOTS_OWN : (uint32_t)upto(LIMIT_WINDOW);
}

void
say_CONTROL(uint64_t number)
{
    struct control c = {.action = (enum control_action)(1 + below(CONTROL_STOP)),
        .target = (enum control_target)(1 + below(CONTROL_LABELLED)),
        .name = letters(0, LIMIT_LABEL_BYTES),
        .slots = own_or_some()};
    message_put_control(&frame, number, &c);
    hear(MESSAGE_CONTROL, number);
    assert_int_equal(heard.control.action, c.action);
    assert_int_equal(heard.control.target, c.target);
    assert_same(heard.control.name, c.name);
    assert_int_equal(heard.control.slots, c.slots);
}

void
say_CONTROLLED(uint64_t number)
{
    uint32_t met = (uint32_t)upto(UINT32_MAX);
    message_put_controlled(&frame, number, met);
    hear(MESSAGE_CONTROLLED, number);
    assert_int_equal(heard.controlled.met, met);
}

void
say_ORDER(uint64_t number)
{
    struct order o = {.slots = own_or_some(),
        .paused = chance(),
        .leave = (enum leave)below((uint64_t)LEAVE_STOP + 1)};
    (void)number;
    message_put_order(&frame, &o);
    hear(MESSAGE_ORDER, 0);
    assert_int_equal(heard.order.slots, o.slots);
    assert_int_equal(heard.order.paused, o.paused);
    assert_int_equal(heard.order.leave, o.leave);
}

void
say_SET_FLEET(uint64_t number)
{
    struct stint_fleet f = {.slots = (uint32_t)upto(LIMIT_FLEET_SLOTS)};
    message_put_fleet(&frame, MESSAGE_SET_FLEET, number, &f);
    hear(MESSAGE_SET_FLEET, number);
    assert_int_equal(heard.fleet.slots, f.slots);
}

void
say_GET_FLEET(uint64_t number)
{
    message_put_numbered(&frame, MESSAGE_GET_FLEET, number);
    hear(MESSAGE_GET_FLEET, number);
}

void
say_FLEET(uint64_t number)
{
    struct stint_fleet f = {.slots = (uint32_t)upto(LIMIT_FLEET_SLOTS),
        .workers = (uint32_t)upto(UINT32_MAX),
        .cores = upto(UINT64_MAX),
        .given = upto(UINT64_MAX)};
    message_put_fleet(&frame, MESSAGE_FLEET, number, &f);
    hear(MESSAGE_FLEET, number);
    assert_int_equal(heard.fleet.slots, f.slots);
    assert_int_equal(heard.fleet.workers, f.workers);
    assert_number(heard.fleet.cores, f.cores);
    assert_number(heard.fleet.given, f.given);
}

void
say_LIST_RUNNING(uint64_t number)
{
    struct slice worker = letters(0, LIMIT_LABEL_BYTES), cursor = bytes();
    message_put_list_running(&frame, number, worker, cursor);
    hear(MESSAGE_LIST_RUNNING, number);
    assert_same(heard.list_running.worker, worker);
    assert_same(heard.list_running.cursor, cursor);
}

void
say_RUNNING(uint64_t number)
{
    struct stint_running_info infos[3];
    struct pack_buffer elements = {0};
    uint32_t count = (uint32_t)below(4);
    struct slice cursor = bytes();
    for (uint32_t i = 0; i < count; i++) {
        infos[i] = (struct stint_running_info){.id = id(),
            .attempt = (uint32_t)upto(UINT32_MAX),
            .begun = chance(),
            .ms_ago = upto(UINT64_MAX),
            .progress = progress()};
        text(infos[i].queue, sizeof infos[i].queue);
        text(infos[i].kind, sizeof infos[i].kind);
        message_put_running_info(&elements, &infos[i]);
    }
    message_put_numbered_elements(&frame, MESSAGE_RUNNING, number,
        (struct slice){elements.data, elements.used}, count, cursor);
    hear(MESSAGE_RUNNING, number);
    assert_same(heard.page.cursor, cursor);
    assert_int_equal(heard.count, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct stint_running_info *is = &arrays->running_info, *was = &infos[i];
        assert_true(message_next_running(arrays));
        ASSERT_FIELD(is, was, id);
        ASSERT_FIELD(is, was, queue);
        ASSERT_FIELD(is, was, kind);
        ASSERT_FIELD(is, was, attempt);
        ASSERT_FIELD(is, was, begun);
        ASSERT_FIELD(is, was, ms_ago);
        assert_progress(&is->progress, &was->progress);
    }
    pack_buffer_free(&elements);
}

void
say_SET_QUEUE(uint64_t number)
{
    struct slice queue = name();
    enum stint_queue_action action = (enum stint_queue_action)(1 + below(STINT_ORDER_LOW_FIRST));
    const struct stint_queue_limits limits = {
        .running = chance() ? UINT32_MAX : (uint32_t)upto(LIMIT_QUEUE_RUNNING),
        .rate = chance() ? UINT64_MAX : upto(LIMIT_QUEUE_RATE)};
    message_put_set_queue(&frame, number, queue, action, &limits);
    hear(MESSAGE_SET_QUEUE, number);
    assert_same(heard.set_queue.queue, queue);
    assert_int_equal(heard.set_queue.action, action);
    assert_int_equal(heard.set_queue.limits.running, limits.running);
    assert_number(heard.set_queue.limits.rate, limits.rate);
    const struct stint_queue_tuning tuning = {
        .weight = chance() ? UINT32_MAX : 1 + (uint32_t)upto(LIMIT_QUEUE_WEIGHT - 1),
        .backlog_max = chance() ? UINT32_MAX : (uint32_t)upto(LIMIT_QUEUE_BACKLOG),
        .keep_ms = chance() ? UINT64_MAX
            : chance()      ? STINT_KEEP_UNSET
                            : upto(LIMIT_TIME_MS),
        .time_to_run_ms = chance() ? UINT64_MAX : upto(LIMIT_TIME_MS)};
    frame.used = 0;
    message_put_tune_queue(&frame, number, queue, &tuning);
    hear(MESSAGE_SET_QUEUE, number);
    assert_same(heard.set_queue.queue, queue);
    assert_int_equal(heard.set_queue.action, STINT_TUNE_QUEUE);
    assert_int_equal(heard.set_queue.tuning.weight, tuning.weight);
    assert_int_equal(heard.set_queue.tuning.backlog_max, tuning.backlog_max);
    assert_number(heard.set_queue.tuning.keep_ms, tuning.keep_ms);
    assert_number(heard.set_queue.tuning.time_to_run_ms, tuning.time_to_run_ms);
    const struct group_weight weights[2] = {
        {letters(1, LIMIT_GROUP_BYTES), 1}, {letters(1, 9), LIMIT_GROUP_WEIGHT}};
    const struct group_setting groups = {
        .running = chance() ? UINT32_MAX : (uint32_t)upto(LIMIT_GROUP_RUNNING),
        .rate = chance() ? UINT64_MAX : upto(LIMIT_QUEUE_RATE),
        .weights = (uint32_t)below(3)};
    frame.used = 0;
    message_put_group_setting(&frame, number, queue, &groups, weights);
    hear(MESSAGE_SET_QUEUE, number);
    assert_int_equal(heard.set_queue.action, STINT_SET_GROUPS);
    assert_int_equal(heard.set_queue.groups.running, groups.running);
    assert_number(heard.set_queue.groups.rate, groups.rate);
    assert_int_equal(heard.set_queue.groups.weights, groups.weights);
    for (uint32_t i = 0; i < groups.weights; i++) {
        assert_same(arrays->items.group_weights[i].name, weights[i].name);
        assert_int_equal(arrays->items.group_weights[i].weight, weights[i].weight);
    }
}

void
say_QUEUE(uint64_t number)
{
    struct stint_queue_setting q = {.paused = chance(),
        .closed = chance(),
        .lifo = chance(),
        .low_first = chance(),
        .made = chance(),
        .running = (uint32_t)upto(LIMIT_QUEUE_RUNNING),
        .rate = upto(LIMIT_QUEUE_RATE),
        .weight = 1 + (uint32_t)upto(LIMIT_QUEUE_WEIGHT - 1),
        .backlog_max = (uint32_t)upto(LIMIT_QUEUE_BACKLOG),
        .keep_ms = chance() ? STINT_KEEP_UNSET : upto(LIMIT_TIME_MS),
        .time_to_run_ms = upto(LIMIT_TIME_MS),
        .group_running = (uint32_t)upto(LIMIT_GROUP_RUNNING),
        .group_weights = (uint32_t)upto(LIMIT_GROUP_WEIGHTS),
        .group_rate = upto(LIMIT_QUEUE_RATE)};
    message_put_queue(&frame, number, &q);
    hear(MESSAGE_QUEUE, number);
    assert_int_equal(heard.queue.paused, q.paused);
    assert_int_equal(heard.queue.closed, q.closed);
    assert_int_equal(heard.queue.lifo, q.lifo);
    assert_int_equal(heard.queue.low_first, q.low_first);
    assert_int_equal(heard.queue.made, q.made);
    assert_int_equal(heard.queue.running, q.running);
    assert_number(heard.queue.rate, q.rate);
    assert_int_equal(heard.queue.weight, q.weight);
    assert_int_equal(heard.queue.backlog_max, q.backlog_max);
    assert_number(heard.queue.keep_ms, q.keep_ms);
    assert_number(heard.queue.time_to_run_ms, q.time_to_run_ms);
    assert_int_equal(heard.queue.group_running, q.group_running);
    assert_int_equal(heard.queue.group_weights, q.group_weights);
    assert_number(heard.queue.group_rate, q.group_rate);
}
