/* Rows that are not read or written at every step; the layouts are told in rows.h. */
#include "rows.h"

#include <assert.h>

static const char *const meta_names[META_ROWS] = {[META_FORMAT] = "format",
    [META_EPOCH] = "epoch",
    [META_CLOCK] = "clock",
    [META_LAST_QUEUE] = "last queue",
    [META_IDENTITY] = "identity",
    [META_GONE_TOTALS] = "gone totals",
    [META_JOURNAL] = "journal"};

struct slice
meta_key(enum meta_row which)
{
    return (struct slice){(const uint8_t *)meta_names[which], strlen(meta_names[which])};
}

struct slice
row_meta_write(uint8_t buffer[ROW_META_BYTES_MAX], const uint64_t words[META_WORDS])
{
    return row_words_write(buffer, 0, words, META_WORDS);
}

bool
row_meta_read(struct slice value, uint64_t words[META_WORDS])
{
    return row_words_read(value, 0, words, META_WORDS);
}

struct slice
row_totals_write(uint8_t buffer[ROW_TOTALS_BYTES_MAX], const uint64_t totals[STINT_COUNTS])
{
    return row_words_write(buffer, META_GONE_TOTALS, totals, STINT_COUNTS);
}

bool
row_totals_read(struct slice value, uint64_t totals[STINT_COUNTS])
{
    return row_words_read(value, META_GONE_TOTALS, totals, STINT_COUNTS);
}

struct slice
row_journal_write(uint8_t buffer[ROW_JOURNAL_BYTES_MAX], const struct row_journal *row)
{
    const uint64_t words[JOURNAL_WORDS] = {row->format, row->index, row->term, row->check,
        row->segment, row->offset, row->bytes, row->segments, row->segment_bytes};
    return row_words_write(buffer, META_JOURNAL, words, JOURNAL_WORDS);
}

bool
row_journal_read(struct slice value, struct row_journal *row)
{
    uint64_t words[JOURNAL_WORDS];
    if (!row_words_read(value, META_JOURNAL, words, JOURNAL_WORDS))
        return false;
    *row = (struct row_journal){
        words[0], words[1], words[2], words[3], words[4], words[5], words[6], words[7], words[8]};
    return true;
}

struct slice
queue_key(uint8_t key[QUEUE_KEY_BYTES], uint32_t number)
{
    put_be(key, number, QUEUE_KEY_BYTES);
    return (struct slice){key, QUEUE_KEY_BYTES};
}

/* Returns how many bytes that is. */
static size_t
write_settings(uint8_t *at, const struct row_queue *row)
{
    const uint64_t words[QUEUE_SETTINGS_WORDS] = {row->paused, row->closed, row->lifo,
        row->low_first, row->running, row->rate, row->weight, row->backlog_max, row->keep,
        row->time_to_run_ms, row->group_running, row->group_weights, row->group_rate};
    uint64_t any = 0;
    for (unsigned i = 0; i < QUEUE_SETTINGS_WORDS; i++)
        any |= words[i];
    if (any == 0)
        return 0;
    at[0] = ROW_VERSION;
    at[1] = QUEUE_SETTINGS_WORDS;
    for (unsigned i = 0; i < QUEUE_SETTINGS_WORDS; i++)
        put_be(at + QUEUE_SETTINGS_HEAD_BYTES + 8 * (size_t)i, words[i], 8);
    return QUEUE_SETTINGS_HEAD_BYTES + 8 * (size_t)QUEUE_SETTINGS_WORDS;
}

