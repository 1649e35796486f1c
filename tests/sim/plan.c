/* Plans; the contract is in plan.h. */
#include "plan.h"
#include "broker.h"
#include "made_zone.h"

static void
make_world(struct plan *p, struct chance *c)
{
    struct load *l = &p->load;
    struct core_options *o = &p->options;
    l->clients = (unsigned)chance_between(c, 1, CLIENTS_MAX);
    l->workers = (unsigned)chance_between(c, 1, WORKERS_MAX);
    l->queues = (unsigned)chance_between(c, 1, 3);
    l->submissions = (unsigned)chance_between(c, 2, 16);
    l->jobs_most = (unsigned)chance_between(c, 1, 12);
    l->unlucky = (unsigned)chance_between(c, 0, 25);
    l->slow = chance_in_100(c, 35) ? 60 : 4;
    l->large = chance_in_100(c, 30) ? 20 : 0;
    l->brief = chance_in_100(c, 40);
    l->eager = 20;
    if (chance_in_100(c, 30)) { /* many small ones, of which several are on their way */
        l->eager = 90;
        l->submissions *= 4;
        l->jobs_most = 1 + l->jobs_most / 6;
    }
    l->far_us = chance_in_100(c, 30) ? 150 * US_A_MS : 0;
    core_options_init(o);
    if (l->brief) {
        o->keep_ms = 20000;
        o->keep_dead_ms = 40000;
    }
    if (chance_in_100(c, 20)) {
        o->heartbeat_ms = 200;
        o->lost_ms = 1000;
        o->grace_ms = 1500;
    }
    if (chance_in_100(c, 15))
        o->max.queue_backlog = chance_between(c, l->jobs_most > 5 ? l->jobs_most : 5, 40);
    o->message_bytes = 16384; /* small loads are to meet this limit, too */
    if (chance_in_100(c, 30)) { /* peers have to show often that they read; one does not */
        o->unread_bytes = chance_between(c, 4000, 64000);
        o->answers_bytes = 65536;
        l->greedy = chance_in_100(c, 60);
    }
    l->kinds = chance_in_100(c, 40) ? 3 : 1;
    l->killers = chance_in_100(c, 30) ? 5 : 0;
    l->picky = chance_in_100(c, 30) ? 20 : 0;
    l->keyed = chance_in_100(c, 40) ? 30 : 0;
    if (chance_in_100(c, 10)) { /* who comes when others have left is served */
        o->max.sessions = (uint32_t)chance_between(c, 1, l->clients);
        l->full = true;
    }
    l->keys = chance_in_100(c, 40);
    l->ruled = chance_in_100(c, 40);
    l->linked = chance_in_100(c, 50) ? 25 : 0;
    l->bringing = chance_in_100(c, 50) ? 15 : 0;
    l->needy = chance_in_100(c, 50) ? 40 : 0;
    l->grouped = chance_in_100(c, 50) ? 20 + (unsigned)chance_below(c, 81) : 0;
    l->ticks = chance_in_100(c, 50) && o->max.queue_backlog == 0;
    l->batched = chance_in_100(c, 60) && o->max.queue_backlog == 0 ? 60 : 0;
    o->zone = made_zone;
}

static void
make_fault(const struct plan *p, struct fault *f, struct chance *c)
{
    f->kind = (enum fault_kind)chance_below(c, FAULT_KINDS);
    f->at_us = chance_below(c, p->end_us);
    f->us = chance_skewed(c, 20 * US_A_SECOND);
    f->who = (unsigned)chance_below(c, p->load.clients + p->load.workers);
    f->with = chance_next(c);
    /* Often just long enough that a worker is lost and comes back with what it did meanwhile. */
    if ((f->kind == FAULT_CUT || f->kind == FAULT_PAUSE_PEER) && chance_in_100(c, 60))
        f->us = chance_between(c, p->options.lost_ms, 3ULL * p->options.lost_ms) * US_A_MS;
    if (f->kind == FAULT_WILD && chance_in_100(c, 60))
        f->kind = FAULT_KILL_BROKER;
}

