/* A map's directory against a model of it: whatever is submitted, answered, dropped and marked, and
 * wherever it is closed, cut or damaged, what is found again is what was written down.
 */
#include "state.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINES = 2000, BATCHES = 400, BATCH = 5 };

static struct cli cli = {.verb = "test"};
static char directory[64];

static const char *
in_directory(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static int
make_directory(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof directory, "/tmp/stint-state-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int
remove_directory(void **state)
{
    char command[100];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command); /* NOLINT: a name of our own */
}

/* Its refusals are looked at by their codes. */
static int
open_as(const char *command, bool failed_again, struct state **s)
{
    int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, STDERR_FILENO);
    int rc = state_open(&cli, directory, directory, command, failed_again, s);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(null);
    return rc;
}

static struct state *
reopen(struct state *s)
{
    state_close(&s);
    assert_null(s);
    assert_int_equal(open_as("command", false, &s), EX_OK);
    return s;
}

static uint64_t seed;
static unsigned
below(unsigned end)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(seed >> 33) % end;
}

/* What we know of it: lines with few keys, so that many are equal. */
struct model {
    struct {
        uint8_t key;
        bool known, dropped;
        enum state_how how;
        uint64_t id;
    } lines[LINES];
    unsigned count;
    struct {
        unsigned first, count;
        bool open;
    } batches[BATCHES];
    unsigned batches_count;
    uint64_t answered;
};

static struct state_key
key_of(uint8_t key)
{
    struct state_key k = {{key, 1, 2, 3}};
    return k;
}

static void
add(struct model *m, struct state *s)
{
    struct stint_job jobs[BATCH];
    struct state_key keys[BATCH];
    static const struct stint_job init = STINT_JOB_INIT;
    unsigned count = 1 + below(BATCH);
    uint64_t first;
    if (m->batches_count == BATCHES || m->count + count > LINES)
        return;
    for (unsigned i = 0; i < count; i++) {
        uint8_t key = (uint8_t)below(100);
        keys[i] = key_of(key);
        jobs[i] = init;
        jobs[i].queue = m->count % 2 ? "q" : NULL;
        jobs[i].keep_ms = m->count;
        jobs[i].payload = "payload";
        jobs[i].payload_bytes = (m->count + i) % 8;
        m->lines[m->count + i].key = key;
    }
    assert_true(state_add(s, keys, jobs, count, &first));
    assert_int_equal(first, m->count);
    m->batches[m->batches_count].first = m->count;
    m->batches[m->batches_count].count = count;
    m->batches[m->batches_count++].open = true;
    m->count += count;
}

/* An answer, or the certainty that it is not stored, for the oldest that is open. */
static void
end_oldest(struct model *m, struct state *s)
{
    struct stint_id ids[BATCH];
    unsigned b = 0;
    while (b < m->batches_count && !m->batches[b].open)
        b++;
    if (b == m->batches_count)
        return;
    bool stored = below(4) > 0;
    for (unsigned i = 0; i < m->batches[b].count; i++) {
        unsigned at = m->batches[b].first + i;
        memset(&ids[i], 0, sizeof ids[i]);
        memcpy(ids[i].bytes + 8, &(uint64_t){at + 1}, 8);
        m->lines[at].known = stored;
        m->lines[at].dropped = !stored;
        m->lines[at].id = at + 1;
    }
    m->batches[b].open = false;
    m->answered += stored;
    if (stored)
        assert_true(state_answer(s, m->batches[b].first, ids, m->batches[b].count));
    else
        assert_true(state_drop(s, m->batches[b].first, m->batches[b].count));
}

static void
mark(struct model *m, struct state *s)
{
    unsigned at = m->count ? below(m->count) : 0;
    if (m->count == 0 || !m->lines[at].known)
        return;
    m->lines[at].how = below(2) ? STATE_SHOWN : STATE_FAILED;
    assert_true(state_mark(s, at, m->lines[at].how));
}

static void
assert_pending(const struct model *m, struct state *s)
{
    struct state_batch batch;
    for (unsigned b = 0; b < m->batches_count; b++) {
        if (!m->batches[b].open)
            continue;
        assert_true(state_next_pending(s, &batch));
        unsigned first = m->batches[b].first;
        assert_int_equal(batch.first, first);
        assert_int_equal(batch.count, m->batches[b].count);
        for (unsigned i = 0; i < batch.count; i++) {
            assert_int_equal(batch.jobs[i].payload_bytes, (first + i) % 8);
            assert_memory_equal(batch.jobs[i].payload, "payload", (first + i) % 8);
            assert_int_equal(batch.jobs[i].keep_ms, first);
            assert_int_equal(batch.jobs[i].queue != NULL, first % 2);
            assert_null(batch.jobs[i].kind);
        }
        state_batch_free(&batch);
    }
    assert_false(state_next_pending(s, &batch));
    state_batch_free(&batch);
}

