/* Queues come by their first job and go when nothing is left of them; lists come in pages; and no
 * message is larger than a message may be. */
#include "world.h"

#include <stdlib.h>

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static struct job_spec
job_in(const char *queue)
{
    struct job_spec job = world_job("");
    job.queue = text(queue);
    return job;
}

/* Submits as client 1 and tells the status; the first id is in `*id`. */
static enum stint_status
submit(struct world *w, uint64_t number, const struct job_spec *jobs, uint32_t count,
    struct stint_id *id)
{
    uint32_t run;
    world_submit(w, 1, number, jobs, count);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    if (w->arrays->answers[0].status == STINT_OK && id)
        assert_true(message_next_run(&w->arrays->answers[0], id, &run));
    return w->arrays->answers[0].status;
}

static void
hello_serving(struct world *w, uint32_t peer, const struct slice *queues, uint32_t count)
{
    struct hello h = {.role = ROLE_WORKER,
        .version_min = 1,
        .version_max = 1,
        .slots = 1,
        .window = 1,
        .queues = count,
        .name = text("worker"),
        .software = text("test")};
    memset(h.session, (int)(peer & 0xff), sizeof h.session);
    h.session[0] = (uint8_t)(peer >> 8 | 1);
    message_put_hello(world_frame(w, peer), &h, queues, NULL, NULL);
    world_claim(w, peer, NULL, 0);
}

static void
a_queue_that_is_only_served_or_watched_is_not_stored(void **state)
{
    struct core_options options;
    (void)state;
    core_options_init(&options);
    options.max.queues = 1;
    struct world *w = world_new(&options);
    struct slice names[] = {text("one"), text("two"), text("three")};
    struct job_spec job = job_in("two");
    world_with_client(w);
    hello_serving(w, 2, names, 3);
    message_put_subscribe(world_frame(w, 1), 9, text("two"), 0, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 2, MESSAGE_WELCOME));
    assert_int_equal(store_model_count(w->store, STORE_QUEUES), 0);
    assert_int_equal(submit(w, 1, &job, 1, NULL), STINT_OK);
    assert_int_equal(store_model_count(w->store, STORE_QUEUES), 1);
    assert_non_null(world_read(w, 2, MESSAGE_DISPATCH)); /* it was served all along */
    assert_non_null(world_read(w, 1, MESSAGE_EVENTS));
    job = job_in("one");
    assert_int_equal(submit(w, 2, &job, 1, NULL), STINT_TOO_MANY);
    world_destroy(&w);
}

static void
hellos_do_not_use_up_the_queues(void **state)
{
    enum { WORKERS = 40 };
    static char names[LIMIT_QUEUES_SERVED][16];
    struct slice slices[LIMIT_QUEUES_SERVED];
    struct core_options options;
    struct job_spec job = job_in("mine");
    (void)state;
    core_options_init(&options);
    options.max.queues = 100;
    struct world *w = world_new(&options);
    world_with_client(w);
    bool refused = false;
    for (uint32_t n = 0; n < WORKERS; n++) {
        for (unsigned i = 0; i < LIMIT_QUEUES_SERVED; i++) {
            (void)strcpy(names[i], "n-aa-bbb");
            names[i][2] = (char)('A' + n / 26);
            names[i][3] = (char)('A' + n % 26);
            names[i][5] = (char)('A' + i / 26);
            names[i][6] = (char)('A' + i % 26);
            slices[i] = text(names[i]);
        }
        hello_serving(w, 10 + n, slices, LIMIT_QUEUES_SERVED);
        assert_int_equal(world_step(w, 0), STINT_OK);
        if (world_read(w, 10 + n, MESSAGE_ERROR)) {
            assert_int_equal(w->message.error.status, STINT_TOO_MANY);
            refused = true;
        }
    }
    assert_true(refused); /* what is in memory has a bound, too */
    assert_int_equal(submit(w, 1, &job, 1, NULL), STINT_OK);
    /* When they are gone, so are the names. */
    for (uint32_t n = 0; n < WORKERS; n++)
        world_gone(w, 10 + n);
    for (unsigned s = 0; s < 30; s++)
        assert_int_equal(world_step(w, 1000), STINT_OK);
    world_with_client(w);
    hello_serving(w, 900, slices, LIMIT_QUEUES_SERVED);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 900, MESSAGE_WELCOME));
    world_destroy(&w);
}

