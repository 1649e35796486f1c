/* Flags by popt, the file by czmq's zconfig; the contract is in settings.h. */
#include "settings.h"
#include "log.h"
#include "units.h"

#include <ctype.h>
#include <czmq.h>
#include <errno.h>
#include <popt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

enum { OPTION_VERSION = 1 << 20, OPTION_HELP, OPTION_USAGE };

static char *
copy(const char *text)
{
    char *c = strdup(text);
    if (!c)
        abort();
    return c;
}

static const char *
written(enum setting_type type, uint64_t n, char text[UNITS_TEXT_BYTES])
{
    if (type == SETTING_DURATION)
        return units_write_duration(n, text);
    if (type == SETTING_SIZE)
        return units_write_size(n, text);
    (void)snprintf(text, UNITS_TEXT_BYTES, "%llu", (unsigned long long)n);
    return text;
}

static bool
in_range(const struct setting *s, uint64_t n, const char **why)
{
    static char range[96];
    char least[UNITS_TEXT_BYTES], most[UNITS_TEXT_BYTES];
    if (n >= s->min && (s->max == 0 || n <= s->max))
        return true;
    if (s->max)
        (void)snprintf(range, sizeof range, "it must be from %s to %s",
            written(s->type, s->min, least), written(s->type, s->max, most));
    else
        (void)snprintf(
            range, sizeof range, "it must be at least %s", written(s->type, s->min, least));
    *why = range;
    return false;
}

/* Gives a setting its value; `why` is set if it is refused. */
static bool
assign(const struct setting *s, const char *value, const char **why)
{
    uint64_t *n = s->to;
    const char *rest;
    char *mine;
    bool good = true;
    switch (s->type) {
    case SETTING_FLAG:
        *why = "write yes or no";
        *(bool *)s->to =
            strcmp(value, "yes") == 0 || strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
        return *(bool *)s->to || strcmp(value, "no") == 0 || strcmp(value, "0") == 0 ||
            strcmp(value, "false") == 0;
    case SETTING_TEXT:
        *why = "it is empty";
        if (!*value)
            return false;
        *(const char **)s->to = copy(value);
        return true;
    case SETTING_EACH:
        *why = "it is empty";
        if (!*value)
            return false;
        mine = copy(value);
        good = s->add(s->to, mine, why);
        if (!good)
            free(mine);
        return good;
    case SETTING_NUMBER:
        *why = "write a whole number";
        good = units_read_number(value, n, &rest) && *rest == '\0';
        break;
    case SETTING_DURATION:
        *why = "write a duration such as 500ms, 10s, 5m, 24h or 30d";
        good = units_read_duration(value, n);
        break;
    case SETTING_SIZE:
        *why = "write a size such as 4096, 64K, 8M or 2G";
        good = units_read_size(value, n);
        break;
    }
    return good && in_range(s, *n, why);
}

static const struct setting *
find(const struct program *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->settings[i].name, name) == 0)
            return &p->settings[i];
    return NULL;
}

/* The values that flags gave, kept until file and environment have been read. */
struct flags {
    struct {
        size_t setting;
        char *value;
    } * given;
    size_t count;
    char *config;
};

/* What the environment says; one that is empty says nothing. */
static const char *
environment(const char *name)
{
    char variable[64] = "STINT_";
    size_t used = strlen(variable);
    for (; *name && used < sizeof variable - 1; name++)
        variable[used++] = *name == '-' ? '_' : (char)toupper((unsigned char)*name);
    variable[used] = '\0';
    const char *value = getenv(variable);
    return value && *value ? value : NULL;
}

/* The format that a file asks for, to be freed; NULL: none. */
static char *
format_in(const char *path)
{
    struct stat st;
    char *format = NULL;
    zconfig_t *root =
        path && stat(path, &st) == 0 && S_ISREG(st.st_mode) ? zconfig_load(path) : NULL;
    const char *value = root ? zconfig_get(root, "log-format", NULL) : NULL;
    if (value)
        format = copy(value);
    zconfig_destroy(&root);
    return format;
}

