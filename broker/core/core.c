/* The core's frame: begin and end of a step, and the switch that gives each message to its file.
 * The contract is in core.h.
 */
#include "core.h"
#include "apart.h"
#include "attempt.h"
#include "batch.h"
#include "batch_control.h"
#include "bulk.h"
#include "change.h"
#include "clock.h"
#include "control.h"
#include "conversation.h"
#include "dispatch.h"
#include "feed.h"
#include "follow.h"
#include "gate.h"
#include "group_book.h"
#include "group_list.h"
#include "group_time.h"
#include "job.h"
#include "links.h"
#include "live.h"
#include "names.h"
#include "pace.h"
#include "peers.h"
#include "places.h"
#include "query.h"
#include "queue_control.h"
#include "queues.h"
#include "random.h"
#include "recall.h"
#include "reply.h"
#include "room.h"
#include "schedule.h"
#include "schedule_control.h"
#include "sessions.h"
#include "settle.h"
#include "show_figures.h"
#include "submit.h"
#include "sweep.h"
#include "telling.h"
#include "upgrade.h"
#include "watch.h"
#include "why.h"

#include <stdlib.h>

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
        .max.queues = 10000,
        .max.levels = 65536,
        .max.peers = 10000,
        .max.sessions = 100000,
        .max.apart = 1 << 18,
        .max.progress_bytes = 64 << 20,
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
    uint8_t row[ROW_META_BYTES_MAX];
    const uint64_t words[META_WORDS] = {core->epoch, core->sessions};
    store_put(core->store, STORE_META, meta_key(META_EPOCH), row_meta_write(row, words),
        (struct slice){0});
}

static bool
load_epoch(struct core *core)
{
    struct slice row;
    uint64_t words[META_WORDS];
    if (!store_get(core->store, STORE_META, meta_key(META_EPOCH), &row))
        return true;
    if (!row_meta_read(row, words))
        return false;
    core->epoch = words[0];
    core->sessions = words[1];
    return true;
}

/* A running job after a restart: nobody holds its lease until somebody claims it. */
static void
restore_lease(void *context, const struct stint_id *key)
{
    struct core *core = context;
    struct job job;
    if (job_load(core, key, PLACE_LIVE, &job)) /* or else it is damaged, set aside and noted */
        (void)attempt_lease(core, job.level, &job.id, key, &job.record, NULL);
}

/* In the transaction that begins this life, so that an upgrade that is interrupted was none. */
static enum stint_status
upgrade(struct core *core, const char **error)
{
    unsigned from;
    enum stint_status status = store_upgrade(core->store, &from);
    if (status == STINT_VERSION_MISMATCH)
        *error = "the data file has a newer format than this stintd knows; use a newer stintd";
    else if (status != STINT_OK)
        *error = "the row that says the data file's format is damaged; restore the data directory";
    else if (from != DATA_FORMAT)
        core_say(core, NOTE_INFO, "the data directory was brought to a newer format",
            NOTE_NUMBER("from", from), NOTE_NUMBER("to", DATA_FORMAT));
    return status;
}

static enum stint_status
load_rows(struct core *core, const char **error)
{
    enum stint_status status = upgrade(core, error);
    if (status != STINT_OK)
        return status;
    *error = "a row of the broker's own books is damaged; restore the data directory";
    if (!load_epoch(core) || book_load(&core->book) != STINT_OK || !control_load(core) ||
        !feed_load(core))
        return STINT_DAMAGED;
    names_load(&core->book);
    *error = "the row of the broker's clock is damaged; restore the data directory";
    if (!clock_load(core))
        return STINT_DAMAGED;
    *error = "the row of a schedule is damaged; restore the data directory";
    if (!schedule_load(core))
        return STINT_DAMAGED;
    *error = "a row of the groups of a queue is damaged; restore the data directory";
    return group_load(core) ? STINT_OK : STINT_DAMAGED;
}

static enum stint_status
load(struct core *core, const char **error)
{
    core->store->ops->begin(core->store);
    enum stint_status status = load_rows(core, error);
    if (status != STINT_OK) {
        core->store->ops->abort(core->store);
        return status;
    }
    book_each_running(&core->book, restore_lease, core);
    sweep_load(core);
    batch_load(core);
    bulk_load(core);
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
    core->scratch.decoded =
        malloc(sizeof *core->scratch.decoded); /* the decoder fills in what it says it did */
    if (!core->scratch.decoded)
        abort();
    core->scratch.places = places_new();
    core->options = *options;
    core->store = store;
    core->clocks.now_ms = core->clocks.started_ms = core->clocks.judged_ms = now_ms;
    core->clocks.listened_ms = core->clocks.heard_ms = core->clocks.round_ms = now_ms;
    core->sweeps.sessions_ms = now_ms + 60000; /* whose client waited for us is there again */
    core->sweeps.queues_ms = now_ms + 1000;
    book_init(&core->book, store, options->broker, options->max.queues, options->max.levels);
    enum stint_status status = load(core, error);
    if (status != STINT_OK) {
        core_destroy(&core);
        return status;
    }
    if (core->fleet.orphans)
        core->clocks.grace_until_ms = core->clocks.listened_ms + options->grace_ms;
    *out = core;
    return STINT_OK;
}

