/* Simulated clients and workers; the contract is in peers.h. */
#include "peers.h"
#include "bringing.h"
#include "client.h"
#include "follower.h"
#include "greedy.h"
#include "intruder.h"
#include "keys.h"
#include "meddle.h"
#include "oracle.h"
#include "people.h"
#include "progress.h"
#include "wishes.h"
#include "worker.h"

/* CERTAIN_MS: so much longer a submit may take, to make sure that it is not stored. */
enum { SUBMISSIONS_MAX = 64, JOBS_MAX = 24, RECENT = 16, CERTAIN_MS = 2200 };

/* A submission as its client has written it down before it sends it. */
struct plan {
    struct sim_client *client;
    uint32_t first, count; /* its jobs' numbers */
    bool answered, refused; /* refused: it certainly is not stored, and is not sent again */
    unsigned told; /* in this life of its client */
};

struct sim_client {
    struct process process;
    struct grant key;
    struct actor *actor;
    struct stint_client *client; /* of this life */
    uint8_t session[SESSION_BYTES];
    bool own_session; /* it goes on in its session after it was killed */
    bool refuse_at_once; /* it wants to hear of "try again later" */
    struct plan plans[SUBMISSIONS_MAX];
    unsigned planned, sent; /* sent: in this life */
    unsigned life;
    uint64_t known; /* its session's submissions up to here are answered */
    bool leaving; /* its client is being destroyed */
    bool waits; /* in a call of stint_wait */
    bool relented; /* it has taken back what it had set for workers */
    struct stint_id waiting[SUBMISSIONS_MAX * JOBS_MAX]; /* not heard of yet */
    unsigned waiting_count;
    struct stint_id recent[RECENT];
    unsigned recent_count;
    uint64_t down_us;
    char name[16];
};

struct sim_worker {
    struct process process;
    struct grant key;
    unsigned first, count; /* queues that its key is for */
    struct actor *actor;
    struct stint_worker *worker; /* of this life */
    uint64_t down_us;
    char name[16], prefixes[KEYS_QUEUES][8];
};

static struct load load;
static struct sim_client clients[CLIENTS_MAX];
static struct sim_worker workers[WORKERS_MAX];
static bool calm, stopping;

/* ---- clients ---- */

static void
forget_waiting(struct sim_client *c, const struct stint_id *id)
{
    for (unsigned i = 0; i < c->waiting_count; i++)
        if (id_compare(&c->waiting[i], id) == 0) {
            c->waiting[i] = c->waiting[--c->waiting_count];
            return;
        }
}

static void
heard(void *context, const struct stint_job_info *info)
{
    struct sim_client *c = context;
    if (c->process.killed)
        return;
    oracle_outcome(info);
    forget_waiting(c, &info->id);
}

static void
watch(struct sim_client *c, const struct stint_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        c->waiting[c->waiting_count++] = ids[i];
        c->recent[c->recent_count++ % RECENT] = ids[i];
    }
    if (stint_watch(c->client, ids, count, true, heard, c) != STINT_OK && !c->leaving)
        sim_broken("a client can't watch: %s", stint_client_error(c->client));
}

static bool
may_submit(const struct plan *p)
{
    bool may = true;
    for (uint32_t i = 0; i < p->count; i++)
        may &= keys_allow(
            p->client->process.key, RIGHT_SUBMIT, keys_queues[oracle_wish_of(p->first + i)->queue]);
    return may;
}

/* Writes down what a client is told of a submission. If the outcome is unknown, a client with a
 * session of its own sends the same again in its next life. */
static void
learn(struct plan *p, enum stint_status status, const struct stint_id *ids)
{
    struct sim_client *c = p->client;
    bool open = status == STINT_UNKNOWN_OUTCOME || status == STINT_CLOSED;
    c->known = stint_client_answered(c->client);
    if (p->answered || (open && c->own_session))
        return;
    if (may_submit(p) ? status == STINT_DENIED : status == STINT_OK)
        sim_broken("%s has a key, and is told %s", c->name, stint_status_name(status));
    p->answered = true;
    p->refused = status != STINT_OK;
    struct stint_id fresh[JOBS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        if (status != STINT_OK || stint_client_met(c->client, i) == STINT_MET_NOTHING) {
            oracle_answered(p->first + i, status, status == STINT_OK ? &ids[i] : NULL);
            fresh[count++] = status == STINT_OK ? ids[i] : (struct stint_id){{0}};
        } else {
            oracle_met(p->first + i, &ids[i]);
        }
    }
    if (status == STINT_OK && count > 0)
        watch(c, fresh, count);
}

