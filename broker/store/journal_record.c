/* Records of a journal; the contract is in journal_record.h. */
#include "journal_record.h"
#include "id.h"
#include "key_order.h"
#include "numbers.h"
#include "record.h"

#include <assert.h>

enum {
    MAGIC = 0x534a4e4c,
    CHANGE_PUT = 0,
    CHANGE_DELETE = 32,
    CHANGE_RUN = 64,
    TABLE_BITS = 31,
    RUN_MORE_MAX = 1 << 20,
};

static_assert(
    (int)STORE_TABLES <= (int)CHANGE_DELETE, "a change's first byte has a table and what it is");

/* ---- headers ---- */

static uint64_t
identity_seed(const uint8_t identity[JOURNAL_IDENTITY_BYTES])
{
    return get_be(identity, 8) ^ get_be(identity + 8, 8);
}

void
journal_head_write(
    uint8_t *at, const uint8_t *identity, struct journal_head *head, const uint8_t *payload)
{
    head->payload_check = record_check(payload, head->payload_bytes, head->index);
    put_be(at, MAGIC, 4);
    put_be(at + 4, JOURNAL_FORMAT, 2);
    put_be(at + 6, (uint64_t)head->type << 8, 2);
    memcpy(at + 8, identity, JOURNAL_IDENTITY_BYTES);
    put_be(at + 24, head->index, 8);
    put_be(at + 32, head->term, 8);
    put_be(at + 40, head->confirmed, 8);
    put_be(at + 48, head->previous_term, 8);
    put_be(at + 56, head->previous_check, 8);
    put_be(at + 64, (uint64_t)head->payload_bytes << 32, 8);
    put_be(at + 72, head->payload_check, 8);
    head->check = record_check(at, 80, identity_seed(identity));
    put_be(at + 80, head->check, 8);
}

enum journal_head_result
journal_head_read(const uint8_t *at, const uint8_t *identity, struct journal_head *head)
{
    if (get_be(at, 4) != MAGIC || memcmp(at + 8, identity, JOURNAL_IDENTITY_BYTES) != 0 ||
        get_be(at + 80, 8) != record_check(at, 80, identity_seed(identity)))
        return JOURNAL_HEAD_NONE;
    if (get_be(at + 4, 2) != JOURNAL_FORMAT)
        return get_be(at + 4, 2) > JOURNAL_FORMAT ? JOURNAL_HEAD_NEWER : JOURNAL_HEAD_NONE;
    *head = (struct journal_head){.type = (enum journal_type)at[6],
        .index = get_be(at + 24, 8),
        .term = get_be(at + 32, 8),
        .confirmed = get_be(at + 40, 8),
        .previous_term = get_be(at + 48, 8),
        .previous_check = get_be(at + 56, 8),
        .payload_bytes = (uint32_t)get_be(at + 64, 4),
        .payload_check = get_be(at + 72, 8),
        .check = get_be(at + 80, 8)};
    bool known = head->type >= JOURNAL_DATA && head->type <= JOURNAL_CHECKPOINT;
    return known && at[7] == 0 && get_be(at + 68, 4) == 0 ? JOURNAL_HEAD_GOOD : JOURNAL_HEAD_NONE;
}

bool
journal_payload_is_good(const struct journal_head *head, const uint8_t *payload)
{
    return record_check(payload, head->payload_bytes, head->index) == head->payload_check;
}

/* ---- writing changes ---- */

void
journal_writer_init(struct journal_writer *w, uint32_t payload_bytes_max)
{
    *w = (struct journal_writer){.payload_bytes_max = payload_bytes_max};
    journal_writer_reset(w);
}

void
journal_writer_fini(struct journal_writer *w)
{
    pack_buffer_free(&w->buffer);
}

void
journal_writer_reset(struct journal_writer *w)
{
    pack_buffer_empty(&w->buffer);
    (void)pack_reserve(&w->buffer, JOURNAL_HEAD_BYTES);
    w->too_large = w->any = w->deleting = false;
    w->seen = 0;
}

enum { CHANGE_BYTES_MAX = 2 + JOURNAL_KEY_BYTES_MAX + 2 * NUMBER_BYTES_MAX };

static void
end_deletion(struct journal_writer *w)
{
    uint8_t *at;
    if (!w->deleting)
        return;
    w->deleting = false;
    if (w->run_more == 0)
        return;
    /* The byte that says what it is stands where the deletion began. */
    at = pack_reserve(&w->buffer, NUMBER_BYTES_MAX);
    const uint8_t *end = number_write(at, w->run_more);
    w->buffer.used -= NUMBER_BYTES_MAX - (size_t)(end - at);
}

/* How many bytes two keys begin with in common, as far as a byte can say. */
static uint8_t
shared_bytes(const struct journal_last_key *last, struct slice key)
{
    size_t n = 0, most = last->size < key.size ? last->size : key.size;
    if (most > UINT8_MAX)
        most = UINT8_MAX;
    for (; n + 8 <= most; n += 8) {
        uint64_t differ = get_le(last->bytes + n, 8) ^ get_le(key.data + n, 8);
        if (differ)
            return (uint8_t)(n + (unsigned)__builtin_ctzll(differ) / 8);
    }
    while (n < most && last->bytes[n] == key.data[n])
        n++;
    return (uint8_t)n;
}

/* Room for a change and a value of `more` bytes behind it; the key is written. NULL if there is
 * none. */
