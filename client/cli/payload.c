/* Payloads of jobs that are prepared for later; the contract is in payload.h. */
#include "payload.h"
#include "template.h"

#include <stdlib.h>
#include <string.h>

struct payload_options payload_options;

struct poptOption payload_option_table[] = {
    {"file", 'f', POPT_ARG_STRING, &payload_options.path, 0,
        "payload from this file; -: standard input", "FILE"},
    {"exec", 'x', POPT_ARG_NONE, &payload_options.is_command, 0,
        "what follows the name is a command, as run takes it", NULL},
    {"shell", 'S', POPT_ARG_NONE, &payload_options.shell, 0, "the same, as a line for /bin/sh",
        NULL},
    {"wd", 0, POPT_ARG_STRING, &job_options.directory, 0,
        "a command runs in this directory; -: the worker's own (this one, where it is there)",
        "DIR"},
    {"env", 0, POPT_ARG_ARGV, &job_options.environment, 0, "set this variable for a command",
        "NAME[=VALUE]"},
    POPT_TABLEEND};

/* The payload of a command, as run makes it. */
static int
take_command(struct cli *cli, const char **args, struct stint_job *job, char **bytes)
{
    struct template *template = NULL;
    struct surroundings s = {.once = !job_options.attempts};
    size_t count = 0;
    while (args[count])
        count++;
    if (job_options.kind && strcmp(job_options.kind, "exec") != 0)
        return cli_usage(cli, "--kind %s: a command is of kind exec", job_options.kind);
    int rc = template_new(
        cli, (const char *const *)args, count, payload_options.shell, false, &template);
    if (rc == EX_OK)
        rc = surroundings_fill(cli, &s);
    if (rc == EX_OK) {
        job->kind = "exec";
        *bytes = template_payload(template, &s, NULL, &job->payload_bytes);
        job->payload = *bytes;
    }
    surroundings_free(&s);
    template_free(&template);
    return rc;
}

int
payload_take(struct cli *cli, const char **args, struct stint_job *job, char **bytes)
{
    if (payload_options.is_command || payload_options.shell)
        return take_command(cli, args, job, bytes);
    if (job_options.directory || job_options.environment)
        return cli_usage(cli, "--wd and --env are for commands: --exec");
    if (args[0] && (args[1] || payload_options.path))
        return cli_usage(cli, "one payload: an argument, --file, or none; a command: --exec");
    int rc = EX_OK;
    if (args[0]) {
        job->payload_bytes = strlen(args[0]);
        *bytes = cli_copy(args[0], job->payload_bytes);
    } else if (payload_options.path)
        rc = jobs_read(cli, payload_options.path, bytes, &job->payload_bytes);
    job->payload = *bytes;
    return rc;
}