static void
answered(void *context, enum stint_status status, const struct stint_id *ids, size_t count)
{
    struct plan *p = context;
    struct sim_client *c = p->client;
    if (c->process.killed)
        return;
    if (p->told == c->life)
        sim_broken("a client was told twice how a submission ended");
    p->told = c->life;
    if (status == STINT_UNKNOWN_OUTCOME && !c->leaving)
        sim_broken("the broker has forgotten a session: %s", stint_client_error(c->client));
    if (!c->refuse_at_once &&
        (status == STINT_QUEUE_FULL || status == STINT_BACKLOG_FULL || status == STINT_STORE_FULL ||
            status == STINT_TOO_MANY || status == STINT_QUEUE_CLOSED || status == STINT_TOO_VARIED))
        sim_broken("a client is to try again by itself, and was told to");
    if (status == STINT_OK && count != p->count)
        sim_broken("a client was told of %zu jobs of %u", count, p->count);
    learn(p, status, ids);
}

/* Writes a submission down: it is the same however often it is sent. */
static void
make_plan(struct sim_client *c)
{
    struct plan *p = &c->plans[c->planned++];
    p->client = c;
    p->answered = false;
    p->count = (uint32_t)chance_between(&c->process.chance, 1, load.jobs_most);
    for (uint32_t i = 0; i < p->count; i++) {
        struct wish w = wishes_make(&load, c->process.key, &c->process.chance);
        wishes_wait(&w, &load, c->process.key, i ? p->first : 0, i, &c->process.chance);
        uint32_t job = oracle_wish(&w);
        if (i == 0)
            p->first = job;
    }
}

/* How long a submit may take: now and then just longer than a conversation without answers. */
static uint32_t
patience(struct sim_client *c)
{
    struct chance *chance = &c->process.chance;
    const uint32_t lost_ms = c->client->session.welcome.lost_ms;
    if (!calm && chance_in_100(chance, 4)) {
        network_cut(&c->process, false, true, 3ULL * lost_ms * US_A_MS);
        return lost_ms + (uint32_t)chance_between(chance, 100, lost_ms);
    }
    bool brief = chance_in_100(chance, 50);
    return (uint32_t)(brief ? 1 + chance_skewed(chance, 8000) : chance_between(chance, 1000, 9000));
}

/* Waits for the answer, now and then. What is told is true: all is stored, nothing is, or nobody
 * knows. False: nobody knows, and this client's session goes on in another one. */
static bool
submit_and_wait(struct sim_client *c, struct plan *p, const struct stint_job *jobs)
{
    struct stint_id ids[JOBS_MAX];
    size_t stored = 0;
    uint32_t patience_ms = patience(c);
    uint64_t from_us = world_us();
    enum stint_status status =
        stint_submit_some(c->client, jobs, p->count, ids, &stored, patience_ms);
    if (c->process.killed)
        return true;
    if (world_us() > from_us + (patience_ms + CERTAIN_MS) * US_A_MS &&
        c->process.paused_until_us < from_us && !calm)
        sim_broken("a submit took far longer than it was given");
    if (stored != (status == STINT_OK ? p->count : 0))
        sim_broken("%zu jobs of %u are said to be stored, and %s", stored, p->count,
            stint_status_name(status));
    learn(p, status, ids);
    return p->answered;
}

static bool
send_plan(struct sim_client *c, unsigned index, bool waits)
{
    struct stint_job jobs[JOBS_MAX];
    struct stint_id parents[JOBS_MAX][2];
    struct plan *p = &c->plans[index];
    bool good = true;
    if (p->refused)
        return true;
    for (uint32_t i = 0; i < p->count; i++) {
        jobs[i] = wishes_job(oracle_wish_of(p->first + i), p->first, parents[i]);
        jobs[i].payload = oracle_payload(p->first + i);
    }
    if (waits)
        good = submit_and_wait(c, p, jobs);
    else if (stint_submit_async(c->client, jobs, p->count, answered, p) != STINT_OK)
        sim_broken("a client can't submit: %s", stint_client_error(c->client));
    for (uint32_t i = 0; i < p->count; i++)
        free((void *)(uintptr_t)jobs[i].payload);
    return good;
}

