/* Large bodies in parts; the layout of one is told in rows.h. */
#include "parts.h"

void
parts_put(struct core *core, const struct stint_id *id, uint32_t part, struct slice body)
{
    uint8_t key[PART_KEY_BYTES], head[ROW_PART_BYTES];
    for (; body.size > 0; part++) {
        struct slice piece = {body.data, earlier(body.size, PART_BYTES)};
        store_put(core->store, STORE_PARTS, part_key(key, id, part),
            row_part_write(head, id, part, piece), piece);
        core->step.written_bytes += piece.size + ROW_OVERHEAD_BYTES;
        body.data += piece.size;
        body.size -= piece.size;
    }
}

void
parts_del(struct core *core, const struct stint_id *id, uint32_t part)
{
    uint8_t key[PART_KEY_BYTES];
    while (store_del(core->store, STORE_PARTS, part_key(key, id, part)))
        part++;
}

bool
part_read(struct store *store, const struct stint_id *id, uint32_t part, struct slice *piece)
{
    uint8_t key[PART_KEY_BYTES];
    struct slice value;
    return store_get(store, STORE_PARTS, part_key(key, id, part), &value) &&
        row_part_read(id, part, value, piece);
}

bool
parts_read(struct core *core, const struct stint_id *id, uint32_t part, size_t size,
    struct pack_buffer *whole)
{
    whole->used = 0;
    for (; whole->used < size; part++) {
        struct slice piece;
        if (!part_read(core->store, id, part, &piece) || piece.size > size - whole->used)
            return false;
        memcpy(pack_reserve(whole, piece.size), piece.data, piece.size);
    }
    return true;
}
