/* The books beside a small model of them, which keeps a list of jobs and counts them anew each
 * time: queues and levels, counts, who runs, and which ready job is found next.
 */
#include "book.h"
#include "dice.h"
#include "ready.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

enum { QUEUES = 3, PRIORITIES = 2, KINDS = 3, JOBS = 700, STEPS = 6000, SEEDS = 4 };

static const uint8_t priorities[PRIORITIES] = {200, 7};
static const char *const kind_names[KINDS] = {"a", "b", "c"};

/* A job as the model knows it. */
struct model_job {
    enum stint_state state; /* STINT_UNKNOWN: it has left the books */
    unsigned kind;
    bool apart;
};

struct model_level {
    struct model_job jobs[JOBS]; /* by sequence, the first at 1 */
    unsigned count;
    bool lifo;
};

struct shop {
    struct dice dice;
    struct store *store;
    struct book book;
    struct kinds *all_kinds, *sets[KINDS];
    struct model_level levels[QUEUES][PRIORITIES];
};

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static struct slice
queue_name(unsigned q)
{
    static char name[16];
    (void)snprintf(name, sizeof name, "queue-%u", q);
    return text(name);
}

/* The level where it stands, or NULL. */
static struct level *
level_at(struct shop *s, unsigned q, unsigned p)
{
    struct queue *queue = book_queue(&s->book, queue_name(q));
    return queue ? book_level(&s->book, queue, priorities[p], false) : NULL;
}

static void
put_live(struct shop *s, const struct stint_id *id, unsigned kind)
{
    store_put(s->store, STORE_LIVE, (struct slice){id->bytes, STINT_ID_BYTES},
        text(kind_names[kind]), (struct slice){0});
}

static void
del_live(struct shop *s, const struct stint_id *id)
{
    assert_true(store_del(s->store, STORE_LIVE, (struct slice){id->bytes, STINT_ID_BYTES}));
}

static void
submit(struct shop *s, unsigned q, unsigned p)
{
    struct model_level *m = &s->levels[q][p];
    if (m->count + 2 >= JOBS)
        return;
    struct queue *queue = book_queue_make(&s->book, queue_name(q));
    assert_non_null(queue);
    struct level *level = book_level(&s->book, queue, priorities[p], true);
    assert_non_null(level);
    unsigned kind = dice_roll(&s->dice, KINDS);
    assert_int_equal(level->next, m->count + 1);
    struct stint_id id = book_id(&s->book, level, level->next++);
    put_live(s, &id, kind);
    book_count(&s->book, level, STINT_UNKNOWN, STINT_READY);
    m->jobs[++m->count] = (struct model_job){STINT_READY, kind, false};
}

/* The next ready job that is not apart, of one of the kinds (KINDS: of any); 0: there is none. */
static unsigned
model_next(const struct model_level *m, unsigned kind)
{
    for (unsigned n = 1; n <= m->count; n++) {
        unsigned i = m->lifo ? m->count + 1 - n : n;
        if (m->jobs[i].state == STINT_READY && !m->jobs[i].apart &&
            (kind == KINDS || m->jobs[i].kind == kind))
            return i;
    }
    return 0;
}

static void
start(struct shop *s, struct level *level, struct model_job *job, const struct stint_id *id)
{
    book_set_running(&s->book, id);
    book_count(&s->book, level, STINT_READY, STINT_RUNNING);
    job->state = STINT_RUNNING;
}

/* Hands out the next job of any kind. */
static void
take(struct shop *s, unsigned q, unsigned p)
{
    struct level *level = level_at(s, q, p);
    struct model_level *m = &s->levels[q][p];
    struct stint_id id, peeked;
    struct slice bytes;
    unsigned expected = model_next(m, KINDS);
    if (!level)
        return;
    if (dice_once_in(&s->dice, 2))
        assert_int_equal(book_peek_ready(&s->book, level, &peeked, &bytes), expected != 0);
    assert_int_equal(book_next_ready(&s->book, level, &id, &bytes), expected != 0);
    assert_false(level->lost);
    if (!expected)
        return;
    assert_int_equal(id_sequence(&id), expected);
    assert_memory_equal(bytes.data, kind_names[m->jobs[expected].kind], bytes.size);
    start(s, level, &m->jobs[expected], &id);
}

