/* stint ls: jobs by queue, state and kind. */
#include "console.h"
#include "out.h"

#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMANDS = 1000 }; /* for so many jobs the command is looked up */

static char *queue, *kind, *states, *limit_text;
static uint64_t limit = 100;
static int ids_only, newest;
static char **where, *since, *wanted, *batch, *group;

static struct poptOption options[] = {
    {"queue", 'q', POPT_ARG_STRING, &queue, 0, "only of this queue", "NAME"},
    {"kind", 'k', POPT_ARG_STRING, &kind, 0, "only of this kind", "NAME"},
    {"group", 0, POPT_ARG_STRING, &group, 0, "only of this group of its queue", "NAME"},
    {"states", 's', POPT_ARG_STRING, &states, 0,
        "only in these states: ready,scheduled,running,succeeded,dead,cancelled,expired,blocked",
        "STATES"},
    {"state", 0, POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN, &states, 0, NULL, NULL},
    {"where", 'w', POPT_ARG_ARGV, &where, 0, "only those of which this is true: see FILTERS",
        "FILTER"},
    {"since", 0, POPT_ARG_STRING, &since, 0, "only those that were submitted in the last TIME",
        "TIME"},
    {"batch", 0, POPT_ARG_STRING, &batch, 0, "only those of this batch", "ID"},
    {"newest", 0, POPT_ARG_NONE, &newest, 0, "those that were submitted last, the newest first",
        NULL},
    {"columns", 'c', POPT_ARG_STRING, &wanted, 0,
        "what is shown of each: id, queue, kind, state, priority, attempt, failures, attempts, "
        "age, "
        "due, started, settled, bytes, worker, progress, group, error, command",
        "COLUMNS"},
    {"limit", 'n', POPT_ARG_STRING, &limit_text, 0, "at most so many; 0: all (100)", "N"},
    {"ids", '1', POPT_ARG_NONE, &ids_only, 0, "print only ids, a line each", NULL},
    {NULL, 'i', POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, &ids_only, 0, NULL, NULL}, POPT_TABLEEND};

static const struct out_column columns[] = {{"ID", "id", OUT_LEFT, 0},
    {"QUEUE", "queue", OUT_LEFT, 60}, {"KIND", "kind", OUT_LEFT, 70},
    {"STATE", "state", OUT_LEFT, 0}, {"ATTEMPT", "attempt", OUT_RIGHT, 90},
    {"AGE", "ago:submitted", OUT_RIGHT, 50}, {"WORKER", "worker", OUT_LONG, 100},
    {"ERROR", "error", OUT_LEFT, 0}, {"COMMAND", "command", OUT_LONG, 0}};

/* Those that can be asked for, by their names; one that was asked for is always shown. */
static const struct named {
    const char *name;
    struct out_column column;
} named[] = {{"id", {"ID", "id", OUT_LEFT, 0}}, {"queue", {"QUEUE", "queue", OUT_LEFT, 0}},
    {"kind", {"KIND", "kind", OUT_LEFT, 0}}, {"state", {"STATE", "state", OUT_LEFT, 0}},
    {"priority", {"PRIORITY", "priority", OUT_RIGHT, 0}},
    {"attempt", {"ATTEMPT", "attempt", OUT_RIGHT, 0}},
    {"failures", {"FAILURES", "failures", OUT_RIGHT, 0}},
    {"attempts", {"ATTEMPTS", "max_attempts", OUT_RIGHT, 0}},
    {"age", {"AGE", "ago:submitted", OUT_RIGHT, 0}}, {"due", {"DUE", "due", OUT_LEFT, 0}},
    {"started", {"STARTED", "ago:started", OUT_RIGHT, 0}},
    {"settled", {"SETTLED", "ago:settled", OUT_RIGHT, 0}},
    {"bytes", {"BYTES", "payload_bytes", OUT_RIGHT, 0}},
    {"worker", {"WORKER", "worker", OUT_LONG, 0}}, {"group", {"GROUP", "group", OUT_LEFT, 0}},
    {"progress", {"PROGRESS", "progress_percent", OUT_RIGHT, 0}},
    {"error", {"ERROR", "error", OUT_LEFT, 0}}, {"command", {"COMMAND", "command", OUT_LONG, 0}}};
