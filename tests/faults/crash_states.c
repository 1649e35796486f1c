/* Builds the states that a loss of power could have left behind, at every moment of a recorded life
 * of a broker, and opens each: the broker must start on it, everything must fit together, and what
 * had been promised by then must be there.
 *
 * A state: what was synced, and any part of what was written since, each write whole, torn at 512
 * bytes, or not there; and the directory as it was at its last sync, or after any of its later
 * changes. Each is opened in a child, because a bad one may kill who opens it.
 *
 *     crash_states RECORDING --states N [--ignore-syncs] [--share I/N]
 *
 * With --ignore-syncs those of the data file and the journal count for nothing: that must not go
 * well.
 */
#include "core.h"
#include "data.h"
#include "journaled.h"
#include "recording.h"
#include "splitmix.h"
#include "store_lmdb.h"
#include "stored.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECTOR = 512 };

static struct {
    char directory[64];
    uint64_t random, states, violations;
    uint64_t seen[1 << 20]; /* hashes of states that were opened */
    char *why; /* shared with children */
    unsigned share, shares;
} run = {.shares = 1};

static uint64_t
chance(void)
{
    return splitmix64(&run.random);
}

/* ---- building ---- */

/* How much of the writes since the last sync is there. */
struct taste {
    unsigned whole, torn; /* writes in a hundred that are there; sectors of the others */
    unsigned first; /* all of the first so many, and then by chance */
};

static struct taste
taste_of(uint64_t n, unsigned most)
{
    if (n == 0)
        return (struct taste){0, 0, 0};
    if (n == 1)
        return (struct taste){100, 0, 0};
    struct taste t = {.whole = (unsigned)(chance() % 101)};
    if (chance() % 3) {
        t.whole /= 4;
        t.torn = (unsigned)(chance() % 101);
    }
    if (chance() % 3 == 0)
        t.first = (unsigned)(chance() % (most + 1));
    return t;
}

static void
put(uint8_t **bytes, uint64_t *size, uint64_t at, const uint8_t *from, uint64_t count)
{
    if (at + count > *size) {
        *bytes = realloc(*bytes, at + count);
        if (!*bytes)
            abort();
        memset(*bytes + *size, 0, at + count - *size);
        *size = at + count;
    }
    memcpy(*bytes + at, from, count);
}

static uint64_t
hash(uint64_t seed, const uint8_t *bytes, uint64_t size)
{
    return record_check(bytes, size, seed);
}

