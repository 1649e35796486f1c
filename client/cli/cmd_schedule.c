/* stint schedule: set, list, show, pause, resume, remove and run schedules, and tell the next times
 * of an expression.
 */
#include "console.h"
#include "cron.h"
#include "jobs.h"
#include "out.h"
#include "payload.h"
#include "units.h"
#include "zone_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *cron_text, *zone_text, *every_text, *missed_text, *overlap_text, *next_text;

static struct poptOption options[] = {
    {"cron", 0, POPT_ARG_STRING, &cron_text, 0,
        "set: at these times: minute hour day month weekday, or @daily and so on", "EXPR"},
    {"zone", 0, POPT_ARG_STRING, &zone_text, 0, "set, next: in this time zone (UTC)", "ZONE"},
    {"every", 0, POPT_ARG_STRING, &every_text, 0, "set: or each time so much time has passed",
        "TIME"},
    {"missed", 0, POPT_ARG_STRING, &missed_text, 0,
        "set: ticks that were missed: none is made up for, one for all of them, or up to N (one)",
        "skip|one|all:N"},
    {"overlap", 0, POPT_ARG_STRING, &overlap_text, 0,
        "set: a tick while the last job is not over: make a job, make none, or cancel that one "
        "(start)",
        "start|skip|replace"},
    {"next", 0, POPT_ARG_STRING, &next_text, 0, "show, next: so many times to come (5)", "N"},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, job_option_table, 0,
        "The job of set; of ls --queue:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, expires_option_table, 0, "Until when it may begin:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, needs_option_table, 0, "What a worker is to have:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, group_option_table, 0, "What it belongs to:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, unique_option_table, 0, "That there is only one:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, payload_option_table, 0, "Its payload:", NULL},
    POPT_TABLEEND};

/* ---- set ---- */

static int
read_missed(struct cli *cli, struct stint_schedule *s)
{
    uint64_t most;
    if (!missed_text)
        return EX_OK;
    if (strcmp(missed_text, "skip") == 0)
        s->missed = STINT_MISSED_SKIP;
    else if (strcmp(missed_text, "one") == 0)
        s->missed = STINT_MISSED_ONE;
    else if (strncmp(missed_text, "all:", 4) == 0) {
        const char *end;
        if (!units_read_number(missed_text + 4, &most, &end) || *end || most < 1 || most > 1000)
            return cli_usage(
                cli, "--missed=%s: write all:N with a number from 1 to 1000", missed_text);
        s->missed = STINT_MISSED_ALL;
        s->missed_most = (uint32_t)most;
    } else
        return cli_usage(
            cli, "--missed=%s: write skip, one, or all:N with N from 1 to 1000", missed_text);
    return EX_OK;
}

static int
read_overlap(struct cli *cli, struct stint_schedule *s)
{
    for (enum stint_overlap o = STINT_OVERLAP_START; overlap_text && o <= STINT_OVERLAP_REPLACE;
         o++)
        if (strcmp(overlap_text, stint_overlap_name(o)) == 0)
            s->overlap = o;
    if (overlap_text && !s->overlap)
        return cli_usage(cli, "--overlap=%s: write start, skip or replace", overlap_text);
    return EX_OK;
}

/* When it is due: said here already, so that a slip needs no broker. */
static int
read_times(struct cli *cli, struct stint_schedule *s)
{
    struct cron cron;
    const char *why;
    if ((cron_text != NULL) == (every_text != NULL))
        return cli_usage(cli, "when? write --cron EXPR or --every TIME");
    if (every_text && zone_text)
        return cli_usage(cli, "--zone has no effect with --every");
    if (every_text && !cli_duration(cli, "every", every_text, &s->every_ms))
        return EX_USAGE;
    if (every_text && s->every_ms < 1000)
        return cli_usage(cli, "--every=%s: write at least 1s", every_text);
    if (cron_text && !cron_parse(cron_text, &cron, &why))
        return cli_usage(cli, "--cron=%s: %s", cron_text, why);
    s->cron = cron_text;
    s->zone = zone_text;
    if (read_missed(cli, s) != EX_OK)
        return EX_USAGE;
    return read_overlap(cli, s);
}

static void
next_words(const struct stint_schedule_info *info, char *text, size_t size)
{
    json_t *o = json_object();
    if (info->next_count > 0)
        out_put_time(o, "next", info->next[0]);
    const char *next = json_string_value(json_object_get(o, "next"));
    (void)snprintf(text, size, "%s%s", next ? "its next job is made at " : "it makes no job",
        next               ? next
            : info->paused ? ": it is paused"
                           : "");
    json_decref(o);
}

