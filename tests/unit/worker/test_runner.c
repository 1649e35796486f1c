/* What the runner tells of a program: real programs, and a task of the test's own in place of the
 * worker's. */
#include "processes.h"
#include "runner.h"

#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants these before itself. */
#include <cmocka.h>

#include "skipping.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

struct stint_task {
    struct stint_task_info info;
    char outcome[16], text[2048], output[256], errors[2048];
    size_t output_bytes;
    bool cancelled, timed_out;
    int cancel_fd;
    unsigned percent, percents; /* the newest, and how many there were */
    char progress[256];
    char wrote[64]; /* the begin of its standard error, as it was told while it ran */
    char asked[256]; /* what comes with its end: text of jobs, and ids with a `-` before them */
};

struct stint_worker {
    uint32_t held_off_ms, calls;
};

const struct stint_task_info *
stint_task_info(const struct stint_task *task)
{
    return &task->info;
}

bool
stint_task_batch(const struct stint_task *task, struct stint_task_batch *batch)
{
    (void)task;
    (void)batch;
    return false;
}

const char *
stint_task_group(const struct stint_task *task)
{
    (void)task;
    return NULL;
}

const struct stint_id *
stint_task_parents(const struct stint_task *task, size_t *count)
{
    (void)task;
    *count = 0;
    return NULL;
}

static void
set(struct stint_task *task, const char *outcome, const char *text, size_t bytes)
{
    assert_string_equal(task->outcome, "");
    (void)snprintf(task->outcome, sizeof task->outcome, "%s", outcome);
    (void)snprintf(task->text, sizeof task->text, "%.*s", (int)bytes, text);
}

void
stint_task_succeed(struct stint_task *task, const void *result, size_t bytes)
{
    set(task, "succeeded", result ? result : "", bytes);
}

void
stint_task_fail(struct stint_task *task, const char *why)
{
    set(task, "failed", why, strlen(why));
}

void
stint_task_fail_for_good(struct stint_task *task, const char *why)
{
    set(task, "dead", why, strlen(why));
}

void
stint_task_snooze(struct stint_task *task, uint64_t delay_ms)
{
    assert_int_equal(delay_ms, 0);
    set(task, "snoozed", "", 0);
}

void
stint_task_unable(struct stint_task *task, const char *why)
{
    set(task, "unable", why, strlen(why));
}

void
stint_task_give_back(struct stint_task *task)
{
    set(task, "returned", "", 0);
}

void
stint_task_keep_output(struct stint_task *task, const void *output, size_t bytes)
{
    assert_string_equal(task->outcome, "");
    task->output_bytes = bytes;
    if (bytes)
        memcpy(task->output, output, bytes < sizeof task->output ? bytes : sizeof task->output);
}

void
stint_task_keep_errors(struct stint_task *task, const void *text, size_t bytes)
{
    (void)snprintf(task->errors, sizeof task->errors, "%.*s", (int)bytes, (const char *)text);
}

enum stint_status
stint_task_progress(struct stint_task *task, unsigned percent, const char *text)
{
    assert_string_equal(task->outcome, "");
    task->percent = percent;
    task->percents++;
    (void)snprintf(task->progress, sizeof task->progress, "%s", text ? text : "");
    return STINT_OK;
}

/* What is written while it runs is told as it comes, and before the end. */
void
stint_task_wrote(struct stint_task *task, const void *text, size_t bytes)
{
    assert_string_equal(task->outcome, "");
    size_t used = strlen(task->wrote);
    (void)snprintf(
        task->wrote + used, sizeof task->wrote - used, "%.*s", (int)bytes, (const char *)text);
}

static enum stint_status
ask(struct stint_task *task, const char *what, size_t bytes)
{
    size_t used = strlen(task->asked);
    (void)snprintf(task->asked + used, sizeof task->asked - used, "%.*s;", (int)bytes, what);
    return STINT_OK;
}

/* One whose bytes begin with `!` can't be. */
enum stint_status
stint_task_submit_packed(struct stint_task *task, const void *bytes, size_t size)
{
    assert_string_equal(task->outcome, "");
    if (size == 0 || *(const char *)bytes == '!')
        return STINT_INVALID;
    return ask(task, bytes, size);
}