/* As of a row of words: what is lacking is 0, and what is not known has to be. */
static bool
read_settings(struct slice settings, struct row_queue *row)
{
    static const uint64_t most[QUEUE_SETTINGS_WORDS] = {1, 1, 1, 1, LIMIT_QUEUE_RUNNING,
        LIMIT_QUEUE_RATE, LIMIT_QUEUE_WEIGHT, LIMIT_QUEUE_BACKLOG, LIMIT_TIME_MS + 1, LIMIT_TIME_MS,
        LIMIT_GROUP_RUNNING, LIMIT_GROUP_WEIGHTS, LIMIT_QUEUE_RATE};
    uint64_t words[QUEUE_SETTINGS_WORDS] = {0};
    bool good = true;
    if (settings.size > 0 &&
        (settings.size < QUEUE_SETTINGS_HEAD_BYTES || settings.data[0] != ROW_VERSION ||
            settings.size != QUEUE_SETTINGS_HEAD_BYTES + 8 * (size_t)settings.data[1]))
        return false;
    for (unsigned i = 0; settings.size > 0 && i < settings.data[1]; i++) {
        uint64_t word = get_be(settings.data + QUEUE_SETTINGS_HEAD_BYTES + 8 * (size_t)i, 8);
        if (i < QUEUE_SETTINGS_WORDS)
            words[i] = word;
        good &= word <= (i < QUEUE_SETTINGS_WORDS ? most[i] : 0);
    }
    row->paused = words[0] != 0;
    row->closed = words[1] != 0;
    row->lifo = words[2] != 0;
    row->low_first = words[3] != 0;
    row->running = (uint32_t)words[4];
    row->rate = words[5];
    row->weight = (uint32_t)words[6];
    row->backlog_max = (uint32_t)words[7];
    row->keep = words[8];
    row->time_to_run_ms = words[9];
    row->group_running = (uint32_t)words[10];
    row->group_weights = (uint32_t)words[11];
    row->group_rate = words[12];
    return good;
}

struct slice
row_queue_write(uint8_t buffer[ROW_QUEUE_BYTES_MAX], const struct row_queue *row)
{
    assert(row->name.size <= LIMIT_NAME_BYTES);
    size_t settings = write_settings(buffer + QUEUE_HEAD_BYTES + row->name.size, row);
    size_t size = QUEUE_HEAD_BYTES + row->name.size + settings;
    buffer[8] = ROW_VERSION;
    buffer[9] = (uint8_t)row->name.size;
    put_be(buffer + 10, settings, 2);
    memcpy(buffer + QUEUE_HEAD_BYTES, row->name.data, row->name.size);
    put_be(buffer, record_check(buffer + 8, size - 8, row->number), 8);
    return (struct slice){buffer, size};
}

bool
row_queue_read(struct slice key, struct slice value, struct row_queue *row)
{
    if (key.size != QUEUE_KEY_BYTES || value.size < QUEUE_HEAD_BYTES ||
        value.data[8] != ROW_VERSION)
        return false;
    row->number = (uint32_t)get_be(key.data, QUEUE_KEY_BYTES);
    row->name = (struct slice){value.data + QUEUE_HEAD_BYTES, value.data[9]};
    struct slice settings = {row->name.data + row->name.size, get_be(value.data + 10, 2)};
    return value.size == QUEUE_HEAD_BYTES + row->name.size + settings.size &&
        settings.size <= QUEUE_SETTINGS_MAX && name_is_valid(row->name) &&
        get_be(value.data, 8) == record_check(value.data + 8, value.size - 8, row->number) &&
        read_settings(settings, row);
}

struct slice
setting_key(uint8_t key[SETTING_KEY_BYTES_MAX], enum setting_of of, struct slice name)
{
    assert(name.size <= LIMIT_LABEL_BYTES);
    key[0] = (uint8_t)of;
    if (name.size)
        memcpy(key + 1, name.data, name.size);
    return (struct slice){key, 1 + name.size};
}

static uint64_t
setting_seed(struct slice key)
{
    return record_check(key.data, key.size, 0);
}

/* Slots are stored one higher, so that 0 says that none are set. */
struct slice
row_setting_write(uint8_t buffer[ROW_SETTING_BYTES_MAX], const struct row_setting *row)
{
    uint8_t key[SETTING_KEY_BYTES_MAX];
    uint64_t slots = row->slots == UINT32_MAX ? 0 : row->slots + UINT64_C(1);
    const uint64_t words[SETTING_WORDS] = {slots, row->paused};
    return row_words_write(
        buffer, setting_seed(setting_key(key, row->of, row->name)), words, SETTING_WORDS);
}

