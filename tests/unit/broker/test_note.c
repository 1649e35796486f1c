/* Notes: warnings are all kept, of the rest a few, and how many were not is told; texts are copied,
 * and cut between characters.
 */
#include "note.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

static void
say(struct notes *notes, enum note_level level, uint64_t number)
{
    struct note_field field = NOTE_NUMBER("number", number);
    notes_add(notes, level, "it happened", &field, 1);
}

/* Takes all; the numbers of those of the level have to rise from 0. Returns how many there were of
 * it, and in `*dropped` what the last note said, if one says it. */
static unsigned
take_all(struct notes *notes, enum note_level level, uint64_t *dropped)
{
    struct note note;
    unsigned of_level = 0;
    *dropped = 0;
    while (notes_take(notes, &note)) {
        if (strstr(note.event, "than there was room for")) {
            assert_int_equal(note.level, NOTE_WARN);
            assert_string_equal(note.fields[0].key, "count");
            *dropped = note.fields[0].number;
        } else if (note.level == level)
            assert_int_equal(note.fields[0].number, of_level++);
    }
    return of_level;
}

static void
of_what_is_only_of_interest_a_step_keeps_a_few_and_warnings_are_all_kept(void **state)
{
    static const struct {
        enum note_level level;
        unsigned said, kept;
    } cases[] = {{NOTE_INFO, 10, 10}, {NOTE_INFO, NOTES_A_STEP, NOTES_A_STEP},
        {NOTE_INFO, NOTES_A_STEP + 1, NOTES_A_STEP}, {NOTE_DEBUG, 5000, NOTES_A_STEP},
        {NOTE_WARN, 5000, 5000}, {NOTE_ERROR, 5000, 5000}, {NOTE_WARN, NOTES_MAX + 3, NOTES_MAX}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct notes notes = {0};
        uint64_t dropped;
        for (unsigned n = 0; n < cases[i].said; n++)
            say(&notes, cases[i].level, n);
        assert_int_equal(take_all(&notes, cases[i].level, &dropped), cases[i].kept);
        assert_int_equal(dropped, cases[i].said - cases[i].kept);
        notes_free(&notes);
    }
}

static void
a_warning_is_kept_however_much_was_said_before_it(void **state)
{
    struct notes notes = {0};
    uint64_t dropped;
    (void)state;
    for (unsigned n = 0; n < 1000; n++) {
        say(&notes, NOTE_DEBUG, n);
        say(&notes, NOTE_WARN, n);
    }
    assert_int_equal(take_all(&notes, NOTE_WARN, &dropped), 1000);
    assert_int_equal(dropped, 1000 - NOTES_A_STEP);
    notes_free(&notes);
}

static void
after_the_last_note_there_is_room_again(void **state)
{
    struct notes notes = {0};
    uint64_t dropped;
    (void)state;
    for (unsigned step = 0; step < 5; step++) {
        for (unsigned n = 0; n < NOTES_A_STEP; n++)
            say(&notes, NOTE_INFO, n);
        assert_int_equal(take_all(&notes, NOTE_INFO, &dropped), NOTES_A_STEP);
        assert_int_equal(dropped, 0);
    }
    struct note note;
    assert_false(notes_take(&notes, &note));
    notes_free(&notes);
}

static void
what_a_bad_moment_needed_is_not_kept(void **state)
{
    struct notes notes = {0};
    uint64_t dropped;
    (void)state;
    for (unsigned n = 0; n < 5000; n++)
        say(&notes, NOTE_WARN, n);
    assert_int_equal(take_all(&notes, NOTE_WARN, &dropped), 5000);
    assert_int_equal(notes.size, 0);
    notes_free(&notes);
}

static void
texts_are_copied_and_cut_between_characters(void **state)
{
    enum { MOST = NOTE_TEXT_BYTES - 1 };
    /* A text of `before` letters, then a character of so many bytes, then letters. */
    static const struct {
        size_t before;
        const char *character;
        size_t kept;
    } cases[] = {
        {3, "", 3},
        {MOST, "", MOST},
        {MOST + 1, "", MOST},
        {MOST + 500, "", MOST},
        {MOST - 2, "\xc3\xa4", MOST}, /* it fits */
        {MOST - 1, "\xc3\xa4", MOST - 1},
        {MOST, "\xc3\xa4", MOST},
        {MOST - 3, "\xe2\x82\xac", MOST},
        {MOST - 2, "\xe2\x82\xac", MOST - 2},
        {MOST - 1, "\xe2\x82\xac", MOST - 1},
        {MOST - 3, "\xf0\x9f\x98\x80", MOST - 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[NOTE_TEXT_BYTES + 600] = {0};
        struct notes notes = {0};
        struct note note;
        memset(text, 'x', cases[i].before);
        (void)strcpy(text + cases[i].before, cases[i].character);
        if (cases[i].before > 3)
            (void)strcpy(text + strlen(text), "and some more letters behind it");
        struct note_field fields[] = {NOTE_NUMBER("first", 7), NOTE_TEXT("text", text)};
        notes_add(&notes, NOTE_WARN, "it happened", fields, 2);
        size_t kept = cases[i].before > 3 ? cases[i].kept : 3;
        char expected[NOTE_TEXT_BYTES];
        memcpy(expected, text, kept);
        memset(text, 'y', sizeof text - 1);
        assert_true(notes_take(&notes, &note));
        assert_int_equal(note.count, 2);
        assert_int_equal(note.fields[0].number, 7);
        assert_null(note.fields[0].text);
        assert_int_equal(strlen(note.fields[1].text), kept);
        assert_memory_equal(note.fields[1].text, expected, kept);
        notes_free(&notes);
        assert_memory_equal(note.fields[1].text, expected, kept); /* it is in the note itself */
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_what_is_only_of_interest_a_step_keeps_a_few_and_warnings_are_all_kept),
        cmocka_unit_test(a_warning_is_kept_however_much_was_said_before_it),
        cmocka_unit_test(after_the_last_note_there_is_room_again),
        cmocka_unit_test(what_a_bad_moment_needed_is_not_kept),
        cmocka_unit_test(texts_are_copied_and_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
