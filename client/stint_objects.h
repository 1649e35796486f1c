/* libstint_objects: payloads that are objects, between JSON, which people and scripts write, and
 * msgpack, which is stored. Public header.
 *
 *     void *payload;
 *     if (stint_json_to_msgpack(text, strlen(text), &payload, &job.payload_bytes) != STINT_OK)
 *         errx(1, "%s", stint_objects_error());
 *     job.payload = payload;
 *     ...submit it...
 *     free(payload);
 *
 * What is what:
 *
 *     JSON                         msgpack
 *     null, true, false            nil, true, false
 *     a number without . and e     an integer, from -2^63 to 2^63-1
 *     {"uint64": "9223372036854775808"}     an integer above, up to 2^64-1
 *     any other number             a float of 64 bits; one of 32 bits is read, too
 *     {"float": "nan"}, "inf", "-inf"       the floats that JSON has no number for
 *     a string                     str
 *     {"base64": "AAH/"}           bin; and, if it is read, a str that is no UTF-8
 *     {"ext": 5, "base64": ""}     an extension of this type
 *     an array, an object          array, map; keys are strings, each only once
 *
 * An object of just one of these forms always means what the table says; there is no other way to
 * write it. Values are nested at most 64 deep. Nothing is rounded: what can't be told exactly is
 * refused, in both directions. Any thread.
 */
#ifndef STINT_OBJECTS_H
#define STINT_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>

#include "stint_status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { STINT_OBJECT_DEPTH = 64 };

/* A JSON text of `json_bytes` bytes as msgpack, in its shortest form, but for arrays and maps of
 * 32,768 elements and more, which have 5 bytes before them: so no array or map is ever UTF-8. The
 * caller frees `*msgpack` with free(). Errors: STINT_INVALID (stint_objects_error says where),
 * STINT_NO_MEMORY; `*msgpack` is NULL then. */
STINT_EXPORT enum stint_status
stint_json_to_msgpack(const char *json, size_t json_bytes, void **msgpack, size_t *msgpack_bytes);

/* One msgpack value as JSON text without blanks, with a final NUL, to be freed with free(). It is
 * read from bytes that nobody vouches for. Errors: STINT_INVALID: it is not just one whole value, a
 * key is no string or there twice, or it is nested too deep; STINT_NO_MEMORY. */
STINT_EXPORT enum stint_status
stint_msgpack_to_json(const void *msgpack, size_t msgpack_bytes, char **json);

/* Are these bytes an object for people to see: no UTF-8 text, and just one array or map that
 * stint_msgpack_to_json takes? All that stint_json_to_msgpack makes of arrays and objects is; a
 * text never is. */
STINT_EXPORT bool stint_is_object(const void *bytes, size_t size);

/* A sentence about what failed last in this thread; "" if nothing did. A string of the thread's
 * own. */
STINT_EXPORT const char *stint_objects_error(void);

#ifdef __cplusplus
}
#endif
#endif
