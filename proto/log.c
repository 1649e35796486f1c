/* Log lines; the contract is in log.h. */
#include "log.h"
#include "json_bytes.h"
#include "log_pairs.h"
#include "log_sink.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    const char *program;
    enum log_level level;
    bool json, journal;
    pthread_mutex_t lock; /* holds the sink */
    struct log_sink sink;
} logger = {.program = "stint",
    .level = LOG_LEVEL_INFO,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .sink = {.fd = STDERR_FILENO}};

static const char *const levels[] = {"error", "warn", "info", "debug"};

void
log_open(const char *program, enum log_level level, bool json)
{
    logger.program = program;
    logger.level = level;
    logger.json = json;
    logger.journal = getenv("JOURNAL_STREAM") != NULL;
    log_sink_open(&logger.sink, STDERR_FILENO);
}

/* False if no level has that name. */
static bool
parse_level(const char *name, enum log_level *level)
{
    for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(name, levels[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}

bool
log_choose(const char *program, const char *level, const char *format)
{
    enum log_level chosen = LOG_LEVEL_INFO;
    bool json = strcmp(format, "json") == 0;
    const char *why = NULL;
    if (!parse_level(level, &chosen))
        why = "--log-level is error, warn, info or debug";
    else if (!json && strcmp(format, "text") != 0)
        why = "--log-format is text or json";
    log_open(program, chosen, json);
    if (why)
        log_refusal(why);
    return !why;
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

static void
put_pairs(FILE *out, enum log_level level, const char *event, const struct log_field *fields)
{
    char time[40];
    now_text(time, sizeof time);
    if (!logger.journal)
        fprintf(out, "time=%s ", time);
    fprintf(out, "level=%s program=%s event=", levels[level], logger.program);
    log_pairs_put(out, event, fields);
}

static json_t *
json_value(const struct log_field *f)
{
    if (f->type == LOG_IS_NUMBER)
        return json_integer(f->number <= INT64_MAX ? (json_int_t)f->number : INT64_MAX);
    size_t size = strlen(f->text), show = log_shown(f->text, size);
    char cut[LOG_TEXT_MAX + 4];
    if (show == size)
        return json_bytes(f->text, size);
    memcpy(cut, f->text, show);
    memcpy(cut + show, "...", 4);
    json_t *text = json_stringn(cut, show + 3);
    return text ? text : json_bytes(f->text, show);
}

/* JSON escapes the controls of ASCII; of the others a terminal is kept by writing ASCII alone. */
static bool
has_controls(const struct log_field *f)
{
    if (f->type != LOG_IS_TEXT || !f->text)
        return false;
    const unsigned char *c = (const unsigned char *)f->text;
    for (size_t i = 0, size = strlen(f->text); i + 1 < size; i++)
        if (c[i] == 0xc2 && c[i + 1] < 0xa0)
            return true;
    return false;
}

static void
put_json(FILE *out, enum log_level level, const char *event, const struct log_field *fields)
{
    char time[40];
    size_t flags = JSON_COMPACT;
    now_text(time, sizeof time);
    json_t *line = json_pack("{ss ss ss ss ss}", "schema", "stint.log/1", "time", time, "level",
        levels[level], "program", logger.program, "event", event);
    for (const struct log_field *f = fields; f && f->type != LOG_END; f++) {
        if (f->type == LOG_IS_NUMBER || f->text)
            json_object_set_new(line, f->name, json_value(f));
        if (has_controls(f))
            flags |= JSON_ENSURE_ASCII;
    }
    json_dumpf(line, out, flags);
    json_decref(line);
}

/* The line as text, to be freed; NULL if there is no memory for it. */
static char *
line_of(enum log_level level, const char *event, const struct log_field *fields, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    if (!out)
        return NULL;
    (logger.json ? put_json : put_pairs)(out, level, event, fields);
    fputc('\n', out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* Says what was dropped, once there is room for saying it. Called with the lock held. */
static void
tell_dropped(void)
{
    struct log_sink *sink = &logger.sink;
    uint64_t lines = sink->dropped;
    size_t size = 0;
    if (lines == 0 || sink->waiting > 0)
        return;
    char *text = line_of(
        LOG_LEVEL_WARN, "log lines were dropped", LOG_FIELDS(LOG_NUMBER("lines", lines)), &size);
    sink->dropped = 0;
    if (!text || !log_sink_put(sink, text, size) || sink->dropped > 0)
        sink->dropped = lines; /* still nobody there */
    free(text);
}

static void
put_line(const char *text, size_t size)
{
    (void)pthread_mutex_lock(&logger.lock);
    if (log_sink_flush(&logger.sink))
        tell_dropped();
    (void)log_sink_put(&logger.sink, text, size);
    (void)pthread_mutex_unlock(&logger.lock);
}

void
log_event(enum log_level level, const char *event, const struct log_field *fields)
{
    int kept_errno = errno;
    size_t size = 0;
    if (level > logger.level)
        return;
    char *text = line_of(level, event, fields, &size);
    if (text)
        put_line(text, size);
    free(text);
    errno = kept_errno;
}

void
log_refusal(const char *why)
{
    if (logger.json) {
        log_event(LOG_LEVEL_ERROR, "not started", LOG_FIELDS(LOG_TEXT("error", why)));
        return;
    }
    char text[2048];
    int n = snprintf(text, sizeof text, "%s: %s\n", logger.program, why);
    if (n > 0)
        put_line(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

bool
log_flush(void)
{
    (void)pthread_mutex_lock(&logger.lock);
    bool done = log_sink_flush(&logger.sink);
    if (done)
        tell_dropped();
    done = logger.sink.waiting == 0;
    (void)pthread_mutex_unlock(&logger.lock);
    return done;
}

void
log_last_words(const char *text)
{
    if (log_sink_write(&logger.sink, text, strlen(text)) < 0)
        errno = 0; /* there is nobody left to tell */
}