static void
waited_for(void *context, const struct stint_job_info *info)
{
    struct sim_client *c = context;
    if (c->process.killed)
        return;
    if (!c->waits)
        sim_broken("a wait was over, and its function is called");
    oracle_outcome(info);
}

/* Most of these are watched, too, and stay so. */
static void
wait_for_some(struct sim_client *c, uint32_t patience_ms)
{
    unsigned known = c->recent_count < RECENT ? c->recent_count : RECENT;
    unsigned count = known ? (unsigned)chance_between(&c->process.chance, 1, known) : 0;
    c->waits = true;
    (void)stint_wait(c->client, c->recent, count, true, waited_for, c, patience_ms);
    c->waits = false;
}

/* That it may fail is part of the world. */
static void
meddle(struct sim_client *c)
{
    unsigned known = c->recent_count < RECENT ? c->recent_count : RECENT;
    struct chance *chance = &c->process.chance;
    if (!meddle_with(c->client, c->process.key, chance, c->recent, known, load.queues))
        wait_for_some(c, (uint32_t)(1 + chance_skewed(chance, MEDDLE_PATIENCE_MS)));
}

static bool
has_all(const struct sim_client *c)
{
    bool all = c->planned == load.submissions && c->waiting_count == 0;
    for (unsigned i = 0; i < c->planned; i++)
        all &= c->plans[i].answered;
    return all;
}

/* The first submission without an answer. */
static unsigned
first_open(const struct sim_client *c)
{
    unsigned i = 0;
    while (i < c->planned && c->plans[i].answered)
        i++;
    return i;
}

/* What an earlier life did not hear the answer of is sent again, in a session that lives on, and
 * given up in one that died with it. */
static void
take_up(struct sim_client *c)
{
    c->sent = c->own_session ? first_open(c) : c->planned;
    for (unsigned i = first_open(c); !c->own_session && i < c->planned; i++) {
        if (c->plans[i].answered)
            continue;
        c->plans[i].answered = true;
        for (uint32_t n = 0; n < c->plans[i].count; n++)
            oracle_abandoned(c->plans[i].first + n);
    }
    if (c->waiting_count > 0 &&
        stint_watch(c->client, c->waiting, c->waiting_count, true, heard, c) != STINT_OK)
        sim_broken("a client can't watch: %s", stint_client_error(c->client));
}

/* Now and then a client says goodbye, with its session, and comes back as another one; some go in
 * the middle of what they do. */
static bool
has_enough(struct sim_client *c)
{
    if (calm || !chance_in_100(&c->process.chance, 1))
        return false;
    return chance_in_100(&c->process.chance, 20) ||
        (!c->own_session && first_open(c) == c->planned);
}

/* Submits what it wants to; false: the outcome of something is unknown. */
static bool
submit_some(struct sim_client *c)
{
    struct chance *chance = &c->process.chance;
    if (c->sent == c->planned && c->planned < load.submissions &&
        (calm || chance_in_100(chance, load.eager)))
        make_plan(c);
    while (c->sent < c->planned || (c->planned < load.submissions && chance_in_100(chance, 8))) {
        if (c->sent == c->planned)
            make_plan(c); /* several in a row, now and then */
        if (!send_plan(c, c->sent++, !calm && chance_in_100(chance, 25)))
            return false;
    }
    return true;
}

