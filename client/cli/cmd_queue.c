/* stint queue: pause, resume, close, open and remove queues, and set in which order and how many of
 * their jobs go, how many may wait, and what holds for jobs that say nothing of it. */
#include "console.h"
#include "out.h"
#include "units.h"

#include <string.h>

enum {
    RUNNING_MOST = 1 << 24,
    BACKLOG_MOST = 1 << 30,
    WEIGHT_MOST = 100,
    GROUP_WEIGHT_MOST = 1000,
    GROUP_WEIGHTS = 100, /* at a time */
};
#define RATE_MOST (3600ULL * 1000000) /* in an hour */

static const char *order, *priorities, *running, *rate;
static const char *weight, *backlog_max, *keep, *default_timeout;
static const char *group_running, *group_rate;
static char **group_weights;
static struct poptOption queue_options[] = {
    {"order", '\0', POPT_ARG_STRING, &order, 0,
        "with set: of a priority, which job is next, the oldest (fifo) or the newest (lifo)",
        "fifo|lifo"},
    {"priorities", '\0', POPT_ARG_STRING, &priorities, 0,
        "with set: which priority is the most urgent one", "high-first|low-first"},
    {"running", '\0', POPT_ARG_STRING, &running, 0,
        "with set: at most so many of its jobs run at once, over all workers; none: any number",
        "N|none"},
    {"rate", '\0', POPT_ARG_STRING, &rate, 0,
        "with set: at most so many of its jobs begin in a second, minute or hour; none: any number",
        "N/s|N/m|N/h|none"},
    {"weight", '\0', POPT_ARG_STRING, &weight, 0,
        "with set: its share of the turns among the queues that a worker serves, 1 to 100", "N"},
    {"backlog-max", '\0', POPT_ARG_STRING, &backlog_max, 0,
        "with set: at most so many of its jobs wait, and whoever submits more waits; none: any "
        "number",
        "N|none"},
    {"keep", '\0', POPT_ARG_STRING, &keep, 0,
        "with set: keep outcomes of jobs that say nothing of it so long; none: as the broker does",
        "TIME|none"},
    {"default-timeout", '\0', POPT_ARG_STRING, &default_timeout, 0,
        "with set: the time limit of jobs that name none", "TIME|none"},
    {"group-running", '\0', POPT_ARG_STRING, &group_running, 0,
        "with set: at most so many jobs of each group run at once; 1: one after the other, in "
        "their "
        "order",
        "N|none"},
    {"group-rate", '\0', POPT_ARG_STRING, &group_rate, 0,
        "with set: at most so many jobs of each group begin in a second, minute or hour",
        "N/s|N/m|N/h|none"},
    {"group-weight", '\0', POPT_ARG_ARGV, &group_weights, 0,
        "with set: so many turns, 1 to 1000, where other groups take one; repeatable", "NAME=N"},
    POPT_TABLEEND};

struct action {
    const char *name;
    enum stint_queue_action action;
    const char *done;
};