static int
set(struct cli *cli, const char *name, const char **args)
{
    struct stint_schedule s = STINT_SCHEDULE_INIT;
    struct stint_schedule_info now;
    char *bytes = NULL, words[128];
    int rc = read_times(cli, &s);
    if (rc == EX_OK)
        rc = jobs_fill(cli, &s.job);
    if (rc == EX_OK && s.job.expires_at_ms)
        rc = cli_usage(
            cli, "--expires=%s: write how long after it is made, as 10m", job_options.expires);
    if (rc == EX_OK)
        rc = payload_take(cli, args, &s.job, &bytes);
    if (rc == EX_OK)
        rc = cli_connect(cli, NULL, 0);
    if (rc == EX_OK) {
        s.name = name;
        enum stint_status status = stint_set_schedule(cli->client, &s, &now, cli->timeout_ms);
        rc = status == STINT_OK ? EX_OK : cli_failed(cli, status);
    }
    free(bytes);
    if (rc != EX_OK)
        return rc;
    if (cli->json)
        return out_line(out_schedule(&now)) ? EX_OK : EX_IOERR;
    next_words(&now, words, sizeof words);
    cli_say(cli, "the schedule %s %s; %s", name, now.made ? "is made" : "was there and is changed",
        words);
    return EX_OK;
}

/* ---- list and show ---- */

struct listing {
    struct cli *cli;
    struct out_table *table; /* NULL: a schedule whole */
    const char *queue; /* NULL: those of all */
};

static bool
each(void *context, const struct stint_schedule_info *info)
{
    const struct listing *l = context;
    if (l->queue && strcmp(l->queue, info->queue) != 0)
        return true;
    if (l->cli->json)
        return out_line(out_schedule(info));
    if (l->table)
        out_table_add(l->table, out_schedule(info));
    else
        out_fields(out_schedule(info));
    return true;
}

static int
list(struct cli *cli)
{
    static const struct out_column columns[] = {{"SCHEDULE", "name", OUT_LEFT, 0},
        {"WHEN", "when", OUT_LEFT, 0}, {"ZONE", "zone", OUT_LEFT, 70},
        {"QUEUE", "queue", OUT_LEFT, 0}, {"NEXT", "next_at", OUT_LEFT, 0},
        {"LAST", "ago:last_at", OUT_RIGHT, 70}, {"JOBS", "jobs", OUT_RIGHT, 70},
        {"STATE", "state", OUT_LEFT, 0}};
    struct listing l = {.cli = cli, .queue = job_options.queue};
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    if (!cli->json)
        l.table = out_table_new(columns, sizeof columns / sizeof *columns);
    enum stint_status status = stint_schedules(cli->client, NULL, 1, each, &l, cli->timeout_ms);
    bool any = cli->json || out_table_show(&l.table);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (!any && l.queue)
        cli_say(cli, "there is no schedule of queue %s", l.queue);
    else if (!any)
        cli_say(cli, "there is no schedule; stint schedule set makes one");
    return console_failed() ? EX_IOERR : EX_OK;
}

static int
read_next(struct cli *cli, uint64_t *next)
{
    *next = 5;
    return !next_text || cli_number(cli, "next", next_text, 1, STINT_NEXT_TICKS, next) ? EX_OK
                                                                                       : EX_USAGE;
}

static int
show(struct cli *cli, const char *name)
{
    struct listing l = {.cli = cli};
    uint64_t next;
    int rc = read_next(cli, &next);
    if (rc == EX_OK)
        rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    enum stint_status status =
        stint_schedules(cli->client, name, (uint32_t)next, each, &l, cli->timeout_ms);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    return console_failed() ? EX_IOERR : EX_OK;
}

static const char *
when_of(const struct stint_schedule_info *i, char *text, size_t size)
{
    if (i->cron[0])
        return i->cron;
    uint64_t s = i->every_ms / 1000;
    if (i->every_ms % 1000)
        (void)snprintf(text, size, "every %llu ms", (unsigned long long)i->every_ms);
    else if (s % 86400 == 0)
        (void)snprintf(text, size, "every %llu d", (unsigned long long)s / 86400);
    else if (s % 3600 == 0)
        (void)snprintf(text, size, "every %llu h", (unsigned long long)s / 3600);
    else if (s % 60 == 0)
        (void)snprintf(text, size, "every %llu m", (unsigned long long)s / 60);
    else
        (void)snprintf(text, size, "every %llu s", (unsigned long long)s);
    return text;
}

static void
put_id(json_t *o, const char *field, const struct stint_id *id)
{
    static const struct stint_id none;
    char text[STINT_ID_TEXT_BYTES];
    if (memcmp(id, &none, sizeof none) != 0)
        json_object_set_new(o, field, json_string(stint_id_format(id, text)));
}

static void
put_number(json_t *o, const char *field, uint64_t value)
{
    if (value)
        json_object_set_new(o, field, json_integer((json_int_t)value));
}

