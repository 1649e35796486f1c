/* Connections, workers and leases; the contract is in fleet.h. */
#include "fleet.h"
#include "ready.h"

#include <utlist.h>

static void *
allocate(size_t size)
{
    void *p = calloc(1, size);
    if (!p)
        abort();
    return p;
}

struct refusers *
refusers_add(struct refusers *r, const uint8_t session[SESSION_BYTES])
{
    uint32_t count = r ? r->count : 0;
    r = realloc(r, sizeof *r + (count + 1) * (size_t)SESSION_BYTES);
    if (!r)
        abort();
    memcpy(r->sessions[count], session, SESSION_BYTES);
    r->count = count + 1;
    return r;
}

struct peer *
fleet_peer(struct fleet *fleet, uint32_t number)
{
    return number < fleet->by_number_size ? fleet->by_number[number] : NULL;
}

struct peer *
fleet_peer_of_session(struct fleet *fleet, const uint8_t session[SESSION_BYTES])
{
    struct peer *p;
    HASH_FIND(hh, fleet->peers_by_session, session, SESSION_BYTES, p);
    return p;
}

struct peer *
fleet_peer_add(struct fleet *fleet, uint32_t number, const uint8_t session[SESSION_BYTES])
{
    if (number >= fleet->by_number_size) {
        uint32_t size = fleet->by_number_size ? fleet->by_number_size : 64;
        while (size <= number)
            size *= 2;
        fleet->by_number = realloc(fleet->by_number, size * sizeof(struct peer *));
        if (!fleet->by_number)
            abort();
        memset(fleet->by_number + fleet->by_number_size, 0,
            (size - fleet->by_number_size) * sizeof(struct peer *));
        fleet->by_number_size = size;
    }
    assert(!fleet->by_number[number] && !fleet_peer_of_session(fleet, session));
    struct peer *peer = allocate(sizeof *peer);
    peer->number = number;
    memcpy(peer->session, session, SESSION_BYTES);
    HASH_ADD(hh, fleet->peers_by_session, session, SESSION_BYTES, peer);
    fleet->by_number[number] = peer;
    fleet->peers_count++;
    DL_APPEND(fleet->peers, peer);
    return peer;
}

static struct held_grant *
find_grant(struct fleet *fleet, const struct grant *grant)
{
    struct held_grant *h;
    HASH_FIND_STR(fleet->grants, grant->name, h);
    while (h && !grant_same(&h->grant, grant))
        h = h->next_same;
    return h;
}

static struct held_grant *
add_grant(struct fleet *fleet, const struct grant *grant)
{
    struct held_grant *first, *h = allocate(sizeof *h);
    h->grant = *grant;
    HASH_FIND_STR(fleet->grants, grant->name, first);
    if (first) {
        h->next_same = first->next_same;
        first->next_same = h;
    } else
        HASH_ADD_STR(fleet->grants, grant.name, h);
    return h;
}

void
fleet_peer_grant(struct fleet *fleet, struct peer *peer, const struct grant *grant)
{
    assert(!peer->grant);
    if (!grant)
        return;
    struct held_grant *h = find_grant(fleet, grant);
    if (!h)
        h = add_grant(fleet, grant);
    h->peers++;
    peer->held = h;
    peer->grant = &h->grant;
}

static void
let_go_of_grant(struct fleet *fleet, struct peer *peer)
{
    struct held_grant *first, *h = peer->held;
    peer->held = NULL;
    peer->grant = NULL;
    if (!h || --h->peers > 0)
        return;
    HASH_FIND_STR(fleet->grants, h->grant.name, first);
    assert(first);
    if (first == h) {
        HASH_DEL(fleet->grants, h); /* NOLINT: it is in the table */
        first = h->next_same;
        if (first)
            HASH_ADD_STR(fleet->grants, grant.name, first);
    } else {
        while (first->next_same != h)
            first = first->next_same;
        first->next_same = h->next_same;
    }
    free(h->seen.queues);
    free(h);
}

static void
unlink_watch(struct fleet *fleet, struct watch *watch)
{
    struct watch *first;
    HASH_FIND(hh, fleet->watches, watch->id.bytes, STINT_ID_BYTES, first);
    assert(first);
    if (first == watch) {
        HASH_DEL(fleet->watches, watch); /* NOLINT: it is in the table */
        first = watch->next_same;
        if (first) {
            first->prev_same = NULL;
            HASH_ADD(hh, fleet->watches, id, STINT_ID_BYTES, first);
        }
    } else {
        watch->prev_same->next_same = watch->next_same;
        if (watch->next_same)
            watch->next_same->prev_same = watch->prev_same;
    }
}

