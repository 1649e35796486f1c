/* Payloads between JSON and msgpack: a table of what becomes what, refusals in words, and values
 * drawn at random, which come back the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stint_objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
text_of(const void *bytes, size_t size, char *hex)
{
    for (size_t i = 0; i < size; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", ((const uint8_t *)bytes)[i]);
    hex[2 * size] = '\0';
}

static size_t
bytes_of(const char *hex, uint8_t *bytes)
{
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    return size;
}

/* Both directions. */
static const struct {
    const char *json, *msgpack;
} same[] = {
    {"null", "c0"},
    {"true", "c3"},
    {"false", "c2"},
    {"0", "00"},
    {"127", "7f"},
    {"128", "cc80"},
    {"-1", "ff"},
    {"-33", "d0df"},
    {"65536", "ce00010000"},
    {"9223372036854775807", "cf7fffffffffffffff"},
    {"-9223372036854775808", "d38000000000000000"},
    {"{\"uint64\":\"9223372036854775808\"}", "cf8000000000000000"},
    {"{\"uint64\":\"18446744073709551615\"}", "cfffffffffffffffff"},
    {"1.0", "cb3ff0000000000000"},
    {"-0.0", "cb8000000000000000"},
    {"0.10000000000000001", "cb3fb999999999999a"},
    {"{\"float\":\"inf\"}", "cb7ff0000000000000"},
    {"{\"float\":\"-inf\"}", "cbfff0000000000000"},
    {"\"\"", "a0"},
    {"\"\xc3\xa4\"", "a2c3a4"},
    {"\"a\\u0000b\"", "a3610062"},
    {"{\"base64\":\"\"}", "c400"},
    {"{\"base64\":\"AA==\"}", "c40100"},
    {"{\"base64\":\"AAE=\"}", "c4020001"},
    {"{\"base64\":\"AAH/\"}", "c4030001ff"},
    {"{\"base64\":\"/w==\",\"ext\":-1}", "d4ffff"},
    {"{\"base64\":\"AAECAwQ=\",\"ext\":5}", "c705050001020304"},
    {"[]", "90"},
    {"{}", "80"},
    {"[1,[2,{\"a\":null}]]", "9201920281a161c0"},
    {"{\"to\":\"ann\",\"n\":3}", "82a2746fa3616e6ea16e03"},
    {"{\"base64\":1}", "81a662617365363401"},
    {"{\"base64\":\"AA==\",\"x\":1}", NULL},
    {"{\"uint64\":5}", NULL},
};

static void
each_value_becomes_what_the_table_says_and_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        void *msgpack;
        size_t bytes;
        char *json, hex[256];
        if (stint_json_to_msgpack(same[i].json, strlen(same[i].json), &msgpack, &bytes) != STINT_OK)
            fail_msg("%s: %s", same[i].json, stint_objects_error());
        text_of(msgpack, bytes, hex);
        if (same[i].msgpack)
            assert_string_equal(hex, same[i].msgpack);
        assert_int_equal(stint_msgpack_to_json(msgpack, bytes, &json), STINT_OK);
        assert_string_equal(json, same[i].json);
        bool many = same[i].json[0] == '[' || strchr("89", hex[0]);
        assert_int_equal(stint_is_object(msgpack, bytes), many);
        free(msgpack);
        free(json);
    }
}

/* Written otherwise by others, or by people. */
static void
other_forms_of_the_same_are_read(void **state)
{
    static const struct {
        const char *msgpack, *json;
    } others[] = {{"cd0001", "1"}, {"d3ffffffffffffffff", "-1"}, {"ca3f800000", "1.0"},
        {"ca7fc00000", "{\"float\":\"nan\"}"}, {"cbfff8000000000001", "{\"float\":\"nan\"}"},
        {"d90161", "\"a\""}, {"da000161", "\"a\""}, {"db0000000161", "\"a\""},
        {"a1ff", "{\"base64\":\"/w==\"}"}, {"c60000000100", "{\"base64\":\"AA==\"}"},
        {"dc000101", "[1]"}, {"dd0000000101", "[1]"}, {"de0001a16101", "{\"a\":1}"},
        {"df00000001a16101", "{\"a\":1}"}, {"c8000107ff", "{\"base64\":\"/w==\",\"ext\":7}"}};
    uint8_t bytes[64];
    char *json;
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        size_t size = bytes_of(others[i].msgpack, bytes);
        assert_int_equal(stint_msgpack_to_json(bytes, size, &json), STINT_OK);
        assert_string_equal(json, others[i].json);
        free(json);
    }
}

