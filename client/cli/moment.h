/* Points in time as people write them. */
#ifndef MOMENT_H
#define MOMENT_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds since 1970 of `text`: HH:MM or HH:MM:SS (the next time that it is so late, seen from
 * `now_ms`), YYYY-MM-DD (its begin), the two with a T or a blank between them, all of these by the
 * local clock, or with Z or an offset as +01:00 behind; or @SECONDS since 1970. False: it is none
 * of these, or no day has that date. */
bool moment_read(const char *text, uint64_t now_ms, uint64_t *ms);

#endif
