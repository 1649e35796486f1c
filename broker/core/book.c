/* The books; what they are is told in book.h. */
#include "book.h"
#include "rows.h"

#include <assert.h>
#include <limits.h>
#include <utlist.h>

enum {
    EXPECTED_A_QUEUE = 16, /* names in memory, for each queue that there may be */
};

void
book_init(struct book *book, struct store *store, uint16_t broker, uint32_t queues_max,
    uint32_t levels_max)
{
    *book = (struct book){.store = store, .broker = broker, .max = {queues_max, levels_max}};
}

static void
free_levels(struct queue *q)
{
    for (uint32_t i = 0; i < q->levels_count; i++) {
        free(q->levels[i]->scans);
        lanes_end(&q->levels[i]->lanes);
        free(q->levels[i]->groups.fresh.heap);
        free(q->levels[i]->groups.passed);
        free(q->levels[i]);
    }
    free(q->levels);
    q->levels = NULL;
    q->levels_count = q->levels_size = 0;
}

static void
free_queue(struct queue *q)
{
    free_levels(q);
    figures_destroy(&q->past.figures);
    posts_end(&q->servings.posts);
    wants_end(&q->servings.wants);
    free(q->servings.list);
    free(q->past.groups);
    free(q);
}

void
book_fini(struct book *book)
{
    struct block *b, *next_block;
    HASH_ITER (hh, book->blocks, b, next_block) {
        HASH_DEL(book->blocks, b);
        free(b);
    }
    struct queue *q, *next_queue;
    HASH_CLEAR(hh_number, book->by_number);
    HASH_ITER (hh, book->by_name, q, next_queue) {
        HASH_DEL(book->by_name, q);
        free_queue(q);
    }
    HASH_ITER (hh, book->expected.queues, q, next_queue) {
        HASH_DEL(book->expected.queues, q);
        free_queue(q);
    }
}

/* Grows an array of pointers so that index `count` fits. */
static void *
grown(void *array, uint32_t *size, uint32_t count)
{
    if (count < *size)
        return array;
    *size = *size ? 2 * *size : 8;
    array = realloc(array, *size * sizeof(void *));
    if (!array)
        abort();
    return array;
}

static struct queue *
new_queue(struct book *book, struct slice name)
{
    struct queue *q = calloc(1, sizeof *q);
    if (!q)
        abort();
    q->name_bytes = (uint8_t)name.size;
    memcpy(q->name, name.data, name.size);
    q->workers = pools_meet(book->pools, q, &q->servings.posts, name);
    return q;
}

static void
add_queue(struct book *book, struct queue *q, uint32_t number)
{
    q->number = book->last_number = number;
    book->queues++;
    book->changes++;
    HASH_ADD_KEYPTR(hh, book->by_name, q->name, LIMIT_NAME_BYTES, q);
    q->key = number;
    HASH_ADD(hh_number, book->by_number, key, sizeof q->key, q);
}

static struct level *
add_level(struct book *book, struct queue *q, uint8_t priority)
{
    struct level *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    l->queue = q;
    l->priority = priority;
    l->next = 1;
    q->levels = grown(q->levels, &q->levels_size, q->levels_count);
    uint32_t at = q->levels_count++;
    for (; at > 0 && queue_prefers(q, priority, q->levels[at - 1]->priority); at--)
        q->levels[at] = q->levels[at - 1];
    q->levels[at] = l;
    book->levels++;
    return l;
}

static void
mark_level(struct book *book, struct level *level)
{
    if (level->changed)
        return;
    level->changed = true;
    level->next_changed = book->changed.levels;
    book->changed.levels = level;
}

static struct queue *
find_queue(struct queue *table, struct slice name)
{
    struct queue *q;
    char padded[STINT_NAME_BYTES] = {0};
    if (name.size >= sizeof padded)
        return NULL;
    memcpy(padded, name.data, name.size);
    HASH_FIND(hh, table, padded, LIMIT_NAME_BYTES, q);
    return q;
}

struct queue *
book_queue(struct book *book, struct slice name)
{
    return find_queue(book->by_name, name);
}

struct queue *
book_queue_expected(struct book *book, struct slice name)
{
    return find_queue(book->expected.queues, name);
}