static void
pass(struct world *w, uint64_t ms)
{
    for (; ms > 0; ms -= 30000) {
        message_put_ping(world_frame(w, 1), 1, WINDOW_UNCHANGED, 0);
        assert_int_equal(world_step(w, 30000), STINT_OK);
    }
}

static void
an_empty_queue_goes_and_its_number_is_not_used_again(void **state)
{
    struct core_options options;
    (void)state;
    core_options_init(&options);
    options.max.queues = 2;
    options.keep_ms = 0;
    struct world *w = world_new(&options);
    struct stint_id first, second, third, again;
    struct job_spec job = job_in("a-run");
    job.keep_ms = 0;
    world_with_client(w);
    hello_serving(w, 2, &job.queue, 1);
    assert_int_equal(submit(w, 1, &job, 1, &first), STINT_OK);
    world_settle(w, 2, 1, first, 1, OUTCOME_SUCCEEDED, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
    pass(w, 1200000);
    assert_int_equal(store_model_count(w->store, STORE_QUEUES), 0);
    assert_int_equal(store_model_count(w->store, STORE_LEVELS), 0);
    struct job_spec other = job_in("another-run");
    assert_int_equal(submit(w, 2, &other, 1, &second), STINT_OK);
    assert_int_not_equal(id_queue(&first), id_queue(&second));
    assert_int_equal(submit(w, 3, &job, 1, &third), STINT_OK);
    assert_int_not_equal(id_queue(&first), id_queue(&third));
    /* Whose answer was lost is told its first ids, although its queue went and is another one. */
    assert_int_equal(submit(w, 1, &job, 1, &again), STINT_OK);
    assert_memory_equal(&again, &first, sizeof again);
    world_destroy(&w);
}

static void
the_last_number_is_remembered_when_its_queue_went_and_the_broker_restarted(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_id first, second;
    struct job_spec job = job_in("a-run");
    job.keep_ms = 0;
    (void)state;
    world_with_client(w);
    hello_serving(w, 2, &job.queue, 1);
    assert_int_equal(submit(w, 1, &job, 1, &first), STINT_OK);
    world_settle(w, 2, 1, first, 1, OUTCOME_SUCCEEDED, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
    pass(w, 1200000);
    assert_int_equal(store_model_count(w->store, STORE_QUEUES), 0);
    world_restart(w);
    world_with_client(w);
    assert_int_equal(submit(w, 2, &job, 1, &second), STINT_OK);
    assert_true(id_queue(&second) > id_queue(&first));
    struct verify_report report = {0};
    core_destroy(&w->core);
    core_verify(w->store, 0, &report);
    assert_int_equal(report.problems, 0);
    world_destroy(&w);
}

static void
a_queue_stays_while_anything_is_left_of_it(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_id id;
    struct job_spec kept = job_in("kept"), waiting = job_in("waiting"), watched = job_in("watched");
    (void)state;
    world_with_client(w);
    hello_serving(w, 2, (struct slice[]){kept.queue, watched.queue}, 2);
    assert_int_equal(submit(w, 1, &kept, 1, &id), STINT_OK);
    world_settle(w, 2, 1, id, 1, OUTCOME_SUCCEEDED, "");
    assert_int_equal(submit(w, 2, &waiting, 1, NULL), STINT_OK);
    watched.keep_ms = 0;
    assert_int_equal(submit(w, 3, &watched, 1, &id), STINT_OK);
    world_settle(w, 2, 2, id, 1, OUTCOME_SUCCEEDED, "");
    message_put_subscribe(world_frame(w, 1), 9, watched.queue, 0, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    pass(w, 1800000);
    assert_int_equal(store_model_count(w->store, STORE_QUEUES), 3);
    message_put_numbered(world_frame(w, 1), MESSAGE_UNSUBSCRIBE, 9);
    pass(w, 1800000);
    assert_int_equal(store_model_count(w->store, STORE_QUEUES), 2);
    world_destroy(&w);
}

static void
each_limit_of_queues_is_called_by_its_name(void **state)
{
    struct core_options options;
    (void)state;
    core_options_init(&options);
    options.max.levels = 2;
    struct world *w = world_new(&options);
    struct job_spec jobs[3] = {world_job("a"), world_job("b"), world_job("c")};
    for (uint8_t i = 0; i < 3; i++)
        jobs[i].priority = i;
    world_with_client(w);
    assert_int_equal(submit(w, 1, jobs, 3, NULL), STINT_TOO_MANY);
    assert_non_null(memmem(
        w->arrays->answers[0].detail.data, w->arrays->answers[0].detail.size, "priorities", 10));
    assert_null(memmem(
        w->arrays->answers[0].detail.data, w->arrays->answers[0].detail.size, "queues-max", 10));
    assert_int_equal(submit(w, 1, jobs, 2, NULL), STINT_OK);
    world_destroy(&w);
}

static void
names_of(char (*names)[12], struct job_spec *jobs, uint32_t count, char letter)
{
    for (uint32_t i = 0; i < count; i++) {
        (void)strcpy(names[i], "q-00000");
        names[i][0] = letter;
        for (uint32_t d = 0, n = i; d < 5; d++, n /= 10)
            names[i][6 - d] = (char)('0' + n % 10);
        jobs[i] = job_in(names[i]);
    }
}

static void
lists_of_queues_are_told_to_their_end_in_pages(void **state)
{
    static char names[2][LIMIT_JOBS][12];
    static struct job_spec jobs[LIMIT_JOBS];
    struct world *w = world_new(NULL);
    uint8_t cursor[16];
    struct slice at = {0};
    uint32_t told = 0, last = 0, pages = 0;
    (void)state;
    world_with_client(w);
    for (uint32_t n = 0; n < 2; n++) {
        names_of(names[n], jobs, LIMIT_JOBS, (char)('a' + n));
        assert_int_equal(submit(w, n + 1, jobs, LIMIT_JOBS, NULL), STINT_OK);
    }
    hello_serving(w, 2, (struct slice[]){text("empty"), text("none")}, 2);
    do {
        message_put_page(world_frame(w, 1), MESSAGE_LIST_QUEUES, 7, at);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, 1, MESSAGE_QUEUES));
        for (uint32_t i = 0; i < w->message.count; i++, told++) {
            assert_true(message_next_queue(w->arrays));
            assert_true(w->arrays->queue_info.number == 0 || w->arrays->queue_info.number > last);
            last = w->arrays->queue_info.number ? w->arrays->queue_info.number : last;
        }
        at = w->message.page.cursor;
        assert_true(at.size <= sizeof cursor);
        if (at.size)
            memcpy(cursor, at.data, at.size);
        at.data = cursor;
        pages++;
    } while (at.size > 0);
    assert_int_equal(told, 2 * LIMIT_JOBS + 2);
    assert_in_range(pages, 3, 10);
    message_put_page(world_frame(w, 1), MESSAGE_LIST_QUEUES, 8, text("rubbish"));
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_INVALID);
    world_destroy(&w);
}

