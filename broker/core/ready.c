/* The next ready job of a level; the contract is in ready.h. */
#include "ready.h"

#include <limits.h>
#include <stdlib.h>

enum {
    GLANCED = 64, /* rows that one who only asks looks at */
    GROUPED_PASSED = 4096, /* rows of groups' jobs that are passed over at a time */
};

struct scan *
book_scan(struct level *level, const struct kinds *kinds)
{
    for (uint32_t i = 0; i < level->scans_count; i++)
        if (level->scans[i].kinds == kinds)
            return &level->scans[i];
    if (level->scans_count == level->scans_size) {
        level->scans_size = level->scans_size ? 2 * level->scans_size : 4;
        level->scans = realloc(level->scans, level->scans_size * sizeof *level->scans);
        if (!level->scans)
            abort();
    }
    struct scan *scan = &level->scans[level->scans_count++];
    *scan = (struct scan){.kinds = kinds, .reach = level->reach};
    return scan;
}

bool
book_reach_is_open(const struct level *level, const struct reach *r)
{
    return level->queue->set.lifo ? r->tail > 0 || r->met < level->next : r->head < level->next;
}

bool
book_scan_is_open(const struct level *level, const struct scan *scan)
{
    return book_reach_is_open(level, &scan->reach);
}

bool
book_scan_is_past(const struct level *level, const struct scan *scan, uint64_t sequence)
{
    const struct reach *r = &scan->reach;
    return level->queue->set.lifo ? sequence < r->met && sequence >= r->tail : r->head > sequence;
}

void
book_end_scans(struct queue *q, const struct kinds *kinds)
{
    for (uint32_t l = 0; l < q->levels_count; l++) {
        struct level *level = q->levels[l];
        for (uint32_t i = 0; i < level->scans_count; i++)
            if (level->scans[i].kinds == kinds)
                level->scans[i--] = level->scans[--level->scans_count];
        if (level->lanes)
            lanes_end_scans(level->lanes, kinds);
    }
}

static bool
is_taken(const struct block *b, unsigned bit)
{
    return ((b->bits[bit / 64] | b->apart[bit / 64]) >> bit % 64 & 1) != 0;
}

/* The first sequence at or after `sequence` that is not known to be running or apart, as far as one
 * block tells. */
static uint64_t
skip_known(struct book *book, const struct level *level, uint64_t sequence)
{
    struct stint_id id = book_id(book, level, sequence);
    const struct block *b = book_block(book, &id);
    if (!b)
        return sequence;
    unsigned at = block_bit(&id), bit = at;
    while (bit < BLOCK_JOBS && is_taken(b, bit))
        bit++;
    return sequence - at + bit;
}

/* The last one at or before it, likewise; or the last of the block before. */
static uint64_t
skip_known_back(struct book *book, const struct level *level, uint64_t sequence)
{
    struct stint_id id = book_id(book, level, sequence);
    const struct block *b = book_block(book, &id);
    while (b && sequence > 0 && is_taken(b, sequence % BLOCK_JOBS)) {
        sequence--;
        if (sequence % BLOCK_JOBS == BLOCK_JOBS - 1)
            break;
    }
    return sequence;
}

/* The first ready job at or after `*head`, which is moved behind it; or, if there is none among the
 * next `most` rows that are looked at, behind those. Jobs of groups are passed over where `grouped`
 * says that there are some. */
static bool
search(struct book *book, struct level *level, uint64_t *head, unsigned most, bool grouped,
    struct stint_id *id, struct slice *bytes)
{
    if (grouped)
        level->groups.stopped = false;
    for (; most > 0; most--) {
        struct stint_id from = book_id(book, level, skip_known(book, level, *head));
        struct slice key;
        if (!store_seek(
                book->store, STORE_LIVE, (struct slice){from.bytes, STINT_ID_BYTES}, &key, bytes) ||
            key.size != STINT_ID_BYTES)
            return false;
        memcpy(id->bytes, key.data, STINT_ID_BYTES);
        if (!id_same_level(id, &from) || id_compare(id, &from) < 0)
            return false;
        *head = id_sequence(id);
        const struct block *b = book_block(book, id);
        bool taken = b && is_taken(b, block_bit(id));
        if (!taken && !(grouped && record_bytes_grouped(*bytes))) {
            ++*head;
            return true;
        }
        if (!taken)
            ++*head;
    }
    if (grouped)
        level->groups.stopped = true;
    return false;
}