static void
store_queue(struct book *book, const struct queue *q)
{
    uint8_t key[QUEUE_KEY_BYTES], bytes[ROW_QUEUE_BYTES_MAX];
    const struct row_queue row = {.number = q->number,
        .name = {(const uint8_t *)q->name, q->name_bytes},
        .paused = q->set.paused,
        .closed = q->set.closed,
        .lifo = q->set.lifo,
        .low_first = q->set.low_first,
        .running = q->set.running,
        .rate = q->set.rate,
        .weight = q->set.weight,
        .backlog_max = q->set.backlog_max,
        .keep = q->set.keep,
        .time_to_run_ms = q->set.time_to_run_ms,
        .group_running = q->set.group_running,
        .group_weights = q->set.group_weights,
        .group_rate = q->set.group_rate};
    store_put(book->store, STORE_QUEUES, queue_key(key, q->number), row_queue_write(bytes, &row),
        (struct slice){0});
}

struct queue *
book_queue_make(struct book *book, struct slice name)
{
    struct queue *q = book_queue(book, name);
    if (q || book->queues >= book->max.queues || book->last_number == UINT32_MAX)
        return q;
    q = find_queue(book->expected.queues, name);
    if (q) {
        HASH_DEL(book->expected.queues, q);
        book->expected.count--;
    } else
        q = new_queue(book, name);
    add_queue(book, q, book->last_number + 1);
    store_queue(book, q);
    return q;
}

static void
turn_levels(struct queue *q)
{
    for (uint32_t i = 0; i < q->levels_count / 2; i++) {
        struct level *first = q->levels[i];
        q->levels[i] = q->levels[q->levels_count - 1 - i];
        q->levels[q->levels_count - 1 - i] = first;
    }
}

/* Its bucket begins empty. */
static void
set_rate(struct book *book, struct queue *q, uint64_t rate)
{
    if (q->set.rate)
        LL_DELETE2(book->rated, q, past.next_rated);
    if (rate)
        LL_PREPEND2(book->rated, q, past.next_rated);
    q->past.bucket = (struct bucket){.begun = false};
}

static void
set_weight(struct book *book, const struct queue *q, uint32_t weight)
{
    book->weights.queues += weight != 0;
    book->weights.queues -= q->set.weight != 0;
    book->weights.changes += weight != q->set.weight;
}

/* A queue that comes to a pool has none yet. */
bool
book_is_weighted(const struct book *book, struct pool *pool)
{
    if (pool->weighed == book->weights.changes)
        return pool->weighted;
    pool->weighted = false;
    for (const struct post *p = pool->posts; p && !pool->weighted; p = p->next_all)
        pool->weighted = p->queue->set.weight != 0;
    pool->weighed = book->weights.changes;
    return pool->weighted;
}

void
book_queue_set(struct book *book, struct queue *q, struct queue_settings set)
{
    assert(q->number != 0);
    if (set.low_first != q->set.low_first)
        turn_levels(q);
    if (set.rate != q->set.rate)
        set_rate(book, q, set.rate);
    set_weight(book, q, set.weight);
    q->set = set;
    posts_wake(&q->servings.posts);
    store_queue(book, q);
}

static void
expect(struct book *book, struct queue *q)
{
    HASH_ADD_KEYPTR(hh, book->expected.queues, q->name, LIMIT_NAME_BYTES, q);
    book->expected.count++;
    q->key = ++book->expected.ever;
}

struct queue *
book_queue_expect(struct book *book, struct slice name)
{
    struct queue *q = book_queue(book, name);
    if (!q)
        q = find_queue(book->expected.queues, name);
    if (q || book->expected.count / EXPECTED_A_QUEUE >= book->max.queues)
        return q;
    q = new_queue(book, name);
    expect(book, q);
    return q;
}

/* The number given last has to be remembered when no queue has it any more. */
static void
store_last_number(struct book *book)
{
    uint8_t row[ROW_META_BYTES_MAX];
    const uint64_t words[META_WORDS] = {book->last_number};
    store_put(book->store, STORE_META, meta_key(META_LAST_QUEUE), row_meta_write(row, words),
        (struct slice){0});
}

static bool
load_last_number(struct book *book)
{
    struct slice row;
    uint64_t words[META_WORDS];
    if (!store_get(book->store, STORE_META, meta_key(META_LAST_QUEUE), &row))
        return true;
    if (!row_meta_read(row, words))
        return false;
    if (words[0] > book->last_number)
        book->last_number = (uint32_t)words[0];
    return true;
}