void
fleet_unwatch(struct fleet *fleet, struct watch *watch)
{
    assert(watch && watch->peer->watches_count > 0 && fleet->pushed.watches_count > 0);
    unlink_watch(fleet, watch);
    DL_DELETE(watch->peer->watches, watch);
    watch->peer->watches_count--;
    fleet->pushed.watches_count--;
    fleet->pushed.listening -= watch->output;
    free(watch);
}

void
fleet_peer_remove(struct fleet *fleet, struct peer *peer)
{
    assert(fleet->by_number[peer->number] == peer && peer->account.sent >= peer->account.read);
    while (peer->watches)
        fleet_unwatch(fleet, peer->watches);
    struct subscription *s, *next_subscription;
    for (s = fleet->subscriptions; s && peer->subscriptions_count > 0; s = next_subscription) {
        next_subscription = s->next;
        if (s->peer == peer)
            fleet_unsubscribe(fleet, s);
    }
    struct feed_reader *r, *next_reader;
    for (r = fleet->pushed.readers; r && peer->readers_count > 0; r = next_reader) {
        next_reader = r->next;
        if (r->peer == peer)
            fleet_end_reader(fleet, r);
    }
    if (peer->worker)
        peer->worker->peer = NULL;
    let_go_of_grant(fleet, peer);
    pack_buffer_free(&peer->answers.submitted);
    pack_buffer_free(&peer->answers.settled);
    pack_buffer_free(&peer->answers.outcomes);
    fleet->unread -= peer->account.sent - peer->account.read;
    fleet->by_number[peer->number] = NULL;
    HASH_DEL(fleet->peers_by_session, peer); /* NOLINT: it is in the table */
    fleet->peers_count--;
    DL_DELETE(fleet->peers, peer);
    free(peer);
}

struct worker *
fleet_worker(struct fleet *fleet, const uint8_t session[SESSION_BYTES])
{
    struct worker *w;
    HASH_FIND(hh, fleet->by_session, session, SESSION_BYTES, w);
    return w;
}

struct worker *
fleet_worker_add(struct fleet *fleet, const uint8_t session[SESSION_BYTES])
{
    assert(!fleet_worker(fleet, session));
    struct worker *w = allocate(sizeof *w);
    memcpy(w->session, session, SESSION_BYTES);
    HASH_ADD(hh, fleet->by_session, session, SESSION_BYTES, w);
    DL_APPEND(fleet->workers, w);
    w->joined = ++fleet->joined;
    fleet->workers_count++;
    return w;
}

/* Whoever searched the queue for these kinds has left it; maybe somebody else still does. */
static void
end_search(struct queue *q, const struct kinds *kinds)
{
    bool searched = posts_have_kinds(&q->servings.posts, kinds);
    for (uint32_t i = 0; i < q->servings.count && !searched; i++)
        searched = q->servings.list[i].kinds == kinds;
    if (kinds && !searched)
        book_end_scans(q, kinds);
}

static void
leave_queue(struct queue *q, const struct kinds *kinds)
{
    uint32_t i = 0;
    while (i < q->servings.count && q->servings.list[i].kinds != kinds)
        i++;
    assert(i < q->servings.count && q->workers > 0);
    q->workers--;
    if (--q->servings.list[i].workers > 0)
        return;
    q->servings.list[i] = q->servings.list[--q->servings.count];
    end_search(q, kinds);
}

static void
join_queue(struct queue *q, struct kinds *kinds)
{
    q->workers++;
    for (uint32_t i = 0; i < q->servings.count; i++)
        if (q->servings.list[i].kinds == kinds) {
            q->servings.list[i].workers++;
            return;
        }
    if (q->servings.count == q->servings.size) {
        q->servings.size = q->servings.size ? 2 * q->servings.size : 4;
        q->servings.list = realloc(q->servings.list, q->servings.size * sizeof *q->servings.list);
        if (!q->servings.list)
            abort();
    }
    q->servings.list[q->servings.count++] = (struct serving){.kinds = kinds, .workers = 1};
}

void
fleet_worker_drain(struct worker *worker, struct queue *queue)
{
    if (worker->serves.draining) {
        assert(worker->serves.draining->draining > 0);
        worker->serves.draining->draining--;
    }
    worker->serves.draining = queue;
    if (queue)
        queue->draining++;
}

