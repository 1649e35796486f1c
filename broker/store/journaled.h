/* The journal of a data directory, put before its LMDB file: what to make, open, refuse or wait
 * for.
 */
#ifndef JOURNALED_H
#define JOURNALED_H

#include "store_journal.h"

struct journaled_options {
    const char *directory;
    const char *identity; /* of the MANIFEST, 32 hex digits */
    uint16_t number; /* of the broker */
    uint64_t bytes; /* the journal's files may have so many in all; 0: the default */
    uint64_t pending_bytes_max; /* as in store_journal.h */
    uint64_t disk_free_bytes; /* it does not grow when the file system has less */
    bool look; /* nothing is to be changed */
};

/* The bytes that a journal may be given. */
enum { JOURNAL_BYTES_MIN = 1 << 18, JOURNAL_BYTES_DEFAULT = 64 << 20 };

/* `*store` is LMDB's, and is then one with the journal before it, which is made if there is none;
 * to look at a directory that has none it stays as it is. `error` is a sentence on failure, and
 * `*store` is as it was.
 * Errors: STINT_IO, STINT_DAMAGED, STINT_VERSION_MISMATCH. */
enum stint_status
journaled_open(const struct journaled_options *options, struct store **store, char *error);

/* Beside a broker that may be running: is all that its journal had at the first call in the data
 * file, which `lmdb` reads? `*index` begins at 0. Errors as above; STINT_IN_USE: not yet. */
enum stint_status journaled_is_current(
    const struct journaled_options *options, struct store *lmdb, uint64_t *index, char *error);

#endif
