/* stint peek: what is next in a queue. Nothing is taken. */
#include "console.h"
#include "out.h"

#include <stdio.h>
#include <string.h>

static char *offset_text, *limit_text;
static int ids_only, payload_only;

static struct poptOption options[] = {
    {"offset", 0, POPT_ARG_STRING, &offset_text, 0, "pass over so many (0)", "N"},
    {"limit", 'n', POPT_ARG_STRING, &limit_text, 0, "show at most so many; 0: all (1)", "N"},
    {"ids", '1', POPT_ARG_NONE, &ids_only, 0, "print only ids, a line each", NULL},
    {"payload", 0, POPT_ARG_NONE, &payload_only, 0, "write the payload's bytes and nothing else",
        NULL},
    POPT_TABLEEND};

static const struct out_column columns[] = {{"ID", "id", OUT_LEFT, 0},
    {"PRIORITY", "priority", OUT_RIGHT, 0}, {"KIND", "kind", OUT_LEFT, 50},
    {"ATTEMPT", "attempt", OUT_RIGHT, 90}, {"AGE", "ago:submitted", OUT_RIGHT, 60},
    {"PAYLOAD", "payload", OUT_LONG, 0}};

struct peeking {
    const struct cli *cli;
    struct out_table *table;
    uint64_t count;
};

static bool
each(void *context, const struct stint_job_info *info)
{
    struct peeking *p = context;
    char text[STINT_ID_TEXT_BYTES];
    p->count++;
    if (payload_only)
        return out_bytes(info->payload, info->payload ? info->payload_bytes : 0);
    stint_id_format(&info->id, text);
    if (ids_only && p->cli->json)
        return out_line(json_pack("{ss ss}", "schema", "stint.id/1", "id", text));
    if (ids_only)
        return fprintf(console_out(), "%s\n", text) > 0 && !console_failed();
    if (p->cli->json)
        return out_line(out_job(info));
    out_table_add(p->table, out_job(info));
    return !console_failed();
}

static int
run_peek(struct cli *cli, const char **args)
{
    struct peeking p = {.cli = cli};
    uint64_t offset = 0, limit = 1;
    if (!args || !args[0] || args[1])
        return cli_usage(cli, "which queue? give one name");
    if ((offset_text && !cli_number(cli, "offset", offset_text, 0, INT64_MAX, &offset)) ||
        (limit_text && !cli_number(cli, "limit", limit_text, 0, INT64_MAX, &limit)))
        return EX_USAGE;
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    if (!cli->json && !ids_only && !payload_only)
        p.table = out_table_new(columns, sizeof columns / sizeof *columns);
    enum stint_status status = stint_peek(cli->client, args[0], offset, limit,
        ids_only ? 0 : STINT_PAYLOAD, each, &p, cli->timeout_ms);
    if (p.table)
        (void)out_table_show(&p.table);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (p.count > 0)
        return EX_OK;
    cli_say(cli, "%s: nothing is ready there%s", args[0], offset ? " so far back" : "");
    return EXIT_NO_SUCH_JOB;
}

const struct verb verb_peek = {"peek", "[OPTION...] QUEUE",
    "show what is next in a queue, and take nothing", options, run_peek, VERB_TAKES_ARGUMENTS};
