/* How a map ends before its input does: --halt, a reader that has gone, Ctrl-C. */
#include "map.h"
#include "units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
map_read_halt(const struct cli *cli, const char *text, struct halt *h)
{
    static const char *const whats[] = {"fail=", "success=", "done="};
    const char *at = text;
    *h = (struct halt){0};
    if (strcmp(text, "never") == 0)
        return true;
    h->when = strncmp(at, "soon,", 5) == 0 ? HALT_SOON
        : strncmp(at, "now,", 4) == 0      ? HALT_NOW
                                           : HALT_NEVER;
    at += h->when == HALT_SOON ? 5 : 4;
    for (unsigned i = 0; h->when != HALT_NEVER && i < 3; i++) {
        const char *end;
        uint64_t n;
        if (strncmp(at, whats[i], strlen(whats[i])) != 0)
            continue;
        at += strlen(whats[i]);
        if (!units_read_number(at, &n, &end))
            break;
        h->what = i == 0 ? HALT_FAIL : i == 1 ? HALT_SUCCESS : HALT_DONE;
        if (n > 0 && *end == '\0')
            h->count = n;
        else if (n > 0 && n <= 100 && strcmp(end, "%") == 0)
            h->percent = n;
        if (h->count || h->percent)
            return true;
        break;
    }
    cli_say(cli,
        "--halt=%s: write never, or now or soon, a comma, and fail=N, success=N or done=N "
        "(or N%%), such as now,fail=1",
        text);
    return false;
}

bool
map_halts(const struct map *m)
{
    const struct halt *h = &m->o.halt;
    uint64_t done = m->counts.failed + m->counts.succeeded;
    uint64_t n = h->what == HALT_FAIL ? m->counts.failed
        : h->what == HALT_SUCCESS     ? m->counts.succeeded
                                      : done;
    if (h->when == HALT_NEVER)
        return false;
    if (h->count)
        return n >= h->count;
    enum { FEWEST = 3 }; /* a share of less says nothing */
    uint64_t total =
        m->over || !m->counts.total ? m->counts.done + m->window.open : m->counts.total;
    return done >= FEWEST && n * 100 >= h->percent * total;
}

static bool
mark_running(void *context, const struct stint_job_info *info)
{
    struct map *m = context;
    struct item *item;
    HASH_FIND(hh, m->window.by_id, &info->id, sizeof info->id, item);
    if (item)
        item->running = true;
    return true;
}

static enum stint_status
cancel_known(struct map *m, bool all)
{
    enum { AT_ONCE = 2048, WAIT_MS = 5000 };
    struct stint_id ids[AT_ONCE];
    enum stint_status status = STINT_OK;
    size_t count = 0;
    for (struct item *i = m->window.by_id; i && count < AT_ONCE; i = i->hh.next)
        if (!i->info && (all || !i->running)) {
            i->running = true; /* it is dealt with */
            ids[count++] = i->id;
        }
    if (count > 0)
        status = stint_cancel(m->cli->client, ids, count, NULL, WAIT_MS);
    /* Some may have been settled meanwhile: that is no failure. */
    if (status == STINT_WRONG_STATE || status == STINT_NO_SUCH_JOB)
        status = STINT_OK;
    return count > 0 && status == STINT_OK && count == AT_ONCE ? cancel_known(m, all) : status;
}

void
map_cancel(struct map *m, bool all)
{
    enum { WAIT_MS = 5000 };
    struct stint_filter running = {.queue = m->o.queue, .states = STINT_STATE_BIT(STINT_RUNNING)};
    uint64_t end_ms = clock_ms() + WAIT_MS;
    enum stint_status status = STINT_OK;
    m->stopping = m->over = true;
    map_drop_unsent(m);
    while (status == STINT_OK && stint_client_pending(m->cli->client) > 0 && clock_ms() < end_ms)
        status = stint_client_process(m->cli->client, 100);
    if (status == STINT_OK && !all)
        status = stint_list(m->cli->client, &running, mark_running, m, WAIT_MS);
    if (status == STINT_NO_SUCH_QUEUE)
        status = STINT_OK;
    if (status == STINT_OK)
        status = cancel_known(m, all);
    if (status != STINT_OK && m->rc == EX_OK)
        m->rc = cli_failed(m->cli, status);
}

/* A file of its own in the first directory that takes one. */
static FILE *
open_ids(char path[4096])
{
    const char *const directories[] = {getenv("TMPDIR"), "/tmp", "."};
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        if (!directories[i])
            continue;
        (void)snprintf(path, 4096, "%s/stint-map-XXXXXX.ids", directories[i]);
        int fd = mkstemps(path, 4);
        FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
        if (f)
            return f;
        if (fd >= 0)
            close(fd);
    }
    return NULL;
}

void
map_detach(struct map *m)
{
    enum { WAIT_MS = 2000 };
    char path[4096], id[STINT_ID_TEXT_BYTES];
    uint64_t left = 0, unsent = 0, end_ms = clock_ms() + WAIT_MS;
    if (m->state) {
        cli_say(m->cli, "%s",
            m->o.local
                ? "stopping: what runs is ended, and run again when the same command goes on "
                  "(Ctrl-C again: do not wait)"
                : "stopped; jobs go on, and the same command goes on where it was");
        return;
    }
    while (stint_client_pending(m->cli->client) > 0 && clock_ms() < end_ms &&
        stint_client_process(m->cli->client, 100) == STINT_OK)
        ;
    for (struct item *i = m->window.items; i; i = i->next) {
        left += !i->info && !i->payload;
        unsent += !i->info && i->payload;
    }
    FILE *f = left > 0 ? open_ids(path) : NULL;
    for (struct item *i = m->window.items; i; i = i->next)
        if (!i->info && !i->payload)
            fprintf(f ? f : stderr, "%s\n", stint_id_format(&i->id, id));
    if (left == 0 && m->rc == EX_OK)
        cli_say(m->cli, "stopped; no job of it goes on");
    else if (left > 0 && f && fclose(f) == 0)
        cli_say(m->cli, "%llu jobs go on; follow them with: stint wait --results --file %s",
            (unsigned long long)left, path);
    else if (left > 0)
        cli_say(m->cli, "%llu jobs go on, and no file could be written for their ids: %s",
            (unsigned long long)left, strerror(errno));
    if (unsent > 0)
        cli_say(m->cli, "%llu lines that were read were not submitted, and are not run",
            (unsigned long long)unsent);
    if (!m->over)
        cli_say(m->cli,
            "the input was not read to its end: what stands behind line %llu is not run",
            (unsigned long long)(input_line(m->input) - 1));
}
