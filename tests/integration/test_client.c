/* What the library tells when things go wrong: a broker without room, one that refuses, that falls
 * silent with an answer owed, that forgets. Run by test_library.py against scripted.py, which does
 * what the names of queues say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stint.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 30000, LOST_MS = 1000 /* the scripted broker's */ };

static struct stint_client *
new_client(const struct stint_client_options *options)
{
    struct stint_client *c;
    assert_int_equal(stint_client_new(options, &c), STINT_OK);
    return c;
}

static struct stint_job
job_for(const char *queue, const char *payload)
{
    struct stint_job job = STINT_JOB_INIT;
    job.queue = queue;
    job.payload = payload;
    job.payload_bytes = strlen(payload);
    return job;
}

static struct stint_id
submit(struct stint_client *c, const char *queue, const char *payload)
{
    struct stint_job job = job_for(queue, payload);
    struct stint_id id;
    assert_int_equal(stint_submit(c, &job, 1, &id, TIMEOUT_MS), STINT_OK);
    return id;
}

static enum stint_status
try_submit(struct stint_client *c, const char *queue, uint32_t timeout_ms)
{
    struct stint_job job = job_for(queue, queue);
    struct stint_id id;
    return stint_submit(c, &job, 1, &id, timeout_ms);
}

/* ---- what the broker has stored since the test began, as "queue queue ..." ---- */

struct stored {
    size_t skip;
    char text[1024];
};

static size_t stored_before;

static bool
add_queue(void *context, const struct stint_job_info *info)
{
    struct stored *s = context;
    size_t used = strlen(s->text);
    if (s->skip > 0)
        s->skip--;
    else
        (void)snprintf(s->text + used, sizeof s->text - used, "%s%s", used ? " " : "", info->queue);
    return true;
}

static void
assert_stored(const char *queues)
{
    struct stint_client *c = new_client(NULL);
    struct stint_filter all = {0};
    struct stored s = {.skip = stored_before};
    assert_int_equal(stint_list(c, &all, add_queue, &s, TIMEOUT_MS), STINT_OK);
    assert_string_equal(s.text, queues);
    stint_client_destroy(&c);
}

static bool
count_job(void *context, const struct stint_job_info *info)
{
    (void)info;
    ++*(size_t *)context;
    return true;
}

static int
count_stored(void **state)
{
    struct stint_client *c = new_client(NULL);
    struct stint_filter all = {0};
    (void)state;
    stored_before = 0;
    assert_int_equal(stint_list(c, &all, count_job, &stored_before, TIMEOUT_MS), STINT_OK);
    stint_client_destroy(&c);
    return 0;
}

/* ---- what callbacks are told ---- */

struct told {
    unsigned count;
    enum stint_status statuses[8];
};

static void
tell(void *context, enum stint_status status, const struct stint_id *ids, size_t count)
{
    struct told *t = context;
    assert_true(t->count < 8);
    assert_true(status == STINT_OK ? ids && count == 1 : count == 0);
    t->statuses[t->count++] = status;
}

static void
submit_async(struct stint_client *c, const char *queue, struct told *told)
{
    struct stint_job job = job_for(queue, queue);
    assert_int_equal(stint_submit_async(c, &job, 1, tell, told), STINT_OK);
}

static void
process_until_told(struct stint_client *c, const struct told *told, unsigned count)
{
    while (told->count < count)
        assert_int_equal(stint_client_process(c, 1000), STINT_OK);
}

/* ---- no answer ---- */

static void
what_was_stored_and_not_answered_is_never_called_unreachable(void **state)
{
    struct stint_client *c = new_client(NULL);
    (void)state;
    /* Long enough that the conversation is over, and the next one has not begun. */
    assert_int_equal(try_submit(c, "silent", LOST_MS + 500), STINT_UNKNOWN_OUTCOME);
    assert_int_equal(stint_client_pending(c), 0);
    (void)submit(c, "other", "x"); /* not under the number of the first */
    (void)submit(c, "another", "x");
    stint_client_destroy(&c);
    assert_stored("silent other another");
}

