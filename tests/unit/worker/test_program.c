/* Where a program is found, what environment it gets, and what /proc tells of a job's processes. */
#include "processes.h"
#include "program.h"
#include "told.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[64];

/* A file below the root, with this mode. */
static void
make_file(const char *name, mode_t mode)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs("#!/bin/sh\n", f) >= 0 && fclose(f) == 0);
    assert_int_equal(chmod(path, mode), 0);
}

static int
make_root(void **state)
{
    char path[128];
    (void)state;
    (void)snprintf(root, sizeof root, "/tmp/stint-program-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    for (const char *d = "ab"; *d; d++) {
        (void)snprintf(path, sizeof path, "%s/%c", root, *d);
        if (mkdir(path, 0700) != 0)
            return -1;
    }
    (void)snprintf(path, sizeof path, "%s/a/dir", root);
    return mkdir(path, 0700);
}

static int
remove_root(void **state)
{
    char command[100];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -r %s", root);
    return system(command); /* NOLINT: a name of our own */
}

static void
put_root(const char *text, char *to, size_t size)
{
    size_t used = 0;
    to[0] = '\0';
    for (; *text && used < size; text++)
        used += (size_t)snprintf(
            to + used, size - used, "%.*s%s", *text != '@', text, *text == '@' ? root : "");
}

static void
a_program_is_the_first_of_its_name_that_can_be_run(void **state)
{
    static const struct {
        const char *path, *name, *found; /* @ is the root */
        int error;
    } rows[] = {{"@/a:@/b", "both", "@/a/both", 0}, {"@/b:@/a", "both", "@/b/both", 0},
        {"@/a:@/b", "second", "@/b/second", 0}, {"@/a:@/b", "plain", NULL, EACCES},
        {"@/a:@/b", "dir", NULL, EACCES}, {"@/a:@/b", "none", NULL, ENOENT},
        {"@/a:@/b", "", NULL, ENOENT}, {"@/a:/no/such@", "both", "@/a/both", 0},
        {"a:b", "second", "@/b/second", 0}, {":@/b", "top", "@/top", 0},
        {"@/a:@/b", "./any", "./any", 0}};
    (void)state;
    make_file("a/both", 0700);
    make_file("b/both", 0700);
    make_file("a/second", 0600);
    make_file("b/second", 0700);
    make_file("a/plain", 0600);
    make_file("top", 0700);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char variable[200] = "PATH=", found[100] = "";
        char *environment[] = {variable, NULL};
        struct place place = {0};
        put_root(rows[i].path, variable + 5, sizeof variable - 5);
        put_root(rows[i].found ? rows[i].found : "", found, sizeof found);
        for (unsigned again = 0; again < 2; again++) { /* once searched, once remembered */
            errno = 0;
            const char *path = place_find(&place, rows[i].name, "/nowhere", environment, root);
            assert_int_equal(path != NULL, rows[i].found != NULL);
            if (path)
                assert_string_equal(path, found);
            else
                assert_int_equal(errno, rows[i].error);
        }
        place_forget(&place);
        assert_null(place.path);
    }
}

static void
what_was_found_is_looked_for_anew_when_it_is_gone_or_path_is_another(void **state)
{
    char first[200], second[200], path[128];
    char *environment[] = {first, NULL};
    struct place place = {0};
    (void)state;
    (void)snprintf(first, sizeof first, "PATH=%s/a:%s/b", root, root);
    (void)snprintf(second, sizeof second, "PATH=%s/b", root);
    make_file("a/p", 0700);
    make_file("b/p", 0700);
    (void)snprintf(path, sizeof path, "%s/a/p", root);
    assert_string_equal(place_find(&place, "p", "/nowhere", environment, NULL), path);
    environment[0] = second;
    assert_string_not_equal(place_find(&place, "p", "/nowhere", environment, NULL), path);
    environment[0] = first;
    assert_string_equal(place_find(&place, "p", "/nowhere", environment, NULL), path);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof path, "%s/b/p", root);
    assert_string_equal(place_find(&place, "p", "/nowhere", environment, NULL), path);
    place_forget(&place);
}

