/* Filters as text; the contract is in where.h. */
#include "where.h"
#include "message.h"
#include "stint_job.h"
#include "units.h"

#include <stdarg.h>
#include <stdio.h>

enum unit { UNIT_NONE, UNIT_TIME, UNIT_SIZE, UNIT_NAME, UNIT_STATES, UNIT_BATCH };

/* What people call the fields. */
static const struct word {
    const char *name;
    enum filter_field field;
    enum unit unit;
} words[] = {
    {"id", FILTER_ID, UNIT_NONE},
    {"queue", FILTER_QUEUE, UNIT_NAME},
    {"state", FILTER_STATE, UNIT_STATES},
    {"kind", FILTER_KIND, UNIT_NAME},
    {"priority", FILTER_PRIORITY, UNIT_NONE},
    {"attempts", FILTER_ATTEMPTS, UNIT_NONE},
    {"failures", FILTER_FAILURES, UNIT_NONE},
    {"error", FILTER_ERROR, UNIT_NONE},
    {"unique", FILTER_UNIQUE, UNIT_NONE},
    {"group", FILTER_GROUP, UNIT_NONE},
    {"needs", FILTER_NEEDS, UNIT_NONE},
    {"worker", FILTER_WORKER, UNIT_NONE},
    {"age", FILTER_AGE, UNIT_TIME},
    {"due", FILTER_DUE, UNIT_TIME},
    {"settled", FILTER_SETTLED, UNIT_TIME},
    {"bytes", FILTER_BYTES, UNIT_SIZE},
    {"batch", FILTER_BATCH, UNIT_BATCH},
};

/* Longer ones first, where one begins with the other. */
static const struct {
    const char *sign;
    enum filter_operator is;
} operators[] = {{"!=", FILTER_IS_NOT}, {"<=", FILTER_AT_MOST}, {">=", FILTER_AT_LEAST},
    {"=", FILTER_IS}, {"~", FILTER_CONTAINS}, {"<", FILTER_LESS}, {">", FILTER_MORE}};

