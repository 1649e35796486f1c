/* The broker in this process: what stint_embed.h promises. Beside other processes, and killed, it
 * is in embed_host.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "echo.h"
#include "stint.h"
#include "stint_embed.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMEOUT_MS = 60000, PATH_BYTES = 256 };

static char place[] = "/tmp/stint-embed-XXXXXX";

static const char *
path(const char *name)
{
    static char text[PATH_BYTES];
    (void)snprintf(text, sizeof text, "%s/%s", place, name);
    return text;
}

/* All that is told, as one text: by the broker's thread until it is closed. */
struct told {
    char text[1 << 16];
    enum stint_status failed;
    char why[512];
};

static void
log_line(void *context, enum stint_embed_level level, const char *line)
{
    struct told *t = context;
    size_t used = strlen(t->text);
    (void)snprintf(t->text + used, sizeof t->text - used, "%d %s\n", (int)level, line);
}

static void
failed(void *context, enum stint_status status, const char *why)
{
    struct told *t = context;
    t->failed = status;
    (void)snprintf(t->why, sizeof t->why, "%s", why);
}

static struct stint_embed *
open_quietly(const char *where)
{
    struct stint_embed_options o = {.grace_ms = 1, .store_bytes = 256 << 20};
    struct stint_embed *e;
    enum stint_status status = stint_embed_open(where, &o, &e);
    if (status != STINT_OK)
        print_error("%s: %s\n", where, stint_embed_open_error());
    assert_int_equal(status, STINT_OK);
    assert_string_equal(stint_embed_open_error(), "");
    return e;
}

static struct stint_client *
client_at(const char *endpoint)
{
    struct stint_client_options o = {.endpoint = endpoint};
    struct stint_client *c;
    assert_int_equal(stint_client_new(&o, &c), STINT_OK);
    assert_int_equal(stint_connect(c, TIMEOUT_MS), STINT_OK);
    return c;
}

static struct stint_id
submit(struct stint_client *c, const char *payload)
{
    struct stint_job job = STINT_JOB_INIT;
    struct stint_id id;
    job.payload = payload;
    job.payload_bytes = strlen(payload);
    assert_int_equal(stint_submit(c, &job, 1, &id, TIMEOUT_MS), STINT_OK);
    return id;
}

static void
count_succeeded(void *context, const struct stint_job_info *info)
{
    if (info->state == STINT_SUCCEEDED)
        ++*(unsigned *)context;
}

static unsigned
entries(const char *directory)
{
    unsigned count = 0;
    DIR *d = opendir(directory);
    assert_non_null(d);
    while (readdir(d))
        count++;
    (void)closedir(d);
    return count;
}

/* A thread that is joined may still be listed for a moment. */
static void
wait_for_threads(unsigned most)
{
    for (unsigned i = 0; i < TIMEOUT_MS && entries("/proc/self/task") > most; i++)
        (void)poll(NULL, 0, 1);
    assert_true(entries("/proc/self/task") <= most);
}

static void
jobs_are_submitted_and_run_in_one_process(void **state)
{
    enum { JOBS = 100 };
    struct stint_embed *e = open_quietly(path("run"));
    struct stint_client *c = client_at(stint_embed_endpoint(e));
    struct hands hands = {0};
    struct stint_id ids[JOBS];
    unsigned done = 0;
    (void)state;
    assert_true(begin_work(&hands, stint_embed_endpoint(e)));
    for (unsigned i = 0; i < JOBS; i++)
        ids[i] = submit(c, "work");
    assert_int_equal(stint_wait(c, ids, JOBS, true, count_succeeded, &done, TIMEOUT_MS), STINT_OK);
    assert_int_equal(done, JOBS);
    assert_true(end_work(&hands));
    assert_int_equal(hands.status, STINT_OK);
    assert_int_equal(stint_embed_status(e, NULL), STINT_OK);
    stint_client_destroy(&c);
    stint_embed_close(&e);
    assert_null(e);
}