static unsigned
count_of(char *const *all, const char *variable)
{
    unsigned count = 0;
    for (; *all; all++)
        count += strcmp(*all, variable) == 0;
    return count;
}

static unsigned
named(char *const *all, const char *name)
{
    unsigned count = 0;
    for (; *all; all++)
        count += strncmp(*all, name, strlen(name)) == 0;
    return count;
}

static void
a_program_gets_its_job_its_variables_and_ours_without_our_settings(void **state)
{
    struct surroundings s = {0};
    char a[] = "STINT_TEST_A=job's", endpoint[] = "STINT_ENDPOINT=other", p[] = "PATH_X=job's",
         forged[] = "STINT_JOB_ID=forged";
    char *of_job[] = {a, forged, p, NULL, NULL};
    struct stint_task_info job = {.queue = "q",
        .kind = "k",
        .priority = 7,
        .attempt = 2,
        .max_attempts = 5,
        .slot = 3,
        .deadline_ms = 1234567};
    assert_int_equal(stint_id_parse("0.1.7.9", &job.id), STINT_OK);
    (void)state;
    setenv("STINT_ANY_SETTING", "ours", 1);
    setenv("PATH_X", "ours", 1);
    setenv("PATH_XY", "ours", 1);
    assert_true(surroundings_set(&s, "ipc://here", "me", NULL));
    char **all = environment_make(&s, &job, of_job, NULL, NULL);
    static const char *const there[] = {"STINT_JOB_ID=0.1.7.9", "STINT_JOB_ATTEMPT=2",
        "STINT_JOB_MAX_ATTEMPTS=5", "STINT_JOB_QUEUE=q", "STINT_JOB_KIND=k", "STINT_JOB_PRIORITY=7",
        "STINT_JOB_SLOT=3", "STINT_JOB_DEADLINE=1234", "STINT_JOB_WORKER=me",
        "STINT_ENDPOINT=ipc://here", "STINT_TEST_A=job's", "PATH_X=job's", "PATH_XY=ours"};
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        assert_int_equal(count_of(all, there[i]), 1);
    assert_int_equal(named(all, "STINT_JOB_ID="), 1);
    assert_int_equal(named(all, "PATH_X="), 1);
    assert_int_equal(named(all, "STINT_ANY_SETTING"), 0);
    free(all);
    of_job[3] = endpoint; /* the job's word on the endpoint is the last */
    job.deadline_ms = 0;
    all = environment_make(&s, &job, of_job, NULL, NULL);
    assert_int_equal(named(all, "STINT_ENDPOINT="), 1);
    assert_int_equal(count_of(all, "STINT_ENDPOINT=other"), 1);
    assert_int_equal(count_of(all, "STINT_JOB_DEADLINE="), 1);
    free(all);
    all = environment_make(&s, &job, NULL, NULL, NULL);
    assert_int_equal(count_of(all, "PATH_X=ours"), 1);
    free(all);
    free(s.endpoint);
    free(s.worker);
}

static void
the_environment_tells_of_login_and_scratch_unless_somebody_says_otherwise(void **state)
{
    struct surroundings s = {0};
    char home[] = "HOME=/login", user[] = "USER=login", tmp[] = "TMP=/job",
         forged[] = "STINT_TMPDIR=/forged";
    char *login[] = {home, user, NULL}, *of_job[] = {tmp, forged, NULL};
    const char *const variables[] = {"HOME=/declared", "TEMP=/declared"};
    struct declared declared = {
        .variables = variables, .count = 2, .login = login, .scratch = true};
    struct stint_task_info job = {.queue = "q", .kind = "k"};
    (void)state;
    setenv("USER", "ours", 1);
    setenv("TMPDIR", "/ours", 1);
    for (int clean = 0; clean < 2; clean++) {
        declared.clean = clean;
        assert_true(surroundings_set(&s, "ipc://here", "me", &declared));
        char **all = environment_make(&s, &job, of_job, "/scratch", NULL);
        static const char *const there[] = {"HOME=/declared", "USER=login", "TMP=/job",
            "TEMP=/scratch", "TMPDIR=/scratch", "STINT_TMPDIR=/scratch"};
        for (size_t i = 0; i < sizeof there / sizeof *there; i++) {
            char name[16];
            (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(there[i], "=") + 1, there[i]);
            assert_int_equal(count_of(all, there[i]), 1);
            assert_int_equal(named(all, name), 1);
        }
        free(all);
        free(s.base);
        free(s.endpoint);
        free(s.worker);
    }
    assert_true(surroundings_set(&s, "ipc://here", "me", NULL));
    char **all = environment_make(&s, &job, of_job, NULL, NULL);
    assert_int_equal(count_of(all, "TMPDIR=/ours"), 1);
    assert_int_equal(count_of(all, "USER=ours"), 1);
    free(all);
    free(s.base);
    free(s.endpoint);
    free(s.worker);
}