/* Hands out the next job of a kind, as workers do that handle no other. */
static void
take_kind(struct shop *s, unsigned q, unsigned p, unsigned kind)
{
    struct level *level = level_at(s, q, p);
    struct model_level *m = &s->levels[q][p];
    struct stint_id id;
    struct slice bytes;
    unsigned expected = model_next(m, kind);
    if (!level)
        return;
    while (book_scan_ready(&s->book, level, book_scan(level, s->sets[kind]), &id, &bytes)) {
        if (!kinds_have(s->sets[kind], bytes))
            continue;
        assert_int_equal(id_sequence(&id), expected);
        start(s, level, &m->jobs[expected], &id);
        return;
    }
    assert_int_equal(expected, 0);
}

/* Any job in that state; 0: there is none. */
static unsigned
any_in(struct shop *s, const struct model_level *m, enum stint_state state)
{
    unsigned from = m->count ? dice_roll(&s->dice, m->count) : 0;
    for (unsigned i = 0; i < m->count; i++) {
        unsigned at = 1 + (from + i) % m->count;
        if (m->jobs[at].state == state)
            return at;
    }
    return 0;
}

/* A running job ends, is given back, or is parked. */
static void
end_run(struct shop *s, unsigned q, unsigned p)
{
    static const enum stint_state ends[] = {STINT_SUCCEEDED, STINT_READY, STINT_SCHEDULED};
    struct level *level = level_at(s, q, p);
    struct model_level *m = &s->levels[q][p];
    unsigned at = any_in(s, m, STINT_RUNNING);
    if (!at)
        return;
    enum stint_state to = ends[dice_roll(&s->dice, 3)];
    struct stint_id id = book_id(&s->book, level, at);
    book_clear_running(&s->book, &id);
    book_count(&s->book, level, STINT_RUNNING, to);
    if (to == STINT_READY)
        book_ready_at(level, at);
    else
        del_live(s, &id);
    m->jobs[at].state = to;
}

static void
become_due(struct shop *s, unsigned q, unsigned p)
{
    struct level *level = level_at(s, q, p);
    struct model_level *m = &s->levels[q][p];
    unsigned at = any_in(s, m, STINT_SCHEDULED);
    if (!at)
        return;
    struct stint_id id = book_id(&s->book, level, at);
    put_live(s, &id, m->jobs[at].kind);
    book_count(&s->book, level, STINT_SCHEDULED, STINT_READY);
    book_ready_at(level, at);
    m->jobs[at].state = STINT_READY;
}

/* A ready job is kept apart, or is so no longer. */
static void
turn_apart(struct shop *s, unsigned q, unsigned p)
{
    struct level *level = level_at(s, q, p);
    struct model_level *m = &s->levels[q][p];
    unsigned at = any_in(s, m, STINT_READY);
    if (!at)
        return;
    struct stint_id id = book_id(&s->book, level, at);
    if (m->jobs[at].apart) {
        book_clear_apart(&s->book, level, &id);
        book_ready_at(level, at);
    } else
        book_set_apart(&s->book, level, &id);
    m->jobs[at].apart = !m->jobs[at].apart;
}

static void
forget_outcome(struct shop *s, unsigned q, unsigned p)
{
    struct model_level *m = &s->levels[q][p];
    unsigned at = any_in(s, m, STINT_SUCCEEDED);
    if (!at)
        return;
    book_count(&s->book, level_at(s, q, p), STINT_SUCCEEDED, STINT_UNKNOWN);
    m->jobs[at].state = STINT_UNKNOWN;
}

/* The queue is to hand out its jobs in another order. */
static void
turn_order(struct shop *s, unsigned q)
{
    struct queue *queue = book_queue(&s->book, queue_name(q));
    if (!queue)
        return;
    struct queue_settings set = queue->set;
    if (dice_once_in(&s->dice, 2))
        set.lifo = !set.lifo;
    else
        set.low_first = !set.low_first;
    book_queue_set(&s->book, queue, set);
    for (unsigned p = 0; p < PRIORITIES; p++)
        s->levels[q][p].lifo = set.lifo;
}

static void
check_order(const struct queue *q)
{
    for (uint32_t i = 1; q && i < q->levels_count; i++)
        assert_true(q->set.low_first ? q->levels[i - 1]->priority < q->levels[i]->priority
                                     : q->levels[i - 1]->priority > q->levels[i]->priority);
}