void
fleet_worker_reserve(struct worker *worker, struct want *want)
{
    struct want *former = worker->serves.reserved;
    if (former) {
        assert(former->reserved > 0 && former->queue->servings.wants.reserved > 0);
        former->queue->servings.wants.reserved--;
        former->reserved--;
    }
    worker->serves.reserved = want;
    worker->control.room++;
    if (want) {
        want->queue->servings.wants.reserved++;
        want->reserved++;
    }
}

static void
end_post(struct post *post)
{
    struct queue *q = post->queue;
    const struct kinds *kinds = post->pool->terms.kinds;
    q->workers -= post->named;
    pool_end_post(post, &q->servings.posts);
    end_search(q, kinds);
}

static void
leave_pool(struct pool *pool)
{
    if (!pool || --pool->workers > 0)
        return;
    while (pool->posts)
        end_post(pool->posts);
    pools_remove(pool);
}

/* It serves nothing, and is about to handle these kinds. */
static void
serve_nothing(struct fleet *fleet, struct worker *worker, struct kinds *kinds)
{
    fleet_worker_drain(worker, NULL);
    fleet_worker_reserve(worker, NULL);
    for (uint32_t i = 0; i < worker->serves.queues_count; i++)
        leave_queue(worker->serves.queues[i], worker->serves.kinds);
    leave_pool(worker->serves.pool);
    kinds_put(&fleet->kinds, worker->serves.kinds);
    free(worker->serves.queues);
    worker->serves = (struct worker_serves){.kinds = kinds};
}

/* All queues that there are of one of the two lists. */
static void
post_queues(struct pool *pool, struct queue *queues)
{
    for (struct queue *q = queues; q; q = q->hh.next) {
        bool named;
        if (!pool_serves(pool, (struct slice){(const uint8_t *)q->name, q->name_bytes}, &named))
            continue;
        pool_post(pool, q, &q->servings.posts, q->ready > 0)->named = named;
        q->workers += named;
    }
}

bool
fleet_worker_serve_by_prefix(struct fleet *fleet, struct book *book, struct worker *worker,
    struct pool_terms *terms, struct slice *kinds, uint32_t kinds_count)
{
    struct kinds *set = kinds_get(&fleet->kinds, kinds, kinds_count);
    terms->kinds = set;
    struct pool *pool = pools_find(book->pools, terms);
    if (pool)
        pool->workers++; /* before the worker leaves it, maybe */
    serve_nothing(fleet, worker, set);
    if (!pool && HASH_COUNT(book->pools) >= POOLS_MAX)
        return false;
    if (!pool) {
        pool = pools_add(&book->pools, terms);
        pool->workers = 1;
        post_queues(pool, book->by_name);
        post_queues(pool, book->expected.queues);
    }
    worker->serves.pool = pool;
    return true;
}

void
fleet_worker_serve(struct fleet *fleet, struct worker *worker, struct queue *const *queues,
    uint32_t count, struct slice *kinds, uint32_t kinds_count)
{
    struct kinds *set = kinds_get(&fleet->kinds, kinds, kinds_count);
    serve_nothing(fleet, worker, set);
    worker->serves.queues = count ? allocate(count * sizeof *worker->serves.queues) : NULL;
    worker->serves.queues_count = count;
    for (uint32_t i = 0; i < count; i++) {
        worker->serves.queues[i] = queues[i];
        join_queue(queues[i], set);
    }
}

uint32_t
fleet_worker_names(const struct worker *w)
{
    const struct pool *pool = w->serves.pool;
    return pool ? pool->terms.names_count + pool->terms.prefixes_count : w->serves.queues_count;
}

bool
fleet_worker_serves_queue(const struct worker *w, const struct queue *q)
{
    for (uint32_t i = 0; i < w->serves.queues_count; i++)
        if (w->serves.queues[i] == q)
            return true;
    return w->serves.pool && posts_find(&q->servings.posts, w->serves.pool);
}

void
fleet_worker_label(struct worker *worker, const struct slice *labels, uint32_t count)
{
    size_t size = 0, at = 0;
    free(worker->control.labels);
    worker->control.labels = NULL;
    for (uint32_t i = 0; i < count; i++)
        size += labels[i].size + 1;
    if (size == 0)
        return;
    char *text = allocate(size);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(text + at, labels[i].data, labels[i].size);
        at += labels[i].size;
        text[at++] = i + 1 < count ? ' ' : '\0';
    }
    worker->control.labels = text;
}

