/* How queues do, and what is next in them: LIST_FIGURES, FIGURES and PEEK. */
#include "message_fields.h"

enum list_figures_key {
    LIST_FIGURES_CURSOR = 2,
    LIST_FIGURES_QUEUES = 3,
    LIST_FIGURES_PARTS = 4,
};

/* A queue's name, or how names begin and `*`. */
static struct slice
read_pattern(struct decoding *d)
{
    struct slice text = pack_text(&d->r), name = text;
    bool open = text.size > 0 && text.data[text.size - 1] == '*';
    name.size -= open;
    if (!d->r.bad && !(open && name.size == 0) && !name_is_valid(name))
        decoding_complain(
            d, STINT_BAD_NAME, "queues are a name of one, or how names begin, and `*`");
    return text;
}

void
list_figures_field(struct decoding *d, uint64_t key)
{
    switch (key) {
    case LIST_FIGURES_CURSOR:
        d->m->list_figures.cursor = pack_bytes(&d->r);
        break;
    case LIST_FIGURES_QUEUES:
        d->m->list_figures.queues = read_pattern(d);
        break;
    case LIST_FIGURES_PARTS:
        d->m->list_figures.parts = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    default:
        pack_skip(&d->r);
    }
}

void
message_put_list_figures(struct pack_buffer *b, uint64_t number, struct slice queues,
    uint32_t parts, struct slice cursor)
{
    put_head_numbered(
        b, MESSAGE_LIST_FIGURES, 1U + (cursor.size > 0) + (queues.size > 0) + (parts != 0), number);
    if (cursor.size)
        put_key_bytes(b, LIST_FIGURES_CURSOR, cursor.data, cursor.size);
    if (queues.size)
        put_key_text(b, LIST_FIGURES_QUEUES, queues);
    if (parts)
        pack_put_key_uint(b, LIST_FIGURES_PARTS, parts);
}

enum figures_key {
    FIGURES_QUEUE = 1,
    FIGURES_TOTALS = 2,
    FIGURES_RATES = 3,
    FIGURES_JOBS = 4,
    FIGURES_WORKERS = 5,
    FIGURES_OLDEST = 6,
    FIGURES_PAUSED = 7,
    FIGURES_CLOSED = 8,
    FIGURES_KINDS = 9,
    FIGURES_PRIORITIES = 10,
    FIGURES_WAIT = 11,
    FIGURES_RUN = 12,
};
/* Of how long something took: count, sum, recent, p50, p90, p99, max. */
enum { TIMES_NUMBERS = 7 };

/* Numbers that we do not know are skipped, those that are lacking are 0. */
static void
read_numbers(struct pack_reader *r, uint64_t *numbers, uint32_t count)
{
    uint32_t elements = pack_array(r);
    for (uint32_t i = 0; i < elements && !r->bad; i++) {
        uint64_t number = pack_uint(r);
        if (i < count)
            numbers[i] = number;
    }
}

static void
put_numbers(struct pack_buffer *b, const uint64_t *numbers, uint32_t count)
{
    pack_put_array(b, count);
    for (uint32_t i = 0; i < count; i++)
        pack_put_uint(b, numbers[i]);
}

static void
read_times(struct pack_reader *r, struct stint_times *t)
{
    uint64_t n[TIMES_NUMBERS] = {0};
    read_numbers(r, n, TIMES_NUMBERS);
    *t = (struct stint_times){n[0], n[1], n[2], n[3], n[4], n[5], n[6], {0}};
}

static void
put_times(struct pack_buffer *b, const struct stint_times *t)
{
    const uint64_t n[TIMES_NUMBERS] = {
        t->count, t->sum_ms, t->recent, t->p50_ms, t->p90_ms, t->p99_ms, t->max_ms};
    put_numbers(b, n, TIMES_NUMBERS);
}

static void
skip_rest(struct pack_reader *r, uint32_t known, uint32_t elements)
{
    r->bad |= elements < known;
    for (uint32_t i = known; i < elements && !r->bad; i++)
        pack_skip(r);
}

static void
read_kinds(struct message_arrays *arrays)
{
    struct pack_reader *r = &arrays->items.r;
    uint32_t count = pack_array(r);
    r->bad |= count > FIGURES_KINDS_MAX;
    for (uint32_t i = 0; i < count && !r->bad; i++) {
        struct stint_kind_figures *k = &arrays->measured.kinds[i];
        uint32_t elements = pack_array(r);
        *k = (struct stint_kind_figures){.kind = ""};
        slice_to_text(k->kind, sizeof k->kind, pack_text(r));
        read_times(r, &k->wait);
        read_times(r, &k->run);
        skip_rest(r, 3, elements);
    }
    arrays->measured.figures.kinds = arrays->measured.kinds;
    arrays->measured.figures.kinds_count = r->bad ? 0 : count;
}

static void
read_priorities(struct message_arrays *arrays)
{
    struct pack_reader *r = &arrays->items.r;
    uint32_t count = pack_array(r);
    r->bad |= count > 256;
    for (uint32_t i = 0; i < count && !r->bad; i++) {
        struct stint_priority_figures *p = &arrays->measured.priorities[i];
        uint32_t elements = pack_array(r);
        p->priority = (uint8_t)pack_uint_max(r, UINT8_MAX);
        decoding_states(r, p->jobs);
        skip_rest(r, 2, elements);
    }
    arrays->measured.figures.priorities = arrays->measured.priorities;
    arrays->measured.figures.priorities_count = r->bad ? 0 : count;
}

