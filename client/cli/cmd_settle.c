/* stint settle: how the run of a job that stint take took has ended. */
#include "jobs.h"
#include "out.h"
#include "ticket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *result, *snooze, *error;
static int failed, dead, back;

static struct poptOption options[] = {
    {"result", 0, POPT_ARG_STRING, &result, 0,
        "it succeeded, and this is its result; -: standard input", "FILE"},
    {"failed", 0, POPT_ARG_NONE, &failed, 0, "it failed: it is tried again, as often as it may",
        NULL},
    {"dead", 0, POPT_ARG_NONE, &dead, 0, "it failed for good: it is not tried again", NULL},
    {"error", 0, POPT_ARG_STRING, &error, 0, "with --failed or --dead: why", "TEXT"},
    {"snooze", 0, POPT_ARG_STRING, &snooze, 0, "not now: run it again in so long; does not count",
        "TIME"},
    {"return", 0, POPT_ARG_NONE, &back, 0, "it was not begun: back to its place; does not count",
        NULL},
    POPT_TABLEEND};

/* What is to be told; the body is allocated. */
static int
read_request(struct cli *cli, struct ticket_request *r, char **body)
{
    size_t size = 0;
    uint64_t delay_ms = 0;
    if ((result != NULL) + failed + dead + (snooze != NULL) + back > 1)
        return cli_usage(cli, "one of --result, --failed, --dead, --snooze and --return");
    if (error && !failed && !dead)
        return cli_usage(cli, "--error has no effect without --failed or --dead");
    if (snooze && !cli_duration(cli, "snooze", snooze, &delay_ms))
        return EX_USAGE;
    r->outcome = failed ? TICKET_FAIL
        : dead          ? TICKET_DIE
        : snooze        ? TICKET_SNOOZE
        : back          ? TICKET_RETURN
                        : TICKET_SUCCEED;
    r->delay_ms = delay_ms;
    int rc = result ? jobs_read(cli, result, body, &size) : EX_OK;
    if (rc == EX_OK && (failed || dead)) {
        const char *why = error ? error : "settled by hand";
        size = strlen(why);
        *body = cli_copy(why, size);
    }
    if (rc == EX_OK && size > TICKET_BODY_MAX) {
        cli_say(cli, "that is over 4 MiB, which no job can carry");
        rc = EX_DATAERR;
    }
    r->bytes = (uint32_t)size;
    return rc;
}

enum stored { STORED, STORED_NOT_YET, STORED_OTHERWISE };

/* Is the outcome stored? A run that was lost instead has failed and is tried again, which of a
 * failure, a snooze or a return is about the same, but not of the others. */
static enum stored
is_stored(const struct ticket *ticket, uint32_t outcome, const struct stint_job_info *info)
{
    bool same = info->attempt == ticket->attempt;
    if (info->state == STINT_RUNNING && same)
        return STORED_NOT_YET;
    if (outcome == TICKET_SUCCEED && (!same || info->state != STINT_SUCCEEDED))
        return STORED_OTHERWISE;
    return outcome == TICKET_DIE && (!same || info->state != STINT_DEAD) ? STORED_OTHERWISE
                                                                         : STORED;
}

static int
say_otherwise(struct cli *cli, const struct stint_job_info *info)
{
    cli_say(cli, "its lease was lost before this could be stored; the job is %s",
        stint_state_name(info->state));
    return EXIT_NO_SUCH_JOB;
}

/* It is, too, when the job is forgotten at success, or when nobody lets us see it. */
static int
see_it_stored(struct cli *cli, const struct ticket *ticket, uint32_t outcome)
{
    const struct stint_job_info *info;
    uint64_t until_ms = clock_ms() + cli->timeout_ms;
    int rc = cli_connect(cli, NULL, 0);
    while (rc == EX_OK) {
        uint64_t now_ms = clock_ms();
        if (now_ms >= until_ms) {
            cli_say(
                cli, "the outcome is told to the broker as soon as that is there, for a minute");
            return EX_TEMPFAIL;
        }
        enum stint_status status = stint_get(
            cli->client, &ticket->id, STINT_NO_PARTS, &info, (uint32_t)(until_ms - now_ms));
        if (status == STINT_NO_SUCH_JOB || status == STINT_DENIED)
            return EX_OK;
        enum stored stored = status == STINT_OK ? is_stored(ticket, outcome, info) : STORED_NOT_YET;
        if (stored != STORED_NOT_YET)
            return stored == STORED ? EX_OK : say_otherwise(cli, info);
        if (status != STINT_OK && status != STINT_TIMEOUT && status != STINT_UNREACHABLE &&
            status != STINT_TOO_MANY)
            rc = cli_failed(cli, status);
        else
            (void)stint_client_process(cli->client, 20);
    }
    return rc;
}

static int
say_not_held(struct cli *cli, const char *ticket)
{
    cli_say(cli,
        "%s is not held here: it was not taken by this user on this host, its lease is over, or it "
        "is settled",
        ticket);
    return EXIT_NO_SUCH_JOB;
}

/* The holder has heard when it says so: it may have ended just now. */
static bool
ask(int fd, const struct ticket_request *r, const char *body)
{
    char word;
    return ticket_send(fd, r, sizeof *r) && ticket_send(fd, body ? body : "", r->bytes) &&
        ticket_receive(fd, &word, 1);
}

static int
tell(struct cli *cli, const struct ticket *ticket)
{
    char text[TICKET_BYTES];
    if (!cli->json)
        return EX_OK;
    json_t *o =
        json_pack("{ss ss}", "schema", "stint.settled/1", "ticket", ticket_format(ticket, text));
    return out_line(o) ? EX_OK : EX_IOERR;
}

static int
run(struct cli *cli, const char **args)
{
    struct ticket ticket;
    struct ticket_request r = {0};
    char *body = NULL;
    if (!args || !args[0] || args[1])
        return cli_usage(cli, "which one? give the ticket that stint take printed");
    if (!ticket_parse(args[0], &ticket))
        return cli_usage(cli, "%s is not a ticket; tickets look like 0.1.100.7/1", args[0]);
    int rc = read_request(cli, &r, &body);
    int fd = rc == EX_OK ? ticket_connect(&ticket) : -1;
    if (rc == EX_OK && (fd < 0 || !ask(fd, &r, body)))
        rc = say_not_held(cli, args[0]);
    else if (rc == EX_OK)
        rc = see_it_stored(cli, &ticket, r.outcome);
    if (rc == EX_OK) {
        (void)ticket_send(fd, "b", 1); /* it may go; it may have gone */
        rc = tell(cli, &ticket);
    }
    if (fd >= 0)
        (void)close(fd);
    free(body);
    return rc;
}

const struct verb verb_settle = {"settle", "[OPTION...] TICKET",
    "say how the run of a job that was taken has ended", options, run, VERB_TAKES_ARGUMENTS};
