/* The data directory: who may use it, and whether what lies in it is what was left there. It holds
 *
 *     LOCK       locked (flock) by the stintd that uses it; its process id is inside
 *     MANIFEST   format version, identity, and the least size the data file must have
 *     jobs.lmdb  the store, and jobs.lmdb-lock, LMDB's own
 *
 * The manifest is written before the data file and completed after it, so that a start that was
 * interrupted is told from a data file that vanished.
 */
#ifndef DATA_H
#define DATA_H

#include "stint_status.h"

#include <stdbool.h>
#include <stdint.h>

#define DATA_FORMAT 1

struct data {
    char path[4096]; /* of the data file */
    char directory[4000];
    char identity[33]; /* 32 hex digits, made with the directory */
    int lock;
};

/* Make or open a directory: lock it, check identity, version and size. After an unclean end whose
 * file is shorter than its own root says, every page is visited, in a process apart, before it is
 * trusted. On failure `error` holds one line that says what, where and what to do, and the result
 * is an exit code of sysexits.h; else 0. */
int data_open(struct data *data, const char *directory, char error[1024]);

/* The store is open and durable: complete the manifest. Errors as data_open. */
int data_complete(struct data *data, char error[1024]);

/* Is there a directory that data_open would not begin anew? */
bool data_exists(const char *directory);

void data_close(struct data *data);

#endif
