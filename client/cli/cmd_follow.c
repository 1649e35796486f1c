/* stint follow: what a job's program writes on standard error, as it does. */
#include "console.h"
#include "out.h"
#include "stall.h"

#include <stdio.h>
#include <string.h>

static struct poptOption options[] = {POPT_TABLEEND};

struct following {
    struct cli *cli;
    struct stall stall;
    uint32_t attempt; /* that was told of last */
    bool whole; /* what was printed last ended its line */
    bool over;
    int rc;
};

static void
end_line(struct following *f)
{
    if (!f->whole)
        fputc('\n', console_out());
    f->whole = true;
}

static void
wrote(void *context, const struct stint_output *o)
{
    struct following *f = context;
    char id[STINT_ID_TEXT_BYTES];
    stall_progress(&f->stall);
    if (f->cli->json) {
        json_t *text = out_text(o->text, o->bytes);
        (void)out_line(json_pack("{ss ss sI so sI}", "schema", "stint.output/1", "id",
            stint_id_format(&o->id, id), "attempt", (json_int_t)o->attempt, "text", text,
            "left_out", (json_int_t)o->left_out));
        (void)fflush(console_out());
        return;
    }
    if (o->attempt != f->attempt) {
        end_line(f);
        (void)fflush(console_out());
        cli_say(f->cli, "run %u", (unsigned)o->attempt);
    }
    f->attempt = o->attempt;
    if (o->left_out > 0) {
        end_line(f);
        fprintf(console_out(), "[%llu bytes left out]\n", (unsigned long long)o->left_out);
    }
    if (o->bytes > 0) {
        (void)out_bytes(o->text, o->bytes);
        f->whole = ((const char *)o->text)[o->bytes - 1] == '\n';
    }
    (void)fflush(console_out());
}

static void
settled(void *context, const struct stint_job_info *info)
{
    struct following *f = context;
    char id[STINT_ID_TEXT_BYTES];
    f->over = true;
    stint_id_format(&info->id, id);
    if (info->state == STINT_UNKNOWN) {
        bool hidden = out_hidden(info);
        cli_say(f->cli, "%s: %s", id,
            hidden ? "this key may not see it" : stint_status_text(STINT_NO_SUCH_JOB));
        f->rc = hidden ? EX_NOPERM : EXIT_NO_SUCH_JOB;
        return;
    }
    f->rc = info->state == STINT_SUCCEEDED ? EX_OK : EXIT_JOB_FAILED;
    if (f->cli->json) {
        (void)out_line(out_job(info));
        return;
    }
    end_line(f);
    (void)fflush(console_out());
    size_t first = info->state == STINT_SUCCEEDED ? 0 : strcspn(info->error, "\n");
    cli_say(f->cli, "%s is %s%s%.*s", id, stint_state_name(info->state), first ? ": " : "",
        (int)first, info->error);
}

static int
follow(struct cli *cli, const struct stint_id *id)
{
    struct following f = {.cli = cli, .whole = true};
    enum stint_status status = stint_connect(cli->client, cli->timeout_ms);
    if (status == STINT_OK)
        status = stint_watch_output(cli->client, wrote, &f);
    cli_catch_interrupt();
    stall_begin(&f.stall, cli, NULL, NULL);
    if (status == STINT_OK)
        status = stint_watch(cli->client, id, 1, false, settled, &f);
    int rc = EX_OK;
    while (status == STINT_OK && rc == EX_OK && !f.over && !cli_interrupted() &&
        !console_failed() && !console_reader_gone()) {
        status = stint_client_process(cli->client, 200);
        if (status == STINT_OK && !f.over)
            rc = stall_look(&f.stall);
    }
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (rc != EX_OK)
        return rc;
    if (console_failed())
        return EX_IOERR;
    return f.over ? f.rc : cli_interrupted() ? EXIT_SIGNAL + cli_interrupted() : EX_OK;
}

static int
run(struct cli *cli, const char **args)
{
    struct stint_id id;
    if (!args || !args[0] || args[1])
        return cli_usage(cli, "which job? give one id");
    if (stint_id_parse(args[0], &id) != STINT_OK)
        return cli_usage(cli, "%s is no id of a job", args[0]);
    int rc = cli_connect(cli, NULL, 0);
    if (rc == EX_OK)
        rc = follow(cli, &id);
    stint_client_destroy(&cli->client);
    return rc;
}

const struct verb verb_follow = {"follow", "[OPTION...] ID",
    "show what a job writes on standard error, as it does; 1 if it fails", options, run,
    VERB_TAKES_ARGUMENTS};
