/* A job's id: 16 bytes that sort in dispatch order and say where the job lives. Public header.
 *
 *     bytes  0..1   number of the broker that made it, big-endian
 *     bytes  2..5   number of the queue in that broker
 *     byte   6      255 minus the priority, so that urgent jobs sort first
 *     byte   7      0
 *     bytes  8..15  sequence: 1, 2, 3 ... within (queue, priority)
 *
 * Its text form is BROKER.QUEUE.PRIORITY.SEQUENCE in decimal, such as "0.1.100.4711". Programs
 * treat it as opaque: store it, compare it, hand it back.
 */
#ifndef STINT_ID_H
#define STINT_ID_H

#include "stint_status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STINT_ID_BYTES 16
#define STINT_ID_TEXT_BYTES 48 /* the longest text form with its final NUL fits */

struct stint_id {
    uint8_t bytes[STINT_ID_BYTES];
};

/* Write the text form of `id` into `text`, with a final NUL. Any thread. Returns `text`. */
STINT_EXPORT char *stint_id_format(const struct stint_id *id, char text[STINT_ID_TEXT_BYTES]);

/* Read an id's text form. Any thread.
 * Errors: STINT_INVALID if `text` is not one (nothing is written then). */
STINT_EXPORT enum stint_status stint_id_parse(const char *text, struct stint_id *id);

#ifdef __cplusplus
}
#endif
#endif
