/* Every message of message.def, written with random fields and read again: each field comes back as
 * it was said. Whatever is cut off, added or turned in its frame is refused or does no harm. A new
 * message does not compile here until it has its say_... function.
 */
#include "sayings.h"
#include "splitmix.h"

#include <stdlib.h>

enum { ROUNDS = 60, TEXT_MAX = 40 };

struct message_arrays *arrays;
struct pack_buffer frame;
struct message heard;
static uint64_t seed;

uint64_t
random_number(void)
{
    return splitmix64(&seed);
}

uint64_t
below(uint64_t end)
{
    return random_number() % end;
}

bool
chance(void)
{
    return below(2) == 0;
}

uint64_t
upto(uint64_t max)
{
    static const uint64_t edges[] = {0, 1, 127, 128, 255, 256, 65535, 65536, UINT32_MAX};
    uint64_t value = below(4) ? random_number() >> below(64) : edges[below(9)];
    if (below(16) == 0 || value > max)
        value = below(2) || max == UINT64_MAX ? max : value % (max + 1);
    return value;
}

/* Slices of the sender's own, good until the next message is made. */
static uint8_t texts[1 << 14];
static size_t texts_used;

struct slice
letters(size_t least, size_t most)
{
    static const char all[] = "abcXYZ019._-";
    struct slice s = {texts + texts_used, least + below(most - least + 1)};
    assert_true(texts_used + s.size < sizeof texts);
    for (size_t i = 0; i < s.size; i++)
        texts[texts_used + i] = (uint8_t)all[below(i ? sizeof all - 1 : 9)];
    texts_used += s.size;
    return s;
}

struct slice
name(void)
{
    return letters(1, below(8) ? 8 : LIMIT_NAME_BYTES);
}

struct slice
bytes(void)
{
    struct slice s = {texts + texts_used, below(TEXT_MAX)};
    assert_true(texts_used + s.size < sizeof texts);
    for (size_t i = 0; i < s.size; i++)
        texts[texts_used + i] = (uint8_t)random_number();
    texts_used += s.size;
    return s;
}

void
text(char *to, size_t size)
{
    slice_to_text(to, size, letters(0, 20));
}

struct stint_id
id(void)
{
    struct stint_id made =
        id_make((uint16_t)upto(UINT16_MAX), (uint32_t)upto(UINT32_MAX), (uint8_t)below(256), 0);
    id_set_sequence(&made, upto(UINT64_MAX));
    return made;
}

void
assert_same(struct slice a, struct slice b)
{
    assert_int_equal(a.size, b.size);
    if (a.size)
        assert_memory_equal(a.data, b.data, a.size);
}

void
assert_number(uint64_t a, uint64_t b)
{
    assert_true(a == b); /* cmocka's own compares what does not fit as well, but says less */
}

/* A copy of just that size, so that a sanitizer sees a read past its end. */
static enum stint_status
decode_exactly(const uint8_t *data, size_t size)
{
    struct message read;
    const char *why;
    uint8_t *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, data, size);
    enum stint_status status = message_decode(exact, size, &read, arrays, &why);
    assert_non_null(why);
    free(exact);
    return status;
}

static bool
is_known(uint64_t type)
{
#define X(number, name, sender, decoder) \
    if (type == (number)) \
        return true;
#include "message.def"
#undef X
    return false;
}

/* Another type stands in the frame: a type that nobody knows is told from a malformed message. */
static void
turn_type(void)
{
    size_t at = frame.data[0] >= 0xde ? 4 : 2; /* behind the map's head and the key 0 */
    at += frame.data[0] == 0xdf ? 2 : 0;
    uint8_t was = frame.data[at];
    for (unsigned type = 0; type < 128; type++) {
        frame.data[at] = (uint8_t)type;
        enum stint_status status = decode_exactly(frame.data, frame.used);
        if (!is_known(type))
            assert_int_equal(status, STINT_UNKNOWN_TYPE);
    }
    static const uint8_t no_numbers[] = {0x80, 0x90, 0xa0, 0xc0, 0xc2, 0xcb, 0xd0, 0xe0, 0xff};
    for (size_t i = 0; i < sizeof no_numbers; i++) {
        frame.data[at] = no_numbers[i];
        assert_int_not_equal(decode_exactly(frame.data, frame.used), STINT_OK);
    }
    frame.data[at] = was;
}

/* What a newer peer may say besides is skipped. */
static void
add_unknown_key(void)
{
    static const uint8_t field[] = {
        120, 0x93, 0xc3, 0x82, 0x01, 0xa1, 'x', 0xcc, 0x80, 0x90, 0xcb, 0, 0, 0, 0, 0, 0, 0, 0};
    struct pack_buffer longer = {0};
    struct pack_reader r = pack_reader(frame.data, frame.used);
    uint32_t pairs = pack_map(&r);
    pack_put_map(&longer, pairs + 1);
    memcpy(pack_reserve(&longer, pack_left(&r)), r.at, pack_left(&r));
    memcpy(pack_reserve(&longer, sizeof field), field, sizeof field);
    assert_int_equal(decode_exactly(longer.data, longer.used), STINT_OK);
    pack_buffer_free(&longer);
}

static void
cut_and_turn(void)
{
    for (size_t size = 0; size < frame.used; size++)
        assert_int_not_equal(decode_exactly(frame.data, size), STINT_OK);
    for (unsigned i = 0; i < 64; i++) {
        size_t at = below(frame.used);
        uint8_t was = frame.data[at];
        frame.data[at] = (uint8_t)random_number();
        (void)decode_exactly(frame.data, frame.used);
        frame.data[at] = was;
    }
    *pack_reserve(&frame, 1) = 0;
    assert_int_equal(decode_exactly(frame.data, frame.used), STINT_BAD_MESSAGE);
    frame.used--;
}

