/* A shell's quotes, as far as they decide what a value in the text becomes; the contract is in
 * quoting.h. Here-documents are not known: a place in one is quoted as if it stood in a command.
 */
#include "quoting.h"

#include <string.h>

enum { ARITHMETIC = 'a', INNER = 'i' /* a parenthesis in it */, COMMENT = '#' };
enum { CASE = 'c' }; /* up to its esac: a parenthesis ends a pattern and closes nothing */

static char
innermost(const struct quoting *q)
{
    return q->depth > 0 ? q->open[q->depth - 1] : '\0';
}

void
quoting_pass_value(struct quoting *q)
{
    q->in_word = true;
    q->word_size = QUOTING_WORD;
}

static void
push(struct quoting *q, char what)
{
    if (q->depth < QUOTING_DEPTH)
        q->open[q->depth++] = what;
    q->in_word = false;
}

static void
pop(struct quoting *q)
{
    q->depth -= q->depth > 0;
    quoting_pass_value(q);
}

/* A character of a word that stands there as it is. */
static void
add_to_word(struct quoting *q, char c)
{
    if (!q->in_word)
        q->word_size = 0;
    if (q->word_size < QUOTING_WORD)
        q->word[q->word_size++] = c;
    q->in_word = true;
}

static bool
word_is(const struct quoting *q, const char *text)
{
    return q->word_size == strlen(text) && memcmp(q->word, text, q->word_size) == 0;
}

/* Behind these a command begins. */
static bool
leads_to_command(const struct quoting *q)
{
    static const char *const words[] = {
        "if", "then", "elif", "else", "while", "until", "do", "{", "!", "time"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (word_is(q, words[i]))
            return true;
    return false;
}

/* What comes next is no part of the word before it, if there is one. */
static void
end_word(struct quoting *q)
{
    if (!q->in_word)
        return;
    bool command = !q->argument;
    q->argument = true;
    if (command && word_is(q, "case"))
        push(q, CASE);
    else if (innermost(q) == CASE && command && word_is(q, "esac"))
        pop(q);
    else if (innermost(q) == CASE && word_is(q, "in"))
        q->argument = false; /* a pattern, or esac */
    else if (command)
        q->argument = !leads_to_command(q);
    q->in_word = false;
    q->word_size = QUOTING_WORD;
}

/* The first one opens, the next one closes, with all that was left open between. */
static void
pass_backtick(struct quoting *q)
{
    char *begin = memrchr(q->open, '`', q->depth);
    if (begin) {
        q->depth = (size_t)(begin - q->open);
        quoting_pass_value(q);
    } else {
        push(q, '`');
        q->argument = false;
    }
}

/* Returns how many characters it was. */
static size_t
pass_parentheses(struct quoting *q, const char *at, size_t left)
{
    if (*at == ')' && (innermost(q) == '(' || innermost(q) == CASE))
        end_word(q);
    char in = innermost(q);
    bool two = left > 1 && at[1] == at[0];
    if (*at == '(' && q->last == '$' && two) {
        push(q, ARITHMETIC);
        return 2;
    }
    if (*at == '(' && (in == ARITHMETIC || in == INNER))
        push(q, INNER);
    else if (*at == '(' && in == CASE && !q->argument && !q->in_word)
        return 1; /* of a pattern, or a subshell: what ends it closes nothing either */
    else if (*at == '(' && (in != '"' || q->last == '$')) {
        push(q, '(');
        q->argument = false;
    } else if (*at == ')' && in == ARITHMETIC && two) {
        pop(q);
        return 2;
    } else if (*at == ')' && (in == '(' || in == INNER))
        pop(q);
    else if (*at == ')' && in == CASE)
        q->argument = false;
    return 1;
}

static size_t
pass_one(struct quoting *q, const char *at, size_t left)
{
    char in = innermost(q), c = *at;
    bool quoted = in == '"' || in == ARITHMETIC || in == INNER;
    if (in == '\'' || in == COMMENT) {
        if (c == (in == COMMENT ? '\n' : '\''))
            pop(q);
        q->in_word = c == '\'';
        q->argument &= c != '\n' || in != COMMENT;
    } else if (c == '\\') {
        quoting_pass_value(q);
        return 2;
    } else if (c == '"') {
        if (in == '"')
            pop(q);
        else
            push(q, c);
    } else if (c == '\'' && !quoted)
        push(q, c);
    else if (c == '`')
        pass_backtick(q);
    else if (c == '(' || c == ')')
        return pass_parentheses(q, at, left);
    else if (c == '#' && !quoted && !q->in_word)
        push(q, COMMENT);
    else if (!quoted && !strchr(" \t\n;&|", c))
        add_to_word(q, c);
    else if (!quoted) {
        end_word(q);
        q->argument &= c == ' ' || c == '\t';
    }
    return 1;
}

void
quoting_pass(struct quoting *q, const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t n = pass_one(q, text + i, size - i);
        q->last = text[i] == '\\' && n == 2 ? '\0' : text[i];
        i += n;
    }
}

enum quote
quoting_here(const struct quoting *q)
{
    char in = innermost(q);
    bool doubled = in == '"' || in == ARITHMETIC || in == INNER;
    return in == '\'' ? QUOTE_SINGLE : doubled ? QUOTE_DOUBLE : QUOTE_NONE;
}
