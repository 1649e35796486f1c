/* The `stint` command: a table of verbs, a file each (small ones share). Written on the public
 * headers alone. Data goes to standard output, talk to standard error; both by console.h.
 */
#ifndef CLI_H
#define CLI_H

#include "now.h"
#include "stint.h"

#include <jansson.h>
#include <popt.h>
#include <stdbool.h>
#include <stdint.h>
#include <sysexits.h>

enum {
    EXIT_JOB_FAILED = 1,
    EXIT_NO_SUCH_JOB = EX_NOINPUT,
    EXIT_TIME_OVER = 124, /* as of timeout(1) */
    EXIT_CANNOT_RUN = 126,
    EXIT_NOT_FOUND = 127,
    EXIT_SIGNAL = 128, /* and its number */
};

/* What every verb has. */
struct cli {
    const char *endpoint, *key, *broker_key;
    uint32_t timeout_ms; /* for connecting, and for each answer of the broker */
    bool bounded; /* it was given: verbs that wait for long give up too */
    bool json;
    const char *verb;
    struct stint_client *client;
};

struct verb {
    const char *name, *arguments, *summary;
    struct poptOption *options;
    int (*run)(struct cli *cli, const char **args);
    enum {
        VERB_TAKES_NOTHING,
        VERB_TAKES_ARGUMENTS,
        VERB_TAKES_COMMAND, /* what follows the first argument belongs to the program to run */
    } takes;
};

/* Say one line on standard error: "stint submit: ...". */
void cli_say(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Say it and return EX_USAGE. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The exit code of a status. */
int cli_exit(enum stint_status status);
/* A refusal that can pass: the same again later may be taken. */
bool cli_passing(enum stint_status status);
/* Say what failed last in the client; the exit code of it. */
int cli_failed(struct cli *cli, enum stint_status status);
/* Make the client, with a session of its own or one that goes on; it is told of refusals at once,
 * as whoever submits makes smaller pieces then. Returns an exit code. */
int cli_connect(struct cli *cli, const uint8_t *session, uint64_t submission);
/* "10s" and the like, in ms; false after saying what is wrong with it. */
bool cli_duration(const struct cli *cli, const char *option, const char *text, uint64_t *ms);
/* A number from `min` to `max`; false after saying what is wrong with it. */
bool cli_number(const struct cli *cli, const char *option, const char *text, uint64_t min,
    uint64_t max, uint64_t *number);
/* The same of an argument, which is a number of these. */
bool cli_count(const struct cli *cli, const char *these, const char *text, uint64_t min,
    uint64_t max, uint64_t *number);
/* The name of an option that was given, and is one of `names` (ended by NULL), or, unless `among`,
 * none of them; NULL: there is none. */
const char *cli_given(const struct poptOption *options, const char *const *names, bool among);
/* What a word behind a verb takes of the verb's options (`names` is ended by NULL). */
struct cli_takes {
    const char *what, *names[4];
};
/* EX_USAGE, and told, if one was given that would have no effect with `what`. `takes` is ended by a
 * NULL; words that are not in it take all. */
int cli_check_takes(const struct cli *cli, const struct poptOption *options,
    const struct cli_takes *takes, const char *what);
/* All arguments as ids, allocated; NULL after saying which is not one. */
struct stint_id *cli_ids(const struct cli *cli, const char **args, size_t *count);
/* The signal that asked us to end, or 0; cli_catch_interrupt makes it so that this can be asked.
 * A second one ends the command at once. */
void cli_catch_interrupt(void);
int cli_interrupted(void);
void *cli_allocate(size_t size); /* zeroed; never NULL */
char *cli_copy(const void *bytes, size_t size); /* with a final NUL; never NULL */
/* Words (NULL: none), with a blank between each two; allocated. */
char *cli_join(char *const *words);

extern const struct verb verb_submit, verb_map, verb_run, verb_wait, verb_result, verb_show,
    verb_ls, verb_bulk, verb_cancel, verb_retry, verb_change, verb_promote, verb_delete, verb_take,
    verb_settle, verb_progress, verb_follow, verb_why, verb_queues, verb_queue, verb_groups,
    verb_workers, verb_worker, verb_fleet, verb_stats, verb_top, verb_peek, verb_ping, verb_events,
    verb_bench, verb_key, verb_backup, verb_restore, verb_dump, verb_load, verb_feed, verb_schedule,
    verb_batch;

#endif
