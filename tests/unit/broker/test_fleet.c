/* The fleet beside a small model of it: whatever comes and goes in whatever order, who is found,
 * who holds what, and every count are what a list of it all says.
 */
#include "dice.h"
#include "fleet.h"
#include "world.h"

#include <stdlib.h>

enum { PEERS = 12, WORKERS = 9, QUEUES = 4, KINDS = 3, JOBS = 40, SUBSCRIPTIONS = 10 };
enum { STEPS = 20000, NOBODY = -1, ORPHAN = -2 };

static const char *const queue_names[QUEUES] = {"north", "east", "south", "west"};
static const char *const kind_names[KINDS] = {"", "red", "green"}; /* the first: all kinds */

struct model_worker {
    bool there;
    unsigned queues; /* bits */
    unsigned kinds;
    bool by_prefix;
    int draining;
    uint32_t slots;
};

struct model_lease {
    int worker; /* or NOBODY: there is no such lease; or ORPHAN */
    bool begun, suspect, grave;
};

struct model_subscription {
    struct subscription *there;
    int peer, queue;
    unsigned ids;
};

struct model {
    struct dice dice;
    struct store *store;
    struct book book;
    struct fleet fleet;
    struct queue *queues[QUEUES];
    bool peers[PEERS];
    int watches[PEERS][JOBS]; /* 0: none; 1: without result; 2: with it */
    struct model_worker workers[WORKERS];
    struct model_lease leases[JOBS];
    struct model_subscription subscriptions[SUBSCRIPTIONS];
};

static uint8_t *
session(unsigned n)
{
    static uint8_t bytes[SESSION_BYTES];
    memset(bytes, 0, sizeof bytes);
    bytes[0] = 0xee;
    bytes[9] = (uint8_t)(n + 1);
    return bytes;
}

static struct stint_id
id_of(unsigned n)
{
    return id_make(1, 1, 100, n + 1);
}

/* Peers have numbers far apart, so that the table of them has to grow. */
static uint32_t
number_of(unsigned p)
{
    return p * 37;
}

/* ---- what happens ---- */

static void
peer_comes_or_goes(struct model *m)
{
    unsigned p = dice_roll(&m->dice, PEERS);
    if (!m->peers[p]) {
        struct peer *peer = fleet_peer_add(&m->fleet, number_of(p), session(100 + p));
        assert_int_equal(peer->number, number_of(p));
        m->peers[p] = true;
        return;
    }
    fleet_peer_remove(&m->fleet, fleet_peer(&m->fleet, number_of(p)));
    m->peers[p] = false;
    memset(m->watches[p], 0, sizeof m->watches[p]);
    for (unsigned s = 0; s < SUBSCRIPTIONS; s++)
        if (m->subscriptions[s].there && m->subscriptions[s].peer == (int)p)
            m->subscriptions[s].there = NULL;
}

/* By how their names begin, or by all of it. */
static unsigned
serve_by_prefix(struct model *m, unsigned w, unsigned bits, unsigned kinds)
{
    static const char *const prefixes[QUEUES] = {"n*", "east*", "s*", "*"};
    struct slice name = {(const uint8_t *)kind_names[kinds], strlen(kind_names[kinds])};
    struct pool_terms terms = {.names_count = 0};
    for (unsigned q = 0; q < QUEUES; q++)
        if (bits >> q & 1)
            terms.prefixes[terms.prefixes_count++] =
                (struct slice){(const uint8_t *)prefixes[q], strlen(prefixes[q])};
    terms.names[terms.names_count++] =
        (struct slice){(const uint8_t *)queue_names[0], strlen(queue_names[0])};
    pool_terms_reduce(&terms);
    assert_true(fleet_worker_serve_by_prefix(
        &m->fleet, &m->book, fleet_worker(&m->fleet, session(w)), &terms, &name, kinds ? 1 : 0));
    return bits >> (QUEUES - 1) & 1 ? (1 << QUEUES) - 1 : bits | 1;
}

static void
serve(struct model *m, unsigned w)
{
    struct queue *queues[QUEUES];
    uint32_t count = 0;
    unsigned bits = dice_roll(&m->dice, 1 << QUEUES), kinds = dice_roll(&m->dice, KINDS);
    struct slice name = {(const uint8_t *)kind_names[kinds], strlen(kind_names[kinds])};
    m->workers[w].kinds = kinds;
    m->workers[w].draining = NOBODY;
    m->workers[w].by_prefix = dice_once_in(&m->dice, 2);
    if (m->workers[w].by_prefix) {
        m->workers[w].queues = serve_by_prefix(m, w, bits, kinds);
        return;
    }
    for (unsigned q = 0; q < QUEUES; q++)
        if (bits >> q & 1)
            queues[count++] = m->queues[q];
    fleet_worker_serve(
        &m->fleet, fleet_worker(&m->fleet, session(w)), queues, count, &name, kinds ? 1 : 0);
    m->workers[w].queues = bits;
}

