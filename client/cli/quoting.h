/* Where in a shell's text we stand, so that a value can be put there as one word. */
#ifndef QUOTING_H
#define QUOTING_H

#include <stdbool.h>
#include <stddef.h>

enum quote {
    QUOTE_NONE,
    QUOTE_SINGLE, /* '...' */
    QUOTE_DOUBLE, /* "...", and arithmetic, which the shell reads likewise */
};

enum { QUOTING_DEPTH = 64, QUOTING_WORD = 8 };

/* Zeroed, it stands at the beginning of a text. */
struct quoting {
    char open[QUOTING_DEPTH]; /* what is open, the innermost last */
    size_t depth;
    bool in_word; /* where # begins no comment */
    char last; /* the character before, unless it was escaped */
    char word[QUOTING_WORD]; /* where in_word, as far as it may be one of the shell's own */
    size_t word_size; /* QUOTING_WORD: it is none */
    bool argument; /* no command begins here, so none of the shell's own words stands here */
};

/* Goes over this piece of the text. */
void quoting_pass(struct quoting *q, const char *text, size_t size);
/* A value stands here, in place of text. */
void quoting_pass_value(struct quoting *q);
enum quote quoting_here(const struct quoting *q);

#endif
