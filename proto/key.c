/* What is in a key file; the contract is in key.h. A reader of our own, and not czmq's, as libstint
 * does without czmq, and as secret keys are to lie in no memory but what they are read into.
 */
#include "key.h"
#include "message.h"

#include <stdio.h>
#include <string.h>
#include <zmq.h>

static bool
refuse(char why[KEY_WHY_BYTES], unsigned line, const char *what)
{
    if (line)
        (void)snprintf(why, KEY_WHY_BYTES, "line %u: %s", line, what);
    else
        (void)snprintf(why, KEY_WHY_BYTES, "%s", what);
    return false;
}

bool
key_decode(const char *text, size_t size, uint8_t bytes[KEY_BYTES])
{
    char copy[KEY_TEXT_BYTES] = "";
    if (size != KEY_TEXT_BYTES - 1 || memchr(text, '\0', size))
        return false;
    memcpy(copy, text, size);
    bool good = zmq_z85_decode(bytes, copy) != NULL;
    explicit_bzero(copy, sizeof copy);
    return good;
}

/* A part of the text. */
struct part {
    const char *at;
    size_t size;
};

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct part
trimmed(struct part p)
{
    while (p.size > 0 && is_blank(*p.at)) {
        p.at++;
        p.size--;
    }
    while (p.size > 0 && is_blank(p.at[p.size - 1]))
        p.size--;
    return p;
}

static bool
is(struct part p, const char *word)
{
    return p.size == strlen(word) && memcmp(p.at, word, p.size) == 0;
}

/* What stands in quotes, or the word that stands there; what follows may be a comment. */
static bool
take_value(struct part p, struct part *value)
{
    char quote = p.size > 0 ? *p.at : '\0';
    *value = p;
    if (quote == '"' || quote == '\'') {
        const char *end = memchr(p.at + 1, quote, p.size - 1);
        if (!end)
            return false;
        *value = (struct part){p.at + 1, (size_t)(end - p.at - 1)};
    } else
        for (value->size = 0; value->size < p.size && !is_blank(p.at[value->size]);)
            value->size++;
    const char *behind = value->at + value->size + (quote == '"' || quote == '\'');
    struct part rest = trimmed((struct part){behind, (size_t)(p.at + p.size - behind)});
    return rest.size == 0 || *rest.at == '#';
}

static bool
copy_text(struct part value, char *to, size_t size, bool *twice)
{
    *twice = to[0] != '\0';
    if (*twice || value.size == 0 || value.size >= size)
        return false;
    memcpy(to, value.at, value.size);
    to[value.size] = '\0';
    return true;
}

struct reading {
    struct key_file *file;
    char *why;
    unsigned line;
    enum { SECTION_NONE, SECTION_CURVE, SECTION_METADATA } section;
};

static bool
take_key(struct reading *r, struct part value, char key[KEY_TEXT_BYTES])
{
    uint8_t bytes[KEY_BYTES];
    bool twice = false, good = key_decode(value.at, value.size, bytes);
    explicit_bzero(bytes, sizeof bytes);
    if (good && copy_text(value, key, KEY_TEXT_BYTES, &twice))
        return true;
    return refuse(r->why, r->line, twice ? "there is a key already" : "that is no key");
}

static bool
take_metadata(struct reading *r, struct part name, struct part value)
{
    struct key_file *f = r->file;
    bool twice = false, good = true;
    if (is(name, "role"))
        good = copy_text(value, f->role, sizeof f->role, &twice);
    else if (is(name, "rights"))
        good = copy_text(value, f->rights, sizeof f->rights, &twice);
    else if (is(name, "queues")) {
        good = copy_text(value, f->queues, sizeof f->queues, &twice);
        f->says_queues = true;
    } else if (is(name, "queue") || is(name, "right") || is(name, "roles"))
        return refuse(
            r->why, r->line, "it is role, rights or queues"); /* a slip must not grant more */
    if (good)
        return true;
    return refuse(r->why, r->line, twice ? "it is said twice" : "it is empty or too long");
}

static bool
take_assignment(struct reading *r, struct part name, struct part rest)
{
    struct part value;
    if (!take_value(rest, &value))
        return refuse(r->why, r->line, "the value's quotes are wrong");
    if (r->section == SECTION_METADATA)
        return take_metadata(r, name, value);
    if (r->section == SECTION_CURVE && is(name, "public-key"))
        return take_key(r, value, r->file->public_key);
    if (r->section == SECTION_CURVE && is(name, "secret-key"))
        return take_key(r, value, r->file->secret_key);
    return refuse(r->why, r->line, "a key file says public-key and secret-key of curve");
}

static bool
take_line(struct reading *r, struct part whole)
{
    struct part line = trimmed(whole);
    uint8_t bytes[KEY_BYTES];
    if (line.size == 0 || *line.at == '#')
        return true;
    if (r->section == SECTION_NONE && key_decode(line.at, line.size, bytes))
        return take_key(r, line, r->file->public_key);
    const char *equals = memchr(line.at, '=', line.size);
    if (equals) {
        struct part name = trimmed((struct part){line.at, (size_t)(equals - line.at)});
        size_t rest = (size_t)(line.at + line.size - equals - 1);
        return take_assignment(r, name, trimmed((struct part){equals + 1, rest}));
    }
    if (is(line, "curve"))
        r->section = SECTION_CURVE;
    else if (is(line, "metadata"))
        r->section = SECTION_METADATA;
    else
        return refuse(r->why, r->line, "a key file has the sections curve and metadata");
    return true;
}

