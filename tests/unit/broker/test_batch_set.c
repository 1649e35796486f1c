/* Batches as people make, change, cancel and wait for them, and when they are forgotten. */
#include "batch_rows.h"
#include "batched.h"
#include "filter.h"

enum { B = 77, MANY = 1500 };

static bool
make_titled(struct world *w, uint64_t batch, const char *title, uint64_t keep_ms)
{
    return set_batch(w,
        (struct batch_request){
            .action = BATCH_NEW, .batch = batch, .title = slice_of(title), .keep_ms = keep_ms});
}

static void
it_is_told_as_it_was_made(void **state)
{
    struct world *w = batch_world(0);
    (void)state;
    assert_true(make_titled(w, B, "invoices of May", 5000));
    struct stint_batch_info info = batch_now(w, B);
    assert_string_equal(info.title, "invoices of May");
    assert_string_equal(info.queue, "default");
    assert_int_equal(info.keep_ms, 5000);
    assert_false(info.has_success || info.has_always || info.cancelled);
    assert_int_equal(info.state, STINT_BATCH_OPEN);
    finish(w);
}

static void
the_same_new_again_makes_no_second_one(void **state)
{
    struct world *w = batch_world(0);
    (void)state;
    assert_true(make_titled(w, B, "x", 5000));
    (void)add_job(w, B);
    assert_true(make_titled(w, B, "x", 5000));
    assert_int_equal(w->arrays->items.batch.counts.jobs, 1);
    world_hello_client(w, 1, 9); /* another session */
    step(w, 0);
    assert_false(make_titled(w, B, "x", 5000));
    assert_int_equal(refused(w), STINT_CONFLICT);
    finish(w);
}

static void
what_is_given_is_changed(void **state)
{
    struct world *w = batch_world(0);
    struct pack_buffer b = {0};
    (void)state;
    assert_true(make_titled(w, B, "x", 5000));
    assert_true(set_batch(w,
        (struct batch_request){.action = BATCH_CHANGE,
            .batch = B,
            .keep_ms = KEEP_DEFAULT,
            .always = job_bytes(&b, "tidy up")}));
    struct stint_batch_info info = batch_now(w, B);
    assert_string_equal(info.title, "x");
    assert_int_equal(info.keep_ms, 5000);
    assert_true(info.has_always && !info.has_success);
    assert_true(act(w, BATCH_CLOSE, B));
    assert_int_equal(jobs_made(w), 1);
    assert_false(set_batch(w,
        (struct batch_request){.action = BATCH_CHANGE,
            .batch = B,
            .keep_ms = KEEP_DEFAULT,
            .success = job_bytes(&b, "late")}));
    assert_int_equal(refused(w), STINT_BATCH_OVER);
    assert_true(set_batch(w,
        (struct batch_request){
            .action = BATCH_CHANGE, .batch = B, .title = slice_of("y"), .keep_ms = 100}));
    assert_string_equal(batch_now(w, B).title, "y");
    pack_buffer_free(&b);
    finish(w);
}

static void
one_that_is_not_there_is_none(void **state)
{
    struct world *w = batch_world(0);
    (void)state;
    for (enum batch_action a = BATCH_CHANGE; a <= BATCH_CANCEL; a++) {
        assert_false(act(w, a, B));
        assert_int_equal(refused(w), STINT_NO_SUCH_BATCH);
    }
    message_put_list_batches(world_frame(w, 1), MESSAGE_WAIT_BATCH, ++number, B, (struct slice){0});
    assert_false(answered(w));
    assert_int_equal(refused(w), STINT_NO_SUCH_BATCH);
    finish(w);
}

