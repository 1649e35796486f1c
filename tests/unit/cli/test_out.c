/* What the command prints: each thing as one JSON object of its schema, what is 0 left out, and
 * what a command line says read as people mean it. */
#include "cli.h"
#include "map.h"
#include "out.h"
#include "reasons.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli cli = {.verb = "test"};

/* The object as text, and freed. */
static const char *
text_of(json_t *object)
{
    static char text[4096];
    char *dump = json_dumps(object, JSON_COMPACT);
    assert_non_null(dump);
    (void)snprintf(text, sizeof text, "%s", dump);
    free(dump);
    json_decref(object);
    return text;
}

static struct stint_job_info
job_of(enum stint_state state, const char *kind)
{
    struct stint_job_info i = {.state = state, .priority = 100};
    assert_int_equal(stint_id_parse("0.1.100.7", &i.id), STINT_OK);
    (void)snprintf(i.kind, sizeof i.kind, "%s", kind);
    (void)snprintf(i.queue, sizeof i.queue, "q");
    return i;
}

static void
a_job_is_told_with_what_is_known_of_it(void **state)
{
    struct stint_job_info i = job_of(STINT_UNKNOWN, "k");
    (void)state;
    assert_string_equal(text_of(out_job(&i)),
        "{\"schema\":\"stint.job/1\",\"id\":\"0.1.100.7\",\"state\":\"unknown\"}");
    i = job_of(STINT_READY, "k");
    i.submitted_ms = 1700000000123;
    i.payload = "p\xff";
    i.payload_bytes = 2;
    assert_string_equal(text_of(out_job(&i)),
        "{\"schema\":\"stint.job/1\",\"id\":\"0.1.100.7\",\"state\":\"ready\",\"queue\":\"q\","
        "\"kind\":\"k\",\"priority\":100,\"submitted\":\"2023-11-14T22:13:20.123Z\","
        "\"payload_bytes\":2,\"payload\":{\"base64\":\"cP8=\"}}");
    i = job_of(STINT_DEAD, "exec");
    i.attempt = i.failures = i.max_attempts = 2;
    (void)snprintf(i.error, sizeof i.error, "exit status 3\nwhy");
    assert_string_equal(text_of(out_job(&i)),
        "{\"schema\":\"stint.job/1\",\"id\":\"0.1.100.7\",\"state\":\"dead\",\"queue\":\"q\","
        "\"kind\":\"exec\",\"priority\":100,\"attempt\":2,\"failures\":2,\"max_attempts\":2,"
        "\"exit_status\":3,\"error\":\"exit status 3\\nwhy\"}");
    (void)snprintf(i.error, sizeof i.error, "killed by signal 9 (Killed)");
    assert_non_null(strstr(text_of(out_job(&i)), "\"signal\":9,\"error\":\"killed by"));
    i = job_of(STINT_SUCCEEDED, "exec");
    i.result = "out";
    i.result_bytes = 3;
    (void)snprintf(i.error, sizeof i.error, "talk");
    assert_non_null(strstr(text_of(out_job(&i)),
        "\"result_bytes\":3,\"result\":\"out\",\"exit_status\":0,\"stderr\":\"talk\"}"));
    i = job_of(STINT_SUCCEEDED, "other"); /* of other kinds it is not known what an exit is */
    assert_null(strstr(text_of(out_job(&i)), "exit_status"));
}

static void
how_a_command_ended_is_read_from_its_error(void **state)
{
    static const struct {
        enum stint_state state;
        const char *error;
        bool known;
        int code, signal;
    } rows[] = {{STINT_SUCCEEDED, "exit status 3", true, 0, 0},
        {STINT_DEAD, "exit status 3", true, 3, 0},
        {STINT_DEAD, "killed by signal 15 (Terminated)", true, 0, 15},
        {STINT_DEAD, "the time to run was over", false, 0, 0},
        {STINT_DEAD, "can't run x: No such file or directory", false, 0, 0},
        {STINT_CANCELLED_JOB, "", false, 0, 0}};
    (void)state;
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        struct stint_job_info i = job_of(rows[n].state, "exec");
        int code = -1, signal = -1;
        (void)snprintf(i.error, sizeof i.error, "%s", rows[n].error);
        assert_int_equal(out_exit_status(&i, &code, &signal), rows[n].known);
        assert_int_equal(code, rows[n].code);
        assert_int_equal(signal, rows[n].signal);
    }
}