static void
check_level(struct shop *s, unsigned q, unsigned p, uint64_t sums[STINT_STATES])
{
    struct level *level = level_at(s, q, p);
    const struct model_level *m = &s->levels[q][p];
    uint64_t jobs[STINT_STATES] = {0};
    unsigned apart = 0;
    for (unsigned i = 1; i <= m->count; i++) {
        jobs[m->jobs[i].state]++;
        apart += m->jobs[i].apart;
    }
    jobs[STINT_UNKNOWN] = 0;
    for (unsigned state = 0; state < STINT_STATES; state++)
        sums[state] += jobs[state];
    if (!level) {
        assert_int_equal(m->count, 0);
        return;
    }
    assert_memory_equal(jobs, level->jobs, sizeof jobs);
    assert_int_equal(apart, level->apart);
    for (unsigned i = 1; i <= m->count; i++) {
        struct stint_id id = book_id(&s->book, level, i);
        assert_ptr_equal(book_level_of(&s->book, &id), level);
        assert_int_equal(book_is_running(&s->book, &id), m->jobs[i].state == STINT_RUNNING);
    }
}

static void
count_one(void *context, const struct stint_id *id)
{
    assert_true(id_sequence(id) > 0);
    ++*(uint64_t *)context;
}

static void
check(struct shop *s)
{
    uint64_t sums[STINT_STATES] = {0}, running = 0;
    for (unsigned q = 0; q < QUEUES; q++) {
        uint64_t before[STINT_STATES];
        memcpy(before, sums, sizeof sums);
        for (unsigned p = 0; p < PRIORITIES; p++)
            check_level(s, q, p, sums);
        const struct queue *queue = book_queue(&s->book, queue_name(q));
        uint64_t ready = sums[STINT_READY] - before[STINT_READY];
        uint64_t parked = sums[STINT_SCHEDULED] - before[STINT_SCHEDULED];
        check_order(queue);
        assert_int_equal(queue ? queue->ready : 0, ready);
        assert_int_equal(queue ? queue->backlog : 0, ready + parked);
    }
    assert_memory_equal(sums, s->book.jobs, sizeof sums);
    book_each_running(&s->book, count_one, &running);
    assert_int_equal(running, sums[STINT_RUNNING]);
}

static void
forget_apart(struct shop *s)
{
    for (unsigned q = 0; q < QUEUES; q++)
        for (unsigned p = 0; p < PRIORITIES; p++)
            for (unsigned i = 1; i <= s->levels[q][p].count; i++)
                s->levels[q][p].jobs[i].apart = false;
}

/* Writes the books and reads them again, as a restart does: what is kept apart is only in memory.
 */
static void
restart(struct shop *s)
{
    book_flush(&s->book);
    assert_int_equal(s->store->ops->commit(s->store), STINT_OK);
    s->store->ops->begin(s->store);
    book_fini(&s->book);
    book_init(&s->book, s->store, 5, 100, 100);
    assert_int_equal(book_load(&s->book), STINT_OK);
    forget_apart(s);
}

static void
do_something(struct shop *s)
{
    unsigned q = dice_roll(&s->dice, QUEUES), p = dice_roll(&s->dice, PRIORITIES);
    switch (dice_roll(&s->dice, 12)) {
    case 0:
    case 1:
    case 2:
        submit(s, q, p);
        break;
    case 3:
    case 4:
        take(s, q, p);
        break;
    case 5:
    case 6:
        take_kind(s, q, p, dice_roll(&s->dice, KINDS));
        break;
    case 7:
    case 8:
        end_run(s, q, p);
        break;
    case 9:
        become_due(s, q, p);
        break;
    case 10:
        turn_apart(s, q, p);
        break;
    default:
        forget_outcome(s, q, p);
        if (dice_once_in(&s->dice, 4))
            book_flush(&s->book);
        if (dice_once_in(&s->dice, 4))
            turn_order(s, q);
    }
}

static void
the_books_say_what_a_list_of_the_jobs_says(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        struct shop *s = calloc(1, sizeof *s);
        assert_non_null(s);
        s->dice.state = seed;
        s->store = store_model_new();
        s->store->ops->begin(s->store);
        book_init(&s->book, s->store, 5, 100, 100);
        for (unsigned k = 0; k < KINDS; k++) {
            struct slice name = text(kind_names[k]);
            s->sets[k] = kinds_get(&s->all_kinds, &name, 1);
        }
        for (unsigned n = 0; n < STEPS; n++) {
            do_something(s);
            if (n % 50 == 0)
                check(s);
            if (n % 1000 == 999)
                restart(s);
        }
        check(s);
        book_fini(&s->book);
        for (unsigned k = 0; k < KINDS; k++)
            assert_true(kinds_put(&s->all_kinds, s->sets[k]));
        s->store->ops->abort(s->store);
        s->store->ops->destroy(&s->store);
        free(s);
    }
}

