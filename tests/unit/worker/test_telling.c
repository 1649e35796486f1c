/* How far a job is, between its handler and the broker: the newest is told, at most a few times a
 * second, once, and again in a new conversation; whatever a handler says is a text that may be
 * sent.
 */
#include "worker.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

static struct stint_worker w;
static struct slot slots[2], *crew[] = {&slots[0], &slots[1]};
static struct message_arrays *arrays;
static struct message said;

static int
make(void **state)
{
    (void)state;
    w = (struct stint_worker){
        .crew = {.slots = crew, .count = 2, .wanted = 2}, .handover.slots = 2, .claimed = true};
    w.session.state = SESSION_OPEN;
    w.session.welcome.features = FEATURES_ALL;
    (void)pthread_mutex_init(&w.handover.lock, NULL);
    w.handover.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (unsigned i = 0; i < 2; i++) {
        slots[i] = (struct slot){.worker = &w, .number = i};
        slots[i].task.progress.news = &w.shared.news;
        (void)pthread_mutex_init(&slots[i].task.progress.lock, NULL);
    }
    arrays = malloc(sizeof *arrays);
    return !arrays || w.handover.wake_fd < 0;
}

static int
unmake(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        if (slots[i].task.held)
            held_free(slots[i].task.held);
        (void)pthread_mutex_destroy(&slots[i].task.progress.lock);
    }
    held_free_all(w.handover.done);
    pack_buffer_free(&w.session.control.frames);
    close(w.handover.wake_fd);
    free(arrays);
    return 0;
}

static void
begin(unsigned slot, uint32_t attempt)
{
    struct delivery *delivery = calloc(1, sizeof *delivery + sizeof(struct held));
    assert_non_null(delivery);
    struct held *held = (struct held *)(delivery + 1);
    delivery->left = 1;
    *held = (struct held){
        .delivery = delivery, .info = {.kind = "k", .queue = "q", .attempt = attempt}};
    held->info.id.bytes[0] = (uint8_t)slot;
    DL_APPEND(w.handover.waiting, held);
    w.handover.waiting_count++;
    slot_begin(&slots[slot], held);
}

/* Has the worker's time come to tell something, and what does it tell? Returns of how many jobs. */
static uint32_t
send(void)
{
    const char *why;
    w.session.control.frames.used = w.session.control.count = 0;
    w.news.told_ms = 0;
    telling_send(&w);
    if (w.session.control.count == 0)
        return 0;
    assert_int_equal(w.session.control.count, 1);
    assert_int_equal(message_decode(w.session.control.frames.data, w.session.control.frames.used,
                         &said, arrays, &why),
        STINT_OK);
    assert_int_equal(said.type, MESSAGE_PROGRESS);
    return said.count;
}

static void
assert_told(uint32_t i, uint32_t percent, const char *text)
{
    assert_int_equal(arrays->told[i].percent, percent);
    assert_int_equal(arrays->told[i].text.size, strlen(text));
    assert_memory_equal(arrays->told[i].text.data, text, strlen(text));
}

static void
the_newest_is_told_once(void **state)
{
    struct stint_task *t = &slots[0].task;
    (void)state;
    begin(0, 3);
    assert_int_equal(send(), 0);
    assert_int_equal(stint_task_progress(t, 1, "a"), STINT_OK);
    assert_int_equal(stint_task_progress(t, 2, "b"), STINT_OK);
    assert_int_equal(send(), 1);
    assert_told(0, 2, "b");
    assert_int_equal(arrays->told[0].attempt, 3);
    assert_int_equal(send(), 0);
    assert_int_equal(stint_task_progress(t, 2, "b"), STINT_OK);
    assert_int_equal(send(), 0);
    assert_int_equal(stint_task_progress(t, 3, "c"), STINT_OK);
    assert_int_equal(stint_task_progress(t, 2, "b"), STINT_OK); /* as it was told */
    assert_int_equal(send(), 0);
    assert_int_equal(stint_task_progress(t, STINT_NO_PERCENT, NULL), STINT_OK);
    assert_int_equal(send(), 1);
    assert_told(0, STINT_NO_PERCENT, "");
    assert_int_equal(stint_task_progress(t, 101, "d"), STINT_INVALID);
    assert_int_equal(send(), 0);
}