void
hear(enum message_type type, uint64_t number)
{
    const char *why;
    add_unknown_key();
    turn_type();
    cut_and_turn();
    assert_int_equal(message_decode(frame.data, frame.used, &heard, arrays, &why), STINT_OK);
    assert_string_equal(why, "");
    assert_int_equal(heard.type, type);
    assert_number(heard.number, number);
}

static void
every_field_of_every_message_comes_back_as_it_was_said(void **state)
{
    static const struct {
        void (*say)(uint64_t number);
    } rows[] = {
#define X(number, name, sender, decoder) {say_##name},
#include "message.def"
#undef X
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (unsigned round = 0; round < ROUNDS; round++) {
            seed = 1000 * i + round;
            texts_used = frame.used = 0;
            rows[i].say(upto(UINT64_MAX));
        }
}

static void
a_name_is_letters_digits_dots_lines_and_dashes_up_to_its_limit(void **state)
{
    uint8_t bytes_of[LIMIT_NAME_BYTES + 1];
    (void)state;
    memset(bytes_of, 'n', sizeof bytes_of);
    for (size_t size = 0; size <= sizeof bytes_of; size++)
        assert_int_equal(
            name_is_valid((struct slice){bytes_of, size}), size >= 1 && size <= LIMIT_NAME_BYTES);
    for (unsigned c = 0; c < 256; c++) {
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bytes_of[1] = (uint8_t)c;
        assert_int_equal(
            name_is_valid((struct slice){bytes_of, 3}), plain || c == '.' || c == '_' || c == '-');
        assert_int_equal(name_is_valid((struct slice){bytes_of + 1, 2}), plain);
    }
}

/* Each code point is written as UTF-8, and once more than it needs. */
static size_t
write_utf8(uint32_t c, unsigned more, uint8_t *to)
{
    static const uint8_t heads[] = {0, 0xc0, 0xe0, 0xf0};
    for (unsigned n = more; n > 0; n--, c >>= 6)
        to[n] = (uint8_t)(0x80 | (c & 0x3f));
    to[0] = (uint8_t)(heads[more] | c);
    return more + 1;
}

static void
utf8_has_one_form_of_each_code_point_and_no_others(void **state)
{
    uint8_t at[4];
    (void)state;
    for (uint32_t c = 0; c < 0x110400; c++) {
        unsigned more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
        bool is_one = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
        size_t size = write_utf8(c, more, at);
        assert_int_equal(text_is_utf8((struct slice){at, size}), is_one);
        if (more)
            assert_false(text_is_utf8((struct slice){at, size - 1}));
        if (more < 3) {
            size = write_utf8(c, more + 1, at);
            assert_false(text_is_utf8((struct slice){at, size}));
        }
    }
}

static void
a_text_is_cut_between_characters(void **state)
{
    uint8_t at[4 * 20];
    (void)state;
    for (unsigned more = 0; more < 4; more++) {
        static const uint32_t characters[] = {'a', 0xe4, 0x20ac, 0x1f600};
        size_t size = 0;
        for (unsigned i = 0; i < 20; i++)
            size += write_utf8(characters[more], more, at + size);
        for (size_t most = 0; most <= size + 1; most++) {
            struct slice head = text_head((struct slice){at, size}, most);
            struct slice tail = text_tail((struct slice){at, size}, most);
            size_t whole = (most < size ? most : size) / (more + 1) * (more + 1);
            assert_ptr_equal(head.data, at);
            assert_int_equal(head.size, whole);
            assert_ptr_equal(tail.data + tail.size, at + size);
            assert_int_equal(tail.size, whole);
        }
    }
    memset(at, 0x80, sizeof at); /* no text at all */
    assert_int_equal(text_head((struct slice){at, 20}, 2).size, 0);
    assert_int_equal(text_head((struct slice){at, 20}, 10).size, 7);
    assert_int_equal(text_tail((struct slice){at, 20}, 10).size, 7);
}

static void
each_message_has_its_name_and_those_who_may_send_it(void **state)
{
    (void)state;
#define X(number, name, sender, decoder) \
    assert_string_equal(message_name((enum message_type)(number)), #name); \
    assert_int_equal(message_allowed((enum message_type)(number), ROLE_CLIENT), \
        strchr("PCA", #sender[0]) != NULL); \
    assert_int_equal(message_allowed((enum message_type)(number), ROLE_WORKER), \
        strchr("PWA", #sender[0]) != NULL);
#include "message.def"
#undef X
    assert_string_equal(message_name(MESSAGE_NONE), "UNKNOWN");
    assert_string_equal(message_name((enum message_type)127), "UNKNOWN");
    assert_false(message_allowed(MESSAGE_NONE, ROLE_CLIENT));
    assert_false(message_allowed((enum message_type)127, ROLE_WORKER));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_every_message_comes_back_as_it_was_said),
        cmocka_unit_test(a_name_is_letters_digits_dots_lines_and_dashes_up_to_its_limit),
        cmocka_unit_test(utf8_has_one_form_of_each_code_point_and_no_others),
        cmocka_unit_test(a_text_is_cut_between_characters),
        cmocka_unit_test(each_message_has_its_name_and_those_who_may_send_it),
    };
    arrays = calloc(1, sizeof *arrays);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pack_buffer_free(&frame);
    free(arrays);
    return failed;
}
