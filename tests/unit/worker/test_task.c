/* What a handler tells of its job: the first outcome counts, texts keep their end, what is too
 * large is refused or cut, and each kind finds its handler and its slot's state.
 */
#include "worker.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

static struct stint_worker w;
static struct slot slot, *crew[] = {&slot};

static int
make_slot(void **state)
{
    (void)state;
    w = (struct stint_worker){
        .crew = {.slots = crew, .count = 1, .wanted = 1}, .handover.slots = 1};
    slot = (struct slot){.worker = &w, .number = 4};
    pthread_mutex_init(&w.handover.lock, NULL);
    w.handover.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    slot.task.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return w.handover.wake_fd < 0 || slot.task.cancel_fd < 0;
}

static int
destroy_slot(void **state)
{
    (void)state;
    held_free_all(w.handover.done);
    close(w.handover.wake_fd);
    close(slot.task.cancel_fd);
    pthread_mutex_destroy(&w.handover.lock);
    return 0;
}

/* A job of this kind begins in the slot. */
static struct held *
begin(const char *kind)
{
    struct delivery *delivery = calloc(1, sizeof *delivery + sizeof(struct held));
    assert_non_null(delivery);
    struct held *held = (struct held *)(delivery + 1);
    delivery->left = 1;
    *held = (struct held){.delivery = delivery, .info = {.kind = kind, .queue = "q"}};
    DL_APPEND(w.handover.waiting, held);
    w.handover.waiting_count++;
    slot_begin(&slot, held);
    assert_int_equal(w.handover.waiting_count, 0);
    assert_int_equal(held->info.slot, 4);
    return held;
}

static bool
is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void
the_first_outcome_counts(void **state)
{
    struct held *h = begin("k");
    (void)state;
    stint_task_succeed(&slot.task, "result", 6);
    stint_task_fail(&slot.task, "why");
    stint_task_snooze(&slot.task, 5);
    stint_task_give_back(&slot.task);
    assert_int_equal(h->outcome, OUTCOME_SUCCEEDED);
    assert_int_equal(h->body_bytes, 6);
    assert_memory_equal(h->body, "result", 6);
    assert_int_equal(h->delay_ms, 0);
    slot_finish(&slot);
    h = begin("k");
    stint_task_give_back(&slot.task);
    stint_task_fail_for_good(&slot.task, "why");
    assert_int_equal(h->outcome, OUTCOME_RETURNED);
    assert_null(h->body);
    slot_finish(&slot);
}

/* Outcomes wait for others while there is work ahead, and no longer. */
static void
what_is_held_back_is_rung_for_when_the_work_runs_out(void **state)
{
    static const struct {
        uint32_t waiting;
        bool rings;
    } ends[] = {{5, false}, {3, false}, {2, true}, {1, false}};
    uint64_t rings;
    (void)state;
    w.handover.slots = 2;
    (void)begin("k");
    slot_finish(&slot); /* there is one to be told */
    assert_int_equal(read(w.handover.wake_fd, &rings, sizeof rings), sizeof rings);
    w.handover.held_back = true;
    for (unsigned i = 0; i < 4; i++) {
        (void)begin("k");
        w.handover.waiting_count = ends[i].waiting;
        slot_finish(&slot);
        w.handover.waiting_count = 0;
        assert_int_equal(is_readable(w.handover.wake_fd), ends[i].rings);
        if (ends[i].rings)
            assert_int_equal(read(w.handover.wake_fd, &rings, sizeof rings), sizeof rings);
        assert_int_equal(w.handover.held_back, ends[i].waiting > 2);
    }
}