static void
a_cancel_ends_all_its_jobs_and_lets_none_in(void **state)
{
    struct world *w = batch_world(4);
    struct job_spec like = batch_job(B, "one of many"), more = batch_job(B, "more");
    struct stint_id id;
    (void)state;
    make_batch(w, B);
    for (unsigned n = 0; n < 3; n++)
        world_submit_many(w, 1, ++submission, &like, MANY / 3);
    assert_true(act(w, BATCH_CANCEL, B));
    assert_true(w->arrays->items.batch.cancelled);
    assert_int_equal(submit(w, &more, 1, &id), STINT_BATCH_OVER);
    assert_int_equal(batch_now(w, B).state, STINT_BATCH_CLOSED); /* it takes more than a step */
    waiting_verify(w);
    world_restart(w);
    world_hello_client(w, 1, 1);
    for (unsigned n = 0; n < 6; n++) {
        assert_int_equal(core_idle_ms(w->core), 0);
        step(w, 1);
        if (batch_now(w, B).state == STINT_BATCH_SETTLED)
            break;
    }
    assert_counts(w, B, (struct stint_batch_counts){.jobs = MANY, .cancelled = MANY});
    struct stint_batch_info info = batch_now(w, B);
    assert_true(is_none(&info.success_id));
    assert_false(is_none(&info.always_id));
    finish(w);
}

static void
a_cancelled_one_makes_no_job_for_success(void **state)
{
    struct world *w = batch_world(1);
    (void)state;
    make_batch(w, B);
    settle(w, add_job(w, B), 1, OUTCOME_SUCCEEDED);
    assert_true(act(w, BATCH_CANCEL, B));
    struct stint_batch_info info = batch_now(w, B);
    assert_int_equal(info.state, STINT_BATCH_SETTLED);
    assert_true(is_none(&info.success_id));
    assert_false(is_none(&info.always_id));
    finish(w);
}

static void
put_wait(struct world *w, uint64_t request, uint64_t batch)
{
    message_put_list_batches(
        world_frame(w, 1), MESSAGE_WAIT_BATCH, request, batch, (struct slice){0});
}

static void
who_waits_is_told_when_it_is_over(void **state)
{
    struct world *w = batch_world(1);
    (void)state;
    make_batch(w, B);
    struct stint_id a = add_job(w, B);
    put_wait(w, 7, B);
    put_wait(w, 7, B); /* sent again */
    step(w, 0);
    assert_int_equal(world_count(w, 1, MESSAGE_BATCHES), 0);
    message_put_set_batch(world_frame(w, 1), 8,
        &(struct batch_request){.action = BATCH_CLOSE, .batch = B, .keep_ms = KEEP_DEFAULT});
    step(w, 0);
    assert_int_equal(world_count(w, 1, MESSAGE_BATCHES), 1); /* the answer to that */
    settle(w, a, 1, OUTCOME_SUCCEEDED);
    assert_int_equal(world_count(w, 1, MESSAGE_BATCHES), 1);
    assert_non_null(world_read(w, 1, MESSAGE_BATCHES));
    assert_int_equal(w->message.number, 7);
    assert_true(message_next_batch(w->arrays));
    assert_int_equal(w->arrays->items.batch.counts.succeeded, 1);
    assert_false(is_none(&w->arrays->items.batch.success_id));
    put_wait(w, 9, B); /* at once */
    assert_true(answered(w));
    finish(w);
}

static void
a_connection_waits_for_so_many(void **state)
{
    struct world *w = batch_world(0);
    (void)state;
    for (uint64_t n = 0; n <= LIMIT_BATCH_WAITS; n++)
        assert_true(make_titled(w, B + n, "x", 5000));
    for (uint64_t n = 0; n < LIMIT_BATCH_WAITS; n++)
        put_wait(w, 100 + n, B + n);
    put_wait(w, 400, B); /* instead of the first one */
    step(w, 0);
    assert_int_equal(world_count(w, 1, MESSAGE_ERROR), 0);
    put_wait(w, 500, B + LIMIT_BATCH_WAITS);
    assert_false(answered(w));
    assert_int_equal(refused(w), STINT_TOO_MANY);
    assert_true(act(w, BATCH_CLOSE, B));
    assert_int_equal(world_count(w, 1, MESSAGE_BATCHES), 2);
    world_gone(w, 1);
    step(w, 0);
    world_hello_client(w, 3, 3); /* others are not told what they did not ask for */
    message_put_set_batch(world_frame(w, 3), 1,
        &(struct batch_request){.action = BATCH_CLOSE, .batch = B + 1, .keep_ms = KEEP_DEFAULT});
    step(w, 0);
    assert_int_equal(world_count(w, 3, MESSAGE_BATCHES), 1);
    assert_int_equal(world_count(w, 1, MESSAGE_BATCHES), 0);
    finish(w);
}

