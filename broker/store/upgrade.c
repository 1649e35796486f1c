/* From format to format; what they are is told in upgrade.h, and the rows as they are now in
 * rows.h. Here alone the old ones are known: a check, and words behind it.
 */
#include "upgrade.h"
#include "rows.h"

enum {
    OLD_FORMAT = 2,
    OLD_STATES = 7,
    OLD_WORDS_MAX = 1 + OLD_STATES,
    OLD_SESSION_WORDS = 3,
    OLD_LAST_QUEUE_BYTES = 12, /* check, and 32 bits */
    LEVELS_GREW = 9, /* the format since which a level has room for more states */
    OLD_COUNTS = 6,
    OLD_LEVEL_WORDS = 1 + OLD_STATES + OLD_COUNTS,
    KEY_BYTES_MAX = 32,
};

/* Where what is in an old row's key went into its check, and goes into the new one's. */
struct seeds {
    uint64_t old, new;
};

static struct seeds
level_seeds(const uint8_t *key)
{
    return (struct seeds){get_be(key, 8), get_be(key, 8)};
}

static struct seeds
transit_seeds(const uint8_t *key)
{
    return (struct seeds){get_be(key + 8, 8), row_seed(key)};
}

static struct seeds
session_seeds(const uint8_t *key)
{
    return (struct seeds){0, row_seed(key)};
}

/* A table whose rows change, and what is done to each. */
struct table {
    enum store_table table;
    size_t key_bytes;
    void (*upgrade)(
        struct store *store, const struct table *t, struct slice key, struct slice value);
    unsigned words; /* its rows were a check and so many words */
    struct seeds (*seeds)(const uint8_t *key);
};

static bool
read_old(struct slice value, uint64_t seed, uint64_t *words, unsigned count)
{
    if (value.size != 8 * (1 + (size_t)count) ||
        get_be(value.data, 8) != record_check(value.data + 8, value.size - 8, seed))
        return false;
    for (unsigned i = 0; i < count; i++)
        words[i] = get_be(value.data + 8 + 8 * (size_t)i, 8);
    return true;
}

static void
upgrade_words(struct store *store, const struct table *t, struct slice key, struct slice value)
{
    uint64_t words[OLD_WORDS_MAX] = {0};
    uint8_t row[ROW_HEAD_BYTES + 8 * OLD_WORDS_MAX];
    struct seeds seeds = t->seeds(key.data);
    if (read_old(value, seeds.old, words, t->words))
        store_put(store, t->table, key, row_words_write(row, seeds.new, words, t->words),
            (struct slice){0});
}

/* A queue's row was its name. */
static void
upgrade_queue(struct store *store, const struct table *t, struct slice key, struct slice value)
{
    uint8_t row[ROW_QUEUE_BYTES_MAX];
    struct row_queue queue = {.number = (uint32_t)get_be(key.data, QUEUE_KEY_BYTES), .name = value};
    if (name_is_valid(value))
        store_put(store, t->table, key, row_queue_write(row, &queue), (struct slice){0});
}

/* What was counted stood behind seven states. Rows that were not written since jobs are counted
 * have none of it. */
static void
upgrade_level(struct store *store, const struct table *t, struct slice key, struct slice value)
{
    uint64_t seed = get_be(key.data, 8), old[OLD_LEVEL_WORDS], words[LEVEL_WORDS] = {0};
    uint8_t row[ROW_LEVEL_BYTES_MAX];
    if (!row_words_read(value, seed, old, OLD_LEVEL_WORDS))
        return;
    memcpy(words, old, (1 + OLD_STATES) * sizeof *old);
    memcpy(words + LEVEL_TOTALS, old + 1 + OLD_STATES, OLD_COUNTS * sizeof *old);
    store_put(
        store, t->table, key, row_words_write(row, seed, words, LEVEL_WORDS), (struct slice){0});
}

static const struct table format_2[] = {
    {STORE_LEVELS, LEVEL_KEY_BYTES, upgrade_words, 1 + OLD_STATES, level_seeds},
    {STORE_TRANSIT, STINT_ID_BYTES, upgrade_words, TRANSIT_WORDS, transit_seeds},
    {STORE_SESSIONS, SESSION_BYTES, upgrade_words, OLD_SESSION_WORDS, session_seeds},
    {STORE_QUEUES, QUEUE_KEY_BYTES, upgrade_queue, 0, NULL},
};
static const struct table levels_of_8 = {STORE_LEVELS, LEVEL_KEY_BYTES, upgrade_level, 0, NULL};

static void
upgrade_table(struct store *store, const struct table *t)
{
    uint8_t at[KEY_BYTES_MAX + 1] = {0};
    struct slice key, value, from = {at, 1};
    while (store_seek(store, t->table, from, &key, &value) && key.size <= KEY_BYTES_MAX) {
        memcpy(at, key.data, key.size);
        at[key.size] = 0; /* the least key after this one */
        from.size = key.size + 1;
        key.data = at;
        if (key.size == t->key_bytes)
            t->upgrade(store, t, key, value);
    }
}

static void
put_meta(struct store *store, enum meta_row which, const uint64_t words[META_WORDS])
{
    uint8_t row[ROW_META_BYTES_MAX];
    store_put(store, STORE_META, meta_key(which), row_meta_write(row, words), (struct slice){0});
}

static void
upgrade_meta(struct store *store)
{
    uint64_t words[META_WORDS] = {0};
    struct slice value;
    for (enum meta_row which = META_EPOCH; which <= META_CLOCK; which++)
        if (store_get(store, STORE_META, meta_key(which), &value) &&
            read_old(value, 0, words, META_WORDS))
            put_meta(store, which, words);
    if (store_get(store, STORE_META, meta_key(META_LAST_QUEUE), &value) &&
        value.size == OLD_LAST_QUEUE_BYTES &&
        get_be(value.data, 8) == record_check(value.data + 8, 4, 0))
        put_meta(store, META_LAST_QUEUE, (uint64_t[META_WORDS]){get_be(value.data + 8, 4)});
}

enum stint_status
store_upgrade(struct store *store, unsigned *from)
{
    struct slice value;
    uint64_t words[META_WORDS] = {0};
    *from = DATA_FORMAT;
    if (store_get(store, STORE_META, meta_key(META_FORMAT), &value)) {
        if (!row_meta_read(value, words))
            return STINT_DAMAGED;
        *from = (unsigned)words[0];
        if (words[0] >= DATA_FORMAT)
            return words[0] > DATA_FORMAT ? STINT_VERSION_MISMATCH : STINT_OK;
    } else if (store_get(store, STORE_META, meta_key(META_EPOCH), &value)) {
        *from = OLD_FORMAT;
        for (size_t i = 0; i < sizeof format_2 / sizeof *format_2; i++)
            upgrade_table(store, &format_2[i]);
        upgrade_meta(store);
    }
    if (*from < LEVELS_GREW)
        upgrade_table(store, &levels_of_8);
    put_meta(store, META_FORMAT, (uint64_t[META_WORDS]){DATA_FORMAT});
    return STINT_OK;
}
