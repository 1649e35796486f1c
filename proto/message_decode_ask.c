/* Decoders of the questions, their answers, and what is pushed: WAIT to EVENTS. */
#include "decoding.h"

/* WAIT, GET, CANCEL, RETRY: ids, and for the first two one option. */
void
ids_field(struct decoding *d, uint64_t key)
{
    if (key == 2)
        decoding_ids(d);
    else if (key == 3 && d->m->type == MESSAGE_WAIT)
        d->m->wait.results = pack_bool(&d->r);
    else if (key == 3 && d->m->type == MESSAGE_GET)
        d->m->get.parts = (uint32_t)decoding_ranged(d, 0, 3, "the parts are 0 to 3");
    else
        pack_skip(&d->r);
}

void
list_field(struct decoding *d, uint64_t key)
{
    switch (key) {
    case 2:
        d->m->list.queue = decoding_name(d);
        break;
    case 3:
        d->m->list.states = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case 4:
        d->m->list.kind = decoding_name(d);
        break;
    case 5:
        d->m->list.cursor = pack_bytes(&d->r);
        break;
    case 6:
        d->m->list.limit = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    default:
        pack_skip(&d->r);
    }
}

/* JOBS, OUTCOMES, QUEUES, WORKERS: the elements are read later, one at a time. */
void
items_field(struct decoding *d, uint64_t key)
{
    if (key == 2) {
        d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 elements in one message");
        d->room->items = d->r;
        for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++)
            pack_skip(&d->r);
    } else if (key == 3)
        d->m->page.cursor = pack_bytes(&d->r);
    else
        pack_skip(&d->r);
}

/* LIST_QUEUES, LIST_WORKERS: where the page begins. */
void
cursor_field(struct decoding *d, uint64_t key)
{
    if (key == 2)
        d->m->page.cursor = pack_bytes(&d->r);
    else
        pack_skip(&d->r);
}

void
answers_field(struct decoding *d, uint64_t key)
{
    if (key != 2) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 answers in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++)
        d->room->statuses[i] = (uint32_t)pack_uint_max(&d->r, UINT16_MAX);
}

void
stats_field(struct decoding *d, uint64_t key)
{
    struct stint_stats *s = &d->m->stats;
    uint64_t n = 2;
#define X(field) \
    if (key == n++) { \
        s->field = pack_uint(&d->r); \
        return; \
    }
    STINT_STATS_FIELDS(X)
#undef X
    if (key == 64) {
        uint32_t states = pack_array(&d->r);
        for (uint32_t i = 0; i < states && !d->r.bad; i++) {
            uint64_t value = pack_uint(&d->r);
            if (i < STINT_STATES)
                s->jobs[i] = value;
        }
    } else
        pack_skip(&d->r);
}

void
subscribe_field(struct decoding *d, uint64_t key)
{
    switch (key) {
    case 2:
        d->m->subscribe.queue = decoding_name(d);
        break;
    case 3:
        d->m->subscribe.events = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case 4:
        decoding_ids(d);
        break;
    default:
        pack_skip(&d->r);
    }
}

void
events_field(struct decoding *d, uint64_t key)
{
    if (key != 2) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 events in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++) {
        struct stint_event *e = &d->room->events[i];
        uint32_t elements = pack_array(&d->r);
        e->type = (enum stint_event_type)pack_uint_max(&d->r, UINT16_MAX);
        decoding_id(d, &e->id);
        e->at_ms = pack_uint(&d->r);
        e->count = pack_uint(&d->r);
        slice_to_text(e->queue, sizeof e->queue, pack_text(&d->r));
        decoding_skip_rest(d, 5, elements);
    }
}