/* What is wrong may stand before what says in which format that is to be told. */
static bool
is_json(const struct program *p, const struct flags *flags)
{
    const char *format = NULL;
    for (size_t i = 0; i < flags->count; i++)
        if (strcmp(p->settings[flags->given[i].setting].name, "log-format") == 0)
            format = flags->given[i].value;
    if (!format)
        format = environment("log-format");
    if (format)
        return strcmp(format, "json") == 0;
    char *of_file = format_in(flags->config ? flags->config : environment("config"));
    bool json = of_file && strcmp(of_file, "json") == 0;
    free(of_file);
    return json;
}

__attribute__((format(printf, 3, 4))) static void
refuse(const struct program *p, const struct flags *flags, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (find(p, "log-format"))
        log_open(p->name, LOG_LEVEL_INFO, is_json(p, flags));
    log_refusal(text);
}

static bool
is_flagged(const struct program *p, const struct flags *flags, const struct setting *s)
{
    for (size_t i = 0; i < flags->count; i++)
        if (&p->settings[flags->given[i].setting] == s)
            return true;
    return false;
}

/* A list is never put together from two sources: who names an endpoint on the command line must not
 * find another one open because of a file. */
static bool
is_overridden(const struct program *p, const struct flags *flags, const struct setting *s,
    bool by_environment)
{
    return s->type == SETTING_EACH &&
        (is_flagged(p, flags, s) || (by_environment && environment(s->name)));
}

static bool
read_line(const struct program *p, const struct flags *flags, const char *path, zconfig_t *line)
{
    const char *name = zconfig_name(line), *value = zconfig_value(line);
    const char *why = "there is no such setting; see --help";
    const struct setting *s = find(p, name);
    if (s && is_overridden(p, flags, s, true))
        return true;
    if (s && zconfig_child(line))
        why = "lines are not to be indented";
    else if (s && assign(s, value ? value : "", &why))
        return true;
    refuse(p, flags, "%s: %s = %s: %s", path, name ? name : "", value ? value : "", why);
    return false;
}

static bool
read_file(const struct program *p, const struct flags *flags, const char *path)
{
    struct stat st;
    errno = 0;
    zconfig_t *root = NULL;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        errno = EISDIR;
    else
        root = zconfig_load(path);
    if (!root) {
        refuse(p, flags, "can't read the configuration %s: %s", path,
            errno ? strerror(errno) : "not in ZPL format (rfc.zeromq.org/spec/4)");
        return false;
    }
    bool good = true;
    for (zconfig_t *c = zconfig_child(root); c && good; c = zconfig_next(c))
        good = read_line(p, flags, path, c);
    zconfig_destroy(&root);
    return good;
}

static bool
read_environment(const struct program *p, const struct flags *flags)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct setting *s = &p->settings[i];
        const char *why, *value = environment(s->name);
        if (value && !is_overridden(p, flags, s, false) && !assign(s, value, &why)) {
            refuse(p, flags, "environment, setting %s = %s: %s", s->name, value, why);
            return false;
        }
    }
    return true;
}

static struct poptOption *
popt_table(const struct program *p)
{
    struct poptOption *table = calloc(p->count + 6, sizeof *table);
    if (!table)
        abort();
    for (size_t i = 0; i < p->count; i++) {
        const struct setting *s = &p->settings[i];
        table[i] = (struct poptOption){s->name, s->letter,
            s->type == SETTING_FLAG ? POPT_ARG_NONE : POPT_ARG_STRING, NULL, (int)i + 1, s->help,
            s->argument};
    }
    const struct poptOption ours[] = {{"config", 'c', POPT_ARG_STRING, NULL, (int)p->count + 1,
                                          "read settings from this ZPL file", "FILE"},
        {"version", 'V', POPT_ARG_NONE, NULL, OPTION_VERSION, "print the version and exit", NULL},
        {"help", 'h', POPT_ARG_NONE, NULL, OPTION_HELP, "print the options and exit", NULL},
        {"usage", 0, POPT_ARG_NONE, NULL, OPTION_USAGE, "print the options briefly and exit", NULL},
        {NULL, '?', POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, NULL, OPTION_HELP, NULL, NULL},
        POPT_TABLEEND};
    memcpy(table + p->count, ours, sizeof ours);
    return table;
}

