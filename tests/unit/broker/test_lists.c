/* Lists told in pages: each filter tells what it says and nothing else, and what is there from the
 * first page to the last is told once, whatever comes and goes between the pages.
 */
#include "dice.h"
#include "job.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

enum { QUEUES = 3, KINDS = 2, MANY = 600 };

static const char *const queue_names[QUEUES] = {"one", "two", "three"};
static const char *const kind_names[KINDS] = {"red", "green"};

struct listed_job {
    struct stint_id id;
    unsigned queue, kind;
    enum stint_state state;
    unsigned told; /* how often */
    bool stays; /* nothing happens to it */
};

static struct listed_job jobs[2 * MANY];
static unsigned jobs_count;

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

/* ---- jobs ---- */

static void
submit(struct world *w, struct dice *dice, uint64_t number)
{
    struct listed_job *mine = &jobs[jobs_count++];
    struct job_spec job = world_job("x");
    uint32_t count;
    *mine = (struct listed_job){.queue = dice_roll(dice, QUEUES),
        .kind = dice_roll(dice, KINDS),
        .state = STINT_READY,
        .stays = !dice_once_in(dice, 3)};
    job.queue = text(queue_names[mine->queue]);
    job.kind = text(kind_names[mine->kind]);
    job.priority = (uint8_t)(100 + dice_roll(dice, 3));
    world_submit(w, 1, number, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_true(message_next_run(&w->arrays->answers[0], &mine->id, &count));
}

/* Puts the job into a state as the core's own moves do. */
static void
move(struct world *w, struct listed_job *mine, enum stint_state to)
{
    struct job job;
    w->store->ops->begin(w->store);
    assert_true(job_find(w->core, &mine->id, &job));
    if (job.place == PLACE_PARKED)
        job_unpark(w->core, &job);
    else if (job.place == PLACE_SETTLED && job.state != STINT_SUCCEEDED)
        job_revive(w->core, &job);
    if (to == STINT_SCHEDULED)
        job_park(w->core, &job, w->core->clocks.wall_ms + 3600000);
    else if (to != STINT_READY)
        job_settle(w->core, &job, to, (struct slice){0});
    book_flush(&w->core->book);
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
    mine->state = to;
}

static struct world *
world_with_jobs(struct dice *dice, unsigned count)
{
    static const enum stint_state states[] = {STINT_READY, STINT_READY, STINT_SCHEDULED,
        STINT_SUCCEEDED, STINT_DEAD, STINT_CANCELLED_JOB};
    struct world *w = world_new(NULL);
    jobs_count = 0;
    world_with_client(w);
    for (unsigned n = 1; n <= count; n++) {
        submit(w, dice, n);
        enum stint_state to = states[dice_roll(dice, sizeof states / sizeof *states)];
        if (to != STINT_READY)
            move(w, &jobs[jobs_count - 1], to);
    }
    return w;
}

/* Asks for a page; what is told is counted. Returns the cursor of the next one, or none. The ids of
 * a page rise within a table, so `*last` is held against each. */
static struct slice
next_page(struct world *w, const struct message *list)
{
    static uint8_t cursor[64];
    message_put_list(world_frame(w, 1), 7, list);
    message_put_ping(world_frame(w, 1), 8, WINDOW_UNCHANGED, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_JOBS));
    struct slice next = w->message.page.cursor;
    uint32_t count = w->message.count;
    assert_true(list->list.limit == 0 || count <= list->list.limit);
    assert_true(next.size < sizeof cursor);
    if (next.size)
        memcpy(cursor, next.data, next.size);
    for (uint32_t i = 0; i < count; i++) {
        unsigned j = 0;
        assert_true(message_next_job(w->arrays));
        while (j < jobs_count && memcmp(&jobs[j].id, &w->arrays->info.id, STINT_ID_BYTES) != 0)
            j++;
        assert_true(j < jobs_count);
        assert_int_equal(w->arrays->info.state, jobs[j].state);
        assert_string_equal(w->arrays->info.queue, queue_names[jobs[j].queue]);
        assert_string_equal(w->arrays->info.kind, kind_names[jobs[j].kind]);
        jobs[j].told++;
    }
    return (struct slice){cursor, next.size};
}

static bool
is_wanted(const struct listed_job *job, const struct message *list)
{
    uint32_t states = list->list.states ? list->list.states : STINT_STATES_ALL;
    const char *queue = queue_names[job->queue], *kind = kind_names[job->kind];
    return (states >> job->state & 1) != 0 &&
        (list->list.queue.size == 0 || list->list.queue.data == (const uint8_t *)queue) &&
        (list->list.kind.size == 0 || list->list.kind.data == (const uint8_t *)kind);
}