enum stint_status
stint_task_cancel(struct stint_task *task, const struct stint_id *id)
{
    char text[STINT_ID_TEXT_BYTES + 1] = "-";
    stint_id_format(id, text + 1);
    return ask(task, text, strlen(text));
}

const char *
stint_task_error(const struct stint_task *task)
{
    (void)task;
    return "it is no job";
}

bool
stint_task_may_ask(const struct stint_task *task)
{
    (void)task;
    return true;
}

bool
stint_task_cancelled(const struct stint_task *task)
{
    return task->cancelled;
}

bool
stint_task_timed_out(const struct stint_task *task)
{
    return task->timed_out;
}

int
stint_task_cancel_fd(const struct stint_task *task)
{
    return task->cancel_fd;
}

void
stint_worker_hold_off(struct stint_worker *worker, uint32_t ms)
{
    worker->held_off_ms = ms;
    worker->calls++;
}

/* ---- */

static struct guard guard;
static struct runner runner;
static struct stint_worker worker;

static int
make_runner(void **state)
{
    static _Atomic pid_t groups[1];
    char why[256];
    (void)state;
    guard = (struct guard){.groups = groups, .count = 1};
    if (!cgroups_open(&guard.cgroups, &(struct cgroup_bounds){0}, why, sizeof why))
        return -1;
    worker = (struct stint_worker){0};
    static const struct identity self;
    runner =
        (struct runner){.worker = &worker, .guard = &guard, .identity = &self, .result_bytes = 100};
    return getrlimit(RLIMIT_NOFILE, &runner.files) == 0 &&
            surroundings_set(&runner.surroundings, "tcp://127.0.0.1:1", "test", NULL) &&
            runner_open(&runner, 1)
        ? 0
        : -1;
}

static int
destroy_runner(void **state)
{
    (void)state;
    close(runner.null);
    cgroups_remove(&guard.cgroups);
    free(guard.cgroups.slots);
    if (runner.strays.children >= 0)
        close(runner.strays.children);
    free(runner.strays.jobs);
    free(runner.surroundings.endpoint);
    free(runner.surroundings.worker);
    free(runner.surroundings.base);
    return 0;
}

static struct stint_task
run_command(struct command command)
{
    struct stint_task task = {
        .info = {.queue = "q", .kind = "k", .attempt = 1, .max_attempts = 1}, .cancel_fd = -1};
    struct runner_slot *slot = runner_slot_new(&runner);
    runner_run(slot, &command, &task);
    runner_slot_destroy(&slot);
    return task;
}