/* ---- queues and levels ---- */

static struct book
new_book(uint32_t queues_max, uint32_t levels_max)
{
    struct book book;
    struct store *store = store_model_new();
    store->ops->begin(store);
    book_init(&book, store, 3, queues_max, levels_max);
    return book;
}

static void
end_book(struct book *book)
{
    struct store *store = book->store;
    book_fini(book);
    store->ops->destroy(&store);
}

static void
the_most_urgent_level_of_a_queue_stands_first_in_whatever_order_they_come(void **state)
{
    struct dice dice = {9};
    struct book book = new_book(1, 256);
    struct queue *q = book_queue_make(&book, text("q"));
    (void)state;
    for (unsigned i = 0; i < 600; i++) {
        uint8_t priority = (uint8_t)dice_roll(&dice, 256);
        struct level *level = book_level(&book, q, priority, true);
        assert_ptr_equal(book_level(&book, q, priority, false), level);
        assert_int_equal(level->priority, priority);
        assert_int_equal(level->next, 1);
    }
    assert_int_equal(book.levels, q->levels_count);
    for (uint32_t i = 1; i < q->levels_count; i++)
        assert_true(q->levels[i - 1]->priority > q->levels[i]->priority);
    end_book(&book);
}

static void
there_are_no_more_queues_and_levels_than_there_may_be(void **state)
{
    struct book book = new_book(2, 3);
    (void)state;
    struct queue *a = book_queue_make(&book, text("a")), *b = book_queue_make(&book, text("b"));
    assert_int_equal(a->number, 1);
    assert_int_equal(b->number, 2);
    assert_null(book_queue_make(&book, text("c")));
    assert_ptr_equal(book_queue_make(&book, text("a")), a); /* it is there */
    assert_null(book_queue(&book, text("c")));
    for (uint8_t i = 0; i < 3; i++)
        assert_non_null(book_level(&book, i % 2 ? a : b, i, true));
    assert_null(book_level(&book, a, 100, true));
    assert_non_null(book_level(&book, b, 0, true));
    assert_null(book_level(&book, a, 77, false));
    book_flush(&book);
    assert_true(book_queue_remove(&book, b));
    assert_int_equal(book.levels, 1);
    assert_int_equal(book_queue_make(&book, text("c"))->number, 3);
    end_book(&book);
}

static void
sixteen_names_are_expected_for_each_queue_that_there_may_be(void **state)
{
    struct book book = new_book(2, 9);
    struct queue *first = NULL;
    char name[16];
    (void)state;
    for (unsigned i = 0; i < 32; i++) {
        (void)snprintf(name, sizeof name, "n%u", i);
        struct queue *q = book_queue_expect(&book, text(name));
        assert_non_null(q);
        assert_int_equal(q->number, 0);
        assert_ptr_equal(book_queue_expect(&book, text(name)), q);
        assert_int_equal(q->key, i + 1);
        first = first ? first : q;
    }
    assert_null(book_queue_expect(&book, text("one-more")));
    assert_null(book_queue(&book, text("n0"))); /* nothing is in it yet */
    assert_int_equal(store_model_count(book.store, STORE_QUEUES), 0);
    assert_ptr_equal(book_queue_make(&book, text("n0")), first); /* who waits for it keeps it */
    assert_int_equal(first->number, 1);
    assert_int_equal(book.expected.count, 31);
    assert_int_equal(store_model_count(book.store, STORE_QUEUES), 1);
    assert_non_null(book_queue_expect(&book, text("one-more")));
    end_book(&book);
}

static void
only_ids_that_were_given_have_a_level(void **state)
{
    struct book book = new_book(9, 9);
    struct queue *q = book_queue_make(&book, text("q"));
    struct level *level = book_level(&book, q, 50, true);
    static const struct {
        uint16_t broker;
        uint32_t queue;
        uint8_t priority;
        uint64_t sequence;
        bool there;
    } ids[] = {{3, 1, 50, 1, true}, {3, 1, 50, 10, true}, {3, 1, 50, 0, false},
        {3, 1, 50, 11, false}, {3, 1, 50, UINT64_MAX, false}, {3, 1, 51, 1, false},
        {3, 2, 50, 1, false}, {3, 0, 50, 1, false}, {4, 1, 50, 1, false}, {0, 1, 50, 1, false}};
    (void)state;
    level->next = 11;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct stint_id id = id_make(ids[i].broker, ids[i].queue, ids[i].priority, ids[i].sequence);
        assert_ptr_equal(book_level_of(&book, &id), ids[i].there ? level : NULL);
        id.bytes[7] = 1;
        assert_null(book_level_of(&book, &id));
    }
    end_book(&book);
}

