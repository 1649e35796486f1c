/* stint map: a durable, distributed xargs. Lines in, a job each, results out in the order of input.
 *
 * A window of jobs moves over the input: at its tail lines are read and submitted, a few in a
 * message; at its head results are written out. So memory is bounded however long the input is.
 * With a state directory (--state, --local) each submission's number belongs to fixed lines of the
 * input, and what is known of it is written down before the next one goes out: then a killed map
 * goes on exactly where it was.
 */
#include "jobs.h"
#include "lines.h"
#include "local.h"
#include "out.h"
#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WINDOW = 8192, /* jobs between head and tail */
    LINES_A_SUBMIT = 64,
    HELD_BYTES = 64 << 20, /* of results that wait for their turn: read no further */
    KEEP_MS = 3600000,
};

static char *input_path, *local_directory, *state_directory;
static int unordered, shell, zero, again, slots;

static struct poptOption options[] = {
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, job_option_table, 0, "The jobs:", NULL},
    {"unordered", 'u', POPT_ARG_NONE, &unordered, 0, "write results as they come", NULL},
    {"shell", 'S', POPT_ARG_NONE, &shell, 0, "the command is a line for /bin/sh; {} is the line",
        NULL},
    {"retry", 'R', POPT_ARG_NONE, &again, 0, "a failure is tried again, as --attempts says", NULL},
    {"input", 'i', POPT_ARG_STRING, &input_path, 0, "lines from this file", "FILE"},
    {"null", '0', POPT_ARG_NONE, &zero, 0, "lines end with a zero byte, as from find -print0",
        NULL},
    {"state", 's', POPT_ARG_STRING, &state_directory, 0,
        "remember in DIR what is done; the same command with it goes on where it stopped", "DIR"},
    {"local", 'L', POPT_ARG_STRING, &local_directory, 0,
        "without a broker: start one and a worker for the time, with data and --state in DIR",
        "DIR"},
    {"slots", 'n', POPT_ARG_INT, &slots, 0, "with --local: jobs at a time (one a core)", "N"},
    POPT_TABLEEND};

struct item {
    char *line;
    size_t line_bytes;
    struct stint_id id;
    bool known, settled; /* its id; its outcome */
    bool shown; /* by this map or, in a state directory, by one before it */
    enum stint_state how;
    char *result, *error;
    size_t result_bytes;
};

struct map {
    struct cli *cli;
    struct stint_job job;
    struct template template;
    struct lines *lines;
    struct state *state;
    struct item items[WINDOW];
    uint64_t head, tail, sent; /* of the input: first not shown, next to read, next to submit */
    uint64_t done, failed;
    size_t held_bytes;
    bool over; /* all input is read */
    int rc; /* a failure of the map itself */
};

/* The jobs of one submission. */
struct batch {
    struct map *map;
    uint64_t first;
    size_t count;
};

static struct item *
item_at(struct map *m, uint64_t index)
{
    return &m->items[index % WINDOW];
}

static void
clear_item(struct map *m, struct item *item)
{
    m->held_bytes -= item->result_bytes;
    free(item->line);
    free(item->result);
    free(item->error);
    *item = (struct item){0};
}

static void
write_out(struct map *m, uint64_t index)
{
    struct item *item = item_at(m, index);
    bool failed = item->how != STINT_SUCCEEDED;
    if (m->cli->json) {
        char id[STINT_ID_TEXT_BYTES];
        struct stint_job_info info = {.id = item->id, .state = item->how};
        info.result = item->result;
        info.result_bytes = item->result_bytes;
        json_t *o = out_job(&info);
        json_t *line = json_stringn(item->line, item->line_bytes);
        json_object_set_new(o, "id", json_string(stint_id_format(&item->id, id)));
        json_object_set_new(o, "line", line ? line : json_null());
        if (item->error)
            json_object_set_new(o, "error", json_string(item->error));
        if (!out_line(o))
            m->rc = EX_IOERR;
    } else if (failed)
        cli_say(m->cli, "%.*s: %s", (int)item->line_bytes, item->line,
            item->error && *item->error ? item->error : stint_state_name(item->how));
    else if (!out_bytes(item->result, item->result_bytes))
        m->rc = EX_IOERR;
    if (m->state && (fflush(stdout) != 0 || !state_show(m->state, index, failed)))
        m->rc = EX_IOERR;
    item->shown = true;
}

/* Writes out what has its turn, and moves the head. */
static void
advance(struct map *m)
{
    while (m->head < m->tail) {
        struct item *item = item_at(m, m->head);
        if (!item->settled && !item->shown)
            return;
        if (!item->shown)
            write_out(m, m->head);
        clear_item(m, item);
        m->head++;
    }
}

static char *
copied(const void *bytes, size_t size)
{
    char *c = malloc(size + 1);
    if (!c)
        abort();
    if (size)
        memcpy(c, bytes, size);
    c[size] = '\0';
    return c;
}

