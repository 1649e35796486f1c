/* The store in an LMDB file, with LMDB's default, fully synced flags. */
#ifndef STORE_LMDB_H
#define STORE_LMDB_H

#include "store.h"

struct store_lmdb_options {
    const char *path; /* the data file */
    uint64_t size_bytes; /* the map: the largest the file may become */
    uint64_t reserve_bytes; /* kept back for settles and for deleting */
    uint64_t disk_free_bytes; /* refuse new jobs when the file system has less */
    /* Of the disk, how much is allocated to the file ahead of its end, so that what was accepted
     * can be dispatched and settled on a disk that others have filled. 0: nothing. */
    uint64_t ballast_bytes;
    bool read_only; /* nothing is written, and another process may write meanwhile */
    bool alone; /* nobody else opens the file: LMDB's lock file is not needed, nor made */
    bool unsynced; /* commits are not brought to the disk, until store_lmdb_sync */
    /* Called with a sentence when LMDB finds that the file contradicts itself, in the middle of
     * something: it is not to return. Whoever it leads to may destroy the store, which is `*store`
     * from the beginning of store_lmdb_new on. NULL: LMDB's own, which aborts. */
    void (*on_damage)(const char *what);
};

/* Open or make the store. `*error` is a sentence on failure, in a buffer of the
 * thread's own.
 * Errors: STINT_IO, STINT_DAMAGED (the file is not what it should be), STINT_NO_MEMORY. */
enum stint_status
store_lmdb_new(const struct store_lmdb_options *options, struct store **store, const char **error);

/* To be called now and then, between transactions: tries to have the ballast whole, and lets go of
 * pages that were kept for readers in other processes that died. Returns how much of the ballast is
 * missing. Over half of it: the disk is full, the ballast is being used up, and there is no room
 * for new jobs. What room there is is worked out anew after this, and when so much has been put
 * that it may have become little; what others write to the disk is not seen in between. */
uint64_t store_lmdb_tend(struct store *store);

/* Write a compact copy of what is committed to `fd`, from its beginning, without waiting for
 * whoever writes to the store, or holding them up; but no page that they free is used again
 * meanwhile. Errors: STINT_IO, with error() saying why. */
enum stint_status store_lmdb_copy(struct store *store, int fd);

/* Bring to the disk what was committed to one that is unsynced. Errors: STINT_IO. */
enum stint_status store_lmdb_sync(struct store *store);

#endif