static void
forget_told(void)
{
    for (unsigned i = 0; i < jobs_count; i++)
        jobs[i].told = 0;
}

static void
every_filter_tells_all_that_it_names_and_nothing_else(void **state)
{
    static const uint32_t limits[] = {0, 1, 7, 1000, 5000};
    struct dice dice = {3};
    struct world *w = world_with_jobs(&dice, 120);
    (void)state;
    for (uint32_t states = 0; states <= STINT_STATES_ALL; states += 2)
        for (unsigned q = 0; q <= QUEUES; q++) {
            unsigned k = dice_roll(&dice, KINDS + 1);
            uint32_t limit = limits[dice_roll(&dice, sizeof limits / sizeof *limits)];
            struct message list = {
                .list = {.states = states, .limit = states % 16 == 0 ? limit : 50}};
            if (q < QUEUES)
                list.list.queue = text(queue_names[q]);
            if (k < KINDS)
                list.list.kind = text(kind_names[k]);
            forget_told();
            do
                list.list.cursor = next_page(w, &list);
            while (list.list.cursor.size);
            for (unsigned i = 0; i < jobs_count; i++)
                assert_int_equal(jobs[i].told, is_wanted(&jobs[i], &list));
        }
    world_destroy(&w);
}

static void
what_stays_is_told_once_while_others_come_move_and_go(void **state)
{
    static const enum stint_state states[] = {
        STINT_READY, STINT_SCHEDULED, STINT_DEAD, STINT_CANCELLED_JOB};
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct dice dice = {seed};
        struct world *w = world_with_jobs(&dice, MANY / 4);
        struct message list = {.list = {.limit = 1 + dice_roll(&dice, 12)}};
        unsigned old = jobs_count, pages = 0;
        do {
            list.list.cursor = next_page(w, &list);
            for (unsigned n = dice_roll(&dice, 3); n > 0; n--)
                submit(w, &dice, jobs_count + 1);
            for (unsigned n = dice_roll(&dice, 5); n > 0; n--) {
                struct listed_job *job = &jobs[dice_roll(&dice, jobs_count)];
                if (!job->stays && job->state != STINT_SUCCEEDED)
                    move(w, job, states[dice_roll(&dice, 4)]);
            }
        } while (list.list.cursor.size && ++pages < MANY);
        assert_in_range(pages, 3, MANY - 1);
        for (unsigned i = 0; i < jobs_count; i++)
            if (jobs[i].stays)
                assert_in_range(jobs[i].told, i < old ? 1 : 0, 1);
        world_destroy(&w);
    }
}

/* ---- cursors that no list gave ---- */

static void
a_cursor_that_no_list_gave_is_refused_and_one_beyond_the_end_ends_it(void **state)
{
    static const struct {
        enum message_type list;
        size_t size;
        uint8_t first;
        bool good;
    } cases[] = {{MESSAGE_LIST, 17, 1, true}, {MESSAGE_LIST, 17, 3, true},
        {MESSAGE_LIST, 17, 0, false}, {MESSAGE_LIST, 17, 4, false}, {MESSAGE_LIST, 17, 255, false},
        {MESSAGE_LIST, 1, 1, false}, {MESSAGE_LIST, 16, 1, false}, {MESSAGE_LIST, 18, 1, false},
        {MESSAGE_LIST_QUEUES, 9, 0, true}, {MESSAGE_LIST_QUEUES, 9, 1, true},
        {MESSAGE_LIST_QUEUES, 9, 2, false}, {MESSAGE_LIST_QUEUES, 8, 0, false},
        {MESSAGE_LIST_QUEUES, 10, 0, false}, {MESSAGE_LIST_WORKERS, 9, 0, true},
        {MESSAGE_LIST_WORKERS, 9, 9, false}, {MESSAGE_LIST_WORKERS, 1, 0, false}};
    struct dice dice = {3};
    struct world *w = world_with_jobs(&dice, 20);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[32];
        memset(bytes, 0xff, sizeof bytes); /* what it names stands behind all others */
        bytes[0] = cases[i].first;
        struct message list = {.list = {.cursor = {bytes, cases[i].size}, .states = 2}};
        if (cases[i].list == MESSAGE_LIST)
            message_put_list(world_frame(w, 1), 7, &list);
        else
            message_put_page(world_frame(w, 1), cases[i].list, 7, list.list.cursor);
        assert_int_equal(world_step(w, 0), STINT_OK);
        const struct message *m = world_read(w, 1, MESSAGE_ERROR);
        assert_int_equal(m == NULL, cases[i].good);
        if (m) {
            assert_int_equal(m->error.status, STINT_INVALID);
            continue;
        }
        enum message_type answer = cases[i].list == MESSAGE_LIST ? MESSAGE_JOBS
            : cases[i].list == MESSAGE_LIST_QUEUES               ? MESSAGE_QUEUES
                                                                 : MESSAGE_WORKERS;
        m = world_read(w, 1, answer);
        assert_non_null(m);
        assert_int_equal(m->count, 0);
        assert_int_equal(m->page.cursor.size, 0);
    }
    world_destroy(&w);
}