static void
put_unique(json_t *o, const struct stint_job *job)
{
    if (!job->unique)
        return;
    json_object_set_new(o, "unique", out_text(job->unique, strlen(job->unique)));
    json_object_set_new(o, "unique_while",
        json_string(job->unique_flags & STINT_UNIQUE_WAITING ? "waiting" : "active"));
    put_number(o, "unique_for_ms", job->unique_for_ms);
    if (job->unique_flags & STINT_UNIQUE_REPLACE)
        json_object_set_new(o, "unique_replace", json_true());
    if (job->unique_flags & STINT_UNIQUE_MOVE)
        json_object_set_new(o, "unique_move", json_true());
}

/* What of its job is not the default. */
static json_t *
job_of(const struct stint_job *job)
{
    json_t *o = json_pack(
        "{ss ss si}", "queue", job->queue, "kind", job->kind, "priority", (int)job->priority);
    out_put_body(o, "payload", job->payload, job->payload_bytes);
    put_number(o, "max_attempts", job->max_attempts);
    if (job->keep_ms >= 0)
        json_object_set_new(o, "keep_ms", json_integer(job->keep_ms));
    put_number(o, "time_to_run_ms", job->time_to_run_ms);
    put_number(o, "backoff_base_ms", job->backoff_base_ms);
    put_number(o, "backoff_cap_ms", job->backoff_cap_ms);
    put_number(o, "delay_ms", job->delay_ms);
    put_number(o, "expires_in_ms", job->expires_in_ms);
    if (job->needs)
        json_object_set_new(o, "needs", json_string(job->needs));
    put_unique(o, job);
    if (job->group)
        json_object_set_new(o, "group", out_text(job->group, strlen(job->group)));
    return o;
}

static json_t *
times_of(const struct stint_schedule_info *i)
{
    json_t *all = json_array(), *o = json_object();
    for (uint32_t n = 0; n < i->next_count; n++) {
        out_put_time(o, "at", i->next[n]);
        json_array_append(all, json_object_get(o, "at"));
    }
    json_decref(o);
    return all;
}

json_t *
out_schedule(const struct stint_schedule_info *i)
{
    char text[64];
    json_t *o =
        json_pack("{ss ss ss ss ss}", "schema", "stint.schedule/1", "name", i->name, "state",
            i->paused        ? "paused"
                : i->trouble ? stint_status_name(i->trouble)
                             : "on",
            "when", when_of(i, text, sizeof text), "queue", i->queue);
    if (i->cron[0]) {
        json_object_set_new(o, "cron", json_string(i->cron));
        json_object_set_new(o, "zone", json_string(i->zone));
    }
    put_number(o, "every_ms", i->every_ms);
    json_object_set_new(o, "kind", json_string(i->kind));
    json_object_set_new(o, "missed", json_string(stint_missed_name(i->missed)));
    put_number(o, "missed_most", i->missed_most);
    json_object_set_new(o, "overlap", json_string(stint_overlap_name(i->overlap)));
    if (i->next_count > 0)
        out_put_time(o, "next_at", i->next[0]);
    if (i->next_count > 1)
        json_object_set_new(o, "next", times_of(i));
    out_put_time(o, "last_at", i->last_ms);
    put_id(o, "last_id", &i->last_id);
    put_id(o, "run_id", &i->run_id);
    json_object_set_new(o, "jobs", json_integer((json_int_t)i->jobs));
    put_number(o, "skipped", i->skipped);
    if (i->job)
        json_object_set_new(o, "job", job_of(i->job));
    return o;
}

/* ---- the rest ---- */

struct act {
    const char *word, *done;
    enum stint_schedule_action action;
};

static const struct act acts[] = {{"pause", "is paused", STINT_PAUSE_SCHEDULE},
    {"resume", "goes on from now", STINT_RESUME_SCHEDULE},
    {"rm", "is removed", STINT_REMOVE_SCHEDULE}, {"run", "", STINT_RUN_SCHEDULE}};

/* What a schedule has made, and whether its job has a unique key. */
struct made {
    bool unique;
    uint64_t jobs;
};

static bool
note_made(void *context, const struct stint_schedule_info *info)
{
    struct made *made = context;
    made->jobs = info->jobs;
    made->unique = info->job && info->job->unique;
    return true;
}

static int
tell_done(
    struct cli *cli, const struct act *a, const struct stint_schedule_info *now, enum stint_met met)
{
    char id[STINT_ID_TEXT_BYTES];
    json_t *o;
    if (cli->json) {
        o = out_schedule(now);
        if (met != STINT_MET_NOTHING)
            json_object_set_new(o, "met", json_string("job"));
        if (a->action == STINT_REMOVE_SCHEDULE)
            json_object_set_new(o, "removed", json_true());
        return out_line(o) ? EX_OK : EX_IOERR;
    }
    if (a->action == STINT_RUN_SCHEDULE) {
        fprintf(console_out(), "%s\n", stint_id_format(&now->run_id, id));
        jobs_say_met(cli, &now->run_id, met);
    } else
        cli_say(cli, "the schedule %s %s", now->name, a->done);
    return EX_OK;
}

