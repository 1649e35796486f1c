/* Needs of jobs; the contract is in needs.h. */
#include "needs.h"
#include "message.h"

#include <stdlib.h>

enum { AMOUNT_BYTES = 32 };

static const char units[] = "KMGT"; /* of 1024, its square, ... */

static bool
is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool
is_between(uint8_t c)
{
    return c == ' ' || c == ',';
}

/* Digits, maybe three more behind a point, maybe a unit: in thousandths. False: it is none. */
static bool
read_amount(struct slice text, uint64_t *amount)
{
    uint64_t whole = 0, part = 0, unit = 1;
    size_t at = 0;
    for (; at < text.size && is_digit(text.data[at]); at++) {
        whole = whole * 10 + text.data[at] - '0';
        if (whole > NEEDS_AMOUNT_MAX / NEEDS_ONE)
            return false;
    }
    if (at > 0 && at + 1 < text.size && text.data[at] == '.') {
        uint64_t digit = NEEDS_ONE;
        for (at++; at < text.size && is_digit(text.data[at]) && digit > 1; at++) {
            digit /= 10;
            part += digit * (text.data[at] - '0');
        }
        if (digit == NEEDS_ONE)
            return false;
    }
    if (at > 0 && at < text.size) {
        const char *found = memchr(units, text.data[at], sizeof units - 1);
        unit = found ? UINT64_C(1) << 10 * (found - units + 1) : 0;
        at++;
    }
    if (at == 0 || at < text.size || unit == 0 || whole > NEEDS_AMOUNT_MAX / NEEDS_ONE / unit)
        return false;
    *amount = whole * NEEDS_ONE * unit + part * unit;
    return *amount <= NEEDS_AMOUNT_MAX;
}

/* False: it is neither a label nor an amount. */
static bool
read_word(struct slice text, struct needs_word *word)
{
    const uint8_t *equals = text.size ? memchr(text.data, '=', text.size) : NULL;
    size_t name = equals ? (size_t)(equals - text.data) : text.size;
    *word = (struct needs_word){.name = text};
    if (!name_is_valid((struct slice){text.data, name}))
        return false;
    if (!equals)
        return true;
    struct slice value = {equals + 1, text.size - name - 1};
    word->is_amount = value.size > 0 && is_digit(value.data[0]);
    if (!word->is_amount)
        return name_is_valid(value);
    word->name.size = name;
    return read_amount(value, &word->amount);
}

static bool
next_text(struct slice *rest, struct slice *text)
{
    while (rest->size > 0 && is_between(rest->data[0]))
        *rest = (struct slice){rest->data + 1, rest->size - 1};
    text->data = rest->data;
    for (text->size = 0; text->size < rest->size && !is_between(rest->data[text->size]);)
        text->size++;
    *rest = (struct slice){rest->data + text->size, rest->size - text->size};
    return text->size > 0;
}

bool
needs_next(struct slice *rest, struct needs_word *word)
{
    struct slice text;
    return rest->size > 0 && next_text(rest, &text) && read_word(text, word);
}

static int
compare(const void *a, const void *b)
{
    const struct needs_word *x = a, *y = b;
    size_t shared = x->name.size < y->name.size ? x->name.size : y->name.size;
    int order = memcmp(x->name.data, y->name.data, shared);
    if (order == 0)
        order = (x->name.size > y->name.size) - (x->name.size < y->name.size);
    return order ? order : x->is_amount - y->is_amount;
}

/* "0.5", "2" or "4G". Returns how long it is. */
static size_t
write_amount(uint64_t amount, char text[AMOUNT_BYTES])
{
    uint64_t whole = amount / NEEDS_ONE;
    unsigned part = (unsigned)(amount % NEEDS_ONE), unit = 0;
    char digits[AMOUNT_BYTES];
    size_t size = 0, count = 0;
    while (part == 0 && whole > 0 && whole % 1024 == 0 && unit < sizeof units - 1) {
        whole /= 1024;
        unit++;
    }
    do
        digits[count++] = (char)('0' + whole % 10);
    while ((whole /= 10) > 0);
    while (count > 0)
        text[size++] = digits[--count];
    if (unit > 0)
        text[size++] = units[unit - 1];
    if (part > 0)
        text[size++] = '.';
    for (unsigned digit = NEEDS_ONE / 10; part > 0; part %= digit, digit /= 10)
        text[size++] = (char)('0' + part / digit);
    return size;
}

size_t
needs_add(char *to, size_t size, size_t used, const struct needs_word *word)
{
    char amount[AMOUNT_BYTES];
    size_t more = word->is_amount ? 1 + write_amount(word->amount, amount) : 0;
    if (used + (used > 0) + word->name.size + more >= size)
        return used;
    if (used > 0)
        to[used++] = ' ';
    memcpy(to + used, word->name.data, word->name.size);
    used += word->name.size;
    if (word->is_amount) {
        to[used] = '=';
        memcpy(to + used + 1, amount, more - 1);
    }
    to[used + more] = '\0';
    return used + more;
}

/* The words as they stand there. Returns what is wrong, or NULL. */
static const char *
read_words(enum needs_of of, struct slice text, struct needs_word words[LIMIT_HAS], uint32_t *count)
{
    const uint32_t most = of == NEEDS_OF_JOB ? LIMIT_NEEDS : LIMIT_HAS;
    struct slice one;
    *count = 0;
    while (next_text(&text, &one)) {
        if (*count == most)
            return of == NEEDS_OF_JOB ? "a job needs at most 16 labels and amounts"
                                      : "a worker has at most 32 labels and amounts";
        struct needs_word *word = &words[(*count)++];
        if (!read_word(one, word))
            return "a need is a label, such as gpu or zone=a, or an amount, such as cpus=2, "
                   "cpus=0.5 or mem=4G";
        if (of == NEEDS_OF_JOB && word->is_amount && word->amount == 0)
            return "an amount that is needed is more than 0";
    }
    return *count > 0 ? NULL : "there is no label and no amount in it";
}

const char *
needs_write(enum needs_of of, struct slice text, char *to, size_t *size)
{
    const size_t most = of == NEEDS_OF_JOB ? LIMIT_NEEDS_BYTES : LIMIT_HAS_BYTES;
    struct needs_word words[LIMIT_HAS];
    uint32_t count;
    const char *why = read_words(of, text, words, &count);
    if (why)
        return why;
    qsort(words, count, sizeof *words, compare);
    *size = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool again = i > 0 && compare(&words[i - 1], &words[i]) == 0;
        if (again && words[i - 1].amount != words[i].amount)
            return "the same amount is there twice, and not the same";
        size_t used = again ? *size : needs_add(to, most + 1, *size, &words[i]);
        if (!again && used == *size)
            return of == NEEDS_OF_JOB ? "what a job needs is at most 255 bytes"
                                      : "what a worker has is at most 511 bytes";
        *size = used;
    }
    return NULL;
}

bool
needs_are_canonical(struct slice text)
{
    char written[LIMIT_HAS_BYTES + 1];
    size_t size;
    return !needs_write(NEEDS_OF_JOB, text, written, &size) && size == text.size &&
        memcmp(written, text.data, size) == 0;
}
