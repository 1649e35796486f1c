/* Numbers for tests that try many things: the same ones for the same seed, on every machine. */
#ifndef DICE_H
#define DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

/* splitmix64 */
static inline uint64_t
dice_next(struct dice *dice)
{
    uint64_t x = dice->state += 0x9e3779b97f4a7c15U;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
    x = (x ^ x >> 27) * 0x94d049bb133111ebU;
    return x ^ x >> 31;
}

/* One of 0 to `sides` - 1. */
static inline unsigned
dice_roll(struct dice *dice, unsigned sides)
{
    return (unsigned)(dice_next(dice) % sides);
}

/* True once in so many times. */
static inline bool
dice_once_in(struct dice *dice, unsigned times)
{
    return dice_roll(dice, times) == 0;
}

#endif
