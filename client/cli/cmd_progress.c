/* stint progress: from within a job's program, how far it is. */
#include "within.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct poptOption options[] = {POPT_TABLEEND};

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
    return within_write(cli, fd, line, (size_t)size);
}

/* `40`, `40%`, `40.7`, as in a line that the program writes itself; the worker cuts it off. */
static bool
is_percent(const char *text)
{
    size_t digits = strspn(text, "0123456789"), size = digits;
    if (strcmp(text, "-") == 0)
        return true;
    if (text[digits] == '.')
        size += 1 + strspn(text + digits + 1, "0123456789");
    size += text[size] == '%';
    return digits > 0 && digits <= 3 && text[size] == '\0' && strtoul(text, NULL, 10) <= 100;
}

static int
run(struct cli *cli, const char **args)
{
    if (!args || !args[0])
        return cli_usage(cli, "how far is it? give a percentage, or - for none, and a text");
    if (!is_percent(args[0]))
        return cli_usage(cli, "%s: write a percentage from 0 to 100, or - for none", args[0]);
    int fd = within_find(cli);
    if (fd < 0)
        return EX_UNAVAILABLE;
    char *text = cli_join((char *const *)(uintptr_t)(args + 1));
    int rc = write_line(cli, fd, args[0], text);
    free(text);
    return rc;
}

const struct verb verb_progress = {"progress", "[OPTION...] PERCENT|- [TEXT...]",
    "within a job's program: tell how far it is", options, run, VERB_TAKES_ARGUMENTS};
