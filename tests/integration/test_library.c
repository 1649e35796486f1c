/* libstint as a program uses it: many jobs in a call, lists, commands for thousands, sessions that
 * go on in another client, refusals in words. Run by test_library.py, which starts the broker (with
 * a limit of 20,000 jobs for each queue) and a worker for queue `run` whose handler is `cat`, and
 * for kind `large` one that writes 4 MB, and a warning on standard error.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stint.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MANY = 10000, TIMEOUT_MS = 60000 };

static int
compare(const struct stint_id *a, const struct stint_id *b)
{
    return memcmp(a->bytes, b->bytes, STINT_ID_BYTES);
}

static struct stint_client *
new_client(const uint8_t *session, uint64_t submission)
{
    struct stint_client *c;
    struct stint_client_options o = {.session = session, .submission = submission};
    assert_int_equal(stint_client_new(&o, &c), STINT_OK);
    assert_int_equal(stint_connect(c, TIMEOUT_MS), STINT_OK);
    return c;
}

static struct stint_job *
many_jobs(const char *queue)
{
    struct stint_job *jobs = calloc(MANY, sizeof *jobs);
    assert_non_null(jobs);
    for (size_t i = 0; i < MANY; i++) {
        jobs[i] = (struct stint_job)STINT_JOB_INIT;
        jobs[i].queue = queue;
        jobs[i].payload = "some bytes";
        jobs[i].payload_bytes = 10;
    }
    return jobs;
}

static struct stint_id *
submit_many(struct stint_client *c, const char *queue)
{
    struct stint_job *jobs = many_jobs(queue);
    struct stint_id *ids = calloc(MANY, sizeof *ids);
    assert_non_null(ids);
    assert_int_equal(stint_submit(c, jobs, MANY, ids, TIMEOUT_MS), STINT_OK);
    free(jobs);
    return ids;
}

struct count {
    uint64_t seen, most;
    struct stint_id last;
};

static bool
count_one(void *context, const struct stint_job_info *info)
{
    struct count *c = context;
    assert_true(c->seen == 0 || compare(&c->last, &info->id) < 0);
    c->last = info->id;
    return ++c->seen < c->most;
}

static void
a_call_with_more_jobs_than_a_message_takes_is_cut(void **state)
{
    struct stint_client *c = new_client(NULL, 0);
    struct stint_id *ids = submit_many(c, "cut");
    (void)state;
    for (size_t i = 1; i < MANY; i++)
        assert_true(compare(&ids[i - 1], &ids[i]) < 0);
    free(ids);
    stint_client_destroy(&c);
}

/* A graph: jobs name those that have gone in an earlier message, too, if their ids are known. */
static void
jobs_of_such_a_call_may_be_after_each_other(void **state)
{
    struct stint_client *c = new_client(NULL, 0);
    struct stint_job *jobs = calloc(MANY, sizeof *jobs);
    struct stint_id *ids = calloc(MANY, sizeof *ids),
                    parents[] = {stint_earlier(0), stint_earlier(1)};
    const struct stint_job_info *info;
    (void)state;
    assert_true(jobs && ids);
    for (size_t i = 0; i < MANY; i++) {
        jobs[i] = (struct stint_job)STINT_JOB_INIT;
        jobs[i].queue = "graph";
        jobs[i].after.ids = parents;
        jobs[i].after.count = i == 1 ? 1 : i > 1 ? 2 : 0;
    }
    assert_int_equal(stint_submit(c, jobs, MANY, NULL, TIMEOUT_MS), STINT_OK);
    assert_int_equal(stint_submit(c, jobs, MANY, ids, TIMEOUT_MS), STINT_OK);
    assert_int_equal(stint_get(c, &ids[MANY - 1], 0, &info, TIMEOUT_MS), STINT_OK);
    assert_int_equal(info->state, STINT_BLOCKED);
    assert_int_equal(info->after, 2);
    assert_int_equal(stint_cancel(c, &ids[1], 1, NULL, TIMEOUT_MS), STINT_OK);
    do
        assert_int_equal(stint_get(c, &ids[MANY - 1], 0, &info, TIMEOUT_MS), STINT_OK);
    while (info->state == STINT_BLOCKED);
    assert_int_equal(info->state, STINT_CANCELLED_JOB);
    jobs[0].after.count = 1; /* itself */
    assert_int_equal(stint_submit(c, jobs, 1, ids, TIMEOUT_MS), STINT_INVALID);
    jobs[1].after.flags = 2;
    assert_int_equal(stint_submit(c, jobs + 1, 1, ids, TIMEOUT_MS), STINT_INVALID);
    jobs[1].after = (struct stint_parents){ids + MANY / 2, 1001, 0};
    assert_int_equal(stint_submit(c, jobs + 1, 1, ids, TIMEOUT_MS), STINT_INVALID);
    jobs[1].after = (struct stint_parents){NULL, 1, 0};
    assert_int_equal(stint_submit(c, jobs + 1, 1, ids, TIMEOUT_MS), STINT_INVALID);
    free(jobs);
    free(ids);
    stint_client_destroy(&c);
}

