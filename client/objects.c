/* Objects between JSON and msgpack; the contract is in stint_objects.h. JSON is jansson's to read
 * and write. msgpack is written by msgpack-c, and read here: msgpack-c believes declared counts,
 * and allocates for them before it looks whether so many bytes are there.
 */
#include "json_bytes.h"
#include "stint_objects.h"

#include <jansson.h>
#include <math.h>
#include <msgpack.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char error_text[256];

static enum stint_status
refuse(enum stint_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

static enum stint_status
refuse(enum stint_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error_text, sizeof error_text, format, arguments);
    va_end(arguments);
    return status;
}

const char *
stint_objects_error(void)
{
    return error_text;
}

/* The forms that stand for what JSON lacks. */
enum form { FORM_NONE, FORM_BASE64, FORM_UINT64, FORM_FLOAT };

static enum form
form_of(const json_t *o)
{
    const json_t *base64 = json_object_get(o, "base64"), *ext = json_object_get(o, "ext");
    size_t size = json_object_size(o);
    if (size == 1 && json_is_string(json_object_get(o, "uint64")))
        return FORM_UINT64;
    if (size == 1 && json_is_string(json_object_get(o, "float")))
        return FORM_FLOAT;
    bool typed = size == 2 && json_is_integer(ext) && json_integer_value(ext) >= INT8_MIN &&
        json_integer_value(ext) <= INT8_MAX;
    return json_is_string(base64) && (size == 1 || typed) ? FORM_BASE64 : FORM_NONE;
}

/* From JSON. */

static int
digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Decodes in one form only: padded, and the bits that are left over 0. False if it is not so. */
static bool
decode(const char *text, size_t size, uint8_t *to, size_t *bytes)
{
    size_t pad = 0;
    uint32_t word = 0;
    *bytes = 0;
    if (size % 4 != 0)
        return false;
    while (pad < 2 && pad < size && text[size - 1 - pad] == '=')
        pad++;
    for (size_t i = 0; i < size - pad; i++) {
        int digit = digit_of(text[i]);
        if (digit < 0)
            return false;
        word = word << 6 | (uint32_t)digit;
        if (i % 4 == 3) {
            for (int shift = 16; shift >= 0; shift -= 8)
                to[(*bytes)++] = (uint8_t)(word >> shift);
            word = 0;
        }
    }
    if (pad == 1)
        word = (word & 3) ? UINT32_MAX : word >> 2;
    else if (pad == 2)
        word = (word & 15) ? UINT32_MAX : word >> 4;
    if (word == UINT32_MAX)
        return false;
    for (size_t left = pad ? 3 - pad : 0; left > 0; left--)
        to[(*bytes)++] = (uint8_t)(word >> 8 * (left - 1));
    return true;
}

static enum stint_status
put_base64(msgpack_packer *p, const json_t *text, const json_t *type)
{
    json_int_t number = type ? json_integer_value(type) : 0;
    size_t size = json_string_length(text), bytes;
    uint8_t *to = malloc(size / 4 * 3 + 1);
    if (!to)
        return refuse(STINT_NO_MEMORY, "out of memory");
    bool good = decode(json_string_value(text), size, to, &bytes);
    if (good && type) {
        msgpack_pack_ext(p, bytes, (int8_t)number);
        msgpack_pack_ext_body(p, to, bytes);
    } else if (good) {
        msgpack_pack_bin(p, bytes);
        msgpack_pack_bin_body(p, to, bytes);
    }
    free(to);
    return good ? STINT_OK : refuse(STINT_INVALID, "{\"base64\"}: it is not base64 with padding");
}

static enum stint_status
put_uint64(msgpack_packer *p, const json_t *text)
{
    const char *digits = json_string_value(text), *at = digits;
    uint64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10)
            break;
        value = 10 * value + digit;
    }
    if (*at || at == digits || *digits == '0' || value <= INT64_MAX ||
        json_string_length(text) != (size_t)(at - digits))
        return refuse(STINT_INVALID, "{\"uint64\"}: it is a number from 2^63 to 2^64-1 in digits");
    msgpack_pack_uint64(p, value);
    return STINT_OK;
}