static void
worker_comes_or_goes(struct model *m)
{
    unsigned w = dice_roll(&m->dice, WORKERS);
    struct model_worker *mine = &m->workers[w];
    if (!mine->there) {
        struct worker *worker = fleet_worker_add(&m->fleet, session(w));
        worker->slots = mine->slots = 1 + dice_roll(&m->dice, 9);
        m->fleet.slots += worker->slots;
        mine->there = true;
        serve(m, w);
        return;
    }
    for (unsigned j = 0; j < JOBS; j++)
        if (m->leases[j].worker == (int)w) {
            struct stint_id id = id_of(j);
            fleet_lease_remove(&m->fleet, fleet_lease(&m->fleet, &id));
            m->leases[j].worker = NOBODY;
        }
    fleet_worker_remove(&m->fleet, fleet_worker(&m->fleet, session(w)));
    *mine = (struct model_worker){.draining = NOBODY};
}

static void
worker_changes(struct model *m)
{
    unsigned w = dice_roll(&m->dice, WORKERS);
    if (!m->workers[w].there)
        return;
    if (dice_once_in(&m->dice, 2)) {
        serve(m, w);
        return;
    }
    int q = (int)dice_roll(&m->dice, QUEUES + 1) - 1;
    fleet_worker_drain(fleet_worker(&m->fleet, session(w)), q < 0 ? NULL : m->queues[q]);
    m->workers[w].draining = q < 0 ? NOBODY : q;
}

static struct worker *
any_worker(struct model *m, int *which)
{
    *which = (int)dice_roll(&m->dice, WORKERS);
    return m->workers[*which].there ? fleet_worker(&m->fleet, session((unsigned)*which)) : NULL;
}

static void
lease_comes_or_moves(struct model *m)
{
    int which;
    unsigned j = dice_roll(&m->dice, JOBS);
    struct model_lease *mine = &m->leases[j];
    struct stint_id id = id_of(j);
    struct worker *worker = any_worker(m, &which);
    struct lease *lease = fleet_lease(&m->fleet, &id);
    if (!lease) {
        lease = fleet_lease_add(&m->fleet, &id, &id, j + 7, worker);
        *mine = (struct model_lease){.worker = worker ? which : ORPHAN};
        assert_false(lease->begun || lease->suspect || lease->grave || lease->refusers);
        lease->refusers = refusers_add(lease->refusers, session(1));
        lease->refusers = refusers_add(lease->refusers, session(2));
    } else if (mine->worker == ORPHAN && worker) {
        fleet_lease_adopt(&m->fleet, lease, worker);
        mine->worker = which;
    } else if (!mine->begun && dice_once_in(&m->dice, 2)) {
        fleet_lease_begin(lease);
        mine->begun = true;
    } else {
        mine->suspect = true;
        mine->grave = dice_once_in(&m->dice, 2);
        fleet_lease_suspect(lease, mine->grave);
    }
}

static void
lease_goes(struct model *m)
{
    unsigned j = dice_roll(&m->dice, JOBS);
    struct stint_id id = id_of(j);
    if (m->leases[j].worker == NOBODY)
        return;
    fleet_lease_remove(&m->fleet, fleet_lease(&m->fleet, &id));
    m->leases[j].worker = NOBODY;
}

static void
watch_comes_or_goes(struct model *m)
{
    unsigned p = dice_roll(&m->dice, PEERS), j = dice_roll(&m->dice, JOBS);
    struct stint_id id = id_of(j);
    struct watch *first = fleet_watches(&m->fleet, &id);
    if (first && dice_once_in(&m->dice, 8)) {
        fleet_watches_end(&m->fleet, first);
        for (p = 0; p < PEERS; p++)
            m->watches[p][j] = 0;
    } else if (m->peers[p]) {
        bool results = dice_once_in(&m->dice, 2);
        assert_true(
            fleet_watch(&m->fleet, fleet_peer(&m->fleet, number_of(p)), &id, results, false));
        m->watches[p][j] = 1 + results;
    }
}