void
book_totals(const struct queue *q, uint64_t totals[STINT_COUNTS])
{
    memset(totals, 0, STINT_COUNTS * sizeof *totals);
    for (uint32_t l = 0; l < q->levels_count; l++)
        for (unsigned i = 0; i < STINT_COUNTS; i++)
            totals[i] += q->levels[l]->totals[i];
}

/* What was counted of a queue that goes stays counted of all. */
static void
keep_totals(struct book *book, struct queue *q)
{
    uint8_t row[ROW_TOTALS_BYTES_MAX];
    uint64_t totals[STINT_COUNTS];
    book_totals(q, totals);
    for (unsigned i = 0; i < STINT_COUNTS; i++)
        book->sums.gone[i] += totals[i];
    store_put(book->store, STORE_META, meta_key(META_GONE_TOTALS),
        row_totals_write(row, book->sums.gone), (struct slice){0});
    if (q->past.figures)
        book->sums.series -= q->past.figures->series_count;
    figures_destroy(&q->past.figures);
    q->past.slot = 0;
}

static bool
load_totals(struct book *book)
{
    struct slice row;
    if (store_get(book->store, STORE_META, meta_key(META_GONE_TOTALS), &row) &&
        !row_totals_read(row, book->sums.gone))
        return false;
    for (unsigned i = 0; i < STINT_COUNTS; i++)
        book->sums.totals[i] += book->sums.gone[i];
    return true;
}

bool
book_queue_remove(struct book *book, struct queue *q)
{
    bool used = queue_is_used(q);
    assert(q->backlog == 0 && q->apart == 0 && (q->number != 0 || !used));
    if (q->number == 0) {
        HASH_DEL(book->expected.queues, q);
        book->expected.count--;
        free_queue(q);
        return true;
    }
    for (uint32_t i = 0; i < q->levels_count; i++)
        if (q->levels[i]->changed)
            return false;
    keep_totals(book, q);
    set_rate(book, q, 0);
    set_weight(book, q, 0);
    uint8_t key[QUEUE_KEY_BYTES];
    for (uint32_t i = 0; i < q->levels_count; i++) {
        struct stint_id id = book_id(book, q->levels[i], 0);
        store_del(book->store, STORE_LEVELS, level_key(&id));
    }
    store_del(book->store, STORE_QUEUES, queue_key(key, q->number));
    if (q->number == book->last_number)
        store_last_number(book);
    HASH_DEL(book->by_name, q);
    HASH_DELETE(hh_number, book->by_number, q);
    if (book->recent_queue == q)
        book->recent_queue = NULL;
    book->queues--;
    book->changes++;
    book->levels -= q->levels_count;
    if (!used) {
        free_queue(q);
        return true;
    }
    free_levels(q);
    q->set = (struct queue_settings){0};
    q->number = 0;
    expect(book, q);
    return true;
}

struct queue *
book_queue_by_number(struct book *book, uint32_t number)
{
    struct queue *q = book->recent_queue;
    if (q && q->number == number)
        return q;
    uint64_t key = number;
    HASH_FIND(hh_number, book->by_number, &key, sizeof key, q);
    if (q)
        book->recent_queue = q;
    return q;
}

struct level *
book_level(struct book *book, struct queue *q, uint8_t priority, bool make)
{
    for (uint32_t i = 0; i < q->levels_count; i++)
        if (q->levels[i]->priority == priority)
            return q->levels[i];
    if (!make || book->levels >= book->max.levels)
        return NULL;
    struct level *l = add_level(book, q, priority);
    mark_level(book, l);
    return l;
}

struct level *
book_level_of(struct book *book, const struct stint_id *id)
{
    struct queue *q = book_queue_by_number(book, id_queue(id));
    if (!q || id_broker(id) != book->broker || id->bytes[7] != 0)
        return NULL;
    struct level *l = book_level(book, q, id_priority(id), false);
    return l && id_sequence(id) >= 1 && id_sequence(id) < l->next ? l : NULL;
}

struct stint_id
book_id(const struct book *book, const struct level *level, uint64_t sequence)
{
    return id_make(book->broker, level->queue->number, level->priority, sequence);
}

static bool
waits(enum stint_state state)
{
    return state == STINT_READY || state == STINT_SCHEDULED || state == STINT_BLOCKED;
}