static void
what_was_given_up_is_not_stored_later_behind_the_callers_back(void **state)
{
    struct stint_client *c = new_client(NULL);
    (void)state;
    assert_int_equal(try_submit(c, "lost", LOST_MS + 500), STINT_UNKNOWN_OUTCOME);
    (void)submit(c, "other", "x");
    stint_client_destroy(&c);
    assert_stored("other");
}

static void
a_session_that_is_written_down_finds_out_what_became_of_its_last_submission(void **state)
{
    static const uint8_t session[STINT_SESSION_BYTES] = {1, 2, 3};
    struct stint_client_options o = {.session = session};
    struct stint_client *c = new_client(&o);
    (void)state;
    struct stint_id first = submit(c, "first", "x");
    assert_int_equal(stint_client_answered(c), 1);
    assert_int_equal(try_submit(c, "silent-2", 1500), STINT_UNKNOWN_OUTCOME);
    assert_int_equal(stint_client_answered(c), 1);
    o.submission = 1;
    stint_client_destroy(&c);
    c = new_client(&o);
    struct stint_id again = submit(c, "silent-2", "silent-2");
    assert_int_equal(stint_client_answered(c), 2);
    assert_int_equal(again.bytes[STINT_ID_BYTES - 1], first.bytes[STINT_ID_BYTES - 1] + 1);
    stint_client_destroy(&c);
    assert_stored("first silent-2");
}

static void
a_session_that_the_broker_has_forgotten_says_so_once(void **state)
{
    static const uint8_t session[STINT_SESSION_BYTES] = {9, 9, 9};
    struct stint_client_options o = {.session = session, .submission = 7};
    struct stint_client *c = new_client(&o);
    (void)state;
    assert_int_equal(try_submit(c, "other", TIMEOUT_MS), STINT_UNKNOWN_OUTCOME);
    assert_non_null(strstr(stint_client_error(c), "forgotten"));
    (void)submit(c, "other", "x");
    assert_int_equal(stint_client_answered(c), 1);
    stint_client_destroy(&c);
    c = new_client(&o); /* it hears of it before it submits anything */
    assert_int_equal(stint_connect(c, TIMEOUT_MS), STINT_OK);
    assert_int_equal(try_submit(c, "other", TIMEOUT_MS), STINT_UNKNOWN_OUTCOME);
    (void)submit(c, "other", "x");
    stint_client_destroy(&c);
    assert_stored("other other");
}

static void
a_session_of_the_librarys_own_that_is_forgotten_is_replaced(void **state)
{
    struct stint_client *c = new_client(NULL);
    (void)state;
    (void)submit(c, "forget", "x");
    assert_int_equal(stint_ping(c, NULL, TIMEOUT_MS), STINT_OK); /* it hears of it */
    (void)submit(c, "other", "x");
    stint_client_destroy(&c);
    assert_stored("forget other");
}

/* ---- no room ---- */

static void
a_submit_waits_for_room(void **state)
{
    struct stint_client *c = new_client(NULL);
    (void)state;
    (void)submit(c, "full3", "x");
    (void)submit(c, "toomany", "x");
    stint_client_destroy(&c);
    assert_stored("full3 toomany");
}

static void
a_queue_that_stays_full_is_told_in_time_and_nothing_is_stored(void **state)
{
    struct stint_client *c = new_client(NULL);
    (void)state;
    assert_int_equal(try_submit(c, "full", 1500), STINT_QUEUE_FULL);
    assert_non_null(strstr(stint_client_error(c), "backlog limit"));
    assert_int_equal(stint_client_pending(c), 0);
    (void)submit(c, "other", "x");
    assert_int_equal(stint_client_held(c, NULL), STINT_OK);
    stint_client_destroy(&c);
    assert_stored("other");
}