static void
a_queue_that_nothing_was_ever_put_into_is_not_there(void **state)
{
    struct dice dice = {3};
    struct world *w = world_with_jobs(&dice, 2);
    struct message list = {.list = {.queue = text("never")}};
    (void)state;
    message_put_list(world_frame(w, 1), 7, &list);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_NO_SUCH_QUEUE);
    world_destroy(&w);
}

/* ---- workers, and the queues that they wait at ---- */

enum { FLEET = 200 };

static unsigned told[FLEET];

/* Worker n serves a queue of its own, in which nothing is. */
static void
join(struct world *w, unsigned n)
{
    char name[16];
    (void)snprintf(name, sizeof name, "w-%u", n);
    struct slice queue = text(name);
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .name = queue,
        .software = text("test"),
        .slots = 1,
        .window = 1,
        .queues = 1};
    h.session[0] = 7;
    h.session[1] = (uint8_t)n;
    message_put_hello(world_frame(w, 10 + n), &h, &queue, NULL, NULL);
    world_claim(w, 10 + n, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 10 + n, MESSAGE_CLAIMED));
}

static void
leave(struct world *w, unsigned n)
{
    message_put_numbered(world_frame(w, 10 + n), MESSAGE_BYE, 9);
    assert_int_equal(world_step(w, 1000), STINT_OK); /* its queue goes, too */
}

static struct slice
next_names(struct world *w, enum message_type list, struct slice from)
{
    static uint8_t cursor[16];
    bool of_queues = list == MESSAGE_LIST_QUEUES;
    message_put_page(world_frame(w, 1), list, 7, from);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, of_queues ? MESSAGE_QUEUES : MESSAGE_WORKERS));
    struct slice next = w->message.page.cursor;
    uint32_t count = w->message.count;
    if (next.size)
        memcpy(cursor, next.data, next.size);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(of_queues ? message_next_queue(w->arrays) : message_next_worker(w->arrays));
        const char *name = of_queues ? w->arrays->queue_info.name : w->arrays->worker_info.name;
        unsigned n = (unsigned)strtoul(name + 2, NULL, 10);
        assert_true(n < FLEET);
        told[n]++;
    }
    return (struct slice){cursor, next.size};
}

/* Of the first half of the fleet each third leaves between the pages; the second half comes. */
static void
list_a_fleet(enum message_type list)
{
    struct core_options options;
    struct slice cursor = {0};
    unsigned leaves = 0, comes = FLEET / 2, pages = 0;
    core_options_init(&options);
    options.message_bytes = 4 << 10; /* pages of half a KiB */
    options.lost_ms = 3600000;
    struct world *w = world_new(&options);
    memset(told, 0, sizeof told);
    world_with_client(w);
    for (unsigned n = 0; n < FLEET / 2; n++)
        join(w, n);
    do {
        cursor = next_names(w, list, cursor);
        pages++;
        for (unsigned n = 0; n < 12 && leaves < FLEET / 2; n++, leaves += 3)
            leave(w, leaves);
        for (unsigned n = 0; n < 12 && comes < FLEET; n++)
            join(w, comes++);
    } while (cursor.size);
    assert_true(pages > 3);
    for (unsigned n = 0; n < FLEET; n++)
        assert_in_range(told[n], n < FLEET / 2 && n % 3 != 0 ? 1 : 0, 1);
    world_destroy(&w);
}

static void
a_fleet_is_told_once_while_workers_come_and_go(void **state)
{
    (void)state;
    list_a_fleet(MESSAGE_LIST_WORKERS);
    list_a_fleet(MESSAGE_LIST_QUEUES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_filter_tells_all_that_it_names_and_nothing_else),
        cmocka_unit_test(what_stays_is_told_once_while_others_come_move_and_go),
        cmocka_unit_test(a_cursor_that_no_list_gave_is_refused_and_one_beyond_the_end_ends_it),
        cmocka_unit_test(a_queue_that_nothing_was_ever_put_into_is_not_there),
        cmocka_unit_test(a_fleet_is_told_once_while_workers_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