static void
subscription_comes_or_goes(struct model *m)
{
    struct model_subscription *mine = &m->subscriptions[dice_roll(&m->dice, SUBSCRIPTIONS)];
    unsigned p = dice_roll(&m->dice, PEERS);
    if (mine->there) {
        fleet_unsubscribe(&m->fleet, mine->there);
        mine->there = NULL;
    } else if (m->peers[p]) {
        mine->peer = (int)p;
        mine->queue = (int)dice_roll(&m->dice, QUEUES + 1) - 1;
        mine->ids = dice_roll(&m->dice, 4);
        mine->there = fleet_subscribe(&m->fleet, fleet_peer(&m->fleet, number_of(p)), 5);
        if (mine->queue >= 0) {
            mine->there->queue = m->queues[mine->queue];
            m->queues[mine->queue]->watchers++;
        }
        mine->there->ids_count = mine->ids;
        mine->there->ids = malloc(1);
        m->fleet.pushed.subscribed_ids += mine->ids;
    }
}

/* ---- what is to be true of it ---- */

static void
check_peers(struct model *m)
{
    unsigned count = 0, watches = 0;
    for (unsigned p = 0; p < PEERS; p++) {
        struct peer *peer = fleet_peer(&m->fleet, number_of(p));
        uint32_t mine = 0;
        assert_int_equal(peer != NULL, m->peers[p]);
        assert_ptr_equal(fleet_peer_of_session(&m->fleet, session(100 + p)), peer);
        for (unsigned j = 0; j < JOBS; j++)
            mine += m->watches[p][j] > 0;
        assert_int_equal(peer ? peer->watches_count : 0, mine);
        watches += mine;
        count += m->peers[p];
    }
    assert_int_equal(m->fleet.peers_count, count);
    assert_int_equal(m->fleet.pushed.watches_count, watches);
    assert_null(fleet_peer(&m->fleet, 1));
    assert_null(fleet_peer(&m->fleet, 1000000));
}

static void
check_watches(struct model *m)
{
    for (unsigned j = 0; j < JOBS; j++) {
        struct stint_id id = id_of(j);
        unsigned found = 0, expected = 0;
        const struct watch *before = NULL;
        for (const struct watch *w = fleet_watches(&m->fleet, &id); w; w = w->next_same, found++) {
            unsigned p = w->peer->number / 37;
            assert_ptr_equal(w->prev_same, before);
            assert_int_equal(m->watches[p][j], 1 + w->results);
            before = w;
        }
        for (unsigned p = 0; p < PEERS; p++)
            expected += m->watches[p][j] > 0;
        assert_int_equal(found, expected);
    }
}

static void
check_workers(struct model *m)
{
    uint64_t slots = 0;
    unsigned count = 0;
    for (unsigned w = 0; w < WORKERS; w++) {
        const struct worker *worker = fleet_worker(&m->fleet, session(w));
        struct worker_counts c = {0};
        assert_int_equal(worker != NULL, m->workers[w].there);
        if (!worker)
            continue;
        for (unsigned j = 0; j < JOBS; j++) {
            const struct model_lease *l = &m->leases[j];
            if (l->worker != (int)w)
                continue;
            c.held++;
            c.begun += l->begun;
            c.suspects += l->suspect;
            c.graves += l->grave;
            c.trials += l->suspect && !l->begun;
        }
        assert_memory_equal(&worker->counts, &c, sizeof c);
        count++;
        slots += m->workers[w].slots;
    }
    assert_int_equal(m->fleet.workers_count, count);
    assert_int_equal(m->fleet.slots, slots);
}

static void
check_leases(struct model *m)
{
    unsigned orphans = 0, found = 0;
    for (unsigned j = 0; j < JOBS; j++) {
        struct stint_id id = id_of(j);
        const struct lease *l = fleet_lease(&m->fleet, &id);
        int worker = m->leases[j].worker;
        assert_int_equal(l != NULL, worker != NOBODY);
        orphans += worker == ORPHAN;
        if (!l)
            continue;
        assert_int_equal(l->attempt, j + 7);
        assert_ptr_equal(l->worker,
            worker == ORPHAN ? NULL : fleet_worker(&m->fleet, session((unsigned)worker)));
        assert_int_equal(l->begun, m->leases[j].begun);
    }
    for (const struct lease *l = m->fleet.orphans; l; l = l->next)
        found++;
    assert_int_equal(found, orphans);
}

