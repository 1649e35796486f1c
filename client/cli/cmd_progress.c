/* stint progress: from within a job's program, how far it is. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct poptOption options[] = {POPT_TABLEEND};

/* The descriptor that the worker has given to the program; -1 after saying that there is none. */
static int
find_control(const struct cli *cli)
{
    const char *text = getenv("STINT_CONTROL");
    char *end;
    if (!text) {
        cli_say(cli,
            "this is not within a job: stint-worker sets STINT_CONTROL for the programs "
            "that it runs");
        return -1;
    }
    errno = 0;
    long fd = strtol(text, &end, 10);
    int flags = errno == 0 && end != text && *end == '\0' && fd >= 0 && fd <= INT_MAX
        ? fcntl((int)fd, F_GETFL)
        : -1;
    if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY)
        return (int)fd;
    cli_say(cli, "STINT_CONTROL is %s, which is no descriptor that is open for writing here", text);
    return -1;
}

/* One write, so that lines of several programs do not mix. */
static int
write_line(const struct cli *cli, int fd, const char *percent, const char *text)
{
    char line[PIPE_BUF];
    int size = snprintf(line, sizeof line, "progress %s%s%s\n", percent, *text ? " " : "", text);
    if (size >= (int)sizeof line)
        return cli_usage(cli, "the text is too long");
    for (char *c = line; c < line + size - 1; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    (void)signal(SIGPIPE, SIG_IGN);
    if (write(fd, line, (size_t)size) == size)
        return EX_OK;
    cli_say(cli, "the worker does not hear it: %s", strerror(errno));
    return EX_IOERR;
}

static bool
is_percent(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (strcmp(text, "-") == 0)
        return true;
    return digits > 0 && digits <= 3 && text[digits] == '\0' && strtoul(text, NULL, 10) <= 100;
}

static int
run(struct cli *cli, const char **args)
{
    if (!args || !args[0])
        return cli_usage(cli, "how far is it? give a percentage, or - for none, and a text");
    if (!is_percent(args[0]))
        return cli_usage(cli, "%s: write a percentage from 0 to 100, or - for none", args[0]);
    int fd = find_control(cli);
    if (fd < 0)
        return EX_UNAVAILABLE;
    char *text = cli_join((char *const *)(uintptr_t)(args + 1));
    int rc = write_line(cli, fd, args[0], text);
    free(text);
    return rc;
}

const struct verb verb_progress = {"progress", "[OPTION...] PERCENT|- [TEXT...]",
    "within a job's program: tell how far it is", options, run, VERB_TAKES_ARGUMENTS};