static void
jobs_with_more_bytes_than_a_message_takes_are_cut_too(void **state)
{
    enum { JOBS = 9, BYTES = 1 << 20 };
    struct stint_client *c = new_client(NULL, 0);
    struct stint_job jobs[JOBS];
    struct stint_id ids[JOBS];
    const struct stint_job_info *info;
    (void)state;
    char *large = malloc(BYTES);
    assert_non_null(large);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct stint_job)STINT_JOB_INIT;
        jobs[i].queue = "large";
        jobs[i].payload = large;
        jobs[i].payload_bytes = BYTES;
    }
    memset(large, 'x', BYTES);
    assert_int_equal(stint_submit(c, jobs, JOBS, ids, TIMEOUT_MS), STINT_OK);
    assert_int_equal(stint_get(c, &ids[JOBS - 1], STINT_PAYLOAD, &info, TIMEOUT_MS), STINT_OK);
    assert_int_equal(info->payload_bytes, BYTES);
    assert_memory_equal(info->payload, large, BYTES);
    assert_int_equal(stint_submit_async(c, jobs, JOBS, NULL, NULL), STINT_TOO_LARGE);
    free(large);
    stint_client_destroy(&c);
}

static void
a_list_is_read_in_order_and_to_its_limit(void **state)
{
    struct stint_client *c = new_client(NULL, 0);
    struct stint_filter filter = {.queue = "list"};
    struct count count = {.most = UINT64_MAX};
    (void)state;
    free(submit_many(c, "list"));
    assert_int_equal(stint_list(c, &filter, count_one, &count, TIMEOUT_MS), STINT_OK);
    assert_int_equal(count.seen, MANY);
    count = (struct count){.most = UINT64_MAX};
    filter.limit = 2500;
    assert_int_equal(stint_list(c, &filter, count_one, &count, TIMEOUT_MS), STINT_OK);
    assert_int_equal(count.seen, 2500);
    count = (struct count){.most = 7}; /* the caller has seen enough */
    assert_int_equal(stint_list(c, &filter, count_one, &count, TIMEOUT_MS), STINT_OK);
    assert_int_equal(count.seen, 7);
    count = (struct count){.most = UINT64_MAX};
    filter.states = STINT_STATE_BIT(STINT_DEAD);
    assert_int_equal(stint_list(c, &filter, count_one, &count, TIMEOUT_MS), STINT_OK);
    assert_int_equal(count.seen, 0);
    filter.queue = "never-used";
    assert_int_equal(stint_list(c, &filter, count_one, &count, TIMEOUT_MS), STINT_NO_SUCH_QUEUE);
    filter.queue = "not a name";
    assert_int_equal(stint_list(c, &filter, count_one, &count, TIMEOUT_MS), STINT_BAD_NAME);
    stint_client_destroy(&c);
}