/* Who serves a queue, and by which kinds. */
static void
check_queue(struct model *m, unsigned q)
{
    const struct queue *queue = m->queues[q];
    uint32_t by_kinds[KINDS] = {0}, workers = 0, draining = 0, watchers = 0, sets = 0;
    for (unsigned w = 0; w < WORKERS; w++)
        if (m->workers[w].there) {
            bool serves = m->workers[w].queues >> q & 1;
            workers += serves;
            by_kinds[m->workers[w].kinds] += serves && !m->workers[w].by_prefix;
            assert_int_equal(
                fleet_worker_serves_queue(fleet_worker(&m->fleet, session(w)), queue), serves);
            draining += m->workers[w].draining == (int)q;
        }
    for (unsigned s = 0; s < SUBSCRIPTIONS; s++)
        watchers += m->subscriptions[s].there && m->subscriptions[s].queue == (int)q;
    assert_int_equal(queue_workers(queue), workers);
    assert_int_equal(queue->draining, draining);
    assert_int_equal(queue->watchers, watchers);
    for (unsigned k = 0; k < KINDS; k++)
        sets += by_kinds[k] > 0;
    assert_int_equal(queue->servings.count, sets);
    for (uint32_t i = 0; i < queue->servings.count; i++) {
        const struct serving *s = &queue->servings.list[i];
        unsigned k = !s->kinds ? 0 : s->kinds->text[0] == 'r' ? 1 : 2;
        assert_int_equal(s->workers, by_kinds[k]);
    }
}

static void
check(struct model *m)
{
    uint64_t ids = 0;
    uint32_t subscriptions = 0;
    check_peers(m);
    check_watches(m);
    check_workers(m);
    check_leases(m);
    for (unsigned q = 0; q < QUEUES; q++)
        check_queue(m, q);
    for (unsigned s = 0; s < SUBSCRIPTIONS; s++)
        if (m->subscriptions[s].there) {
            subscriptions++;
            ids += m->subscriptions[s].ids;
        }
    assert_int_equal(m->fleet.pushed.subscriptions_count, subscriptions);
    assert_int_equal(m->fleet.pushed.subscribed_ids, ids);
}

static void
begin(struct model *m, uint64_t seed)
{
    *m = (struct model){.dice = {seed}, .store = store_model_new()};
    m->store->ops->begin(m->store);
    book_init(&m->book, m->store, 0, 100, 100);
    for (unsigned q = 0; q < QUEUES; q++)
        m->queues[q] = book_queue_make(
            &m->book, (struct slice){(const uint8_t *)queue_names[q], strlen(queue_names[q])});
    for (unsigned j = 0; j < JOBS; j++)
        m->leases[j].worker = NOBODY;
    for (unsigned w = 0; w < WORKERS; w++)
        m->workers[w].draining = NOBODY;
}

static void
end(struct model *m)
{
    fleet_fini(&m->fleet);
    for (unsigned q = 0; q < QUEUES; q++) { /* nobody is left who serves or watches one */
        assert_int_equal(m->queues[q]->workers + m->queues[q]->watchers, 0);
        assert_int_equal(m->queues[q]->servings.count, 0);
    }
    assert_null(m->fleet.kinds);
    assert_null(m->book.pools);
    book_fini(&m->book);
    m->store->ops->destroy(&m->store);
}

static void
the_fleet_is_what_a_list_of_who_came_and_went_says(void **state)
{
    static struct model m;
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        begin(&m, seed);
        for (unsigned n = 0; n < STEPS; n++) {
            static void (*const moves[])(struct model *) = {peer_comes_or_goes,
                worker_comes_or_goes, worker_changes, lease_comes_or_moves, lease_comes_or_moves,
                lease_comes_or_moves, lease_goes, watch_comes_or_goes, watch_comes_or_goes,
                watch_comes_or_goes, subscription_comes_or_goes};
            moves[dice_roll(&m.dice, sizeof moves / sizeof *moves)](&m);
            if (n % 20 == 0)
                check(&m);
        }
        end(&m);
    }
}

/* ---- bounds ---- */

static void
one_connection_waits_for_so_many_jobs_and_no_more(void **state)
{
    struct fleet fleet = {0};
    struct peer *peer = fleet_peer_add(&fleet, 3, session(0));
    (void)state;
    for (unsigned i = 0; i < LIMIT_WATCHED; i++) {
        struct stint_id id = id_of(i);
        assert_true(fleet_watch(&fleet, peer, &id, false, false));
    }
    struct stint_id more = id_of(LIMIT_WATCHED), first = id_of(0);
    assert_false(fleet_watch(&fleet, peer, &more, false, false));
    assert_null(fleet_watches(&fleet, &more));
    assert_true(fleet_watch(&fleet, peer, &first, true, false)); /* it waits for that one already */
    assert_true(fleet_watches(&fleet, &first)->results);
    fleet_watches_end(&fleet, fleet_watches(&fleet, &first));
    assert_true(fleet_watch(&fleet, peer, &more, false, false));
    fleet_fini(&fleet);
    assert_int_equal(fleet.pushed.watches_count, 0);
}

