/* The C functions of the README's table of the calls that stint grew from, each used as that table
 * says, on a broker in this process. test_seed.py runs it, and looks that none is missing here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stint.h"
#include "stint_embed.h"
#include "stint_objects.h"
#include "stint_worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 60000 };

static const char *place; /* a directory that is not there yet */

struct shop {
    struct stint_embed *embed;
    struct stint_client *client;
    struct stint_id ids[3]; /* hello, an object, and the urgent one */
    char seen[256]; /* what a callback was told, in one text */
    uint64_t count;
};

static struct shop shop;

#define OK(call) assert_int_equal((call), STINT_OK)

/* Restore by opening: what is there goes on. */
static void
open_place(void)
{
    const struct stint_embed_options options = {.grace_ms = 1, .store_bytes = 256 << 20};
    OK(stint_embed_open(place, &options, &shop.embed));
    const struct stint_client_options client = {.endpoint = stint_embed_endpoint(shop.embed)};
    OK(stint_client_new(&client, &shop.client));
}

static void
close_place(void)
{
    stint_client_destroy(&shop.client);
    stint_embed_close(&shop.embed);
}

static struct stint_id
enqueue(const void *payload, size_t bytes, uint8_t priority)
{
    struct stint_job job = STINT_JOB_INIT;
    struct stint_id id;
    job.queue = "mail";
    job.priority = priority;
    job.payload = payload;
    job.payload_bytes = bytes;
    OK(stint_submit(shop.client, &job, 1, &id, TIMEOUT_MS));
    return id;
}

static void
see(const void *bytes, size_t size)
{
    assert_true(size < sizeof shop.seen);
    memcpy(shop.seen, bytes, size);
    shop.seen[size] = '\0';
    shop.count++;
}

static bool
see_job(void *context, const struct stint_job_info *info)
{
    (void)context;
    see(info->payload, info->payload_bytes);
    return true;
}

static void
peek(uint64_t offset, const char *expected)
{
    OK(stint_peek(shop.client, "mail", offset, 1, STINT_PAYLOAD, see_job, NULL, TIMEOUT_MS));
    assert_string_equal(shop.seen, expected);
}

static void
jobs_are_put_in(void **state)
{
    void *object;
    size_t bytes;
    (void)state;
    shop.ids[0] = enqueue("hello", 5, 100);
    OK(stint_json_to_msgpack("{\"to\": \"ann\"}", 13, &object, &bytes));
    shop.ids[1] = enqueue(object, bytes, 100);
    free(object);
    shop.ids[2] = enqueue("urgent", 6, 200);
}

static void
they_are_looked_at_in_the_order_of_dispatch_and_by_id(void **state)
{
    const struct stint_job_info *info;
    char *json;
    (void)state;
    peek(0, "urgent");
    peek(1, "hello");
    OK(stint_get(shop.client, &shop.ids[1], STINT_PAYLOAD, &info, TIMEOUT_MS));
    OK(stint_msgpack_to_json(info->payload, info->payload_bytes, &json));
    assert_string_equal(json, "{\"to\":\"ann\"}");
    free(json);
}

static void
one_is_updated_in_place(void **state)
{
    struct stint_change change = STINT_CHANGE_INIT;
    enum stint_status status;
    (void)state;
    change.payload = "bye";
    change.payload_bytes = 3;
    OK(stint_change(shop.client, shop.ids, 1, &change, &status, TIMEOUT_MS));
    OK(status);
    peek(1, "bye");
}

static bool
see_figures(void *context, const struct stint_figures *f)
{
    (void)context;
    assert_string_equal(f->queue, "mail");
    assert_int_equal(f->jobs[STINT_READY], 3);
    assert_int_equal(f->priorities_count, 2);
    assert_int_equal(f->priorities[0].priority, 200);
    assert_int_equal(f->priorities[0].jobs[STINT_READY], 1);
    shop.count++;
    return true;
}

static void
lengths_are_told_in_all_by_priority_and_by_prefix(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        shop.count = 0;
        OK(stint_list_figures(shop.client, i ? "ma*" : "mail", STINT_FIGURES_PRIORITIES,
            see_figures, NULL, TIMEOUT_MS));
        assert_int_equal(shop.count, 1);
    }
}

/* ---- workers ---- */

static struct stint_worker *worker;
static enum stint_status ran;

static void
run(struct stint_task *task, void *state)
{
    const struct stint_task_info *info = stint_task_info(task);
    (void)state;
    stint_task_succeed(task, info->payload, info->payload_bytes);
}

static void *
work(void *context)
{
    (void)context;
    ran = stint_worker_run(worker);
    return NULL;
}

