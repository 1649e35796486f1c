/* Groups of jobs. */
#include "sayings.h"

static struct slice
group(void)
{
    return letters(1, LIMIT_GROUP_BYTES);
}

void
say_LIST_GROUPS(uint64_t number)
{
    struct slice queue = name(), cursor = chance() ? group() : (struct slice){NULL, 0};
    struct slice of = chance() ? group() : (struct slice){NULL, 0};
    message_put_list_groups(&frame, number, queue, of, cursor);
    hear(MESSAGE_LIST_GROUPS, number);
    assert_same(heard.list_groups.queue, queue);
    assert_same(heard.list_groups.name, of);
    assert_same(heard.list_groups.cursor, cursor);
}

void
say_GROUPS(uint64_t number)
{
    struct stint_group_info infos[3];
    struct pack_buffer elements = {0};
    struct slice cursor = bytes();
    uint32_t count = (uint32_t)below(4);
    for (uint32_t i = 0; i < count; i++) {
        infos[i] = (struct stint_group_info){.ready = upto(UINT64_MAX),
            .running = upto(UINT64_MAX),
            .weight = 1 + (uint32_t)upto(LIMIT_GROUP_WEIGHT - 1),
            .wait_ms = upto(UINT64_MAX)};
        text(infos[i].name, sizeof infos[i].name);
        message_put_group_info(&elements, &infos[i]);
    }
    message_put_numbered_elements(&frame, MESSAGE_GROUPS, number,
        (struct slice){elements.data, elements.used}, count, cursor);
    hear(MESSAGE_GROUPS, number);
    assert_same(heard.page.cursor, cursor);
    assert_int_equal(heard.count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(message_next_group(arrays));
        assert_string_equal(arrays->items.group.name, infos[i].name);
        assert_number(arrays->items.group.ready, infos[i].ready);
        assert_number(arrays->items.group.running, infos[i].running);
        assert_int_equal(arrays->items.group.weight, infos[i].weight);
        assert_number(arrays->items.group.wait_ms, infos[i].wait_ms);
    }
    pack_buffer_free(&elements);
}