static void
a_queue_that_changed_in_this_step_stays(void **state)
{
    struct book book = new_book(9, 9);
    struct queue *q = book_queue_make(&book, text("q"));
    struct level *level = book_level(&book, q, 50, true);
    (void)state;
    level->next = 2;
    book_count(&book, level, STINT_UNKNOWN, STINT_READY);
    book_count(&book, level, STINT_READY, STINT_UNKNOWN);
    assert_false(book_queue_remove(&book, q));
    book_flush(&book);
    assert_int_equal(store_model_count(book.store, STORE_LEVELS), 1);
    assert_true(book_queue_remove(&book, q));
    assert_int_equal(store_model_count(book.store, STORE_LEVELS), 0);
    assert_int_equal(store_model_count(book.store, STORE_QUEUES), 0);
    assert_null(book_queue_by_number(&book, 1));
    assert_null(book_queue(&book, text("q")));
    assert_int_equal(book_queue_make(&book, text("q"))->number, 2);
    end_book(&book);
}

static void
one_who_only_asks_looks_at_a_few_rows_and_goes_on_behind_them_the_next_time(void **state)
{
    enum { RUNNING = 100, APART = 1000 };
    struct book book = new_book(1, 1);
    struct queue *q = book_queue_make(&book, text("q"));
    struct level *level = book_level(&book, q, 100, true);
    struct slice bytes;
    struct stint_id id, found;
    (void)state;
    level->next = (RUNNING + 1) * (uint64_t)APART;
    for (uint64_t n = 1; n <= RUNNING + 1; n++) { /* no two of them in a block */
        id = book_id(&book, level, n * APART);
        store_put(book.store, STORE_LIVE, (struct slice){id.bytes, STINT_ID_BYTES}, text("x"),
            (struct slice){0});
        book_count(&book, level, STINT_UNKNOWN, n <= RUNNING ? STINT_RUNNING : STINT_READY);
        if (n <= RUNNING)
            book_set_running(&book, &id);
    }
    assert_false(book_glance_ready(&book, level, &found, &bytes));
    assert_false(level->lost);
    assert_in_range(level->reach.head, APART, RUNNING * (uint64_t)APART);
    for (unsigned i = 0; i < 2; i++) { /* what is found stays where it is */
        assert_true(book_glance_ready(&book, level, &found, &bytes));
        assert_memory_equal(&found, &id, sizeof id);
    }
    assert_true(book_next_ready(&book, level, &found, &bytes));
    assert_memory_equal(&found, &id, sizeof id);
    end_book(&book);
}

/* Their second words are chosen so that whatever the first ones come to is undone. */
static void
names_that_were_made_to_have_one_hash_have_it_for_nobody_else(void **state)
{
    enum { WORDS = 3, MADE = 100 };
    unsigned same = 0;
    uint64_t first = 0, names[MADE][WORDS];
    (void)state;
    for (unsigned i = 0; i < MADE; i++) {
        names[i][0] = 7;
        names[i][1] = 1000 + i;
        uint64_t h = id_hash_word(id_hash_word(0, names[i][0]), names[i][1]);
        first = i == 0 ? h : first;
        names[i][2] = h ^ first;
        assert_int_equal(id_hash(names[i], sizeof names[i]), id_hash(names[0], sizeof names[0]));
    }
    ids_seed = 0x5eed5eed5eed5eed;
    for (unsigned i = 1; i < MADE; i++)
        same += id_hash(names[i], sizeof names[i]) == id_hash(names[0], sizeof names[0]);
    ids_seed = 0;
    assert_int_equal(same, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_books_say_what_a_list_of_the_jobs_says),
        cmocka_unit_test(the_most_urgent_level_of_a_queue_stands_first_in_whatever_order_they_come),
        cmocka_unit_test(there_are_no_more_queues_and_levels_than_there_may_be),
        cmocka_unit_test(
            one_who_only_asks_looks_at_a_few_rows_and_goes_on_behind_them_the_next_time),
        cmocka_unit_test(sixteen_names_are_expected_for_each_queue_that_there_may_be),
        cmocka_unit_test(only_ids_that_were_given_have_a_level),
        cmocka_unit_test(a_queue_that_changed_in_this_step_stays),
        cmocka_unit_test(names_that_were_made_to_have_one_hash_have_it_for_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
