/* Bytes in JSON, which knows only text. */
#ifndef JSON_BYTES_H
#define JSON_BYTES_H

#include <jansson.h>

/* A string if the bytes are UTF-8, else {"base64": "..."}. The caller owns it; NULL: no memory. */
json_t *json_bytes(const void *bytes, size_t size);
/* {"base64": "..."} in any case. */
json_t *json_base64(const void *bytes, size_t size);

#endif