static void
thousands_are_cancelled_and_retried_in_one_call(void **state)
{
    struct stint_client *c = new_client(NULL, 0);
    struct stint_id *ids = submit_many(c, "cancel"), nobody = ids[MANY - 1];
    enum stint_status *statuses = calloc(MANY, sizeof *statuses);
    (void)state;
    assert_non_null(statuses);
    assert_int_equal(stint_cancel(c, ids, MANY, NULL, TIMEOUT_MS), STINT_OK);
    nobody.bytes[STINT_ID_BYTES - 2] = 0xff; /* no job has this number yet */
    ids[MANY - 1] = nobody;
    assert_int_equal(stint_retry(c, ids, MANY, statuses, TIMEOUT_MS), STINT_NO_SUCH_JOB);
    for (size_t i = 0; i + 1 < MANY; i++)
        assert_int_equal(statuses[i], STINT_OK);
    assert_int_equal(statuses[MANY - 1], STINT_NO_SUCH_JOB);
    assert_int_equal(stint_retry(c, ids, 1, statuses, TIMEOUT_MS), STINT_WRONG_STATE);
    assert_non_null(strstr(stint_client_error(c), "retrying"));
    free(statuses);
    free(ids);
    stint_client_destroy(&c);
}

static void
a_session_goes_on_in_another_client_without_a_second_job(void **state)
{
    static const uint8_t session[STINT_SESSION_BYTES] = {7, 7, 7};
    struct stint_client *c = new_client(session, 0);
    struct stint_job job = STINT_JOB_INIT;
    struct stint_id first, second, again;
    (void)state;
    job.queue = "session";
    assert_int_equal(stint_submit(c, &job, 1, &first, TIMEOUT_MS), STINT_OK);
    assert_int_equal(stint_submit(c, &job, 1, &second, TIMEOUT_MS), STINT_OK);
    stint_client_destroy(&c);
    c = new_client(session, 1); /* it has not heard the second answer */
    assert_int_equal(stint_client_submission(c), 2);
    assert_int_equal(stint_submit(c, &job, 1, &again, TIMEOUT_MS), STINT_OK);
    assert_int_equal(compare(&second, &again), 0);
    assert_int_equal(stint_submit(c, &job, 1, &again, TIMEOUT_MS), STINT_OK);
    assert_true(compare(&second, &again) < 0);
    stint_client_destroy(&c);
}

struct heard {
    unsigned count;
    bool good;
};

static void
heard_of(void *context, const struct stint_job_info *info)
{
    struct heard *h = context;
    h->count++;
    h->good &= info->state == STINT_SUCCEEDED && info->result_bytes == 10 && info->result &&
        memcmp(info->result, "some bytes", 10) == 0;
}

static void
thousands_are_run_and_waited_for(void **state)
{
    struct stint_client *c = new_client(NULL, 0);
    struct stint_id *ids = submit_many(c, "run");
    struct heard heard = {.good = true};
    (void)state;
    assert_int_equal(stint_wait(c, ids, 500, true, heard_of, &heard, TIMEOUT_MS), STINT_OK);
    assert_int_equal(heard.count, 500);
    assert_true(heard.good);
    assert_int_equal(stint_wait(c, ids + MANY - 1, 1, true, heard_of, &heard, 1), STINT_TIMEOUT);
    assert_int_equal(stint_cancel(c, ids, MANY, NULL, TIMEOUT_MS), STINT_WRONG_STATE);
    free(ids);
    stint_client_destroy(&c);
}

static void
heard_of_large(void *context, const struct stint_job_info *info)
{
    struct heard *h = context;
    h->count++;
    h->good &= info->result_bytes == 4000000 && info->result && strcmp(info->error, "warning") == 0;
}

/* The broker leaves results out where too much is unread. */
static void
who_is_behind_hears_of_all_results_all_the_same(void **state)
{
    enum { LARGE = 22 };
    struct stint_client *c = new_client(NULL, 0), *other = new_client(NULL, 0);
    struct stint_job jobs[LARGE];
    struct stint_id ids[LARGE];
    struct heard heard = {.good = true}, settled = {.good = false};
    (void)state;
    for (size_t i = 0; i < LARGE; i++) {
        jobs[i] = (struct stint_job)STINT_JOB_INIT;
        jobs[i].queue = "run";
        jobs[i].kind = "large";
        jobs[i].priority = 255;
    }
    assert_int_equal(stint_submit(c, jobs, LARGE, ids, TIMEOUT_MS), STINT_OK);
    assert_int_equal(stint_watch(c, ids, LARGE, true, heard_of_large, &heard), STINT_OK);
    assert_int_equal(stint_client_process(c, 0), STINT_OK); /* and not again until all is over */
    assert_int_equal(
        stint_wait(other, ids, LARGE, false, heard_of_large, &settled, TIMEOUT_MS), STINT_OK);
    while (heard.count < LARGE)
        assert_int_equal(stint_client_process(c, 1000), STINT_OK);
    assert_true(heard.good);
    stint_client_destroy(&c);
    stint_client_destroy(&other);
}