bool
fleet_worker_has_label(const struct worker *worker, struct slice label)
{
    const char *at = worker->control.labels;
    while (at && *at) {
        size_t size = 0;
        while (at[size] && at[size] != ' ')
            size++;
        if (size == label.size && memcmp(at, label.data, size) == 0)
            return true;
        at += size + (at[size] == ' ');
    }
    return false;
}

void
fleet_worker_remove(struct fleet *fleet, struct worker *worker)
{
    assert(!worker->leases && worker->counts.held == 0);
    if (worker->peer)
        worker->peer->worker = NULL;
    fleet_worker_serve(fleet, worker, NULL, 0, NULL, 0);
    fleet->slots -= worker->slots;
    fleet->workers_count--;
    HASH_DEL(fleet->by_session, worker); /* NOLINT: it is in the table */
    DL_DELETE(fleet->workers, worker);
    free(worker->control.labels);
    free(worker->control.has);
    free(worker);
}

struct lease *
fleet_lease(struct fleet *fleet, const struct stint_id *id)
{
    struct lease *l;
    HASH_FIND(hh, fleet->leases, id->bytes, STINT_ID_BYTES, l);
    return l;
}

void
fleet_lease_expect(const struct fleet *fleet, const struct stint_id *id)
{
    enum { LINE_BYTES = 64 };
    unsigned bucket;
    if (!fleet->leases)
        return;
    const UT_hash_table *table = fleet->leases->hh.tbl;
    HASH_TO_BKT(id_hash(id->bytes, STINT_ID_BYTES), table->num_buckets, bucket);
    const uint8_t *head = (const uint8_t *)table->buckets[bucket].hh_head;
    if (!head)
        return;
    for (size_t at = 0; at < sizeof(struct lease); at += LINE_BYTES)
        __builtin_prefetch(head - table->hho + at);
}

static struct lease **
list_of(struct fleet *fleet, struct lease *lease)
{
    return lease->worker ? &lease->worker->leases : &fleet->orphans;
}

/* The lease comes to its worker, or leaves it. */
static void
count_lease(struct lease *l, bool comes)
{
    struct worker *w = l->worker;
    uint32_t one = comes ? 1 : UINT32_MAX; /* minus one */
    if (!w)
        return;
    assert(comes || w->counts.held > 0);
    w->counts.held += one;
    w->counts.begun += l->begun ? one : 0;
    w->counts.suspects += l->suspect ? one : 0;
    w->counts.graves += l->grave ? one : 0;
    w->counts.trials += l->suspect && !l->begun ? one : 0;
    if (l->leased.needs && comes)
        has_take(w->control.has, l->leased.needs);
    else if (l->leased.needs) {
        has_give_back(w->control.has, l->leased.needs);
        w->control.room++;
    }
}

struct lease *
fleet_lease_add(struct fleet *fleet, const struct stint_id *id, const struct stint_id *key,
    uint32_t attempt, struct worker *worker)
{
    struct lease *l = fleet->spare;
    if (l) {
        fleet->spare = l->next;
        __builtin_prefetch(fleet->spare); /* whose next one will be asked for */
        *l = (struct lease){0};
    } else
        l = allocate(sizeof *l);
    l->id = *id;
    l->key = *key;
    l->attempt = attempt;
    l->worker = worker;
    HASH_ADD(hh, fleet->leases, id, STINT_ID_BYTES, l);
    struct lease **list = list_of(fleet, l);
    DL_APPEND(*list, l);
    if (worker)
        worker->counts.held++;
    return l;
}

void
fleet_lease_suspect(struct lease *l, bool grave)
{
    count_lease(l, false);
    l->suspect = true;
    l->grave = grave;
    count_lease(l, true);
}

void
fleet_lease_begin(struct lease *l)
{
    count_lease(l, false);
    l->begun = true;
    count_lease(l, true);
}

void
fleet_lease_adopt(struct fleet *fleet, struct lease *lease, struct worker *worker)
{
    assert(!lease->worker);
    DL_DELETE(fleet->orphans, lease);
    lease->worker = worker;
    DL_APPEND(worker->leases, lease);
    count_lease(lease, true);
}

void
fleet_lease_remove(struct fleet *fleet, struct lease *lease)
{
    struct lease **list = list_of(fleet, lease);
    DL_DELETE(*list, lease);
    count_lease(lease, false);
    HASH_DEL(fleet->leases, lease);
    if (lease->leased.needs)
        needs_put(lease->leased.needs);
    free(lease->refusers);
    if (lease->progress)
        progress_forget(&fleet->progresses, lease->progress);
    lease->next = fleet->spare;
    fleet->spare = lease;
}

