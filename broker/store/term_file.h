/* TERM, a small file in the data directory, replaced as a whole:
 *
 *     stint-term 1
 *     identity 32 hex digits
 *     node N          number of this broker
 *     term T          of the broker that started last
 *     vote N|none     for which node this one voted in that term; always none, as there is one
 *
 * The term rises at each start, before a record of it is written.
 */
#ifndef TERM_FILE_H
#define TERM_FILE_H

#include <stdbool.h>
#include <stdint.h>

/* `*term` is 0 if there is no file. False if it can't be read, with errno set, or can't be
 * understood or belongs to another directory, with errno 0; a sentence is in `error`. */
bool term_file_read(const char *directory, const char *identity, uint64_t *term, char *error);
/* Replace it; the change is on the disk then. False with errno set, and a sentence in `error`. */
bool term_file_write(
    const char *directory, const char *identity, uint16_t node, uint64_t term, char *error);

#endif
