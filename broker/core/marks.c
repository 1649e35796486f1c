/* Marks of when outcomes expire; the contract is in marks.h. */
#include "marks.h"

bool
marks_have(struct store *store, const struct stint_id *id, uint64_t expires_ms)
{
    uint8_t key[TIME_KEY_BYTES];
    struct slice nothing;
    return store_get(store, STORE_EXPIRY, expiry_key(key, id, expires_ms), &nothing);
}

void
marks_put(struct core *core, struct level *level, const struct stint_id *id, uint64_t expires_ms)
{
    uint64_t slot = expiry_slot(expires_ms);
    struct stint_id first = expiry_first(id);
    if (level->expiry_mark == slot && level->expiry_block == id_sequence(&first))
        return;
    uint8_t key[TIME_KEY_BYTES];
    store_put(core->store, STORE_EXPIRY, expiry_key(key, id, expires_ms), (struct slice){0},
        (struct slice){0});
    level->expiry_mark = slot;
    level->expiry_block = id_sequence(&first);
    core->sweeps.expiry_ms = earlier(core->sweeps.expiry_ms, slot << EXPIRY_SLOT_SHIFT);
}