static void
live(struct sim_client *c)
{
    struct chance *chance = &c->process.chance;
    struct stint_client_options o = {
        .endpoint = "tcp://127.0.0.1:1", .name = c->name, .refuse_at_once = c->refuse_at_once};
    if (c->own_session) {
        o.session = c->session;
        o.submission = c->known;
    }
    if (stint_client_new(&o, &c->client) != STINT_OK)
        return;
    c->life++;
    progress_listen(c->client, chance, (unsigned)(c - clients));
    take_up(c);
    while (!c->process.killed && !(stopping && has_all(c)) && !has_enough(c) && submit_some(c)) {
        if (!calm && chance_in_100(chance, 3))
            meddle(c);
        if (!calm && load.ruled && chance_in_100(chance, 5))
            people_meddle(c->client, chance, load.workers);
        if (!calm && load.ruled && chance_in_100(chance, 4))
            people_set_queue(c->client, chance, load.queues);
        if (calm && load.ruled && !c->relented)
            c->relented = people_relent(c->client, load.workers, load.queues);
        uint64_t most_ms = calm ? 1000 : 300;
        enum stint_status status =
            stint_client_process(c->client, (uint32_t)(1 + chance_skewed(chance, most_ms)));
        if (status != STINT_OK && !c->process.killed)
            sim_broken("a client came to an end: %s", stint_client_error(c->client));
    }
    c->leaving = true;
    stint_client_destroy(&c->client);
    c->leaving = false;
}

static void
client_main(void *context)
{
    struct sim_client *c = context;
    while (!stopping) {
        c->process.killed = false;
        c->process.paused_until_us = 0;
        c->process.clock_us = chance_below(&c->process.chance, 1000ULL * US_A_SECOND);
        live(c);
        if (!stopping)
            actor_sleep(c->down_us);
    }
}

/* ---- workers ---- */

/* The cable is cut: a process that was killed ends by itself, and nobody hears of it. */
static void
cut_off(struct process *p, struct session *session)
{
    p->killed = true;
    session->state = SESSION_FAILED;
    session->failure.status = STINT_SYSTEM;
}

static struct sim_worker *
process_worker(const struct process *p)
{
    struct sim_worker *w = workers;
    while (&w->process != p)
        w++;
    return w;
}

struct running {
    const struct stint_task *task;
    const struct process *process;
};

/* A job over its time is told so by its worker, whether the broker can say so or not. */
static void
check_time(const struct process *p, uint64_t limit_ms, uint64_t begun_us, uint64_t run_us)
{
    uint64_t most_us = limit_ms * US_A_MS + US_A_SECOND / 10;
    bool long_ago = world_us() - begun_us > most_us && p->paused_until_us < begun_us;
    if (limit_ms && run_us > most_us && long_ago && !calm)
        sim_broken("a job of %s ran for longer than it may", p->name);
}

static bool
ends_early(void *context)
{
    const struct running *r = context;
    return calm || r->process->killed || stint_task_cancelled(r->task);
}

/* Every other worker can't start jobs that are picky. */
static bool
refuses(const struct wish *w, const struct process *p)
{
    return !calm && w->picky && (process_worker(p) - workers) % 2 == 1;
}

static void
run(struct stint_task *task, void *state)
{
    const struct stint_task_info *info = stint_task_info(task);
    struct process *p = actor_process();
    struct chance *chance = &p->chance;
    uint32_t job, attempt;
    size_t bytes;
    (void)state;
    figures.runs++;
    if (!oracle_number((struct slice){info->payload, info->payload_bytes}, &job, &attempt))
        sim_broken("a worker got a payload that nobody submitted");
    uint64_t run_us = chance_skewed(chance, 20 * US_A_MS);
    run_us += chance_in_100(chance, load.slow) ? chance_below(chance, 8 * US_A_SECOND) : 0;
    const struct wish *wish = oracle_wish_of(job);
    oracle_check_parents(task, job);
    if (refuses(wish, p)) {
        stint_task_unable(task, "it is not to be had here");
        return;
    }
    oracle_run_began(job, info->attempt, p->name);
    people_judge(process_worker(p)->worker, p->name);
    if (wish->kills && !calm) {
        struct sim_worker *w = process_worker(p);
        w->down_us = chance_skewed(chance, 2 * US_A_SECOND);
        figures.worker_kills++;
        cut_off(p, &w->worker->session);
        return;
    }
    struct running running = {task, p};
    uint64_t begun_us = world_us();
    progress_wait(task, p, ends_early, &running, begun_us + run_us);
    if (p->killed)
        return;
    if (!calm && p->paused_until_us < begun_us)
        oracle_run_took(job, world_us() - begun_us);
    check_time(p, wish->time_to_run_ms, begun_us, run_us);
    if (!calm && stint_task_cancelled(task)) {
        stint_task_fail(task, "cancelled");
        return;
    }
    if (!calm && chance_in_100(chance, load.unlucky)) {
        if (chance_in_100(chance, 20))
            stint_task_fail_for_good(task, "unlucky for good");
        else if (chance_in_100(chance, 20))
            stint_task_snooze(task, chance_skewed(chance, 2000));
        else
            oracle_fail(task, job, "unlucky");
        bringing_ask(task, job, &load, chance);
        return;
    }
    if (!calm)
        bringing_ask(task, job, &load, chance);
    char *result = oracle_result(job, info->attempt, &bytes);
    stint_task_succeed(task, result, bytes);
    free(result);
}

