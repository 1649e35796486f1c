/* Commands with places: what stands for a line in which words, and that nothing in a line is ever
 * read as code, whatever the quotes around its place. Shells of this machine have the last word.
 */
#include "jobs.h"
#include "template.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli cli = {.verb = "test"};
static char said[4096];
static int saved = -1, heard = -1;

static void
listen_to_talk(void)
{
    char path[] = "/tmp/stint-talk-XXXXXX";
    heard = mkstemp(path);
    saved = dup(STDERR_FILENO);
    assert_true(heard >= 0 && saved >= 0);
    unlink(path);
    dup2(heard, STDERR_FILENO);
}

static const char *
what_was_said(void)
{
    dup2(saved, STDERR_FILENO);
    ssize_t n = pread(heard, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    close(heard);
    close(saved);
    return said;
}

static struct row
row_of(struct value *args, size_t count, const char *line)
{
    return (struct row){{line, strlen(line)}, args, count, 7};
}

/* The command for a line of one argument, as a shell would read it. */
static char *
text_for(const char *const *words, size_t count, bool shell, const char *line)
{
    struct template *t;
    struct value arg = {line, strlen(line)};
    struct row row = row_of(&arg, 1, line);
    assert_int_equal(template_new(&cli, words, count, shell, true, &t), EX_OK);
    char *text = template_text(t, &row);
    template_free(&t);
    assert_null(t);
    return text;
}

static void
each_place_stands_for_its_part_of_the_line(void **state)
{
    static const struct {
        const char *word, *line, *text;
    } rows[] = {{"{}", "a/b.c", "cmd a/b.c"}, {"{.}", "a/b.c", "cmd a/b"},
        {"{/}", "a/b.c", "cmd b.c"}, {"{//}", "a/b.c", "cmd a"}, {"{/.}", "a/b.c", "cmd b"},
        {"{#}", "a/b.c", "cmd 7"}, {"{1}", "a/b.c", "cmd a/b.c"}, {"{2}", "a/b.c", "cmd ''"},
        {"{1.}", "a/b.c", "cmd a/b"}, {"{1//}", "a/b.c", "cmd a"}, {"{.}", "a.d/b", "cmd a.d/b"},
        {"{/.}", "a.d/b", "cmd b"}, {"{//}", "b", "cmd ."}, {"{//}", "/b", "cmd /"},
        {"{/}", "a/", "cmd ''"}, {"{.}", ".x", "cmd ''"}, {"{.}", "a.b.c", "cmd a.b"},
        {"{.}", "", "cmd ''"}, {"<{}>", "x", "cmd '<x>'"}, {"{}{}", "x", "cmd xx"},
        {"{#}-{/}", "a/b", "cmd 7-b"}, {"x", "l", "cmd x l"}, {"${1}", "l", "cmd '${1}' l"},
        {"{0}", "l", "cmd '{0}' l"}, {"{", "l", "cmd '{' l"}, {"}{", "l", "cmd '}{' l"},
        {"{} {", "l", "cmd 'l {'"}, {"{}", "it's", "cmd 'it'\\''s'"}, {"{}", "a b", "cmd 'a b'"},
        {"{1234567}", "l", "cmd '{1234567}' l"}, {"{{}}", "l", "cmd '{l}'"}};
    (void)state;
    listen_to_talk();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *words[] = {"cmd", rows[i].word};
        char *text = text_for(words, 2, false, rows[i].line);
        assert_string_equal(text, rows[i].text);
        free(text);
    }
    (void)what_was_said();
}

static void
several_arguments_are_words_of_their_own_where_a_place_is_a_word(void **state)
{
    static const struct {
        const char *word, *text;
        bool shell;
    } rows[] = {{"{}", "cmd a.x 'b c'", false}, {"<{}>", "cmd '<a.x b c>'", false},
        {"{2}{1}", "cmd 'b ca.x'", false}, {"{.}", "cmd 'a b c'", false},
        {"none", "cmd none a.x 'b c'", false},
        {"f {}", "/bin/sh -c 'f \"${1}\" \"${2}\"' sh a.x 'b c'", true},
        {"f <{}>", "/bin/sh -c 'f <\"${1}\">' sh 'a.x b c'", true},
        {"f \"{}\"", "/bin/sh -c 'f \"${1}\"' sh 'a.x b c'", true},
        {"f {2}; {1}", "/bin/sh -c 'f \"${1}\"; \"${2}\"' sh 'b c' a.x", true},
        {"f $1", "/bin/sh -c 'f $1' sh a.x 'b c'", true}};
    struct value args[] = {{"a.x", 3}, {"b c", 3}};
    struct row row = row_of(args, 2, "a.x b c");
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *words[] = {rows[i].shell ? rows[i].word : "cmd", rows[i].word};
        struct template *t;
        assert_int_equal(
            template_new(&cli, words, rows[i].shell ? 1 : 2, rows[i].shell, true, &t), EX_OK);
        char *text = template_text(t, &row);
        assert_string_equal(text, rows[i].text);
        free(text);
        template_free(&t);
    }
}

