/* What a broker wrote, synced and said, as faults.c recorded it: the files as they would be found
 * after a loss of power at some moment, and what had been promised to peers by then.
 */
#ifndef RECORDING_H
#define RECORDING_H

#include "faults.h"
#include "message.h"

#include <stdio.h>

/* A change of a file's bytes or size that is not synced yet. */
struct unsynced {
    uint64_t at, size;
    const uint8_t *bytes; /* NULL: the file is cut or grown to `at` bytes */
};

struct recorded_file {
    uint8_t *synced; /* what is on disk for sure */
    uint64_t size;
    struct unsynced *changes;
    unsigned count, room;
    bool is_data; /* of the store or its journal */
};

enum { FILES_MAX = 64, NUMBERS_MAX = 256, NAMES_MAX = 32 };

/* A name in the directory, and changes of names that are not synced yet. */
struct name {
    char text[64];
    struct recorded_file *file; /* NULL: it is gone */
};

struct names {
    struct name all[NAMES_MAX];
    unsigned count;
};

/* What peers were promised of a job. */
struct want {
    struct stint_id id;
    bool keep_0, cancelled;
    bool success_told; /* a worker has said it; it may be on disk */
    uint32_t attempt; /* the highest that was dispatched */
    uint32_t succeeded; /* the attempt whose success was confirmed; 0: none */
};

struct recording {
    const uint8_t *at, *end; /* of the recording */
    bool ignore_syncs; /* of the data file and the journal */
    struct recorded_file files[FILES_MAX];
    unsigned files_count;
    struct recorded_file *by_number[NUMBERS_MAX];
    struct names synced_names; /* as of the last sync of the directory */
    struct names later_names[NAMES_MAX]; /* after each change since then */
    unsigned later_count;
    struct want *wants;
    unsigned wants_count, wants_room;
    struct message_arrays *arrays;
    struct heard *heard; /* requests without an answer */
};

bool recording_open(struct recording *r, const char *path);
/* Take the next event in. False at the end. `*kind` is what it was. */
bool recording_next(struct recording *r, enum event_kind_recorded *kind);
/* A write through a descriptor that syncs by itself has just been taken in: it counts as not synced
 * until this is called. */
void recording_settle_sync(struct recording *r);

#endif
