/* stint groups: the groups of a queue that have jobs, and how many of them wait and run. */
#include "console.h"
#include "out.h"

#include <string.h>

static char *one, *limit_text;

static struct poptOption options[] = {
    {"group", 'g', POPT_ARG_STRING, &one, 0, "only this one", "NAME"},
    {"limit", 'n', POPT_ARG_STRING, &limit_text, 0, "at most so many; 0: all (1000)", "N"},
    POPT_TABLEEND};

static const struct out_column columns[] = {{"GROUP", "group", OUT_LEFT, 0},
    {"READY", "ready", OUT_RIGHT, 0}, {"RUNNING", "running", OUT_RIGHT, 0},
    {"WEIGHT", "weight", OUT_RIGHT, 0}};

struct listing {
    const struct cli *cli;
    struct out_table *table;
    uint64_t count, limit;
};

static bool
each(void *context, const struct stint_group_info *info)
{
    struct listing *l = context;
    if (l->limit && l->count == l->limit)
        return false;
    l->count++;
    if (l->cli->json)
        return out_line(out_group(info));
    out_table_add(l->table, out_group(info));
    return !console_failed();
}

static int
run_groups(struct cli *cli, const char **args)
{
    struct listing l = {.cli = cli, .limit = 1000};
    if (!args || !args[0] || args[1])
        return cli_usage(cli, "of which queue? give one name");
    if (limit_text && !cli_number(cli, "limit", limit_text, 0, UINT64_MAX, &l.limit))
        return EX_USAGE;
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    if (!cli->json)
        l.table = out_table_new(columns, sizeof columns / sizeof *columns);
    enum stint_status status = stint_groups(cli->client, args[0], one, each, &l, cli->timeout_ms);
    bool table = l.table && out_table_show(&l.table);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (l.count == 0 && !cli->json && !table)
        cli_say(cli, "%s: no group has jobs that wait or run there", args[0]);
    return EX_OK;
}

const struct verb verb_groups = {"groups", "[OPTION...] QUEUE",
    "list the groups of a queue that have jobs, and how many", options, run_groups,
    VERB_TAKES_ARGUMENTS};