void
plan_make(struct plan *p, uint64_t seed)
{
    struct chance world = chance_of(seed, 1), faults = chance_of(seed, 2);
    *p = (struct plan){.seed = seed};
    make_world(p, &world);
    p->end_us = chance_between(&faults, 2, 60) * US_A_SECOND;
    p->count = (unsigned)chance_below(&faults, 25);
    struct fault f = {.kind = FAULT_KINDS};
    for (unsigned i = 0; i < p->count; i++) {
        unsigned at = i;
        bool breaks = f.kind == FAULT_SLOW && chance_in_100(&faults, 50);
        uint64_t slow_us = f.at_us + chance_below(&faults, f.us + 1);
        unsigned who = f.who;
        make_fault(p, &f, &faults);
        if (breaks) { /* with much on its way */
            f.kind = chance_in_100(&faults, 50) ? FAULT_BREAK : FAULT_BRITTLE;
            f.at_us = slow_us;
            f.who = who;
        }
        for (; at > 0 && p->faults[at - 1].at_us > f.at_us; at--)
            p->faults[at] = p->faults[at - 1];
        p->faults[at] = f;
    }
}

static void
weaken(struct process *p, const struct fault *f)
{
    uint64_t until_us = world_us() + f->us;
    unsigned ways = (unsigned)(f->with % 3);
    switch (f->kind) {
    case FAULT_BREAK:
        network_break(p);
        break;
    case FAULT_CUT:
        network_cut(p, ways != 1, ways != 2, f->us);
        break;
    case FAULT_SLOW:
        p->weather.slow_until_us = until_us;
        p->weather.slow_us = 1 + f->with % US_A_SECOND;
        break;
    case FAULT_BRITTLE:
        p->weather.brittle_until_us = until_us;
        p->weather.brittle_percent = (unsigned)(1 + f->with % 30);
        break;
    case FAULT_WILD:
        sim_wild = true;
        p->weather.wild_until_us = until_us;
        p->weather.wild_percent = (unsigned)(1 + f->with % 50);
        break;
    default: /* FAULT_PAUSE_PEER */
        p->paused_until_us = until_us;
    }
}

void
plan_apply(const struct fault *f)
{
    figures.faults++;
    sim_trace("fault: %s", plan_text(f));
    switch (f->kind) {
    case FAULT_KILL_BROKER:
        broker_kill(f->us);
        break;
    case FAULT_FAIL_COMMIT:
        broker_fail_commit((enum commit_fault)(f->with % 3), f->us);
        break;
    case FAULT_PAUSE_BROKER:
        broker_pause(f->us);
        break;
    case FAULT_SLOW_DISK:
        broker_slow_disk(world_us() + f->us, 1 + f->with % (2 * US_A_SECOND));
        break;
    case FAULT_SET_CLOCK:
        broker_set_clock(f->with % 7 == 0
                ? (int64_t)(f->with / 7 % 20 - 10) * 365 * 86400000 /* by years */
                : (int64_t)(f->with % 20000) - 10000);
        break;
    case FAULT_FULL_STORE:
        broker_set_room(f->with % 2 ? 0 : f->with % 2000);
        break;
    case FAULT_KILL_PEER:
        peers_kill(f->who, f->us);
        break;
    case FAULT_STOP_WORKER:
        peers_stop_worker(f->who, f->us);
        break;
    default:
        weaken(peers_process(f->who), f);
    }
}

void
plan_heal(const struct plan *p)
{
    sim_trace("faults stop");
    for (unsigned i = 0; i < p->load.clients + p->load.workers; i++) {
        struct process *process = peers_process(i);
        bool wild = process->weather.wild_until_us > 0;
        process->weather = (struct weather){0};
        process->paused_until_us = 0;
        if (wild) /* frames that TCP would not lose may be lost: only a new connection helps */
            network_break(process);
    }
    broker_process()->paused_until_us = 0;
    broker_slow_disk(0, 0);
    broker_set_room(UINT64_MAX);
    peers_calm();
}

const char *
plan_text(const struct fault *f)
{
    static const char *const kinds[] = {"the broker is killed", "a commit fails",
        "the broker stands still", "the disk is slow", "the wall clock is set", "the store is full",
        "a peer is killed", "a worker is stopped", "a peer stands still", "a connection breaks",
        "a peer is cut off", "a connection is slow", "a connection breaks again and again",
        "frames come twice and out of order"};
    static char text[128];
    (void)snprintf(text, sizeof text, "at %.3f s %s (peer %u, %.3f s)", (double)f->at_us / 1e6,
        kinds[f->kind], f->who, (double)f->us / 1e6);
    return text;
}