static void
lists_of_workers_are_told_to_their_end_in_pages(void **state)
{
    enum { WORKERS = 5000, A_STEP = 100 };
    static char seen[WORKERS];
    struct world *w = world_new(NULL);
    uint8_t cursor[16];
    struct slice at = {0};
    uint32_t told = 0, pages = 0;
    (void)state;
    world_with_client(w);
    for (uint32_t n = 0; n < WORKERS; n += A_STEP) {
        for (uint32_t i = n; i < n + A_STEP; i++) {
            struct hello h = {.role = ROLE_WORKER, .version_min = 1, .version_max = 1, .slots = 1};
            memcpy(h.session, &(uint32_t){i + 1}, 4);
            h.session[15] = 1;
            h.window = i;
            message_put_hello(world_frame(w, 10 + i), &h, NULL, NULL, NULL);
        }
        assert_int_equal(world_step(w, 0), STINT_OK);
    }
    do {
        message_put_page(world_frame(w, 1), MESSAGE_LIST_WORKERS, 7, at);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, 1, MESSAGE_WORKERS));
        for (uint32_t i = 0; i < w->message.count; i++, told++) {
            assert_true(message_next_worker(w->arrays));
            assert_int_equal(seen[w->arrays->worker_info.window]++, 0);
        }
        at = w->message.page.cursor;
        if (at.size)
            memcpy(cursor, at.data, at.size);
        at.data = cursor;
        pages++;
    } while (at.size > 0);
    assert_int_equal(told, WORKERS);
    assert_in_range(pages, 2, 10);
    world_destroy(&w);
}

