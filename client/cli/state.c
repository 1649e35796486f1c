/* A map's state directory; the contract is in state.h.
 *
 *     map       what it belongs to: format, session, command
 *     lines     a record a line that became a job: its key, its job's id, what became of it
 *     log       submissions and their answers, synced before the next one is sent; `lines` is
 *               brought up to it at the next start, and it is emptied when that is on disk
 *     complete  there if all was done
 */
#include "state.h"
#include "local.h"
#include "state_owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { LOG_BATCH = 1, LOG_ANSWER = 2, LOG_DROP = 3 };
enum { LOG_ENOUGH = 4 << 20, LOG_MAX = 64 << 20, RECORD_MAX = 64 << 20, NAME_NONE = 255 };

struct line_record {
    struct state_key key;
    struct stint_id id;
    uint8_t how, unused[7];
};

struct lines_header {
    char magic[8];
    uint64_t answered;
};

struct log_header {
    uint32_t type, bytes;
    uint64_t checksum;
};

/* Begins the body of each record of the log. `answered` is the count after it. */
struct log_body {
    uint64_t first, count, answered;
};

struct job_common {
    int64_t keep_ms;
    uint64_t time_to_run_ms, backoff_base_ms, backoff_cap_ms;
    int32_t priority;
    uint32_t max_attempts;
};

/* Behind the jobs, if they are for later. */
struct job_due {
    uint64_t delay_ms, due_ms;
};

struct former {
    struct state_key key;
    uint32_t index, used; /* used: of the first of equal keys: how many of them were found */
};

struct pending {
    uint64_t first, count;
    off_t at; /* its record in the log */
};

struct state {
    struct owner owner;
    int lock, lines_fd, log_fd;
    uint64_t count; /* of lines */
    uint64_t answered, found;
    off_t log_bytes;
    struct former *former;
    size_t former_count;
    struct pending *pending;
    size_t pending_count, pending_next;
    size_t unanswered; /* of this run and those before it */
    struct stint_id *awaited; /* in order, once they were asked for */
    size_t awaited_count;
};

_Static_assert(sizeof(struct lines_header) == OWNER_LINES_HEAD, "an empty one is told by it");

static const char lines_magic[8] = {'s', 't', 'm', 'a', 'p', 'l', '2', '\n'};

static off_t
line_at(uint64_t index)
{
    return (off_t)(sizeof(struct lines_header) + index * sizeof(struct line_record));
}

static bool
write_line(struct state *s, uint64_t index, const struct line_record *r)
{
    return pwrite(s->lines_fd, r, sizeof *r, line_at(index)) == sizeof *r;
}

static bool
read_line(const struct state *s, uint64_t index, struct line_record *r)
{
    return pread(s->lines_fd, r, sizeof *r, line_at(index)) == sizeof *r;
}

bool
state_mark(struct state *s, uint64_t index, enum state_how how)
{
    uint8_t mark = (uint8_t)how;
    off_t at = line_at(index) + (off_t)offsetof(struct line_record, how);
    return pwrite(s->lines_fd, &mark, 1, at) == 1;
}

static bool
set_ids(struct state *s, uint64_t first, const uint8_t *ids, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        off_t at = line_at(first + i) + (off_t)offsetof(struct line_record, id);
        if (pwrite(s->lines_fd, ids + i * STINT_ID_BYTES, STINT_ID_BYTES, at) != STINT_ID_BYTES)
            return false;
    }
    return true;
}

/* ---- the log, replayed ---- */

/* The body of the record at `at`, allocated; NULL where the log ends, or was torn. */
static uint8_t *
read_log(const struct state *s, off_t at, struct log_header *h)
{
    if (pread(s->log_fd, h, sizeof *h, at) != sizeof *h || h->bytes < sizeof(struct log_body) ||
        h->bytes > RECORD_MAX)
        return NULL;
    uint8_t *body = malloc(h->bytes);
    if (!body)
        abort();
    if (pread(s->log_fd, body, h->bytes, at + (off_t)sizeof *h) == (ssize_t)h->bytes &&
        XXH3_64bits(body, h->bytes) == h->checksum)
        return body;
    free(body);
    return NULL;
}

static void
pending_remove(struct state *s, uint64_t first)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->pending_count; i++)
        if (s->pending[i].first != first)
            s->pending[kept++] = s->pending[i];
    s->pending_count = kept;
}