static void
nothing_is_left_by_a_close_and_all_is_there_at_the_next_open(void **state)
{
    enum { TIMES = 10 };
    struct stint_id ids[TIMES];
    const struct stint_job_info *info;
    (void)state;
    struct stint_embed *e = open_quietly(path("again")); /* libraries may keep something once */
    stint_embed_close(&e);
    unsigned files = entries("/proc/self/fd"), threads = entries("/proc/self/task");
    for (unsigned i = 0; i < TIMES; i++) {
        e = open_quietly(path("again"));
        struct stint_client *c = client_at(stint_embed_endpoint(e));
        ids[i] = submit(c, "kept");
        for (unsigned j = 0; j <= i; j++) {
            assert_int_equal(stint_get(c, &ids[j], STINT_PAYLOAD, &info, TIMEOUT_MS), STINT_OK);
            assert_int_equal(info->state, STINT_READY);
            assert_int_equal(info->payload_bytes, 4);
        }
        stint_client_destroy(&c);
        stint_embed_close(&e);
        assert_int_equal(entries("/proc/self/fd"), files);
        wait_for_threads(threads);
    }
}

static void
on_signal(int number)
{
    (void)number;
}

/* What belongs to the process is as it was: while the broker serves, and after. */
static void
nothing_of_the_process_is_changed(void **state)
{
    static const int signals[] = {
        SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGBUS, SIGSEGV, SIGABRT, SIGXFSZ, SIGCHLD};
    enum { SIGNALS = sizeof signals / sizeof *signals };
    struct sigaction mine = {.sa_handler = on_signal}, was[SIGNALS], now;
    struct rlimit before, after;
    sigset_t mask;
    char here[PATH_BYTES], there[PATH_BYTES];
    (void)state;
    assert_int_equal(sigaction(SIGTERM, &mine, NULL), 0);
    for (unsigned i = 0; i < SIGNALS; i++)
        assert_int_equal(sigaction(signals[i], NULL, &was[i]), 0);
    (void)umask(0027);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    assert_non_null(getcwd(here, sizeof here));
    struct stint_embed *e = open_quietly(path("process"));
    struct stint_client *c = client_at(stint_embed_endpoint(e));
    (void)submit(c, "x");
    for (unsigned i = 0; i < SIGNALS; i++) {
        assert_int_equal(sigaction(signals[i], NULL, &now), 0);
        assert_true(now.sa_handler == was[i].sa_handler);
    }
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGTERM));
    assert_int_equal(umask(0022), 0027);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
    assert_memory_equal(&before, &after, sizeof before);
    assert_string_equal(getcwd(there, sizeof there), here);
    struct stat st; /* nobody else may connect, whatever the umask is */
    assert_int_equal(stat(path("process/socket"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(path("process"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    stint_client_destroy(&c);
    stint_embed_close(&e);
    mine.sa_handler = SIG_DFL;
    assert_int_equal(sigaction(SIGTERM, &mine, NULL), 0);
}

/* Where a program blocks a signal so as to wait for it, no thread of ours may take it away. */
static void
signals_are_left_to_the_threads_of_the_program(void **state)
{
    struct sigaction mine = {.sa_handler = on_signal};
    struct timespec at_once = {0};
    sigset_t set, was;
    (void)state;
    assert_int_equal(sigaction(SIGUSR1, &mine, NULL), 0);
    struct stint_embed *e = open_quietly(path("signals"));
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR1);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, &was), 0);
    struct stint_client *c = client_at(stint_embed_endpoint(e));
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    (void)submit(c, "x"); /* the broker's thread has run meanwhile, and would have taken it */
    assert_int_equal(sigtimedwait(&set, NULL, &at_once), SIGUSR1);
    stint_client_destroy(&c);
    stint_embed_close(&e);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &was, NULL), 0);
}

static void
a_program_may_change_its_directory(void **state)
{
    char here[PATH_BYTES];
    (void)state;
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(place), 0);
    struct stint_embed *e = open_quietly("relative");
    assert_int_equal(chdir("/"), 0);
    struct stint_client *c = client_at(stint_embed_endpoint(e));
    (void)submit(c, "x");
    stint_client_destroy(&c);
    assert_int_equal(stint_embed_status(e, NULL), STINT_OK);
    stint_embed_close(&e);
    e = open_quietly(path("relative"));
    stint_embed_close(&e);
    assert_int_equal(chdir(here), 0);
}

