/* What faults.c writes down and crash_states.c reads: a header and then `size` bytes an event. */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdint.h>

enum event_kind_recorded {
    RECORDED_OPEN =
        1, /* file: a new number; bytes: its path in the directory; at: 1 if it was new */
    RECORDED_WRITE, /* file, at */
    RECORDED_WRITE_SYNCED, /* the same, through a descriptor that syncs by itself */
    RECORDED_TRUNCATE, /* file; at: its new size */
    RECORDED_SYNC, /* file */
    RECORDED_SYNC_DIRECTORY,
    RECORDED_RENAME, /* bytes: from, zero, to, zero */
    RECORDED_UNLINK, /* bytes: the path */
    RECORDED_SENT, /* bytes: routing id; then its size is `at`, and the frame */
    RECORDED_RECEIVED,
};

struct recorded {
    uint32_t kind, file;
    uint64_t at, size;
};

#endif
