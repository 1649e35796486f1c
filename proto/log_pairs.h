/* How an event is written as name=value pairs, wherever the line goes: to standard error (log.c),
 * or to the program that a broker runs in.
 */
#ifndef LOG_PAIRS_H
#define LOG_PAIRS_H

#include "log.h"

#include <stdio.h>

enum { LOG_TEXT_MAX = 1000 }; /* bytes of a field; a line stays within what a pipe takes at once */

/* The event, quoted if it is not one plain word, and " name=value" for each field. */
void log_pairs_put(FILE *out, const char *event, const struct log_field *fields);

/* How much of a text is shown: whole characters. */
size_t log_shown(const char *text, size_t bytes);

#endif