static enum stint_status
put_float(msgpack_packer *p, const json_t *text)
{
    static const struct {
        const char *name;
        double value;
    } all[] = {{"nan", (double)NAN}, {"inf", (double)INFINITY}, {"-inf", -(double)INFINITY}};
    for (unsigned i = 0; i < 3; i++)
        if (strcmp(json_string_value(text), all[i].name) == 0) {
            msgpack_pack_double(p, all[i].value);
            return STINT_OK;
        }
    return refuse(STINT_INVALID, "{\"float\"}: it is nan, inf or -inf");
}

/* Writes what it stands for, if it is one of the forms. */
static bool
put_form(msgpack_packer *p, const json_t *o, enum stint_status *status)
{
    switch (form_of(o)) {
    case FORM_NONE:
        return false;
    case FORM_BASE64:
        *status = put_base64(p, json_object_get(o, "base64"), json_object_get(o, "ext"));
        break;
    case FORM_UINT64:
        *status = put_uint64(p, json_object_get(o, "uint64"));
        break;
    case FORM_FLOAT:
        *status = put_float(p, json_object_get(o, "float"));
        break;
    }
    return true;
}

/* A value that is cut in the middle would be another one. */
static int
append(void *to, const char *bytes, size_t size)
{
    if (msgpack_sbuffer_write(to, bytes, size) != 0)
        abort();
    return 0;
}

/* From 32,768 on with four bytes, the first of which is 0: else it could be UTF-8. */
static enum stint_status
put_head(msgpack_packer *p, bool map, size_t count)
{
    const char head[] = {map ? '\xdf' : '\xdd', (char)(count >> 24), (char)(count >> 16),
        (char)(count >> 8), (char)count};
    if (count >> 24)
        return refuse(STINT_INVALID, "there are more than 16,777,215 elements");
    if (count >= 32768)
        (void)append(p->data, head, sizeof head);
    else if (map)
        msgpack_pack_map(p, count);
    else
        msgpack_pack_array(p, count);
    return STINT_OK;
}

static void
put_string(msgpack_packer *p, const char *text, size_t size)
{
    msgpack_pack_str(p, size);
    msgpack_pack_str_body(p, text, size);
}

static enum stint_status put(msgpack_packer *p, json_t *value, unsigned depth);

static enum stint_status
put_object(msgpack_packer *p, json_t *o, unsigned depth)
{
    enum stint_status status = STINT_OK;
    const char *key;
    json_t *value;
    size_t size;
    if (put_form(p, o, &status))
        return status;
    status = put_head(p, true, json_object_size(o));
    json_object_keylen_foreach(o, key, size, value)
    {
        if (status != STINT_OK)
            break;
        put_string(p, key, size);
        status = put(p, value, depth);
    }
    return status;
}

static enum stint_status
put_array(msgpack_packer *p, json_t *array, unsigned depth)
{
    enum stint_status status = put_head(p, false, json_array_size(array));
    for (size_t i = 0; i < json_array_size(array) && status == STINT_OK; i++)
        status = put(p, json_array_get(array, i), depth);
    return status;
}

static enum stint_status
put(msgpack_packer *p, json_t *value, unsigned depth)
{
    if (depth++ == STINT_OBJECT_DEPTH)
        return refuse(STINT_INVALID, "it is nested more than %d deep", STINT_OBJECT_DEPTH);
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return put_object(p, value, depth);
    case JSON_ARRAY:
        return put_array(p, value, depth);
    case JSON_STRING:
        put_string(p, json_string_value(value), json_string_length(value));
        return STINT_OK;
    case JSON_INTEGER:
        msgpack_pack_int64(p, json_integer_value(value));
        return STINT_OK;
    case JSON_REAL:
        msgpack_pack_double(p, json_real_value(value));
        return STINT_OK;
    case JSON_TRUE:
        msgpack_pack_true(p);
        return STINT_OK;
    case JSON_FALSE:
        msgpack_pack_false(p);
        return STINT_OK;
    default:
        msgpack_pack_nil(p);
        return STINT_OK;
    }
}

enum stint_status
stint_json_to_msgpack(const char *json, size_t json_bytes, void **msgpack, size_t *msgpack_bytes)
{
    json_error_t error;
    msgpack_sbuffer out;
    msgpack_packer p;
    *msgpack = NULL;
    *msgpack_bytes = 0;
    error_text[0] = '\0';
    json_t *value = json_loadb(
        json, json_bytes, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!value)
        return refuse(STINT_INVALID, "line %d, column %d: %.180s", error.line, error.column,
            json_error_code(&error) == json_error_numeric_overflow && strstr(error.text, "integer")
                ? "the number is too large; write {\"uint64\": \"...\"}, or a string"
                : error.text);
    msgpack_sbuffer_init(&out);
    msgpack_packer_init(&p, &out, append);
    enum stint_status status = put(&p, value, 0);
    json_decref(value);
    if (status != STINT_OK) {
        msgpack_sbuffer_destroy(&out);
        return status;
    }
    *msgpack_bytes = out.size;
    *msgpack = msgpack_sbuffer_release(&out);
    return *msgpack ? STINT_OK : refuse(STINT_NO_MEMORY, "out of memory");
}