static void
a_lease_that_was_freed_leaves_nothing_in_the_next_one(void **state)
{
    struct fleet fleet = {0};
    struct stint_id one = id_of(1), two = id_of(2);
    (void)state;
    struct worker *w = fleet_worker_add(&fleet, session(0));
    struct lease *l = fleet_lease_add(&fleet, &one, &one, 9, w);
    l->refusers = refusers_add(NULL, session(3));
    l->deadline_ms = l->begun_ms = l->leased.keep_ms = 77;
    l->leased.chunked = l->claimed = true;
    l->leased.keep_ms = 5;
    fleet_lease_begin(l);
    fleet_lease_suspect(l, true);
    fleet_lease_remove(&fleet, l);
    struct lease *again = fleet_lease_add(&fleet, &two, &two, 1, NULL);
    assert_ptr_equal(again, l); /* memory is used again */
    assert_int_equal(again->deadline_ms + again->begun_ms + again->leased.keep_ms, 0);
    assert_false(again->leased.keep_ms || again->leased.chunked || again->claimed || again->begun ||
        again->suspect || again->grave || again->refusers);
    assert_int_equal(w->counts.held, 0);
    assert_null(fleet_lease(&fleet, &one));
    fleet_fini(&fleet);
}

static void
refusers_are_remembered_in_the_order_they_came(void **state)
{
    struct refusers *r = NULL;
    (void)state;
    for (unsigned i = 0; i < REFUSERS_MAX; i++) {
        r = refusers_add(r, session(i));
        assert_int_equal(r->count, i + 1);
    }
    for (unsigned i = 0; i < REFUSERS_MAX; i++)
        assert_memory_equal(r->sessions[i], session(i), SESSION_BYTES);
    free(r);
}

/* A key that grants something else now, and is still connected by what it granted before. */
static void
grants_of_one_name_are_kept_apart_for_as_long_as_somebody_has_them(void **state)
{
    enum { GRANTS = 3, EACH = 2 };
    static const unsigned orders[][GRANTS] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}};
    (void)state;
    for (unsigned o = 0; o < sizeof orders / sizeof *orders; o++) {
        struct fleet fleet = {0};
        struct peer *peers[GRANTS][EACH];
        for (unsigned i = 0; i < GRANTS * EACH; i++) {
            const struct grant grant = {.name = "key", .rights = 1 + i % GRANTS};
            struct peer *p = fleet_peer_add(&fleet, i, session(i));
            fleet_peer_grant(&fleet, p, &grant);
            peers[i % GRANTS][i / GRANTS] = p;
        }
        for (unsigned g = 0; g < GRANTS; g++) {
            assert_int_equal(peers[g][0]->grant->rights, 1 + g);
            assert_ptr_equal(peers[g][0]->grant, peers[g][1]->grant); /* the same one */
        }
        for (unsigned i = 0; i < GRANTS; i++) {
            for (unsigned g = i; g < GRANTS; g++)
                assert_int_equal(peers[orders[o][g]][1]->grant->rights, 1 + orders[o][g]);
            fleet_peer_remove(&fleet, peers[orders[o][i]][0]);
            fleet_peer_remove(&fleet, peers[orders[o][i]][1]);
            for (unsigned g = i + 1; g < GRANTS; g++) { /* it is still found for one more */
                struct peer *left = peers[orders[o][g]][0], *more;
                more = fleet_peer_add(&fleet, 50, session(50));
                fleet_peer_grant(&fleet, more, left->grant);
                assert_ptr_equal(more->grant, left->grant);
                fleet_peer_remove(&fleet, more);
            }
        }
        assert_null(fleet.grants);
        fleet_fini(&fleet);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grants_of_one_name_are_kept_apart_for_as_long_as_somebody_has_them),
        cmocka_unit_test(the_fleet_is_what_a_list_of_who_came_and_went_says),
        cmocka_unit_test(one_connection_waits_for_so_many_jobs_and_no_more),
        cmocka_unit_test(a_lease_that_was_freed_leaves_nothing_in_the_next_one),
        cmocka_unit_test(refusers_are_remembered_in_the_order_they_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
