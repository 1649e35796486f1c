/* Flags by popt, the file by czmq's zconfig; the contract is in settings.h. */
#include "settings.h"

#include <ctype.h>
#include <czmq.h>
#include <errno.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_VERSION = 1 << 20 };

static bool
number(const char *text, uint64_t *value, const char **rest)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    *rest = end;
    return errno == 0;
}

static bool
scaled(const char *text, const char *const *units, const uint64_t *scales, uint64_t *value)
{
    const char *rest;
    uint64_t n;
    if (!number(text, &n, &rest))
        return false;
    for (size_t i = 0; units[i]; i++)
        if (strcmp(rest, units[i]) == 0 && n <= UINT64_MAX / scales[i]) {
            *value = n * scales[i];
            return true;
        }
    return false;
}

bool
settings_duration(const char *text, uint64_t *ms)
{
    static const char *const units[] = {"ms", "s", "m", "h", "d", "", NULL};
    static const uint64_t scales[] = {1, 1000, 60000, 3600000, 86400000, 1000};
    return scaled(text, units, scales, ms);
}

bool
settings_size(const char *text, uint64_t *bytes)
{
    static const char *const units[] = {"", "K", "M", "G", "T", NULL};
    static const uint64_t scales[] = {1, 1ULL << 10, 1ULL << 20, 1ULL << 30, 1ULL << 40};
    return scaled(text, units, scales, bytes);
}

static char *
copy(const char *text)
{
    char *c = strdup(text);
    if (!c)
        abort();
    return c;
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
        *(const char **)s->to = copy(value);
        return true;
    case SETTING_EACH:
        mine = copy(value);
        good = s->add(s->to, mine, why);
        if (!good)
            free(mine);
        return good;
    case SETTING_NUMBER:
        *why = "write a whole number";
        good = number(value, n, &rest) && *rest == '\0';
        break;
    case SETTING_DURATION:
        *why = "write a duration such as 500ms, 10s, 5m, 24h or 30d";
        good = settings_duration(value, n);
        break;
    case SETTING_SIZE:
        *why = "write a size such as 4096, 64K, 8M or 2G";
        good = settings_size(value, n);
        break;
    }
    if (good && (*n < s->min || (s->max && *n > s->max))) {
        static char range[96];
        (void)snprintf(range, sizeof range, "it is out of its range, %llu to %llu",
            (unsigned long long)s->min, (unsigned long long)s->max);
        *why = range;
        good = false;
    }
    return good;
}

static const struct setting *
find(const struct program *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->settings[i].name, name) == 0)
            return &p->settings[i];
    return NULL;
}

static bool
read_file(const struct program *p, const char *path)
{
    zconfig_t *root = zconfig_load(path);
    if (!root) {
        fprintf(stderr, "%s: can't read the configuration %s: %s\n", p->name, path,
            errno ? strerror(errno) : "not in ZPL format (rfc.zeromq.org/spec/4)");
        return false;
    }
    bool good = true;
    for (zconfig_t *c = zconfig_child(root); c && good; c = zconfig_next(c)) {
        const struct setting *s = find(p, zconfig_name(c));
        const char *why = "there is no such setting; see --help";
        if (!s || !assign(s, zconfig_value(c) ? zconfig_value(c) : "", &why)) {
            fprintf(stderr, "%s: %s: %s = %s: %s\n", p->name, path, zconfig_name(c),
                zconfig_value(c) ? zconfig_value(c) : "", why);
            good = false;
        }
    }
    zconfig_destroy(&root);
    return good;
}

static const char *
environment(const char *name)
{
    char variable[64] = "STINT_";
    size_t used = strlen(variable);
    for (; *name && used < sizeof variable - 1; name++)
        variable[used++] = *name == '-' ? '_' : (char)toupper((unsigned char)*name);
    variable[used] = '\0';
    return getenv(variable);
}

static bool
read_environment(const struct program *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const char *why, *value = environment(p->settings[i].name);
        if (value && !assign(&p->settings[i], value, &why)) {
            fprintf(stderr, "%s: environment, setting %s = %s: %s\n", p->name, p->settings[i].name,
                value, why);
            return false;
        }
    }
    return true;
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

static struct poptOption *
popt_table(const struct program *p)
{
    struct poptOption *table = calloc(p->count + 4, sizeof *table);
    if (!table)
        abort();
    for (size_t i = 0; i < p->count; i++) {
        const struct setting *s = &p->settings[i];
        table[i] = (struct poptOption){s->name, s->letter,
            s->type == SETTING_FLAG ? POPT_ARG_NONE : POPT_ARG_STRING, NULL, (int)i + 1, s->help,
            s->argument};
    }
    table[p->count] = (struct poptOption){"config", 'c', POPT_ARG_STRING, NULL, (int)p->count + 1,
        "read settings from this ZPL file", "FILE"};
    table[p->count + 1] = (struct poptOption){
        "version", 'V', POPT_ARG_NONE, NULL, OPTION_VERSION, "print the version and exit", NULL};
    table[p->count + 2] = (struct poptOption){
        NULL, '\0', POPT_ARG_INCLUDE_TABLE, poptHelpOptions, 0, "Help options:", NULL};
    return table;
}

static enum settings_result
read_flags(const struct program *p, poptContext popt, struct flags *flags)
{
    int rc;
    while ((rc = poptGetNextOpt(popt)) > 0) {
        char *value = poptGetOptArg(popt);
        if (rc == OPTION_VERSION) {
            printf("%s %s\n", p->name, STINT_VERSION_TEXT);
            return SETTINGS_DONE;
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
    if (rc < -1) {
        fprintf(stderr, "%s: %s: %s; see %s --help\n", p->name,
            poptBadOption(popt, POPT_BADOPTION_NOALIAS), poptStrerror(rc), p->name);
        return SETTINGS_USAGE;
    }
    if (poptPeekArg(popt)) {
        fprintf(stderr, "%s: what is %s? it takes no arguments; see %s --help\n", p->name,
            poptPeekArg(popt), p->name);
        return SETTINGS_USAGE;
    }
    return SETTINGS_OK;
}

static enum settings_result
apply_all(const struct program *p, const struct flags *flags)
{
    const char *config = flags->config ? flags->config : getenv("STINT_CONFIG");
    if ((config && !read_file(p, config)) || !read_environment(p))
        return SETTINGS_CONFIG;
    for (size_t i = 0; i < flags->count; i++) {
        const struct setting *s = &p->settings[flags->given[i].setting];
        const char *why;
        if (!assign(s, flags->given[i].value, &why)) {
            fprintf(stderr, "%s: --%s=%s: %s\n", p->name, s->name, flags->given[i].value, why);
            return SETTINGS_USAGE;
        }
    }
    return SETTINGS_OK;
}

enum settings_result
settings_read(const struct program *p, int argc, char **argv)
{
    struct flags flags = {0};
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
