/* Logging of our programs: to standard error, one line an event, as name=value pairs or JSON
 * ("schema": "stint.log/1"). An event is a short sentence that never changes; whatever differs is a
 * field, so that lines can be searched, counted and joined:
 *
 *     log_event(LOG_LEVEL_INFO, "joined",
 *         LOG_FIELDS(LOG_TEXT("worker", name), LOG_NUMBER("slots", slots)));
 *
 * Bytes that are no UTF-8, and control characters, are written \xNN in a pair; in JSON the former
 * are {"base64": "..."}. Under systemd the journal has the time, so pairs leave it out there.
 *
 * Never fails and never blocks its caller, whatever standard error is: what it does not take now
 * waits in a small buffer, and what does not fit there is dropped, counted, and told once it
 * takes lines again.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_type { LOG_END, LOG_IS_TEXT, LOG_IS_NUMBER };

/* One field; make it with a macro below. A text that is NULL leaves the field out. */
struct log_field {
    enum log_type type;
    const char *name;
    const char *text;
    uint64_t number;
};

#define LOG_TEXT(field, value) \
    { \
        LOG_IS_TEXT, (field), (value), 0 \
    }
#define LOG_NUMBER(field, value) \
    { \
        LOG_IS_NUMBER, (field), NULL, (value) \
    }
#define LOG_FIELDS(...) ((const struct log_field[]){__VA_ARGS__, {LOG_END, NULL, NULL, 0}})

/* `program` is borrowed for life. Call it after standard_streams_open(). */
void log_open(const char *program, enum log_level level, bool json);
/* The same with what settings say: a level's name, and text or json. False after saying that there
 * is no such level or format. */
bool log_choose(const char *program, const char *level, const char *format);

/* One line. `fields` ends with one of type LOG_END, as LOG_FIELDS makes them; NULL: none. Any
 * thread. */
void log_event(enum log_level level, const char *event, const struct log_field *fields);

/* Why a program does not start: "program: why" for people, an error event in JSON. */
void log_refusal(const char *why);

/* Try again to write what is waiting. False if something still is: call it again soon. */
bool log_flush(void);

/* The last words of a process: written as they are, if they can be without waiting. May be called
 * from a signal handler. */
void log_last_words(const char *text);

#endif