static bool __attribute__((format(printf, 2, 3))) wrong(struct where *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(w->why, sizeof w->why, format, args);
    va_end(args);
    return false;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static bool
add(struct where *w, struct filter_term term)
{
    if (w->filter.count == FILTER_TERMS_MAX)
        return wrong(w, "a filter has at most %d terms", FILTER_TERMS_MAX);
    w->filter.terms[w->filter.count++] = term;
    return true;
}

static bool
keep(struct where *w, const void *bytes, size_t size, struct slice *kept)
{
    if (size > sizeof w->texts - w->used)
        return wrong(w, "the filter is too long");
    *kept = (struct slice){(const uint8_t *)w->texts + w->used, size};
    memcpy(w->texts + w->used, bytes, size);
    w->used += size;
    return true;
}

bool
where_add(struct where *w, enum filter_field field, enum filter_operator is, uint64_t number)
{
    return add(w, (struct filter_term){.field = field, .is = is, .number = number});
}

bool
where_add_text(struct where *w, enum filter_field field, enum filter_operator is, const char *text)
{
    struct filter_term term = {.field = field, .is = is};
    return keep(w, text, strlen(text), &term.text) && add(w, term);
}

/* "dead,cancelled"; with != all others. */
static bool
read_states(struct where *w, struct filter_term *term, const char *value)
{
    uint32_t bits = 0;
    char one[16];
    for (size_t size; *value; value += size + (value[size] == ',')) {
        enum stint_state state;
        size = strcspn(value, ",");
        (void)snprintf(one, sizeof one, "%.*s", (int)(size < 15 ? size : 15), value);
        if (size >= sizeof one || stint_state_parse(one, &state) != STINT_OK)
            return wrong(w,
                "there is no state %.*s: write ready, scheduled, blocked, running, succeeded, "
                "dead, cancelled, expired",
                (int)(size < 60 ? size : 60), value);
        bits |= STINT_STATE_BIT(state);
    }
    term->number = term->is == FILTER_IS_NOT ? STINT_STATES_ALL & ~bits : bits;
    term->is = FILTER_IS;
    return bits != 0 || wrong(w, "state: which one?");
}

static bool
read_number(struct where *w, const struct word *word, struct filter_term *term, const char *value)
{
    const char *rest;
    if (word->unit == UNIT_TIME)
        return units_read_duration(value, &term->number) ||
            wrong(w, "%s: %.60s is no time: write 90s, 10m, 24h or 30d", word->name, value);
    if (word->unit == UNIT_SIZE)
        return units_read_size(value, &term->number) ||
            wrong(w, "%s: %.60s is no size: write 4096, 64K or 8M", word->name, value);
    if (word->unit == UNIT_BATCH)
        return stint_batch_parse(value, &term->number) == STINT_OK ||
            wrong(w, "%s: %.60s is no batch: write its 16 digits, at most 1fffffffffffffff",
                word->name, value);
    return (units_read_number(value, &term->number, &rest) && *rest == '\0') ||
        wrong(w, "%s: %.60s is no number", word->name, value);
}

/* "mail.*" means those that begin so; a name has no star in it. */
static bool
read_text(struct where *w, const struct word *word, struct filter_term *term, const char *value)
{
    size_t size = strlen(value);
    bool begins = size > 0 && value[size - 1] == '*' && word->field != FILTER_ERROR &&
        term->is != FILTER_CONTAINS;
    if (begins) {
        size--;
        term->is = term->is == FILTER_IS ? FILTER_BEGINS : FILTER_BEGINS_NOT;
    }
    if (word->unit == UNIT_NAME && term->is != FILTER_CONTAINS && (size > 0 || !begins) &&
        !name_is_valid((struct slice){(const uint8_t *)value, size}))
        return wrong(w, "%s: %.70s is no name of one", word->name, value);
    if (!text_is_utf8((struct slice){(const uint8_t *)value, size}))
        return wrong(w, "%s: the text is not UTF-8", word->name);
    return keep(w, value, size, &term->text);
}

static bool
read_value(struct where *w, const struct word *word, struct filter_term term, const char *value)
{
    struct stint_id id;
    bool good;
    if (word->field == FILTER_STATE && (term.is == FILTER_IS || term.is == FILTER_IS_NOT))
        good = read_states(w, &term, value);
    else if (!filter_knows(word->field, term.is))
        good = wrong(w, "%s can't be compared so", word->name);
    else if (word->field == FILTER_ID)
        good = stint_id_parse(value, &id) == STINT_OK
            ? keep(w, id.bytes, STINT_ID_BYTES, &term.text)
            : wrong(w, "%.60s is no id of a job", value);
    else if (filter_type_of(word->field) == FILTER_TYPE_NUMBER)
        good = read_number(w, word, &term, value);
    else
        good = read_text(w, word, &term, value);
    return good && add(w, term);
}

static const struct word *
find_word(const char *text, size_t size)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].name) == size && memcmp(words[i].name, text, size) == 0)
            return &words[i];
    return NULL;
}

/* The value that begins there, without its quotes; `*text` goes on behind it. */
static bool
take_value(struct where *w, const char **text, char value[FILTER_BYTES_MAX])
{
    const char *at = *text;
    char quote = *at == '"' || *at == '\'' ? *at++ : '\0';
    size_t used = 0;
    for (; *at && (quote ? *at != quote : !is_blank(*at)); at++) {
        if (quote == '"' && *at == '\\' && at[1])
            at++;
        if (used + 1 == FILTER_BYTES_MAX)
            return wrong(w, "the filter is too long");
        value[used++] = *at;
    }
    value[used] = '\0';
    if (quote && *at != quote)
        return wrong(w, "a quote is not closed");
    at += quote != '\0';
    if (*at && !is_blank(*at))
        return wrong(w, "a blank is missing behind the quoted %.60s", value);
    *text = at;
    return true;
}

static bool
read_term(struct where *w, const char **text)
{
    char value[FILTER_BYTES_MAX];
    const char *at = *text;
    size_t size = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"), i = 0;
    const struct word *word = find_word(at, size);
    if (!word)
        return wrong(w,
            "there is no field %.*s: write id, queue, state, kind, priority, attempts, failures, "
            "error, worker, unique, batch, group, needs, age, due, settled or bytes",
            (int)(size ? (size < 40 ? size : 40) : 1), at);
    for (at += size; is_blank(*at); at++)
        ;
    enum { OPERATORS = sizeof operators / sizeof *operators };
    while (i < OPERATORS && strncmp(at, operators[i].sign, strlen(operators[i].sign)) != 0)
        i++;
    if (i == OPERATORS)
        return wrong(w, "%s: an operator is missing: write = != ~ < <= > or >=", word->name);
    for (at += strlen(operators[i].sign); is_blank(*at); at++)
        ;
    if (!*at)
        return wrong(w, "%s: a value is missing", word->name);
    *text = at;
    return take_value(w, text, value) &&
        read_value(
            w, word, (struct filter_term){.field = word->field, .is = operators[i].is}, value);
}

