/* What time it is. Not for the core, which is told with each step; nor for what the simulator runs,
 * which asks wire.h.
 */
#ifndef NOW_H
#define NOW_H

#include <stdint.h>
#include <time.h>

/* Monotonic. */
static inline uint64_t
clock_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static inline uint64_t
clock_ms(void)
{
    return clock_us() / 1000;
}

/* Since 1970 UTC. */
static inline uint64_t
clock_wall_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

#endif
