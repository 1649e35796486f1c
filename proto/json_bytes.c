/* Bytes in JSON; the contract is in json_bytes.h. */
#include "json_bytes.h"

#include <stdint.h>
#include <stdlib.h>

json_t *
json_base64(const void *from, size_t size)
{
    const uint8_t *bytes = from;
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc(size / 3 * 4 + 5), *at = text;
    if (!text)
        return NULL;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t word = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
            (left > 2 ? bytes[i + 2] : 0);
        *at++ = digits[word >> 18];
        *at++ = digits[word >> 12 & 63];
        *at++ = left > 1 ? digits[word >> 6 & 63] : '=';
        *at++ = left > 2 ? digits[word & 63] : '=';
    }
    json_t *o = json_pack("{s o}", "base64", json_stringn(text, (size_t)(at - text)));
    free(text);
    return o;
}

json_t *
json_bytes(const void *bytes, size_t size)
{
    json_t *text = json_stringn(bytes, size);
    return text ? text : json_base64(bytes, size);
}
