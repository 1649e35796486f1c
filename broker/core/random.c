/* Random numbers that nobody can foresee, although some are told to peers: a token of PONG shows
 * that its reader has read, so it must not follow from another one, of this peer or of a friend in
 * the same batch. A mixer like splitmix64 can be run backwards. SipHash-2-4 can't, without its key:
 * it is made to stay secret whatever is seen of its results. Every batch brings fresh entropy,
 * which is stirred into the key and used for nothing else.
 */
#include "random.h"

static inline uint64_t
rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static void
rounds_of(uint64_t v[4], unsigned count)
{
    while (count-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

/* Of one word, eight bytes long. */
static uint64_t
siphash(const uint64_t key[2], uint64_t word)
{
    const uint64_t length = 8ULL << 56;
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575U, key[1] ^ 0x646f72616e646f6dU,
        key[0] ^ 0x6c7967656e657261U, key[1] ^ 0x7465646279746573U};
    v[3] ^= word;
    rounds_of(v, 2);
    v[0] ^= word;
    v[3] ^= length;
    rounds_of(v, 2);
    v[0] ^= length;
    v[2] ^= 0xff;
    rounds_of(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void
random_stir(struct core *core, uint64_t seed)
{
    core->random.key[core->random.count++ % 2] ^= seed;
}

uint64_t
random_draw(struct core *core)
{
    return siphash(core->random.key, core->random.count++);
}