static void
a_long_text_keeps_its_end_and_a_large_result_fails_for_good(void **state)
{
    size_t size = LIMIT_BODY_BYTES_MAX + 1;
    char *large = malloc(size), text[LIMIT_ERROR_BYTES + 11];
    (void)state;
    assert_non_null(large);
    memset(large, 'x', size);
    memset(text, 'b', 10);
    memset(text + 10, 'e', LIMIT_ERROR_BYTES);
    text[sizeof text - 1] = '\0';
    void (*const tellers[])(struct stint_task *, const char *) = {
        stint_task_fail, stint_task_fail_for_good, stint_task_unable};
    static const enum outcome_type types[] = {OUTCOME_FAILED, OUTCOME_DEAD, OUTCOME_UNABLE};
    for (unsigned i = 0; i < 3; i++) {
        struct held *h = begin("k");
        tellers[i](&slot.task, text);
        assert_int_equal(h->outcome, types[i]);
        assert_int_equal(h->body_bytes, LIMIT_ERROR_BYTES);
        assert_memory_equal(h->body, text + 10, LIMIT_ERROR_BYTES);
        slot_finish(&slot);
    }
    struct held *h = begin("k");
    stint_task_succeed(&slot.task, large, size - 1);
    assert_int_equal(h->outcome, OUTCOME_SUCCEEDED);
    assert_int_equal(h->body_bytes, LIMIT_BODY_BYTES_MAX);
    slot_finish(&slot);
    h = begin("k");
    stint_task_succeed(&slot.task, large, size);
    assert_int_equal(h->outcome, OUTCOME_DEAD);
    assert_int_equal(h->body_bytes, strlen("the result is over 4 MiB"));
    stint_task_keep_output(&slot.task, large, size);
    assert_int_equal(h->output_bytes, LIMIT_BODY_BYTES_MAX);
    stint_task_keep_output(&slot.task, "short", 5);
    assert_int_equal(h->output_bytes, 5);
    stint_task_keep_errors(&slot.task, text, strlen(text));
    assert_int_equal(h->errors_bytes, LIMIT_ERROR_BYTES);
    assert_memory_equal(h->errors, text + 10, LIMIT_ERROR_BYTES);
    stint_task_keep_errors(&slot.task, NULL, 0);
    assert_null(h->errors);
    slot_finish(&slot);
    h = begin("k");
    stint_task_snooze(&slot.task, UINT64_MAX);
    assert_true(h->delay_ms == LIMIT_TIME_MS);
    slot_finish(&slot);
    free(large);
}

static void
a_cancelled_run_is_told_and_the_next_one_is_not(void **state)
{
    (void)state;
    for (unsigned timed_out = 0; timed_out < 2; timed_out++) {
        (void)begin("k");
        assert_false(is_readable(stint_task_cancel_fd(&slot.task)));
        slot_cancel(&slot.task, timed_out);
        slot_cancel(&slot.task, false); /* once more, as a stop and a revoke may come together */
        assert_true(stint_task_cancelled(&slot.task));
        assert_int_equal(stint_task_timed_out(&slot.task), timed_out);
        assert_true(is_readable(stint_task_cancel_fd(&slot.task)));
        stint_task_give_back(&slot.task);
        slot_finish(&slot);
        assert_false(is_readable(slot.task.cancel_fd));
        assert_false(stint_task_cancelled(&slot.task) || stint_task_timed_out(&slot.task));
        assert_true(is_readable(w.handover.wake_fd));
    }
    assert_int_equal(w.handover.finished, 2);
}

/* ---- handlers ---- */

static char happened[200];

static void
note(const char *what, const void *who)
{
    size_t used = strlen(happened);
    (void)snprintf(happened + used, sizeof happened - used, "%s %s;", what, (const char *)who);
}

static void *
make(void *context, uint32_t number)
{
    assert_int_equal(number, 4);
    note("make", context);
    return context;
}

static void
run(struct stint_task *task, void *state)
{
    note("run", state ? state : "plain");
    if (strcmp(stint_task_info(task)->kind, "silent") != 0)
        stint_task_succeed(task, NULL, 0);
}

static void
destroy(void *context, void *state)
{
    assert_ptr_equal(context, state);
    note("destroy", context);
}

static void
each_kind_finds_its_handler_and_its_state_is_made_once(void **state)
{
    static const struct {
        const char *kind;
        enum outcome_type outcome;
    } jobs[] = {{"a", OUTCOME_SUCCEEDED}, {"b", OUTCOME_SUCCEEDED}, {"a", OUTCOME_SUCCEEDED},
        {"other", OUTCOME_SUCCEEDED}, {"silent", OUTCOME_FAILED}};
    char a[] = "A", b[] = "B", never[] = "never";
    (void)state;
    happened[0] = '\0';
    w.served.handlers[0] = (struct stint_handler){.run = run}; /* every kind without its own */
    w.served.handlers[1] = (struct stint_handler){"a", run, make, destroy, a};
    w.served.handlers[2] = (struct stint_handler){"b", run, make, NULL, b};
    w.served.handlers[3] = (struct stint_handler){"c", run, make, destroy, never};
    w.served.handlers_count = 4;
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        struct held *h = begin(jobs[i].kind);
        slot_run(&slot);
        assert_int_equal(h->outcome, jobs[i].outcome);
        slot_finish(&slot);
    }
    slot_end(&slot);
    assert_string_equal(happened, "make A;run A;make B;run B;run A;run plain;run plain;destroy A;");
    w.served.handlers[0].kind = "d";
    struct held *h = begin("other");
    slot_run(&slot);
    assert_int_equal(h->outcome, OUTCOME_UNABLE);
    assert_memory_equal(h->body, "no worker has a handler for kind other", h->body_bytes);
    slot_finish(&slot);
}