enum { NAMED = sizeof named / sizeof *named };

static struct out_column chosen[NAMED];

struct listing {
    struct cli *cli;
    struct out_table *table;
    uint64_t count;
    json_t *rows; /* whose command is not known yet */
    struct stint_id *ids;
};

/* How it ended; what it said is told by show. On a terminal the command needs room too. */
static void
shorten_error(json_t *row)
{
    enum { SHARE = 4, FEWEST = 10 };
    char *error = out_bytes_of(row, "error");
    size_t width = console_width() / SHARE, size = error ? strcspn(error, "\n") : 0;
    if (!error)
        return;
    if (console_width() > 0 && size > width)
        size = width > FEWEST ? width : size > FEWEST ? FEWEST : size;
    while (size > 0 && ((unsigned char)error[size] & 0xc0) == 0x80)
        size--;
    json_object_set_new(row, "error", out_text(error, size));
    free(error);
}

static bool
each(void *context, const struct stint_job_info *info)
{
    struct listing *l = context;
    char text[STINT_ID_TEXT_BYTES];
    stint_id_format(&info->id, text);
    l->count++;
    if (ids_only && l->cli->json)
        return out_line(json_pack("{ss ss}", "schema", "stint.id/1", "id", text));
    if (ids_only)
        return fprintf(console_out(), "%s\n", text) > 0 && !console_failed();
    if (l->cli->json)
        return out_line(out_job(info));
    if (l->count > COMMANDS) {
        json_t *row = out_job(info);
        shorten_error(row);
        out_table_add(l->table, row);
        return !console_failed();
    }
    l->ids[l->count - 1] = info->id;
    json_array_append_new(l->rows, out_job(info));
    return true;
}

/* The words of a command, as far as they fit. */
static void
command_text(const struct stint_job_info *info, char *text, size_t size)
{
    msgpack_unpacked unpacked;
    size_t offset = 0, n = 0;
    *text = '\0';
    msgpack_unpacked_init(&unpacked);
    if (info->payload && info->payload_bytes < (1U << 16) &&
        msgpack_unpack_next(&unpacked, info->payload, info->payload_bytes, &offset) ==
            MSGPACK_UNPACK_SUCCESS) {
        const msgpack_object *argv = &unpacked.data;
        for (uint32_t i = 0; argv->type == MSGPACK_OBJECT_MAP && i < argv->via.map.size; i++) {
            const msgpack_object_kv *kv = &argv->via.map.ptr[i];
            if (kv->key.type == MSGPACK_OBJECT_STR && kv->key.via.str.size == 4 &&
                memcmp(kv->key.via.str.ptr, "argv", 4) == 0)
                argv = &kv->val;
        }
        for (uint32_t i = 0; argv->type == MSGPACK_OBJECT_ARRAY && i < argv->via.array.size; i++) {
            const msgpack_object *word = &argv->via.array.ptr[i];
            bool bytes = word->type == MSGPACK_OBJECT_BIN; /* it is not UTF-8 */
            size_t length = bytes ? word->via.bin.size : word->via.str.size;
            if ((bytes || word->type == MSGPACK_OBJECT_STR) && n + 1 < size)
                n += (size_t)snprintf(text + n, size - n, "%s%.*s", i ? " " : "",
                    (int)(length < size ? length : size),
                    bytes ? word->via.bin.ptr : word->via.str.ptr);
        }
    }
    msgpack_unpacked_destroy(&unpacked);
    if (n < size)
        return;
    for (n = size - 1; n > 0 && ((unsigned char)text[n - 1] & 0xc0) == 0x80;)
        n--;
    text[n > 0 ? n - 1 : 0] = '\0'; /* a character that may be cut */
}

/* What the jobs of kind exec run: their payloads tell. */
static enum stint_status
add_commands(struct listing *l)
{
    size_t i;
    json_t *row;
    enum stint_status status = STINT_OK;
    json_array_foreach(l->rows, i, row)
    {
        const struct stint_job_info *info;
        const char *of = json_string_value(json_object_get(row, "kind"));
        if (status == STINT_OK && of && strcmp(of, "exec") == 0) {
            char text[200];
            status =
                stint_get(l->cli->client, &l->ids[i], STINT_PAYLOAD, &info, l->cli->timeout_ms);
            if (status == STINT_OK)
                command_text(info, text, sizeof text);
            if (status == STINT_OK && *text)
                json_object_set_new(row, "command", out_text(text, strlen(text)));
            if (status == STINT_NO_SUCH_JOB)
                status = STINT_OK;
        }
        shorten_error(row);
        out_table_add(l->table, json_incref(row));
    }
    return status;
}