static void
pass(struct world *w, uint64_t ms)
{
    for (uint64_t n = 0; n < ms; n += 1000)
        step(w, 1000);
    world_hello_client(w, 1, 1);
    step(w, 0);
}

static bool
is_known(struct world *w, uint64_t batch)
{
    message_put_list_batches(
        world_frame(w, 1), MESSAGE_LIST_BATCHES, ++number, batch, (struct slice){0});
    return answered(w);
}

static void
it_is_forgotten_with_the_last_of_its_jobs(void **state)
{
    struct core_options o;
    core_options_init(&o);
    struct world *w = batch_world_of(&o, 1);
    struct job_spec job = batch_job(B, "kept");
    (void)state;
    job.keep_ms = 60000;
    assert_true(make_titled(w, B, "x", 1000));
    struct stint_id a = submit_one(w, job);
    assert_true(act(w, BATCH_CLOSE, B));
    settle(w, a, 1, OUTCOME_SUCCEEDED);
    pass(w, 20000);
    assert_true(is_known(w, B));
    pass(w, 80000);
    assert_int_equal(world_state(w, a, NULL), STINT_UNKNOWN);
    assert_false(is_known(w, B));
    finish(w);
}

static void
one_without_jobs_is_forgotten_and_one_that_is_open_is_not(void **state)
{
    struct core_options o;
    core_options_init(&o);
    o.keep_ms = 2000;
    struct world *w = batch_world_of(&o, 1);
    (void)state;
    assert_true(make_titled(w, B, "x", 0)); /* it waits for its first job */
    pass(w, 3500000); /* an hour at least, also where outcomes are not kept */
    assert_true(is_known(w, B));
    assert_true(make_titled(w, B + 1, "y", 2000));
    settle(w, add_job(w, B + 1), 1, OUTCOME_SUCCEEDED);
    pass(w, 110000);
    assert_false(is_known(w, B));
    assert_true(is_known(w, B + 1));
    finish(w);
}

static unsigned problems;

static void
count_problem(void *context, const char *what, const char *where)
{
    (void)context;
    (void)what;
    (void)where;
    problems++;
}

static unsigned
verify(struct world *w)
{
    struct verify_report report = {.problem = count_problem};
    problems = 0;
    core_verify(w->store, 0, &report);
    assert_int_equal(report.problems, problems);
    return problems;
}

/* What is there is good in itself, and does not fit together. */
static void
the_verifier_finds_what_does_not_fit(void **state)
{
    struct world *w = batch_world(0);
    uint8_t key[BATCH_KEY_BYTES], member[MEMBER_KEY_BYTES], bytes[ROW_BATCH_BYTES_MAX];
    struct slice value, none = {NULL, 0};
    struct row_batch row;
    (void)state;
    make_batch(w, B);
    struct stint_id a = add_job(w, B);
    assert_int_equal(verify(w), 0);
    w->store->ops->begin(w->store);
    assert_true(store_get(w->store, STORE_BATCHES, batch_key(key, B, BATCH_PART_COUNTS), &value));
    assert_true(row_batch_read(B, value, &row));
    row.jobs++; /* one more than is there */
    store_put(w->store, STORE_BATCHES, batch_key(key, B, BATCH_PART_COUNTS),
        row_batch_write(bytes, B, &row), none);
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
    assert_int_equal(verify(w), 1);
    w->store->ops->begin(w->store);
    row.jobs = 0;
    store_put(w->store, STORE_BATCHES, batch_key(key, B, BATCH_PART_COUNTS),
        row_batch_write(bytes, B, &row), none);
    store_del(w->store, STORE_MEMBERS, member_key(member, B, &a)); /* it is not listed */
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
    assert_int_equal(verify(w), 2);
    w->store->ops->begin(w->store);
    store_del(w->store, STORE_BATCHES, batch_key(key, B, BATCH_PART_TERMS));
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
    assert_true(verify(w) > 2);
    world_destroy(&w);
}

