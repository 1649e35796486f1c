/* The segments of a data directory's journal: files journal-00, journal-01 and so on. */
#ifndef SEGMENT_FILES_H
#define SEGMENT_FILES_H

#include "segments.h"

struct segment_files_options {
    const char *directory;
    uint64_t bytes; /* of each segment */
    unsigned max; /* never more than so many */
    uint64_t disk_free_bytes; /* none is added when the file system has less */
    bool read_only; /* another process may write meanwhile */
};

enum segment_files_result {
    SEGMENT_FILES_OK,
    SEGMENT_FILES_MISSING, /* a segment is not there */
    SEGMENT_FILES_SHORT, /* one is shorter, or longer, than it was */
    SEGMENT_FILES_FAILED, /* the system refuses something */
};

enum { SEGMENT_FILES_ERROR_BYTES = 512 };

/* Make the first few segments, full of zeros and on the disk, SEGMENTS_MIN of them even where the
 * file system has no room for more; whatever had these names is gone. A sentence in `error` unless
 * all is well. */
enum segment_files_result segment_files_make(
    const struct segment_files_options *options, struct segments **segments, char *error);

/* Open the `count` that there are. */
enum segment_files_result segment_files_open(const struct segment_files_options *options,
    unsigned count, struct segments **segments, char *error);

/* Remove what else is called a segment: it was made and never named. */
void segment_files_tidy(struct segments *segments);

/* Does any block of what is called a segment in this directory, whole or not, have what `is` looks
 * for? SEGMENT_FILES_OK or SEGMENT_FILES_FAILED. */
enum segment_files_result
segment_files_look(const char *directory, bool (*is)(const uint8_t *block, const void *context),
    const void *context, bool *found, char *error);

/* Is the one that was written last still where it was opened? Costs a system call. */
bool segment_files_are_there(struct segments *segments);

#endif
