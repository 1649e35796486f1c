/* splitmix64: numbers that look random, for jitter and for tests. Whoever sees one knows the next:
 * what must not be guessed is made by broker/core/random.c.
 */
#ifndef SPLITMIX_H
#define SPLITMIX_H

#include <stdint.h>

/* The number after `*state`, which may begin as anything. */
static inline uint64_t
splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15U;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

#endif