static uint32_t
count_listed(struct world *w, uint64_t batch, uint32_t limit)
{
    struct pack_buffer b = {0};
    struct filter filter = {
        .count = 1, .terms = {{.field = FILTER_BATCH, .is = FILTER_IS, .number = batch}}};
    struct message list = {.list = {.limit = limit}};
    uint8_t cursor[64];
    uint32_t count = 0;
    filter_write(&b, &filter);
    do {
        list.list.filter = (struct slice){b.data, b.used};
        message_put_list(world_frame(w, 1), ++number, &list);
        step(w, 0);
        assert_non_null(world_read(w, 1, MESSAGE_JOBS));
        count += w->message.count;
        for (uint32_t i = 0; i < w->message.count; i++) {
            assert_true(message_next_job(w->arrays));
            assert_int_equal(w->arrays->info.batch, batch);
        }
        list.list.cursor.size = w->message.page.cursor.size;
        assert_true(list.list.cursor.size <= sizeof cursor);
        if (list.list.cursor.size)
            memcpy(cursor, w->message.page.cursor.data, list.list.cursor.size);
        list.list.cursor.data = cursor;
    } while (list.list.cursor.size > 0);
    pack_buffer_free(&b);
    return count;
}

static void
its_jobs_are_listed(void **state)
{
    struct world *w = batch_world(2);
    struct job_spec like = batch_job(B, "x"), other = world_job("of none");
    (void)state;
    make_batch(w, B);
    make_batch(w, B + 1);
    (void)add_job(w, B + 1);
    world_submit_many(w, 1, ++submission, &other, 50);
    world_submit_many(w, 1, ++submission, &like, 50);
    assert_int_equal(count_listed(w, B, 0), 50);
    assert_int_equal(count_listed(w, B, 7), 50);
    assert_int_equal(count_listed(w, B + 1, 1), 1);
    assert_int_equal(count_listed(w, B + 2, 0), 0);
    finish(w);
}

static void
a_bulk_operation_is_about_its_jobs(void **state)
{
    struct world *w = batch_world(0);
    struct job_spec like = batch_job(B, "x"), other = world_job("of none");
    struct pack_buffer b = {0};
    const struct filter filter = {
        .count = 1, .terms = {{.field = FILTER_BATCH, .is = FILTER_IS, .number = B}}};
    (void)state;
    make_batch(w, B);
    world_submit_many(w, 1, ++submission, &other, 50);
    world_submit_many(w, 1, ++submission, &like, 50);
    assert_true(act(w, BATCH_CLOSE, B));
    filter_write(&b, &filter);
    const struct bulk_request bulk = {
        .bulk = 5, .action = STINT_BULK_CANCEL, .priority = -1, .filter = {b.data, b.used}};
    message_put_bulk(world_frame(w, 1), ++number, &bulk);
    for (unsigned n = 0; n < 4; n++)
        step(w, 1);
    assert_counts(w, B, (struct stint_batch_counts){.jobs = 50, .cancelled = 50});
    assert_int_equal(batch_now(w, B).state, STINT_BATCH_SETTLED);
    pack_buffer_free(&b);
    finish(w);
}

static void
all_are_listed_in_pages(void **state)
{
    struct world *w = batch_world(0);
    struct slice cursor = {NULL, 0};
    uint8_t kept[8];
    uint64_t seen = 0, last = 0;
    (void)state;
    for (uint64_t n = 1; n <= 2500; n++)
        message_put_set_batch(world_frame(w, 1), ++number,
            &(struct batch_request){.action = BATCH_NEW, .batch = n * 3, .keep_ms = KEEP_DEFAULT}),
            n % 200 == 0 ? step(w, 0) : (void)0;
    step(w, 0);
    do {
        message_put_list_batches(world_frame(w, 1), MESSAGE_LIST_BATCHES, ++number, 0, cursor);
        step(w, 0);
        assert_non_null(world_read(w, 1, MESSAGE_BATCHES));
        for (uint32_t i = 0; i < w->message.count; i++, seen++) {
            assert_true(message_next_batch(w->arrays));
            assert_true(w->arrays->items.batch.batch > last);
            last = w->arrays->items.batch.batch;
        }
        cursor.size = w->message.page.cursor.size;
        if (cursor.size)
            memcpy(kept, w->message.page.cursor.data, sizeof kept);
        cursor.data = kept;
    } while (cursor.size > 0);
    assert_int_equal(seen, 2500);
    finish(w);
}

/* ---- keys ---- */

static const struct grant mail = {
    .name = "mail", .rights = RIGHT_SUBMIT | RIGHT_SEE, .patterns_count = 1, .patterns = {"mail"}};