static void
an_event_loop_is_told_when_to_call_and_hears_of_what_happens(void **state)
{
    struct stint_client *c = new_client(NULL, 0);
    struct stint_job job = STINT_JOB_INIT;
    struct stint_id id;
    struct heard heard = {.good = true};
    (void)state;
    job.queue = "run";
    job.priority = 255;
    job.payload = "some bytes";
    job.payload_bytes = 10;
    assert_int_equal(stint_submit(c, &job, 1, &id, TIMEOUT_MS), STINT_OK);
    assert_int_equal(stint_watch(c, &id, 1, true, heard_of, &heard), STINT_OK);
    assert_int_equal(stint_client_watched(c), 1);
    assert_int_equal(stint_client_process(c, 0), STINT_OK); /* asks; from now on the loop waits */
    while (heard.count == 0) {
        struct pollfd fd = {.fd = stint_client_fd(c), .events = POLLIN};
        uint32_t timeout_ms = stint_client_timeout_ms(c);
        assert_in_range(timeout_ms, 0, 60000);
        assert_true(poll(&fd, 1, (int)timeout_ms) >= 0);
        assert_int_equal(stint_client_process(c, 0), STINT_OK);
    }
    assert_true(heard.good);
    assert_int_equal(stint_client_watched(c), 0);
    stint_client_destroy(&c);
}

struct answers {
    unsigned count;
    uint64_t last_ms;
};

static uint64_t
now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
count_answer(void *context, enum stint_status status, const struct stint_id *ids, size_t count)
{
    struct answers *a = context;
    (void)ids;
    assert_int_equal(status, STINT_OK);
    assert_int_equal(count, 1);
    a->count++;
    a->last_ms = now_ms();
}

/* Two answers within a millisecond, of which a call takes the first: it must not sleep on the
 * second, nor after it has called back. */
static void
processing_returns_when_it_has_called_back(void **state)
{
    enum { ROUNDS = 800, WAIT_MS = 1000 };
    struct stint_client *c = new_client(NULL, 0);
    struct answers a = {0};
    struct stint_job job = STINT_JOB_INIT;
    (void)state;
    job.queue = "processing";
    for (unsigned i = 0; i < ROUNDS; i++) {
        assert_int_equal(stint_submit_async(c, &job, 1, count_answer, &a), STINT_OK);
        assert_int_equal(stint_client_process(c, 0), STINT_OK);
        assert_int_equal(stint_submit_async(c, &job, 1, count_answer, &a), STINT_OK);
        while (a.count < 2 * i + 2) {
            unsigned before = a.count;
            assert_int_equal(stint_client_process(c, WAIT_MS), STINT_OK);
            assert_true(a.count == before || now_ms() - a.last_ms < WAIT_MS / 2);
        }
    }
    stint_client_destroy(&c);
}

/* It names no fields, so that it is C++11 too: they have to stand in its order. */
static void
count_news(void *context, const struct stint_feed_news *news)
{
    (void)news;
    ++*(unsigned *)context;
}