/* What was asked for on standard output must have come there. */
static enum settings_result
told(const struct program *p, const struct flags *flags)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return SETTINGS_DONE;
    refuse(p, flags, "can't write to standard output: %s", strerror(errno));
    exit(EX_IOERR);
}

/* All of them, also behind one that is wrong, as the log's format may stand there. */
static enum settings_result
read_flags(const struct program *p, poptContext popt, struct flags *flags)
{
    int rc;
    char wrong[512] = "";
    while ((rc = poptGetNextOpt(popt)) != -1) {
        char *value = rc > 0 ? poptGetOptArg(popt) : NULL;
        if (rc < 0 && !*wrong)
            (void)snprintf(wrong, sizeof wrong, "%s: %s",
                poptBadOption(popt, POPT_BADOPTION_NOALIAS), poptStrerror(rc));
        if (rc < 0 || (*wrong && rc >= OPTION_VERSION))
            continue;
        switch (rc) {
        case OPTION_VERSION:
            printf("%s %s\n", p->name, STINT_VERSION_TEXT);
            return told(p, flags);
        case OPTION_HELP:
            poptPrintHelp(popt, stdout, 0);
            return told(p, flags);
        case OPTION_USAGE:
            poptPrintUsage(popt, stdout, 0);
            return told(p, flags);
        }
        if ((size_t)rc == p->count + 1) {
            free(flags->config);
            flags->config = value;
            continue;
        }
        flags->given = realloc(flags->given, (flags->count + 1) * sizeof *flags->given);
        if (!flags->given)
            abort();
        flags->given[flags->count].setting = (size_t)rc - 1;
        flags->given[flags->count++].value = value ? value : copy("yes");
    }
    if (*wrong) {
        refuse(p, flags, "%s; see %s --help", wrong, p->name);
        return SETTINGS_USAGE;
    }
    if (poptPeekArg(popt)) {
        refuse(p, flags, "what is %s? it takes no arguments; see %s --help", poptPeekArg(popt),
            p->name);
        return SETTINGS_USAGE;
    }
    return SETTINGS_OK;
}

static enum settings_result
apply_all(const struct program *p, const struct flags *flags)
{
    const char *config = flags->config ? flags->config : environment("config");
    if ((config && !read_file(p, flags, config)) || !read_environment(p, flags))
        return SETTINGS_CONFIG;
    for (size_t i = 0; i < flags->count; i++) {
        const struct setting *s = &p->settings[flags->given[i].setting];
        const char *why;
        if (!assign(s, flags->given[i].value, &why)) {
            refuse(p, flags, "--%s=%s: %s", s->name, flags->given[i].value, why);
            return SETTINGS_USAGE;
        }
    }
    return SETTINGS_OK;
}

enum settings_result
settings_read(const struct program *p, int argc, char **argv)
{
    struct flags flags = {0};
    log_open(p->name, LOG_LEVEL_INFO, false);
    struct poptOption *table = popt_table(p);
    poptContext popt = poptGetContext(p->name, argc, (const char **)argv, table, 0);
    poptSetOtherOptionHelp(popt, p->arguments);
    enum settings_result result = read_flags(p, popt, &flags);
    if (result == SETTINGS_OK)
        result = apply_all(p, &flags);
    for (size_t i = 0; i < flags.count; i++)
        free(flags.given[i].value);
    free(flags.given);
    free(flags.config);
    poptFreeContext(popt);
    free(table);
    return result;
}

int
settings_exit_code(enum settings_result result)
{
    switch (result) {
    case SETTINGS_DONE:
        return EX_OK;
    case SETTINGS_USAGE:
        return EX_USAGE;
    case SETTINGS_CONFIG:
        return EX_CONFIG;
    case SETTINGS_OK:
        break;
    }
    return -1;
}