/* The last ready job before the tail, which is moved to it. */
static bool
search_back(struct book *book, struct level *level, struct reach *reach, struct stint_id *id,
    struct slice *bytes)
{
    const bool grouped = level->groups.ready > 0;
    if (reach->met < level->next) /* those have come since */
        reach->tail = reach->met = level->next;
    level->groups.stopped = false;
    for (unsigned passed = 0; reach->tail > 0; passed++) {
        if (grouped && passed > GROUPED_PASSED) {
            level->groups.stopped = true;
            return false;
        }
        struct stint_id from = book_id(book, level, skip_known_back(book, level, reach->tail - 1));
        struct slice key;
        if (!store_seek_back(
                book->store, STORE_LIVE, (struct slice){from.bytes, STINT_ID_BYTES}, &key, bytes) ||
            key.size != STINT_ID_BYTES)
            return false;
        memcpy(id->bytes, key.data, STINT_ID_BYTES);
        if (!id_same_level(id, &from) || id_compare(id, &from) > 0)
            return false;
        reach->tail = id_sequence(id);
        const struct block *b = book_block(book, id);
        if ((!b || !is_taken(b, block_bit(id))) && !(grouped && record_bytes_grouped(*bytes)))
            return true;
    }
    return false;
}

bool
book_reach_ready(struct book *book, struct level *level, struct reach *reach, struct stint_id *id,
    struct slice *bytes)
{
    bool grouped = level->groups.ready > 0;
    return level->queue->set.lifo ? search_back(book, level, reach, id, bytes)
                                  : search(book, level, &reach->head,
                                        grouped ? GROUPED_PASSED : UINT_MAX, grouped, id, bytes);
}

bool
book_next_ready(struct book *book, struct level *level, struct stint_id *id, struct slice *bytes)
{
    if (level->jobs[STINT_READY] > level->apart &&
        book_reach_ready(book, level, &level->reach, id, bytes))
        return true;
    /* Those that are left are in lanes, if there are any. */
    level->lost =
        !level->lanes && level->jobs[STINT_READY] > level->apart && !book_has_stopped(level);
    return false;
}

bool
book_peek_ready(struct book *book, struct level *level, struct stint_id *id, struct slice *bytes)
{
    if (!book_next_ready(book, level, id, bytes))
        return false;
    reach_to(&level->reach, id_sequence(id));
    return true;
}

/* With lanes, the oldest job that is ready is the first that any of them may find. */
bool
book_glance_ready(struct book *book, struct level *level, struct stint_id *id, struct slice *bytes)
{
    uint64_t *head = level->groups.ready > 0 ? &level->groups.oldest : &level->reach.head;
    for (uint32_t i = 0; level->lanes && i < level->lanes->count; i++)
        if (level->lanes->list[i].reach.head < *head)
            head = &level->lanes->list[i].reach.head;
    if (!search(book, level, head, GLANCED, false, id, bytes))
        return false;
    *head = id_sequence(id);
    return true;
}

/* What all jobs were searched for needs no search for some of them. */
static void
catch_up(const struct reach *all, struct reach *reach)
{
    if (reach->head < all->head)
        reach->head = all->head;
    if (reach->met == all->met && reach->tail > all->tail)
        reach->tail = all->tail;
}

bool
book_scan_ready(struct book *book, struct level *level, struct scan *scan, struct stint_id *id,
    struct slice *bytes)
{
    catch_up(&level->reach, &scan->reach);
    if (level->jobs[STINT_READY] > level->apart && book_scan_is_open(level, scan) &&
        book_reach_ready(book, level, &scan->reach, id, bytes))
        return true;
    if (book_has_stopped(level))
        return false;
    /* What comes now stands behind it. */
    scan->reach = (struct reach){.head = level->next, .met = level->next};
    return false;
}