/* Of events, of a gap and of the end alike. */
static void
a_client_that_is_destroyed_tells_nothing_of_its_feeds(void **state)
{
    struct stint_client *c, *other = new_client(NULL, 0);
    const struct stint_feed feed = {.name = "quiet", .max_events = 1}, full = {.name = "full-feed"};
    struct stint_job job = STINT_JOB_INIT;
    unsigned heard = 0;
    (void)state;
    job.queue = "fed";
    assert_int_equal(stint_set_feed(other, &feed, NULL, TIMEOUT_MS), STINT_OK);
    assert_int_equal(stint_set_feed(other, &full, NULL, TIMEOUT_MS), STINT_OK);
    for (unsigned round = 0; round < 2; round++) { /* nothing is there; then something is missing */
        const struct stint_follow follows[] = {
            {.feed = "quiet", .ends = true, .happened = count_news, .context = &heard},
            {.feed = "quiet",
                .ends = true,
                .happened = count_news,
                .context = &heard,
                .from = {1, 0}},
            {.feed = "full-feed", .happened = count_news, .context = &heard, .from = {1, 0}},
            {.feed = "none", .happened = count_news, .context = &heard}};
        c = new_client(NULL, 0);
        for (size_t i = 0; i < sizeof follows / sizeof *follows; i++)
            assert_int_equal(stint_follow(c, &follows[i]), STINT_OK);
        assert_int_equal(stint_client_process(c, 0), STINT_OK);
        /* The broker answers in order, so its answers are on their way. */
        assert_int_equal(stint_ping(other, NULL, TIMEOUT_MS), STINT_OK);
        (void)poll(NULL, 0, 100);
        heard = 0;
        stint_client_destroy(&c);
        assert_int_equal(heard, 0);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(stint_submit(other, &job, 1, NULL, TIMEOUT_MS), STINT_OK);
    }
    assert_int_equal(stint_remove_feed(other, "quiet", TIMEOUT_MS), STINT_OK);
    assert_int_equal(stint_remove_feed(other, "full-feed", TIMEOUT_MS), STINT_OK);
    stint_client_destroy(&other);
}

static void
a_fresh_job_has_the_defaults(void **state)
{
    static const struct stint_job expected = {.priority = -1, .keep_ms = -1};
    struct stint_job job = STINT_JOB_INIT;
    (void)state;
    assert_memory_equal(&job, &expected, sizeof job);
}

static void
what_is_refused_is_refused_in_words(void **state)
{
    struct stint_client *c = new_client(NULL, 0);
    struct stint_job job = STINT_JOB_INIT;
    struct stint_id ids[2];
    (void)state;
    job.queue = "not a name";
    assert_int_equal(stint_submit(c, &job, 1, ids, TIMEOUT_MS), STINT_BAD_NAME);
    assert_non_null(strstr(stint_client_error(c), "submitting"));
    assert_non_null(strstr(stint_client_error(c), "queue \"not a name\""));
    job.queue = "refused";
    job.priority = 256;
    assert_int_equal(stint_submit(c, &job, 1, ids, TIMEOUT_MS), STINT_INVALID);
    job.priority = 255;
    job.max_attempts = 65536;
    assert_int_equal(stint_submit(c, &job, 1, ids, TIMEOUT_MS), STINT_INVALID);
    job.max_attempts = 65535;
    job.keep_ms = INT64_MAX;
    assert_int_equal(stint_submit(c, &job, 1, ids, TIMEOUT_MS), STINT_INVALID);
    job.keep_ms = -1;
    job.payload_bytes = (4 << 20) + 1;
    job.payload = calloc(1, job.payload_bytes);
    assert_int_equal(stint_submit(c, &job, 1, ids, TIMEOUT_MS), STINT_TOO_LARGE);
    job.payload_bytes--; /* more than this broker takes */
    assert_int_equal(stint_submit(c, &job, 1, ids, TIMEOUT_MS), STINT_TOO_LARGE);
    assert_non_null(strstr(stint_client_error(c), "--payload-max"));
    free((void *)(uintptr_t)job.payload);
    job.payload_bytes = 0;
    assert_int_equal(stint_submit(c, &job, 1, ids, TIMEOUT_MS), STINT_OK);
    stint_client_destroy(&c);
}

static void
a_full_queue_refuses_the_rest_of_a_large_call(void **state)
{
    struct stint_client *c = new_client(NULL, 0);
    struct stint_job *jobs = many_jobs("full");
    struct stint_filter filter = {.queue = "full"};
    struct count count = {.most = UINT64_MAX};
    (void)state;
    free(submit_many(c, "full"));
    assert_int_equal(stint_submit(c, jobs, MANY, NULL, TIMEOUT_MS), STINT_OK);
    assert_int_equal(stint_submit(c, jobs, 1, NULL, 300), STINT_QUEUE_FULL);
    assert_int_equal(stint_list(c, &filter, count_one, &count, TIMEOUT_MS), STINT_OK);
    assert_int_equal(count.seen, 2 * MANY);
    free(jobs);
    stint_client_destroy(&c);
}