/* Each line that was not dropped is found once, the oldest of equal ones first. */
static void
assert_lines(const struct model *m, struct state *s)
{
    uint64_t left = 0;
    for (unsigned i = 0; i < m->count; i++)
        left += !m->lines[i].dropped;
    assert_true(state_left(s) == left);
    for (unsigned i = 0; i < m->count; i++) {
        struct state_key key = key_of(m->lines[i].key);
        struct state_line line;
        uint64_t id;
        if (m->lines[i].dropped)
            continue;
        assert_true(state_find(s, &key, &line));
        assert_int_equal(line.index, i);
        assert_int_equal(line.how, m->lines[i].how);
        assert_int_equal(line.known, m->lines[i].known);
        memcpy(&id, line.id.bytes + 8, 8);
        assert_true(!line.known || id == m->lines[i].id);
        assert_true(state_left(s) == --left);
        if (line.known)
            assert_int_equal(state_awaits(s, &line.id), line.how == STATE_OPEN);
    }
    for (unsigned key = 0; key < 101; key++) {
        struct state_line line;
        struct state_key unknown = key_of((uint8_t)key);
        assert_false(state_find(s, &unknown, &line));
    }
}

static void
what_was_written_down_is_found_again_after_every_stop(void **state)
{
    struct model *m = calloc(1, sizeof *m);
    struct state *s;
    uint8_t session[STINT_SESSION_BYTES];
    (void)state;
    assert_non_null(m);
    seed = 5;
    assert_int_equal(open_as("command", false, &s), EX_OK);
    memcpy(session, state_session(s), sizeof session);
    for (unsigned i = 0; i < 1500; i++) {
        unsigned luck = below(100);
        if (luck < 30)
            add(m, s);
        else if (luck < 60)
            end_oldest(m, s);
        else if (luck < 97)
            mark(m, s);
        else {
            s = reopen(s);
            assert_memory_equal(state_session(s), session, sizeof session);
            assert_true(state_answered(s) == m->answered);
            assert_pending(m, s);
            assert_lines(m, s);
        }
    }
    state_close(&s);
    free(m);
}

/* The log is cut at every place: what is whole in it counts, the rest was never sent. */
static void
a_log_that_was_torn_counts_up_to_where_it_is_whole(void **state)
{
    struct stint_job job = STINT_JOB_INIT;
    struct state *s;
    struct state_key key;
    uint8_t log[4096], lines[4096];
    off_t ends[4] = {0};
    struct stat st;
    uint64_t first;
    (void)state;
    assert_int_equal(open_as("command", false, &s), EX_OK);
    for (uint8_t i = 0; i < 3; i++) {
        key = key_of(i);
        assert_true(state_add(s, &key, &job, 1, &first));
        assert_int_equal(stat(in_directory("log"), &st), 0);
        ends[i + 1] = st.st_size;
    }
    state_close(&s);
    int fd = open(in_directory("log"), O_RDWR | O_CLOEXEC);
    int lines_fd = open(in_directory("lines"), O_RDWR | O_CLOEXEC);
    assert_int_equal(read(fd, log, sizeof log), ends[3]);
    ssize_t lines_bytes = read(lines_fd, lines, sizeof lines);
    assert_true(lines_bytes > 0);
    for (off_t size = ends[3]; size >= 0; size -= 7) {
        unsigned whole = size >= ends[3] ? 3 : size >= ends[2] ? 2 : size >= ends[1] ? 1 : 0;
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, log, (size_t)size, 0), size);
        if (size > 50 && whole < 3)
            assert_int_equal(pwrite(fd, "rubbish", 7, size - 3), 7);
        assert_int_equal(pwrite(lines_fd, lines, (size_t)lines_bytes, 0), lines_bytes);
        assert_int_equal(open_as("command", false, &s), EX_OK);
        assert_true(state_left(s) <= whole && state_left(s) + 1 >= whole);
        for (uint64_t i = 0; i < state_left(s); i++) {
            struct state_batch batch;
            assert_true(state_next_pending(s, &batch));
            assert_int_equal(batch.first, i);
            state_batch_free(&batch);
        }
        state_close(&s);
    }
    close(fd);
    close(lines_fd);
}

