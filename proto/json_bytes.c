/* Bytes in JSON; the contract is in json_bytes.h. */
#include "json_bytes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

json_t *
json_base64(const void *data, size_t size)
{
    const uint8_t *bytes = data;
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

enum { NO_DIGIT = 64 };

static uint32_t
value_of(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return (uint32_t)(digit - 'A');
    if (digit >= 'a' && digit <= 'z')
        return (uint32_t)(digit - 'a') + 26;
    if (digit >= '0' && digit <= '9')
        return (uint32_t)(digit - '0') + 52;
    return digit == '+' ? 62 : digit == '/' ? 63 : NO_DIGIT;
}

/* Four digits, of which the last ones may be "=", to three bytes or fewer. Returns how many; 0:
 * they are none that base64 writes. */
static size_t
read_four(const char *text, bool last, uint8_t bytes[3])
{
    size_t count = last && text[3] == '=' ? (text[2] == '=' ? 1 : 2) : 3;
    uint32_t word = 0;
    for (size_t i = 0; i < 4; i++) {
        uint32_t value = i <= count ? value_of(text[i]) : 0;
        if (value == NO_DIGIT)
            return 0;
        word = word << 6 | value;
    }
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(word >> (16 - 8 * i));
    return (word & ((1U << (24 - 8 * count)) - 1)) == 0 ? count : 0;
}

static uint8_t *
read_base64(const char *text, size_t text_bytes, size_t *size)
{
    uint8_t *bytes = malloc(text_bytes / 4 * 3 + 1);
    *size = 0;
    for (size_t i = 0; bytes && i < text_bytes; i += 4) {
        size_t count =
            i + 4 <= text_bytes ? read_four(text + i, i + 4 == text_bytes, bytes + *size) : 0;
        if (count == 0) {
            free(bytes);
            return NULL;
        }
        *size += count;
    }
    return bytes;
}

uint8_t *
json_bytes_read(const json_t *value, size_t *size)
{
    if (json_is_string(value)) {
        *size = json_string_length(value);
        uint8_t *bytes = malloc(*size + 1);
        if (bytes)
            memcpy(bytes, json_string_value(value), *size);
        return bytes;
    }
    const json_t *text = json_object_get(value, "base64");
    if (!json_is_string(text) || json_object_size(value) != 1)
        return NULL;
    return read_base64(json_string_value(text), json_string_length(text), size);
}
