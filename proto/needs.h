/* What a job needs of a worker, and what a worker has: words. A word is a label, `gpu` or `zone=a`,
 * or an amount, `cpus=2` or `mem=4G`; an amount begins with a digit behind the `=`, and nothing
 * else does. People write them in any order, with spaces or commas between them. There is one
 * canonical text for the same words: in the order of their names, each once, a space between them,
 * and each amount in the largest unit that leaves it whole. So two jobs need the same if their
 * texts are the same.
 */
#ifndef NEEDS_H
#define NEEDS_H

#include "limit.h"
#include "pack.h"

/* Amounts are counted in thousandths, so that half a core is one. */
enum { NEEDS_ONE = 1000 };
#define NEEDS_AMOUNT_MAX ((UINT64_C(1) << 50) * NEEDS_ONE)

enum needs_of {
    NEEDS_OF_JOB, /* at most LIMIT_NEEDS words and LIMIT_NEEDS_BYTES; an amount is more than 0 */
    NEEDS_OF_WORKER /* LIMIT_HAS and LIMIT_HAS_BYTES; an amount may be 0 */
};

struct needs_word {
    struct slice name; /* of a label all of it, of an amount what stands before the `=` */
    uint64_t amount;
    bool is_amount;
};

/* The next word of a text that is canonical, or was found good; false: there is none. */
bool needs_next(struct slice *rest, struct needs_word *word);

/* Write the canonical text of `text`, of `*size` bytes and with a zero behind it; `to` has room for
 * LIMIT_HAS_BYTES + 1. Returns NULL, or a constant sentence that says what is wrong. */
const char *needs_write(enum needs_of of, struct slice text, char *to, size_t *size);

/* Is it such a text of a job? */
bool needs_are_canonical(struct slice text);

/* Add one word to a text of `used` bytes, which has room for `size`; what does not fit is left
 * out. Returns how many bytes there are. */
size_t needs_add(char *to, size_t size, size_t used, const struct needs_word *word);

#endif