static bool
replay(struct state *s, const struct log_header *h, const uint8_t *body, off_t at)
{
    struct log_body b;
    memcpy(&b, body, sizeof b);
    const uint8_t *rest = body + sizeof b;
    uint64_t room = (h->bytes - sizeof b) / 16;
    if (h->type != LOG_DROP && b.count > room)
        return false;
    if (h->type == LOG_BATCH) {
        for (uint64_t i = 0; i < b.count; i++) {
            struct line_record r = {0};
            memcpy(&r.key, rest + i * sizeof r.key, sizeof r.key);
            if (b.first + i >= s->count && !write_line(s, b.first + i, &r))
                return false;
        }
        if (b.first + b.count > s->count)
            s->count = b.first + b.count;
        s->pending = realloc(s->pending, (s->pending_count + 1) * sizeof *s->pending);
        if (!s->pending)
            abort();
        s->pending[s->pending_count++] = (struct pending){b.first, b.count, at};
        return true;
    }
    pending_remove(s, b.first);
    if (b.answered > s->answered)
        s->answered = b.answered;
    if (h->type == LOG_ANSWER)
        return set_ids(s, b.first, rest, b.count);
    for (uint64_t i = 0; i < b.count; i++)
        if (!state_mark(s, b.first + i, STATE_DROPPED))
            return false;
    return true;
}

static bool
replay_all(struct state *s)
{
    struct log_header h;
    uint8_t *body;
    bool good = true;
    while (good && (body = read_log(s, s->log_bytes, &h)) != NULL) {
        good = replay(s, &h, body, s->log_bytes);
        s->log_bytes += (off_t)(sizeof h + h.bytes);
        free(body);
    }
    s->unanswered = s->pending_count;
    return good && ftruncate(s->log_fd, s->log_bytes) == 0;
}

static int
compare(const void *a, const void *b)
{
    const struct former *x = a, *y = b;
    int order = memcmp(&x->key, &y->key, sizeof x->key);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* All lines of former maps, so that they can be found by what is in them. One whose submission was
 * never written down whole was never sent. */
static bool
read_former(struct state *s)
{
    static const struct stint_id none;
    struct line_record r;
    size_t p = 0;
    s->former = cli_allocate((s->count + 1) * sizeof *s->former);
    for (uint64_t i = 0; i < s->count; i++) {
        if (!read_line(s, i, &r))
            return false;
        while (p < s->pending_count && s->pending[p].first + s->pending[p].count <= i)
            p++;
        bool sent = p < s->pending_count && s->pending[p].first <= i;
        if (r.how == STATE_OPEN && memcmp(&r.id, &none, sizeof none) == 0 && !sent) {
            if (!state_mark(s, i, STATE_DROPPED))
                return false;
        } else if (r.how != STATE_DROPPED)
            s->former[s->former_count++] = (struct former){r.key, (uint32_t)i, 0};
    }
    qsort(s->former, s->former_count, sizeof *s->former, compare);
    return true;
}

static int
open_files(struct state *s)
{
    char path[4096];
    struct stat st;
    struct lines_header h = {.answered = 0};
    memcpy(h.magic, lines_magic, sizeof h.magic);
    owner_file(&s->owner, "lines", path);
    s->lines_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    owner_file(&s->owner, "log", path);
    s->log_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lines_fd < 0 || s->log_fd < 0 || fstat(s->lines_fd, &st) != 0)
        return EX_CANTCREAT;
    if (st.st_size < (off_t)sizeof h && pwrite(s->lines_fd, &h, sizeof h, 0) != sizeof h)
        return EX_IOERR;
    if (pread(s->lines_fd, &h, sizeof h, 0) != sizeof h ||
        memcmp(h.magic, lines_magic, sizeof h.magic) != 0)
        return EX_CONFIG;
    s->answered = h.answered;
    if (st.st_size > (off_t)sizeof h)
        s->count = ((uint64_t)st.st_size - sizeof h) / sizeof(struct line_record);
    return replay_all(s) && read_former(s) ? EX_OK : EX_IOERR;
}

int
state_open(struct cli *cli, const char *directory, const char *called, const char *command,
    bool failed_again, struct state **state)
{
    struct state *s = cli_allocate(sizeof *s);
    s->lines_fd = s->log_fd = s->lock = -1;
    (void)snprintf(s->owner.directory, sizeof s->owner.directory, "%s", directory);
    int rc = mkdir(directory, 0700) != 0 && errno != EEXIST ? EX_CANTCREAT : EX_OK;
    if (rc != EX_OK)
        cli_say(cli, "can't make %s: %s", directory, strerror(errno));
    else
        rc = local_lock(cli, directory, &s->lock);
    if (rc == EX_OK) {
        errno = 0;
        rc = owner_settle(cli, &s->owner, called, command, failed_again);
        bool told = rc == EX_CONFIG || rc == EX_NOINPUT;
        if (rc == EX_OK)
            rc = open_files(s);
        if (rc != EX_OK && !told)
            cli_say(cli, "can't use the state in %s: %s", directory,
                errno ? strerror(errno) : "it is damaged; remove it to begin anew");
    }
    if (rc != EX_OK)
        state_close(&s);
    *state = s;
    return rc;
}

