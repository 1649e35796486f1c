/* Logging of our programs: to standard error, one line an event, key=value or JSON. Under systemd
 * the journal has the time already, so it is left out there. Never fails, never blocks its caller
 * for long: what can't be written is dropped.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* `program` is borrowed for life. */
void log_open(const char *program, enum log_level level, bool json);
/* False if no level has that name: error, warn, info, debug. */
bool log_level_parse(const char *name, enum log_level *level);

/* One line: the event in words, then pairs of key and value (strings), ended by NULL. Any thread.
 */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));

/* A number as text, for log_event; good until 8 further calls in the same thread. */
const char *log_number(unsigned long long number);

#endif