/* Items are few and in order: the window is searched from where ids are dense. */
static struct item *
item_of(struct map *m, const struct stint_id *id, uint64_t *index)
{
    for (*index = m->head; *index < m->tail; (*index)++) {
        struct item *item = item_at(m, *index);
        if (item->known && !item->settled && memcmp(item->id.bytes, id->bytes, STINT_ID_BYTES) == 0)
            return item;
    }
    return NULL;
}

static void
settled(void *context, const struct stint_job_info *info)
{
    struct map *m = context;
    uint64_t index;
    struct item *item = item_of(m, &info->id, &index);
    if (!item)
        return;
    item->settled = true;
    const char *lost = out_lost_result(info);
    item->how = lost ? STINT_UNKNOWN : info->state;
    item->result = copied(info->result, info->result ? info->result_bytes : 0);
    item->result_bytes = info->result ? info->result_bytes : 0;
    m->held_bytes += item->result_bytes;
    if (item->how != STINT_SUCCEEDED) {
        const char *unknown = lost ? lost : "its outcome is not kept any more";
        const char *error = item->how == STINT_UNKNOWN ? unknown : info->error;
        item->error = copied(error, strlen(error));
        m->failed++;
    }
    m->done++;
    if (unordered)
        write_out(m, index);
    advance(m);
}

static void
submitted(void *context, enum stint_status status, const struct stint_id *ids, size_t count)
{
    struct batch *b = context;
    struct map *m = b->map;
    if (status != STINT_OK) {
        m->rc = cli_failed(m->cli, status);
        free(b);
        return;
    }
    if (m->state && !state_add_ids(m->state, ids, count)) {
        cli_say(m->cli, "can't write to the state directory: %s", strerror(errno));
        m->rc = EX_IOERR;
    }
    for (size_t i = 0; i < count; i++) {
        struct item *item = item_at(m, b->first + i);
        item->id = ids[i];
        item->known = true;
    }
    free(b);
    status = stint_watch(m->cli->client, ids, count, true, settled, m);
    if (status != STINT_OK)
        m->rc = cli_failed(m->cli, status);
}

static void
submit(struct map *m)
{
    struct stint_job jobs[LINES_A_SUBMIT] = {0};
    struct batch *b = malloc(sizeof *b);
    if (!b)
        abort();
    *b = (struct batch){m, m->sent, (size_t)(m->tail - m->sent)};
    for (size_t i = 0; i < b->count; i++) {
        const struct item *item = item_at(m, m->sent + i);
        jobs[i] = m->job;
        jobs[i].payload = jobs_payload(
            &m->template, item->line, item->line_bytes, !again, &jobs[i].payload_bytes);
    }
    size_t count = b->count;
    enum stint_status status = stint_submit_async(m->cli->client, jobs, count, submitted, b);
    if (status != STINT_OK) {
        m->rc = cli_failed(m->cli, status);
        free(b);
    }
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)jobs[i].payload);
    m->sent = m->tail;
}

/* A line that a map before us has submitted: only its outcome is missing, or not even that. */
static void
take_up(struct map *m, struct item *item, uint64_t index)
{
    item->shown = state_shown(m->state, index);
    if (item->shown) {
        m->done++;
        return;
    }
    if (!state_id(m->state, index, &item->id)) {
        m->rc = EX_IOERR;
        return;
    }
    item->known = true;
    enum stint_status status = stint_watch(m->cli->client, &item->id, 1, true, settled, m);
    if (status != STINT_OK)
        m->rc = cli_failed(m->cli, status);
}

static void
take_line(struct map *m, const char *line, size_t bytes)
{
    uint64_t index = m->tail++;
    struct item *item = item_at(m, index);
    item->line = copied(line, bytes);
    item->line_bytes = bytes;
    if (m->state && index < state_ids(m->state) && m->sent == index) {
        m->sent = m->tail;
        take_up(m, item, index);
        advance(m);
    } else if (m->tail - m->sent == LINES_A_SUBMIT)
        submit(m);
}

static bool
has_room(const struct map *m)
{
    return m->tail - m->head < WINDOW && m->held_bytes < HELD_BYTES &&
        stint_client_pending(m->cli->client) < 256;
}

/* Reads as far as there is input and room. A submission is sent short only where no state ties
 * numbers to lines, or at the end. */
static void
read_lines(struct map *m)
{
    const char *line;
    size_t bytes;
    while (!m->over && m->rc == EX_OK && has_room(m)) {
        enum lines_result got = lines_next(m->lines, false, &line, &bytes);
        if (got == LINES_ONE) {
            take_line(m, line, bytes);
            continue;
        }
        if (got == LINES_ERROR) {
            cli_say(m->cli, "reading failed: %s", strerror(errno));
            m->rc = EX_IOERR;
        }
        m->over = got != LINES_NONE_YET;
        if (m->tail > m->sent && (m->over || !m->state))
            submit(m);
        return;
    }
}

