/* What runs write while they run; the contract is in live.h. Whoever listens to a job watches it:
 * so it hears of all its runs until the job is settled. The worker of a run is asked to show what
 * that writes when somebody begins to listen, or when it is given a job to which somebody listens;
 * it tells where in all that was written each piece stands, so that whoever hears of it knows what
 * is new and what it has missed. Nothing is kept here, not even who has heard how much.
 */
#include "live.h"
#include "peers.h"

#include <stdlib.h>

static struct watch *
watch_of(struct core *core, const struct peer *peer, const struct stint_id *id)
{
    struct watch *w = fleet_watches(&core->fleet, id);
    while (w && w->peer != peer)
        w = w->next_same;
    return w;
}

static bool
is_listened_to(struct core *core, const struct stint_id *id)
{
    struct watch *w = core->fleet.watches ? fleet_watches(&core->fleet, id) : NULL;
    while (w && !w->output)
        w = w->next_same;
    return w != NULL;
}

void
live_leased_now(struct core *core, const struct lease *lease)
{
    struct step *s = &core->step;
    if (!lease->worker || !lease->worker->peer || !is_listened_to(core, &lease->id))
        return;
    if (s->shows_count == s->shows_size) {
        s->shows_size = s->shows_size ? 2 * s->shows_size : 64;
        s->shows = realloc(s->shows, s->shows_size * sizeof *s->shows);
        if (!s->shows)
            abort();
    }
    s->shows[s->shows_count++] = (struct shown){lease->worker->peer->number, lease->id};
}

void
live_listen(struct core *core, struct peer *peer, const struct stint_id *id, bool wants)
{
    struct watch *w = watch_of(core, peer, id);
    const struct lease *l;
    if (!w || w->output == wants)
        return;
    w->output = wants;
    core->fleet.pushed.listening += wants ? 1 : UINT64_MAX;
    l = wants ? fleet_lease(&core->fleet, id) : NULL;
    if (l)
        live_leased_now(core, l);
}

static void
put_show(struct core *core, uint32_t peer, const struct lease_ref *refs, uint32_t count)
{
    if (count == 0)
        return;
    message_put_leases(outbox_begin(core->step.out, peer), MESSAGE_SHOW, 0, refs, count, false);
    outbox_end(core->step.out);
}

/* Nobody listens to this run any more. */
static void
hide(struct core *core, const struct lease *l)
{
    const struct lease_ref ref = {.id = l->id, .attempt = l->attempt, .status = false};
    if (l->worker && l->worker->peer)
        put_show(core, l->worker->peer->number, &ref, 1);
}

static int
compare_shown(const void *left, const void *right)
{
    const struct shown *a = left, *b = right;
    return a->peer != b->peer ? (a->peer > b->peer) - (a->peer < b->peer)
                              : id_compare(&a->id, &b->id);
}

/* Each worker is asked for all of its runs at once, and once for each, however many listen. */
void
live_flush(struct core *core)
{
    struct step *s = &core->step;
    struct lease_ref *refs = core->scratch.decoded->leases;
    uint32_t count = 0;
    if (s->shows_count > 1)
        qsort(s->shows, s->shows_count, sizeof *s->shows, compare_shown);
    for (uint32_t i = 0; i < s->shows_count; i++) {
        const struct shown *shown = &s->shows[i], *before = i > 0 ? shown - 1 : NULL;
        const struct lease *l = fleet_lease(&core->fleet, &shown->id);
        if (before && (before->peer != shown->peer || count == LIMIT_JOBS)) {
            put_show(core, before->peer, refs, count);
            count = 0;
        }
        bool again = before && compare_shown(before, shown) == 0;
        if (!again && l && l->worker && l->worker->peer && l->worker->peer->number == shown->peer)
            refs[count++] = (struct lease_ref){.id = l->id, .attempt = l->attempt, .status = true};
    }
    if (s->shows_count > 0)
        put_show(core, s->shows[s->shows_count - 1].peer, refs, count);
    s->shows_count = 0;
}

/* What does not fit into a message is left out, from the begin on. */
static struct wrote
fitting(const struct core *core, const struct wrote *piece)
{
    struct wrote p = *piece;
    size_t most = core->options.message_bytes / 2,
           cut = p.text.size > most ? p.text.size - most : 0;
    if (cut > 0)
        p.text = (struct slice){p.text.data + cut, most};
    p.at += cut;
    return p;
}

/* Who does not read is told nothing, and misses it. */
static bool
tell(struct core *core, const struct wrote *whole)
{
    const struct wrote one = fitting(core, whole), *piece = &one;
    struct watch *w = core->fleet.watches ? fleet_watches(&core->fleet, &piece->id) : NULL;
    bool heard = false;
    for (; w; w = w->next_same) {
        heard |= w->output;
        if (!w->output || !peers_can_take(core, w->peer))
            continue;
        message_put_wrote(outbox_begin(core->step.out, w->peer->number), MESSAGE_OUTPUT, piece, 1);
        outbox_end(core->step.out);
    }
    return heard;
}

void
live_message(struct core *core, struct peer *peer, const struct message *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        const struct wrote *piece = &core->scratch.decoded->wrote[i];
        const struct lease *l = judgement_denies(&core->scratch.judgement, i)
            ? NULL
            : fleet_lease(&core->fleet, &piece->id);
        if (l && l->attempt == piece->attempt && l->worker == peer->worker && !tell(core, piece))
            hide(core, l);
    }
}
