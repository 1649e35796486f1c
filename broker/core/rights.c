/* Rights: what a grant covers, and what the messages need; the contract is in rights.h. */
#include "rights.h"
#include "names.h"

struct need {
    uint32_t rights; /* any of them */
    enum need_where where;
};

/* Every message that a peer may send has a row: what has none is not declared here. */
enum {
#define X(name, rights, where) HAS_ROW_##name = 1,
#include "rights.def"
#undef X
#define HAS_ROW_OF_P(name) HAS_ROW_##name
#define HAS_ROW_OF_C(name) HAS_ROW_##name
#define HAS_ROW_OF_W(name) HAS_ROW_##name
#define HAS_ROW_OF_A(name) HAS_ROW_##name
#define HAS_ROW_OF_B(name) 1
#define X(number, name, sender, decoder) ROW_IS_THERE_##name = 1 / HAS_ROW_OF_##sender(name),
#include "message.def"
#undef X
};

static struct need
need_of(enum message_type type)
{
    switch ((unsigned)type) {
#define X(name, rights, where) \
    case MESSAGE_##name: \
        return (struct need){(rights), NEED_##where};
#include "rights.def"
#undef X
    default: /* only a broker sends it */
        return (struct need){RIGHTS_ALL, NEED_EVERYWHERE};
    }
}

static struct slice
pattern_of(const struct grant *g, uint32_t i)
{
    return (struct slice){(const uint8_t *)g->patterns[i], strlen(g->patterns[i])};
}

static bool
covers(const struct grant *g, struct slice name)
{
    for (uint32_t i = 0; i < g->patterns_count; i++)
        if (pattern_matches(pattern_of(g, i), name))
            return true;
    return g->patterns_count == 0;
}

static bool
covers_all(const struct grant *g)
{
    for (uint32_t i = 0; i < g->patterns_count; i++)
        if (strcmp(g->patterns[i], "*") == 0)
            return true;
    return g->patterns_count == 0;
}

/* What stands next to each other is mostly of one queue. */
struct last_queue {
    uint32_t number; /* 0: none */
    bool covered;
};

static bool
covers_id(
    const struct grant *g, struct book *book, const struct stint_id *id, struct last_queue *last)
{
    struct stint_id key = *id;
    (void)names_find(book, id, &key);
    uint32_t number = id_queue(&key);
    if (id_broker(id) != book->broker || number == 0)
        return false;
    if (number != last->number) {
        const struct queue *q = book_queue_by_number(book, number);
        last->number = number;
        last->covered = q && covers(g, (struct slice){(const uint8_t *)q->name, q->name_bytes});
    }
    return last->covered;
}

bool
grant_allows(const struct grant *g, uint32_t rights, struct slice queue)
{
    return !g || ((g->rights & rights) != 0 && covers(g, queue));
}

/* All names that begin so. */
static bool
covers_prefix(const struct grant *g, struct slice begin)
{
    for (uint32_t i = 0; i < g->patterns_count; i++)
        if (pattern_is_open(pattern_of(g, i)) && pattern_matches(pattern_of(g, i), begin))
            return true;
    return g->patterns_count == 0;
}

static bool
covers_filter(const struct grant *g, struct slice bytes)
{
    struct filter filter;
    const char *why;
    bool covered = covers_all(g);
    if (!filter_read(bytes, &filter, &why))
        return false;
    for (uint32_t i = 0; i < filter.count && !covered; i++) {
        const struct filter_term *t = &filter.terms[i];
        if (t->field == FILTER_QUEUE)
            covered = (t->is == FILTER_IS && covers(g, t->text)) ||
                (t->is == FILTER_BEGINS && covers_prefix(g, t->text));
    }
    return covered;
}

bool
grant_allows_filter(const struct grant *g, uint32_t rights, struct slice filter)
{
    return !g || ((g->rights & rights) != 0 && covers_filter(g, filter));
}

bool
pattern_is_valid(const char *pattern)
{
    struct slice text = {(const uint8_t *)pattern, strlen(pattern)};
    text.size -= pattern_is_open(text);
    return !*pattern || strcmp(pattern, "*") == 0 || name_is_valid(text);
}

/* Is all that matches `pattern` matched by one of the grant's? */
static bool
covers_pattern(const struct grant *g, struct slice pattern)
{
    bool covered = covers_all(g);
    for (uint32_t i = 0; i < g->patterns_count && !covered; i++)
        covered = pattern_covers(pattern_of(g, i), pattern);
    return covered;
}

bool
grant_allows_all(const struct grant *g, uint32_t rights, const char *pattern)
{
    struct slice all = {(const uint8_t *)"*", 1};
    struct slice meant = {(const uint8_t *)pattern, strlen(pattern)};
    return grant_allows_pattern(g, rights, meant.size ? meant : all);
}

bool
grant_allows_pattern(const struct grant *g, uint32_t rights, struct slice pattern)
{
    return !g || ((g->rights & rights) != 0 && covers_pattern(g, pattern));
}

uint32_t
grant_parts(const struct grant *g)
{
    return g ? 1 + g->patterns_count : 1;
}

/* Is the grant's pattern one that says nothing beside the others? */
static bool
is_needless(const struct grant *g, uint32_t i)
{
    bool needless = false;
    for (uint32_t k = 0; k < g->patterns_count && !needless; k++)
        needless = k != i && pattern_covers(pattern_of(g, k), pattern_of(g, i)) &&
            (k < i || !pattern_covers(pattern_of(g, i), pattern_of(g, k)));
    return needless;
}

bool
grant_part(
    const struct grant *g, uint32_t rights, struct slice pattern, uint32_t i, struct slice *part)
{
    if (i == 0) {
        *part = pattern;
        return grant_allows_pattern(g, rights, pattern);
    }
    *part = pattern_of(g, i - 1);
    return (g->rights & rights) != 0 && pattern_covers(pattern, *part) &&
        !covers_pattern(g, pattern) && !is_needless(g, i - 1);
}

bool
grant_is_narrow(const struct grant *g)
{
    return g && !covers_all(g);
}

const char *
grant_name(const struct grant *g)
{
    return g ? g->name : "local";
}

uint64_t
grant_owner(const struct grant *g)
{
    return g ? record_check(g->name, strlen(g->name), 0) | 1 : 0;
}

bool
grant_same(const struct grant *a, const struct grant *b)
{
    if (strcmp(a->name, b->name) != 0 || a->rights != b->rights ||
        a->patterns_count != b->patterns_count)
        return false;
    for (uint32_t i = 0; i < a->patterns_count; i++)
        if (strcmp(a->patterns[i], b->patterns[i]) != 0)
            return false;
    return true;
}

/* ---- what a message is about ---- */

static void
deny(struct judgement *j, uint32_t index, const char *why)
{
    if (j->why)
        return;
    j->why = why;
    j->index = index;
}

static void
deny_one(struct judgement *j, uint32_t index)
{
    if (j->denied_count++ == 0)
        memset(j->denied, 0, sizeof j->denied);
    j->denied[index / 64] |= UINT64_C(1) << index % 64;
}

static void
judge_hello(const struct grant *g, const struct message *m, const struct message_arrays *a,
    struct judgement *j)
{
    static const struct slice unnamed = {(const uint8_t *)"default", 7};
    static const char why[] = "this key may not run jobs of a queue that the worker serves";
    for (uint32_t i = 0; i < m->hello.queues; i++)
        if (!covers(g, a->names.queues[i]))
            deny(j, i, why);
    for (uint32_t i = 0; i < m->hello.prefixes; i++)
        if (!covers_pattern(g, a->names.prefixes[i]))
            deny(j, i,
                "this key may not run jobs of all queues that a prefix of the worker's stands for");
    if (m->hello.queues == 0 && m->hello.prefixes == 0 && !covers(g, unnamed))
        deny(j, 0, why);
}

/* How those end that a job is after shows in what becomes of it. */
static bool
covers_after(const struct grant *g, struct book *book, struct slice after)
{
    struct last_queue last = {0};
    struct pack_reader r;
    bool all = true;
    for (uint32_t n = message_open_after(after, &r); n > 0 && all; n--) {
        struct after_ref ref = message_next_after(&r);
        all = ref.earlier || covers_id(g, book, &ref.id, &last);
    }
    return all;
}

static void
judge_jobs(const struct grant *g, struct book *book, const struct message *m,
    const struct message_arrays *a, struct judgement *j)
{
    for (uint32_t i = 0; i < m->count && !j->why; i++) {
        bool again = i > 0 && a->specs[i].queue.data == a->specs[i - 1].queue.data;
        if (!again && !covers(g, a->specs[i].queue))
            deny(j, i, "this key may not submit to that queue");
        else if (!covers_after(g, book, a->specs[i].after))
            deny(j, i, "this key is not for the queue of a job that it is after, if it is there");
    }
}

/* The id of an element. */
static const struct stint_id *
id_of(enum need_where where, const struct message_arrays *a, uint32_t i)
{
    if (where == NEED_OUTCOMES)
        return &a->outcomes[i].id;
    if (where == NEED_TOLD)
        return &a->told[i].id;
    if (where == NEED_WROTE)
        return &a->wrote[i].id;
    return where == NEED_LEASES ? &a->leases[i].id : &a->ids[i];
}

static void
judge_elements(const struct grant *g, struct book *book, enum need_where where,
    const struct message *m, const struct message_arrays *a, struct judgement *j)
{
    struct last_queue last = {0};
    for (uint32_t i = 0; i < m->count; i++)
        if (!covers_id(g, book, id_of(where, a, i), &last))
            deny_one(j, i);
}

static void
judge_all_ids(const struct grant *g, struct book *book, const struct message *m,
    const struct message_arrays *a, struct judgement *j)
{
    struct last_queue last = {0};
    for (uint32_t i = 0; i < m->count && !j->why; i++)
        if (!covers_id(g, book, &a->ids[i], &last))
            deny(j, i, "this key may not see the queue of one of these jobs, if it is there");
}

/* What names none is told of those only that the key may see: who answers it sees to that. */
static void
judge_named(const struct grant *g, struct slice queue, struct judgement *j)
{
    if (queue.size > 0 && !covers(g, queue))
        deny(j, 0, "this key may not see that queue");
}

static const char *
lacks(uint32_t rights)
{
    switch (rights) {
    case RIGHT_SUBMIT:
        return "this key does not grant `submit`";
    case RIGHT_RUN:
        return "this key does not grant `run`";
    case RIGHT_SEE:
        return "this key does not grant `see`";
    case RIGHT_CONTROL:
        return "this key does not grant `control`";
    case RIGHT_SUBMIT | RIGHT_CONTROL:
        return "this key grants neither `submit` nor `control`";
    default:
        return "this key does not grant this";
    }
}

static void
judge_queues(const struct grant *g, struct book *book, enum need_where where,
    const struct message *m, const struct message_arrays *a, struct judgement *j)
{
    switch (where) {
    case NEED_NOWHERE:
    case NEED_SOMEWHERE:
        break;
    case NEED_SERVED:
        judge_hello(g, m, a, j);
        break;
    case NEED_JOBS:
        judge_jobs(g, book, m, a, j);
        break;
    case NEED_OUTCOMES:
    case NEED_LEASES:
    case NEED_TOLD:
    case NEED_WROTE:
    case NEED_IDS:
        judge_elements(g, book, where, m, a, j);
        break;
    case NEED_CHANGED:
        if ((m->change.set & CHANGE_QUEUE) && !covers(g, m->change.to.queue))
            deny(j, 0, "this key may not move jobs to that queue");
        else
            judge_elements(g, book, where, m, a, j);
        break;
    case NEED_ALL_IDS:
        judge_all_ids(g, book, m, a, j);
        break;
    case NEED_LISTED:
        judge_named(g, m->list.queue, j);
        break;
    case NEED_WATCHED:
        if (m->subscribe.queue.size == 0 && m->count > 0)
            judge_all_ids(g, book, m, a, j);
        else
            judge_named(g, m->subscribe.queue, j);
        break;
    case NEED_ASKED:
        if (m->why.queue.size == 0)
            judge_all_ids(g, book, m, a, j);
        else
            judge_named(g, m->why.queue, j);
        break;
    case NEED_PEEKED:
        judge_named(g, m->peek.queue, j);
        break;
    case NEED_GROUPED:
        judge_named(g, m->list_groups.queue, j);
        break;
    case NEED_MEANT:
        if (m->bulk.queue.size > 0 && !covers(g, m->bulk.queue))
            deny(j, 0, "this key may not move jobs to that queue");
        else if (!covers_filter(g, m->bulk.filter))
            deny(j, 0,
                "this key is for some queues only: the filter has to name one of them, queue=NAME");
        break;
    case NEED_SET:
        if (!covers(g, m->set_queue.queue))
            deny(j, 0, "this key may not control that queue");
        break;
    case NEED_EVERYWHERE:
        deny(j, 0, "this is told of all queues together, and this key is for some only");
        break;
    }
}

void
rights_judge(const struct grant *g, struct book *book, const struct message *m,
    const struct message_arrays *arrays, struct judgement *j)
{
    j->why = NULL;
    j->denied_count = 0;
    if (!g)
        return;
    struct need need = need_of(m->type);
    bool is_client = m->type == MESSAGE_HELLO && m->hello.role != ROLE_WORKER;
    if (need.where == NEED_NOWHERE || is_client)
        return;
    if ((g->rights & need.rights) == 0)
        deny(j, 0, lacks(need.rights));
    else if (m->type == MESSAGE_BULK && m->bulk.dry && (g->rights & RIGHT_SEE) == 0)
        deny(j, 0, lacks(RIGHT_SEE));
    else if (!covers_all(g))
        judge_queues(g, book, need.where, m, arrays, j);
}
