/* LIST_FIGURES: the figures of all queues, of one, or of those whose names begin alike; in pages,
 * each of which reads so much of histograms and levels as a page of another list reads rows. Of
 * queues that the peer may not see nothing is read.
 */
#include "show_figures.h"
#include "backlog.h"
#include "reply.h"
#include "sight.h"
#include "tally.h"

enum {
    ROWS_A_PAGE = 8192,
    SERIES_ROWS = 32, /* reading one costs as much as so many rows */
    CURSOR_BYTES = 8, /* number of the next queue */
};

/* What one queue's element needs, beside its figures. */
struct parts {
    struct stint_kind_figures kinds[KINDS_KEPT + 1];
    struct stint_priority_figures priorities[256];
};

static void
add_kinds(const struct figures *f, struct stint_figures *info, struct parts *parts)
{
    struct timing wait = {.count = 0}, run = {.count = 0};
    for (unsigned i = 0; i < f->series_count; i++) {
        const struct series *s = f->series[i];
        struct stint_kind_figures *k = &parts->kinds[i];
        *k = (struct stint_kind_figures){.kind = ""};
        memcpy(k->kind, s->kind, s->kind_bytes);
        timing_tell(&s->wait, &k->wait);
        timing_tell(&s->run, &k->run);
        timing_add_all(&wait, &s->wait);
        timing_add_all(&run, &s->run);
    }
    timing_tell(&wait, &info->wait);
    timing_tell(&run, &info->run);
    info->kinds = parts->kinds;
    info->kinds_count = f->series_count;
}

static bool
is_used(const struct level *level)
{
    bool any = false;
    for (unsigned s = STINT_READY; s < STINT_STATES; s++)
        any |= level->jobs[s] > 0;
    return any;
}

static void
add_priorities(const struct queue *q, struct stint_figures *info, struct parts *parts)
{
    info->priorities = parts->priorities;
    for (uint32_t l = 0; l < q->levels_count; l++) {
        if (!is_used(q->levels[l]))
            continue;
        struct stint_priority_figures *p = &parts->priorities[info->priorities_count++];
        p->priority = q->levels[l]->priority;
        memcpy(p->jobs, q->levels[l]->jobs, sizeof p->jobs);
    }
}

static void
put_queue(struct core *core, struct queue *q, uint32_t wanted)
{
    struct parts parts;
    struct stint_figures info = {.workers = queue_workers(q),
        .paused = q->set.paused,
        .closed = q->set.closed,
        .oldest_ready_ms = backlog_oldest_ready_ms(core, q)};
    memcpy(info.queue, q->name, sizeof info.queue);
    for (uint32_t l = 0; l < q->levels_count; l++)
        for (unsigned s = 0; s < STINT_STATES; s++)
            info.jobs[s] += q->levels[l]->jobs[s];
    book_totals(q, info.totals);
    if (q->past.figures) {
        tally_roll(core, q);
        figures_rates(q->past.figures, info.totals, core->clocks.now_ms % FIGURES_SLOT_MS,
            core->clocks.now_ms - core->clocks.started_ms, info.rates);
    }
    if (q->past.figures && (wanted & STINT_FIGURES_KINDS)) {
        add_kinds(q->past.figures, &info, &parts);
        core->step.listed += SERIES_ROWS * info.kinds_count;
    }
    if (wanted & STINT_FIGURES_PRIORITIES)
        add_priorities(q, &info, &parts);
    message_put_figures(&core->scratch.page, &info);
}

static bool
is_asked_for(const struct message *m, const struct queue *q)
{
    struct slice name = {(const uint8_t *)q->name, q->name_bytes};
    return m->list_figures.queues.size == 0 || pattern_matches(m->list_figures.queues, name);
}

/* False if it is none, and the peer was told so. */
static bool
read_cursor(struct core *core, struct peer *peer, const struct message *m, uint64_t *number)
{
    struct slice given = m->list_figures.cursor;
    *number = given.size == CURSOR_BYTES ? get_be(given.data, CURSOR_BYTES) : 0;
    if (given.size == 0 || (given.size == CURSOR_BYTES && *number <= UINT32_MAX))
        return true;
    reply_refuse(core, peer->number, m, STINT_INVALID, "this cursor was not given by a list");
    return false;
}

void
show_figures(struct core *core, struct peer *peer, const struct message *m)
{
    uint8_t cursor[CURSOR_BYTES];
    struct slice next = {0};
    uint32_t count = 0;
    uint64_t number, rows = rows_a_page(core, ROWS_A_PAGE), begin = core->step.listed;
    if (!read_cursor(core, peer, m, &number))
        return;
    reply_page_begin(core);
    struct queue *q = sight_queue_from(core, peer, number);
    for (; q && !next.size; q = sight_queue_behind(core, peer, q)) {
        if (count == LIMIT_JOBS || core->scratch.page.used > page_bytes(core) ||
            core->step.listed - begin >= rows) {
            put_be(cursor, q->number, CURSOR_BYTES);
            next = (struct slice){cursor, CURSOR_BYTES};
            continue;
        }
        core->step.listed++;
        if (!is_asked_for(m, q))
            continue;
        put_queue(core, q, m->list_figures.parts);
        count++;
    }
    reply_page_send(core, peer, MESSAGE_FIGURES, m->number, count, next);
}