/* From msgpack. */

struct reader {
    const uint8_t *at, *end;
    const char *wrong; /* NULL: nothing yet */
};

static json_t *
give_up(struct reader *r, const char *why)
{
    if (!r->wrong)
        r->wrong = why;
    return NULL;
}

/* A number of so many bytes, the largest first. */
static uint64_t
number(struct reader *r, size_t bytes)
{
    uint64_t value = 0;
    if ((size_t)(r->end - r->at) < bytes) {
        (void)give_up(r, "it ends in the middle");
        return 0;
    }
    for (; bytes > 0; bytes--)
        value = value << 8 | *r->at++;
    return value;
}

static const uint8_t *
body(struct reader *r, uint64_t bytes)
{
    const uint8_t *at = r->at;
    if (r->wrong || (uint64_t)(r->end - r->at) < bytes) {
        (void)give_up(r, "it ends in the middle");
        return NULL;
    }
    r->at += bytes;
    return at;
}

static json_t *
take_unsigned(struct reader *r, uint64_t value)
{
    char digits[24];
    if (r->wrong)
        return NULL;
    if (value <= INT64_MAX)
        return json_integer((json_int_t)value);
    (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    return json_pack("{ss}", "uint64", digits);
}

static json_t *
take_signed(struct reader *r, uint64_t value, unsigned bits)
{
    uint64_t sign = 1ULL << (bits - 1);
    return r->wrong ? NULL : json_integer((json_int_t)((value ^ sign) - sign));
}

static json_t *
take_float(struct reader *r, double value)
{
    if (r->wrong)
        return NULL;
    if (isnan(value))
        return json_pack("{ss}", "float", "nan");
    if (isinf(value))
        return json_pack("{ss}", "float", value < 0 ? "-inf" : "inf");
    return json_real(value);
}

static json_t *
take_string(struct reader *r, uint64_t bytes)
{
    const uint8_t *at = body(r, bytes);
    return at ? json_bytes(at, bytes) : NULL;
}

static json_t *
take_binary(struct reader *r, uint64_t bytes)
{
    const uint8_t *at = body(r, bytes);
    return at ? json_base64(at, bytes) : NULL;
}

static json_t *
take_extension(struct reader *r, uint64_t bytes)
{
    int8_t type = (int8_t)number(r, 1);
    json_t *o = take_binary(r, bytes);
    if (o)
        json_object_set_new(o, "ext", json_integer(type));
    return o;
}

static json_t *take(struct reader *r, unsigned depth);

/* Each element has a byte at least, so a count that is larger than the bytes left is a lie. */
static bool
is_there(struct reader *r, uint64_t count, unsigned each)
{
    if (!r->wrong && count > (uint64_t)(r->end - r->at) / each)
        (void)give_up(r, "it ends in the middle");
    return !r->wrong;
}

static json_t *
take_array(struct reader *r, uint64_t count, unsigned depth)
{
    if (!is_there(r, count, 1))
        return NULL;
    json_t *array = json_array();
    for (; count > 0 && !r->wrong; count--)
        if (json_array_append_new(array, take(r, depth)) != 0)
            (void)give_up(r, "out of memory");
    if (!r->wrong)
        return array;
    json_decref(array);
    return NULL;
}

static bool
take_pair(struct reader *r, json_t *map, unsigned depth)
{
    json_t *key = take(r, depth);
    if (key && !json_is_string(key))
        (void)give_up(r, "a key is no string");
    else if (key && memchr(json_string_value(key), '\0', json_string_length(key)))
        (void)give_up(r, "a key has a zero byte");
    else if (key && json_object_getn(map, json_string_value(key), json_string_length(key)))
        (void)give_up(r, "a key is there twice");
    json_t *value = r->wrong ? NULL : take(r, depth);
    if (value &&
        json_object_setn_new(map, json_string_value(key), json_string_length(key), value) != 0)
        (void)give_up(r, "out of memory");
    json_decref(key);
    return !r->wrong;
}

static json_t *
take_map(struct reader *r, uint64_t count, unsigned depth)
{
    if (!is_there(r, count, 2))
        return NULL;
    json_t *map = json_object();
    while (count > 0 && take_pair(r, map, depth))
        count--;
    if (!r->wrong && form_of(map) != FORM_NONE)
        (void)give_up(r, "a map looks like what stands for bytes or numbers");
    if (!r->wrong)
        return map;
    json_decref(map);
    return NULL;
}

/* The types with a byte of their own, 0xc0 to 0xdf. */
static json_t *
take_typed(struct reader *r, uint8_t type, unsigned depth)
{
    uint32_t single;
    uint64_t bits;
    float f;
    double d;
    switch (type) {
    case 0xc0:
        return json_null();
    case 0xc2:
    case 0xc3:
        return json_boolean(type & 1);
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return take_binary(r, number(r, (size_t)1 << (type - 0xc4)));
    case 0xc7:
    case 0xc8:
    case 0xc9:
        return take_extension(r, number(r, (size_t)1 << (type - 0xc7)));
    case 0xca:
        single = (uint32_t)number(r, 4);
        memcpy(&f, &single, sizeof f);
        return take_float(r, (double)f);
    case 0xcb:
        bits = number(r, 8);
        memcpy(&d, &bits, sizeof d);
        return take_float(r, d);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return take_unsigned(r, number(r, (size_t)1 << (type - 0xcc)));
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return take_signed(r, number(r, (size_t)1 << (type - 0xd0)), 8U << (type - 0xd0));
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        return take_extension(r, 1ULL << (type - 0xd4));
    case 0xd9:
    case 0xda:
    case 0xdb:
        return take_string(r, number(r, (size_t)1 << (type - 0xd9)));
    case 0xdc:
    case 0xdd:
        return take_array(r, number(r, type == 0xdc ? 2 : 4), depth);
    case 0xde:
    case 0xdf:
        return take_map(r, number(r, type == 0xde ? 2 : 4), depth);
    default:
        return give_up(r, "it has a byte that means nothing");
    }
}

static json_t *
take(struct reader *r, unsigned depth)
{
    if (depth++ == STINT_OBJECT_DEPTH)
        return give_up(r, "it is nested too deep");
    uint8_t type = (uint8_t)number(r, 1);
    if (r->wrong)
        return NULL;
    json_t *value = type < 0x80 ? json_integer(type)
        : type < 0x90           ? take_map(r, type & 15, depth)
        : type < 0xa0           ? take_array(r, type & 15, depth)
        : type < 0xc0           ? take_string(r, type & 31)
        : type < 0xe0           ? take_typed(r, type, depth)
                                : json_integer((int8_t)type);
    return value ? value : give_up(r, "out of memory");
}

static json_t *
read_all(const void *msgpack, size_t bytes, const char **wrong)
{
    struct reader r = {msgpack, (const uint8_t *)msgpack + bytes, NULL};
    json_t *value = bytes ? take(&r, 0) : give_up(&r, "it is empty");
    if (value && r.at < r.end) {
        json_decref(value);
        value = give_up(&r, "something follows it");
    }
    *wrong = r.wrong;
    return value;
}

enum stint_status
stint_msgpack_to_json(const void *msgpack, size_t msgpack_bytes, char **json)
{
    const char *wrong;
    error_text[0] = '\0';
    *json = NULL;
    if (!msgpack && msgpack_bytes > 0)
        return refuse(STINT_INVALID, "there are bytes of msgpack, and the pointer to them is NULL");
    json_t *value = read_all(msgpack, msgpack_bytes, &wrong);
    if (!value)
        return refuse(STINT_INVALID, "it is no msgpack that JSON can tell: %s", wrong);
    *json = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(value);
    return *json ? STINT_OK : refuse(STINT_NO_MEMORY, "out of memory");
}

bool
stint_is_object(const void *bytes, size_t size)
{
    const char *wrong;
    const uint8_t *first = bytes;
    if (size == 0 || !first || *first < 0x80 || (*first >= 0xa0 && *first < 0xdc) || *first > 0xdf)
        return false;
    json_t *text = json_stringn(bytes, size);
    json_t *value = text ? NULL : read_all(bytes, size, &wrong);
    bool good = value != NULL;
    json_decref(text);
    json_decref(value);
    return good;
}