/* One that fails does not hold up the others. */
static int
control(struct cli *cli, const struct act *a, const char **names)
{
    int failed = EX_OK, rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    for (; *names; names++) {
        struct stint_schedule_info now;
        struct made made = {.unique = false};
        if (a->action == STINT_RUN_SCHEDULE) /* it is done also where this can't be seen */
            (void)stint_schedules(cli->client, *names, 0, note_made, &made, cli->timeout_ms);
        enum stint_status status =
            stint_control_schedule(cli->client, *names, a->action, &now, cli->timeout_ms);
        bool met = made.unique && now.jobs == made.jobs;
        if (status == STINT_OK)
            rc = tell_done(cli, a, &now, met ? STINT_MET_JOB : STINT_MET_NOTHING);
        else {
            cli_say(cli, "%s: %s", *names, stint_client_error(cli->client));
            rc = cli_exit(status);
        }
        failed = failed == EX_OK ? rc : failed;
        if (rc == EX_UNAVAILABLE || rc == EX_TEMPFAIL || rc == EX_IOERR)
            break;
    }
    return failed;
}

/* Times of an expression, by this machine's clock and zones; no broker is asked. */
static int
tell_next(struct cli *cli, const char *text)
{
    struct cron cron;
    const char *why;
    uint64_t count;
    int64_t at = (int64_t)(clock_wall_ms() / 1000), next;
    if (read_next(cli, &count) != EX_OK)
        return EX_USAGE;
    if (!cron_parse(text, &cron, &why))
        return cli_usage(cli, "%s: %s", text, why);
    struct zone *zone = zone_of_machine(zone_text ? zone_text : "UTC");
    if (!zone)
        return cli_usage(
            cli, "--zone=%s: this machine has no such time zone; is tzdata installed?", zone_text);
    json_t *o = json_object();
    uint64_t n = 0;
    for (; n < count && cron_next(&cron, zone, at, &next); n++, at = next) {
        out_put_time(o, "at", (uint64_t)next * 1000);
        if (!cli->json)
            fprintf(console_out(), "%s\n", json_string_value(json_object_get(o, "at")));
        else
            (void)out_line(
                json_pack("{ss sO}", "schema", "stint.tick/1", "at", json_object_get(o, "at")));
    }
    json_decref(o);
    free(zone);
    if (n == 0)
        return cli_usage(cli, "%s: this time never comes", text);
    return console_failed() ? EX_IOERR : EX_OK;
}

static const struct cli_takes takes[] = {{"ls", {"queue"}}, {"show", {"next"}},
    {"next", {"next", "zone"}}, {"pause", {NULL}}, {"resume", {NULL}}, {"rm", {NULL}},
    {"run", {NULL}}, {NULL}};

static int
run(struct cli *cli, const char **args)
{
    const char *what = args ? args[0] : NULL;
    if (!what)
        return cli_usage(
            cli, "what about schedules? set, ls, show, pause, resume, run, rm or next");
    if (strcmp(what, "set") == 0 && next_text)
        return cli_usage(cli, "--next has no effect with set");
    if (strcmp(what, "set") == 0)
        return args[1] ? set(cli, args[1], args + 2)
                       : cli_usage(cli, "which schedule? give it a name");
    if (cron_text || every_text || missed_text || overlap_text)
        return cli_usage(cli, "options of a schedule are for stint schedule set");
    if (cli_check_takes(cli, options, takes, what) != EX_OK)
        return EX_USAGE;
    if (strcmp(what, "ls") == 0)
        return args[1] ? cli_usage(cli, "%s: ls takes no argument", args[1]) : list(cli);
    if (strcmp(what, "show") == 0)
        return args[1] && !args[2] ? show(cli, args[1])
                                   : cli_usage(cli, "which schedule? name one");
    if (strcmp(what, "next") == 0)
        return args[1] && !args[2] ? tell_next(cli, args[1])
                                   : cli_usage(cli, "which expression? write it as one argument");
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (strcmp(what, acts[i].word) == 0)
            return args[1] ? control(cli, &acts[i], args + 1)
                           : cli_usage(cli, "which schedule? name one or more");
    return cli_usage(cli, "%s: write set, ls, show, pause, resume, run, rm or next", what);
}

const struct verb verb_schedule = {"schedule",
    "[OPTION...] set NAME [PAYLOAD]|ls|show NAME|pause|resume|run|rm NAME...|next EXPR",
    "jobs by the clock: set, list, pause, run or remove schedules", options, run,
    VERB_TAKES_ARGUMENTS};
