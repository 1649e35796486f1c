/* Large bodies, which stand in parts of their own beside the job's record. They go by the job's id.
 */
#ifndef PARTS_H
#define PARTS_H

#include "state.h"

/* From this part on. */
void parts_put(struct core *core, const struct stint_id *id, uint32_t part, struct slice body);
/* All from this part on, as far as they stand in a row. */
void parts_del(struct core *core, const struct stint_id *id, uint32_t part);
/* A piece as it is stored, checked. */
bool part_read(struct store *store, const struct stint_id *id, uint32_t part, struct slice *piece);
/* Puts `size` bytes together from the parts that begin with `part`. False if one is missing or
 * damaged. */
bool parts_read(struct core *core, const struct stint_id *id, uint32_t part, size_t size,
    struct pack_buffer *whole);

#endif