static void
a_broker_that_is_not_there_is_told_from_one_that_is_slow(void **state)
{
    struct stint_client *c;
    struct stint_client_options o = {.endpoint = "ipc:///nonexistent/socket"};
    struct stint_job job = STINT_JOB_INIT;
    (void)state;
    assert_int_equal(stint_client_new(&o, &c), STINT_OK);
    assert_int_equal(stint_connect(c, 20), STINT_UNREACHABLE);
    assert_int_equal(stint_submit(c, &job, 1, NULL, 20), STINT_UNREACHABLE);
    assert_int_equal(stint_client_pending(c), 0);
    assert_non_null(strstr(stint_client_error(c), "ipc:///nonexistent/socket"));
    stint_client_destroy(&c);
    o.endpoint = "no endpoint";
    assert_int_equal(stint_client_new(&o, &c), STINT_BAD_ENDPOINT);
    assert_null(c);
}

/* Told in HELLO: a long one is cut, and of one that the broker does not take no hint is given that
 * is of queues. */
static void
a_clients_name_may_be_long_and_has_to_be_utf_8(void **state)
{
    char name[152];
    const struct stint_client_options long_one = {.name = name}, bad_one = {.name = "\xff"};
    struct stint_client *c;
    (void)state;
    for (size_t i = 1; i < sizeof name - 1; i += 2)
        memcpy(&name[i], "\xc3\xa9", 2);
    name[0] = 'x';
    name[sizeof name - 1] = '\0';
    assert_int_equal(stint_client_new(&long_one, &c), STINT_OK);
    assert_int_equal(stint_connect(c, TIMEOUT_MS), STINT_OK);
    stint_client_destroy(&c);
    assert_int_equal(stint_client_new(&bad_one, &c), STINT_OK);
    assert_int_equal(stint_connect(c, TIMEOUT_MS), STINT_BAD_NAME);
    assert_non_null(strstr(stint_client_error(c), "name or software is not UTF-8"));
    assert_null(strstr(stint_client_error(c), "1 to 64 characters"));
    stint_client_destroy(&c);
}

static bool
keep_worker(void *context, const struct stint_worker_info *info)
{
    *(struct stint_worker_info *)context = *info;
    return true;
}

static bool
no_job(void *context, const struct stint_running_info *info)
{
    (void)context;
    (void)info;
    return false;
}

/* Asks until the worker has so many slots; that it gets them is the broker's promise. */
static struct stint_worker_info
worker_with(struct stint_client *c, uint32_t slots)
{
    struct stint_worker_info w = {0};
    do
        assert_int_equal(stint_workers(c, keep_worker, &w, TIMEOUT_MS), STINT_OK);
    while (w.slots != slots);
    return w;
}

static void
workers_are_told_what_to_do_and_how_many_they_were_is_told(void **state)
{
    struct stint_client *c = new_client(NULL, 0);
    struct stint_worker_info w = {0};
    struct stint_target named = {.worker = w.name}, all = {.all = true}, none = {.label = "none"};
    struct stint_fleet fleet;
    uint32_t met = 7;
    (void)state;
    assert_int_equal(stint_workers(c, keep_worker, &w, TIMEOUT_MS), STINT_OK);
    assert_true(w.cores > 0);
    assert_int_equal(stint_set_slots(c, &named, w.slots + 3, &met, TIMEOUT_MS), STINT_OK);
    assert_int_equal(met, 1);
    (void)worker_with(c, w.slots + 3);
    assert_int_equal(stint_set_slots(c, &named, STINT_OWN_SLOTS, NULL, TIMEOUT_MS), STINT_OK);
    (void)worker_with(c, w.slots);
    assert_int_equal(stint_pause_workers(c, &all, &met, TIMEOUT_MS), STINT_OK);
    assert_int_equal(met, 1);
    assert_int_equal(worker_with(c, w.slots).state, STINT_IS_PAUSED);
    assert_int_equal(stint_resume_workers(c, &all, &met, TIMEOUT_MS), STINT_OK);
    assert_int_equal(worker_with(c, w.slots).state, 0);
    assert_int_equal(stint_stop_workers(c, &none, &met, TIMEOUT_MS), STINT_OK);
    assert_int_equal(met, 0);
    assert_int_equal(stint_running(c, w.name, no_job, NULL, TIMEOUT_MS), STINT_OK);
    assert_int_equal(stint_set_fleet(c, 5, &fleet, TIMEOUT_MS), STINT_OK);
    assert_int_equal(fleet.slots, 5);
    assert_int_equal(fleet.workers, 1);
    assert_int_equal(fleet.cores, w.cores);
    (void)worker_with(c, 5);
    assert_int_equal(stint_get_fleet(c, &fleet, TIMEOUT_MS), STINT_OK);
    assert_int_equal(fleet.given, 5);
    assert_int_equal(stint_set_fleet(c, 0, NULL, TIMEOUT_MS), STINT_OK);
    (void)worker_with(c, w.slots);
    stint_client_destroy(&c);
}

