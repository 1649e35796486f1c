/* The core's frame: begin and end of a step, and the switch that gives each message to its file.
 * The contract is in core.h.
 */
#include "core_inside.h"

#include <stdlib.h>

enum { EPOCH_ROW_BYTES = 24 /* check, epoch, count of sessions */ };

void
core_options_init(struct core_options *o)
{
    *o = (struct core_options){.endpoint = "",
        .software = "",
        .heartbeat_ms = DEFAULT_HEARTBEAT_MS,
        .lost_ms = DEFAULT_LOST_MS,
        .grace_ms = DEFAULT_GRACE_MS,
        .keep_ms = DEFAULT_KEEP_MS,
        .keep_dead_ms = DEFAULT_KEEP_DEAD_MS,
        .session_keep_ms = DEFAULT_KEEP_MS,
        .payload_bytes = LIMIT_PAYLOAD_BYTES,
        .result_bytes = LIMIT_RESULT_BYTES,
        .message_bytes = LIMIT_MESSAGE_BYTES,
        .unread_bytes = LIMIT_UNREAD_BYTES,
        .answers_bytes = LIMIT_UNREAD_BYTES / 16,
        .unread_total_bytes = 8ULL * LIMIT_UNREAD_BYTES,
        .queues_max = 10000,
        .levels_max = 65536,
        .peers_max = 10000,
        .sessions_max = 100000,
        .apart_max = 1 << 18,
        .queue_keep_ms = 600000};
}

bool
core_next_note(struct core *core, struct note *note)
{
    return notes_take(&core->notes, note);
}

static void
count_up_epoch(struct core *core)
{
    uint8_t row[EPOCH_ROW_BYTES];
    put_be(row + 8, core->epoch, 8);
    put_be(row + 16, core->sessions, 8);
    put_be(row, record_check(row + 8, sizeof row - 8, 0), 8);
    store_put(core->store, STORE_META, text_slice("epoch"), (struct slice){row, sizeof row},
        (struct slice){0});
}

static bool
load_epoch(struct core *core)
{
    struct slice row;
    if (!store_get(core->store, STORE_META, text_slice("epoch"), &row))
        return true;
    if (row.size != EPOCH_ROW_BYTES ||
        get_be(row.data, 8) != record_check(row.data + 8, EPOCH_ROW_BYTES - 8, 0))
        return false;
    core->epoch = get_be(row.data + 8, 8);
    core->sessions = get_be(row.data + 16, 8);
    return true;
}

/* A running job after a restart: nobody holds its lease until somebody claims it. */
static void
restore_lease(void *context, const struct stint_id *id)
{
    struct core *core = context;
    struct record r;
    if (!job_read(core, STORE_LIVE, id, &r))
        return; /* damaged, set aside and noted */
    (void)attempt_lease(core, id, &r, NULL);
}

static enum stint_status
load(struct core *core, const char **error)
{
    core->store->ops->begin(core->store);
    if (!load_epoch(core) || book_load(&core->book) != STINT_OK) {
        *error = "a row of the broker's own books is damaged; restore the data directory";
        core->store->ops->abort(core->store);
        return STINT_DAMAGED;
    }
    if (!clock_load(core)) {
        *error = "the row of the broker's clock is damaged; restore the data directory";
        core->store->ops->abort(core->store);
        return STINT_DAMAGED;
    }
    book_each_running(&core->book, restore_lease, core);
    sweep_load(core);
    core->epoch++;
    count_up_epoch(core);
    book_flush(&core->book);
    if (core->store->ops->commit(core->store) != STINT_OK) {
        *error = core->store->ops->error(core->store);
        return STINT_IO;
    }
    return STINT_OK;
}

enum stint_status
core_new(const struct core_options *options, struct store *store, uint64_t now_ms,
    struct core **out, const char **error)
{
    struct core *core = calloc(1, sizeof *core);
    if (!core)
        abort();
    core->room = malloc(sizeof *core->room); /* the decoder fills in what it says it did */
    if (!core->room)
        abort();
    core->places = places_new();
    core->options = *options;
    core->store = store;
    core->now_ms = core->started_ms = core->judged_ms = now_ms;
    core->listened_ms = core->heard_ms = core->round_ms = now_ms;
    core->next_session_sweep_ms = now_ms + 60000; /* whose client waited for us is there again */
    core->next_queue_sweep_ms = now_ms + 1000;
    book_init(&core->book, store, options->broker, options->queues_max, options->levels_max);
    enum stint_status status = load(core, error);
    if (status != STINT_OK) {
        core_destroy(&core);
        return status;
    }
    if (core->fleet.orphans)
        core->grace_until_ms = core->listened_ms + options->grace_ms;
    *out = core;
    return STINT_OK;
}

