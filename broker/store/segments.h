/* Where the bytes of a journal lie: segments of one size, numbered from 0, that were filled with
 * zeros once and are overwritten from then on, so that a write and a flush touch no metadata. The
 * journal knows no file; stintd's are segment_files.h, and the simulator brings its own.
 *
 * Every failure is final: whoever meets one ends.
 */
#ifndef SEGMENTS_H
#define SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct segments;

struct segments_ops {
    /* `at` and `size` are within the segment. Errors: false, with error() saying why. */
    bool (*read)(struct segments *segments, unsigned number, uint64_t at, uint8_t *to, size_t size);
    bool (*write)(
        struct segments *segments, unsigned number, uint64_t at, const uint8_t *from, size_t size);
    /* What was written to the segment is on the disk from here on. */
    bool (*flush)(struct segments *segments, unsigned number);
    /* There should be one more, some time: who calls does not wait for it, and asks again where
     * there is no room for it now. Errors: false, with error() saying why. */
    bool (*grow)(struct segments *segments);
    const char *(*error)(struct segments *segments);
    void (*destroy)(struct segments **segments);
};

struct segments {
    const struct segments_ops *ops;
    unsigned count; /* of those that are whole; may rise in grow() */
    uint64_t bytes; /* of each; a multiple of JOURNAL_BLOCK */
};

enum { SEGMENTS_MIN = 2, SEGMENTS_MAX = 64 };

#endif
