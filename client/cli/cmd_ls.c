/* stint ls: jobs by queue, state and kind. */
#include "out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *queue, *kind, *states;
static int limit = 100, ids_only;

static struct poptOption options[] = {
    {"queue", 'q', POPT_ARG_STRING, &queue, 0, "only of this queue", "NAME"},
    {"kind", 'k', POPT_ARG_STRING, &kind, 0, "only of this kind", "NAME"},
    {"state", 's', POPT_ARG_STRING, &states, 0,
        "only in these states: ready,scheduled,running,succeeded,dead,cancelled", "STATES"},
    {"limit", 'n', POPT_ARG_INT, &limit, 0, "at most so many; 0: all (100)", "N"},
    {"ids", 'i', POPT_ARG_NONE, &ids_only, 0, "print only ids, a line each", NULL}, POPT_TABLEEND};

static const struct out_column columns[] = {{"ID", "id", false}, {"QUEUE", "queue", false},
    {"KIND", "kind", false}, {"STATE", "state", false}, {"ATTEMPT", "attempt", true},
    {"SUBMITTED", "submitted", false}, {"WORKER", "worker", false}, {"ERROR", "error", false}};

struct listing {
    const struct cli *cli;
    struct out_table *table;
    uint64_t count;
};

static bool
each(void *context, const struct stint_job_info *info)
{
    struct listing *l = context;
    char text[STINT_ID_TEXT_BYTES];
    l->count++;
    if (ids_only)
        return puts(stint_id_format(&info->id, text)) != EOF;
    if (l->cli->json)
        return out_line(out_job(info));
    out_table_add(l->table, out_job(info));
    if (l->count % 1000 == 0) { /* a long list is shown piece by piece: memory stays bounded */
        out_table_show(&l->table);
        l->table = out_table_new(columns, sizeof columns / sizeof *columns);
    }
    return true;
}

static bool
read_states(const struct cli *cli, uint32_t *bits)
{
    char *rest = states;
    for (char *word; rest && (word = strsep(&rest, ",")) != NULL;) {
        enum stint_state state;
        if (stint_state_parse(word, &state) != STINT_OK) {
            cli_say(cli, "--state: there is no state %s", word);
            return false;
        }
        *bits |= STINT_STATE_BIT(state);
    }
    return true;
}

static int
run(struct cli *cli, const char **args)
{
    struct stint_filter filter = {.queue = queue, .kind = kind};
    struct listing l = {.cli = cli};
    if (args && args[0])
        return cli_usage(cli, "what is %s? it takes no arguments", args[0]);
    if (!read_states(cli, &filter.states))
        return EX_USAGE;
    filter.limit = limit > 0 ? (uint64_t)limit : 0;
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    l.table = out_table_new(columns, sizeof columns / sizeof *columns);
    enum stint_status status = stint_list(cli->client, &filter, each, &l, cli->timeout_ms);
    out_table_show(&l.table);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (filter.limit && l.count == filter.limit && !cli->json && !ids_only)
        cli_say(cli, "the first %d; more with --limit", limit);
    return EX_OK;
}

const struct verb verb_ls = {
    "ls", "[OPTION...]", "list jobs by queue, state and kind", options, run};