static void
a_program_is_told_its_batch_and_nobody_else_says_so(void **state)
{
    struct surroundings s = {0};
    char one[] = "STINT_BATCH=forged", two[] = "STINT_BATCH_DEAD=9";
    char *of_job[] = {one, two, NULL};
    struct stint_task_info job = {.queue = "q", .kind = "k"};
    (void)state;
    assert_true(surroundings_set(&s, "ipc://here", "me", NULL));
    for (int known = -1; known <= 1; known++) {
        const struct stint_task_batch b = {
            .batch = 0x1234, .counts = {.jobs = 5, .succeeded = 4, .dead = 1, .known = known > 0}};
        char text[BATCH_VARIABLES][BATCH_VARIABLE_BYTES], *told[BATCH_VARIABLES + 1] = {NULL};
        size_t count = known >= 0 ? batch_variables(&b, text, told) : 0;
        char **all = environment_make(&s, &job, of_job, NULL, told);
        assert_int_equal(count, known > 0 ? BATCH_VARIABLES : known == 0);
        assert_int_equal(count_of(all, "STINT_BATCH=0000000000001234"), known >= 0);
        assert_int_equal(named(all, "STINT_BATCH="), known >= 0);
        assert_int_equal(count_of(all, "STINT_BATCH_DEAD=1"), known > 0);
        assert_int_equal(named(all, "STINT_BATCH_DEAD="), known > 0);
        free(all);
    }
    free(s.base);
    free(s.endpoint);
    free(s.worker);
}

static void
a_program_is_told_what_its_job_was_after_and_nobody_else_says_so(void **state)
{
    struct surroundings s = {0};
    char forged[] = "STINT_AFTER=forged";
    char *of_job[] = {forged, NULL};
    struct stint_task_info job = {.queue = "q", .kind = "k"};
    struct stint_id parents[2] = {{{0}}};
    char text[2][STINT_ID_TEXT_BYTES], expected[200];
    (void)state;
    setenv("STINT_AFTER", "of a job that started this worker", 1);
    parents[0].bytes[15] = 1;
    memset(parents[1].bytes, 0xff, sizeof parents[1].bytes);
    (void)snprintf(expected, sizeof expected, "STINT_AFTER=%s %s",
        stint_id_format(&parents[0], text[0]), stint_id_format(&parents[1], text[1]));
    assert_true(surroundings_set(&s, "ipc://here", "me", NULL));
    for (size_t count = 0; count <= 2; count += 2) {
        char *after = after_variable(parents, count);
        char **all = environment_make(&s, &job, of_job, NULL, (char *[]){after, NULL});
        assert_int_equal(named(all, "STINT_AFTER="), count > 0);
        assert_int_equal(count_of(all, expected), count > 0);
        free(all);
        free(after);
    }
    unsetenv("STINT_AFTER");
    free(s.base);
    free(s.endpoint);
    free(s.worker);
}

static void
a_program_is_told_what_its_job_needs_and_nobody_else_says_so(void **state)
{
    struct surroundings s = {0};
    char forged[] = "STINT_NEEDS=forged", expected[300];
    char *of_job[] = {forged, NULL};
    struct stint_task_info job = {.queue = "q", .kind = "k"};
    char needs[STINT_NEEDS_BYTES];
    (void)state;
    memset(needs, 'x', sizeof needs - 1);
    needs[sizeof needs - 1] = '\0';
    (void)snprintf(expected, sizeof expected, "STINT_NEEDS=%s", needs);
    assert_true(surroundings_set(&s, "ipc://here", "me", NULL));
    for (unsigned i = 0; i < 2; i++) {
        job.needs = i ? needs : NULL;
        char **all = environment_make(&s, &job, of_job, "/scratch", NULL);
        assert_int_equal(named(all, "STINT_NEEDS="), i);
        assert_int_equal(count_of(all, expected), i);
        assert_int_equal(count_of(all, "STINT_TMPDIR=/scratch"), 1);
        free(all);
    }
    free(s.base);
    free(s.endpoint);
    free(s.worker);
}

