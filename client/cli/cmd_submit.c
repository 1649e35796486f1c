/* stint submit: a job from an argument, a file or standard input; or a job a line. */
#include "jobs.h"
#include "lines.h"
#include "out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *path;
static int each, zero;

static struct poptOption options[] = {
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, job_option_table, 0, "The job:", NULL},
    {"file", 'f', POPT_ARG_STRING, &path, 0, "payload from this file; -: standard input", "FILE"},
    {"each", 'E', POPT_ARG_NONE, &each, 0, "a job for each line of the file or standard input",
        NULL},
    {"null", '0', POPT_ARG_NONE, &zero, 0, "lines end with a zero byte, as from find -print0",
        NULL},
    POPT_TABLEEND};

static bool
print_id(const struct cli *cli, const struct stint_id *id)
{
    char text[STINT_ID_TEXT_BYTES];
    stint_id_format(id, text);
    if (cli->json)
        return out_line(json_pack("{ss ss}", "schema", "stint.submitted/1", "id", text));
    return puts(text) != EOF;
}

/* The whole of a file, allocated. */
static bool
read_all(struct cli *cli, const char *from, char **bytes, size_t *size)
{
    bool standard = !from || strcmp(from, "-") == 0;
    FILE *f = standard ? stdin : fopen(from, "re");
    size_t room = 0, n;
    *bytes = NULL;
    *size = 0;
    if (!f) {
        cli_say(cli, "can't read %s: %s", from, strerror(errno));
        return false;
    }
    do {
        if (room - *size < 65536) {
            room = room ? 2 * room : 131072;
            *bytes = realloc(*bytes, room);
            if (!*bytes)
                abort();
        }
        n = fread(*bytes + *size, 1, room - *size, f);
        *size += n;
    } while (n > 0 && *size <= (64U << 20));
    bool good = !ferror(f);
    if (!standard)
        fclose(f);
    return good;
}

static int
submit_one(struct cli *cli, struct stint_job *job)
{
    struct stint_id id;
    enum stint_status status = stint_submit(cli->client, job, 1, &id, cli->timeout_ms);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    return print_id(cli, &id) ? EX_OK : EX_IOERR;
}

enum { LINES_A_MESSAGE = 1000 };

struct pile {
    struct stint_job jobs[LINES_A_MESSAGE];
    struct stint_id ids[LINES_A_MESSAGE];
    size_t count;
};

static int
submit_pile(struct cli *cli, struct pile *pile)
{
    enum stint_status status =
        stint_submit(cli->client, pile->jobs, pile->count, pile->ids, cli->timeout_ms);
    int rc = status == STINT_OK ? EX_OK : cli_failed(cli, status);
    for (size_t i = 0; i < pile->count; i++) {
        if (rc == EX_OK && !print_id(cli, &pile->ids[i]))
            rc = EX_IOERR;
        free((void *)(uintptr_t)pile->jobs[i].payload);
    }
    pile->count = 0;
    return rc;
}

/* Lines are sent as soon as the input pauses, so that a pipe's jobs are not held back. */
static int
submit_each(struct cli *cli, const struct stint_job *common)
{
    static struct pile pile;
    struct lines *lines = lines_open(path, zero ? '\0' : '\n');
    const char *line;
    size_t bytes;
    int rc = EX_OK;
    if (!lines) {
        cli_say(cli, "can't read %s: %s", path, strerror(errno));
        return EX_NOINPUT;
    }
    enum lines_result got = LINES_ONE;
    while (rc == EX_OK && got != LINES_OVER && got != LINES_ERROR) {
        got = lines_next(lines, pile.count == 0, &line, &bytes);
        if (got == LINES_ONE) {
            struct stint_job *job = &pile.jobs[pile.count++];
            *job = *common;
            char *copy = malloc(bytes + 1);
            if (!copy)
                abort();
            job->payload = memcpy(copy, line, bytes);
            job->payload_bytes = bytes;
        }
        if (pile.count == LINES_A_MESSAGE || (got != LINES_ONE && pile.count > 0))
            rc = submit_pile(cli, &pile);
    }
    if (got == LINES_ERROR) {
        cli_say(cli, "reading failed: %s", strerror(errno));
        rc = EX_IOERR;
    }
    lines_close(&lines);
    return rc;
}

static int
run(struct cli *cli, const char **args)
{
    struct stint_job job;
    char *bytes = NULL;
    size_t size = 0;
    int rc = jobs_fill(cli, &job);
    if (rc != EX_OK)
        return rc;
    if (args && args[0] && (path || each || args[1]))
        return cli_usage(cli, "one payload: an argument, --file, or standard input");
    rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    if (each)
        return submit_each(cli, &job);
    if (args && args[0]) {
        job.payload = args[0];
        job.payload_bytes = strlen(args[0]);
        return submit_one(cli, &job);
    }
    if (!path && isatty(STDIN_FILENO))
        cli_say(cli, "reading the payload from the terminal; end it with Ctrl-D");
    if (!read_all(cli, path, &bytes, &size)) {
        free(bytes);
        return EX_NOINPUT;
    }
    job.payload = bytes;
    job.payload_bytes = size;
    rc = submit_one(cli, &job);
    free(bytes);
    return rc;
}

const struct verb verb_submit = {"submit", "[OPTION...] [PAYLOAD]",
    "put a job, or a job a line, into a queue; prints the ids", options, run};