void
core_destroy(struct core **core)
{
    if (!*core)
        return;
    apart_fini(*core);
    groups_fini(*core);
    control_fini(*core);
    feed_fini(*core);
    bulk_fini(*core);
    schedule_fini(*core);
    batch_fini(*core);
    fleet_fini(&(*core)->fleet);
    notes_free(&(*core)->notes);
    book_fini(&(*core)->book);
    pack_buffer_free(&(*core)->scratch.body);
    pack_buffer_free(&(*core)->scratch.output);
    pack_buffer_free(&(*core)->scratch.page);
    pack_buffer_free(&(*core)->scratch.parents);
    pack_buffer_free(&(*core)->scratch.records);
    pack_buffer_free(&(*core)->sweeps.leaving);
    free((*core)->step.ended);
    free((*core)->scratch.places);
    free((*core)->scratch.decoded);
    free((*core)->scratch.joint);
    free((*core)->step.shows);
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
        if (!m->claim.more)
            dispatch_recall_paused(core, peer->worker);
        break;
    case MESSAGE_PROGRESS:
        telling_message(core, peer, m);
        break;
    case MESSAGE_WROTE:
        live_message(core, peer, m);
        break;
    default:
        attempt_started(core, peer, m);
    }
}

/* Is it one that its peer can as well ask later? */
static bool
can_wait(enum message_type type)
{
    return (type >= MESSAGE_WAIT && type <= MESSAGE_SUBSCRIBE) ||
        (type >= MESSAGE_CONTROL && type != MESSAGE_WROTE);
}

/* Control, of the fleet and of queues; feeds. */
static void
people_message(struct core *core, struct peer *peer, const struct message *m)
{
    switch (m->type) {
    case MESSAGE_CONTROL:
        control_message(core, peer, m);
        break;
    case MESSAGE_SET_FLEET:
    case MESSAGE_GET_FLEET:
        control_fleet(core, peer, m);
        break;
    case MESSAGE_LIST_RUNNING:
        control_list_running(core, peer, m);
        break;
    case MESSAGE_SET_QUEUE:
        queue_control_message(core, peer, m);
        break;
    case MESSAGE_SET_FEED:
    case MESSAGE_LIST_FEEDS:
    case MESSAGE_READ_FEED:
        follow_message(core, peer, m);
        break;
    case MESSAGE_SET_SCHEDULE:
    case MESSAGE_LIST_SCHEDULES:
        schedule_message(core, peer, m);
        break;
    case MESSAGE_SET_BATCH:
    case MESSAGE_LIST_BATCHES:
    case MESSAGE_WAIT_BATCH:
        batch_message(core, peer, m);
        break;
    case MESSAGE_LIST_GROUPS:
        group_list(core, peer, m);
        break;
    case MESSAGE_BULK:
    case MESSAGE_LIST_BULKS:
    case MESSAGE_STOP_BULK:
        bulk_message(core, peer, m);
        break;
    default:
        reply_refuse(core, peer->number, m, STINT_UNKNOWN_TYPE, "only the broker sends this");
    }
}