static const struct action actions[] = {{"pause", STINT_PAUSE_QUEUE, "is paused"},
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

/* A number, and of what: as of 10/s, 600/m or 5/h. */
static bool
read_rate(struct cli *cli, const char *option, const char *text, uint64_t *per_hour)
{
    enum { DIGITS = 20 };
    static const struct {
        const char *unit;
        uint64_t an_hour;
    } units[] = {{"/s", 3600}, {"/m", 60}, {"/h", 1}};
    char number[DIGITS + 1] = "";
    size_t digits = strspn(text, "0123456789");
    for (size_t i = 0; i < sizeof units / sizeof *units && digits <= DIGITS; i++)
        if (strcmp(text + digits, units[i].unit) == 0) {
            memcpy(number, text, digits);
            if (!cli_number(cli, option, number, 1, RATE_MOST / units[i].an_hour, per_hour))
                return false;
            *per_hour *= units[i].an_hour;
            return true;
        }
    *per_hour = 0;
    if (strcmp(text, "none") != 0)
        (void)cli_usage(
            cli, "--%s=%s: write so many in a time, as 10/s, 600/m or 5/h, or none", option, text);
    return strcmp(text, "none") == 0;
}

/* A number or `none`, which is 0. */
static bool
read_most(struct cli *cli, const char *option, const char *text, uint64_t most, uint32_t *number)
{
    uint64_t read = 0;
    if (strcmp(text, "none") != 0 && !cli_number(cli, option, text, 1, most, &read))
        return false;
    *number = (uint32_t)read;
    return true;
}

static int
read_limits(struct cli *cli, struct stint_queue_limits *limits)
{
    *limits = (struct stint_queue_limits)STINT_QUEUE_LIMITS_INIT;
    if (running && !read_most(cli, "running", running, RUNNING_MOST, &limits->running))
        return EX_USAGE;
    return rate && !read_rate(cli, "rate", rate, &limits->rate) ? EX_USAGE : EX_OK;
}

static int
limit_one(struct cli *cli, const char *name, const struct stint_queue_limits *limits)
{
    struct stint_queue_setting now;
    enum stint_status status = stint_limit_queue(cli->client, name, limits, &now, cli->timeout_ms);
    if (status != STINT_OK) {
        cli_say(cli, "%s: %s", name, stint_client_error(cli->client));
        return cli_exit(status);
    }
    if (cli->json)
        return out_line(out_queue_setting(name, "limit", &now)) ? EX_OK : EX_IOERR;
    cli_say(cli, "%s is %s%s", name, now.running || now.rate ? "limited" : "not limited any more",
        now.made ? "; it was not there before, so look whether the name is right" : "");
    return EX_OK;
}

/* A duration, or `none`. */
static bool
read_time(struct cli *cli, const char *option, const char *text, uint64_t least, uint64_t none,
    uint64_t *ms)
{
    *ms = none;
    if (strcmp(text, "none") == 0)
        return true;
    if (!cli_duration(cli, option, text, ms))
        return false;
    if (*ms < least)
        (void)cli_usage(cli, "--%s: at least 1ms, or none", option);
    return *ms >= least;
}

static int
read_tuning(struct cli *cli, struct stint_queue_tuning *tuning)
{
    uint64_t number;
    *tuning = (struct stint_queue_tuning)STINT_QUEUE_TUNING_INIT;
    if (weight) {
        if (!cli_number(cli, "weight", weight, 1, WEIGHT_MOST, &number))
            return EX_USAGE;
        tuning->weight = (uint32_t)number;
    }
    if (backlog_max &&
        !read_most(cli, "backlog-max", backlog_max, BACKLOG_MOST, &tuning->backlog_max))
        return EX_USAGE;
    if (keep && !read_time(cli, "keep", keep, 0, STINT_KEEP_UNSET, &tuning->keep_ms))
        return EX_USAGE;
    if (default_timeout &&
        !read_time(cli, "default-timeout", default_timeout, 1, 0, &tuning->time_to_run_ms))
        return EX_USAGE;
    return EX_OK;
}

/* What of that is set now, as it is written at the command. */
static void
say_tuning(struct cli *cli, const char *name, const struct stint_queue_setting *now)
{
    char text[160] = "", span[UNITS_TEXT_BYTES];
    size_t used = 0;
    if (now->weight > 1)
        used += (size_t)snprintf(text + used, sizeof text - used, " --weight %u", now->weight);
    if (now->backlog_max)
        used += (size_t)snprintf(
            text + used, sizeof text - used, " --backlog-max %u", now->backlog_max);
    if (now->keep_ms != STINT_KEEP_UNSET)
        used += (size_t)snprintf(text + used, sizeof text - used, " --keep %s",
            units_write_duration(now->keep_ms, span));
    if (now->time_to_run_ms)
        (void)snprintf(text + used, sizeof text - used, " --default-timeout %s",
            units_write_duration(now->time_to_run_ms, span));
    cli_say(cli, "%s has%s%s", name,
        *text ? "" : " no weight, backlog or defaults of its own any more", text);
}

static int
tune_one(struct cli *cli, const char *name, const struct stint_queue_tuning *tuning)
{
    struct stint_queue_setting now;
    enum stint_status status = stint_tune_queue(cli->client, name, tuning, &now, cli->timeout_ms);
    if (status != STINT_OK) {
        cli_say(cli, "%s: %s", name, stint_client_error(cli->client));
        return cli_exit(status);
    }
    if (cli->json)
        return out_line(out_queue_setting(name, "tune", &now)) ? EX_OK : EX_IOERR;
    say_tuning(cli, name, &now);
    if (now.made)
        cli_say(cli, "%s was not there before, so look whether the name is right", name);
    return EX_OK;
}

/* NAME=N; the name may have a `=` in it. */
static bool
read_weight(struct cli *cli, char *text, struct stint_group_weight *w)
{
    uint64_t number;
    const char *rest;
    char *end = strrchr(text, '=');
    if (!end || end == text) {
        (void)cli_usage(cli, "--group-weight=%s: write NAME=N", text);
        return false;
    }
    if (!units_read_number(end + 1, &number, &rest) || *rest || number < 1 ||
        number > GROUP_WEIGHT_MOST) {
        (void)cli_usage(cli, "--group-weight=%s: write NAME=N with a number from 1 to %d", text,
            (int)GROUP_WEIGHT_MOST);
        return false;
    }
    *end = '\0';
    *w = (struct stint_group_weight){text, (uint32_t)number};
    return true;
}

static int
read_groups(struct cli *cli, struct stint_group_setting *groups)
{
    static struct stint_group_weight weights[GROUP_WEIGHTS];
    *groups = (struct stint_group_setting)STINT_GROUP_SETTING_INIT;
    groups->weights = weights;
    if (group_running &&
        !read_most(cli, "group-running", group_running, RUNNING_MOST, &groups->running))
        return EX_USAGE;
    if (group_rate && !read_rate(cli, "group-rate", group_rate, &groups->rate))
        return EX_USAGE;
    for (char **text = group_weights; text && *text; text++) {
        if (groups->weights_count == GROUP_WEIGHTS)
            return cli_usage(cli, "--group-weight: at most %d at a time", GROUP_WEIGHTS);
        if (!read_weight(cli, *text, &weights[groups->weights_count++]))
            return EX_USAGE;
    }
    return EX_OK;
}

static int
set_groups_of(struct cli *cli, const char *name, const struct stint_group_setting *groups)
{
    struct stint_queue_setting now;
    enum stint_status status = stint_set_groups(cli->client, name, groups, &now, cli->timeout_ms);
    if (status != STINT_OK) {
        cli_say(cli, "%s: %s", name, stint_client_error(cli->client));
        return cli_exit(status);
    }
    if (cli->json)
        return out_line(out_queue_setting(name, "set groups", &now)) ? EX_OK : EX_IOERR;
    if (now.group_running || now.group_rate || now.group_weights)
        cli_say(cli, "groups of %s: %s%s%s", name,
            now.group_running || now.group_rate ? "each is limited" : "none is limited",
            now.group_weights ? ", and some have weights" : "",
            now.made ? "; it was not there before, so look whether the name is right" : "");
    else
        cli_say(cli, "groups of %s have no limits and weights any more", name);
    return EX_OK;
}

static bool
is_grouped(void)
{
    return group_running || group_rate || group_weights;
}

static bool
is_limited(void)
{
    return running || rate;
}

static bool
is_tuned(void)
{
    return weight || backlog_max || keep || default_timeout;
}

/* What `set` is to do: the first half by --order, the second by --priorities. */
static const struct action orders[] = {
    {"fifo", STINT_ORDER_FIFO, "hands out its oldest jobs first"},
    {"lifo", STINT_ORDER_LIFO, "hands out its newest jobs first"},
    {"high-first", STINT_ORDER_HIGH_FIRST, "hands out its highest priorities first"},
    {"low-first", STINT_ORDER_LOW_FIRST, "hands out its lowest priorities first"}};

static const struct action *
find(const struct action *of, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(of[i].name, name) == 0)
            return &of[i];
    return NULL;
}