bool
row_setting_read(struct slice key, struct slice value, struct row_setting *row)
{
    uint64_t words[SETTING_WORDS];
    if (key.size < 1 || key.size > SETTING_KEY_BYTES_MAX ||
        !row_words_read(value, setting_seed(key), words, SETTING_WORDS) || words[0] > UINT32_MAX ||
        words[1] > 1)
        return false;
    *row = (struct row_setting){.of = (enum setting_of)key.data[0],
        .name = {key.data + 1, key.size - 1},
        .slots = words[0] ? (uint32_t)(words[0] - 1) : UINT32_MAX,
        .paused = words[1] != 0};
    return row->of == SETTING_OF_WORKER || (row->of == SETTING_OF_FLEET && row->name.size == 0);
}

struct slice
row_name_write(
    uint8_t buffer[ROW_NAME_BYTES_MAX], const struct stint_id *of, const struct stint_id *is)
{
    const uint64_t words[NAME_WORDS] = {get_be(is->bytes, 8), get_be(is->bytes + 8, 8)};
    return row_words_write(buffer, row_seed(of->bytes), words, NAME_WORDS);
}

bool
row_name_read(struct slice key, struct slice value, struct stint_id *is)
{
    uint64_t words[NAME_WORDS];
    if (key.size != STINT_ID_BYTES || !row_words_read(value, row_seed(key.data), words, NAME_WORDS))
        return false;
    put_be(is->bytes, words[0], 8);
    put_be(is->bytes + 8, words[1], 8);
    return true;
}

struct slice
bulk_key(uint8_t key[BULK_KEY_BYTES], uint64_t bulk)
{
    put_be(key, bulk, BULK_KEY_BYTES);
    return (struct slice){key, BULK_KEY_BYTES};
}

static void
put_text(uint8_t **at, struct slice text)
{
    if (text.size)
        memcpy(*at, text.data, text.size);
    *at += text.size;
}

struct slice
row_bulk_write(uint8_t buffer[ROW_BULK_BYTES_MAX], const struct row_bulk *row)
{
    uint64_t words[BULK_WORDS] = {row->action, row->state, row->dry, row->priority, row->began_ms,
        row->ended_ms, row->counted, row->done, row->refused, row->status, get_be(row->at.bytes, 8),
        get_be(row->at.bytes + 8, 8), row->examples_count, 0};
    uint8_t *at = buffer + ROW_HEAD_BYTES;
    assert(row->queue.size <= LIMIT_NAME_BYTES && row->key.size <= LIMIT_LABEL_BYTES &&
        row->filter.size <= FILTER_BYTES_MAX);
    for (unsigned i = 0; i < 2 * BULK_EXAMPLES; i++)
        words[BULK_WORDS - 2 * BULK_EXAMPLES + i] =
            get_be(row->examples[i / 2].bytes + 8 * (size_t)(i % 2), 8);
    put_be(buffer + 8,
        (uint64_t)ROW_VERSION << 56 | (uint64_t)BULK_WORDS << 48 | (uint64_t)row->queue.size << 40 |
            (uint64_t)row->key.size << 32 | (uint64_t)row->filter.size << 16,
        8);
    for (unsigned i = 0; i < BULK_WORDS; i++, at += 8)
        put_be(at, words[i], 8);
    put_text(&at, row->queue);
    put_text(&at, row->key);
    put_text(&at, row->filter);
    size_t size = (size_t)(at - buffer);
    put_be(buffer, record_check(buffer + 8, size - 8, row->bulk), 8);
    return (struct slice){buffer, size};
}

/* As of a row of words: what is lacking is 0, and what is not known has to be. */
static bool
read_bulk_words(struct slice value, uint64_t words[BULK_WORDS])
{
    bool good = true;
    for (unsigned i = 0; i < value.data[9]; i++) {
        uint64_t word = get_be(value.data + ROW_HEAD_BYTES + 8 * (size_t)i, 8);
        if (i < BULK_WORDS)
            words[i] = word;
        else
            good &= word == 0;
    }
    return good;
}