/* Writes the ids of what goes on without us to a file that stint wait reads. */
static void
detach(struct map *m)
{
    const char *tmp = getenv("TMPDIR");
    char path[4096], id[STINT_ID_TEXT_BYTES];
    uint64_t left = 0;
    if (m->state) {
        cli_say(m->cli, "stopped; the same command goes on where it was");
        return;
    }
    (void)snprintf(path, sizeof path, "%s/stint-map-%ld.ids", tmp ? tmp : "/tmp", (long)getpid());
    FILE *f = fopen(path, "wxe");
    for (uint64_t i = m->head; f && i < m->tail; i++) {
        const struct item *item = item_at(m, i);
        if (item->known && !item->settled) {
            fprintf(f, "%s\n", stint_id_format(&item->id, id));
            left++;
        }
    }
    if (f && fclose(f) == 0)
        cli_say(m->cli, "%llu jobs go on; follow them with: stint wait --results --file %s",
            (unsigned long long)left, path);
}

static void
work(struct map *m)
{
    while (m->rc == EX_OK && !(m->over && m->head == m->tail) && !cli_interrupted()) {
        read_lines(m);
        if (m->rc != EX_OK || (m->over && m->head == m->tail))
            break;
        (void)fflush(stdout); /* whoever reads our output need not wait for us to end */
        /* An input that can go on is looked at often; nothing else can wake us for it. */
        bool reading = !m->over && has_room(m);
        enum stint_status status = stint_client_process(m->cli->client, reading ? 10 : 500);
        if (status != STINT_OK)
            m->rc = cli_failed(m->cli, status);
        out_progress(m->done, m->tail, m->failed, false);
    }
    out_progress(m->done, m->tail, m->failed, true);
    (void)fflush(stdout);
}

/* One line that tells a command from another. */
static char *
describe(const struct template *t)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        abort();
    for (size_t i = 0; i < t->count; i++)
        fprintf(f, "%s%s", i ? "\x1f" : "", t->words[i]);
    if (fclose(f) != 0)
        abort();
    return text;
}

static int
open_state(struct map *m)
{
    char directory[4096];
    if (!local_directory && !state_directory)
        return EX_OK;
    if (state_directory)
        (void)snprintf(directory, sizeof directory, "%s", state_directory);
    else
        (void)snprintf(directory, sizeof directory, "%s/map", local_directory);
    char *command = describe(&m->template);
    int rc = state_open(m->cli, directory, command, &m->state);
    free(command);
    if (rc == EX_OK)
        m->failed = state_failed(m->state);
    return rc;
}

static int
connect_map(struct map *m)
{
    uint64_t submissions =
        m->state ? (state_ids(m->state) + LINES_A_SUBMIT - 1) / LINES_A_SUBMIT : 0;
    int rc = cli_connect(m->cli, m->state ? state_session(m->state) : NULL, submissions);
    if (rc != EX_OK)
        return rc;
    enum stint_status status = stint_connect(m->cli->client, m->cli->timeout_ms);
    return status == STINT_OK ? EX_OK : cli_failed(m->cli, status);
}

static int
run_map(struct map *m)
{
    struct local local = {0};
    int rc = EX_OK;
    m->lines = lines_open(input_path, zero ? '\0' : '\n');
    if (!m->lines) {
        cli_say(m->cli, "can't read %s: %s", input_path, strerror(errno));
        return EX_NOINPUT;
    }
    if (local_directory)
        rc = local_start(m->cli, local_directory, (unsigned)slots, &local);
    if (rc == EX_OK)
        rc = open_state(m);
    if (rc == EX_OK)
        rc = connect_map(m);
    if (rc == EX_OK) {
        cli_catch_interrupt();
        work(m);
        rc = m->rc;
        bool complete = m->over && m->head == m->tail;
        if (rc == EX_OK && !complete) {
            detach(m);
            rc = 128 + 2;
        } else if (rc == EX_OK) {
            if (m->state)
                state_finish(m->state);
            rc = m->failed ? EXIT_JOB_FAILED : EX_OK;
        }
    }
    stint_client_destroy(&m->cli->client);
    local_stop(&local);
    state_close(&m->state);
    lines_close(&m->lines);
    return rc;
}

static int
run(struct cli *cli, const char **args)
{
    struct map *m = calloc(1, sizeof *m);
    if (!m)
        abort();
    m->cli = cli;
    int rc = jobs_fill(cli, &m->job);
    if (rc == EX_OK)
        rc = jobs_template(cli, args, shell, &m->template);
    if (rc == EX_OK) {
        if (!job_options.kind)
            m->job.kind = "exec";
        if (m->job.keep_ms < 0)
            m->job.keep_ms = KEEP_MS;
        rc = run_map(m);
    }
    while (m->head < m->tail)
        clear_item(m, item_at(m, m->head++));
    jobs_template_free(&m->template);
    free(m);
    return rc;
}

const struct verb verb_map = {"map", "[OPTION...] COMMAND [ARGUMENT...]",
    "run a command for each line of input, on all workers", options, run};
