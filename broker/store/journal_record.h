/* What a journal is made of. A record is a header and a payload, and begins at a block of its own,
 * so that no block that holds a confirmed record is ever written again until its segment is.
 *
 *     0   u32  magic, "SJNL"
 *     4   u16  format, 1
 *     6   u8   type, enum journal_type
 *     7   u8   0
 *     8        identity of the data directory, 16 bytes
 *     24  u64  index: 1 more than that of the record before
 *     32  u64  term: of the start of the broker that wrote it; never falls
 *     40  u64  highest index that was known to be confirmed when this was written
 *     48  u64  term of the record before
 *     56  u64  check of the header of the record before
 *     64  u32  bytes of the payload
 *     68  u32  0
 *     72  u64  check of the payload: XXH3, seeded with the index
 *     80  u64  check of the header, the 80 bytes before, seeded with the identity
 *     88       payload, then 0 up to the end of the block
 *
 * Numbers are big endian. A payload is changes of rows, one after the other, with nothing but
 * absolute values: applied twice, they have the same effect as once.
 *
 *     put      u8 table; key; number, bytes of the value; the value
 *     delete   u8 table + 32; key
 *     run      u8 table + 64; key; number n: this key and the n after it, each 1 more, are deleted
 *
 *     key      u8, how many bytes it shares with the last key of this table in this record;
 *              number, how many follow; those
 *     number   7 bits a byte, the lowest first; the top bit says that more follow
 */
#ifndef JOURNAL_RECORD_H
#define JOURNAL_RECORD_H

#include "store.h"

enum {
    JOURNAL_FORMAT = 1,
    JOURNAL_BLOCK = 4096,
    JOURNAL_HEAD_BYTES = 88,
    JOURNAL_IDENTITY_BYTES = 16,
    JOURNAL_KEY_BYTES_MAX = 511, /* LMDB's limit */
};

/* The numbers of types and of tables (enum store_table) are what is written: they never change. */
enum journal_type {
    JOURNAL_DATA = 1,
    JOURNAL_BARRIER = 2, /* a term begins */
    JOURNAL_MEMBERSHIP = 3, /* kept for who confirms records; not written yet */
    /* Its changes are not here: they were too many, and are in the checkpoint that covers it. */
    JOURNAL_CHECKPOINT = 4,
};

struct journal_head {
    enum journal_type type;
    uint64_t index, term, confirmed;
    uint64_t previous_term, previous_check;
    uint32_t payload_bytes;
    uint64_t payload_check, check;
};

enum journal_head_result {
    JOURNAL_HEAD_GOOD,
    JOURNAL_HEAD_NONE, /* no header of this directory's journal */
    JOURNAL_HEAD_NEWER, /* its format is newer */
};

/* Write a header; sets both checks. */
void journal_head_write(
    uint8_t *at, const uint8_t *identity, struct journal_head *head, const uint8_t *payload);
/* Read a header; its own check holds then, that of the payload is another matter. */
enum journal_head_result
journal_head_read(const uint8_t *at, const uint8_t *identity, struct journal_head *head);
bool journal_payload_is_good(const struct journal_head *head, const uint8_t *payload);

/* Bytes that a record takes, in whole blocks. */
static inline uint64_t
journal_record_bytes(uint64_t payload_bytes)
{
    uint64_t bytes = JOURNAL_HEAD_BYTES + payload_bytes;
    return (bytes + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
}

/* ---- changes ---- */

struct journal_last_key {
    uint8_t bytes[JOURNAL_KEY_BYTES_MAX];
    uint16_t size;
};

/* The changes of one record, as they are made. */
struct journal_writer {
    struct pack_buffer buffer; /* a header's place, then the payload */
    uint32_t payload_bytes_max;
    bool too_large; /* more was to be written than the most: what is here is of no use */
    bool any; /* something was changed */
    /* The deletion that is open: a run, if more follow. */
    bool deleting;
    uint8_t run_table;
    size_t run_at; /* where it stands in the buffer */
    uint64_t run_more;
    struct journal_last_key last[STORE_TABLES]; /* of those in `seen` */
    uint32_t seen; /* a bit a table */
};

void journal_writer_init(struct journal_writer *writer, uint32_t payload_bytes_max);
void journal_writer_fini(struct journal_writer *writer);
/* Begin the next record. */
void journal_writer_reset(struct journal_writer *writer);
void journal_write_put(struct journal_writer *writer, enum store_table table, struct slice key,
    struct slice head, struct slice body);
void journal_write_del(struct journal_writer *writer, enum store_table table, struct slice key);
/* No more changes: the payload is whole. Returns its size. */
uint32_t journal_writer_finish(struct journal_writer *writer);

struct journal_change {
    enum store_table table;
    bool is_put;
    struct slice key, value; /* the key is the reader's own, until the next change */
};

struct journal_reader {
    struct pack_reader payload;
    uint64_t run_more; /* deletions that are left of a run */
    enum store_table table; /* of the last change */
    struct journal_last_key last[STORE_TABLES];
};

void journal_reader_init(struct journal_reader *reader, const uint8_t *payload, size_t size);
/* The next change, or false: at the end, or if the rest can't be read (`*bad`). */
bool journal_read_change(struct journal_reader *reader, struct journal_change *change, bool *bad);

#endif