/* How the names of the queues begin, now and then, where its key lets it (as keys_make has it). */
static void
shorten(struct sim_worker *w, const char **queues, uint32_t count)
{
    bool may = !w->process.key || !keys_restrict(&w->key);
    for (uint32_t i = 0; i < count; i++) {
        if ((!may && i % 2 == 0) || !chance_in_100(&w->process.chance, 25))
            continue;
        (void)snprintf(w->prefixes[i], sizeof w->prefixes[i], "%.*s*",
            (int)chance_between(&w->process.chance, may ? 0 : 2, 5), queues[i]);
        queues[i] = w->prefixes[i];
    }
}

static void
work(struct sim_worker *w)
{
    static const uint32_t prefetches[] = {0, 0, STINT_NO_PREFETCH, 1, 10};
    struct chance *chance = &w->process.chance;
    const char *queues[3], *label = (w - workers) % 2 ? "odd" : "even";
    struct stint_worker_options o = {.endpoint = "tcp://127.0.0.1:1",
        .name = w->name,
        .slots = (uint32_t)chance_between(chance, 1, 4),
        .queues = queues,
        .labels = &label,
        .labels_count = 1,
        .has = wishes_has(w == workers || w->process.key, chance),
        .prefetch = prefetches[chance_below(chance, 5)],
        .drain_ms = (uint32_t)chance_between(chance, 10, 5000)};
    /* The first one handles all kinds and serves all queues, so that none is forgotten. */
    bool choosy = w != workers && load.kinds > 1 && chance_in_100(chance, 50);
    struct stint_handler handler = {
        .kind = choosy ? wishes_kinds[chance_below(chance, load.kinds)] : NULL, .run = run};
    unsigned first = (unsigned)chance_below(chance, load.queues);
    o.queues_count = w == workers ? load.queues : (uint32_t)chance_between(chance, 1, load.queues);
    if (w->process.key) {
        first = w->first;
        o.queues_count = w->count;
    }
    for (uint32_t i = 0; i < o.queues_count; i++)
        queues[i] = keys_queues[(first + i) % load.queues];
    shorten(w, queues, o.queues_count);
    if (stint_worker_new(&o, &w->worker) != STINT_OK)
        return;
    if (stint_worker_handle(w->worker, &handler) != STINT_OK)
        sim_broken("a worker takes no handler");
    enum stint_status status = stint_worker_run(w->worker);
    if (status != STINT_OK && !w->process.killed)
        sim_broken("a worker came to an end: %s", stint_worker_error(w->worker));
    stint_worker_destroy(&w->worker);
}

static void
worker_main(void *context)
{
    struct sim_worker *w = context;
    while (!stopping) {
        w->process.killed = false;
        w->process.paused_until_us = 0;
        w->process.clock_us = chance_below(&w->process.chance, 1000ULL * US_A_SECOND);
        work(w);
        if (!stopping)
            actor_sleep(w->down_us);
    }
}

/* ---- what happens to them ---- */

static void
begin_process(struct process *p, const char *name, uint64_t seed, unsigned index)
{
    *p = (struct process){.name = name,
        .chance = chance_of(seed, 100 + index),
        .network = chance_of(seed, 200 + index)};
    p->far_us = chance_below(&p->network, load.far_us + 1);
}

