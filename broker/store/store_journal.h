/* A store whose commits are records of a journal: one write and one flush each. The tables lie in
 * another store, the checkpoint, whose transaction stays open over many steps; reads see what it
 * holds, committed or not. It is committed when enough has come together, between steps, and says
 * in a row of its own (META_JOURNAL) up to which record that is. A start opens the checkpoint and
 * applies the records behind it.
 *
 * A step whose changes do not fit into a record, or for which no segment is free, is a checkpoint
 * of its own: a record that says so and then the other store's commit.
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "journal.h"
#include "rows.h"

struct store_journal_options {
    struct store *checkpoint;
    struct segments *segments;
    uint8_t identity[JOURNAL_IDENTITY_BYTES];
    uint64_t term; /* of records from now on; one more than the last one's, if that is higher */
    /* A checkpoint is made before the next step when records have so many bytes, or what the other
     * store has not committed takes so much memory. */
    uint64_t kept_bytes_max, pending_bytes_max;
    /* Only look: nothing is ever committed, here or there. */
    bool look;
    bool borrows; /* checkpoint and segments stay the caller's */
    uint64_t (*clock_us)(void); /* for the figures; NULL: they stay 0 */
};

struct store_journal_figures {
    uint64_t checkpoints, longest_us; /* made, and how long one took at most */
    uint64_t replayed; /* records that were applied at the start */
    uint64_t replayed_bytes;
};

/* What the checkpoint says of its journal. False: it has none. `*bad`: what it says is damaged. */
bool store_journal_row(struct store *checkpoint, struct row_journal *row, bool *bad);

/* Open the journal that `row` speaks of, and apply it; or, if `row` is NULL, begin one in segments
 * that hold nothing. Until store_journal_started each commit is a checkpoint. On success the store
 * owns the checkpoint and the segments, unless it borrows them. On failure a sentence is in
 * `error`. Errors: STINT_IO, STINT_DAMAGED, STINT_VERSION_MISMATCH. */
enum stint_status store_journal_new(const struct store_journal_options *options,
    const struct row_journal *row, struct store **store, char *error);

/* From now on commits go to the journal: whoever began has what it needs in the checkpoint. */
void store_journal_started(struct store *store);

/* Make a checkpoint now, if there is anything for it. Between steps. Errors: STINT_IO. */
enum stint_status store_journal_checkpoint(struct store *store);

/* Undo all steps behind record `index`, which are not confirmed: the journal is cut, and the tables
 * go back to their checkpoint and forward again. Between steps. Errors: STINT_IO. */
enum stint_status store_journal_cut(struct store *store, uint64_t index);

/* Up to where a journal goes whose broker may be writing to it. Errors as store_journal_new. */
enum stint_status store_journal_newest(struct segments *segments, const uint8_t *identity,
    const struct row_journal *row, uint64_t *index, char *error);

struct journal *store_journal_log(struct store *store);
struct segments *store_journal_segments(struct store *store);
void store_journal_figures(struct store *store, struct store_journal_figures *figures);

#endif