/* Writes a file as it may be found; returns a hash of it. */
static uint64_t
build_file(const struct recorded_file *f, const char *path, const struct taste *t)
{
    uint8_t *bytes = malloc(f->size + 1);
    uint64_t size = f->size;
    if (!bytes)
        abort();
    if (size)
        memcpy(bytes, f->synced, size);
    for (unsigned i = 0; i < f->count; i++) {
        const struct unsynced *c = &f->changes[i];
        bool there = i < t->first || chance() % 100 < t->whole;
        if (!c->bytes) {
            if (there)
                size = c->at < size ? c->at : size;
            continue;
        }
        for (uint64_t done = 0; (there || t->torn) && done < c->size;) {
            uint64_t n = SECTOR - (c->at + done) % SECTOR;
            n = n < c->size - done ? n : c->size - done;
            if (there || chance() % 100 < t->torn)
                put(&bytes, &size, c->at + done, c->bytes + done, n);
            done += n;
        }
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    close(fd);
    uint64_t h = hash(size, bytes, size);
    free(bytes);
    return h;
}

static void
clean_directory(void)
{
    DIR *d = opendir(run.directory);
    for (const struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (e->d_type == DT_REG)
            (void)unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        (void)closedir(d);
}

static uint64_t
build(const struct recording *r, uint64_t n)
{
    unsigned names_at = n == 0 ? 0 : (unsigned)(chance() % (r->later_count + 1));
    if (n == 1)
        names_at = r->later_count;
    const struct names *names = names_at ? &r->later_names[names_at - 1] : &r->synced_names;
    uint64_t h = names_at;
    clean_directory();
    for (unsigned i = 0; i < names->count; i++) {
        const struct name *name = &names->all[i];
        char path[192];
        if (!name->file || strstr(name->text, "-lock") || strcmp(name->text, "LOCK") == 0)
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", run.directory, name->text);
        struct taste t = taste_of(n, name->file->count);
        h = h * 31 + build_file(name->file, path, &t);
    }
    return h;
}

/* ---- looking ---- */

static void
on_problem(void *context, const char *what, const char *id)
{
    (void)context;
    (void)snprintf(run.why, 512, "%s %s", what, id);
}

static bool
keeps(struct store *s, const struct want *w)
{
    char id[STINT_ID_TEXT_BYTES];
    struct record rec;
    const char *what = NULL;
    if (!stored_find(s, &w->id, &rec)) {
        if (w->keep_0 && w->success_told)
            return true;
        what = "was acknowledged and is lost";
    } else if (rec.attempt < w->attempt)
        what = "was dispatched with a higher attempt";
    else if (w->succeeded && (rec.state != STINT_SUCCEEDED || rec.attempt != w->succeeded))
        what = "has succeeded, which was confirmed, and has not";
    else if (w->cancelled && rec.state != STINT_CANCELLED_JOB)
        what = "was cancelled, and is not";
    if (what)
        (void)snprintf(run.why, 512, "job %s %s", stint_id_format(&w->id, id), what);
    return !what;
}

/* In the child: is all as it was promised? */
static bool
is_good(const struct recording *r)
{
    static struct data data;
    char text[1024];
    const char *error = "";
    struct store *store;
    struct core *core;
    struct core_options core_options;
    if (data_open(&data, run.directory, 0, false, text) != 0) {
        (void)snprintf(run.why, 512, "the directory is refused: %.400s", text);
        return false;
    }
    struct store_lmdb_options options = {
        .path = data.path, .size_bytes = 64 << 20, .reserve_bytes = 1 << 20};
    const struct journaled_options journaled = {.directory = data.directory,
        .identity = data.identity,
        .bytes = JOURNAL_BYTES_MIN,
        .pending_bytes_max = 1 << 18};
    struct verify_report report = {.problem = on_problem};
    core_options_init(&core_options);
    if (store_lmdb_new(&options, &store, &error) != STINT_OK) {
        (void)snprintf(run.why, 512, "the data file is refused: %.400s", error);
        return false;
    }
    if (journaled_open(&journaled, &store, text) != STINT_OK) {
        (void)snprintf(run.why, 512, "the journal is refused: %.400s", text);
        return false;
    }
    if (core_new(&core_options, store, 1, &core, &error) != STINT_OK) {
        (void)snprintf(run.why, 512, "the broker can't start: %.400s", error);
        return false;
    }
    core_check(core);
    core_destroy(&core);
    core_verify(store, 0, &report);
    if (report.problems)
        return false;
    store->ops->begin(store);
    for (unsigned i = 0; i < r->wants_count; i++)
        if (!keeps(store, &r->wants[i]))
            return false;
    store->ops->abort(store);
    store->ops->destroy(&store);
    data_close(&data);
    return true;
}

/* Has this state not been opened yet, with these promises? */
static bool
is_new(uint64_t h)
{
    size_t size = sizeof run.seen / sizeof *run.seen;
    if (run.states > size / 2)
        return false;
    for (size_t i = h % size;; i = (i + 1) % size) {
        if (run.seen[i] == h)
            return false;
        if (run.seen[i] == 0) {
            run.seen[i] = h;
            run.states++;
            return true;
        }
    }
}

static void
look(const struct recording *r, uint64_t event, uint64_t n)
{
    int status = 0;
    if (!is_new(build(r, n) * 31 + r->wants_count))
        return;
    (void)snprintf(run.why, 512, "it died");
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(2);
        _exit(is_good(r) ? 0 : 1);
    }
    if (child > 0 && waitpid(child, &status, 0) == child && status == 0)
        return;
    if (run.violations++ < 10)
        printf("after event %llu, state %llu: %s (status %d)\n", (unsigned long long)event,
            (unsigned long long)n, run.why, status);
}

/* How many states are worth building here: more where more is in doubt. */
static uint64_t
doubt(const struct recording *r)
{
    uint64_t in_doubt = r->later_count;
    for (unsigned i = 0; i < r->files_count; i++)
        for (unsigned k = 0; k < r->files[i].count; k++)
            in_doubt += 1 + r->files[i].changes[k].size / SECTOR;
    return in_doubt;
}

static uint64_t
walk(const char *path, bool ignore_syncs, uint64_t states, uint64_t weight)
{
    struct recording r;
    enum event_kind_recorded kind;
    uint64_t event = 0, sum = 0;
    if (!recording_open(&r, path)) {
        fprintf(stderr, "crash_states: can't read %s\n", path);
        exit(66);
    }
    r.ignore_syncs = ignore_syncs;
    for (; recording_next(&r, &kind); event++) {
        uint64_t here = doubt(&r);
        sum += here;
        if (weight && event % run.shares == run.share) {
            uint64_t count = here * states / weight + 2;
            for (uint64_t n = 0; n < count; n++)
                look(&r, event, n);
        }
        if (kind == RECORDED_WRITE_SYNCED)
            recording_settle_sync(&r);
    }
    return sum;
}

int
main(int argc, char **argv)
{
    uint64_t states = 1000;
    bool ignore_syncs = false;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--states") == 0 && i + 1 < argc)
            states = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--ignore-syncs") == 0)
            ignore_syncs = true;
        else if (strcmp(argv[i], "--share") == 0 && i + 1 < argc &&
            sscanf(argv[++i], "%u/%u", &run.share, &run.shares) == 2 && run.shares > 0)
            continue;
        else
            argc = 0;
    }
    if (argc < 2) {
        fprintf(
            stderr, "usage: crash_states RECORDING [--states N] [--ignore-syncs] [--share I/N]\n");
        return 64;
    }
    (void)snprintf(run.directory, sizeof run.directory, "/dev/shm/stint-crash-XXXXXX");
    run.random = run.share + 1;
    run.why = mmap(NULL, 512, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run.why == MAP_FAILED || !mkdtemp(run.directory))
        return 71;
    uint64_t weight = walk(argv[1], ignore_syncs, 0, 0);
    (void)walk(argv[1], ignore_syncs, states, weight ? weight : 1);
    clean_directory();
    (void)rmdir(run.directory);
    printf("%llu crash states opened, each of them another, %llu violations\n",
        (unsigned long long)run.states, (unsigned long long)run.violations);
    return run.violations ? 1 : 0;
}