static struct job_spec *
alternating(uint32_t count)
{
    struct job_spec *jobs = calloc(count, sizeof *jobs);
    assert_non_null(jobs);
    for (uint32_t i = 0; i < count; i++) {
        jobs[i] = world_job("");
        jobs[i].priority = (uint8_t)(i % 2);
    }
    return jobs;
}

static void
answers_in_which_no_ids_are_neighbours_are_cut_into_messages(void **state)
{
    enum { MESSAGES = 100, STORED = 4 };
    struct world *w = world_new(NULL);
    struct job_spec *jobs = alternating(LIMIT_JOBS);
    size_t frames = 0, answers = 0, largest = 0;
    (void)state;
    world_with_client(w);
    for (unsigned resent = 0; resent < 2; resent++) {
        for (uint64_t n = 1; n <= MESSAGES; n++)
            world_submit(w, 1, n < STORED ? n : STORED, jobs, LIMIT_JOBS); /* again and again */
        assert_int_equal(world_step(w, 0), STINT_OK);
        for (size_t i = 0; i < w->out.count; i++) {
            const char *why;
            struct slice frame = outbox_frame(&w->out, i);
            assert_int_equal(
                message_decode(frame.data, frame.size, &w->message, w->arrays, &why), STINT_OK);
            assert_int_equal(w->message.type, MESSAGE_SUBMITTED);
            for (uint32_t a = 0; a < w->message.count; a++)
                assert_int_equal(w->arrays->answers[a].count, LIMIT_JOBS);
            answers += w->message.count;
            frames++;
            largest = frame.size > largest ? frame.size : largest;
        }
    }
    assert_int_equal(answers, 2 * MESSAGES);
    assert_in_range(frames, 10, 40);
    assert_in_range(largest, 1 << 20, 2 << 20);
    free(jobs);
    world_destroy(&w);
}

static void
jobs_of_many_queues_and_priorities_mixed_get_the_same_ids_again(void **state)
{
    enum { QUEUES = 512 };
    static char names[QUEUES][12];
    static struct job_spec jobs[LIMIT_JOBS];
    static struct stint_id ids[LIMIT_JOBS];
    struct world *w = world_new(NULL);
    uint32_t at = 0;
    (void)state;
    names_of(names, jobs, QUEUES, 'q');
    for (uint32_t i = QUEUES; i < LIMIT_JOBS; i++) {
        jobs[i] = jobs[i * 7 % QUEUES];
        jobs[i].priority = (uint8_t)(i * 13 % 5);
    }
    world_with_client(w);
    for (unsigned round = 0; round < 2; round++) {
        struct stint_id first;
        uint32_t count;
        world_submit(w, 1, 1, jobs, LIMIT_JOBS);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
        assert_int_equal(w->arrays->answers[0].status, STINT_OK);
        struct answer *a = &w->arrays->answers[0];
        at = 0;
        for (uint32_t r = 0; r < a->count; r++) {
            assert_true(message_next_run(a, &first, &count));
            for (uint32_t i = 0; i < count; i++, at++) {
                struct stint_id id = id_plus(first, i);
                if (round == 0)
                    ids[at] = id;
                assert_memory_equal(&id, &ids[at], sizeof id);
            }
        }
        assert_int_equal(at, LIMIT_JOBS);
        world_restart(w);
        world_with_client(w);
    }
    world_destroy(&w);
}