static void
not_too_often_nor_to_a_broker_that_does_not_know_it(void **state)
{
    (void)state;
    begin(0, 1);
    (void)stint_task_progress(&slots[0].task, 1, "a");
    assert_int_equal(send(), 1);
    (void)stint_task_progress(&slots[0].task, 2, "a");
    w.session.control.count = 0;
    w.news.told_ms = wire_now_ms();
    telling_send(&w);
    assert_int_equal(w.session.control.count, 0);
    w.claimed = false;
    assert_int_equal(send(), 0);
    w.claimed = true;
    w.session.welcome.features = 0;
    assert_int_equal(send(), 0);
    w.session.welcome.features = FEATURES_ALL;
    assert_int_equal(send(), 1); /* nothing was lost */
    assert_told(0, 2, "a");
}

static void
a_new_conversation_hears_it_again_and_a_full_one_later(void **state)
{
    (void)state;
    begin(0, 1);
    begin(1, 1);
    (void)stint_task_progress(&slots[1].task, 5, "x");
    assert_int_equal(send(), 1);
    leases_claim(&w);
    assert_int_equal(send(), 1);
    assert_told(0, 5, "x");
    (void)stint_task_progress(&slots[0].task, 6, "y");
    w.session.control.count = sizeof w.session.control.ends / sizeof *w.session.control.ends;
    w.news.told_ms = 0;
    telling_send(&w);
    assert_int_equal(send(), 2);
}

static void
what_comes_after_the_outcome_or_of_the_run_before_is_not_told(void **state)
{
    struct stint_task *t = &slots[0].task;
    (void)state;
    begin(0, 1);
    (void)stint_task_progress(t, 5, "x");
    stint_task_succeed(t, "", 0);
    slot_finish(&slots[0]);
    assert_int_equal(send(), 0);
    begin(0, 2);
    assert_int_equal(send(), 0);
    (void)stint_task_progress(t, 5, "x");
    assert_int_equal(send(), 1);
    assert_int_equal(arrays->told[0].attempt, 2);
    stint_task_succeed(t, "", 0);
    assert_int_equal(stint_task_progress(t, 6, "late"), STINT_OK);
    assert_int_equal(send(), 0);
}

static void
any_text_becomes_one_that_may_be_sent(void **state)
{
    char long_text[400], wide[402];
    static const struct {
        const char *text, *told;
    } cases[] = {{"a\nb\tc\x7f", "a b c "}, {"caf\303\251", "caf\303\251"},
        {"\377\376x\300\257", "??x??"}, {"\355\240\200", "???"}, {"cut \342\202", "cut ??"}};
    (void)state;
    begin(0, 1);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)stint_task_progress(&slots[0].task, i, cases[i].text);
        assert_int_equal(send(), 1);
        assert_told(0, i, cases[i].told);
    }
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    (void)stint_task_progress(&slots[0].task, 50, long_text);
    assert_int_equal(send(), 1);
    assert_int_equal(arrays->told[0].text.size, LIMIT_PROGRESS_BYTES);
    for (unsigned i = 0; i < 200; i++)
        memcpy(wide + 1 + 2 * i, "\303\251", 2);
    wide[0] = 'x';
    wide[401] = '\0';
    (void)stint_task_progress(&slots[0].task, 51, wide);
    assert_int_equal(send(), 1);
    assert_int_equal(arrays->told[0].text.size, LIMIT_PROGRESS_BYTES - 1); /* a whole character */
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, unmake)
    const struct CMUnitTest tests[] = {
        T(the_newest_is_told_once),
        T(not_too_often_nor_to_a_broker_that_does_not_know_it),
        T(a_new_conversation_hears_it_again_and_a_full_one_later),
        T(what_comes_after_the_outcome_or_of_the_run_before_is_not_told),
        T(any_text_becomes_one_that_may_be_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