void
core_destroy(struct core **core)
{
    if (!*core)
        return;
    apart_fini(*core);
    fleet_fini(&(*core)->fleet);
    notes_free(&(*core)->notes);
    book_fini(&(*core)->book);
    pack_buffer_free(&(*core)->body);
    pack_buffer_free(&(*core)->output);
    pack_buffer_free(&(*core)->page);
    pack_buffer_free(&(*core)->leaving);
    free((*core)->strangers);
    free((*core)->places);
    free((*core)->room);
    free(*core);
    *core = NULL;
}

/* Messages that only a worker in good standing may send. */
static void
worker_message(struct core *core, struct peer *peer, const struct message *m)
{
    switch (m->type) {
    case MESSAGE_SETTLE:
        settle_message(core, peer, m);
        break;
    case MESSAGE_CLAIM:
        attempt_claim(core, peer, m);
        break;
    default:
        attempt_started(core, peer, m);
    }
}

/* Is it one that its peer can as well ask later? */
static bool
can_wait(enum message_type type)
{
    return (type >= MESSAGE_WAIT && type <= MESSAGE_SUBSCRIBE);
}

static void
peer_message(struct core *core, struct peer *peer, const struct message *m)
{
    if (can_wait(m->type) && !peer_reads(core, peer)) {
        core_refuse(core, peer->number, m, STINT_TOO_MANY,
            "too much of what was answered is unread: read it, and PING");
        return;
    }
    switch (m->type) {
    case MESSAGE_SUBMIT:
        submit_message(core, peer, m);
        break;
    case MESSAGE_SETTLE:
    case MESSAGE_CLAIM:
    case MESSAGE_STARTED:
        worker_message(core, peer, m);
        break;
    case MESSAGE_PING:
        session_ping(core, peer, m);
        break;
    case MESSAGE_BYE:
        session_bye(core, peer, m);
        break;
    case MESSAGE_WAIT:
        query_wait(core, peer, m);
        break;
    case MESSAGE_GET:
        query_get(core, peer, m);
        break;
    case MESSAGE_LIST:
        query_list(core, peer, m);
        break;
    case MESSAGE_CANCEL:
        settle_cancel(core, peer, m);
        break;
    case MESSAGE_RETRY:
        settle_retry(core, peer, m);
        break;
    case MESSAGE_LIST_QUEUES:
        query_queues(core, peer, m);
        break;
    case MESSAGE_LIST_WORKERS:
        query_workers(core, peer, m);
        break;
    case MESSAGE_GET_STATS:
        query_stats(core, peer, m);
        break;
    case MESSAGE_SUBSCRIBE:
        watch_subscribe(core, peer, m);
        break;
    case MESSAGE_UNSUBSCRIBE:
        watch_unsubscribe(core, peer, m);
        break;
    default:
        core_refuse(core, peer->number, m, STINT_UNKNOWN_TYPE, "only the broker sends this");
    }
}

static void
mark_seen(struct core *core, struct peer *peer)
{
    peer->seen_ms = core->listened_ms;
    if (peer->worker)
        peer->worker->seen_ms = core->listened_ms;
}

static void
handle_frame(struct core *core, uint32_t number, struct slice frame)
{
    struct message *m = &core->message;
    const char *why;
    struct peer *peer = fleet_peer(&core->fleet, number);
    if (peer && peer->account.ending)
        return;
    enum stint_status status = message_decode(frame.data, frame.size, m, core->room, &why);
    if (peer)
        mark_seen(core, peer);
    if (status != STINT_OK)
        core_refuse(core, number, m, status, why);
    else if (m->type == MESSAGE_HELLO) {
        session_hello(core, number, m);
        peer = fleet_peer(&core->fleet, number);
    } else if (!peer)
        core_refuse(core, number, m, STINT_HELLO_FIRST, "");
    else if (!message_allowed(m->type, peer->role))
        core_refuse(core, number, m, STINT_DENIED, "this role may not send this message");
    else {
        peer_message(core, peer, m);
        return; /* the peer may be gone */
    }
    if (!peer)
        core_forget(core, number); /* the router keeps no stranger */
}

