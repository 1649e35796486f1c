/* The inside of a job's id; the layout is told in stint_id.h. */
#ifndef ID_H
#define ID_H

#include "bytes.h"
#include "stint_id.h"

static inline struct stint_id
id_make(uint16_t broker, uint32_t queue, uint8_t priority, uint64_t sequence)
{
    struct stint_id id;
    put_be(id.bytes, broker, 2);
    put_be(id.bytes + 2, queue, 4);
    id.bytes[6] = (uint8_t)(255 - priority);
    id.bytes[7] = 0;
    put_be(id.bytes + 8, sequence, 8);
    return id;
}

static inline uint16_t
id_broker(const struct stint_id *id)
{
    return (uint16_t)get_be(id->bytes, 2);
}

static inline uint32_t
id_queue(const struct stint_id *id)
{
    return (uint32_t)get_be(id->bytes + 2, 4);
}

static inline uint8_t
id_priority(const struct stint_id *id)
{
    return (uint8_t)(255 - id->bytes[6]);
}

static inline uint64_t
id_sequence(const struct stint_id *id)
{
    return get_be(id->bytes + 8, 8);
}

static inline void
id_set_sequence(struct stint_id *id, uint64_t sequence)
{
    put_be(id->bytes + 8, sequence, 8);
}

/* The sequence number rises by `n`; the rest stays. */
static inline struct stint_id
id_plus(struct stint_id id, uint64_t n)
{
    id_set_sequence(&id, id_sequence(&id) + n);
    return id;
}

static inline int
id_compare(const struct stint_id *a, const struct stint_id *b)
{
    return memcmp(a->bytes, b->bytes, STINT_ID_BYTES);
}

/* Do both ids belong to the same queue and priority (of the same broker)? */
static inline int
id_same_level(const struct stint_id *a, const struct stint_id *b)
{
    return memcmp(a->bytes, b->bytes, 8) == 0;
}

#endif