static uint8_t *
write_key(
    struct journal_writer *w, uint8_t first, enum store_table table, struct slice key, size_t more)
{
    struct journal_last_key *last = &w->last[table];
    assert(key.size <= JOURNAL_KEY_BYTES_MAX);
    w->any = true;
    if (w->buffer.used + CHANGE_BYTES_MAX + more > JOURNAL_HEAD_BYTES + w->payload_bytes_max)
        w->too_large = true;
    if (w->too_large)
        return NULL;
    if (!(w->seen >> table & 1))
        last->size = 0;
    w->seen |= 1U << table;
    uint8_t *at = pack_reserve(&w->buffer, CHANGE_BYTES_MAX + more);
    uint8_t shared = shared_bytes(last, key);
    *at++ = (uint8_t)(first + table);
    *at++ = shared;
    at = number_write(at, key.size - shared);
    memcpy(at, key.data + shared, key.size - shared);
    memcpy(last->bytes + shared, key.data + shared, key.size - shared);
    last->size = (uint16_t)key.size;
    return at + key.size - shared;
}

static void
end_change(struct journal_writer *w, const uint8_t *end)
{
    w->buffer.used = (size_t)(end - w->buffer.data);
}

void
journal_write_put(struct journal_writer *w, enum store_table table, struct slice key,
    struct slice head, struct slice body)
{
    end_deletion(w);
    uint8_t *at = write_key(w, CHANGE_PUT, table, key, head.size + body.size);
    if (!at)
        return;
    at = number_write(at, head.size + body.size);
    if (head.size)
        memcpy(at, head.data, head.size);
    if (body.size)
        memcpy(at + head.size, body.data, body.size);
    end_change(w, at + head.size + body.size);
}

void
journal_write_del(struct journal_writer *w, enum store_table table, struct slice key)
{
    struct journal_last_key *last = &w->last[table];
    if (w->deleting && w->run_table == table && w->run_more < RUN_MORE_MAX &&
        key_follows((struct slice){last->bytes, last->size}, key)) {
        if (w->run_more++ == 0)
            /* what was begun as a deletion is a run */
            w->buffer.data[w->run_at] = (uint8_t)(CHANGE_RUN + table);
        memcpy(last->bytes, key.data, key.size);
        return;
    }
    end_deletion(w);
    size_t begin = w->buffer.used;
    const uint8_t *at = write_key(w, CHANGE_DELETE, table, key, 0);
    if (!at)
        return;
    end_change(w, at);
    w->deleting = true;
    w->run_table = (uint8_t)table;
    w->run_at = begin;
    w->run_more = 0;
}

uint32_t
journal_writer_finish(struct journal_writer *w)
{
    end_deletion(w);
    return (uint32_t)(w->buffer.used - JOURNAL_HEAD_BYTES);
}

/* ---- reading changes ---- */

void
journal_reader_init(struct journal_reader *r, const uint8_t *payload, size_t size)
{
    r->payload = pack_reader(payload, size);
    r->run_more = 0;
    for (unsigned t = 0; t < STORE_TABLES; t++)
        r->last[t].size = 0;
}

static uint64_t
read_number(struct pack_reader *r)
{
    uint64_t number = 0;
    r->bad |= !number_read(&r->at, r->end, &number);
    return r->bad ? 0 : number;
}

static struct slice
take(struct pack_reader *r, uint64_t size)
{
    struct slice bytes = {r->at, (size_t)size};
    if (size > pack_left(r)) {
        r->bad = true;
        return (struct slice){0};
    }
    r->at += size;
    return bytes;
}

static void
read_key(struct pack_reader *r, struct journal_last_key *last)
{
    uint8_t shared = r->at < r->end ? *r->at++ : UINT8_MAX;
    uint64_t more = read_number(r); /* which fails at the end */
    if (r->bad || shared > last->size || more > JOURNAL_KEY_BYTES_MAX - (uint64_t)shared) {
        r->bad = true;
        return;
    }
    struct slice rest = take(r, more);
    if (r->bad)
        return;
    memcpy(last->bytes + shared, rest.data, rest.size);
    last->size = (uint16_t)(shared + rest.size);
}

/* The key behind this one; false if the tail has no number behind it. */
static bool
step_key(struct journal_last_key *key)
{
    size_t tail = key->size < 8U ? key->size : 8U;
    for (size_t i = key->size; i > key->size - tail; i--)
        if (++key->bytes[i - 1] != 0)
            return true;
    return false;
}

bool
journal_read_change(struct journal_reader *r, struct journal_change *change, bool *bad)
{
    struct pack_reader *p = &r->payload;
    *bad = p->bad;
    if (p->bad)
        return false;
    if (r->run_more > 0) {
        r->run_more--;
        p->bad |= !step_key(&r->last[r->table]);
    } else if (pack_left(p) == 0) {
        return false;
    } else {
        uint8_t first = *p->at++;
        r->table = (enum store_table)(first & TABLE_BITS);
        change->is_put = first < CHANGE_DELETE;
        p->bad |= r->table >= STORE_TABLES || first >= CHANGE_RUN + CHANGE_DELETE;
        if (!p->bad)
            read_key(p, &r->last[r->table]);
        if (!p->bad && first >= CHANGE_RUN)
            r->run_more = read_number(p);
        p->bad |= r->run_more > RUN_MORE_MAX;
        if (!p->bad && change->is_put)
            change->value = take(p, read_number(p));
    }
    *bad = p->bad;
    if (p->bad)
        return false;
    change->table = r->table;
    change->key = (struct slice){r->last[r->table].bytes, r->last[r->table].size};
    return true;
}