static void
handle_event(struct core *core, const struct event *event)
{
    if (event->kind == EVENT_FRAME) {
        handle_frame(core, event->peer, event->frame);
        return;
    }
    struct peer *peer = fleet_peer(&core->fleet, event->peer);
    if (event->kind == EVENT_ALIVE) {
        if (peer)
            mark_seen(core, peer);
        return;
    }
    if (peer)
        core_drop_peer(core, peer);
    else
        core_forget(core, event->peer);
}

static void
set_clocks(struct core *core, const struct batch *batch)
{
    uint64_t passed_ms = batch->now_ms - core->now_ms;
    clock_set(core, passed_ms, batch->wall_ms);
    /* While we stand still (stopped, or waiting for a slow disk), nobody can be heard. */
    core->listened_ms += earlier(passed_ms, core->options.heartbeat_ms);
    core->now_ms = batch->now_ms;
}

enum stint_status
core_step(struct core *core, const struct batch *batch, struct outbox *out)
{
    uint64_t sessions = core->sessions;
    core->out = out;
    out->ended = reply_ended;
    out->context = core;
    random_stir(core, batch->seed);
    core->listed = core->forgotten = 0;
    core->store->ops->begin(core->store);
    set_clocks(core, batch);
    for (size_t i = 0; i < batch->count; i++)
        handle_event(core, &batch->events[i]);
    session_judge(core, batch->heard);
    sweep_all(core);
    dispatch_all(core);
    dispatch_recall(core);
    watch_flush(core);
    reply_end_connections(core);
    book_flush(&core->book);
    queues_sweep(core);
    if (core->sessions != sessions)
        count_up_epoch(core);
    enum stint_status status = core->store->ops->commit(core->store);
    core->figures.commits += status == STINT_OK;
    return status;
}

uint64_t
core_idle_ms(const struct core *core)
{
    enum { BUSY_MS = 50, LONG_MS = 1000 };
    uint64_t idle = LONG_MS;
    if (core->fleet.peers || core->fleet.workers || core->grace_until_ms)
        idle = core->options.heartbeat_ms / 4 + 1;
    if (core->fleet.workers_count > 1 && core->fleet.leases)
        idle = earlier(idle, BUSY_MS);
    if (core->unfinished)
        return 0;
    uint64_t next_ms = sweep_next_ms(core);
    if (next_ms != UINT64_MAX)
        idle = earlier(idle, next_ms > core->wall_ms ? next_ms - core->wall_ms : 0);
    return idle;
}

void
core_stats(struct core *core, struct stint_stats *stats)
{
    *stats = core->figures;
    stats->epoch = core->epoch;
    stats->uptime_ms = core->now_ms - core->started_ms;
    stats->peers = core->fleet.peers_count;
    stats->workers = core->fleet.workers_count;
    stats->slots = core->fleet.slots;
    stats->leases = HASH_COUNT(core->fleet.leases);
    stats->queues = core->book.queues;
    stats->sessions = core->sessions;
    memcpy(stats->jobs, core->book.jobs, sizeof stats->jobs);
    core->store->ops->usage(core->store, &stats->store_used_bytes, &stats->store_size_bytes);
}

void
core_check(const struct core *core)
{
    const struct lease *l;
    uint64_t running = 0, held = 0;
    for (l = core->fleet.leases; l; l = l->hh.next) {
        running++;
        assert(book_is_running((struct book *)&core->book, &l->id));
    }
    assert(running == core->book.jobs[STINT_RUNNING]);
    for (const struct worker *w = core->fleet.workers; w; w = w->next) {
        uint64_t mine = 0, begun = 0, trials = 0;
        for (l = w->leases; l; l = l->next) {
            mine++;
            begun += l->begun;
            trials += l->suspect && !l->begun;
        }
        assert(mine == w->held && begun == w->begun && trials == w->trials);
        assert(!w->peer || w->peer->worker == w);
        held += mine;
    }
    for (l = core->fleet.orphans; l; l = l->next)
        held++;
    assert(held == running);
    apart_check(core);
}
