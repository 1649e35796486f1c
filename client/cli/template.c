/* Commands with places; the contract is in template.h. */
#include "template.h"
#include "jobs.h"
#include "quoting.h"
#include "words.h"

#include <errno.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHELL_TEXT = 2 /* of /bin/sh -c TEXT sh */ };

enum part_kind {
    PART_TEXT,
    PART_ALL, /* {}: the line, or all arguments of the row */
    PART_ARGUMENT, /* {1}, {2}, ... */
    PART_NUMBER, /* {#} */
};

/* What is done to a value: {.} drops its last .ending, {/} its directory, {//} keeps only that. */
enum trim { TRIM_NOT, TRIM_ENDING, TRIM_DIRECTORY, TRIM_BOTH, TRIM_TO_DIRECTORY };

struct part {
    enum part_kind kind;
    enum trim trim;
    enum quote quote; /* in a shell's text: within these */
    size_t argument; /* from 1 on */
    struct value text;
};

struct word {
    struct part *parts;
    size_t count;
};

struct template
{
    char **words; /* as given */
    struct word *cut;
    size_t count;
    bool shell, has_place;
};

/* Reads what stands between { and }. */
static bool
read_place(const char *inside, size_t size, struct part *part)
{
    static const struct {
        const char *text;
        enum trim trim;
    } trims[] = {{"", TRIM_NOT}, {".", TRIM_ENDING}, {"/", TRIM_DIRECTORY}, {"/.", TRIM_BOTH},
        {"//", TRIM_TO_DIRECTORY}};
    size_t digits = 0, number = 0;
    *part = (struct part){.kind = PART_ALL};
    if (size == 1 && *inside == '#') {
        part->kind = PART_NUMBER;
        return true;
    }
    for (; digits < size && digits < 6 && inside[digits] >= '0' && inside[digits] <= '9'; digits++)
        number = number * 10 + (size_t)(inside[digits] - '0');
    if (digits > 0 && number == 0)
        return false;
    if (digits > 0) {
        part->kind = PART_ARGUMENT;
        part->argument = number;
    }
    for (size_t i = 0; i < sizeof trims / sizeof *trims; i++)
        if (size - digits == strlen(trims[i].text) &&
            memcmp(inside + digits, trims[i].text, size - digits) == 0) {
            part->trim = trims[i].trim;
            return true;
        }
    return false;
}

/* Something in braces that a person may have meant as a place: {+}, {line}, {%}. Not ${name}, and
 * nothing with blanks or commas, which shells and awk use. */
static bool
looks_like_place(const char *text, const char *at, size_t size)
{
    if (at > text && at[-1] == '$')
        return false;
    for (size_t i = 0; i < size; i++)
        if (strchr(" \t\n,;{\"'$()", at[1 + i]))
            return false;
    return size > 0 && size < 20;
}

static void
add_part(struct word *w, struct part part)
{
    if (part.kind == PART_TEXT && part.text.size == 0)
        return;
    w->parts = realloc(w->parts, (w->count + 1) * sizeof *w->parts);
    if (!w->parts)
        abort();
    w->parts[w->count++] = part;
}

/* Not ${1}, and not \{} in a shell's text. */
static bool
is_escaped(const char *text, const char *at, bool shell)
{
    return at > text && (at[-1] == '$' || (shell && at[-1] == '\\'));
}

static void
cut_word(const struct cli *cli, const char *text, bool shell, struct word *w, bool *any)
{
    const char *from = text;
    struct quoting quoting = {0};
    for (const char *at = text; (at = strchr(at, '{')) != NULL; at++) {
        const char *end = strchr(at, '}');
        struct part part;
        if (!end)
            break;
        size_t size = (size_t)(end - at - 1);
        if (read_place(at + 1, size, &part) && !is_escaped(text, at, shell)) {
            quoting_pass(&quoting, from, (size_t)(at - from));
            part.quote = quoting_here(&quoting);
            quoting_pass_value(&quoting);
            add_part(w, (struct part){.text = {from, (size_t)(at - from)}});
            add_part(w, part);
            *any = true;
            from = end + 1;
            at = end;
        } else if (looks_like_place(text, at, size))
            cli_say(cli,
                "%.*s stands for nothing and is left as it is; known are {} {.} {/} {//} {/.} {#} "
                "{1} {2} and so on",
                (int)size + 2, at);
    }
    add_part(w, (struct part){.text = {from, strlen(from)}});
}

static void
add_word(struct template *t, const char *text)
{
    t->words[t->count++] = cli_copy(text, strlen(text));
}