static void
one_argument_is_cut_into_words_and_nothing_is_expanded(void **state)
{
    const char *good = "cmd 'a b' \"c $HOME\" *", *bad[] = {"\t ", "  "};
    struct template *t;
    (void)state;
    char *text = text_for(&good, 1, false, "l");
    assert_string_equal(text, "cmd 'a b' 'c $HOME' '*' l");
    free(text);
    listen_to_talk();
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(template_new(&cli, &bad[i], 1, false, true, &t), EX_USAGE);
        assert_null(t);
    }
    assert_int_equal(template_new(&cli, NULL, 0, false, true, &t), EX_USAGE);
    assert_int_equal(template_new(&cli, bad, 2, true, true, &t), EX_USAGE);
    const char *talk = what_was_said();
    assert_string_equal(talk,
        "stint test: the command can't be cut into words, there is no word in it:   \n"
        "stint test: the command can't be cut into words, there is no word in it:   \n"
        "stint test: which command? see stint help test\n"
        "stint test: with --shell the command is one argument\n");
}

static void
what_looks_like_a_place_and_is_none_is_warned_of(void **state)
{
    static const struct {
        const char *word;
        bool warned;
    } rows[] = {{"{+}", true}, {"{line}", true}, {"{0}", true}, {"{}", false},
        {"{print $1}", false}, {"${name}", false}, {"{a,b}", false},
        {"{this-is-longer-than-a-place}", false}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *words[] = {"cmd", rows[i].word};
        listen_to_talk();
        free(text_for(words, 2, false, "l"));
        assert_int_equal(strstr(what_was_said(), "stands for nothing and is left as it is") != NULL,
            rows[i].warned);
    }
}

/* What a shell's command prints, up to the buffer's size. */
static size_t
run_text(const char *text, char *output, size_t size)
{
    FILE *f = popen(text, "r");
    assert_non_null(f);
    size_t n = fread(output, 1, size, f);
    assert_int_equal(pclose(f), 0);
    return n;
}

static const char *const nasty[] = {"$(echo no)", "`echo no`", "'; echo no; '", "\"; echo no; \"",
    "${HOME}", "a\\b\\\\c", "two  words", "*", "#no", "-n", "it's \"so\"", "a\nb", "&& echo no",
    "$1 $@ \\$", "caf\xc3\xa9 \xff", "!x", "~", "{}", "%s%n"};
enum { NASTY = sizeof nasty / sizeof *nasty };

static void
a_command_as_text_gives_a_shell_the_same_words(void **state)
{
    const char *words[] = {"printf", "%s\\n", "{}"};
    char output[200], expected[200];
    (void)state;
    for (size_t i = 0; i < NASTY; i++) {
        char *text = text_for(words, 3, false, nasty[i]);
        size_t n = run_text(text, output, sizeof output);
        (void)snprintf(expected, sizeof expected, "%s\n", nasty[i]);
        assert_int_equal(n, strlen(expected));
        assert_memory_equal(output, expected, n);
        free(text);
    }
}

static void
in_a_shells_text_a_line_is_never_code_whatever_the_quotes_around_it(void **state)
{
    static const char *const texts[] = {"printf '<%s>' {}", "printf '<%s>' \"{}\"",
        "printf '<%s>' '{}'", "printf '<%s>' \"$(printf '%s' {})\"",
        "printf '<%s>' \"$(printf '%s' \"{}\")\"", "printf '<%s>' \"$(printf '%s' '{}')\"",
        "x={}; printf '<%s>' \"$x\"", "x='a\"b'; printf '<%s>' {} # it's {}\n",
        "# isn't\nprintf '<%s>' {}", "echo \"it's\" >/dev/null; printf '<%s>' '{}'",
        "printf '<%s>' {}; : $((1 + (2)))", "(printf '<%s>' {})", "true && printf '<%s>' {}",
        "printf '<%s>' \\\n{}", "printf '<%s>' `true`{}", "printf '<%s>' \"`true`{}\"",
        "x=a#b; printf '<%s>' '{}'", ": {}#; printf '<%s>' '{}'", ": $#; printf '<%s>' '{}'",
        /* A case's pattern ends with a parenthesis that closes nothing. */
        "printf '<%s>' \"$(case x in x) printf '%s' '{}' ;; esac)\"",
        "printf '<%s>' \"$(case x in (y) ;; (x) (printf '%s' '{}');; esac)\"",
        "printf '<%s>' \"$(if :; then case x in x) case y in y) printf '%s' {};; esac;; esac; "
        "fi)\"",
        "x=\"$(case x in esac)\"; printf '<%s>' \"{}\"",
        "printf '<%s>' \"$(: case in; printf '%s' '{}')\"; : \"{}\"",
        "printf '<%s>' \"$(: {}case in; printf '%s' '{}')\"; : \"{}\""};
    char output[200], expected[200];
    (void)state;
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
        for (size_t i = 0; i < NASTY; i++) {
            char *text = text_for(&texts[t], 1, true, nasty[i]);
            size_t n = run_text(text, output, sizeof output);
            (void)snprintf(expected, sizeof expected, "<%s>", nasty[i]);
            assert_int_equal(n, strlen(expected));
            assert_memory_equal(output, expected, n);
            free(text);
        }
}