static void
figures_field(struct message_arrays *arrays, uint64_t key)
{
    struct pack_reader *r = &arrays->items.r;
    struct stint_figures *f = &arrays->measured.figures;
    switch (key) {
    case FIGURES_QUEUE:
        slice_to_text(f->queue, sizeof f->queue, pack_text(r));
        break;
    case FIGURES_TOTALS:
        read_numbers(r, f->totals, STINT_COUNTS);
        break;
    case FIGURES_RATES: {
        uint32_t rates = pack_array(r);
        r->bad |= rates < STINT_RATES;
        for (uint32_t i = 0; i < STINT_RATES && !r->bad; i++)
            read_numbers(r, f->rates[i], STINT_COUNTS);
        skip_rest(r, STINT_RATES, rates);
        break;
    }
    case FIGURES_JOBS:
        decoding_states(r, f->jobs);
        break;
    case FIGURES_WORKERS:
        f->workers = (uint32_t)pack_uint_max(r, UINT32_MAX);
        break;
    case FIGURES_OLDEST:
        f->oldest_ready_ms = pack_uint(r);
        break;
    case FIGURES_PAUSED:
        f->paused = pack_bool(r);
        break;
    case FIGURES_CLOSED:
        f->closed = pack_bool(r);
        break;
    case FIGURES_KINDS:
        read_kinds(arrays);
        break;
    case FIGURES_PRIORITIES:
        read_priorities(arrays);
        break;
    case FIGURES_WAIT:
        read_times(r, &f->wait);
        break;
    case FIGURES_RUN:
        read_times(r, &f->run);
        break;
    default:
        pack_skip(r);
    }
}

bool
message_next_figures(struct message_arrays *arrays)
{
    struct pack_reader *r = &arrays->items.r;
    int64_t last = -1;
    arrays->measured.figures = (struct stint_figures){.queue = ""};
    for (uint32_t n = pack_map(r); n > 0 && !r->bad; n--)
        figures_field(arrays, pack_key(r, &last));
    return !r->bad;
}

static void
put_kinds(struct pack_buffer *b, const struct stint_figures *f)
{
    put_key_array(b, FIGURES_KINDS, (uint32_t)f->kinds_count);
    for (size_t i = 0; i < f->kinds_count; i++) {
        pack_put_array(b, 3);
        pack_put_string(b, f->kinds[i].kind);
        put_times(b, &f->kinds[i].wait);
        put_times(b, &f->kinds[i].run);
    }
}

static void
put_priorities(struct pack_buffer *b, const struct stint_figures *f)
{
    put_key_array(b, FIGURES_PRIORITIES, (uint32_t)f->priorities_count);
    for (size_t i = 0; i < f->priorities_count; i++) {
        pack_put_array(b, 2);
        pack_put_uint(b, f->priorities[i].priority);
        put_numbers(b, f->priorities[i].jobs, STINT_STATES);
    }
}

void
message_put_figures(struct pack_buffer *b, const struct stint_figures *f)
{
    pack_put_map(b,
        5U + (f->oldest_ready_ms != 0) + f->paused + f->closed + (f->kinds_count > 0) +
            (f->priorities_count > 0) + 2U * (f->kinds_count > 0));
    put_key_string(b, FIGURES_QUEUE, f->queue);
    put_key(b, FIGURES_TOTALS);
    put_numbers(b, f->totals, STINT_COUNTS);
    put_key_array(b, FIGURES_RATES, STINT_RATES);
    for (unsigned i = 0; i < STINT_RATES; i++)
        put_numbers(b, f->rates[i], STINT_COUNTS);
    put_states(b, FIGURES_JOBS, f->jobs);
    pack_put_key_uint(b, FIGURES_WORKERS, f->workers);
    if (f->oldest_ready_ms)
        pack_put_key_uint(b, FIGURES_OLDEST, f->oldest_ready_ms);
    if (f->paused)
        put_key_bool(b, FIGURES_PAUSED, true);
    if (f->closed)
        put_key_bool(b, FIGURES_CLOSED, true);
    if (f->kinds_count)
        put_kinds(b, f);
    if (f->priorities_count)
        put_priorities(b, f);
    if (f->kinds_count) {
        put_key(b, FIGURES_WAIT);
        put_times(b, &f->wait);
        put_key(b, FIGURES_RUN);
        put_times(b, &f->run);
    }
}

enum peek_key {
    PEEK_QUEUE = 2,
    PEEK_OFFSET = 3,
    PEEK_LIMIT = 4,
    PEEK_PARTS = 5,
    PEEK_CURSOR = 6,
};

void
peek_field(struct decoding *d, uint64_t key)
{
    switch (key) {
    case PEEK_QUEUE:
        d->m->peek.queue = decoding_name(d);
        break;
    case PEEK_OFFSET:
        d->m->peek.offset = pack_uint(&d->r);
        break;
    case PEEK_LIMIT:
        d->m->peek.limit = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case PEEK_PARTS:
        d->m->peek.parts = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case PEEK_CURSOR:
        d->m->peek.cursor = pack_bytes(&d->r);
        break;
    default:
        pack_skip(&d->r);
    }
}

void
message_put_peek(struct pack_buffer *b, uint64_t number, const struct message *m)
{
    put_head_numbered(b, MESSAGE_PEEK,
        2U + (m->peek.offset != 0) + (m->peek.limit != 0) + (m->peek.parts != 0) +
            (m->peek.cursor.size > 0),
        number);
    put_key_text(b, PEEK_QUEUE, m->peek.queue);
    if (m->peek.offset)
        pack_put_key_uint(b, PEEK_OFFSET, m->peek.offset);
    if (m->peek.limit)
        pack_put_key_uint(b, PEEK_LIMIT, m->peek.limit);
    if (m->peek.parts)
        pack_put_key_uint(b, PEEK_PARTS, m->peek.parts);
    if (m->peek.cursor.size)
        put_key_bytes(b, PEEK_CURSOR, m->peek.cursor.data, m->peek.cursor.size);
}
