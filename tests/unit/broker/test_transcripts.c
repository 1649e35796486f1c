/* Conversations with the core, played and compared with the files in transcripts/, which are there
 * to be read. After a change that is meant: STINT_WRITE_TRANSCRIPTS=1, and read the difference.
 */
#include "message_fields.h"
#include "scenarios.h"

#include <stdio.h>
#include <stdlib.h>

#define FOLDER "tests/unit/broker/transcripts/"

static FILE *
open_transcript(const char *name, const char *mode)
{
    char path[1024];
    (void)snprintf(path, sizeof path, STINT_SOURCE "/" FOLDER "%s.txt", name);
    return fopen(path, mode);
}

/* The text of a transcript's file, to be freed; an empty one if there is none. */
static char *
read_transcript(const char *name)
{
    enum { LARGEST = 1 << 20 };
    char *text = calloc(1, LARGEST);
    FILE *f = open_transcript(name, "r");
    assert_non_null(text);
    if (f) {
        assert_true(fread(text, 1, LARGEST - 1, f) < LARGEST - 1);
        (void)fclose(f);
    }
    return text;
}

static void
write_transcript(const char *name, const char *text)
{
    FILE *f = open_transcript(name, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int
line_length(const char *text)
{
    return (int)strcspn(text, "\n");
}

/* Shows the first line that differs, what came before it, and where in the line. */
static void
compare(const char *name, const char *expected, const char *got)
{
    enum { BEFORE = 3 };
    const char *starts[BEFORE + 1] = {expected};
    unsigned line = 1;
    size_t at = 0, begin = 0;
    for (; expected[at] && expected[at] == got[at]; at++)
        if (expected[at] == '\n') {
            begin = at + 1;
            starts[line++ % (BEFORE + 1)] = expected + begin;
        }
    if (expected[at] == got[at])
        return;
    print_error(FOLDER "%s.txt:%u: the conversation differs here:\n", name, line);
    for (unsigned n = line > BEFORE ? line - BEFORE : 1; n < line; n++) {
        const char *before = starts[(n - 1) % (BEFORE + 1)];
        print_error("            %.*s\n", line_length(before), before);
    }
    print_error("  expected: %.*s\n", line_length(expected + begin), expected + begin);
    print_error("  got:      %.*s\n", line_length(got + begin), got + begin);
    print_error("            %*s\n", (int)(at - begin) + 1, "^");
    print_error("If that is meant, write all transcripts anew with STINT_WRITE_TRANSCRIPTS=1 (in "
                "the environment), and read what has changed in them.\n");
    fail();
}

static void
is_said_as_its_transcript_has_it(void **state)
{
    const struct scenario *s = *state;
    struct core_options options;
    core_options_init(&options);
    options.max.queue_backlog = s->queue_backlog_max;
    if (s->unread_bytes) {
        options.unread_bytes = s->unread_bytes;
        options.answers_bytes = s->unread_bytes;
    }
    struct world *w = world_new(&options);
    world_transcribe(w);
    transcript_say(w->transcript, s->heading);
    s->play(w);
    assert_true(world_replays(w));
    const char *got = transcript_text(w->transcript);
    if (getenv("STINT_WRITE_TRANSCRIPTS"))
        write_transcript(s->name, got);
    char *expected = read_transcript(s->name);
    compare(s->name, expected, got);
    free(expected);
    world_destroy(&w);
}

/* Does a line of the text have this message? */
static bool
is_said(const char *text, const char *name)
{
    char line_end[40], with_fields[40];
    (void)snprintf(line_end, sizeof line_end, "  %s\n", name);
    (void)snprintf(with_fields, sizeof with_fields, "  %s  ", name);
    return strstr(text, line_end) || strstr(text, with_fields);
}

static void
every_message_stands_in_a_transcript(void **state)
{
    static const char *const names[] = {
#define X(number, name, sender, decoder) #name,
#include "message.def"
#undef X
    };
    bool said[sizeof names / sizeof *names] = {false};
    (void)state;
    for (size_t s = 0; s < scenarios_count; s++) {
        char *text = read_transcript(scenarios[s].name);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            said[i] |= is_said(text, names[i]);
        free(text);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!said[i])
            fail_msg("no scenario has a %s", names[i]);
}

/* A key that the decoder knows has a value of a type that it does not take: a float. */
static void
put_odd_pair(struct pack_buffer *b, uint8_t key)
{
    static const uint8_t odd[] = {0xca, 0, 0, 0, 0};
    *pack_reserve(b, 1) = key;
    memcpy(pack_reserve(b, sizeof odd), odd, sizeof odd);
}

static bool
transcript_knows(const struct pack_buffer *b)
{
    struct transcript *t = transcript_new(0, 0);
    const char *problem = transcript_message(t, 0, 1, true, (struct slice){b->data, b->used});
    assert_non_null(problem);
    bool known = strstr(problem, "unknown key") == NULL;
    transcript_destroy(&t);
    return known;
}

/* Reads the elements, too, which a decoded message only points to. */
static bool
decoder_knows(const struct pack_buffer *b, struct message_arrays *arrays)
{
    struct message m;
    const char *why;
    if (message_decode(b->data, b->used, &m, arrays, &why) == STINT_BAD_MESSAGE)
        return true;
    if (m.count == 1 && (m.type == MESSAGE_JOBS || m.type == MESSAGE_OUTCOMES))
        return !message_next_job(arrays);
    if (m.count == 1 && m.type == MESSAGE_QUEUES)
        return !message_next_queue(arrays);
    if (m.count == 1 && m.type == MESSAGE_RUNNING)
        return !message_next_running(arrays);
    if (m.count == 1 && m.type == MESSAGE_BULKS)
        return !message_next_bulk(arrays);
    return m.count == 1 && m.type == MESSAGE_WORKERS && !message_next_worker(arrays);
}

/* In the message itself (`list` 0), or in the one element of the list that has this key. */
static void
compare_keys(enum message_type type, uint8_t list)
{
    struct message_arrays *arrays = calloc(1, sizeof *arrays);
    struct pack_buffer b = {0};
    assert_non_null(arrays);
    for (uint8_t key = 1; key < 128; key++) {
        b.used = 0;
        put_head(&b, type, 1);
        if (list) {
            *pack_reserve(&b, 1) = list;
            pack_put_array(&b, 1);
            pack_put_map(&b, 1);
        }
        put_odd_pair(&b, key);
        if (decoder_knows(&b, arrays) != transcript_knows(&b))
            fail_msg("key %u of %s (in the list %u) is known to one of decoder and transcript",
                (unsigned)key, message_name(type), (unsigned)list);
    }
    pack_buffer_free(&b);
    free(arrays);
}

static void
the_transcript_knows_every_key_that_the_decoder_knows(void **state)
{
    (void)state;
#define X(number, name, sender, decoder) compare_keys(MESSAGE_##name, 0);
#include "message.def"
#undef X
    compare_keys(MESSAGE_SUBMIT, 4);
    compare_keys(MESSAGE_DISPATCH, 3);
    compare_keys(MESSAGE_JOBS, 2);
    compare_keys(MESSAGE_OUTCOMES, 2);
    compare_keys(MESSAGE_QUEUES, 2);
    compare_keys(MESSAGE_WORKERS, 2);
    compare_keys(MESSAGE_RUNNING, 2);
    compare_keys(MESSAGE_BULKS, 2);
}

static void
expect_problem(const struct pack_buffer *b, const char *problem)
{
    struct transcript *t = transcript_new(0, 0);
    const char *got = transcript_message(t, 0, 1, true, (struct slice){b->data, b->used});
    if (problem)
        assert_string_equal(got, problem);
    else
        assert_null(got);
    transcript_destroy(&t);
}

static void
what_the_transcript_does_not_know_is_a_problem(void **state)
{
    struct pack_buffer b = {0};
    struct stint_id id = {{0}};
    (void)state;
    put_head(&b, MESSAGE_PONG, 1);
    pack_put_key_uint(&b, 2, 5);
    expect_problem(&b, NULL);
    pack_put_uint(&b, 0); /* behind its end */
    expect_problem(
        &b, "a value that is cut, of another type, or too long, with bytes left: 1 in token");
    b.used = 0;
    put_head(&b, MESSAGE_PONG, 1);
    pack_put_key_uint(&b, 3, 5);
    expect_problem(&b, "unknown key 3 in PONG");
    b.used = 0;
    put_head(&b, MESSAGE_CLAIMED, 1);
    *pack_reserve(&b, 1) = 2;
    pack_put_array(&b, 1);
    pack_put_array(&b, 4);
    pack_put_bytes(&b, id.bytes, sizeof id.bytes);
    for (unsigned i = 1; i < 4; i++)
        pack_put_uint(&b, i);
    expect_problem(&b, "unknown element 3 in refused");
    b.used = 0;
    put_head(&b, (enum message_type)99, 0);
    expect_problem(&b, "no message; a type of 99 in a frame");
    pack_buffer_free(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_transcript_knows_every_key_that_the_decoder_knows),
        cmocka_unit_test(what_the_transcript_does_not_know_is_a_problem),
        cmocka_unit_test(every_message_stands_in_a_transcript),
    };
    struct CMUnitTest played[32] = {{0}};
    assert_true(scenarios_count <= sizeof played / sizeof *played);
    for (size_t i = 0; i < scenarios_count; i++)
        played[i] = (struct CMUnitTest){.name = scenarios[i].name,
            .test_func = is_said_as_its_transcript_has_it,
            .initial_state = (void *)(uintptr_t)&scenarios[i]};
    int failed = _cmocka_run_group_tests("scenarios", played, scenarios_count, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