/* ---- what is refused beforehand ---- */

static void
a_worker_is_not_made_of_what_it_can_not_serve(void **state)
{
    const char *good[] = {"a", "b"}, *bad[] = {"a", "b c"}, *many[257], *open[65];
    const char *prefixes[] = {"a.*", "b", "*"}, *no_prefix[] = {"a*b"}, *no_begin[] = {".*"};
    struct stint_worker *made;
    (void)state;
    for (unsigned i = 0; i < 257; i++)
        many[i] = "q";
    for (unsigned i = 0; i < 65; i++)
        open[i] = "q*";
    const struct {
        struct stint_worker_options options;
        enum stint_status status;
    } rows[] = {{{.endpoint = "ipc://@x", .queues = good, .queues_count = 2}, STINT_OK},
        {{.endpoint = "ipc://@x", .queues = bad, .queues_count = 2}, STINT_BAD_NAME},
        {{.endpoint = "ipc://@x", .queues = many, .queues_count = 257}, STINT_TOO_MANY},
        {{.endpoint = "ipc://@x", .queues = prefixes, .queues_count = 3}, STINT_OK},
        {{.endpoint = "ipc://@x", .queues = no_prefix, .queues_count = 1}, STINT_BAD_NAME},
        {{.endpoint = "ipc://@x", .queues = no_begin, .queues_count = 1}, STINT_BAD_NAME},
        {{.endpoint = "ipc://@x", .queues = open, .queues_count = 64}, STINT_OK},
        {{.endpoint = "ipc://@x", .queues = open, .queues_count = 65}, STINT_TOO_MANY},
        {{.endpoint = "nowhere"}, STINT_BAD_ENDPOINT},
        {{.endpoint = "tcp://*:1"}, STINT_BAD_ENDPOINT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(stint_worker_new(&rows[i].options, &made), rows[i].status);
        assert_int_equal(made != NULL, rows[i].status == STINT_OK);
        stint_worker_destroy(&made);
        assert_null(made);
    }
}

static void
a_worker_takes_as_many_handlers_as_there_is_room_for(void **state)
{
    struct stint_worker_options options = {.endpoint = "ipc://@x"};
    struct stint_handler handler = {.kind = "not a name", .run = run};
    struct stint_worker *made;
    char kind[8];
    (void)state;
    assert_int_equal(stint_worker_new(&options, &made), STINT_OK);
    assert_int_equal(stint_worker_handle(made, &handler), STINT_BAD_NAME);
    for (unsigned i = 0; i < 64; i++) {
        (void)snprintf(kind, sizeof kind, "k%u", i);
        handler.kind = kind;
        assert_int_equal(stint_worker_handle(made, &handler), STINT_OK);
    }
    handler.kind = "one-more";
    assert_int_equal(stint_worker_handle(made, &handler), STINT_TOO_MANY);
    assert_false(stint_worker_connected(made));
    stint_worker_destroy(&made);
}

static void
a_kind_has_one_handler(void **state)
{
    struct stint_worker_options options = {.endpoint = "ipc://@x"};
    const struct stint_handler mail = {.kind = "mail", .run = run}, rest = {.run = run},
                               other = {.kind = "mai", .run = run}, none = {.kind = "none"};
    struct stint_worker *made;
    (void)state;
    assert_int_equal(stint_worker_new(&options, &made), STINT_OK);
    assert_int_equal(stint_worker_handle(made, &mail), STINT_OK);
    assert_int_equal(stint_worker_handle(made, &rest), STINT_OK);
    assert_int_equal(stint_worker_handle(made, &mail), STINT_INVALID);
    assert_non_null(strstr(stint_worker_error(made), "mail has a handler already"));
    assert_int_equal(stint_worker_handle(made, &rest), STINT_INVALID);
    assert_int_equal(stint_worker_handle(made, &other), STINT_OK);
    assert_int_equal(stint_worker_handle(made, &none), STINT_INVALID);
    assert_int_equal(stint_worker_handlers(made), 3);
    stint_worker_destroy(&made);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make_slot, destroy_slot)
    const struct CMUnitTest tests[] = {
        T(the_first_outcome_counts),
        T(what_is_held_back_is_rung_for_when_the_work_runs_out),
        T(a_long_text_keeps_its_end_and_a_large_result_fails_for_good),
        T(a_cancelled_run_is_told_and_the_next_one_is_not),
        T(each_kind_finds_its_handler_and_its_state_is_made_once),
        cmocka_unit_test(a_worker_is_not_made_of_what_it_can_not_serve),
        cmocka_unit_test(a_worker_takes_as_many_handlers_as_there_is_room_for),
        cmocka_unit_test(a_kind_has_one_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