/* ZeroMQ draws numbers itself, so how many is not known; but that nobody seeds is. */
static void
the_row_of_rand_goes_on_as_it_was_seeded(void **state)
{
    enum { LOOK = 4096 };
    int row[LOOK];
    (void)state;
    srand(42);
    for (unsigned i = 0; i < LOOK; i++)
        row[i] = rand();
    srand(42);
    struct stint_embed *e = open_quietly(path("rand"));
    stint_embed_close(&e);
    int next = rand(), after = rand();
    unsigned found = 0;
    for (unsigned i = 0; i + 1 < LOOK; i++)
        found += row[i] == next && row[i + 1] == after;
    assert_int_equal(found, 1);
}

static void
a_directory_that_is_open_is_refused_at_once_and_clearly(void **state)
{
    struct stint_embed *e = open_quietly(path("twice")), *second = e;
    (void)state;
    assert_int_equal(stint_embed_open(path("twice"), NULL, &second), STINT_IN_USE);
    assert_null(second);
    assert_non_null(strstr(stint_embed_open_error(), "this one"));
    assert_non_null(strstr(stint_embed_open_error(), path("twice")));
    struct stint_client *c = client_at(stint_embed_endpoint(e)); /* the first one is well */
    (void)submit(c, "x");
    stint_client_destroy(&c);
    stint_embed_close(&e);
    e = open_quietly(path("twice"));
    stint_embed_close(&e);
}

static void
several_directories_are_open_side_by_side(void **state)
{
    enum { SEVERAL = 4 };
    struct stint_embed *all[SEVERAL];
    (void)state;
    for (unsigned i = 0; i < SEVERAL; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "side-%u", i);
        all[i] = open_quietly(path(name));
    }
    for (unsigned i = 0; i < SEVERAL; i++) {
        struct stint_client *c = client_at(stint_embed_endpoint(all[i]));
        (void)submit(c, "x");
        stint_client_destroy(&c);
    }
    for (unsigned i = 0; i < SEVERAL; i++)
        stint_embed_close(&all[i]);
}

static void
refused(const char *where, const struct stint_embed_options *o, enum stint_status expected,
    const char *words)
{
    struct stint_embed *e;
    assert_int_equal(stint_embed_open(where, o, &e), expected);
    assert_null(e);
    if (!strstr(stint_embed_open_error(), words))
        fail_msg("\"%s\" is not in: %s", words, stint_embed_open_error());
    stint_embed_close(&e); /* of nothing */
}

