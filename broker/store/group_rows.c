/* Rows of groups; the layouts are told in group_rows.h. */
#include "group_rows.h"

#include <assert.h>

static uint64_t
seed_of(struct slice key)
{
    return record_check(key.data, key.size, 0);
}

static bool
is_name(struct slice name)
{
    return name.size > 0 && name.size <= LIMIT_GROUP_BYTES && !memchr(name.data, 0, name.size);
}

bool
group_key_read(struct slice key, enum group_row *which, uint32_t *queue, struct slice *name)
{
    static const enum group_row kinds[] = {GROUP_ROW_QUEUE, GROUP_ROW_LEVEL, GROUP_ROW_WEIGHT};
    if (key.size <= QUEUE_KEY_BYTES)
        return false;
    *queue = (uint32_t)get_be(key.data, QUEUE_KEY_BYTES);
    *name = (struct slice){key.data + QUEUE_KEY_BYTES, key.size - QUEUE_KEY_BYTES};
    *which = GROUP_ROW_GROUP;
    if (name->data[0] != 0)
        return is_name(*name);
    if (name->size < 2 || name->data[1] > GROUP_ROW_WEIGHT)
        return false;
    *which = kinds[name->data[1]];
    *name = (struct slice){name->data + 2, name->size - 2};
    return *which == GROUP_ROW_QUEUE ? name->size == 0
        : *which == GROUP_ROW_LEVEL  ? name->size == 1
                                     : is_name(*name);
}

struct slice
group_key(uint8_t key[GROUP_KEY_BYTES_MAX], uint32_t queue, struct slice name)
{
    assert(name.size > 0 && name.size <= LIMIT_GROUP_BYTES);
    put_be(key, queue, QUEUE_KEY_BYTES);
    memcpy(key + QUEUE_KEY_BYTES, name.data, name.size);
    return (struct slice){key, QUEUE_KEY_BYTES + name.size};
}

static uint8_t *
write_places(uint8_t *at, const struct row_group *row, const struct group_places *places)
{
    uint64_t sequence = row->stands;
    uint8_t priority = row->priority;
    assert(places->count <= GROUP_PLACES);
    *at++ = (uint8_t)places->count;
    for (uint32_t i = 0; i < places->count; i++) {
        bool other = places->priority[i] != priority;
        uint64_t distance = number_of_distance(sequence, places->sequence[i]);
        at = number_write(at, distance << 1 | other);
        if (other)
            *at++ = places->priority[i];
        priority = places->priority[i];
        sequence = places->sequence[i];
    }
    return at;
}

static bool
read_places(struct slice *rest, const struct row_group *row, struct group_places *places)
{
    const uint8_t *at = rest->data, *end = at + rest->size;
    uint64_t sequence = row->stands, number;
    uint8_t priority = row->priority;
    if (at == end || *at > GROUP_PLACES)
        return false;
    places->count = *at++;
    for (uint32_t i = 0; i < places->count; i++) {
        if (!number_read(&at, end, &number) || (number & 1 && at == end))
            return false;
        if (number & 1)
            priority = *at++;
        places->priority[i] = priority;
        places->sequence[i] = sequence = number_to_distance(sequence, number >> 1);
    }
    *rest = (struct slice){at, (size_t)(end - at)};
    return true;
}

/* Words as of a row of them, of which one is the check of the places behind. */
struct slice
row_group_write(uint8_t buffer[ROW_GROUP_BYTES_MAX], struct slice key, const struct row_group *row)
{
    uint8_t *places = buffer + ROW_HEAD_BYTES + 8 * (size_t)GROUP_WORDS, *end = places;
    if (row->near.count > 0 || row->tail.count > 0) {
        end = write_places(end, row, &row->near);
        end = write_places(end, row, &row->tail);
    }
    size_t size = (size_t)(end - places);
    const uint64_t words[GROUP_WORDS] = {row->ready, row->out, row->stands, row->priority,
        row->turn, row->finish, row->tokens, row->filled_ms, row->due_ms, row->far,
        row->apart << 1 | row->low_first, size ? record_check(places, size, seed_of(key)) : 0};
    size += row_words_write(buffer, seed_of(key), words, GROUP_WORDS).size;
    return (struct slice){buffer, size};
}

/* A row of format 11 has no places, and what waits is all in lines. */
static bool
read_ends(struct slice key, struct slice rest, uint64_t check, struct row_group *row)
{
    if (rest.size == 0)
        return check == 0;
    return check == record_check(rest.data, rest.size, seed_of(key)) &&
        read_places(&rest, row, &row->near) && read_places(&rest, row, &row->tail) &&
        rest.size == 0;
}