static struct stint_task
run_script(const char *script, bool once)
{
    char *const argv[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
    return run_command((struct command){.argv = argv, .once = once});
}

static void
the_output_of_a_failed_run_is_kept(void **state)
{
    (void)state;
    struct stint_task t = run_script("printf 'a\\0b'; echo why >&2; exit 3", false);
    assert_string_equal(t.outcome, "failed");
    assert_string_equal(t.text, "exit status 3\nwhy");
    assert_int_equal(t.output_bytes, 3);
    assert_memory_equal(t.output, "a\0b", 3);
    t = run_script("echo out; kill -9 $$", true);
    assert_string_equal(t.outcome, "dead");
    assert_string_equal(t.text, "killed by signal 9 (Killed)");
    assert_int_equal(t.output_bytes, 4);
}

static void
the_tail_of_standard_error_of_a_good_run_is_kept(void **state)
{
    (void)state;
    struct stint_task t = run_script("echo out; printf 'caf\\303\\251 \\0!\\n\\n' >&2", false);
    assert_string_equal(t.outcome, "succeeded");
    assert_string_equal(t.text, "out\n");
    assert_string_equal(t.errors, "caf\303\251 ?!");
    assert_int_equal(t.output_bytes, 0);
    t = run_script("i=0; while [ $i -lt 400 ]; do printf '\\303\\251x' >&2; i=$((i+1)); done; "
                   "echo end >&2",
        false);
    assert_string_not_equal(t.errors, "");
    assert_int_equal(t.errors[0], 'x'); /* the half character before it is left out */
    assert_string_equal(t.errors + strlen(t.errors) - 4, "xend");
}

static void
of_an_output_that_is_too_long_what_fits_is_kept(void **state)
{
    (void)state;
    struct stint_task t = run_script("head -c 101 /dev/zero; exec sleep 1000", false);
    assert_string_equal(t.outcome, "dead");
    assert_string_equal(t.text, "the output is over 100 bytes");
    assert_int_equal(t.output_bytes, 100);
    t = run_script("head -c 100 /dev/zero", false);
    assert_string_equal(t.outcome, "succeeded");
}

static void
exit_statuses_say_whether_to_try_again(void **state)
{
    static const struct {
        const char *script, *outcome, *outcome_once;
    } table[] = {{"exit 0", "succeeded", "succeeded"}, {"exit 1", "failed", "dead"},
        {"exit 65", "dead", "dead"}, {"exit 75", "failed", "failed"},
        {"kill -TERM $$", "failed", "dead"}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct stint_task t = run_script(table[i].script, false);
        assert_string_equal(t.outcome, table[i].outcome);
        t = run_script(table[i].script, true);
        assert_string_equal(t.outcome, table[i].outcome_once);
    }
}

static void
what_a_job_names_and_is_missing_here_is_for_another_worker(void **state)
{
    char *const missing[] = {"no-such-program", NULL}, *const directory[] = {"/tmp", NULL};
    char *const good[] = {"true", NULL};
    (void)state;
    struct stint_task t = run_command((struct command){.argv = missing, .once = true});
    assert_string_equal(t.outcome, "unable");
    assert_string_equal(t.text, "can't run no-such-program: No such file or directory");
    t = run_command((struct command){.argv = directory});
    assert_string_equal(t.outcome, "unable");
    assert_string_equal(t.text, "can't run /tmp: Permission denied");
    t = run_command(
        (struct command){.argv = good, .directory = "/no/such", .directory_required = true});
    assert_string_equal(t.outcome, "unable");
    assert_string_equal(t.text, "can't enter the directory /no/such: No such file or directory");
    t = run_command((struct command){.argv = good, .directory = "/no/such"});
    assert_string_equal(t.outcome, "succeeded");
    assert_int_equal(worker.calls, 0);
}

static void
a_script_whose_interpreter_is_missing_is_told_from_a_missing_script(void **state)
{
    char path[] = "/tmp/stint-test-XXXXXX", why[128];
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "#!/no/such\n", 11), 11);
    assert_int_equal(fchmod(fd, 0755), 0);
    close(fd);
    char *const argv[] = {path, NULL};
    struct stint_task t = run_command((struct command){.argv = argv});
    unlink(path);
    (void)snprintf(why, sizeof why,
        "can't run %s: No such file or directory (what its first line names)", path);
    assert_string_equal(t.outcome, "unable");
    assert_string_equal(t.text, why);
}

static void
arguments_that_no_system_takes_fail_for_good(void **state)
{
    size_t size = 4 << 20;
    char *text = malloc(size);
    (void)state;
    assert_non_null(text);
    memset(text, 'x', size - 1);
    text[size - 1] = '\0';
    char *const argv[] = {"true", text, NULL};
    struct stint_task t = run_command((struct command){.argv = argv});
    free(text);
    assert_string_equal(t.outcome, "dead");
    assert_string_equal(t.text, "can't run true: Argument list too long");
}

static void
a_start_that_fails_here_gives_the_job_back_and_holds_off_longer_each_time(void **state)
{
    struct rlimit few = {4, runner.files.rlim_max};
    char *const good[] = {"true", NULL}, *const missing[] = {"/no/such/program", NULL};
    uint32_t before = 0;
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        struct stint_task t = run_command((struct command){.argv = good});
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &runner.files), 0);
        assert_string_equal(t.outcome, "returned");
        assert_true(worker.held_off_ms > before);
        before = worker.held_off_ms;
        runner.until_ms = clock_ms(); /* the time is over */
    }
    struct stint_task t = run_command((struct command){.argv = good});
    assert_string_equal(t.outcome, "succeeded");
    t = run_command((struct command){.argv = missing, .ours = true});
    assert_string_equal(t.outcome, "returned");
    assert_in_range(worker.held_off_ms, 1, 101); /* begins anew */
}

