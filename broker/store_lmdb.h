/* The store in an LMDB file, with LMDB's default, fully synced flags. */
#ifndef STORE_LMDB_H
#define STORE_LMDB_H

#include "store.h"

struct store_lmdb_options {
    const char *path; /* the data file */
    uint64_t size_bytes; /* the map: the largest the file may become */
    uint64_t reserve_bytes; /* kept back for settles and for deleting */
    uint64_t disk_free_bytes; /* refuse new jobs when the file system has less */
    /* Called with a sentence when LMDB finds that the file contradicts itself, in the middle of
     * something: it is not to return. NULL: LMDB's own, which aborts. */
    void (*on_damage)(const char *what);
};

/* Open or make the store. `*error` is a sentence on failure, in a static buffer.
 * Errors: STINT_IO, STINT_DAMAGED (the file is not what it should be), STINT_NO_MEMORY. */
enum stint_status
store_lmdb_new(const struct store_lmdb_options *options, struct store **store, const char **error);

#endif