static void
what_was_stored_after_all_is_a_success(void **state)
{
    struct stint_client *c = new_client(NULL);
    (void)state;
    /* Refused, and when the library makes certain that it is not stored, it is. */
    assert_int_equal(try_submit(c, "late", 1500), STINT_OK);
    (void)submit(c, "other", "x");
    stint_client_destroy(&c);
    assert_stored("late other");
}

static void
those_behind_wait_too_and_keep_their_order_while_questions_go_on(void **state)
{
    static const char *const queues[] = {"a", "full2", "b", "c"};
    struct stint_client *c = new_client(NULL);
    struct told told = {0};
    const char *why;
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        submit_async(c, queues[i], &told);
    while (stint_client_held(c, &why) == STINT_OK)
        assert_int_equal(stint_client_process(c, 1000), STINT_OK);
    assert_int_equal(stint_client_held(c, &why), STINT_QUEUE_FULL);
    assert_non_null(strstr(why, "no room"));
    assert_int_equal(told.count, 1);
    assert_in_range(stint_client_timeout_ms(c), 0, 2000);
    assert_int_equal(stint_ping(c, NULL, TIMEOUT_MS), STINT_OK);
    process_until_told(c, &told, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(told.statuses[i], STINT_OK);
    assert_int_equal(stint_client_held(c, &why), STINT_OK);
    assert_string_equal(why, "");
    stint_client_destroy(&c);
    assert_stored("a full2 b c");
}

static void
a_program_may_want_to_be_refused_at_once(void **state)
{
    struct stint_client_options o = {.refuse_at_once = true};
    struct stint_client *c = new_client(&o);
    struct told told = {0};
    (void)state;
    submit_async(c, "full", &told);
    submit_async(c, "b", &told);
    submit_async(c, "full", &told);
    submit_async(c, "c", &told);
    process_until_told(c, &told, 4);
    assert_int_equal(told.statuses[0], STINT_QUEUE_FULL);
    assert_int_equal(told.statuses[1], STINT_OK);
    assert_int_equal(told.statuses[2], STINT_QUEUE_FULL);
    assert_int_equal(told.statuses[3], STINT_OK);
    assert_int_equal(try_submit(c, "full", 0), STINT_QUEUE_FULL);
    stint_client_destroy(&c);
    assert_stored("b c");
}

static void
a_large_call_tells_how_far_it_came(void **state)
{
    enum { MESSAGE = 4096, JOBS = MESSAGE + 10 };
    struct stint_client *c = new_client(NULL);
    struct stint_job *jobs = calloc(JOBS, sizeof *jobs);
    struct stint_id *ids = calloc(JOBS, sizeof *ids);
    size_t stored = 99;
    (void)state;
    assert_true(jobs && ids);
    for (unsigned i = 0; i < JOBS; i++)
        jobs[i] = job_for(i < MESSAGE ? "many" : "full", "");
    assert_int_equal(stint_submit_some(c, jobs, JOBS, ids, &stored, 300), STINT_QUEUE_FULL);
    assert_int_equal(stored, MESSAGE);
    assert_int_equal(stint_cancel(c, &ids[MESSAGE - 1], 1, NULL, TIMEOUT_MS), STINT_OK);
    jobs[MESSAGE + 5].queue = "not a name"; /* all are checked before the first is sent */
    assert_int_equal(stint_submit_some(c, jobs, JOBS, ids, &stored, 0), STINT_BAD_NAME);
    assert_int_equal(stored, 0);
    assert_non_null(strstr(stint_client_error(c), "job 4101: queue \"not a name\""));
    free(jobs);
    free(ids);
    stint_client_destroy(&c);
}

static void
a_refusal_that_an_older_broker_has_stored_is_told_and_its_number_is_used(void **state)
{
    struct stint_client *c = new_client(NULL);
    (void)state;
    assert_int_equal(try_submit(c, "oldfull", TIMEOUT_MS), STINT_QUEUE_FULL);
    (void)submit(c, "other", "x");
    assert_int_equal(stint_client_answered(c), 2);
    stint_client_destroy(&c);
    assert_stored("other");
}

static void
a_final_refusal_ends_only_the_submission_it_is_about(void **state)
{
    static const char *const queues[] = {"a", "large", "b", "large", "c"};
    struct stint_client *c = new_client(NULL);
    struct told told = {0};
    (void)state;
    for (unsigned i = 0; i < 5; i++)
        submit_async(c, queues[i], &told);
    process_until_told(c, &told, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(told.statuses[i], i % 2 ? STINT_TOO_LARGE : STINT_OK);
    assert_int_equal(stint_client_answered(c), 3);
    struct stint_job jobs[] = {job_for("x", ""), job_for("large", "")};
    assert_int_equal(stint_submit(c, jobs, 2, NULL, TIMEOUT_MS), STINT_TOO_LARGE);
    assert_non_null(strstr(stint_client_error(c), "job 1: too much"));
    stint_client_destroy(&c);
    assert_stored("a b c");
}

/* ---- callbacks ---- */

static void
each_submission_is_told_once_also_when_its_client_is_destroyed(void **state)
{
    struct stint_client_options nowhere = {.endpoint = "ipc:///nonexistent/socket"};
    struct stint_client *c = new_client(NULL);
    struct told told = {0};
    (void)state;
    submit_async(c, "other", &told);
    submit_async(c, "lost-2", &told);
    process_until_told(c, &told, 1);
    assert_int_equal(stint_ping(c, NULL, 300), STINT_TIMEOUT); /* it was sent before */
    stint_client_destroy(&c);
    assert_int_equal(told.count, 2);
    assert_int_equal(told.statuses[0], STINT_OK);
    assert_int_equal(told.statuses[1], STINT_UNKNOWN_OUTCOME);
    told.count = 0;
    c = new_client(&nowhere);
    submit_async(c, "other", &told);
    assert_int_equal(stint_client_process(c, 10), STINT_OK);
    stint_client_destroy(&c);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.statuses[0], STINT_CLOSED);
    assert_stored("other");
}

struct asking {
    struct stint_client *client;
    struct stint_id id;
    unsigned asked;
};

static void
ask_all(struct asking *a)
{
    struct stint_job job = job_for("nested", "");
    const struct stint_job_info *info;
    struct stint_stats stats;
    struct stint_client *c = a->client;
    assert_int_equal(stint_submit(c, &job, 1, NULL, 0), STINT_IN_CALLBACK);
    assert_int_equal(stint_wait(c, &a->id, 1, false, NULL, NULL, 0), STINT_IN_CALLBACK);
    assert_int_equal(stint_get(c, &a->id, STINT_PAYLOAD, &info, 0), STINT_IN_CALLBACK);
    assert_int_equal(stint_get_stats(c, &stats, 0), STINT_IN_CALLBACK);
    assert_int_equal(stint_cancel(c, &a->id, 1, NULL, 0), STINT_IN_CALLBACK);
    assert_int_equal(stint_connect(c, 0), STINT_IN_CALLBACK);
    assert_int_equal(stint_client_process(c, 0), STINT_IN_CALLBACK);
    assert_non_null(strstr(stint_client_error(c), "callback"));
    a->asked++;
}

static void
ask_when_submitted(
    void *context, enum stint_status status, const struct stint_id *ids, size_t count)
{
    struct asking *a = context;
    assert_int_equal(status, STINT_OK);
    assert_int_equal(count, 1);
    a->id = ids[0];
    ask_all(a);
}

static void
ask_when_settled(void *context, const struct stint_job_info *info)
{
    assert_true(stint_state_settled(info->state));
    ask_all(context);
}

static bool
ask_for_each(void *context, const struct stint_job_info *info)
{
    (void)info;
    ask_all(context);
    return false;
}

static void
a_call_that_waits_is_refused_in_a_callback(void **state)
{
    struct asking a = {.client = new_client(NULL)};
    struct stint_job job = job_for("other", "");
    struct stint_filter all = {0};
    (void)state;
    assert_int_equal(stint_submit_async(a.client, &job, 1, ask_when_submitted, &a), STINT_OK);
    while (a.asked < 1)
        assert_int_equal(stint_client_process(a.client, 1000), STINT_OK);
    assert_int_equal(stint_wait(a.client, &a.id, 1, true, ask_when_settled, &a, 0), STINT_OK);
    assert_int_equal(stint_list(a.client, &all, ask_for_each, &a, 0), STINT_OK);
    assert_int_equal(a.asked, 3);
    stint_client_destroy(&a.client);
    assert_stored("other");
}

static void
count_outcome(void *context, const struct stint_job_info *info)
{
    unsigned *count = context;
    assert_true(info->state == STINT_CANCELLED_JOB);
    ++*count;
}

static void
a_wait_that_is_over_calls_nobody_and_leaves_earlier_watches_alone(void **state)
{
    struct stint_client *c = new_client(NULL);
    unsigned watched = 0, waited = 0;
    (void)state;
    struct stint_id ids[] = {submit(c, "never", "1"), submit(c, "never", "2")};
    assert_int_equal(stint_watch(c, &ids[0], 1, false, count_outcome, &watched), STINT_OK);
    assert_int_equal(stint_wait(c, ids, 2, true, count_outcome, &waited, 100), STINT_TIMEOUT);
    assert_non_null(strstr(stint_client_error(c), "2 of 2 jobs are not settled yet"));
    assert_null(strstr(stint_client_error(c), "busy"));
    assert_int_equal(stint_client_watched(c), 1);
    assert_int_equal(stint_cancel(c, ids, 2, NULL, TIMEOUT_MS), STINT_OK);
    while (watched < 1)
        assert_int_equal(stint_client_process(c, 1000), STINT_OK);
    assert_int_equal(stint_ping(c, NULL, TIMEOUT_MS), STINT_OK);
    assert_int_equal(waited, 0);
    stint_client_destroy(&c);
}

static void
nothing(void *context, const struct stint_job_info *info)
{
    (void)info;
    ++*(unsigned *)context;
}

static void
a_wait_waits_for_its_own_jobs_only(void **state)
{
    struct stint_client *c = new_client(NULL);
    unsigned watched = 0, waited = 0;
    (void)state;
    struct stint_id never = submit(c, "never", "1"), soon = submit(c, "soon", "2");
    assert_int_equal(stint_watch(c, &never, 1, false, nothing, &watched), STINT_OK);
    assert_int_equal(stint_watch(c, &soon, 1, false, nothing, &watched), STINT_OK);
    assert_int_equal(stint_wait(c, &soon, 1, true, nothing, &waited, TIMEOUT_MS), STINT_OK);
    assert_int_equal(waited, 1);
    assert_int_equal(watched, 1); /* both are told */
    assert_int_equal(stint_client_watched(c), 1);
    stint_unwatch(c, &never, 1);
    assert_int_equal(stint_client_watched(c), 0);
    assert_int_equal(stint_cancel(c, &never, 1, NULL, TIMEOUT_MS), STINT_OK);
    assert_int_equal(stint_ping(c, NULL, TIMEOUT_MS), STINT_OK);
    assert_int_equal(watched, 1);
    stint_client_destroy(&c);
}

static void
count_unknown(void *context, const struct stint_job_info *info)
{
    *(unsigned *)context += info->state == STINT_UNKNOWN;
}

static void
a_wait_for_what_the_client_may_not_see_comes_to_its_end(void **state)
{
    struct stint_client *c = new_client(NULL);
    unsigned unknown = 0;
    (void)state;
    struct stint_id ids[] = {submit(c, "denied", "1"), submit(c, "soon", "2")};
    struct stint_id all[] = {submit(c, "denied-all", "3"), submit(c, "soon", "4")};
    assert_int_equal(stint_wait(c, ids, 2, true, count_unknown, &unknown, TIMEOUT_MS), STINT_OK);
    assert_int_equal(unknown, 1);
    assert_int_equal(stint_wait(c, all, 2, true, count_unknown, &unknown, TIMEOUT_MS), STINT_OK);
    assert_int_equal(unknown, 3);
    stint_client_destroy(&c);
}

static void
a_client_that_is_destroyed_tells_no_outcomes(void **state)
{
    struct stint_client *c = new_client(NULL), *other = new_client(NULL);
    unsigned watched = 0;
    (void)state;
    struct stint_id never = submit(c, "never", "1");
    assert_int_equal(stint_watch(c, &never, 1, false, nothing, &watched), STINT_OK);
    assert_int_equal(stint_ping(c, NULL, TIMEOUT_MS), STINT_OK); /* the broker watches it, too */
    assert_int_equal(stint_cancel(other, &never, 1, NULL, TIMEOUT_MS), STINT_OK);
    stint_client_destroy(&c);
    assert_int_equal(watched, 0);
    stint_client_destroy(&other);
}

struct events {
    struct stint_client *client;
    unsigned count;
};

static void
end_at_the_first(void *context, const struct stint_event *event)
{
    struct events *e = context;
    assert_int_equal(event->type, STINT_EVENT_SUBMITTED);
    e->count++;
    stint_unsubscribe(e->client, end_at_the_first, e);
}

static void
a_subscription_can_be_ended_also_by_what_it_tells(void **state)
{
    struct events e = {.client = new_client(NULL)};
    struct stint_subscription all = {0};
    (void)state;
    assert_int_equal(stint_subscribe(e.client, &all, end_at_the_first, &e, TIMEOUT_MS), STINT_OK);
    for (unsigned i = 0; i < 3; i++)
        (void)submit(e.client, "event", "x");
    while (e.count < 1)
        assert_int_equal(stint_client_process(e.client, 1000), STINT_OK);
    assert_int_equal(stint_ping(e.client, NULL, TIMEOUT_MS), STINT_OK);
    assert_int_equal(e.count, 1);
    stint_unsubscribe(e.client, end_at_the_first, &e); /* there is none any more */
    stint_client_destroy(&e.client);
}

static void
an_event_loop_keeps_its_descriptor_across_reconnects(void **state)
{
    struct stint_client *c = new_client(NULL);
    struct told told = {0};
    struct pollfd fd = {.fd = stint_client_fd(c), .events = POLLIN};
    (void)state;
    assert_true(fd.fd >= 0);
    submit_async(c, "silent-3", &told);
    submit_async(c, "other", &told);
    while (told.count < 2) {
        assert_int_equal(stint_client_process(c, 0), STINT_OK);
        assert_true(poll(&fd, 1, (int)stint_client_timeout_ms(c)) >= 0);
    }
    assert_int_equal(stint_client_fd(c), fd.fd);
    assert_true(told.statuses[0] == STINT_OK && told.statuses[1] == STINT_OK);
    for (unsigned i = 0; i < 20; i++) { /* now it tells at once, not by its timeout */
        submit_async(c, "other", &(struct told){0});
        assert_int_equal(stint_client_process(c, 0), STINT_OK);
        while (stint_client_pending(c) > 0) {
            assert_int_equal(poll(&fd, 1, TIMEOUT_MS), 1);
            assert_int_equal(stint_client_process(c, 0), STINT_OK);
        }
    }
    stint_client_destroy(&c);
}

/* ---- questions ---- */

static void
what_does_not_fit_into_one_answer_is_asked_for_again(void **state)
{
    struct stint_client *c = new_client(NULL);
    const struct stint_job_info *info;
    (void)state;
    struct stint_id id = submit(c, "other", "payload");
    assert_int_equal(stint_get(c, &id, STINT_PAYLOAD | STINT_RESULT, &info, TIMEOUT_MS), STINT_OK);
    assert_int_equal(info->payload_bytes, 7);
    assert_memory_equal(info->payload, "payload", 7);
    assert_int_equal(info->result_bytes, 6);
    assert_memory_equal(info->result, "result", 6);
    stint_client_destroy(&c);
}

static bool
count_queue(void *context, const struct stint_queue_info *info)
{
    assert_string_equal(info->unserved, "pdf");
    return ++*(unsigned *)context != 4;
}

static bool
count_worker(void *context, const struct stint_worker_info *info)
{
    assert_string_equal(info->kinds, "pdf mail");
    ++*(unsigned *)context;
    return true;
}

static void
queues_and_workers_are_read_in_pages_until_the_caller_has_enough(void **state)
{
    struct stint_client *c = new_client(NULL);
    unsigned queues = 0, workers = 0;
    (void)state;
    assert_int_equal(stint_queues(c, count_queue, &queues, TIMEOUT_MS), STINT_OK);
    assert_int_equal(queues, 4); /* of five */
    queues = 10;
    assert_int_equal(stint_queues(c, count_queue, &queues, TIMEOUT_MS), STINT_OK);
    assert_int_equal(queues, 15);
    assert_int_equal(stint_workers(c, count_worker, &workers, TIMEOUT_MS), STINT_OK);
    assert_int_equal(workers, 3);
    stint_client_destroy(&c);
}

static void
a_broker_without_fleet_control_is_told_so(void **state)
{
    const struct stint_target all = {.all = true};
    struct stint_client *c = new_client(NULL);
    struct stint_fleet fleet;
    (void)state;
    assert_int_equal(stint_set_slots(c, &all, 3, NULL, TIMEOUT_MS), STINT_UNSUPPORTED);
    assert_non_null(strstr(stint_client_error(c), "no fleet control"));
    assert_int_equal(stint_drain_workers(c, &all, NULL, TIMEOUT_MS), STINT_UNSUPPORTED);
    assert_int_equal(stint_get_fleet(c, &fleet, TIMEOUT_MS), STINT_UNSUPPORTED);
    assert_int_equal(stint_running(c, "w", NULL, NULL, TIMEOUT_MS), STINT_UNSUPPORTED);
    assert_int_equal(stint_set_queue(c, "q", STINT_PAUSE_QUEUE, NULL, 0), STINT_UNSUPPORTED);
    stint_client_destroy(&c);
}

#define TEST(name) cmocka_unit_test_setup(name, count_stored)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_stored_and_not_answered_is_never_called_unreachable),
        TEST(what_was_given_up_is_not_stored_later_behind_the_callers_back),
        TEST(a_session_that_is_written_down_finds_out_what_became_of_its_last_submission),
        TEST(a_session_that_the_broker_has_forgotten_says_so_once),
        TEST(a_session_of_the_librarys_own_that_is_forgotten_is_replaced),
        TEST(a_submit_waits_for_room),
        TEST(a_queue_that_stays_full_is_told_in_time_and_nothing_is_stored),
        TEST(what_was_stored_after_all_is_a_success),
        TEST(those_behind_wait_too_and_keep_their_order_while_questions_go_on),
        TEST(a_program_may_want_to_be_refused_at_once),
        TEST(a_large_call_tells_how_far_it_came),
        TEST(a_refusal_that_an_older_broker_has_stored_is_told_and_its_number_is_used),
        TEST(a_final_refusal_ends_only_the_submission_it_is_about),
        TEST(each_submission_is_told_once_also_when_its_client_is_destroyed),
        TEST(a_call_that_waits_is_refused_in_a_callback),
        TEST(a_wait_that_is_over_calls_nobody_and_leaves_earlier_watches_alone),
        TEST(a_wait_waits_for_its_own_jobs_only),
        TEST(a_wait_for_what_the_client_may_not_see_comes_to_its_end),
        TEST(a_client_that_is_destroyed_tells_no_outcomes),
        TEST(a_subscription_can_be_ended_also_by_what_it_tells),
        TEST(an_event_loop_keeps_its_descriptor_across_reconnects),
        TEST(what_does_not_fit_into_one_answer_is_asked_for_again),
        TEST(queues_and_workers_are_read_in_pages_until_the_caller_has_enough),
        TEST(a_broker_without_fleet_control_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
