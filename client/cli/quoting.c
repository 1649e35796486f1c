/* A shell's quotes, as far as they decide what a value in the text becomes; the contract is in
 * quoting.h. Here-documents are not known: a place in one is quoted as if it stood in a command.
 */
#include "quoting.h"

#include <string.h>

enum { ARITHMETIC = 'a', INNER = 'i' /* a parenthesis in it */, COMMENT = '#' };

static char
innermost(const struct quoting *q)
{
    return q->depth > 0 ? q->open[q->depth - 1] : '\0';
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
    q->in_word = true;
}

/* The first one opens, the next one closes, with all that was left open between. */
static void
pass_backtick(struct quoting *q)
{
    char *begin = memrchr(q->open, '`', q->depth);
    if (begin) {
        q->depth = (size_t)(begin - q->open);
        q->in_word = true;
    } else
        push(q, '`');
}

/* Returns how many characters it was. */
static size_t
pass_parentheses(struct quoting *q, const char *at, size_t left)
{
    char in = innermost(q);
    bool two = left > 1 && at[1] == at[0];
    if (*at == '(' && q->last == '$' && two) {
        push(q, ARITHMETIC);
        return 2;
    }
    if (*at == '(' && (in == ARITHMETIC || in == INNER))
        push(q, INNER);
    else if (*at == '(' && (in != '"' || q->last == '$'))
        push(q, '(');
    else if (*at == ')' && in == ARITHMETIC && two) {
        pop(q);
        return 2;
    } else if (*at == ')' && (in == '(' || in == INNER))
        pop(q);
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
    } else if (c == '\\') {
        q->in_word = true;
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
    else
        q->in_word = !strchr(" \t\n;&|", c);
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