/* Has the text a parameter of its own, which is the line if no place stands for it? */
static bool
has_parameter(const char *text)
{
    for (const char *at = text; (at = strchr(at, '$')) != NULL; at++)
        if (at[1] && strchr("1@*", at[1 + (at[1] == '{')]))
            return true;
    return false;
}

static int
set_shell(
    const struct cli *cli, const char *const *words, size_t count, bool places, struct template *t)
{
    if (count > 1)
        return cli_usage(cli, "with --shell the command is one argument");
    t->words = cli_allocate(5 * sizeof *t->words);
    add_word(t, "/bin/sh");
    add_word(t, "-c");
    add_word(t, words[0]);
    add_word(t, "sh"); /* then the values of the places, as $1 and so on */
    t->cut = cli_allocate((t->count + 1) * sizeof *t->cut);
    if (places)
        cut_word(cli, t->words[SHELL_TEXT], true, &t->cut[SHELL_TEXT], &t->has_place);
    if (places && !t->has_place && !has_parameter(words[0]))
        cli_say(cli, "nothing in the command stands for the line, such as {} or \"$1\"");
    return EX_OK;
}

int
template_new(const struct cli *cli, const char *const *words, size_t count, bool shell, bool places,
    struct template **template)
{
    struct template *t = *template = cli_allocate(sizeof *t);
    const char **cut = NULL;
    int rc = EX_OK, pieces = 0;
    t->shell = shell;
    if (count == 0)
        rc = cli_usage(cli, "which command? see stint help %s", cli->verb);
    else if (shell)
        rc = set_shell(cli, words, count, places, t);
    else if (count == 1 && strpbrk(words[0], " \t'\"")) {
        const char *why = words_cut(words[0], &pieces, &cut);
        if (why)
            rc = cli_usage(cli, "the command can't be cut into words, %s: %s", why, words[0]);
        words = cut;
        count = (size_t)pieces;
    }
    if (rc == EX_OK && !shell) {
        t->words = cli_allocate((count + 1) * sizeof *t->words);
        for (size_t i = 0; i < count; i++)
            add_word(t, words[i]);
    }
    if (!t->cut)
        t->cut = cli_allocate((t->count + 1) * sizeof *t->cut);
    for (size_t i = 0; rc == EX_OK && places && !shell && i < t->count; i++)
        cut_word(cli, t->words[i], false, &t->cut[i], &t->has_place);
    free(cut);
    if (rc != EX_OK)
        template_free(template);
    return rc;
}

void
template_free(struct template **template)
{
    struct template *t = *template;
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++) {
        free(t->words[i]);
        if (t->cut)
            free(t->cut[i].parts);
    }
    free(t->words);
    free(t->cut);
    free(t);
    *template = NULL;
}

static struct value
trimmed(struct value v, enum trim trim)
{
    const char *slash = v.size ? memrchr(v.bytes, '/', v.size) : NULL;
    if (trim == TRIM_TO_DIRECTORY) {
        if (!slash)
            return (struct value){".", 1};
        size_t size = (size_t)(slash - v.bytes);
        return size ? (struct value){v.bytes, size} : (struct value){"/", 1};
    }
    if ((trim == TRIM_DIRECTORY || trim == TRIM_BOTH) && slash) {
        v.size -= (size_t)(slash + 1 - v.bytes);
        v.bytes = slash + 1;
        slash = NULL;
    }
    const char *dot = v.size ? memrchr(v.bytes, '.', v.size) : NULL;
    if ((trim == TRIM_ENDING || trim == TRIM_BOTH) && dot && (!slash || dot > slash))
        v.size = (size_t)(dot - v.bytes);
    return v;
}

/* Writes what a part stands for. */
static void
write_part(FILE *f, const struct part *p, const struct row *row)
{
    if (p->kind == PART_TEXT)
        fwrite(p->text.bytes, 1, p->text.size, f);
    else if (p->kind == PART_NUMBER)
        fprintf(f, "%llu", (unsigned long long)row->number);
    else if (p->kind == PART_ARGUMENT) {
        struct value v = {"", 0};
        if (p->argument <= row->count)
            v = trimmed(row->args[p->argument - 1], p->trim);
        fwrite(v.bytes, 1, v.size, f);
    } else if (p->trim == TRIM_NOT)
        fwrite(row->line.bytes, 1, row->line.size, f);
    else
        for (size_t i = 0; i < row->count; i++) {
            struct value v = trimmed(row->args[i], p->trim);
            fprintf(f, "%s", i ? " " : "");
            fwrite(v.bytes, 1, v.size, f);
        }
}