static bool
read_states(const struct cli *cli, uint32_t *bits)
{
    char *rest = states;
    for (char *word; rest && (word = strsep(&rest, ",")) != NULL;) {
        enum stint_state state;
        if (stint_state_parse(word, &state) != STINT_OK) {
            cli_say(cli, "--states: there is no state %s", word);
            return false;
        }
        *bits |= STINT_STATE_BIT(state);
    }
    return true;
}

/* The columns that were asked for; false after saying which is none. */
static bool
choose_columns(const struct cli *cli, size_t *count)
{
    char *rest = wanted;
    for (char *word; rest && (word = strsep(&rest, ",")) != NULL;) {
        size_t i = 0;
        while (i < NAMED && strcmp(named[i].name, word) != 0)
            i++;
        if (i == NAMED || *count == NAMED) {
            cli_say(cli, "--columns: %s; see stint ls --help",
                i == NAMED ? "there is no such column" : "there are no more");
            return false;
        }
        chosen[(*count)++] = named[i].column;
    }
    return true;
}

/* The filter's text: --where, and --since and --batch as terms more. NULL after saying what is
 * wrong. */
static char *
read_where(const struct cli *cli)
{
    uint64_t ms;
    char *given = cli_join(where), *text = NULL;
    if (since && !cli_duration(cli, "since", since, &ms))
        text = NULL;
    else if (group && strchr(group, '"'))
        cli_say(cli, "--group: write one with quotes as a filter, --where 'group=...'");
    else if (asprintf(&text, "%s%s%s%s%s%s%s%s", given, since ? " age<=" : "", since ? since : "",
                 batch ? " batch=" : "", batch ? batch : "", group ? " group=\"" : "",
                 group ? group : "", group ? "\"" : "") < 0)
        abort();
    free(given);
    return text;
}

static enum stint_status
list(struct cli *cli, const struct stint_filter *filter, size_t columns_count, struct listing *l,
    bool *table)
{
    l->rows = json_array();
    l->ids = cli_allocate(COMMANDS * sizeof *l->ids);
    l->table = columns_count ? out_table_new(chosen, columns_count)
                             : out_table_new(columns, sizeof columns / sizeof *columns);
    enum stint_status status = stint_list(cli->client, filter, each, l, cli->timeout_ms);
    if (status == STINT_OK)
        status = add_commands(l);
    json_decref(l->rows);
    free(l->ids);
    *table = out_table_show(&l->table);
    return status;
}

static int
run(struct cli *cli, const char **args)
{
    enum { NEWEST_MAX = 100000 };
    struct stint_filter filter = {.queue = queue, .kind = kind, .newest = newest != 0};
    struct listing l = {.cli = cli};
    size_t columns_count = 0;
    bool table;
    (void)args;
    if (!read_states(cli, &filter.states) || !choose_columns(cli, &columns_count) ||
        (limit_text &&
            !cli_number(cli, "limit", limit_text, newest ? 1 : 0, newest ? NEWEST_MAX : UINT64_MAX,
                &limit)))
        return EX_USAGE;
    char *text = read_where(cli);
    if (!text)
        return EX_USAGE;
    filter.limit = limit;
    filter.where = text;
    int rc = cli_connect(cli, NULL, 0);
    enum stint_status status = STINT_OK;
    if (rc == EX_OK)
        status = list(cli, &filter, columns_count, &l, &table);
    free(text);
    if (rc != EX_OK)
        return rc;
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (l.count == 0 && !cli->json && !table)
        cli_say(cli, "no such jobs");
    if (limit && l.count == limit && !cli->json && !ids_only)
        cli_say(cli, "the %s %llu; more with --limit", newest ? "newest" : "first",
            (unsigned long long)limit);
    return EX_OK;
}

const struct verb verb_ls = {
    "ls", "[OPTION...]", "list jobs by queue, state and kind", options, run, VERB_TAKES_NOTHING};