bool
fleet_watch(
    struct fleet *fleet, struct peer *peer, const struct stint_id *id, bool results, bool progress)
{
    struct watch *first = fleet_watches(fleet, id);
    for (struct watch *w = first; w; w = w->next_same)
        if (w->peer == peer) {
            w->results = results;
            w->progress = progress;
            return true;
        }
    if (peer->watches_count >= LIMIT_WATCHED ||
        (fleet->pushed.watches_count >= LIMIT_WATCHED_ALL &&
            peer->watches_count >= LIMIT_WATCHED_LEAST))
        return false;
    struct watch *w = allocate(sizeof *w);
    w->id = *id;
    w->peer = peer;
    w->results = results;
    w->progress = progress;
    if (first) {
        w->prev_same = first;
        w->next_same = first->next_same;
        if (first->next_same)
            first->next_same->prev_same = w;
        first->next_same = w;
    } else
        HASH_ADD(hh, fleet->watches, id, STINT_ID_BYTES, w);
    DL_APPEND(peer->watches, w);
    peer->watches_count++;
    fleet->pushed.watches_count++;
    return true;
}

struct watch *
fleet_watches(struct fleet *fleet, const struct stint_id *id)
{
    struct watch *w;
    HASH_FIND(hh, fleet->watches, id->bytes, STINT_ID_BYTES, w);
    return w;
}

void
fleet_watches_end(struct fleet *fleet, struct watch *first)
{
    HASH_DEL(fleet->watches, first);
    while (first) {
        struct watch *next = first->next_same;
        assert(first->peer->watches_count > 0 && fleet->pushed.watches_count > 0);
        DL_DELETE(first->peer->watches, first);
        first->peer->watches_count--;
        fleet->pushed.watches_count--;
        fleet->pushed.listening -= first->output;
        free(first);
        first = next;
    }
}

struct subscription *
fleet_subscribe(struct fleet *fleet, struct peer *peer, uint64_t number)
{
    struct subscription *s = allocate(sizeof *s);
    s->number = number;
    s->peer = peer;
    DL_APPEND(fleet->subscriptions, s);
    fleet->pushed.subscriptions_count++;
    peer->subscriptions_count++;
    return s;
}

void
fleet_unsubscribe(struct fleet *fleet, struct subscription *s)
{
    assert(s->peer->subscriptions_count > 0 && s->peer->events_bytes >= s->pending.used);
    DL_DELETE(fleet->subscriptions, s);
    fleet->pushed.subscriptions_count--;
    s->peer->subscriptions_count--;
    s->peer->events_bytes -= s->pending.used;
    fleet->pushed.events_bytes -= s->pending.used;
    fleet->pushed.subscribed_ids -= s->ids_count;
    if (s->queue)
        s->queue->watchers--;
    pack_buffer_free(&s->pending);
    free(s->ids);
    free(s);
}

struct feed_reader *
fleet_read(struct fleet *fleet, struct peer *peer, uint64_t number)
{
    struct feed_reader *r = allocate(sizeof *r);
    r->number = number;
    r->peer = peer;
    DL_APPEND(fleet->pushed.readers, r);
    fleet->pushed.readers_count++;
    peer->readers_count++;
    return r;
}

struct feed_reader *
fleet_reader(struct fleet *fleet, const struct peer *peer, uint64_t number)
{
    struct feed_reader *r = peer->readers_count > 0 ? fleet->pushed.readers : NULL;
    while (r && (r->peer != peer || r->number != number))
        r = r->next;
    return r;
}

void
fleet_end_reader(struct fleet *fleet, struct feed_reader *r)
{
    assert(r->peer->readers_count > 0);
    DL_DELETE(fleet->pushed.readers, r);
    fleet->pushed.readers_count--;
    r->peer->readers_count--;
    free(r);
}

void
fleet_fini(struct fleet *fleet)
{
    while (fleet->peers)
        fleet_peer_remove(fleet, fleet->peers);
    struct lease *l, *next;
    HASH_ITER (hh, fleet->leases, l, next)
        fleet_lease_remove(fleet, l);
    while (fleet->workers)
        fleet_worker_remove(fleet, fleet->workers);
    while (fleet->spare) {
        l = fleet->spare;
        fleet->spare = l->next;
        free(l);
    }
    free(fleet->by_number);
}