void
state_close(struct state **state)
{
    struct state *s = *state;
    if (!s)
        return;
    const int fds[] = {s->lines_fd, s->log_fd, s->lock};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(s->former);
    free(s->awaited);
    free(s->pending);
    free(s);
    *state = NULL;
}

const uint8_t *
state_session(const struct state *s)
{
    return s->owner.session;
}

uint64_t
state_answered(const struct state *s)
{
    return s->answered;
}

uint64_t
state_left(const struct state *s)
{
    return s->former_count - s->found;
}

bool
state_find(struct state *s, const struct state_key *key, struct state_line *line)
{
    size_t from = 0, to = s->former_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (memcmp(&s->former[middle].key, key, sizeof *key) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    if (from == s->former_count || memcmp(&s->former[from].key, key, sizeof *key) != 0)
        return false;
    size_t at = from + s->former[from].used;
    struct line_record r;
    static const struct stint_id none;
    if (at >= s->former_count || memcmp(&s->former[at].key, key, sizeof *key) != 0 ||
        !read_line(s, s->former[at].index, &r))
        return false;
    s->former[from].used++;
    s->found++;
    *line = (struct state_line){.index = s->former[at].index,
        .how = (enum state_how)r.how,
        .known = memcmp(&r.id, &none, sizeof none) != 0,
        .id = r.id};
    return line->how != STATE_DROPPED;
}

static int
compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct stint_id));
}

bool
state_awaits(struct state *s, const struct stint_id *id)
{
    struct line_record r;
    if (!s->awaited) {
        s->awaited = cli_allocate((s->count + 1) * sizeof *s->awaited);
        for (uint64_t i = 0; i < s->count; i++)
            if (read_line(s, i, &r) && r.how == STATE_OPEN)
                s->awaited[s->awaited_count++] = r.id;
        qsort(s->awaited, s->awaited_count, sizeof *s->awaited, compare_ids);
    }
    return bsearch(id, s->awaited, s->awaited_count, sizeof *s->awaited, compare_ids) != NULL;
}

/* ---- writing ---- */

static bool
append_log(struct state *s, uint32_t type, const char *body, size_t bytes, bool sync)
{
    struct log_header h = {type, (uint32_t)bytes, XXH3_64bits(body, bytes)};
    if (bytes > RECORD_MAX || pwrite(s->log_fd, &h, sizeof h, s->log_bytes) != sizeof h ||
        pwrite(s->log_fd, body, bytes, s->log_bytes + (off_t)sizeof h) != (ssize_t)bytes)
        return false;
    s->log_bytes += (off_t)(sizeof h + bytes);
    return !sync || fdatasync(s->log_fd) == 0;
}

/* All is answered: what the log says goes into `lines`, and the log begins anew. */
static bool
checkpoint(struct state *s)
{
    struct lines_header h = {.answered = s->answered};
    memcpy(h.magic, lines_magic, sizeof h.magic);
    if (s->unanswered > 0 || s->log_bytes < LOG_ENOUGH)
        return true;
    if (pwrite(s->lines_fd, &h, sizeof h, 0) != sizeof h || fdatasync(s->lines_fd) != 0 ||
        ftruncate(s->log_fd, 0) != 0)
        return false;
    s->log_bytes = 0;
    return true;
}

bool
state_has_room(const struct state *s)
{
    return s->log_bytes < LOG_MAX || s->unanswered == 0;
}

static void
put_name(FILE *f, const char *name)
{
    fputc(name ? (int)strlen(name) : NAME_NONE, f);
    fputs(name ? name : "", f);
}

bool
state_add(struct state *s, const struct state_key *keys, const struct stint_job *jobs, size_t count,
    uint64_t *first)
{
    char *body = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&body, &bytes);
    struct log_body b = {s->count, count, s->answered};
    struct job_common c = {jobs->keep_ms, jobs->time_to_run_ms, jobs->backoff_base_ms,
        jobs->backoff_cap_ms, jobs->priority, jobs->max_attempts};
    struct job_due due = {jobs->delay_ms, jobs->due_ms};
    if (!f)
        abort();
    *first = s->count;
    fwrite(&b, sizeof b, 1, f);
    fwrite(keys, sizeof *keys, count, f);
    fwrite(&c, sizeof c, 1, f);
    put_name(f, jobs->queue);
    put_name(f, jobs->kind);
    for (size_t i = 0; i < count; i++) {
        uint32_t size = (uint32_t)jobs[i].payload_bytes;
        fwrite(&size, sizeof size, 1, f);
        if (size)
            fwrite(jobs[i].payload, 1, size, f);
    }
    if (due.delay_ms || due.due_ms)
        fwrite(&due, sizeof due, 1, f);
    bool good = fclose(f) == 0 && checkpoint(s);
    for (size_t i = 0; i < count && good; i++) {
        struct line_record r = {.key = keys[i]};
        good = write_line(s, s->count + i, &r);
    }
    good = good && append_log(s, LOG_BATCH, body, bytes, true);
    free(body);
    s->count += count;
    s->unanswered++;
    return good;
}