/* The words of a command for a row. */
struct list {
    struct value *words;
    size_t count;
};

static void
add(struct list *l, char *bytes, size_t size)
{
    l->words = realloc(l->words, (l->count + 1) * sizeof *l->words);
    if (!l->words)
        abort();
    l->words[l->count++] = (struct value){bytes, size};
}

static void
add_parts(struct list *l, const struct part *parts, size_t count, const struct row *row)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        abort();
    for (size_t i = 0; i < count; i++)
        write_part(f, &parts[i], row);
    if (fclose(f) != 0)
        abort();
    add(l, text, size);
}

/* The arguments of a row as words of their own. */
static void
add_all(struct list *l, const struct row *row)
{
    for (size_t i = 0; i < row->count; i++)
        add(l, cli_copy(row->args[i].bytes, row->args[i].size), row->args[i].size);
}

/* Does the place make a word by itself, as far as the text around it tells? */
static bool
stands_alone(const struct word *w, size_t i)
{
    const struct part *before = i > 0 ? &w->parts[i - 1] : NULL;
    const struct part *after = i + 1 < w->count ? &w->parts[i + 1] : NULL;
    return (!before ||
               (before->kind == PART_TEXT &&
                   strchr(" \t\n;|&(`", before->text.bytes[before->text.size - 1]))) &&
        (!after || (after->kind == PART_TEXT && strchr(" \t\n;|&)<>`", after->text.bytes[0])));
}

/* In a shell's text each place becomes "${N}", in quotes: what is in a line is never read as code.
 * The values are the shell's arguments. */
static void
add_shell(struct list *l, const struct word *w, const struct row *row)
{
    static const char *const forms[] = {
        [QUOTE_NONE] = "\"${%zu}\"", [QUOTE_SINGLE] = "'\"${%zu}\"'", [QUOTE_DOUBLE] = "${%zu}"};
    struct list values = {0};
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        abort();
    for (size_t i = 0; i < w->count; i++) {
        const struct part *p = &w->parts[i];
        bool all = p->kind == PART_ALL && p->trim == TRIM_NOT && row->count > 1 &&
            p->quote == QUOTE_NONE && stands_alone(w, i);
        size_t from = values.count;
        if (p->kind == PART_TEXT) {
            fwrite(p->text.bytes, 1, p->text.size, f);
            continue;
        }
        if (all)
            add_all(&values, row);
        else
            add_parts(&values, p, 1, row);
        for (size_t n = from; n < values.count; n++) {
            fputs(n > from ? " " : "", f);
            fprintf(f, forms[p->quote], n + 1);
        }
    }
    if (fclose(f) != 0)
        abort();
    add(l, text, size);
    add(l, cli_copy("sh", 2), 2);
    for (size_t i = 0; i < values.count; i++)
        add(l, (char *)(uintptr_t)values.words[i].bytes, values.words[i].size);
    free(values.words);
}

static struct list
words_for(const struct template *t, const struct row *row)
{
    struct list l = {0};
    bool shell = t->shell && row && t->has_place;
    for (size_t i = 0; i < (shell ? SHELL_TEXT : t->count); i++) {
        const struct word *w = &t->cut[i];
        if (row && w->count == 1 && w->parts->kind == PART_ALL && w->parts->trim == TRIM_NOT &&
            row->count > 1)
            add_all(&l, row);
        else if (row && w->count > 0)
            add_parts(&l, w->parts, w->count, row);
        else
            add(&l, cli_copy(t->words[i], strlen(t->words[i])), strlen(t->words[i]));
    }
    if (shell)
        add_shell(&l, &t->cut[SHELL_TEXT], row);
    if (row && !t->has_place)
        add_all(&l, row);
    return l;
}

static void
list_free(struct list *l)
{
    for (size_t i = 0; i < l->count; i++)
        free((void *)(uintptr_t)l->words[i].bytes);
    free(l->words);
}

static void
pack_text(msgpack_packer *p, const char *text, size_t size)
{
    msgpack_pack_str(p, size);
    msgpack_pack_str_body(p, text, size);
}