static void
what_is_refused_is_refused_in_words(void **state)
{
    struct stint_embed_options o = {.store_bytes = 1};
    char *endless = malloc(8192);
    (void)state;
    assert_non_null(endless);
    refused(path("words"), &o, STINT_INVALID, "store_bytes");
    o = (struct stint_embed_options){.payload_bytes = (4 << 20) + 1};
    refused(path("words"), &o, STINT_INVALID, "payload_bytes");
    refused("", NULL, STINT_INVALID, "no name");
    refused("/proc/nowhere/queue", NULL, STINT_SYSTEM, "can't make");
    memset(endless, 'a', 8191);
    endless[8191] = '\0';
    endless[0] = '/';
    refused(endless, NULL, STINT_INVALID, "too long");
    memcpy(endless, "tcp://", 6);
    refused(endless, NULL, STINT_BAD_ENDPOINT, "too long");
    memcpy(endless, "tcp://a:1,tcp://b:2,", 20);
    refused(endless, NULL, STINT_BAD_ENDPOINT, "too long");
    free(endless);
    refused("tcp://", NULL, STINT_BAD_ENDPOINT, "write tcp://host:port");
    refused("tcp://host:0", NULL, STINT_BAD_ENDPOINT, "the port is a number");
    refused("tcp://*:5670", NULL, STINT_BAD_ENDPOINT, "a name or an address");
    refused("tcp://a:1,", NULL, STINT_BAD_ENDPOINT, "behind a comma");
    refused("tcp://a:1,tcp://", NULL, STINT_BAD_ENDPOINT, "write tcp://host:port");
    refused("ipc://", NULL, STINT_BAD_ENDPOINT, "write ipc://path");
    refused("ipc://a,ipc://b/", NULL, STINT_BAD_ENDPOINT, "write ipc://path");
    int fd = open(path("file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    refused(path("file"), NULL, STINT_SYSTEM, "not a directory");
    struct stint_embed *e = open_quietly(path("numbered"));
    stint_embed_close(&e);
    o = (struct stint_embed_options){.broker = 7};
    refused(path("numbered"), &o, STINT_VERSION_MISMATCH, "broker number 0");
}

/* A socket's path has 107 bytes at most; a directory may have more, and other characters. */
static void
a_directory_with_any_name_is_served(void **state)
{
    char longest[PATH_BYTES];
    (void)state;
    (void)snprintf(longest, sizeof longest, "%0150d", 0);
    const char *const names[] = {longest, "with blanks", "a,ipc:", "uml\xc3\xa4ut", "bad\xff\x01"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        struct stint_embed *e = open_quietly(path(names[i]));
        struct stint_client *c = client_at(stint_embed_endpoint(e));
        (void)submit(c, "x");
        stint_client_destroy(&c);
        stint_embed_close(&e);
    }
}

static void
an_endpoint_instead_of_a_directory_opens_nothing(void **state)
{
    struct stint_embed *e = open_quietly(path("far")), *far;
    const char *why = NULL;
    (void)state;
    assert_int_equal(stint_embed_open(stint_embed_endpoint(e), NULL, &far), STINT_OK);
    assert_string_equal(stint_embed_endpoint(far), stint_embed_endpoint(e));
    assert_int_equal(stint_embed_status(far, &why), STINT_OK);
    assert_string_equal(why, "");
    struct stint_client *c = client_at(stint_embed_endpoint(far));
    (void)submit(c, "x");
    stint_client_destroy(&c);
    stint_embed_close(&far);
    c = client_at(stint_embed_endpoint(e)); /* it was not its own to close */
    stint_client_destroy(&c);
    stint_embed_close(&e);
}

static void
the_log_is_told_by_lines_and_to_its_level(void **state)
{
    static struct told told, quiet;
    struct stint_embed_options o = {.log = log_line,
        .log_context = &told,
        .log_level = STINT_EMBED_INFO,
        .store_bytes = 256 << 20};
    struct stint_embed *e;
    (void)state;
    assert_int_equal(stint_embed_open(path("log"), &o, &e), STINT_OK);
    stint_embed_close(&e);
    assert_non_null(strstr(told.text, "2 ready endpoint=ipc://"));
    assert_null(strchr(told.text, '\r'));
    o.log_context = &quiet;
    o.log_level = STINT_EMBED_WARN;
    assert_int_equal(stint_embed_open(path("log"), &o, &e), STINT_OK);
    stint_embed_close(&e);
    assert_string_equal(quiet.text, "");
}

/* Waits until every call fails with the broker's own words; returns which. */
static enum stint_status
failure_of(struct stint_client *c)
{
    struct stint_job job = STINT_JOB_INIT;
    enum stint_status status;
    do
        status = stint_submit(c, &job, 1, NULL, TIMEOUT_MS);
    while (status == STINT_OK || status == STINT_UNKNOWN_OUTCOME); /* of what was on its way */
    return status;
}

/* Ends the broker by `harm`; then looks at who is told what. */
static void
ends_alone(
    const char *name, void (*harm)(const char *name), enum stint_status expected, const char *words)
{
    static struct told told;
    struct stint_embed_options o = {
        .failed = failed, .failed_context = &told, .grace_ms = 1, .store_bytes = 256 << 20};
    struct stint_embed *e;
    struct hands hands = {0};
    const char *why;
    told = (struct told){0};
    unsigned files = entries("/proc/self/fd"), threads = entries("/proc/self/task");
    assert_int_equal(stint_embed_open(path(name), &o, &e), STINT_OK);
    struct stint_client *c = client_at(stint_embed_endpoint(e));
    (void)submit(c, "before");
    assert_true(begin_work(&hands, stint_embed_endpoint(e)));
    harm(name);
    enum stint_status status = failure_of(c);
    if (status != STINT_CLOSING)
        fail_msg("%s", stint_client_error(c));
    assert_non_null(strstr(stint_client_error(c), words));
    assert_int_equal(stint_embed_status(e, &why), expected);
    assert_non_null(strstr(why, words));
    assert_int_equal(
        pthread_join(hands.thread, NULL), 0); /* its worker, too, has ended by itself */
    assert_int_equal(hands.status, STINT_CLOSING);
    stint_worker_destroy(&hands.worker);
    stint_client_destroy(&c);
    stint_embed_close(&e);
    assert_int_equal(told.failed, expected);
    assert_non_null(strstr(told.why, words));
    assert_int_equal(entries("/proc/self/fd"), files);
    wait_for_threads(threads);
}

static void
limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
let_no_write_succeed(const char *name)
{
    (void)name;
    limit_file_size(1);
}

static void
a_failed_commit_ends_the_broker_and_not_the_program(void **state)
{
    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN); /* for this program's own writes */
    ends_alone("commit", let_no_write_succeed, STINT_IO, "can't write");
    limit_file_size(RLIM_INFINITY);
    (void)signal(SIGXFSZ, SIG_DFL);
    struct stint_embed *e = open_quietly(path("commit")); /* from what is on disk */
    stint_embed_close(&e);
}

static void
take_file_away(const char *name)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    (void)snprintf(from, sizeof from, "%s/%s/jobs.lmdb", place, name);
    (void)snprintf(to, sizeof to, "%s/%s/jobs.away", place, name);
    assert_int_equal(rename(from, to), 0);
}