/* The kernel takes no more groups than this, whoever asks. */
static void
a_change_of_the_user_that_fails_starts_nothing(void **state)
{
    static gid_t groups[65537];
    struct identity other = {.changes = true,
        .uid = 1234567,
        .gid = 1234567,
        .groups = {groups, 65537},
        .name = (char *)(uintptr_t) "other"};
    char path[] = "/tmp/stint-test-XXXXXX";
    (void)state;
    SKIP_UNLESS_ROOT();
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    char *const argv[] = {"/bin/rm", path, NULL}, *const searched[] = {"rm", path, NULL};
    runner.identity = &other;
    struct stint_task t = run_command((struct command){.argv = argv, .ours = true});
    assert_string_equal(t.outcome, "returned");
    assert_int_not_equal(worker.held_off_ms, 0);
    t = run_command((struct command){.argv = searched});
    assert_string_equal(t.outcome, "returned");
    other.groups.count = 1;
    t = run_command((struct command){.argv = argv}); /* as somebody who may not */
    assert_string_equal(t.outcome, "failed");
    assert_int_equal(access(path, F_OK), 0);
    (void)unlink(path);
}

static void
a_run_without_room_for_its_directory_is_given_back(void **state)
{
    char *const argv[] = {"true", NULL};
    char directory[] = "/tmp/stint-test-XXXXXX", why[256];
    (void)state;
    assert_non_null(mkdtemp(directory));
    assert_true(scratch_open(&guard.scratch, directory, runner.identity, why, sizeof why));
    struct stint_task t = run_command((struct command){.argv = argv});
    assert_string_equal(t.outcome, "succeeded");
    scratch_remove(&guard.scratch); /* as somebody else may */
    t = run_command((struct command){.argv = argv});
    assert_string_equal(t.outcome, "returned");
    assert_int_not_equal(worker.held_off_ms, 0);
    scratch_close(&guard.scratch);
    assert_int_equal(rmdir(directory), 0);
}

static void
a_cancelled_run_is_given_back_and_one_over_its_time_has_failed(void **state)
{
    char *const argv[] = {"sleep", "1000", NULL};
    (void)state;
    for (int timed_out = 0; timed_out < 2; timed_out++) {
        struct stint_task task = {.info = {.queue = "q", .kind = "k", .attempt = 1},
            .cancelled = true,
            .timed_out = timed_out,
            .cancel_fd = eventfd(1, EFD_CLOEXEC)};
        struct command command = {.argv = argv};
        struct runner_slot *slot = runner_slot_new(&runner);
        runner_run(slot, &command, &task);
        runner_slot_destroy(&slot);
        close(task.cancel_fd);
        assert_string_equal(task.outcome, timed_out ? "failed" : "snoozed");
    }
}

static void
a_program_tells_how_far_it_is(void **state)
{
    (void)state;
    struct stint_task t = run_script("echo 'progress 40 half way' >&$STINT_CONTROL; sleep 0.3; "
                                     "echo 'progress 41%' >&8; sleep 0.3",
        false);
    assert_string_equal(t.outcome, "succeeded");
    assert_int_equal(t.percents, 2);
    assert_int_equal(t.percent, 41);
    t = run_script("printf ' progress  6 six' >&8", false); /* without an end */
    assert_int_equal(t.percent, 6);
    assert_string_equal(t.progress, "six");
    t = run_script("printf 'progress 7 wi' >&8; sleep 0.2; echo th a gap >&8; sleep 0.2", false);
    assert_int_equal(t.percent, 7);
    assert_string_equal(t.progress, "with a gap");
    t = run_script("exec 8>&-; sleep 0.2", false);
    assert_string_equal(t.outcome, "succeeded");
    assert_int_equal(t.percents, 0);
}

static void
what_a_program_says_besides_is_not_heard(void **state)
{
    (void)state;
    struct stint_task t = run_script(
        "printf 'progress\nprogress x\nprogress 101\nprogress -1\nprogress 1000000\nhello 5\n\n"
        "progress 5x\n.progress 6\nprogressive 7\n' >&8; sleep 0.2",
        false);
    assert_string_equal(t.outcome, "succeeded");
    assert_int_equal(t.percents, 0);
    t = run_script(
        "head -c 300000 /dev/urandom >&8; printf '\nprogress 3.9 pi\n' >&8; sleep 0.2", false);
    assert_string_equal(t.outcome, "succeeded");
    assert_int_equal(t.percent, 3);
    assert_string_equal(t.progress, "pi");
    t = run_script("(yes 'progress 1 flood' >&8 &) ; sleep 0.3; echo out", false);
    assert_string_equal(t.outcome, "succeeded");
    assert_string_equal(t.progress, "flood");
}