static bool
count_worker(void *context, const struct stint_worker_info *info)
{
    (void)context;
    assert_string_equal(info->queues, "ma*");
    shop.count++;
    return true;
}

static void
settled(void *context, const struct stint_job_info *info)
{
    (void)context;
    assert_int_equal(info->state, STINT_SUCCEEDED);
    see(info->result, info->result_bytes);
}

static void
happened(void *context, const struct stint_event *event)
{
    (void)context;
    if (event->type == STINT_EVENT_SUBMITTED)
        shop.count++;
}

static void
the_maximum_of_workers_is_set_and_told(void **state)
{
    struct stint_fleet fleet;
    (void)state;
    OK(stint_set_fleet(shop.client, 4, &fleet, TIMEOUT_MS));
    OK(stint_get_fleet(shop.client, &fleet, TIMEOUT_MS));
    assert_int_equal(fleet.slots, 4);
}

static void
workers_take_jobs_and_finish_them(void **state)
{
    const char *const queues[] = {"ma*"}; /* by prefix */
    const struct stint_worker_options options = {.endpoint = stint_embed_endpoint(shop.embed),
        .slots = 1,
        .queues = queues,
        .queues_count = 1};
    const struct stint_handler handler = {.run = run};
    pthread_t thread;
    (void)state;
    OK(stint_worker_new(&options, &worker));
    OK(stint_worker_handle(worker, &handler));
    assert_int_equal(pthread_create(&thread, NULL, work, NULL), 0);
    OK(stint_wait(shop.client, &shop.ids[2], 1, true, settled, NULL, TIMEOUT_MS));
    assert_string_equal(shop.seen, "urgent");
    shop.count = 0;
    OK(stint_workers(shop.client, count_worker, NULL, TIMEOUT_MS));
    assert_int_equal(shop.count, 1);
    stint_worker_stop(worker);
    assert_int_equal(pthread_join(thread, NULL), 0);
    OK(ran);
    stint_worker_destroy(&worker);
}

static void
what_happens_to_jobs_is_heard(void **state)
{
    const struct stint_subscription all = {.events = 1U << STINT_EVENT_SUBMITTED};
    (void)state;
    shop.count = 0;
    OK(stint_subscribe(shop.client, &all, happened, NULL, TIMEOUT_MS));
    shop.ids[0] = enqueue("older", 5, 100);
    shop.ids[1] = enqueue("newer", 5, 100);
    while (shop.count < 2)
        OK(stint_client_process(shop.client, TIMEOUT_MS));
    stint_unsubscribe(shop.client, happened, NULL);
}

/* ---- queues ---- */

static struct stint_queue_setting
set(const char *queue, enum stint_queue_action action)
{
    struct stint_queue_setting now;
    OK(stint_set_queue(shop.client, queue, action, &now, TIMEOUT_MS));
    return now;
}

static void
a_queue_has_the_other_orders_too_is_closed_and_goes(void **state)
{
    enum stint_status status;
    (void)state;
    assert_true(set("mail", STINT_ORDER_LIFO).lifo);
    peek(0, "newer");
    (void)enqueue("low", 3, 7);
    assert_true(set("mail", STINT_ORDER_LOW_FIRST).low_first);
    peek(0, "low");
    OK(stint_delete(shop.client, shop.ids, 1, &status, TIMEOUT_MS));
    OK(status);
    assert_true(set("mail", STINT_CLOSE_QUEUE).closed);
    assert_true(set("old", STINT_PAUSE_QUEUE).made);
    (void)set("old", STINT_REMOVE_QUEUE);
}

static void
all_is_there_after_it_is_opened_again(void **state)
{
    (void)state;
    close_place();
    open_place();
    peek(0, "low");
    peek(1, "newer");
}

static int
begin(void **state)
{
    (void)state;
    open_place();
    return 0;
}

static int
end(void **state)
{
    (void)state;
    close_place();
    return 0;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_put_in),
        cmocka_unit_test(they_are_looked_at_in_the_order_of_dispatch_and_by_id),
        cmocka_unit_test(one_is_updated_in_place),
        cmocka_unit_test(lengths_are_told_in_all_by_priority_and_by_prefix),
        cmocka_unit_test(the_maximum_of_workers_is_set_and_told),
        cmocka_unit_test(workers_take_jobs_and_finish_them),
        cmocka_unit_test(what_happens_to_jobs_is_heard),
        cmocka_unit_test(a_queue_has_the_other_orders_too_is_closed_and_goes),
        cmocka_unit_test(all_is_there_after_it_is_opened_again),
    };
    if (argc != 2)
        return 2;
    place = argv[1];
    return cmocka_run_group_tests(tests, begin, end);
}
