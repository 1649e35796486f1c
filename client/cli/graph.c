/* submit --graph; the contract is in graph.h. */
#include "graph.h"
#include "jobs.h"
#include "lines.h"
#include "within.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#define uthash_fatal(text) abort()
#include <uthash.h>

enum {
    GRAPH_JOBS = 4096, /* of one message, */
    GRAPH_BYTES = 4 << 20, /* and so are these */
    GRAPH_LINKS = 32768,
    LINK_BYTES = 18,
};

struct node {
    char *name;
    uint32_t place;
    UT_hash_handle hh;
};

struct graph {
    struct cli *cli;
    struct stint_job jobs[GRAPH_JOBS];
    struct stint_id ids[GRAPH_JOBS];
    struct stint_id links[GRAPH_LINKS]; /* what the jobs are after, one behind the other */
    struct node nodes[GRAPH_JOBS];
    struct node *by_name; /* uthash */
    uint32_t count, links_count;
    size_t bytes;
    uint64_t line;
};

static int
wrong(const struct graph *g, const char *what, const char *name, size_t size)
{
    cli_say(g->cli, "line %llu: %s%.*s; nothing is stored", (unsigned long long)g->line, what,
        (int)(size < 100 ? size : 100), name);
    return EX_DATAERR;
}

static struct node *
find(const struct graph *g, const char *name, size_t size)
{
    struct node *n = NULL;
    if (g->by_name)
        HASH_FIND(hh, g->by_name, name, size, n);
    return n;
}

static int
add_parent(struct graph *g, struct stint_job *job, const char *name, size_t size)
{
    const struct node *n = find(g, name, size);
    if (!n)
        return wrong(g, "no line before it is called ", name, size);
    if (job->after.count == JOBS_AFTER_MAX || g->links_count == GRAPH_LINKS)
        return wrong(g, "that is one parent too many: ", name, size);
    g->links[g->links_count++] = stint_earlier(n->place);
    job->after.count++;
    return EX_OK;
}

/* The words before the colon: its name, and those that it is after. */
static int
read_names(struct graph *g, struct stint_job *job, const char *at, const char *end)
{
    static const char blanks[] = " \t";
    struct node *self = &g->nodes[g->count];
    int rc = EX_OK;
    while (rc == EX_OK) {
        while (at < end && strchr(blanks, *at))
            at++;
        const char *begin = at;
        while (at < end && !strchr(blanks, *at))
            at++;
        size_t size = (size_t)(at - begin);
        if (size == 0)
            break;
        if (self->name)
            rc = add_parent(g, job, begin, size);
        else if (find(g, begin, size))
            rc = wrong(g, "there are two lines with this name: ", begin, size);
        else
            self->name = cli_copy(begin, size);
    }
    if (rc == EX_OK && !self->name)
        rc = wrong(g, "the name is missing before the colon", "", 0);
    return rc;
}

static int
add_line(struct graph *g, const struct stint_job *common, const char *line, size_t bytes)
{
    const char *colon = memchr(line, ':', bytes), *payload = colon ? colon + 1 : NULL;
    if (bytes == 0 || *line == '#')
        return EX_OK;
    if (!colon || memchr(line, 0, (size_t)(colon - line)))
        return wrong(g, "write NAME [PARENT...]: PAYLOAD", "", 0);
    if (g->count == GRAPH_JOBS)
        return wrong(g, "a graph has at most 4096 jobs", "", 0);
    struct stint_job *job = &g->jobs[g->count];
    *job = *common;
    int rc = read_names(g, job, line, colon);
    if (rc != EX_OK)
        return rc;
    payload += payload < line + bytes && *payload == ' ';
    job->payload_bytes = (size_t)(line + bytes - payload);
    job->payload = cli_copy(payload, job->payload_bytes);
    g->nodes[g->count].place = g->count;
    HASH_ADD_KEYPTR(hh, g->by_name, g->nodes[g->count].name, strlen(g->nodes[g->count].name),
        &g->nodes[g->count]);
    g->count++;
    g->bytes += job->payload_bytes + job->after.count * (size_t)LINK_BYTES;
    return g->bytes > GRAPH_BYTES ? wrong(g, "a graph has at most 4 MiB", "", 0) : EX_OK;
}

static int
read_all(struct graph *g, const char *path, const struct stint_job *common)
{
    struct lines *lines = lines_open(path, '\n', JOBS_PAYLOAD_MAX);
    enum lines_result got = LINES_ONE;
    const char *line;
    size_t bytes;
    int rc = EX_OK;
    if (!lines) {
        cli_say(g->cli, "can't read %s: %s", path ? path : "standard input", strerror(errno));
        return EX_NOINPUT;
    }
    while (rc == EX_OK && (got == LINES_ONE || got == LINES_NONE_YET)) {
        got = lines_next(lines, 1000, &line, &bytes);
        g->line += got == LINES_ONE;
        if (got == LINES_ONE)
            rc = add_line(g, common, line, bytes);
    }
    if (got == LINES_ERROR) {
        cli_say(g->cli, "reading failed: %s", strerror(errno));
        rc = EX_IOERR;
    } else if (got == LINES_TOO_LONG) {
        g->line++;
        rc = wrong(g, "it is over 4 MiB, which no job can carry", "", 0);
    }
    lines_close(&lines);
    return rc;
}

static int
submit(struct graph *g)
{
    const struct stint_id *at = g->links;
    for (uint32_t i = 0; i < g->count; i++) {
        g->jobs[i].after.ids = at;
        at += g->jobs[i].after.count;
    }
    if (jobs_at_end)
        return within_submit(g->cli, g->jobs, g->count);
    enum stint_status status = stint_connect(g->cli->client, g->cli->timeout_ms);
    cli_catch_interrupt(); /* what is stored is told, whatever comes */
    if (status == STINT_OK)
        status = stint_submit(g->cli->client, g->jobs, g->count, g->ids, g->cli->timeout_ms);
    if (status != STINT_OK)
        return cli_failed(g->cli, status);
    for (uint32_t i = 0; i < g->count; i++)
        jobs_print_id(g->cli, &g->ids[i], STINT_MET_NOTHING);
    return EX_OK;
}

int
graph_submit(struct cli *cli, const char *path, const struct stint_job *common)
{
    struct graph *g = cli_allocate(sizeof *g);
    memset(g, 0, sizeof *g);
    g->cli = cli;
    int rc = read_all(g, path, common);
    if (rc == EX_OK && g->count > 0 && !jobs_at_end)
        rc = cli_connect(cli, NULL, 0);
    if (rc == EX_OK && g->count > 0)
        rc = submit(g);
    HASH_CLEAR(hh, g->by_name);
    for (uint32_t i = 0; i < GRAPH_JOBS && g->nodes[i].name; i++) {
        free(g->nodes[i].name);
        free((void *)(uintptr_t)g->jobs[i].payload);
    }
    free(g);
    return rc;
}