static bool
append_short(struct state *s, uint32_t type, uint64_t first, const void *ids, size_t count)
{
    char *body = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&body, &bytes);
    struct log_body b = {first, count, s->answered};
    if (!f)
        abort();
    fwrite(&b, sizeof b, 1, f);
    if (ids)
        fwrite(ids, STINT_ID_BYTES, count, f);
    bool good = fclose(f) == 0 && append_log(s, type, body, bytes, false);
    free(body);
    s->unanswered -= s->unanswered > 0;
    return good;
}

bool
state_answer(struct state *s, uint64_t first, const struct stint_id *ids, size_t count)
{
    s->answered++;
    return append_short(s, LOG_ANSWER, first, ids, count) && set_ids(s, first, ids->bytes, count);
}

bool
state_drop(struct state *s, uint64_t first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!state_mark(s, first + i, STATE_DROPPED))
            return false;
    return append_short(s, LOG_DROP, first, NULL, count);
}

/* ---- what has no answer ---- */

static const char *
get_name(const uint8_t **at, const uint8_t *end, char name[256])
{
    if (*at >= end)
        return NULL;
    size_t size = *(*at)++;
    if (size == NAME_NONE || size > (size_t)(end - *at))
        return NULL;
    memcpy(name, *at, size);
    name[size] = '\0';
    *at += size;
    return name;
}

bool
state_next_pending(struct state *s, struct state_batch *batch)
{
    struct log_header h;
    struct job_common c;
    *batch = (struct state_batch){0};
    if (s->pending_next >= s->pending_count)
        return false;
    const struct pending *p = &s->pending[s->pending_next++];
    uint8_t *body = read_log(s, p->at, &h);
    size_t fixed = sizeof(struct log_body) + p->count * sizeof(struct state_key);
    if (!body || h.bytes < fixed + sizeof c) {
        free(body);
        return false;
    }
    const uint8_t *at = body + fixed, *end = body + h.bytes;
    char *names = cli_allocate(512);
    memcpy(&c, at, sizeof c);
    at += sizeof c;
    struct stint_job job = {.priority = c.priority,
        .max_attempts = c.max_attempts,
        .keep_ms = c.keep_ms,
        .time_to_run_ms = c.time_to_run_ms,
        .backoff_base_ms = c.backoff_base_ms,
        .backoff_cap_ms = c.backoff_cap_ms};
    job.queue = get_name(&at, end, names);
    job.kind = get_name(&at, end, names + 256);
    batch->jobs = cli_allocate(p->count * sizeof *batch->jobs);
    for (; batch->count < p->count && (size_t)(end - at) >= sizeof(uint32_t); batch->count++) {
        uint32_t size;
        memcpy(&size, at, sizeof size);
        at += sizeof size;
        if (size > (size_t)(end - at))
            break;
        job.payload = cli_copy(at, size);
        job.payload_bytes = size;
        batch->jobs[batch->count] = job;
        at += size;
    }
    struct job_due due;
    for (size_t i = 0; i < batch->count && (size_t)(end - at) == sizeof due; i++) {
        memcpy(&due, at, sizeof due);
        batch->jobs[i].delay_ms = due.delay_ms;
        batch->jobs[i].due_ms = due.due_ms;
    }
    batch->first = p->first;
    batch->bytes = names;
    free(body);
    return batch->count == p->count;
}

void
state_batch_free(struct state_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        free((void *)(uintptr_t)batch->jobs[i].payload);
    free(batch->jobs);
    free(batch->bytes);
    *batch = (struct state_batch){0};
}

bool
state_renew(struct state *s, uint64_t *dropped)
{
    struct lines_header h = {.answered = 0};
    *dropped = 0;
    for (size_t i = 0; i < s->pending_count; i++) {
        *dropped += s->pending[i].count;
        for (uint64_t n = 0; n < s->pending[i].count; n++)
            if (!state_mark(s, s->pending[i].first + n, STATE_DROPPED))
                return false;
    }
    memcpy(h.magic, lines_magic, sizeof h.magic);
    s->pending_count = s->unanswered = 0;
    s->answered = 0;
    bool good = pwrite(s->lines_fd, &h, sizeof h, 0) == sizeof h && fdatasync(s->lines_fd) == 0 &&
        ftruncate(s->log_fd, 0) == 0;
    s->log_bytes = 0;
    return good && owner_renew(&s->owner);
}

bool
state_finish(struct state *s)
{
    char path[4096];
    owner_file(&s->owner, "complete", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 && fsync(s->lines_fd) == 0 && close(fd) == 0;
}