static void
a_queue_is_controlled_and_tells_how_it_stands(void **state)
{
    struct stint_client_options o = {.refuse_at_once = true};
    struct stint_client *c = NULL;
    struct stint_queue_setting now;
    struct stint_job job = STINT_JOB_INIT;
    (void)state;
    assert_int_equal(stint_client_new(&o, &c), STINT_OK);
    job.queue = "controlled";
    assert_int_equal(
        stint_set_queue(c, "controlled", STINT_CLOSE_QUEUE, &now, TIMEOUT_MS), STINT_OK);
    assert_true(now.closed && now.made && !now.paused);
    assert_int_equal(stint_submit(c, &job, 1, NULL, TIMEOUT_MS), STINT_QUEUE_CLOSED);
    assert_int_equal(
        stint_set_queue(c, "controlled", STINT_PAUSE_QUEUE, &now, TIMEOUT_MS), STINT_OK);
    assert_true(now.closed && now.paused && !now.made);
    assert_int_equal(
        stint_set_queue(c, "controlled", STINT_OPEN_QUEUE, NULL, TIMEOUT_MS), STINT_OK);
    assert_int_equal(stint_submit(c, &job, 1, NULL, TIMEOUT_MS), STINT_OK);
    assert_int_equal(
        stint_set_queue(c, "controlled", STINT_REMOVE_QUEUE, NULL, TIMEOUT_MS), STINT_NOT_EMPTY);
    assert_int_equal(
        stint_set_queue(c, "no name", STINT_PAUSE_QUEUE, NULL, TIMEOUT_MS), STINT_BAD_NAME);
    assert_int_equal(stint_set_queue(c, "controlled", 10, NULL, TIMEOUT_MS), STINT_INVALID);
    assert_int_equal(
        stint_set_queue(c, "nobodys", STINT_RESUME_QUEUE, NULL, TIMEOUT_MS), STINT_NO_SUCH_QUEUE);
    stint_client_destroy(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_with_more_jobs_than_a_message_takes_is_cut),
        cmocka_unit_test(jobs_of_such_a_call_may_be_after_each_other),
        cmocka_unit_test(jobs_with_more_bytes_than_a_message_takes_are_cut_too),
        cmocka_unit_test(a_list_is_read_in_order_and_to_its_limit),
        cmocka_unit_test(thousands_are_cancelled_and_retried_in_one_call),
        cmocka_unit_test(a_session_goes_on_in_another_client_without_a_second_job),
        cmocka_unit_test(thousands_are_run_and_waited_for),
        cmocka_unit_test(who_is_behind_hears_of_all_results_all_the_same),
        cmocka_unit_test(an_event_loop_is_told_when_to_call_and_hears_of_what_happens),
        cmocka_unit_test(a_client_that_is_destroyed_tells_nothing_of_its_feeds),
        cmocka_unit_test(a_fresh_job_has_the_defaults),
        cmocka_unit_test(processing_returns_when_it_has_called_back),
        cmocka_unit_test(what_is_refused_is_refused_in_words),
        cmocka_unit_test(a_clients_name_may_be_long_and_has_to_be_utf_8),
        cmocka_unit_test(workers_are_told_what_to_do_and_how_many_they_were_is_told),
        cmocka_unit_test(a_full_queue_refuses_the_rest_of_a_large_call),
        cmocka_unit_test(a_broker_that_is_not_there_is_told_from_one_that_is_slow),
        cmocka_unit_test(a_queue_is_controlled_and_tells_how_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