bool
key_file_read(const char *text, size_t size, struct key_file *file, char why[KEY_WHY_BYTES])
{
    struct reading r = {.file = file, .why = why};
    *file = (struct key_file){0};
    *why = '\0';
    bool good = size < KEY_FILE_BYTES && !memchr(text, '\0', size);
    if (!good)
        (void)refuse(why, 0, "it is no key file");
    while (good && size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t n = end ? (size_t)(end - text) : size;
        r.line++;
        good = take_line(&r, (struct part){text, n});
        n += end != NULL;
        text += n;
        size -= n;
    }
    if (good && !file->public_key[0])
        good = refuse(why, 0, "there is no public key in it");
    if (!good)
        explicit_bzero(file, sizeof *file);
    return good;
}

size_t
key_file_write(const struct key_file *file, bool secret, char text[KEY_FILE_BYTES])
{
    const struct {
        const char *name, *value;
    } said[] = {{"role", file->role}, {"rights", file->rights}, {"queues", file->queues}};
    size_t n = (size_t)snprintf(text, KEY_FILE_BYTES, "%s",
        secret ? "# A secret key of stint's: whoever has this file is who it says.\n"
               : "# A public key of stint's.\n");
    bool begun = false;
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (said[i].value[0]) {
            n += (size_t)snprintf(text + n, KEY_FILE_BYTES - n, "%s    %s = \"%s\"\n",
                begun ? "" : "metadata\n", said[i].name, said[i].value);
            begun = true;
        }
    n += (size_t)snprintf(
        text + n, KEY_FILE_BYTES - n, "curve\n    public-key = \"%s\"\n", file->public_key);
    if (secret)
        n += (size_t)snprintf(
            text + n, KEY_FILE_BYTES - n, "    secret-key = \"%s\"\n", file->secret_key);
    return n;
}

static const char *const right_names[] = {"submit", "run", "see", "control"};
enum { RIGHTS = sizeof right_names / sizeof *right_names };

/* The next word of a list; words are parted by blanks and commas. */
static bool
next_word(const char **list, struct part *word)
{
    *list += strspn(*list, " \t,");
    *word = (struct part){*list, strcspn(*list, " \t,")};
    *list += word->size;
    return word->size > 0;
}

static bool
rights_of(const char *list, uint32_t *rights)
{
    struct part word;
    *rights = 0;
    while (next_word(&list, &word)) {
        unsigned i = 0;
        while (i < RIGHTS && !is(word, right_names[i]))
            i++;
        if (i == RIGHTS)
            return false;
        *rights |= 1U << i;
    }
    return *rights != 0;
}

static bool
role_rights(const struct key_file *file, uint32_t *rights, char why[KEY_WHY_BYTES])
{
    static const struct {
        const char *role;
        uint32_t rights;
    } roles[] = {{"client", KEY_SUBMIT | KEY_SEE}, {"worker", KEY_RUN},
        {"admin", KEY_SUBMIT | KEY_RUN | KEY_SEE | KEY_CONTROL}};
    if (file->role[0] && file->rights[0])
        return refuse(why, 0, "it says a role and rights: say one of them");
    if (!file->role[0] && !file->rights[0])
        return refuse(why, 0, "it says no role: client, worker or admin, nor rights");
    for (unsigned i = 0; file->role[0] && i < sizeof roles / sizeof *roles; i++)
        if (strcmp(file->role, roles[i].role) == 0) {
            *rights = roles[i].rights;
            return true;
        }
    if (file->role[0])
        return refuse(why, 0, "its role is not client, worker or admin");
    return rights_of(file->rights, rights) ||
        refuse(why, 0, "its rights are not a list of submit, run, see and control");
}

/* A queue's name, or the beginning of one and a star. */
static bool
is_pattern(struct part word)
{
    bool star = word.at[word.size - 1] == '*';
    char name[STINT_NAME_BYTES];
    if (word.size >= sizeof name)
        return false;
    memcpy(name, word.at, word.size);
    if (star)
        name[word.size - 1] = 'x';
    return name_is_valid((struct slice){(const uint8_t *)name, word.size});
}

bool
key_file_grants(const struct key_file *file, struct key_grant *grant, char why[KEY_WHY_BYTES])
{
    const char *list = file->queues;
    struct part word;
    bool all = !file->says_queues, any = all;
    *grant = (struct key_grant){0};
    if (!role_rights(file, &grant->rights, why))
        return false;
    while (next_word(&list, &word)) {
        any = true;
        if (is(word, "*")) {
            all = true;
            continue;
        }
        if (!is_pattern(word))
            return refuse(why, 0, "its queues are not a list of names, or of names ending with *");
        if (grant->patterns_count == KEY_PATTERNS_MAX)
            return refuse(why, 0, "it names more than 64 queues");
        memcpy(grant->patterns[grant->patterns_count++], word.at, word.size);
    }
    if (!any)
        return refuse(why, 0, "it names no queue; * is all of them");
    if (all)
        grant->patterns_count = 0;
    return true;
}

bool
key_name_is_valid(const char *name)
{
    return name_is_valid((struct slice){(const uint8_t *)name, strlen(name)}) &&
        strcmp(name, "local") != 0 && strcmp(name, "broker") != 0;
}

void
key_rights_text(uint32_t rights, char text[KEY_WORD_BYTES])
{
    size_t n = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < RIGHTS; i++)
        if (rights >> i & 1)
            n += (size_t)snprintf(
                text + n, KEY_WORD_BYTES - n, "%s%s", n ? ", " : "", right_names[i]);
}