void
book_count(struct book *book, struct level *level, enum stint_state from, enum stint_state to)
{
    struct queue *q = level->queue;
    if (from != STINT_UNKNOWN) {
        level->jobs[from]--;
        book->jobs[from]--;
    }
    if (to == STINT_READY) {
        level->lost = false;
        posts_wake(&q->servings.posts);
    }
    if (from == STINT_RUNNING && q->set.running) /* it may hand out another one */
        posts_wake(&q->servings.posts);
    if (to != STINT_UNKNOWN) {
        level->jobs[to]++;
        book->jobs[to]++;
    }
    q->ready += (uint64_t)(to == STINT_READY) - (uint64_t)(from == STINT_READY);
    q->backlog += (uint64_t)waits(to) - (uint64_t)waits(from);
    mark_level(book, level);
}

/* Do all bytes but the last agree? */
static bool
in_block(const struct block *b, const struct stint_id *id)
{
    const uint8_t *first = b->first.bytes;
    return get_be(first, 8) == get_be(id->bytes, 8) &&
        get_be(first + 7, 8) == get_be(id->bytes + 7, 8);
}

struct block *
book_block(struct book *book, const struct stint_id *id)
{
    if (book->recent && in_block(book->recent, id))
        return book->recent;
    struct block *b;
    struct stint_id first = *id;
    first.bytes[STINT_ID_BYTES - 1] = 0;
    HASH_FIND(hh, book->blocks, first.bytes, STINT_ID_BYTES, b);
    if (b)
        book->recent = b;
    return b;
}

static struct block *
add_block(struct book *book, const struct stint_id *id)
{
    struct block *b = calloc(1, sizeof *b);
    if (!b)
        abort();
    b->first = *id;
    b->first.bytes[STINT_ID_BYTES - 1] = 0;
    HASH_ADD(hh, book->blocks, first, STINT_ID_BYTES, b);
    book->recent = b;
    return b;
}

static void
mark_block(struct book *book, struct block *b)
{
    if (b->changed)
        return;
    b->changed = true;
    b->next_changed = book->changed.blocks;
    book->changed.blocks = b;
}

static bool
test_bit(const struct block *b, unsigned bit)
{
    return (b->bits[bit / 64] >> bit % 64 & 1) != 0;
}

bool
book_is_running(struct book *book, const struct stint_id *id)
{
    const struct block *b = book_block(book, id);
    return b && test_bit(b, block_bit(id));
}

void
book_set_running(struct book *book, const struct stint_id *id)
{
    struct block *b = book_block(book, id);
    if (!b)
        b = add_block(book, id);
    b->bits[block_bit(id) / 64] |= 1ULL << block_bit(id) % 64;
    b->count++;
    mark_block(book, b);
}

void
book_clear_running(struct book *book, const struct stint_id *id)
{
    struct block *b = book_block(book, id);
    assert(b);
    b->bits[block_bit(id) / 64] &= ~(1ULL << block_bit(id) % 64);
    b->count--;
    mark_block(book, b);
}

void
book_set_apart(struct book *book, struct level *level, const struct stint_id *id)
{
    struct block *b = book_block(book, id);
    if (!b)
        b = add_block(book, id);
    b->apart[block_bit(id) / 64] |= 1ULL << block_bit(id) % 64;
    b->apart_count++;
    level->apart++;
    level->queue->apart++;
}

void
book_clear_apart(struct book *book, struct level *level, const struct stint_id *id)
{
    struct block *b = book_block(book, id);
    assert(b && b->apart_count > 0);
    b->apart[block_bit(id) / 64] &= ~(1ULL << block_bit(id) % 64);
    b->apart_count--;
    level->apart--;
    level->queue->apart--;
    mark_block(book, b); /* it may be of no use now */
}

void
book_each_running(
    struct book *book, void (*each)(void *context, const struct stint_id *id), void *context)
{
    struct block *b, *next;
    HASH_ITER (hh, book->blocks, b, next) {
        for (unsigned bit = 0; bit < BLOCK_JOBS; bit++)
            if (test_bit(b, bit)) {
                struct stint_id id = b->first;
                id.bytes[STINT_ID_BYTES - 1] = (uint8_t)bit;
                each(context, &id);
            }
    }
}

static void
flush_level(struct book *book, struct level *l)
{
    uint8_t bytes[ROW_LEVEL_BYTES_MAX];
    struct row_level row = {.level = book_id(book, l, 0), .next = l->next};
    memcpy(row.jobs, l->jobs, sizeof row.jobs);
    memcpy(row.totals, l->totals, sizeof row.totals);
    store_put(book->store, STORE_LEVELS, level_key(&row.level), row_level_write(bytes, &row),
        (struct slice){0});
    l->changed = false;
}

