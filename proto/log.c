/* Log lines; the contract is in log.h. */
#include "log.h"
#include "json_bytes.h"
#include "log_sink.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_MAX = 1000 }; /* bytes of a field; a line stays within what a pipe takes at once */

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

/* Bytes of the character that stands there, if it is UTF-8 and shows: no control, neither of ASCII
 * nor of the second kind (U+0080 to U+009F), which terminals obey too. Else 0. */
static size_t
character(const unsigned char *c, size_t left)
{
    size_t bytes = c[0] < 0x80 ? 1 : c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2;
    uint32_t code = bytes == 1 ? c[0] : c[0] & (0x7fU >> bytes);
    static const uint32_t least[] = {0, 0, 0xa0, 0x800, 0x10000};
    if (bytes > left || (c[0] >= 0x80 && c[0] < 0xc2) || c[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < bytes; i++) {
        if ((c[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (c[i] & 0x3f);
    }
    bool wrong = code < least[bytes] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ||
        code < ' ' || code == 127;
    return wrong ? 0 : bytes;
}

/* How much of a text is shown: whole characters. */
static size_t
shown(const char *text, size_t bytes)
{
    if (bytes <= TEXT_MAX)
        return bytes;
    size_t end = TEXT_MAX;
    while (end > TEXT_MAX - 4 && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    return end;
}

/* A value is quoted if it is not one plain word. */
static void
put_value(FILE *out, const char *value, size_t size)
{
    const unsigned char *c = (const unsigned char *)value, *end = c + shown(value, size);
    bool plain = size > 0 && size <= TEXT_MAX;
    for (const unsigned char *p = c; p < end && plain; p++)
        plain = *p > ' ' && *p < 127 && *p != '"' && *p != '=' && *p != '\\';
    if (plain) {
        (void)fwrite(c, 1, size, out);
        return;
    }
    fputc('"', out);
    while (c < end) {
        size_t bytes = character(c, (size_t)(end - c));
        if (bytes == 0)
            fprintf(out, "\\x%02x", *c);
        else if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else
            (void)fwrite(c, 1, bytes, out);
        c += bytes ? bytes : 1;
    }
    fputs(size > TEXT_MAX ? "...\"" : "\"", out);
}

static void
put_pairs(FILE *out, enum log_level level, const char *event, const struct log_field *fields)
{
    char time[40];
    now_text(time, sizeof time);
    if (!logger.journal)
        fprintf(out, "time=%s ", time);
    fprintf(out, "level=%s program=%s event=", levels[level], logger.program);
    put_value(out, event, strlen(event));
    for (const struct log_field *f = fields; f && f->type != LOG_END; f++) {
        if (f->type == LOG_IS_NUMBER) {
            fprintf(out, " %s=%llu", f->name, (unsigned long long)f->number);
        } else if (f->text) {
            fprintf(out, " %s=", f->name);
            put_value(out, f->text, strlen(f->text));
        }
    }
}

static json_t *
json_value(const struct log_field *f)
{
    if (f->type == LOG_IS_NUMBER)
        return json_integer(f->number <= INT64_MAX ? (json_int_t)f->number : INT64_MAX);
    size_t size = strlen(f->text), show = shown(f->text, size);
    char cut[TEXT_MAX + 4];
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
