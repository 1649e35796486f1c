/* The fields of a line; the contract is in load_line.h. */
#include "load_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
line_wrong(struct load_line *l, const char *format, ...)
{
    va_list arguments;
    if (l->why[0])
        return false;
    va_start(arguments, format);
    (void)vsnprintf(l->why, sizeof l->why, format, arguments);
    va_end(arguments);
    return false;
}

bool
line_read(struct load_line *l, const char *text, size_t size)
{
    json_error_t error;
    *l = (struct load_line){0};
    l->object = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!l->object)
        return line_wrong(l, "no JSON: %s", error.text);
    return json_is_object(l->object) || line_wrong(l, "no JSON object");
}

void
line_done(struct load_line *l)
{
    for (unsigned i = 0; i < l->bodies_count; i++)
        free(l->bodies[i]);
    json_decref(l->object);
    l->object = NULL;
    l->bodies_count = 0;
}

static json_t *
take(struct load_line *l, const char *name)
{
    json_t *value = json_object_get(l->object, name);
    if (value && l->taken_count < LINE_FIELDS_MAX)
        l->taken[l->taken_count++] = name;
    return value;
}

const char *
line_unknown(const struct load_line *l)
{
    const char *name;
    json_t *value;
    json_object_foreach(l->object, name, value)
    {
        bool known = false;
        for (unsigned i = 0; i < l->taken_count && !known; i++)
            known = strcmp(l->taken[i], name) == 0;
        if (!known)
            return name;
    }
    return NULL;
}

bool
line_has(struct load_line *l, const char *name)
{
    return json_object_get(l->object, name) != NULL;
}

/* Numbers beyond what JSON's have room for stand as their digits. */
static bool
read_number(const json_t *value, uint64_t *number)
{
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *number = (uint64_t)json_integer_value(value);
        return true;
    }
    const char *text = json_string_value(value);
    char again[24];
    if (!text || sscanf(text, "%" SCNu64, number) != 1 || *number <= INT64_MAX)
        return false;
    (void)snprintf(again, sizeof again, "%" PRIu64, *number);
    return strcmp(text, again) == 0 && json_string_length(value) == strlen(again);
}

uint64_t
line_number(struct load_line *l, const char *name, uint64_t most)
{
    uint64_t number = 0;
    const json_t *value = take(l, name);
    if (!value)
        return 0;
    if (read_number(value, &number) && number <= most)
        return number;
    line_wrong(l, "%s is to be a number from 0 to %" PRIu64, name, most);
    return 0;
}

uint64_t
line_must_number(struct load_line *l, const char *name, uint64_t most)
{
    if (!line_has(l, name))
        line_wrong(l, "%s is missing", name);
    return line_number(l, name, most);
}

int64_t
line_signed(struct load_line *l, const char *name)
{
    const json_t *value = take(l, name);
    if (value && !json_is_integer(value))
        line_wrong(l, "%s is to be a number", name);
    return value ? json_integer_value(value) : 0;
}

bool
line_flag(struct load_line *l, const char *name)
{
    const json_t *value = take(l, name);
    if (value && !json_is_boolean(value))
        line_wrong(l, "%s is to be true or false", name);
    return json_is_true(value);
}

const char *
line_text(struct load_line *l, const char *name, size_t most)
{
    const json_t *value = take(l, name);
    const char *text = json_string_value(value);
    if (!value)
        return "";
    if (text && strlen(text) == json_string_length(value) && strlen(text) <= most)
        return text;
    line_wrong(l, "%s is to be a text of at most %zu bytes", name, most);
    return "";
}

const char *
line_must_text(struct load_line *l, const char *name, size_t most)
{
    if (!line_has(l, name))
        line_wrong(l, "%s is missing", name);
    return line_text(l, name, most);
}

struct slice
line_bytes(struct load_line *l, const char *name, size_t most)
{
    const json_t *value = take(l, name);
    size_t size = 0;
    if (!value || l->bodies_count == LINE_BODIES)
        return (struct slice){NULL, 0};
    uint8_t *bytes = json_bytes_read(value, &size);
    if (bytes && size <= most) {
        l->bodies[l->bodies_count++] = bytes;
        return (struct slice){bytes, size};
    }
    free(bytes);
    line_wrong(l, "%s is to be a text or {\"base64\": \"...\"} of at most %zu bytes", name, most);
    return (struct slice){NULL, 0};
}

struct stint_id
line_id(struct load_line *l, const char *name)
{
    struct stint_id id = {{0}};
    const char *text = line_must_text(l, name, STINT_ID_TEXT_BYTES);
    if (!l->why[0] && stint_id_parse(text, &id) != STINT_OK)
        line_wrong(l, "%s is no id of a job", name);
    return id;
}

void
line_hex(struct load_line *l, const char *name, uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const char *text = line_text(l, name, 2 * size);
    memset(bytes, 0, size);
    bool good = strlen(text) == 2 * size;
    for (size_t i = 0; good && i < 2 * size; i++) {
        const char *digit = memchr(digits, text[i], sizeof digits - 1);
        good = digit != NULL;
        if (good)
            bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | (digit - digits));
    }
    if (!good)
        line_wrong(l, "%s is to be %zu digits of 0-9a-f", name, 2 * size);
}