/* The actions that a command is about, up to its NULL. */
static int
read_actions(struct cli *cli, const char *word, const struct action *wanted[3])
{
    size_t count = 0;
    if (strcmp(word, "set") != 0) {
        wanted[count++] = find(actions, sizeof actions / sizeof *actions, word);
        if (!wanted[0])
            return cli_usage(cli, "%s: write pause, resume, close, open, set or rm", word);
        return order || priorities || is_limited() || is_tuned() || is_grouped()
            ? cli_usage(cli, "the options, as --order and --running, are for stint queue set")
            : EX_OK;
    }
    if (order && !(wanted[count++] = find(orders, 2, order)))
        return cli_usage(cli, "--order: %s is neither fifo nor lifo", order);
    if (priorities && !(wanted[count++] = find(orders + 2, 2, priorities)))
        return cli_usage(cli, "--priorities: %s is neither high-first nor low-first", priorities);
    return count || is_limited() || is_tuned() || is_grouped()
        ? EX_OK
        : cli_usage(cli, "set what? give --order, --running, --weight or another option");
}

/* One that fails does not hold up the others. */
static int
run_queue(struct cli *cli, const char **args)
{
    const struct action *wanted[3] = {NULL};
    struct stint_queue_limits limits;
    struct stint_queue_tuning tuning;
    struct stint_group_setting groups;
    int failed = EX_OK;
    if (!args || !args[0])
        return cli_usage(cli, "what about it? pause, resume, close, open, set or rm");
    int rc = read_actions(cli, args[0], wanted);
    if (rc == EX_OK)
        rc = read_limits(cli, &limits);
    if (rc == EX_OK)
        rc = read_tuning(cli, &tuning);
    if (rc == EX_OK)
        rc = read_groups(cli, &groups);
    if (rc != EX_OK)
        return rc;
    if (!args[1])
        return cli_usage(cli, "which queue? give one or more names");
    rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    for (args++; *args && rc != EX_IOERR; args++) {
        rc = EX_OK;
        for (size_t i = 0; wanted[i] && rc == EX_OK; i++)
            rc = set_one(cli, wanted[i], *args);
        if (rc == EX_OK && is_limited())
            rc = limit_one(cli, *args, &limits);
        if (rc == EX_OK && is_tuned())
            rc = tune_one(cli, *args, &tuning);
        if (rc == EX_OK && is_grouped())
            rc = set_groups_of(cli, *args, &groups);
        failed = failed == EX_OK ? rc : failed;
        if (rc == EX_UNAVAILABLE || rc == EX_TEMPFAIL)
            break; /* nor would the others get through */
    }
    return failed;
}

const struct verb verb_queue = {"queue", "[OPTION...] pause|resume|close|open|set|rm NAME...",
    "pause, resume, close, open, set or remove queues", queue_options, run_queue,
    VERB_TAKES_ARGUMENTS};