bool
row_group_read(struct slice key, struct slice value, struct row_group *row)
{
    enum { OLD_BYTES = ROW_HEAD_BYTES + 8 * 9 };
    uint64_t w[GROUP_WORDS];
    size_t size = row_words_size(value);
    if (size > value.size ||
        !row_words_read((struct slice){value.data, size}, seed_of(key), w, GROUP_WORDS) ||
        w[3] > UINT8_MAX || (w[2] > 0 && w[0] == 0))
        return false;
    *row = (struct row_group){.ready = w[0],
        .out = w[1],
        .stands = w[2],
        .priority = (uint8_t)w[3],
        .turn = w[4],
        .finish = w[5],
        .tokens = w[6],
        .filled_ms = w[7],
        .due_ms = w[8],
        .far = size > OLD_BYTES ? w[9] : w[0] - (w[2] > 0),
        .apart = w[10] >> 1 < w[1] ? w[10] >> 1 : w[1],
        .low_first = w[10] & 1};
    return read_ends(key, (struct slice){value.data + size, value.size - size}, w[11], row);
}

static uint8_t *
put_mark(uint8_t *key, uint32_t queue, enum group_row which)
{
    put_be(key, queue, QUEUE_KEY_BYTES);
    key[QUEUE_KEY_BYTES] = 0;
    key[QUEUE_KEY_BYTES + 1] = (uint8_t)which;
    return key + QUEUE_KEY_BYTES + 2;
}

struct slice
queue_groups_key(uint8_t key[QUEUE_GROUPS_KEY_BYTES], uint32_t queue)
{
    (void)put_mark(key, queue, GROUP_ROW_QUEUE);
    return (struct slice){key, QUEUE_GROUPS_KEY_BYTES};
}

struct slice
row_queue_groups_write(uint8_t buffer[ROW_QUEUE_GROUPS_BYTES_MAX], struct slice key,
    const struct row_queue_groups *row)
{
    const uint64_t words[QUEUE_GROUPS_WORDS] = {row->turn, row->others, row->walks};
    return row_words_write(buffer, seed_of(key), words, QUEUE_GROUPS_WORDS);
}

bool
row_queue_groups_read(struct slice key, struct slice value, struct row_queue_groups *row)
{
    uint64_t words[QUEUE_GROUPS_WORDS];
    if (!row_words_read(value, seed_of(key), words, QUEUE_GROUPS_WORDS) || words[2] > 1)
        return false;
    *row = (struct row_queue_groups){words[0], words[1], words[2] != 0};
    return true;
}

struct slice
level_groups_key(uint8_t key[LEVEL_GROUPS_KEY_BYTES], uint32_t queue, uint8_t priority)
{
    *put_mark(key, queue, GROUP_ROW_LEVEL) = priority;
    return (struct slice){key, LEVEL_GROUPS_KEY_BYTES};
}

struct slice
row_level_groups_write(
    uint8_t buffer[ROW_LEVEL_GROUPS_BYTES_MAX], struct slice key, uint64_t ready, uint64_t standing)
{
    const uint64_t words[LEVEL_GROUPS_WORDS] = {ready, standing};
    return row_words_write(buffer, seed_of(key), words, LEVEL_GROUPS_WORDS);
}

bool
row_level_groups_read(struct slice key, struct slice value, uint64_t *ready, uint64_t *standing)
{
    uint64_t words[LEVEL_GROUPS_WORDS];
    if (!row_words_read(value, seed_of(key), words, LEVEL_GROUPS_WORDS) || words[1] > words[0])
        return false;
    *ready = words[0];
    *standing = words[1];
    return true;
}

struct slice
group_weight_key(uint8_t key[GROUP_WEIGHT_KEY_BYTES_MAX], uint32_t queue, struct slice name)
{
    assert(name.size <= LIMIT_GROUP_BYTES);
    uint8_t *at = put_mark(key, queue, GROUP_ROW_WEIGHT);
    if (name.size)
        memcpy(at, name.data, name.size);
    return (struct slice){key, QUEUE_KEY_BYTES + 2 + name.size};
}

struct slice
row_group_weight_write(
    uint8_t buffer[ROW_GROUP_WEIGHT_BYTES_MAX], struct slice key, uint32_t weight)
{
    const uint64_t words[GROUP_WEIGHT_WORDS] = {weight};
    return row_words_write(buffer, seed_of(key), words, GROUP_WEIGHT_WORDS);
}

bool
row_group_weight_read(struct slice key, struct slice value, uint32_t *weight)
{
    uint64_t words[GROUP_WEIGHT_WORDS];
    if (!row_words_read(value, seed_of(key), words, GROUP_WEIGHT_WORDS) || words[0] == 0 ||
        words[0] > LIMIT_GROUP_WEIGHT)
        return false;
    *weight = (uint32_t)words[0];
    return true;
}

struct slice
group_line_key(uint8_t key[GROUP_LINE_BYTES_MAX], uint32_t queue, struct slice name,
    uint8_t priority, uint64_t sequence)
{
    size_t size = group_key(key, queue, name).size;
    key[size] = 0;
    key[size + 1] = (uint8_t)(UINT8_MAX - priority);
    put_be(key + size + 2, sequence, 8);
    return (struct slice){key, size + 10};
}