static void
a_data_file_that_is_gone_ends_the_broker_and_not_the_program(void **state)
{
    (void)state;
    ends_alone("gone", take_file_away, STINT_DAMAGED, "removed");
}

/* Every page but the two roots becomes a branch without keys, which LMDB asserts it is not. */
static void
damage_pages(const char *name)
{
    enum { PAGE = 4096, FLAGS_AT = 10, BRANCH = 1, LOWER = 16 };
    char file[PATH_BYTES];
    struct stat st;
    const uint16_t words[] = {BRANCH, LOWER, PAGE};
    (void)snprintf(file, sizeof file, "%s/%s/jobs.lmdb", place, name);
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    for (off_t at = 2 * (off_t)PAGE; at < st.st_size; at += PAGE)
        assert_int_equal(pwrite(fd, words, sizeof words, at + FLAGS_AT), sizeof words);
    close(fd);
}

static void
a_file_that_contradicts_itself_ends_the_broker_and_not_the_program(void **state)
{
    (void)state;
    ends_alone("damaged", damage_pages, STINT_DAMAGED, "damaged");
    unsigned files = entries("/proc/self/fd"), threads = entries("/proc/self/task");
    refused(path("damaged"), NULL, STINT_DAMAGED, "damaged");
    assert_int_equal(entries("/proc/self/fd"), files);
    wait_for_threads(threads);
}

/* A child holds neither the directory nor the socket when its parent is gone; here, the broker. */
static void
a_child_by_fork_keeps_nothing_open(void **state)
{
    int ends[2];
    char go;
    struct stint_embed *e = open_quietly(path("fork"));
    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[1]);
        stint_embed_close(&e);
        _exit(read(ends[0], &go, 1) != 0 || e != NULL);
    }
    assert_true(child > 0);
    struct stint_client *c = client_at(stint_embed_endpoint(e)); /* the parent's is well */
    (void)submit(c, "x");
    stint_client_destroy(&c);
    stint_embed_close(&e);
    e = open_quietly(path("fork")); /* at once, while the child lives */
    stint_embed_close(&e);
    int status;
    (void)close(ends[1]);
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void *
open_and_close(void *name)
{
    for (unsigned i = 0; i < 5; i++) {
        struct stint_embed *e = open_quietly(name);
        stint_embed_close(&e);
    }
    return NULL;
}