/* A child that waits at a pipe's end until it is closed. */
static pid_t
start_child(int ends[2], bool own_session)
{
    char byte;
    assert_int_equal(pipe(ends), 0);
    int told[2];
    assert_int_equal(pipe(told), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        static char *environment[] = {(char *)(uintptr_t) "STINT_JOB_ID=0.1.100.5",
            (char *)(uintptr_t) "STINT_JOB_ATTEMPT=3", NULL};
        if (own_session)
            (void)setsid();
        (void)dup2(ends[0], STDIN_FILENO);
        (void)dup2(told[1], STDOUT_FILENO);
        for (int fd = 3; fd < 64; fd++)
            (void)close(fd);
        (void)execle("/bin/sh", "sh", "-c", "echo; read line", (char *)NULL, environment);
        _exit(127);
    }
    close(told[1]);
    assert_int_equal(read(told[0], &byte, 1), 1); /* it has its environment now */
    close(told[0]);
    close(ends[0]);
    return pid;
}

static void
proc_tells_of_a_child_its_job_its_session_and_its_end(void **state)
{
    int ends[2], list = children_open();
    pid_t children[CHILDREN_MAX];
    struct process process;
    struct stint_id id, expected;
    uint32_t attempt;
    siginfo_t info;
    (void)state;
    uint64_t before = clock_ticks();
    pid_t pid = start_child(ends, true);
    assert_int_equal(stint_id_parse("0.1.100.5", &expected), STINT_OK);
    if (list >= 0) {
        assert_int_equal(children_read(list, children), 1);
        assert_int_equal(children[0], pid);
    }
    assert_true(process_look(pid, &process));
    assert_false(process.dead);
    assert_int_equal(process.group, pid);
    assert_int_equal(process.session, pid);
    assert_true(process.started_ticks + 1 >= before && process.started_ticks <= clock_ticks());
    assert_true(process_job(pid, &id, &attempt));
    assert_memory_equal(&id, &expected, sizeof id);
    assert_int_equal(attempt, 3);
    close(ends[1]); /* its input is at its end, and so is it */
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_true(process_look(pid, &process) && process.dead);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(process_look(pid, &process));
    assert_false(process_job(pid, &id, &attempt));
    assert_int_equal(children_read(list, children), 0);
    assert_int_equal(children_read(-1, children), 0);
    if (list >= 0)
        close(list);
}

static void
a_kill_takes_the_group_but_never_our_own(void **state)
{
    (void)state;
    for (unsigned own_session = 0; own_session < 2; own_session++) {
        int ends[2], status;
        pid_t pid = start_child(ends, own_session);
        process_kill(pid); /* without a session of its own it is of our group */
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        close(ends[1]);
    }
    struct stint_id id;
    uint32_t attempt;
    assert_false(process_job(getpid(), &id, &attempt)); /* we are of no job */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_is_told_its_batch_and_nobody_else_says_so),
        cmocka_unit_test(a_program_is_told_what_its_job_was_after_and_nobody_else_says_so),
        cmocka_unit_test(a_program_is_told_what_its_job_needs_and_nobody_else_says_so),
        cmocka_unit_test_setup_teardown(
            a_program_is_the_first_of_its_name_that_can_be_run, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            what_was_found_is_looked_for_anew_when_it_is_gone_or_path_is_another, make_root,
            remove_root),
        cmocka_unit_test(a_program_gets_its_job_its_variables_and_ours_without_our_settings),
        cmocka_unit_test(the_environment_tells_of_login_and_scratch_unless_somebody_says_otherwise),
        cmocka_unit_test(proc_tells_of_a_child_its_job_its_session_and_its_end),
        cmocka_unit_test(a_kill_takes_the_group_but_never_our_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