static void
a_result_that_is_lost_is_told_from_one_that_is_empty(void **state)
{
    struct stint_job_info i = job_of(STINT_SUCCEEDED, "k");
    (void)state;
    assert_null(out_lost_result(&i));
    i.result_bytes = 3;
    assert_non_null(strstr(out_lost_result(&i), "was not kept long enough"));
    (void)snprintf(i.error, sizeof i.error, "it is damaged");
    assert_string_equal(out_lost_result(&i), "it is damaged");
    assert_non_null(strstr(text_of(out_job(&i)), "\"error\":\"it is damaged\""));
    i.result = "abc";
    assert_null(out_lost_result(&i));
    i.result = NULL;
    i.state = STINT_DEAD;
    assert_null(out_lost_result(&i));
}

static void
queues_workers_figures_and_events_have_their_shapes(void **state)
{
    struct stint_queue_info q = {.name = "q",
        .number = 1,
        .workers = 2,
        .jobs = {9, 1, 2, 3, 4, 5, 6, 7, 8},
        .weight = 1,
        .keep_ms = STINT_KEEP_UNSET};
    struct stint_worker_info w = {.name = "w",
        .software = "s",
        .queues = "a b",
        .slots = 1,
        .window = 2,
        .held = 3,
        .seen_ms_ago = 4,
        .succeeded = 5,
        .failed = 6};
    struct stint_event e = {.type = STINT_EVENT_LOST, .at_ms = 1700000000000, .count = 7};
    struct stint_stats s = {.epoch = 1, .damaged = 2};
    (void)state;
    assert_string_equal(text_of(out_queue(&q)),
        "{\"schema\":\"stint.queue/1\",\"name\":\"q\",\"number\":1,\"workers\":2,"
        "\"paused\":false,\"closed\":false,\"order\":\"fifo\",\"priorities\":\"high-first\","
        "\"weight\":1,"
        "\"ready\":1,\"scheduled\":2,\"running\":3,\"succeeded\":"
        "4,\"dead\":5,\"cancelled\":6,\"expired\":7,\"blocked\":8}");
    (void)snprintf(q.unserved, sizeof q.unserved, "mail");
    assert_non_null(strstr(text_of(out_queue(&q)), "\"unserved\":\"mail\""));
    assert_null(strstr(text_of(out_queue(&q)), "state"));
    q.paused = true;
    assert_non_null(strstr(text_of(out_queue(&q)), "\"state\":\"paused\""));
    q.closed = true;
    assert_non_null(strstr(text_of(out_queue(&q)), "\"state\":\"paused, closed\""));
    q.paused = false;
    assert_non_null(strstr(text_of(out_queue(&q)), "\"state\":\"closed\""));
    assert_string_equal(text_of(out_worker(&w)),
        "{\"schema\":\"stint.worker/1\",\"name\":\"w\",\"software\":\"s\",\"queues\":\"a b\","
        "\"slots\":1,\"window\":2,\"held\":3,\"seen_ms_ago\":4,\"succeeded\":5,\"failed\":6}");
    assert_string_equal(text_of(out_event(&e)),
        "{\"schema\":\"stint.event/1\",\"event\":\"lost\",\"at\":\"2023-11-14T22:13:20.000Z\","
        "\"lost\":7}");
    json_t *o = out_stats(&s);
    assert_int_equal(json_integer_value(json_object_get(o, "epoch")), 1);
    assert_int_equal(json_integer_value(json_object_get(o, "damaged")), 2);
    assert_true(json_is_integer(json_object_get(o, "commits"))); /* a figure is told also as 0 */
    assert_int_equal(json_object_size(json_object_get(o, "jobs")), STINT_STATES - 1);
    json_decref(o);
}

enum { NOW_MS = 1000000 };