/* What a program asks for is heard whole, in pieces, to its last word, and of several at once. */
static void
a_program_asks_for_what_comes_with_its_end(void **state)
{
    (void)state;
    struct stint_task t = run_script("[ \"$STINT_AT_END\" = 1 ] && echo 'jobs a 6f6e' >&8 && "
                                     "echo 'jobs b 74776f' >&8 && echo 'cancel 0.1.100.7' >&8; "
                                     "printf 'jobs a 65\njobs a\njobs b\n' >&8",
        false);
    assert_string_equal(t.outcome, "succeeded");
    assert_string_equal(t.asked, "-0.1.100.7;one;two;");
    t = run_script("echo to >&2; sleep 0.1; echo people >&2", false);
    assert_string_equal(t.wrote, "to\npeople\n");
    t = run_script("echo 'jobs a 6f6e65' >&8; echo 'jobs a' >&8; exit 3", false);
    assert_string_equal(t.outcome, "failed");
}

static void
what_can_not_be_read_of_that_fails_the_run(void **state)
{
    (void)state;
    static const char *const lines[] = {"jobs a 6f6e65", "jobs a 6f6e6\njobs a",
        "jobs a 6x\njobs a", "jobs a 21\njobs a", "jobs a", "jobs  \tx", "cancel me",
        "jobs a-name-that-is-longer-than-names-may-be 65", "cancel ", "cancel", "jobs",
        " cancel me", "cancel 0.1.100.7\\0"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char script[256];
        (void)snprintf(script, sizeof script, "printf '%s\n' >&8; echo good", lines[i]);
        struct stint_task t = run_script(script, false);
        assert_string_equal(t.outcome, "failed");
        assert_non_null(strstr(t.text, "with its end was refused: "));
    }
}

static void
much_is_asked_for_without_waiting(void **state)
{
    (void)state;
    struct stint_task t = run_script("p=$(head -c 1900 /dev/zero | tr '\\0' 6); "
                                     "for i in $(seq 1000); do echo \"jobs a $p\"; done >&8; "
                                     "echo 'jobs a' >&8",
        false);
    assert_string_equal(t.outcome, "succeeded");
    assert_true(strlen(t.asked) > 200);
    t = run_script("p=$(head -c 4000 /dev/zero | tr '\\0' 6); "
                   "for i in $(seq 3000); do echo \"jobs a $p\"; done >&8",
        false);
    assert_string_equal(t.outcome, "failed");
    assert_non_null(strstr(t.text, "at most 4 MiB"));
    t = run_script("for i in $(seq 257); do echo \"jobs $i 65\"; done >&8", false);
    assert_non_null(strstr(t.text, "more than 256 names"));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make_runner, destroy_runner)
    const struct CMUnitTest tests[] = {
        T(a_program_tells_how_far_it_is),
        T(what_a_program_says_besides_is_not_heard),
        T(the_output_of_a_failed_run_is_kept),
        T(the_tail_of_standard_error_of_a_good_run_is_kept),
        T(of_an_output_that_is_too_long_what_fits_is_kept),
        T(exit_statuses_say_whether_to_try_again),
        T(what_a_job_names_and_is_missing_here_is_for_another_worker),
        T(a_script_whose_interpreter_is_missing_is_told_from_a_missing_script),
        T(arguments_that_no_system_takes_fail_for_good),
        T(a_start_that_fails_here_gives_the_job_back_and_holds_off_longer_each_time),
        T(a_change_of_the_user_that_fails_starts_nothing),
        T(a_run_without_room_for_its_directory_is_given_back),
        T(a_cancelled_run_is_given_back_and_one_over_its_time_has_failed),
        T(a_program_asks_for_what_comes_with_its_end),
        T(what_can_not_be_read_of_that_fails_the_run),
        T(much_is_asked_for_without_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
