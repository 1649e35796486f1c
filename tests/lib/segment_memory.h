/* Segments of a journal in memory, on a disk that forgets what was not flushed: each sector of 512
 * bytes that was written since the last flush of its segment may be lost on its own. */
#ifndef SEGMENT_MEMORY_H
#define SEGMENT_MEMORY_H

#include "segments.h"

/* Full of zeros. grow() makes one more, up to `max`, which is there at its next call. */
struct segments *segment_memory_new(unsigned count, unsigned max, uint64_t bytes);
void segment_memory_free(struct segments **segments);

/* Power is lost: of each unflushed sector `stays` is asked whether it is on the disk. What was to
 * fail does not any more. */
void segment_memory_crash(struct segments *segments, bool (*stays)(void *context), void *context);
/* The write or flush after the next `n` fails, and all from then on. What a failed write wrote may
 * be there after a crash. */
void segment_memory_fail(struct segments *segments, unsigned n);
void segment_memory_spare(struct segments *segments);
/* Flushes that say that they are done and are not. */
void segment_memory_lazy(struct segments *segments, bool lazy);

uint8_t *segment_memory_bytes(struct segments *segments, unsigned number);

#endif
