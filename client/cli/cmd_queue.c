/* stint queue: pause, resume, close, open and remove queues. */
#include "console.h"
#include "out.h"

#include <string.h>

static struct poptOption no_options[] = {POPT_TABLEEND};

static const struct action {
    const char *name;
    enum stint_queue_action action;
    const char *done;
} actions[] = {{"pause", STINT_PAUSE_QUEUE, "is paused"},
    {"resume", STINT_RESUME_QUEUE, "is resumed"}, {"close", STINT_CLOSE_QUEUE, "is closed"},
    {"open", STINT_OPEN_QUEUE, "is open"}, {"rm", STINT_REMOVE_QUEUE, "is removed"}};

static int
set_one(struct cli *cli, const struct action *action, const char *name)
{
    struct stint_queue_setting now;
    enum stint_status status =
        stint_set_queue(cli->client, name, action->action, &now, cli->timeout_ms);
    if (status != STINT_OK) {
        cli_say(cli, "%s: %s", name, stint_client_error(cli->client));
        return cli_exit(status);
    }
    if (cli->json)
        return out_line(out_queue_setting(name, action->name, &now)) ? EX_OK : EX_IOERR;
    cli_say(cli, "%s %s%s", name, action->done,
        now.made ? "; it was not there before, so look whether the name is right" : "");
    return EX_OK;
}

/* One that fails does not hold up the others. */
static int
run_queue(struct cli *cli, const char **args)
{
    const struct action *action = NULL;
    int failed = EX_OK;
    if (!args || !args[0])
        return cli_usage(cli, "what about it? pause, resume, close, open or rm");
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(actions[i].name, args[0]) == 0)
            action = &actions[i];
    if (!action)
        return cli_usage(cli, "%s: write pause, resume, close, open or rm", args[0]);
    if (!args[1])
        return cli_usage(cli, "which queue? give one or more names");
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    for (args++; *args && rc != EX_IOERR; args++) {
        rc = set_one(cli, action, *args);
        failed = failed == EX_OK ? rc : failed;
        if (rc == EX_UNAVAILABLE || rc == EX_TEMPFAIL)
            break; /* nor would the others get through */
    }
    return failed;
}

const struct verb verb_queue = {"queue", "[OPTION...] pause|resume|close|open|rm NAME...",
    "pause, resume, close, open or remove queues", no_options, run_queue, VERB_TAKES_ARGUMENTS};