static void
a_directory_belongs_to_one_command_and_one_map_until_all_is_done(void **state)
{
    struct state *s, *other;
    struct stint_job job = STINT_JOB_INIT;
    struct state_key key = key_of(1);
    struct state_line line;
    struct stint_id id = {{1}};
    uint64_t first;
    (void)state;
    assert_int_equal(open_as("command", false, &s), EX_OK);
    assert_int_equal(open_as("command", false, &other), EX_TEMPFAIL); /* another map is at it */
    assert_null(other);
    assert_true(state_add(s, &key, &job, 1, &first));
    assert_true(state_answer(s, first, &id, 1));
    assert_true(state_mark(s, first, STATE_FAILED));
    state_close(&s);
    assert_int_equal(open_as("other", false, &s), EX_CONFIG);
    assert_int_equal(open_as("command", false, &s), EX_OK);
    assert_true(state_finish(s));
    state_close(&s);
    assert_int_equal(open_as("other", true, &s), EX_NOINPUT); /* nothing of it failed here */
    assert_int_equal(open_as("command", true, &s), EX_OK);
    assert_true(state_find(s, &key, &line)); /* what failed, to be run again */
    assert_int_equal(line.how, STATE_FAILED);
    assert_true(state_finish(s));
    state_close(&s);
    assert_int_equal(open_as("command", false, &s), EX_OK); /* begins anew */
    assert_true(state_left(s) == 0);
    assert_false(state_find(s, &key, &line));
    state_close(&s);
    assert_int_equal(open_as("other", false, &s), EX_OK); /* nothing was submitted */
    state_close(&s);
}

static void
a_session_that_is_renewed_drops_what_has_no_answer(void **state)
{
    struct stint_job job = STINT_JOB_INIT;
    struct state *s;
    struct state_key keys[] = {key_of(1), key_of(2)};
    struct state_line line;
    struct stint_id id = {{1}};
    uint8_t session[STINT_SESSION_BYTES];
    uint64_t first, dropped;
    (void)state;
    assert_int_equal(open_as("command", false, &s), EX_OK);
    memcpy(session, state_session(s), sizeof session);
    assert_true(state_add(s, &keys[0], &job, 1, &first));
    assert_true(state_answer(s, first, &id, 1));
    assert_true(state_add(s, &keys[1], &job, 1, &first));
    s = reopen(s);
    assert_true(state_renew(s, &dropped));
    assert_true(dropped == 1);
    assert_true(state_answered(s) == 0);
    assert_int_not_equal(memcmp(session, state_session(s), sizeof session), 0);
    memcpy(session, state_session(s), sizeof session);
    s = reopen(s);
    assert_memory_equal(session, state_session(s), sizeof session);
    assert_true(state_find(s, &keys[0], &line));
    assert_false(state_find(s, &keys[1], &line));
    state_close(&s);
}

static void
a_directory_of_other_files_is_left_alone(void **state)
{
    static const char *const bad[] = {"", "stint map 1\n00\n", "stint map 2\nzz", "stint map 2\n"};
    struct state *s;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        FILE *f = fopen(in_directory("map"), "we");
        assert_non_null(f);
        assert_true(fputs(bad[i], f) >= 0 && fclose(f) == 0);
        assert_int_equal(open_as("command", false, &s), EX_CONFIG);
        assert_null(s);
    }
    assert_int_equal(unlink(in_directory("map")), 0);
    int fd = open(in_directory("lines"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "0123456789abcdefgh", 18), 18);
    assert_int_equal(open_as("command", false, &s), EX_CONFIG); /* lines without a map */
    close(fd);
    assert_int_equal(unlink(in_directory("lines")), 0);
    assert_int_equal(open_as("command", false, &s), EX_OK);
    state_close(&s);
    fd = open(in_directory("lines"), O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "X", 1, 0), 1);
    assert_int_not_equal(open_as("command", false, &s), EX_OK); /* its head is not one */
    close(fd);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)
    const struct CMUnitTest tests[] = {
        T(what_was_written_down_is_found_again_after_every_stop),
        T(a_log_that_was_torn_counts_up_to_where_it_is_whole),
        T(a_directory_belongs_to_one_command_and_one_map_until_all_is_done),
        T(a_session_that_is_renewed_drops_what_has_no_answer),
        T(a_directory_of_other_files_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