static bool
bulk_from_words(struct row_bulk *row, const uint64_t words[BULK_WORDS])
{
    row->action = (enum stint_bulk_action)words[0];
    row->state = (enum stint_bulk_state)words[1];
    row->dry = words[2] != 0;
    row->priority = (uint8_t)words[3];
    row->began_ms = words[4];
    row->ended_ms = words[5];
    row->counted = words[6];
    row->done = words[7];
    row->refused = words[8];
    row->status = (enum stint_status)words[9];
    put_be(row->at.bytes, words[10], 8);
    put_be(row->at.bytes + 8, words[11], 8);
    row->examples_count = (uint32_t)words[12];
    for (size_t i = 0; i < 2 * BULK_EXAMPLES; i++)
        put_be(
            row->examples[i / 2].bytes + 8 * (i % 2), words[BULK_WORDS - 2 * BULK_EXAMPLES + i], 8);
    return words[0] >= STINT_BULK_CANCEL && words[0] <= STINT_BULK_PRIORITY &&
        words[1] >= STINT_BULK_COUNTING && words[1] <= STINT_BULK_STOPPED && words[2] <= 1 &&
        words[3] <= UINT8_MAX && words[9] <= UINT16_MAX && words[12] <= BULK_EXAMPLES &&
        words[13] == 0;
}

bool
row_bulk_read(struct slice key, struct slice value, struct row_bulk *row)
{
    uint64_t words[BULK_WORDS] = {0};
    struct filter filter;
    const char *why;
    if (key.size != BULK_KEY_BYTES || value.size < ROW_HEAD_BYTES || value.data[8] != ROW_VERSION)
        return false;
    row->bulk = get_be(key.data, BULK_KEY_BYTES);
    size_t at = ROW_HEAD_BYTES + 8 * (size_t)value.data[9];
    row->queue.size = value.data[10];
    row->key.size = value.data[11];
    row->filter.size = get_be(value.data + 12, 2);
    if (value.size != at + row->queue.size + row->key.size + row->filter.size ||
        get_be(value.data, 8) != record_check(value.data + 8, value.size - 8, row->bulk))
        return false;
    row->queue.data = value.data + at;
    row->key.data = row->queue.data + row->queue.size;
    row->filter.data = row->key.data + row->key.size;
    return read_bulk_words(value, words) && bulk_from_words(row, words) &&
        row->key.size <= LIMIT_LABEL_BYTES && (row->queue.size == 0 || name_is_valid(row->queue)) &&
        (row->action != STINT_BULK_MOVE || row->queue.size > 0) &&
        filter_read(row->filter, &filter, &why);
}

/* ---- unique keys ---- */

struct slice
unique_key(uint8_t key[UNIQUE_KEY_BYTES_MAX], uint32_t queue, struct slice unique)
{
    assert(unique.size > 0 && unique.size <= LIMIT_UNIQUE_BYTES);
    put_be(key, queue, QUEUE_KEY_BYTES);
    memcpy(key + QUEUE_KEY_BYTES, unique.data, unique.size);
    return (struct slice){key, QUEUE_KEY_BYTES + unique.size};
}

static uint64_t
unique_seed(struct slice key)
{
    return record_check(key.data, key.size, 0);
}

struct slice
row_unique_write(uint8_t buffer[ROW_UNIQUE_BYTES_MAX], const struct row_unique *row)
{
    uint8_t bytes[UNIQUE_KEY_BYTES_MAX];
    struct slice key = unique_key(bytes, row->queue, row->unique);
    const uint64_t words[UNIQUE_WORDS] = {
        get_be(row->id.bytes, 8), get_be(row->id.bytes + 8, 8), row->until_ms};
    return row_words_write(buffer, unique_seed(key), words, UNIQUE_WORDS);
}

bool
row_unique_read(struct slice key, struct slice value, struct row_unique *row)
{
    uint64_t words[UNIQUE_WORDS];
    if (key.size <= QUEUE_KEY_BYTES || key.size > UNIQUE_KEY_BYTES_MAX ||
        !row_words_read(value, unique_seed(key), words, UNIQUE_WORDS))
        return false;
    row->queue = (uint32_t)get_be(key.data, QUEUE_KEY_BYTES);
    row->unique = (struct slice){key.data + QUEUE_KEY_BYTES, key.size - QUEUE_KEY_BYTES};
    put_be(row->id.bytes, words[0], 8);
    put_be(row->id.bytes + 8, words[1], 8);
    row->until_ms = words[2];
    return true;
}