static void
pack_surroundings(msgpack_packer *p, const struct surroundings *s)
{
    if (s->directory) {
        pack_text(p, "cwd", 3);
        pack_text(p, s->directory, strlen(s->directory));
    }
    if (s->directory && s->directory_required) {
        pack_text(p, "cwd_required", 12);
        msgpack_pack_true(p);
    }
    if (s->environment_count > 0) {
        pack_text(p, "env", 3);
        msgpack_pack_map(p, s->environment_count);
    }
    for (size_t i = 0; i < s->environment_count; i++) {
        const struct value *v = &s->environment[i];
        size_t name = (size_t)((const char *)memchr(v->bytes, '=', v->size) - v->bytes);
        pack_text(p, v->bytes, name);
        pack_text(p, v->bytes + name + 1, v->size - name - 1);
    }
    if (s->input) {
        pack_text(p, "stdin", 5);
        msgpack_pack_bin(p, s->input_bytes);
        msgpack_pack_bin_body(p, s->input, s->input_bytes);
    }
    if (s->once) {
        pack_text(p, "once", 4);
        msgpack_pack_true(p);
    }
}

void *
template_payload(
    const struct template *t, const struct surroundings *s, const struct row *row, size_t *bytes)
{
    msgpack_sbuffer buffer;
    msgpack_packer p;
    struct list l = words_for(t, row);
    size_t fields = 1U + (s->directory != NULL) + (s->directory && s->directory_required) +
        (s->environment_count > 0) + (s->input != NULL) + s->once;
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&p, &buffer, msgpack_sbuffer_write);
    msgpack_pack_map(&p, fields);
    pack_text(&p, "argv", 4);
    msgpack_pack_array(&p, l.count);
    for (size_t i = 0; i < l.count; i++)
        pack_text(&p, l.words[i].bytes, l.words[i].size);
    pack_surroundings(&p, s);
    list_free(&l);
    *bytes = buffer.size;
    return msgpack_sbuffer_release(&buffer);
}

static void
write_quoted(FILE *f, struct value v)
{
    bool plain = v.size > 0;
    for (size_t i = 0; i < v.size && plain; i++) {
        char c = v.bytes[i];
        plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            (c && strchr("_-./:=@%+,", c));
    }
    if (plain)
        fwrite(v.bytes, 1, v.size, f);
    else
        fputc('\'', f);
    for (size_t i = 0; i < v.size && !plain; i++)
        if (v.bytes[i] == '\'')
            fprintf(f, "'\\''");
        else
            fputc(v.bytes[i], f);
    if (!plain)
        fputc('\'', f);
}

char *
template_text(const struct template *t, const struct row *row)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    struct list l = words_for(t, row);
    if (!f)
        abort();
    for (size_t i = 0; i < l.count; i++) {
        fprintf(f, "%s", i ? " " : "");
        write_quoted(f, l.words[i]);
    }
    if (fclose(f) != 0)
        abort();
    list_free(&l);
    return text;
}

char *
template_describe(const struct template *t)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        abort();
    for (size_t i = 0; i < t->count; i++)
        fprintf(f, "%s%s", i ? "\x1f" : "", t->words[i]);
    if (fclose(f) != 0)
        abort();
    return text;
}

static bool
add_variable(const struct cli *cli, const char *text, struct surroundings *s)
{
    char *whole = NULL;
    const char *value = strchr(text, '=') ? NULL : getenv(text);
    if (!*text || *text == '=') {
        cli_say(cli, "--env=%s: write NAME, or NAME=VALUE", text);
        return false;
    }
    if (!strchr(text, '=') && !value) {
        cli_say(cli, "--env=%s: there is no such variable here; write %s=VALUE", text, text);
        return false;
    }
    if (asprintf(&whole, value ? "%s=%s" : "%s", text, value) < 0)
        abort();
    s->environment = realloc(s->environment, (s->environment_count + 1) * sizeof *s->environment);
    if (!s->environment)
        abort();
    s->environment[s->environment_count++] = (struct value){whole, strlen(whole)};
    return true;
}

int
surroundings_fill(const struct cli *cli, struct surroundings *s)
{
    const char *wished = job_options.directory;
    for (char **e = job_options.environment; e && *e; e++)
        if (!add_variable(cli, *e, s))
            return EX_USAGE;
    if (wished && strcmp(wished, "-") == 0)
        return EX_OK;
    char *here = getcwd(NULL, 0);
    s->directory_required = wished != NULL;
    if (!wished)
        s->directory = here;
    else if (*wished == '/')
        s->directory = cli_copy(wished, strlen(wished));
    else if (!here || asprintf(&s->directory, "%s/%s", here, wished) < 0) {
        cli_say(cli, "--wd=%s: where are we? %s", wished, strerror(errno));
        return EX_OSERR;
    }
    if (s->directory != here)
        free(here);
    return EX_OK;
}

void
surroundings_free(struct surroundings *s)
{
    free(s->directory);
    for (size_t i = 0; i < s->environment_count; i++)
        free((void *)(uintptr_t)s->environment[i].bytes);
    free(s->environment);
    *s = (struct surroundings){0};
}
