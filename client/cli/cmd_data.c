/* stint backup, restore, dump and load: stintd does them, on a data directory of this host; it is
 * the one that knows what is in one. So these verbs become it.
 */
#include "console.h"
#include "local.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static char *data, *growth;
static int ignore_unknown;

#define OPTION_DATA \
    { \
        "data", 0, POPT_ARG_STRING, &data, 0, \
            "the broker's data directory (STINT_DATA, then ./stint-data)", "DIR" \
    }
#define OPTION_GROWTH \
    { \
        "growth-max", 0, POPT_ARG_STRING, &growth, 0, \
            "give up when the data file has grown by so much meanwhile; 0: never (1G)", "SIZE" \
    }

static struct poptOption options[] = {OPTION_DATA, POPT_TABLEEND};
static struct poptOption reading_options[] = {OPTION_DATA, OPTION_GROWTH, POPT_TABLEEND};
static struct poptOption load_options[] = {OPTION_DATA,
    {"ignore-unknown", 0, POPT_ARG_NONE, &ignore_unknown, 0,
        "pass over lines and fields that stintd does not know", NULL},
    POPT_TABLEEND};

/* Returns only if it can't: an exit code. */
static int
become(struct cli *cli, const char *what, const char *file)
{
    char path[4096];
    const char *argv[16];
    unsigned n = 0;
    if (!local_find_program("stintd", "../../broker", path)) {
        cli_say(cli, "can't find stintd, neither beside stint nor on the PATH");
        return EX_UNAVAILABLE;
    }
    argv[n++] = path;
    argv[n++] = what;
    if (file)
        argv[n++] = file;
    if (data) {
        argv[n++] = "--data";
        argv[n++] = data;
    }
    if (growth) {
        argv[n++] = "--growth-max";
        argv[n++] = growth;
    }
    if (ignore_unknown)
        argv[n++] = "--ignore-unknown";
    if (cli->json) {
        argv[n++] = "--log-format";
        argv[n++] = "json";
    }
    argv[n] = NULL;
    (void)execv(path, (char *const *)(uintptr_t)argv);
    cli_say(cli, "can't start %s: %s", path, strerror(errno));
    return EX_OSERR;
}

static int
with_file(struct cli *cli, const char *what, const char **args)
{
    if (!args || !args[0] || args[1])
        return cli_usage(
            cli, "which file? -: standard %s", strcmp(what, "--backup") == 0 ? "output" : "input");
    return become(cli, what, args[0]);
}

static int
run_backup(struct cli *cli, const char **args)
{
    return with_file(cli, "--backup", args);
}

static int
run_restore(struct cli *cli, const char **args)
{
    return with_file(cli, "--restore", args);
}

static int
run_load(struct cli *cli, const char **args)
{
    return with_file(cli, "--load", args);
}

/* A backup's file stands where a directory would. */
static int
run_dump(struct cli *cli, const char **args)
{
    if (args && args[0]) {
        if (data || args[1])
            return cli_usage(cli, "one directory or backup at a time");
        data = (char *)(uintptr_t)args[0];
    }
    return become(cli, "--dump", NULL);
}

const struct verb verb_backup = {"backup", "FILE", "copy the data of a broker, which may run",
    reading_options, run_backup, VERB_TAKES_ARGUMENTS};
const struct verb verb_restore = {"restore", "FILE", "make a data directory from a backup", options,
    run_restore, VERB_TAKES_ARGUMENTS};
const struct verb verb_dump = {"dump", "[DIR|BACKUP]", "write a broker's data as JSON lines",
    reading_options, run_dump, VERB_TAKES_ARGUMENTS};
const struct verb verb_load = {"load", "FILE", "make a data directory from a dump", load_options,
    run_load, VERB_TAKES_ARGUMENTS};