static void
flush_block(struct book *book, struct block *b)
{
    struct slice key = {b->first.bytes, STINT_ID_BYTES};
    b->changed = false;
    if (b->count == 0)
        store_del(book->store, STORE_TRANSIT, key);
    if (b->count == 0 && b->apart_count > 0)
        return;
    if (b->count == 0) {
        if (book->recent == b)
            book->recent = NULL;
        HASH_DEL(book->blocks, b); /* NOLINT: it is in the table */
        free(b);
        return;
    }
    uint8_t bytes[ROW_TRANSIT_BYTES_MAX];
    struct row_transit row = {.first = b->first};
    memcpy(row.bits, b->bits, sizeof row.bits);
    store_put(book->store, STORE_TRANSIT, key, row_transit_write(bytes, &row), (struct slice){0});
}

void
book_flush(struct book *book)
{
    for (struct level *l = book->changed.levels; l; l = l->next_changed)
        flush_level(book, l);
    book->changed.levels = NULL;
    struct block *next;
    for (struct block *b = book->changed.blocks; b; b = next) {
        next = b->next_changed;
        flush_block(book, b);
    }
    book->changed.blocks = NULL;
}

/* Calls `row` for each row of a table; stops when it says false, or the keys go backwards. */
static bool
each_row(struct book *book, enum store_table table,
    bool (*row)(struct book *book, struct slice key, struct slice value))
{
    uint8_t from[32] = {0};
    struct slice key, value, at = {from, 1};
    while (store_seek(book->store, table, at, &key, &value)) {
        if (key.size >= sizeof from || store_key_before(key, at) || !row(book, key, value))
            return false;
        memcpy(from, key.data, key.size); /* the smallest key behind this one: one zero more */
        from[key.size] = 0;
        at.size = key.size + 1;
    }
    return true;
}

static bool
load_queue(struct book *book, struct slice key, struct slice value)
{
    struct row_queue row;
    if (!row_queue_read(key, value, &row) || row.number <= book->last_number ||
        book_queue(book, row.name))
        return false;
    struct queue *q = new_queue(book, row.name);
    set_rate(book, q, row.rate);
    set_weight(book, q, row.weight);
    q->set = (struct queue_settings){row.paused, row.closed, row.lifo, row.low_first, row.running,
        row.rate, row.weight, row.backlog_max, row.keep, row.time_to_run_ms, row.group_running,
        row.group_weights, row.group_rate};
    add_queue(book, q, row.number);
    return true;
}

static bool
load_level(struct book *book, struct slice key, struct slice value)
{
    struct row_level row;
    if (!row_level_read(key, value, &row) || id_broker(&row.level) != book->broker)
        return false;
    struct queue *q = book_queue_by_number(book, id_queue(&row.level));
    if (!q)
        return false;
    struct level *l = add_level(book, q, id_priority(&row.level));
    l->next = row.next;
    for (unsigned i = 0; i < STINT_STATES; i++) {
        l->jobs[i] = row.jobs[i];
        book->jobs[i] += l->jobs[i];
    }
    for (unsigned i = 0; i < STINT_COUNTS; i++)
        book->sums.totals[i] += l->totals[i] = row.totals[i];
    q->ready += l->jobs[STINT_READY];
    q->backlog += l->jobs[STINT_READY] + l->jobs[STINT_SCHEDULED] + l->jobs[STINT_BLOCKED];
    return true;
}

static bool
load_block(struct book *book, struct slice key, struct slice value)
{
    struct row_transit row;
    if (!row_transit_read(key, value, &row))
        return false;
    struct block *b = add_block(book, &row.first);
    memcpy(b->bits, row.bits, sizeof row.bits);
    for (unsigned bit = 0; bit < BLOCK_JOBS; bit++)
        b->count += test_bit(b, bit);
    return true;
}

enum stint_status
book_load(struct book *book)
{
    if (!each_row(book, STORE_QUEUES, load_queue) || !load_last_number(book) ||
        !load_totals(book) || !each_row(book, STORE_LEVELS, load_level) ||
        !each_row(book, STORE_TRANSIT, load_block))
        return STINT_DAMAGED;
    return STINT_OK;
}