/* Where there is none, the first. */
static const char *const sentences[STINT_WHYS] = {
    "there is no such job, or it was forgotten; stint ls lists those there are",
    "it is over: dead; stint retry brings it back",
    "it runs, in worker eno",
    "worker eno has it, and has not said that it runs: it has just begun, or waits there for a "
    "slot",
    "it was handed out before the broker restarted; for another 3m it is kept for its worker, "
    "and then goes to any",
    "worker eno has it, and is cut off; if it does not come back soon, another one gets it",
    "it failed, and is tried again in 3m: no paper",
    "its handler has put it off; it runs again in 3m",
    "it is due in 3m",
    "queue mail is paused; stint queue resume mail",
    "the broker has just started, and no worker for it is back yet; they have another 3m "
    "before "
    "their jobs are given to others",
    "no worker serves queue mail; start one: stint-worker --queue mail --handle "
    "letter=PROGRAM",
    "4 workers serve queue mail, and none of them handles kind letter; start one that does: "
    "stint-worker --queue mail --handle letter=PROGRAM",
    "a worker can't start it, and it waits for one of 4 others: no paper",
    "of the 4 workers for it none takes jobs: 1 paused, 1 leaving, 1 cut off, 1 without slots "
    "for now; stint worker resume lets them",
    "it was lost with a worker, and may be what ended that; it waits until one of 4 workers "
    "has "
    "nothing else to begin",
    "all 8 slots of 4 workers are taken, and up to 1204 jobs of queue mail are before it; more "
    "workers or slots would help",
    "nothing holds it up, and its turn comes in a moment: up to 1204 jobs of queue mail are "
    "before it",
    "nothing waits in it",
    "queue mail runs as many jobs as it may, 8; stint queue set mail --running N lets it run "
    "more",
    "as many jobs of queue mail have begun as may in a time; one more may in 3m",
    "it waits until 1204 other jobs have ended",
    "its group runs as many jobs as it may, 8, and up to 1204 of it go before it; stint queue "
    "set mail --group-running N lets it run more",
    "as many jobs of its group have begun as may in a time; one more may in 3m",
    "others of its group go before it, up to 1204, and groups take turns",
    [STINT_WHY_NEEDS] = "it needs gpu=1 ssd, which none of the 4 workers for it has; start one "
                        "that does: stint-worker --queue mail --has 'gpu=1 ssd' ...",
    [STINT_WHY_ROOM] = "it needs gpu=1 ssd, which 4 workers have, and too much of it is taken; "
                       "worker eno makes room for the next such job",
    [STINT_WHY_VARIED] = "it needs gpu=1 ssd, and jobs of queue mail need so many different "
                         "things that it waits until some of them are gone; another queue "
                         "would help",
};

static void
every_reason_has_its_sentence(void **state)
{
    struct stint_reason r = {.queue = "mail",
        .kind = "letter",
        .state = STINT_DEAD,
        .about = true,
        .workers = 4,
        .paused = 1,
        .leaving = 1,
        .away = 1,
        .slots = 8,
        .before = 1204,
        .due_ms = NOW_MS + 179500,
        .worker = "eno",
        .needs = "gpu=1 ssd",
        .error = "no paper\nand more"};
    (void)state;
    for (unsigned why = 0; why < STINT_WHYS; why++) {
        r.why = (enum stint_why)why;
        char *sentence = reason_sentence(&r, NOW_MS);
        assert_string_equal(sentence, sentences[why] ? sentences[why] : sentences[0]);
        free(sentence);
    }
    r = (struct stint_reason){.why = STINT_WHY_NOTHING, .queue = "mail", .closed = true};
    char *closed = reason_sentence(&r, NOW_MS);
    assert_string_equal(
        closed, "nothing waits in it; it is closed, so submits wait: stint queue open mail");
    free(closed);
}

static void
needs_of_jobs_of_a_queue_have_a_sentence_too(void **state)
{
    const struct stint_reason r = {
        .why = STINT_WHY_NEEDS, .queue = "mail", .workers = 1, .needs = "gpu=1"};
    char *sentence = reason_sentence(&r, 0);
    (void)state;
    assert_string_equal(sentence,
        "there are jobs in it that need gpu=1, which none of its 1 worker has; start one that "
        "does: stint-worker --queue mail --has 'gpu=1' ...");
    free(sentence);
}