static const msgpack_object *
field(const msgpack_object *map, const char *key)
{
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        const msgpack_object_kv *kv = &map->via.map.ptr[i];
        if (kv->key.via.str.size == strlen(key) &&
            memcmp(kv->key.via.str.ptr, key, kv->key.via.str.size) == 0)
            return &kv->val;
    }
    return NULL;
}

static void
assert_text(const msgpack_object *o, const char *text)
{
    assert_non_null(o);
    assert_int_equal(o->via.str.size, strlen(text));
    assert_memory_equal(o->via.str.ptr, text, strlen(text));
}

static void
a_payload_holds_the_command_and_all_around_it(void **state)
{
    const char *words[] = {"cmd", "{}"};
    struct value environment[] = {{"A=1=2", 5}, {"B=", 2}}, arg = {"l", 1};
    struct surroundings s = {.directory = (char *)(uintptr_t) "/there",
        .directory_required = true,
        .environment = environment,
        .environment_count = 2,
        .input = "in\0put",
        .input_bytes = 6,
        .once = true};
    struct row row = row_of(&arg, 1, "l");
    struct template *t;
    (void)state;
    assert_int_equal(template_new(&cli, words, 2, false, true, &t), EX_OK);
    for (unsigned bare = 0; bare < 2; bare++) {
        msgpack_unpacked unpacked;
        size_t bytes, at = 0;
        if (bare)
            s = (struct surroundings){0};
        void *payload = template_payload(t, &s, &row, &bytes);
        msgpack_unpacked_init(&unpacked);
        assert_int_equal(
            msgpack_unpack_next(&unpacked, payload, bytes, &at), MSGPACK_UNPACK_SUCCESS);
        assert_int_equal(at, bytes);
        const msgpack_object *o = &unpacked.data, *argv = field(o, "argv");
        assert_int_equal(o->via.map.size, bare ? 1 : 6);
        assert_int_equal(argv->via.array.size, 2);
        assert_text(&argv->via.array.ptr[0], "cmd");
        assert_text(&argv->via.array.ptr[1], "l");
        if (!bare) {
            assert_text(field(o, "cwd"), "/there");
            assert_text(field(field(o, "env"), "A"), "1=2");
            assert_text(field(field(o, "env"), "B"), "");
            assert_true(field(o, "cwd_required")->via.boolean && field(o, "once")->via.boolean);
            assert_int_equal(field(o, "stdin")->via.bin.size, 6);
            assert_memory_equal(field(o, "stdin")->via.bin.ptr, "in\0put", 6);
        }
        msgpack_unpacked_destroy(&unpacked);
        free(payload);
    }
    template_free(&t);
}

static void
surroundings_are_read_from_the_options(void **state)
{
    char *environment[] = {(char *)(uintptr_t) "A=1", (char *)(uintptr_t) "STINT_TEST_B", NULL};
    char *bad[] = {
        (char *)(uintptr_t) "", (char *)(uintptr_t) "=x", (char *)(uintptr_t) "STINT_NO"};
    char here[4096], there[4200];
    (void)state;
    assert_non_null(getcwd(here, sizeof here));
    (void)snprintf(there, sizeof there, "%s/sub", here);
    setenv("STINT_TEST_B", "2", 1);
    job_options.environment = environment;
    const char *const wished[] = {NULL, "-", "/abs", "sub"};
    const char *const directories[] = {here, NULL, "/abs", there};
    for (size_t i = 0; i < 4; i++) {
        struct surroundings s = {0};
        job_options.directory = (char *)(uintptr_t)wished[i];
        assert_int_equal(surroundings_fill(&cli, &s), EX_OK);
        assert_int_equal(s.environment_count, 2);
        assert_string_equal(s.environment[1].bytes, "STINT_TEST_B=2");
        assert_int_equal(s.directory_required, i > 1);
        assert_int_equal(s.directory == NULL, directories[i] == NULL);
        if (s.directory)
            assert_string_equal(s.directory, directories[i]);
        surroundings_free(&s);
    }
    listen_to_talk();
    for (size_t i = 0; i < 3; i++) {
        struct surroundings s = {0};
        char *one[] = {bad[i], NULL};
        job_options.environment = one;
        assert_int_equal(surroundings_fill(&cli, &s), EX_USAGE);
        surroundings_free(&s);
    }
    assert_non_null(strstr(what_was_said(), "there is no such variable here"));
    job_options = (struct job_options){0};
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_place_stands_for_its_part_of_the_line),
        cmocka_unit_test(several_arguments_are_words_of_their_own_where_a_place_is_a_word),
        cmocka_unit_test(one_argument_is_cut_into_words_and_nothing_is_expanded),
        cmocka_unit_test(what_looks_like_a_place_and_is_none_is_warned_of),
        cmocka_unit_test(a_command_as_text_gives_a_shell_the_same_words),
        cmocka_unit_test(in_a_shells_text_a_line_is_never_code_whatever_the_quotes_around_it),
        cmocka_unit_test(a_payload_holds_the_command_and_all_around_it),
        cmocka_unit_test(surroundings_are_read_from_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
