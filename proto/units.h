/* Numbers, durations and sizes as people write them, in settings and on the command line. */
#ifndef UNITS_H
#define UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UNITS_TEXT_BYTES = 32 };

/* Read a whole number, which ends at `*rest`. False if there is none, or it is too large. */
bool units_read_number(const char *text, uint64_t *value, const char **rest);
/* Read a duration in ms: 500ms, 10s, 5m, 24h, 30d; without a unit: seconds. False if the text is
 * not one. */
bool units_read_duration(const char *text, uint64_t *ms);
/* Read a size in bytes: 4096, 64K, 8M, 2G, 1T. False if the text is not one. */
bool units_read_size(const char *text, uint64_t *bytes);

/* The other way, in the largest unit that leaves the number whole. Both return `text`. */
char *units_write_duration(uint64_t ms, char text[UNITS_TEXT_BYTES]);
char *units_write_size(uint64_t bytes, char text[UNITS_TEXT_BYTES]);

#endif
