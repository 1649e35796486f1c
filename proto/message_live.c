/* What runs write on standard error while they run, for who listens: WROTE from the worker, and
 * OUTPUT to those who do. SHOW, by which the worker is asked, is written as other leases are.
 */
#include "message_fields.h"

enum wrote_key {
    WROTE_PIECES = 2,
};

static void
read_piece(struct decoding *d, struct wrote *w)
{
    uint32_t elements = pack_array(&d->r);
    decoding_id(d, &w->id);
    w->attempt = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
    w->at = pack_uint(&d->r);
    w->text = pack_bytes(&d->r);
    if (!d->r.bad && w->text.size > LIMIT_WROTE_BYTES)
        decoding_complain(d, STINT_TOO_LARGE, "a piece of what a run writes is over 64 KiB");
    decoding_skip_rest(d, 4, elements);
}

void
wrote_field(struct decoding *d, uint64_t key)
{
    if (key != WROTE_PIECES) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 pieces in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++)
        read_piece(d, &d->arrays->wrote[i]);
}

void
message_put_wrote(
    struct pack_buffer *b, enum message_type type, const struct wrote *pieces, uint32_t count)
{
    put_head(b, type, 1);
    put_key_array(b, WROTE_PIECES, count);
    for (uint32_t i = 0; i < count; i++) {
        pack_put_array(b, 4);
        put_id(b, &pieces[i].id);
        pack_put_uint(b, pieces[i].attempt);
        pack_put_uint(b, pieces[i].at);
        pack_put_bytes(b, pieces[i].text.data, pieces[i].text.size);
    }
}
