/* The rows of batches; their layout is told in batch_rows.h. */
#include "batch_rows.h"

#include <assert.h>

enum { TERMS_VERSION = 1 };

struct slice
batch_key(uint8_t key[BATCH_KEY_BYTES], uint64_t number, enum batch_part part)
{
    put_be(key, number, 8);
    key[8] = (uint8_t)part;
    return (struct slice){key, BATCH_KEY_BYTES};
}

bool
batch_key_read(struct slice key, uint64_t *number, enum batch_part *part)
{
    if (key.size != BATCH_KEY_BYTES || key.data[8] > BATCH_PART_TERMS)
        return false;
    *number = get_be(key.data, 8);
    *part = (enum batch_part)key.data[8];
    return *number > 0 && *number <= LIMIT_BATCH;
}

struct slice
row_batch_write(uint8_t buffer[ROW_BATCH_BYTES_MAX], uint64_t number, const struct row_batch *row)
{
    const uint64_t words[BATCH_WORDS] = {row->flags, row->began_ms, row->settled_ms, row->keep_ms,
        row->jobs, row->ended[0], row->ended[1], row->ended[2], row->ended[3],
        get_be(row->made[0].bytes, 8), get_be(row->made[0].bytes + 8, 8),
        get_be(row->made[1].bytes, 8), get_be(row->made[1].bytes + 8, 8), row->trouble, row->maker,
        get_be(row->at.bytes, 8), get_be(row->at.bytes + 8, 8)};
    return row_words_write(buffer, number, words, BATCH_WORDS);
}

/* Does it fit together what is said of a job that it makes? */
static bool
role_is_sane(const struct row_batch *row, enum stint_batch_role role)
{
    bool has = (row->flags & batch_flag(BATCH_HAS, role)) != 0;
    bool owes = (row->flags & batch_flag(BATCH_OWES, role)) != 0;
    bool made = (row->flags & batch_flag(BATCH_MADE, role)) != 0;
    static const struct stint_id none;
    bool is_some = memcmp(&row->made[role - STINT_BATCH_SUCCESS], &none, sizeof none) != 0;
    return (has || !(owes || made)) && !(owes && made) && made == is_some;
}

static bool
is_sane(const struct row_batch *row)
{
    uint64_t left = row->jobs;
    for (unsigned i = 0; i < BATCH_ENDS; i++) {
        if (row->ended[i] > left)
            return false;
        left -= row->ended[i];
    }
    bool closed = (row->flags & BATCH_IS_CLOSED) != 0;
    return row->flags <= BATCH_FLAGS_ALL && row->began_ms > 0 &&
        (row->settled_ms > 0) == (closed && left == 0) &&
        (closed || !(row->flags & (BATCH_IS_CANCELLED | BATCH_CANCELS))) &&
        role_is_sane(row, STINT_BATCH_SUCCESS) && role_is_sane(row, STINT_BATCH_ALWAYS);
}

bool
row_batch_read(uint64_t number, struct slice value, struct row_batch *row)
{
    uint64_t w[BATCH_WORDS];
    if (!row_words_read(value, number, w, BATCH_WORDS))
        return false;
    *row = (struct row_batch){.flags = w[0],
        .began_ms = w[1],
        .settled_ms = w[2],
        .keep_ms = w[3],
        .jobs = w[4],
        .ended = {w[5], w[6], w[7], w[8]},
        .trouble = (enum stint_status)w[13],
        .maker = w[14]};
    for (unsigned i = 0; i < 2; i++) {
        put_be(row->made[i].bytes, w[9 + 2 * i], 8);
        put_be(row->made[i].bytes + 8, w[10 + 2 * i], 8);
    }
    put_be(row->at.bytes, w[15], 8);
    put_be(row->at.bytes + 8, w[16], 8);
    return is_sane(row);
}

static uint8_t *
put(uint8_t *at, struct slice bytes)
{
    if (bytes.size)
        memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

struct slice
row_batch_terms_write(
    uint8_t buffer[ROW_BATCH_TERMS_BYTES_MAX], uint64_t number, const struct row_batch_terms *terms)
{
    assert(terms->title.size <= LIMIT_LABEL_BYTES && terms->queue.size <= LIMIT_NAME_BYTES);
    assert(terms->jobs[0].size <= LIMIT_BATCH_JOB_BYTES &&
        terms->jobs[1].size <= LIMIT_BATCH_JOB_BYTES);
    buffer[8] = TERMS_VERSION;
    buffer[9] = (uint8_t)terms->title.size;
    buffer[10] = (uint8_t)terms->queue.size;
    buffer[11] = 0;
    put_be(buffer + 12, terms->jobs[0].size, 4);
    put_be(buffer + 16, terms->jobs[1].size, 4);
    uint8_t *at = put(buffer + BATCH_TERMS_HEAD_BYTES, terms->title);
    at = put(put(put(at, terms->queue), terms->jobs[0]), terms->jobs[1]);
    size_t size = (size_t)(at - buffer);
    put_be(buffer, record_check(buffer + 8, size - 8, number), 8);
    return (struct slice){buffer, size};
}

bool
row_batch_terms_read(uint64_t number, struct slice value, struct row_batch_terms *terms)
{
    const uint8_t *p = value.data;
    if (value.size < BATCH_TERMS_HEAD_BYTES || p[8] != TERMS_VERSION || p[11] != 0 ||
        get_be(p, 8) != record_check(p + 8, value.size - 8, number))
        return false;
    const size_t sizes[] = {p[9], p[10], get_be(p + 12, 4), get_be(p + 16, 4)};
    struct slice *const parts[] = {&terms->title, &terms->queue, &terms->jobs[0], &terms->jobs[1]};
    p += BATCH_TERMS_HEAD_BYTES;
    size_t left = value.size - BATCH_TERMS_HEAD_BYTES;
    for (unsigned i = 0; i < 4; i++) {
        if (sizes[i] > left)
            return false;
        *parts[i] = (struct slice){p, sizes[i]};
        p += sizes[i];
        left -= sizes[i];
    }
    return left == 0 && terms->title.size <= LIMIT_LABEL_BYTES && name_is_valid(terms->queue) &&
        terms->jobs[0].size <= LIMIT_BATCH_JOB_BYTES &&
        terms->jobs[1].size <= LIMIT_BATCH_JOB_BYTES;
}

struct slice
member_key(uint8_t key[MEMBER_KEY_BYTES], uint64_t number, const struct stint_id *id)
{
    put_be(key, number, 8);
    memcpy(key + 8, id->bytes, STINT_ID_BYTES);
    return (struct slice){key, MEMBER_KEY_BYTES};
}

bool
member_key_read(struct slice key, uint64_t *number, struct stint_id *id)
{
    if (key.size != MEMBER_KEY_BYTES)
        return false;
    *number = get_be(key.data, 8);
    memcpy(id->bytes, key.data + 8, STINT_ID_BYTES);
    return *number > 0 && *number <= LIMIT_BATCH;
}
