/* The log of changes before the checkpoint: records with a contiguous index, one behind the other
 * in segments that are used again when a checkpoint has covered what is in them. Each record names
 * term and check of the one before it, so that what is left of an earlier use is never taken for
 * its successor. Who wants a record to be safe waits until it is *confirmed*: here, with one
 * broker, by its own flush.
 *
 * After a crash the journal ends at the last record that follows whole. A record that is not whole
 * at the very end is what a crash leaves. With later records behind it, it is damage: they would
 * not have been written before it was flushed.
 *
 * It knows no store, no file and no clock: segments are handed in (segments.h).
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "journal_record.h"
#include "segments.h"

/* A record and where it lies. A checkpoint says up to which it goes. */
struct journal_mark {
    uint64_t index, term, check;
    uint32_t segment;
    uint64_t offset, bytes; /* in whole blocks */
};

enum journal_result {
    JOURNAL_OK,
    JOURNAL_END, /* there is no record behind */
    JOURNAL_FULL, /* no segment is free: a checkpoint first */
    JOURNAL_FOREIGN, /* the checkpoint's own record is not there: another journal, or none */
    JOURNAL_DAMAGED, /* a record is not whole, and later ones are there */
    JOURNAL_NEWER, /* a record of a newer format */
    JOURNAL_FAILED, /* a segment can't be read, written or flushed; see its error() */
};

struct journal;

/* An empty journal whose first record, with this index, is a barrier of this term, written and
 * flushed. Owns nothing of what it is given, and segments outlive it; they hold nothing that is
 * still wanted. Errors: JOURNAL_FAILED. */
enum journal_result journal_create(struct segments *segments, const uint8_t *identity,
    uint64_t index, uint64_t term, struct journal **journal);

/* The journal behind a checkpoint: finds its end. Of the records up to the checkpoint only its own
 * is needed. `segments_used` is how many segments there were when the checkpoint was made.
 * Errors: JOURNAL_FOREIGN, _DAMAGED, _NEWER, _FAILED. */
enum journal_result journal_open(struct segments *segments, const uint8_t *identity,
    const struct journal_mark *checkpoint, unsigned segments_used, struct journal **journal);
/* Up to which record it goes, beside a broker that may be writing to it: of what stands behind that
 * nothing is looked at. Errors as journal_open, but _DAMAGED. */
enum journal_result journal_reach(struct segments *segments, const uint8_t *identity,
    const struct journal_mark *checkpoint, unsigned segments_used, uint64_t *index);
void journal_destroy(struct journal **journal);

/* Records from now on have this term. It never falls. */
void journal_set_term(struct journal *journal, uint64_t term);
/* Somebody else says what is confirmed: a flush alone does not. */
void journal_confirm_apart(struct journal *journal);
/* Everything up to this index is. */
void journal_confirm(struct journal *journal, uint64_t index);

/* The largest payload that a record can have. */
uint32_t journal_payload_max(const struct segments *segments);

/* Write a record behind the last, and flush it. `record` has room for a header and then the
 * payload; it is filled up to a whole block. The last block of a segment is left to records of type
 * JOURNAL_CHECKPOINT, whose payload is empty: these never meet JOURNAL_FULL, if after each of them
 * the checkpoint that it stands for is made.
 * Errors: JOURNAL_FULL (nothing was written), _FAILED. */
enum journal_result
journal_append(struct journal *journal, enum journal_type type, struct pack_buffer *record);

/* The last record, and the index up to which all are confirmed. */
struct journal_mark journal_last(const struct journal *journal);
uint64_t journal_confirmed(const struct journal *journal);
/* Bytes of the records behind the checkpoint, and those that can be written before JOURNAL_FULL, if
 * the records are small. */
uint64_t journal_kept_bytes(const struct journal *journal);
uint64_t journal_room_bytes(const struct journal *journal);

/* Read on from `*at`: the record behind it, whose mark it is then. `record` is filled with header
 * and payload. Errors: JOURNAL_END, _NEWER, _FAILED. */
enum journal_result journal_next(struct journal *journal, struct journal_mark *at,
    struct journal_head *head, struct pack_buffer *record);

/* There is a checkpoint up to the last record, which is confirmed, and it names so many segments:
 * those with older records alone are used again, but for the newest `retain_bytes` of them, kept
 * for who reads behind, as long as one is free. */
void journal_drop(struct journal *journal, unsigned segments_used, uint64_t retain_bytes);

/* Take back all records behind `at`, the newest first, each for good before the one before it is
 * taken back: whatever stops it leaves a journal that ends. No confirmed one may be among them.
 * Errors: JOURNAL_FAILED. */
enum journal_result journal_cut(struct journal *journal, const struct journal_mark *at);

#endif
