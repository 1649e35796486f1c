/* Bytes in JSON, which knows only text. */
#ifndef JSON_BYTES_H
#define JSON_BYTES_H

#include <jansson.h>
#include <stdint.h>

/* A string if the bytes are UTF-8, else {"base64": "..."}. The caller owns it; NULL: no memory. */
json_t *json_bytes(const void *bytes, size_t size);
/* {"base64": "..."} in any case. */
json_t *json_base64(const void *bytes, size_t size);

/* The other way, of both. The caller frees it; NULL: it is no such value, or no memory. */
uint8_t *json_bytes_read(const json_t *value, size_t *size);

#endif