bool
group_line_key_read(
    struct slice key, uint32_t *queue, struct slice *name, uint8_t *priority, uint64_t *sequence)
{
    if (key.size <= QUEUE_KEY_BYTES + 10)
        return false;
    const uint8_t *at = key.data + key.size - 10;
    *queue = (uint32_t)get_be(key.data, QUEUE_KEY_BYTES);
    *name = (struct slice){key.data + QUEUE_KEY_BYTES, key.size - QUEUE_KEY_BYTES - 10};
    *priority = (uint8_t)(UINT8_MAX - at[1]);
    *sequence = get_be(at + 2, 8);
    return at[0] == 0 && is_name(*name);
}

struct slice
row_group_line_write(
    uint8_t buffer[ROW_GROUP_LINE_BYTES_MAX], struct slice key, const struct group_places *places)
{
    uint8_t *at = buffer + 8;
    assert(places->count > 0 && places->count <= GROUP_PLACES);
    if (places->count == 1)
        return (struct slice){buffer, 0};
    for (uint32_t i = 1; i < places->count; i++) {
        assert(places->sequence[i] > places->sequence[i - 1]);
        at = number_write(at, places->sequence[i] - places->sequence[i - 1]);
    }
    size_t size = (size_t)(at - buffer);
    put_be(buffer, record_check(buffer + 8, size - 8, seed_of(key)), 8);
    return (struct slice){buffer, size};
}

bool
row_group_line_read(struct slice key, struct slice value, struct group_places *places)
{
    uint32_t queue;
    struct slice name;
    uint64_t number;
    if (!group_line_key_read(key, &queue, &name, &places->priority[0], &places->sequence[0]))
        return false;
    places->count = 1;
    if (value.size == 0)
        return true;
    if (value.size <= 8)
        return false;
    const uint8_t *at = value.data + 8, *end = value.data + value.size;
    if (get_be(value.data, 8) != record_check(at, value.size - 8, seed_of(key)))
        return false;
    for (; at < end; places->count++) {
        uint32_t i = places->count;
        if (i == GROUP_PLACES || !number_read(&at, end, &number) || number == 0)
            return false;
        places->priority[i] = places->priority[0];
        places->sequence[i] = places->sequence[i - 1] + number;
    }
    return true;
}

struct slice
group_turn_key(uint8_t at[GROUP_TURN_KEY_BYTES], const struct stint_id *key, uint64_t turn)
{
    memcpy(at, key->bytes, LEVEL_KEY_BYTES);
    put_be(at + LEVEL_KEY_BYTES, turn, 8);
    memcpy(at + LEVEL_KEY_BYTES + 8, key->bytes + LEVEL_KEY_BYTES, 8);
    return (struct slice){at, GROUP_TURN_KEY_BYTES};
}

bool
group_turn_key_read(struct slice at, struct stint_id *key, uint64_t *turn)
{
    _Static_assert(LEVEL_KEY_BYTES + 8 == STINT_ID_BYTES, "an id is a level and a sequence");
    if (at.size != GROUP_TURN_KEY_BYTES)
        return false;
    memcpy(key->bytes, at.data, LEVEL_KEY_BYTES);
    memcpy(key->bytes + LEVEL_KEY_BYTES, at.data + LEVEL_KEY_BYTES + 8, 8);
    *turn = get_be(at.data + LEVEL_KEY_BYTES, 8);
    return true;
}

struct slice
row_group_turn_write(uint8_t buffer[ROW_GROUP_TURN_BYTES_MAX], struct slice at, struct slice name)
{
    assert(name.size > 0 && name.size <= LIMIT_GROUP_BYTES);
    memcpy(buffer + 8, name.data, name.size);
    put_be(buffer, record_check(name.data, name.size, seed_of(at)), 8);
    return (struct slice){buffer, 8 + name.size};
}

bool
row_group_turn_read(struct slice at, struct slice value, struct slice *name)
{
    if (value.size <= 8)
        return false;
    *name = (struct slice){value.data + 8, value.size - 8};
    return is_name(*name) &&
        get_be(value.data, 8) == record_check(name->data, name->size, seed_of(at));
}

struct slice
group_due_key(
    uint8_t key[GROUP_DUE_KEY_BYTES_MAX], uint64_t due_ms, uint32_t queue, struct slice name)
{
    put_be(key, due_ms, 8);
    return (struct slice){key, 8 + group_key(key + 8, queue, name).size};
}

bool
group_due_read(struct slice key, uint64_t *due_ms, uint32_t *queue, struct slice *name)
{
    if (key.size <= 8 + QUEUE_KEY_BYTES)
        return false;
    *due_ms = get_be(key.data, 8);
    *queue = (uint32_t)get_be(key.data + 8, QUEUE_KEY_BYTES);
    *name = (struct slice){key.data + 8 + QUEUE_KEY_BYTES, key.size - 8 - QUEUE_KEY_BYTES};
    return is_name(*name);
}