static void
what_can_not_be_told_exactly_is_refused_in_words(void **state)
{
    static const struct {
        const char *json, *words;
    } wrong[] = {{"", "line"}, {"{", "line 1, column 1"}, {"[1,]", "line"}, {"[1]x", "line"},
        {"{\"a\":1,\"a\":2}", "duplicate"}, {"9223372036854775808", "uint64"},
        {"1e999", "overflow"}, {"\"\xff\"", "decode"}, {"{\"uint64\":\"5\"}", "2^63"},
        {"{\"uint64\":\"18446744073709551616\"}", "2^63"},
        {"{\"uint64\":\"09223372036854775808\"}", "2^63"}, {"{\"uint64\":\"\"}", "2^63"},
        {"{\"float\":\"1\"}", "nan"}, {"{\"base64\":\"A\"}", "base64"},
        {"{\"base64\":\"AB==\"}", "base64"}, {"{\"base64\":\"AAF=\"}", "base64"},
        {"{\"base64\":\"====\"}", "base64"}, {"{\"base64\":\"A=A=\"}", "base64"},
        {"{\"base64\":\"AA\\u0000=\"}", "base64"}, {"{\"a\\u0000\":1}", "NUL"}};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        void *msgpack = "";
        size_t bytes = 1;
        enum stint_status status =
            stint_json_to_msgpack(wrong[i].json, strlen(wrong[i].json), &msgpack, &bytes);
        if (status != STINT_INVALID || !strstr(stint_objects_error(), wrong[i].words))
            fail_msg("%s: %d, %s", wrong[i].json, (int)status, stint_objects_error());
        assert_null(msgpack);
        assert_int_equal(bytes, 0);
    }
}

static void
bytes_that_are_no_object_are_refused_in_words(void **state)
{
    static const struct {
        const char *msgpack, *words;
    } wrong[] = {{"", "empty"}, {"c1", "means nothing"}, {"0101", "follows"}, {"cd00", "middle"},
        {"ddffffffff", "middle"}, {"dfffffffff", "middle"}, {"dbffffffff61", "middle"},
        {"c6ffffffff", "middle"}, {"9201", "middle"}, {"810102", "no string"},
        {"81c4010102", "no string"}, {"81a1ff01", "no string"}, {"82a16101a16102", "twice"},
        {"81a2610001", "zero byte"}, {"81a6626173653634a0", "looks like"},
        {"81a675696e743634a135", "looks like"}, {"81a5666c6f6174a36e616e", "looks like"},
        {"82a6626173653634a0a365787405", "looks like"}};
    uint8_t bytes[64];
    char *json = "";
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        size_t size = bytes_of(wrong[i].msgpack, bytes);
        enum stint_status status = stint_msgpack_to_json(bytes, size, &json);
        if (status != STINT_INVALID || !strstr(stint_objects_error(), wrong[i].words))
            fail_msg("%s: %d, %s", wrong[i].msgpack, (int)status, stint_objects_error());
        assert_null(json);
        assert_false(stint_is_object(bytes, size));
    }
}

static void
depth_is_bounded_the_same_in_both_directions(void **state)
{
    (void)state;
    for (unsigned depth = STINT_OBJECT_DEPTH - 1; depth <= STINT_OBJECT_DEPTH + 1; depth++) {
        char text[2 * (STINT_OBJECT_DEPTH + 1) + 1] = "", *json;
        uint8_t deep[STINT_OBJECT_DEPTH + 1];
        void *msgpack;
        size_t bytes;
        enum stint_status expected = depth > STINT_OBJECT_DEPTH ? STINT_INVALID : STINT_OK;
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        memset(deep, 0x91, depth);
        deep[depth - 1] = 0x90;
        assert_int_equal(
            stint_json_to_msgpack(text, 2 * (size_t)depth, &msgpack, &bytes), expected);
        assert_int_equal(stint_msgpack_to_json(deep, depth, &json), expected);
        if (expected == STINT_OK)
            assert_string_equal(json, text);
        free(msgpack);
        free(json);
    }
}