bool
where_read(struct where *w, const char *text)
{
    for (; is_blank(*text); text++)
        ;
    while (*text) {
        if (!read_term(w, &text))
            return false;
        for (; is_blank(*text); text++)
            ;
    }
    return true;
}

/* ---- the other way ---- */

struct writing {
    char *text;
    size_t size, used;
};

static bool __attribute__((format(printf, 2, 3))) put(struct writing *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = w->size - w->used;
    int n = vsnprintf(w->text + w->used, room, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room)
        return false;
    w->used += (size_t)n;
    return true;
}

static bool
put_states(struct writing *w, uint64_t bits)
{
    bool good = true, first = true;
    for (unsigned s = 1; s < STINT_STATES; s++)
        if (bits >> s & 1) {
            good &= put(w, "%s%s", first ? "" : ",", stint_state_name((enum stint_state)s));
            first = false;
        }
    return good;
}

static bool
put_text(struct writing *w, const struct filter_term *t)
{
    const char *star = t->is == FILTER_BEGINS || t->is == FILTER_BEGINS_NOT ? "*" : "";
    bool plain = t->text.size > 0, good = true;
    for (size_t i = 0; i < t->text.size; i++) {
        char c = (char)t->text.data[i];
        plain &= !is_blank(c) && c != '"' && c != '\'' && c != '\\';
    }
    if (plain)
        return put(w, "%.*s%s", (int)t->text.size, (const char *)t->text.data, star);
    good &= put(w, "\"");
    for (size_t i = 0; i < t->text.size && good; i++) {
        char c = (char)t->text.data[i];
        good &= put(w, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    return good && put(w, "%s\"", star);
}

static bool
put_value(struct writing *w, const struct word *word, const struct filter_term *t)
{
    char text[UNITS_TEXT_BYTES], id[STINT_ID_TEXT_BYTES], batch[STINT_BATCH_TEXT_BYTES];
    struct stint_id job;
    if (word->unit == UNIT_STATES)
        return put_states(w, t->number);
    if (word->unit == UNIT_TIME)
        return put(w, "%s", units_write_duration(t->number, text));
    if (word->unit == UNIT_SIZE)
        return put(w, "%s", units_write_size(t->number, text));
    if (word->field == FILTER_ID) {
        memcpy(job.bytes, t->text.data, STINT_ID_BYTES);
        return put(w, "%s", stint_id_format(&job, id));
    }
    if (word->unit == UNIT_BATCH)
        return put(w, "%s", stint_batch_format(t->number, batch));
    if (filter_type_of(word->field) == FILTER_TYPE_NUMBER)
        return put(w, "%llu", (unsigned long long)t->number);
    return put_text(w, t);
}

static const char *
sign_of(enum filter_operator is)
{
    if (is == FILTER_BEGINS || is == FILTER_BEGINS_NOT)
        is = is == FILTER_BEGINS ? FILTER_IS : FILTER_IS_NOT;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (operators[i].is == is)
            return operators[i].sign;
    return "?";
}

bool
where_write(struct slice bytes, char *text, size_t size)
{
    struct filter filter;
    const char *why;
    struct writing w = {.text = text, .size = size};
    bool good = filter_read(bytes, &filter, &why);
    text[0] = '\0';
    for (uint32_t i = 0; i < filter.count && good; i++) {
        const struct filter_term *t = &filter.terms[i];
        const struct word *word = words;
        while (word < words + sizeof words / sizeof *words && word->field != t->field)
            word++;
        good = word < words + sizeof words / sizeof *words &&
            put(&w, "%s%s%s", i ? " " : "", word->name, sign_of(t->is)) && put_value(&w, word, t);
    }
    return good;
}
