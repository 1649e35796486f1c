/* Settings of our programs: one table a program says name, type, default and help of each; flags,
 * environment and a ZPL file fill it in, in that order of strength. Shared by stintd and
 * stint-worker, which is why it lives here: the tree has no other place that both may include.
 *
 * A setting `grace` is the flag --grace, the variable STINT_GRACE and the line `grace = 10s`.
 * A variable that is empty counts as unset. Of a setting that may be given several times, the
 * values of the strongest source are taken, and the others' left out.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting_type {
    SETTING_FLAG, /* bool */
    SETTING_TEXT, /* const char * */
    SETTING_NUMBER, /* uint64_t */
    SETTING_DURATION, /* uint64_t, ms: 500ms, 10s, 5m, 24h, 30d */
    SETTING_SIZE, /* uint64_t, bytes: 4096, 64K, 8M, 2G, 1T */
    SETTING_EACH, /* may be given several times: each value of one source goes to `add` */
};

struct setting {
    const char *name;
    char letter; /* short flag, or 0 */
    enum setting_type type;
    void *to; /* where the value goes; it holds the default before */
    uint64_t min, max; /* of numbers, durations and sizes; max 0: none */
    const char *argument, *help;
    /* SETTING_EACH: takes a value; returns false and sets `*why` to refuse it. */
    bool (*add)(void *to, const char *value, const char **why);
};

/* The rows of every program's table that log_choose asks for. */
#define SETTINGS_OF_LOG(level, format) \
    {"log-level", 0, SETTING_TEXT, (level), 0, 0, "LEVEL", "error, warn, info or debug (info)", \
        NULL}, \
    { \
        "log-format", 0, SETTING_TEXT, (format), 0, 0, "FORMAT", "text or json (text)", NULL \
    }

struct program {
    const char *name, *summary, *arguments; /* for --help and messages */
    const struct setting *settings;
    size_t count;
};

enum settings_result {
    SETTINGS_OK,
    SETTINGS_DONE, /* --help or --version was answered: exit 0 */
    SETTINGS_USAGE, /* a flag is wrong: exit 64 */
    SETTINGS_CONFIG, /* the file or the environment is wrong: exit 78 */
};

/* Fill in a program's settings; on an error one line that says what, where and what to do has gone
 * to standard error. Opens the log at level info, for them. Texts stay allocated for the life of
 * the process. */
enum settings_result settings_read(const struct program *program, int argc, char **argv);

/* What the program is to exit with; -1: it goes on. */
int settings_exit_code(enum settings_result result);

#endif