/* 0xdc and 0xde begin characters of UTF-8: so a count that could go on with one has four bytes. */
static void
no_array_or_map_is_ever_a_text(void **state)
{
    enum { FEW = 32767, MANY = 32768 + 0x41 };
    char *text = malloc(2 * MANY + 3);
    (void)state;
    assert_non_null(text);
    for (unsigned i = 0; i < 2; i++) {
        size_t count = i ? MANY : FEW, size = 0;
        void *msgpack;
        size_t bytes;
        text[size++] = '[';
        for (size_t n = 0; n < count; n++) {
            text[size++] = '7';
            text[size++] = n + 1 < count ? ',' : ']';
        }
        assert_int_equal(stint_json_to_msgpack(text, size, &msgpack, &bytes), STINT_OK);
        assert_int_equal(*(uint8_t *)msgpack, i ? 0xdd : 0xdc);
        assert_true(stint_is_object(msgpack, bytes));
        free(msgpack);
    }
    free(text);
    assert_false(stint_is_object("{\"a\":1}", 7));
    assert_false(stint_is_object("\xdc\x80"
                                 "text",
        6));
    assert_false(stint_is_object("", 0));
}

/* Values at random, as msgpack of all forms; what is taken comes back the same. */
static uint64_t
dice(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return *seed >> 33;
}

static size_t
draw(uint64_t *seed, uint8_t *to, size_t room, unsigned depth)
{
    size_t used = 1, count = dice(seed) % 5;
    static const uint8_t fixed[] = {
        0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5};
    static const uint8_t sizes[] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3};
    unsigned kind = (unsigned)(dice(seed) % (depth < 5 && room > 400 ? 6 : 3));
    if (kind == 0) {
        to[0] = (uint8_t)(dice(seed) % 2 ? dice(seed) % 0x80 : 0xe0 + dice(seed) % 32);
    } else if (kind == 1) {
        unsigned which = (unsigned)(dice(seed) % sizeof fixed);
        to[0] = fixed[which];
        for (unsigned i = 0; i < sizes[which]; i++)
            to[used++] = (uint8_t)dice(seed);
    } else if (kind == 2) {
        to[0] = (uint8_t)(0xa0 + count);
        for (size_t i = 0; i < count; i++)
            to[used++] = (uint8_t)(dice(seed) % 256);
    } else {
        bool map = kind == 3;
        to[0] = (uint8_t)((map ? 0x80 : 0x90) + count);
        for (size_t i = 0; i < count; i++) {
            if (map) {
                to[used++] = 0xa1;
                to[used++] = (uint8_t)('a' + i);
            }
            used += draw(seed, to + used, (room - 64) / 5, depth + 1);
        }
    }
    return used;
}

static void
what_is_drawn_at_random_comes_back_the_same(void **state)
{
    enum { ROUNDS = 20000 };
    static uint8_t bytes[1 << 16];
    uint64_t seed = 1;
    unsigned taken = 0;
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        char *json, *again;
        void *msgpack;
        size_t size = draw(&seed, bytes, sizeof bytes, 0), msgpack_bytes;
        if (stint_msgpack_to_json(bytes, size, &json) != STINT_OK)
            fail_msg("seed %u: %s", i, stint_objects_error());
        assert_int_equal(
            stint_json_to_msgpack(json, strlen(json), &msgpack, &msgpack_bytes), STINT_OK);
        assert_int_equal(stint_msgpack_to_json(msgpack, msgpack_bytes, &again), STINT_OK);
        assert_string_equal(json, again);
        taken += size > 20;
        free(json);
        free(again);
        free(msgpack);
    }
    assert_true(taken > ROUNDS / 20);
}

static void
bytes_that_are_counted_and_not_there_are_invalid(void **state)
{
    char *json;
    void *msgpack;
    size_t size;
    (void)state;
    assert_int_equal(stint_json_to_msgpack(NULL, 5, &msgpack, &size), STINT_INVALID);
    assert_string_not_equal(stint_objects_error(), "");
    assert_int_equal(stint_msgpack_to_json(NULL, 5, &json), STINT_INVALID);
    assert_non_null(strstr(stint_objects_error(), "NULL"));
    assert_false(stint_is_object(NULL, 5));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value_becomes_what_the_table_says_and_comes_back),
        cmocka_unit_test(other_forms_of_the_same_are_read),
        cmocka_unit_test(what_can_not_be_told_exactly_is_refused_in_words),
        cmocka_unit_test(bytes_that_are_no_object_are_refused_in_words),
        cmocka_unit_test(depth_is_bounded_the_same_in_both_directions),
        cmocka_unit_test(no_array_or_map_is_ever_a_text),
        cmocka_unit_test(bytes_that_are_counted_and_not_there_are_invalid),
        cmocka_unit_test(what_is_drawn_at_random_comes_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