static void
every_status_has_its_exit_code_and_only_what_can_change_passes(void **state)
{
    (void)state;
#define X(code, name, text, hint) \
    assert_int_equal(cli_exit(STINT_##name) == EX_OK, (code) == 0); \
    assert_int_equal(cli_passing(STINT_##name), \
        STINT_##name == STINT_STORE_FULL || STINT_##name == STINT_QUEUE_FULL || \
            STINT_##name == STINT_BACKLOG_FULL || STINT_##name == STINT_TOO_MANY || \
            STINT_##name == STINT_QUEUE_CLOSED || STINT_##name == STINT_TOO_VARIED);
    STINT_STATUS_MAP(X)
#undef X
    assert_int_equal(cli_exit(STINT_NO_SUCH_JOB), EXIT_NO_SUCH_JOB);
    assert_int_equal(cli_exit(STINT_QUEUE_FULL), EX_TEMPFAIL);
    assert_int_equal(cli_exit(STINT_UNREACHABLE), EX_UNAVAILABLE);
    assert_int_equal(cli_exit(STINT_BAD_NAME), EX_DATAERR);
    assert_int_equal(cli_exit(STINT_VERSION_MISMATCH), EX_PROTOCOL);
}

static void
numbers_times_ids_and_halts_are_read_or_refused(void **state)
{
    static const struct {
        const char *text;
        bool good;
        unsigned when, what;
        uint64_t count, percent;
    } halts[] = {{"never", true, HALT_NEVER, HALT_FAIL, 0, 0},
        {"now,fail=1", true, HALT_NOW, HALT_FAIL, 1, 0},
        {"soon,success=20%", true, HALT_SOON, HALT_SUCCESS, 0, 20},
        {"now,done=100%", true, HALT_NOW, HALT_DONE, 0, 100}, {"now,fail=0", false, 0, 0, 0, 0},
        {"now,fail=101%", false, 0, 0, 0, 0}, {"now,fail=", false, 0, 0, 0, 0},
        {"fail=1", false, 0, 0, 0, 0}, {"later,fail=1", false, 0, 0, 0, 0},
        {"now,fail=1x", false, 0, 0, 0, 0}, {"now", false, 0, 0, 0, 0}, {"", false, 0, 0, 0, 0}};
    const char *ids[] = {"0.1.100.7", "0.1.100.8", NULL}, *bad[] = {"0.1.100.7", "x", NULL};
    int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    uint64_t n = 0;
    size_t count = 0;
    (void)state;
    dup2(null, STDERR_FILENO);
    for (size_t i = 0; i < sizeof halts / sizeof *halts; i++) {
        struct halt h;
        bool good = map_read_halt(&cli, halts[i].text, &h);
        assert_int_equal(good, halts[i].good);
        if (!good)
            continue;
        assert_int_equal(h.when, halts[i].when);
        assert_int_equal(h.what, halts[i].what);
        assert_true(h.count == halts[i].count && h.percent == halts[i].percent);
    }
    bool numbers = cli_number(&cli, "n", "2", 2, 9, &n) && n == 2 &&
        cli_number(&cli, "n", "9", 2, 9, &n) && n == 9 && !cli_number(&cli, "n", "1", 2, 9, &n) &&
        !cli_number(&cli, "n", "10", 2, 9, &n) && !cli_number(&cli, "n", "5x", 2, 9, &n);
    bool times = cli_duration(&cli, "t", "36500d", &n) && !cli_duration(&cli, "t", "36501d", &n) &&
        !cli_duration(&cli, "t", "soon", &n);
    struct stint_id *read = cli_ids(&cli, ids, &count), *none = cli_ids(&cli, bad, &count);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(null);
    assert_true(numbers && times);
    assert_non_null(read);
    assert_int_equal(count, 2);
    assert_null(none);
    free(read);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_told_with_what_is_known_of_it),
        cmocka_unit_test(how_a_command_ended_is_read_from_its_error),
        cmocka_unit_test(a_result_that_is_lost_is_told_from_one_that_is_empty),
        cmocka_unit_test(queues_workers_figures_and_events_have_their_shapes),
        cmocka_unit_test(every_reason_has_its_sentence),
        cmocka_unit_test(needs_of_jobs_of_a_queue_have_a_sentence_too),
        cmocka_unit_test(every_status_has_its_exit_code_and_only_what_can_change_passes),
        cmocka_unit_test(numbers_times_ids_and_halts_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