/* The key of a worker is for the queues that it serves. */
static void
give_keys(uint64_t seed)
{
    struct chance chance = chance_of(seed, 5);
    for (unsigned i = 0; i < load.clients; i++) {
        uint32_t rights = RIGHT_SUBMIT | RIGHT_SEE;
        if (chance_in_100(&chance, 50))
            rights |= RIGHT_CONTROL;
        unsigned first = (unsigned)chance_below(&chance, load.queues);
        unsigned count = (unsigned)chance_between(&chance, 1, load.queues);
        keys_make(&clients[i].key, clients[i].name, rights, first, count, load.queues);
        clients[i].process.key = &clients[i].key;
    }
    for (unsigned i = 0; i < load.workers; i++) {
        struct sim_worker *w = &workers[i];
        w->first = (unsigned)chance_below(&chance, load.queues);
        w->count = i ? (unsigned)chance_between(&chance, 1, load.queues) : load.queues;
        keys_make(&w->key, w->name, i % 2 ? RIGHT_RUN : RIGHT_RUN | RIGHT_SUBMIT, w->first,
            w->count, load.queues);
        w->process.key = &w->key;
    }
    intruder_begin(seed);
}

void
peers_begin(const struct load *l, uint64_t seed)
{
    load = *l;
    calm = stopping = false;
    for (unsigned i = 0; i < load.clients; i++) {
        struct sim_client *c = &clients[i];
        memset(c, 0, sizeof *c);
        (void)snprintf(c->name, sizeof c->name, "client %u", i);
        begin_process(&c->process, c->name, seed, i);
        c->process.hears_twice = true;
        c->own_session = i % 2 == 0;
        c->refuse_at_once = load.full || chance_in_100(&c->process.chance, 25);
        memset(c->session, (int)i + 1, sizeof c->session);
        c->actor = actor_start(&c->process, client_main, c);
    }
    for (unsigned i = 0; i < load.workers; i++) {
        struct sim_worker *w = &workers[i];
        memset(w, 0, sizeof *w);
        (void)snprintf(w->name, sizeof w->name, "worker %u", i);
        begin_process(&w->process, w->name, seed, CLIENTS_MAX + i);
        w->actor = actor_start(&w->process, worker_main, w);
    }
    if (load.greedy)
        greedy_begin(seed);
    follower_begin(seed);
    bringing_begin();
    if (load.keys)
        give_keys(seed);
}

struct process *
peers_process(unsigned index)
{
    return index < load.clients ? &clients[index].process
                                : &workers[(index - load.clients) % load.workers].process;
}

void
peers_kill(unsigned index, uint64_t down_us)
{
    if (index < load.clients) {
        struct sim_client *c = &clients[index];
        c->down_us = down_us;
        figures.client_kills++;
        if (c->client)
            cut_off(&c->process, &c->client->session);
    } else {
        struct sim_worker *w = &workers[(index - load.clients) % load.workers];
        w->down_us = down_us;
        figures.worker_kills++;
        if (w->worker)
            cut_off(&w->process, &w->worker->session);
    }
}

void
peers_stop_worker(unsigned index, uint64_t down_us)
{
    struct sim_worker *w = &workers[index % load.workers];
    w->down_us = down_us;
    if (w->worker)
        stint_worker_stop(w->worker);
}

void
peers_calm(void)
{
    calm = true;
    follower_calm();
    greedy_stop();
    intruder_stop();
}

bool
peers_content(void)
{
    for (unsigned i = 0; i < load.clients; i++)
        if (!has_all(&clients[i]))
            return false;
    return follower_content();
}

const char *
peers_wants(void)
{
    static char text[512];
    char first[STINT_ID_TEXT_BYTES];
    size_t at = 0;
    for (unsigned i = 0; i < load.clients; i++) {
        const struct sim_client *c = &clients[i];
        unsigned open = 0;
        for (unsigned n = 0; n < c->planned; n++)
            open += !c->plans[n].answered;
        at += (size_t)snprintf(text + at, sizeof text - at,
            "%s has %u of %u submitted, %u unanswered, waits for %u jobs %s; ", c->name, c->planned,
            load.submissions, open, c->waiting_count,
            c->waiting_count ? stint_id_format(&c->waiting[0], first) : "");
    }
    return text;
}

void
peers_stop(void)
{
    stopping = true;
    follower_stop();
    greedy_stop();
    intruder_stop();
    for (unsigned i = 0; i < load.workers; i++)
        if (workers[i].worker)
            stint_worker_stop(workers[i].worker);
}