static void
a_key_reaches_batches_of_its_queues_alone(void **state)
{
    struct world *w = batch_world(0);
    struct pack_buffer b = {0};
    struct stint_id id;
    (void)state;
    make_batch(w, B); /* of queue default */
    w->grants[1] = &mail;
    world_hello_client(w, 1, 5);
    step(w, 0);
    submission = 0;
    struct job_spec job = batch_job(B, "x");
    job.queue = slice_of("mail");
    assert_int_equal(submit(w, &job, 1, &id), STINT_DENIED);
    assert_false(act(w, BATCH_CANCEL, B));
    assert_int_equal(refused(w), STINT_DENIED);
    assert_false(act(w, BATCH_CANCEL, B + 9)); /* as one that is not there */
    assert_int_equal(refused(w), STINT_DENIED);
    assert_false(make_titled(w, B + 1, "x", 1000));
    assert_int_equal(refused(w), STINT_DENIED);
    struct batch_request own = {.action = BATCH_NEW,
        .batch = B + 1,
        .queue = slice_of("mail"),
        .keep_ms = KEEP_DEFAULT,
        .always = job_bytes(&b, "to queue default")};
    assert_false(set_batch(w, own));
    assert_int_equal(refused(w), STINT_DENIED);
    own.always.size = 0;
    assert_true(set_batch(w, own));
    job.batch = B + 1;
    assert_int_equal(submit(w, &job, 1, &id), STINT_OK);
    assert_true(act(w, BATCH_CANCEL, B + 1));
    pack_buffer_free(&b);
    finish(w);
}

/* Neither an empty page nor a cursor tells of batches of other queues, and its own are all told. */
static void
a_list_for_a_key_is_as_if_there_were_no_others(void **state)
{
    enum { OTHERS = 1100, OWN = 3 };
    struct world *w = batch_world(0);
    uint32_t seen = 0;
    (void)state;
    for (unsigned i = 0; i < OTHERS; i++)
        make_batch(w, B + i);
    w->grants[1] = &mail;
    world_hello_client(w, 1, 5);
    step(w, 0);
    message_put_list_batches(
        world_frame(w, 1), MESSAGE_LIST_BATCHES, ++number, 0, (struct slice){0});
    step(w, 0);
    assert_non_null(world_read(w, 1, MESSAGE_BATCHES));
    assert_int_equal(w->message.count, 0);
    assert_int_equal(w->message.page.cursor.size, 0);
    for (unsigned i = 0; i < OWN; i++) {
        struct batch_request own = {.action = BATCH_NEW,
            .batch = B + OTHERS + i,
            .queue = slice_of("mail"),
            .keep_ms = KEEP_DEFAULT};
        assert_true(set_batch(w, own));
    }
    message_put_list_batches(
        world_frame(w, 1), MESSAGE_LIST_BATCHES, ++number, 0, (struct slice){0});
    step(w, 0);
    assert_non_null(world_read(w, 1, MESSAGE_BATCHES));
    seen = w->message.count;
    assert_int_equal(seen, OWN);
    assert_int_equal(w->message.page.cursor.size, 0);
    finish(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_as_it_was_made),
        cmocka_unit_test(the_same_new_again_makes_no_second_one),
        cmocka_unit_test(what_is_given_is_changed),
        cmocka_unit_test(one_that_is_not_there_is_none),
        cmocka_unit_test(a_cancel_ends_all_its_jobs_and_lets_none_in),
        cmocka_unit_test(a_cancelled_one_makes_no_job_for_success),
        cmocka_unit_test(who_waits_is_told_when_it_is_over),
        cmocka_unit_test(a_connection_waits_for_so_many),
        cmocka_unit_test(it_is_forgotten_with_the_last_of_its_jobs),
        cmocka_unit_test(one_without_jobs_is_forgotten_and_one_that_is_open_is_not),
        cmocka_unit_test(the_verifier_finds_what_does_not_fit),
        cmocka_unit_test(its_jobs_are_listed),
        cmocka_unit_test(a_bulk_operation_is_about_its_jobs),
        cmocka_unit_test(all_are_listed_in_pages),
        cmocka_unit_test(a_key_reaches_batches_of_its_queues_alone),
        cmocka_unit_test(a_list_for_a_key_is_as_if_there_were_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