static void
a_question_about_many_jobs_with_long_errors_and_bodies_is_answered_in_one_message(void **state)
{
    static struct stint_id ids[LIMIT_JOBS];
    static char error[1001], payload[1201];
    struct world *w = world_new(NULL);
    uint32_t told = 0, bodies = 0;
    (void)state;
    memset(error, 'e', 1000);
    memset(payload, 'p', 1200);
    world_with_client(w);
    world_hello_worker(w, 2, 2, LIMIT_JOBS);
    world_claim(w, 2, NULL, 0);
    struct job_spec *jobs = alternating(LIMIT_JOBS);
    for (uint32_t i = 0; i < LIMIT_JOBS; i++) {
        jobs[i].payload = text(payload);
        jobs[i].queue = text("default");
    }
    world_submit(w, 1, 1, jobs, LIMIT_JOBS);
    assert_int_equal(world_step(w, 0), STINT_OK);
    for (size_t i = 0; i < w->out.count; i++) {
        const char *why;
        struct slice frame = outbox_frame(&w->out, i);
        assert_int_equal(
            message_decode(frame.data, frame.size, &w->message, w->arrays, &why), STINT_OK);
        for (uint32_t j = 0; w->message.type == MESSAGE_DISPATCH && j < w->message.count; j++)
            ids[told++] = w->arrays->dispatched[j].id;
    }
    assert_int_equal(told, LIMIT_JOBS);
    for (uint32_t i = 0; i < LIMIT_JOBS; i++) {
        world_settle(w, 2, i + 1, ids[i], 1, OUTCOME_DEAD, error);
        if (i % 200 == 199 || i == LIMIT_JOBS - 1)
            assert_int_equal(world_step(w, 0), STINT_OK);
    }
    message_put_ids(world_frame(w, 1), MESSAGE_GET, 1, ids, LIMIT_JOBS, PART_PAYLOAD | PART_RESULT);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_JOBS));
    assert_int_equal(w->message.count, LIMIT_JOBS);
    assert_in_range(w->out.bytes.used, 4 << 20, LIMIT_MESSAGE_BYTES);
    for (uint32_t i = 0; i < LIMIT_JOBS; i++) {
        assert_true(message_next_job(w->arrays));
        assert_int_equal(w->arrays->info.state, STINT_DEAD);
        assert_int_equal(w->arrays->info.payload_bytes, 1200);
        bodies += w->arrays->info.payload != NULL;
    }
    assert_in_range(bodies, 100, LIMIT_JOBS - 1); /* who wants the others asks for fewer */
    free(jobs);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_that_is_only_served_or_watched_is_not_stored),
        cmocka_unit_test(hellos_do_not_use_up_the_queues),
        cmocka_unit_test(an_empty_queue_goes_and_its_number_is_not_used_again),
        cmocka_unit_test(
            the_last_number_is_remembered_when_its_queue_went_and_the_broker_restarted),
        cmocka_unit_test(a_queue_stays_while_anything_is_left_of_it),
        cmocka_unit_test(each_limit_of_queues_is_called_by_its_name),
        cmocka_unit_test(lists_of_queues_are_told_to_their_end_in_pages),
        cmocka_unit_test(lists_of_workers_are_told_to_their_end_in_pages),
        cmocka_unit_test(answers_in_which_no_ids_are_neighbours_are_cut_into_messages),
        cmocka_unit_test(jobs_of_many_queues_and_priorities_mixed_get_the_same_ids_again),
        cmocka_unit_test(
            a_question_about_many_jobs_with_long_errors_and_bodies_is_answered_in_one_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