static void
threads_open_and_close_side_by_side(void **state)
{
    enum { THREADS = 4 };
    static char names[THREADS][PATH_BYTES];
    pthread_t threads[THREADS];
    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        (void)snprintf(names[i], sizeof names[i], "%s/thread-%u", place, i);
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, names[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void
closing_before_the_clients_and_workers_end_is_allowed(void **state)
{
    struct stint_embed *e = open_quietly(path("order"));
    struct stint_client *c = client_at(stint_embed_endpoint(e));
    struct hands hands = {0};
    const struct stint_job_info *info;
    (void)state;
    assert_true(begin_work(&hands, stint_embed_endpoint(e)));
    struct stint_id id = submit(c, "x");
    stint_embed_close(&e);
    e = open_quietly(path("order")); /* they find it again */
    assert_int_equal(stint_wait(c, &id, 1, false, NULL, NULL, TIMEOUT_MS), STINT_OK);
    assert_int_equal(stint_get(c, &id, STINT_NO_PARTS, &info, TIMEOUT_MS), STINT_OK);
    assert_int_equal(info->state, STINT_SUCCEEDED);
    assert_true(end_work(&hands));
    stint_embed_close(&e);
    stint_client_destroy(&c);
}

/* Prints what an open broker costs; nothing is asserted of it. */
static void
what_it_costs_is_printed(void **state)
{
    long before = 0, after = 0;
    char line[256];
    (void)state;
    unsigned files = entries("/proc/self/fd"), threads = entries("/proc/self/task");
    struct stint_embed *e = NULL;
    for (unsigned i = 0; i < 2; i++) {
        FILE *f = fopen("/proc/self/status", "r");
        assert_non_null(f);
        while (fgets(line, sizeof line, f))
            if (strncmp(line, "RssAnon:", 8) == 0)
                *(i ? &after : &before) = strtol(line + 8, NULL, 10);
        (void)fclose(f);
        if (i == 0)
            e = open_quietly(path("cost"));
    }
    print_message("an open broker: %ld KiB, %u threads, %u descriptors\n", after - before,
        entries("/proc/self/task") - threads, entries("/proc/self/fd") - files);
    stint_embed_close(&e);
}

static int
begin(void **state)
{
    (void)state;
    return mkdtemp(place) ? 0 : 1;
}

static int
end(void **state)
{
    char command[PATH_BYTES];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", place);
    return system(command);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_submitted_and_run_in_one_process),
        cmocka_unit_test(nothing_is_left_by_a_close_and_all_is_there_at_the_next_open),
        cmocka_unit_test(nothing_of_the_process_is_changed),
        cmocka_unit_test(signals_are_left_to_the_threads_of_the_program),
        cmocka_unit_test(a_program_may_change_its_directory),
        cmocka_unit_test(the_row_of_rand_goes_on_as_it_was_seeded),
        cmocka_unit_test(a_directory_that_is_open_is_refused_at_once_and_clearly),
        cmocka_unit_test(several_directories_are_open_side_by_side),
        cmocka_unit_test(what_is_refused_is_refused_in_words),
        cmocka_unit_test(a_directory_with_any_name_is_served),
        cmocka_unit_test(an_endpoint_instead_of_a_directory_opens_nothing),
        cmocka_unit_test(the_log_is_told_by_lines_and_to_its_level),
        cmocka_unit_test(a_failed_commit_ends_the_broker_and_not_the_program),
        cmocka_unit_test(a_data_file_that_is_gone_ends_the_broker_and_not_the_program),
        cmocka_unit_test(a_child_by_fork_keeps_nothing_open),
        cmocka_unit_test(threads_open_and_close_side_by_side),
        cmocka_unit_test(closing_before_the_clients_and_workers_end_is_allowed),
        cmocka_unit_test(what_it_costs_is_printed),
    };
    /* Apart, as what the core has in memory is left then, on purpose. */
    const struct CMUnitTest damaged[] = {
        cmocka_unit_test(a_file_that_contradicts_itself_ends_the_broker_and_not_the_program),
    };
    if (argc == 2 && strcmp(argv[1], "damaged") == 0)
        return cmocka_run_group_tests(damaged, begin, end);
    return cmocka_run_group_tests(tests, begin, end);
}
