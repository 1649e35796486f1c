/* Log lines; the contract is in log.h. */
#include "log.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    const char *program;
    enum log_level level;
    bool json, journal;
} logger = {"stint", LOG_LEVEL_INFO, false, false};

static const char *const levels[] = {"error", "warn", "info", "debug"};

void
log_open(const char *program, enum log_level level, bool json)
{
    logger.program = program;
    logger.level = level;
    logger.json = json;
    logger.journal = getenv("JOURNAL_STREAM") != NULL;
}

bool
log_level_parse(const char *name, enum log_level *level)
{
    for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(name, levels[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}

static void
now_text(char *text, size_t size)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text + used, size - used, ".%03ldZ", now.tv_nsec / 1000000);
}

/* A value is quoted if it is not one plain word; control characters never reach a terminal. */
static void
put_value(FILE *out, const char *value)
{
    bool plain = *value != '\0';
    for (const char *c = value; *c; c++)
        plain &= *c > ' ' && *c != '"' && *c != '=' && *c != '\\' && *c != 127;
    if (plain) {
        fputs(value, out);
        return;
    }
    fputc('"', out);
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else if ((unsigned char)*c < ' ' || *c == 127)
            fprintf(out, "\\x%02x", (unsigned char)*c);
        else
            fputc(*c, out);
    }
    fputc('"', out);
}

static void
put_logfmt(FILE *out, const char *time, enum log_level level, const char *event, va_list pairs)
{
    if (!logger.journal)
        fprintf(out, "time=%s ", time);
    fprintf(out, "level=%s program=%s event=", levels[level], logger.program);
    put_value(out, event);
    for (const char *key; (key = va_arg(pairs, const char *));) { /* NOLINT: log_event */
        fprintf(out, " %s=", key);
        put_value(out, va_arg(pairs, const char *));
    }
}

static void
put_json(FILE *out, const char *time, enum log_level level, const char *event, va_list pairs)
{
    json_t *line = json_pack("{ss ss ss ss}", "time", time, "level", levels[level], "program",
        logger.program, "event", event);
    for (const char *key; (key = va_arg(pairs, const char *));) /* NOLINT: log_event */
        json_object_set_new(line, key, json_string(va_arg(pairs, const char *)));
    json_dumpf(line, out, JSON_COMPACT);
    json_decref(line);
}

void
log_event(enum log_level level, const char *event, ...)
{
    char time[40], *text = NULL;
    size_t size = 0;
    if (level > logger.level)
        return;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return;
    now_text(time, sizeof time);
    va_list pairs;
    va_start(pairs, event);
    if (logger.json)
        put_json(out, time, level, event, pairs);
    else
        put_logfmt(out, time, level, event, pairs);
    va_end(pairs);
    fputc('\n', out);
    if (fclose(out) == 0 && write(STDERR_FILENO, text, size) < 0)
        errno = 0; /* a full disk or a closed terminal must not stop a broker */
    free(text);
}

const char *
log_number(unsigned long long number)
{
    static _Thread_local char texts[8][24];
    static _Thread_local unsigned next;
    char *text = texts[next++ % 8];
    (void)snprintf(text, sizeof texts[0], "%llu", number);
    return text;
}
