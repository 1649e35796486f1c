/* Groups of a queue: what is set for them, and which there are. */
#include "client.h"
#include "id.h"

static const char lacks[] = "the broker is too old for groups of jobs";

/* Where the elements of GROUPS go. */
struct telling {
    stint_group_fn *each;
    void *context;
    bool ended;
    uint8_t cursor[LIMIT_GROUP_BYTES];
    size_t cursor_bytes;
};

static struct slice
text_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, text ? strlen(text) : 0};
}

/* Connected, to a broker that has groups, and with a name that may be one of a queue. */
static enum stint_status
begin(struct stint_client *c, const char *queue, uint32_t timeout_ms, const char *what)
{
    if (!name_is_valid(text_of(queue)))
        return client_fail(c, STINT_BAD_NAME, what, queue ? queue : "no queue");
    enum stint_status status = stint_connect(c, timeout_ms);
    if (status == STINT_OK && !session_has_feature(&c->session, "groups"))
        return client_fail(c, STINT_UNSUPPORTED, what, lacks);
    return status == STINT_OK ? client_may_wait(c, what) : status;
}

/* What of it can't be; NULL: nothing. */
static const char *
wrong_of(const struct stint_group_setting *s, struct group_weight weights[LIMIT_GROUP_WEIGHTS_SET])
{
    if ((s->running != UINT32_MAX && s->running > LIMIT_GROUP_RUNNING) ||
        (s->rate != UINT64_MAX && s->rate > LIMIT_QUEUE_RATE))
        return "at most 16777216 jobs at once, and a million a second";
    if (s->weights_count > LIMIT_GROUP_WEIGHTS_SET || (s->weights_count > 0 && !s->weights))
        return "at most 100 weights at a time";
    for (uint32_t i = 0; i < s->weights_count; i++) {
        weights[i] = (struct group_weight){text_of(s->weights[i].name), s->weights[i].weight};
        if (!group_is_valid(weights[i].name))
            return "a group has a name of 1 to 128 bytes of UTF-8";
        if (weights[i].weight < 1 || weights[i].weight > LIMIT_GROUP_WEIGHT)
            return "the weight of a group is 1 to 1000";
    }
    return NULL;
}

enum stint_status
stint_set_groups(struct stint_client *c, const char *queue, const struct stint_group_setting *s,
    struct stint_queue_setting *now, uint32_t timeout_ms)
{
    static const char what[] = "setting the groups of a queue";
    struct group_weight weights[LIMIT_GROUP_WEIGHTS_SET];
    const struct group_setting setting = {s->running, s->rate, s->weights_count};
    const char *wrong = wrong_of(s, weights);
    if (wrong)
        return client_fail(c, STINT_INVALID, what, wrong);
    enum stint_status status = begin(c, queue, timeout_ms, what);
    if (status != STINT_OK)
        return status;
    struct call *call = client_call(c, MESSAGE_SET_QUEUE);
    message_put_group_setting(
        &call->request->frame, call->request->number, text_of(queue), &setting, weights);
    return client_ask(&call, timeout_ms, client_take_queue, now, what);
}

static enum stint_status
take_groups(struct stint_client *c, const struct message *m, void *into)
{
    struct telling *t = into;
    struct message_arrays *arrays = link_arrays(c->link);
    struct slice cursor = m->page.cursor;
    if (m->type != MESSAGE_GROUPS || cursor.size > sizeof t->cursor)
        return STINT_BAD_MESSAGE;
    t->ended = cursor.size == 0;
    t->cursor_bytes = cursor.size;
    if (cursor.size)
        memcpy(t->cursor, cursor.data, cursor.size);
    for (uint32_t i = 0; i < m->count; i++) {
        if (!message_next_group(arrays))
            return STINT_BAD_MESSAGE;
        const struct stint_group_info info = arrays->items.group;
        c->calling++;
        bool goes_on = t->each(t->context, &info);
        c->calling--;
        if (!goes_on) {
            t->ended = true;
            return STINT_OK;
        }
    }
    return STINT_OK;
}

enum stint_status
stint_groups(struct stint_client *c, const char *queue, const char *group, stint_group_fn *each,
    void *context, uint32_t timeout_ms)
{
    static const char what[] = "listing groups";
    struct telling t = {.each = each, .context = context};
    if (group && !group_is_valid(text_of(group)))
        return client_fail(c, STINT_INVALID, what, "a group has a name of 1 to 128 bytes of UTF-8");
    enum stint_status status = begin(c, queue, timeout_ms, what);
    while (status == STINT_OK && !t.ended) {
        struct call *call = client_call(c, MESSAGE_LIST_GROUPS);
        message_put_list_groups(&call->request->frame, call->request->number, text_of(queue),
            text_of(group), (struct slice){t.cursor, t.cursor_bytes});
        status = client_ask(&call, timeout_ms, take_groups, &t, what);
    }
    return status;
}