struct slice
unique_end(uint8_t key[UNIQUE_END_BYTES_MAX], const struct row_unique *row)
{
    put_be(key, row->until_ms, 8);
    struct slice of = unique_key(key + 8, row->queue, row->unique);
    return (struct slice){key, 8 + of.size};
}

bool
unique_end_read(struct slice key, uint64_t *until_ms, struct slice *of)
{
    if (key.size <= 8 + QUEUE_KEY_BYTES || key.size > UNIQUE_END_BYTES_MAX)
        return false;
    *until_ms = get_be(key.data, 8);
    *of = (struct slice){key.data + 8, key.size - 8};
    return true;
}

/* ---- jobs that wait for others ---- */

struct slice
row_followers_write(uint8_t buffer[ROW_FOLLOWERS_BYTES_MAX], struct slice key, uint32_t count)
{
    assert(count > 0 && count <= FOLLOWERS_A_ROW);
    if (count == 1)
        return (struct slice){NULL, 0};
    return row_words_write(buffer, record_check(key.data, key.size, 0),
        (uint64_t[FOLLOWERS_WORDS]){count}, FOLLOWERS_WORDS);
}

bool
row_followers_read(struct slice key, struct slice value, struct row_followers *run)
{
    uint64_t words[FOLLOWERS_WORDS] = {1};
    run->count = 0;
    if (key.size != FOLLOWER_KEY_BYTES)
        return false;
    memcpy(run->parent.bytes, key.data, STINT_ID_BYTES);
    memcpy(run->last.bytes, key.data + STINT_ID_BYTES, STINT_ID_BYTES);
    uint64_t most = id_sequence(&run->last) + 1; /* of a level */
    if (most > FOLLOWERS_A_ROW)
        most = FOLLOWERS_A_ROW;
    bool whole = value.size == 0 ||
        (row_words_read(value, record_check(key.data, key.size, 0), words, FOLLOWERS_WORDS) &&
            words[0] > 0 && words[0] <= most);
    run->count = (uint32_t)(whole ? words[0] : most);
    return whole;
}

struct slice
parents_key(uint8_t key[PARENTS_KEY_BYTES], const struct stint_id *id, uint32_t number)
{
    memcpy(key, id->bytes, STINT_ID_BYTES);
    put_be(key + STINT_ID_BYTES, number, 2);
    return (struct slice){key, PARENTS_KEY_BYTES};
}

static uint64_t
parents_check(struct slice key, const uint8_t *ids, size_t size)
{
    return record_check(ids, size, record_check(key.data, key.size, 0));
}

struct slice
row_parents_write(uint8_t buffer[ROW_PARENTS_BYTES_MAX], struct slice key,
    const struct stint_id *ids, uint32_t count)
{
    size_t size = count * (size_t)STINT_ID_BYTES;
    assert(count > 0 && count <= PARENTS_A_ROW);
    memcpy(buffer + 8, ids, size);
    put_be(buffer, parents_check(key, buffer + 8, size), 8);
    return (struct slice){buffer, 8 + size};
}

bool
row_parents_read(struct slice key, struct slice value, struct slice *ids)
{
    if (key.size != PARENTS_KEY_BYTES || value.size <= 8 || value.size > ROW_PARENTS_BYTES_MAX ||
        value.size % STINT_ID_BYTES != 8)
        return false;
    *ids = (struct slice){value.data + 8, value.size - 8};
    return get_be(value.data, 8) == parents_check(key, ids->data, ids->size);
}

struct slice
row_ended_write(
    uint8_t buffer[ROW_ENDED_BYTES_MAX], const struct stint_id *id, enum stint_state state)
{
    return row_words_write(
        buffer, row_seed(id->bytes), (uint64_t[ENDED_WORDS]){state}, ENDED_WORDS);
}

bool
row_ended_read(struct slice key, struct slice value, struct stint_id *id, enum stint_state *state)
{
    uint64_t words[ENDED_WORDS];
    if (key.size != STINT_ID_BYTES ||
        !row_words_read(value, row_seed(key.data), words, ENDED_WORDS))
        return false;
    memcpy(id->bytes, key.data, STINT_ID_BYTES);
    *state = (enum stint_state)words[0];
    return words[0] < STINT_STATES && stint_state_settled(*state);
}