static void
peer_message(struct core *core, struct peer *peer, const struct message *m)
{
    if (can_wait(m->type) && !peers_can_take(core, peer)) {
        reply_refuse(core, peer->number, m, STINT_TOO_MANY,
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
    case MESSAGE_PROGRESS:
    case MESSAGE_WROTE:
        worker_message(core, peer, m);
        break;
    case MESSAGE_PING:
        conversation_ping(core, peer, m);
        break;
    case MESSAGE_BYE:
        conversation_bye(core, peer, m);
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
    case MESSAGE_RETRY:
    case MESSAGE_CHANGE:
    case MESSAGE_DELETE:
        change_message(core, peer, m);
        break;
    case MESSAGE_LIST_QUEUES:
        queues_list(core, peer, m);
        break;
    case MESSAGE_LIST_WORKERS:
        queues_list_workers(core, peer, m);
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
    case MESSAGE_WHY:
        why_message(core, peer, m);
        break;
    case MESSAGE_LIST_FIGURES:
        show_figures(core, peer, m);
        break;
    case MESSAGE_PEEK:
        query_peek(core, peer, m);
        break;
    default:
        people_message(core, peer, m);
    }
}

static void
mark_seen(struct core *core, struct peer *peer)
{
    peer->seen_ms = core->clocks.listened_ms;
    if (peer->worker)
        peer->worker->times.seen_ms = core->clocks.listened_ms;
}

static void
handle_frame(struct core *core, const struct event *event)
{
    uint32_t number = event->peer;
    struct message *m = &core->scratch.message;
    const char *why;
    struct peer *peer = fleet_peer(&core->fleet, number);
    if (peer && peer->account.ending)
        return;
    core->step.grant = event->grant;
    enum stint_status status =
        message_decode(event->frame.data, event->frame.size, m, core->scratch.decoded, &why);
    if (peer)
        mark_seen(core, peer);
    if (status != STINT_OK)
        reply_refuse(core, number, m, status, why);
    else if (m->type == MESSAGE_HELLO) {
        if (gate_admits_hello(core, number, m))
            conversation_hello(core, number, m);
        peer = fleet_peer(&core->fleet, number);
    } else if (!peer)
        reply_refuse(core, number, m, STINT_HELLO_FIRST, "");
    else if (!message_allowed(m->type, peer->role))
        reply_refuse(core, number, m, STINT_DENIED, "this role may not send this message");
    else {
        if (gate_admits(core, peer, m))
            peer_message(core, peer, m);
        return; /* the peer may be gone */
    }
    if (!peer)
        peers_forget(core, number); /* the router keeps no unknown peer */
}

static void
handle_event(struct core *core, const struct event *event)
{
    if (event->kind == EVENT_FRAME) {
        handle_frame(core, event);
        return;
    }
    struct peer *peer = fleet_peer(&core->fleet, event->peer);
    if (event->kind == EVENT_ALIVE) {
        if (peer)
            mark_seen(core, peer);
        return;
    }
    if (peer)
        peers_drop(core, peer);
    else
        peers_forget(core, event->peer);
}

static void
set_clocks(struct core *core, const struct batch *batch)
{
    uint64_t passed_ms = batch->now_ms - core->clocks.now_ms;
    clock_set(core, passed_ms, batch->wall_ms);
    /* While we stand still (stopped, or waiting for a slow disk), nobody can be heard. */
    core->clocks.listened_ms += earlier(passed_ms, core->options.heartbeat_ms);
    core->clocks.now_ms = batch->now_ms;
    core->clocks.slot = batch->now_ms / FIGURES_SLOT_MS + 1;
}

/* In the transaction that stores what they submitted. */
static void
store_sessions(struct core *core)
{
    for (struct peer *p = core->step.outputs; p; p = p->answers.next_output)
        sessions_store(core, p);
}

enum stint_status
core_step(struct core *core, const struct batch *batch, struct outbox *out)
{
    uint64_t sessions = core->sessions;
    core->step.out = out;
    out->ended = peers_count_frame;
    out->context = core;
    random_stir(core, batch->seed);
    core->step.room_bytes = batch->room_bytes;
    core->step.written_bytes = core->step.listed = core->step.forgotten = 0;
    core->store->ops->begin(core->store);
    set_clocks(core, batch);
    for (size_t i = 0; i < batch->count; i++) {
        handle_event(core, &batch->events[i]);
        if (groups_are_many(core)) /* each of very many jobs may be in one of its own */
            groups_flush(core);
    }
    core->step.grant = NULL;
    conversation_judge(core, batch->heard);
    sweep(core, SWEEP_FIRST);
    bulk_step(core);
    batch_step(core);
    control_tell(core);
    dispatch_all(core);
    recall_jobs(core);
    batch_end_step(core);
    store_sessions(core);
    live_flush(core);
    telling_push(core);
    watch_flush(core);
    feed_flush(core);
    follow_answer(core);
    peers_end_connections(core);
    groups_flush(core);
    book_flush(&core->book);
    sweep(core, SWEEP_LAST);
    bulk_end_step(core);
    links_end_step(core);
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
    if (core->fleet.peers || core->fleet.workers || core->clocks.grace_until_ms)
        idle = core->options.heartbeat_ms / 4 + 1;
    if (core->fleet.workers_count > 1 && core->fleet.leases)
        idle = earlier(idle, BUSY_MS);
    if (core->step.unfinished || core->step.roomless_cut || bulk_is_open(core))
        return 0;
    idle = earlier(idle, earlier(pace_idle_ms(&core->book), telling_idle_ms(core)));
    return earlier(
        idle, earlier(earlier(sweep_idle_ms(core), batch_idle_ms(core)), control_idle_ms(core)));
}

void
core_check(const struct core *core)
{
    const struct lease *l;
    uint64_t running = 0, held = 0, listening = 0;
    uint64_t asides = 0; /* whose records were set aside while they ran */
    for (l = core->fleet.leases; l; l = l->hh.next) {
        bool aside = !book_is_running((struct book *)&core->book, &l->key);
        assert(!aside || core->figures.damaged > 0);
        asides += aside;
        running++;
    }
    assert(running == core->book.jobs[STINT_RUNNING] + asides);
    for (const struct worker *w = core->fleet.workers; w; w = w->next) {
        uint64_t mine = 0, begun = 0, trials = 0;
        for (l = w->leases; l; l = l->next) {
            mine++;
            begun += l->begun;
            trials += l->suspect && !l->begun;
        }
        assert(mine == w->counts.held && begun == w->counts.begun && trials == w->counts.trials);
        assert(!w->peer || w->peer->worker == w);
        held += mine;
    }
    for (l = core->fleet.orphans; l; l = l->next)
        held++;
    assert(held == running);
    for (const struct peer *p = core->fleet.peers; p; p = p->next)
        for (const struct watch *w = p->watches; w; w = w->next)
            listening += w->output;
    assert(listening == core->fleet.pushed.listening);
    apart_check(core);
    room_check(core);
}
