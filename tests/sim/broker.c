/* The simulated broker; the contract is in broker.h. */
#include "broker.h"
#include "disk.h"
#include "oracle.h"
#include "routes.h"

#include <stdlib.h>

enum { BATCH_FRAMES = 512, COMMIT_US = 500, SPREAD = 64 };

static struct {
    struct process process;
    struct core_options options;
    struct store *store;
    struct core *core;
    struct routes routes;
    struct outbox out;
    struct actor *actor;
    struct event events[BATCH_FRAMES];
    struct pack_buffer frames[BATCH_FRAMES];
    int64_t wall_ms; /* how far its wall clock is off */
    uint64_t slow_until_us, slow_us, down_us, room;
    const char *directory;
    bool stopping, fails;
    enum commit_fault how;
} b;

/* Routing ids are what the network's numbers look like in bytes. */
static void
routing_id(uint64_t connection, uint8_t id[8])
{
    memcpy(id, &connection, 8);
}

static bool
has_work(void *context)
{
    (void)context;
    return b.process.killed || b.stopping || b.routes.gone || network_arrived();
}

static void
drain(struct batch *batch)
{
    struct route *gone;
    size_t count = 0, limit = 1 + chance_skewed(&b.process.chance, BATCH_FRAMES - 1);
    while (count < limit && (gone = routes_take_gone(&b.routes)) != NULL)
        b.events[count++] = (struct event){.kind = EVENT_GONE, .peer = gone->number};
    batch->heard = HEARD_SOME;
    size_t from = count;
    while (count < limit) {
        uint64_t connection;
        uint8_t id[8];
        const struct grant *key;
        struct pack_buffer *frame = &b.frames[count];
        if (!network_take(&connection, &key, frame)) {
            batch->heard = HEARD_ALL;
            break;
        }
        routing_id(connection, id);
        struct route *route = routes_find(&b.routes, id, sizeof id);
        if (!route)
            continue;
        b.events[count++] = (struct event){.kind = EVENT_FRAME,
            .peer = route->number,
            .frame = {frame->data, frame->used},
            .grant = key};
    }
    if (routes_round(&b.routes, count - from) && batch->heard != HEARD_ALL)
        batch->heard = HEARD_EACH;
    batch->events = b.events;
    batch->count = count;
}

static void
send_out(void)
{
    for (size_t i = 0; i < b.out.count && !b.process.killed; i++) {
        const struct outbox_entry *e = &b.out.entries[i];
        struct route *route = routes_at(&b.routes, e->peer);
        uint64_t connection;
        if (!route)
            continue;
        memcpy(&connection, route->id, sizeof connection);
        if (e->forget) {
            if (e->close)
                network_end_connection(connection);
            routes_forget(&b.routes, route);
            continue;
        }
        if (!route->gone && !network_give(connection, outbox_frame(&b.out, i)))
            routes_mark_gone(&b.routes, route);
        /* It may be killed, or lose its processor, between two sends. */
        if (chance_below(&b.process.chance, SPREAD) == 0)
            actor_sleep(chance_skewed(&b.process.chance, 2 * US_A_MS));
    }
}

static uint64_t
commit_us(void)
{
    uint64_t us = chance_skewed(&b.process.chance, COMMIT_US);
    if (b.slow_until_us > world_us())
        us += chance_below(&b.process.chance, b.slow_us + 1);
    return us;
}

static void
arm_fault(void)
{
    if (!b.fails)
        return;
    b.fails = false;
    sim_trace("the next commit fails (%d)", (int)b.how);
    disk_fail(b.how, &b.process.chance);
}

static enum stint_status
turn(void)
{
    struct batch batch = {0};
    drain(&batch);
    batch.now_ms = (world_us() + b.process.clock_us) / 1000;
    batch.wall_ms = (uint64_t)(1700000000000 + b.wall_ms) + world_us() / 1000;
    batch.seed = chance_next(&b.process.chance);
    batch.room_bytes = b.store->ops->room(b.store);
    sim_trace("step with %zu events", batch.count);
    figures.steps++;
    outbox_reset(&b.out);
    arm_fault();
    oracle_batch(&batch);
    enum stint_status status = core_step(b.core, &batch, &b.out);
    if (status != STINT_OK) {
        sim_trace("the commit failed: %s", b.store->ops->error(b.store));
        oracle_failed(&b.out);
        return status;
    }
    disk_spare();
    disk_tend(b.store, &b.process.chance);
    core_check(b.core);
    oracle_stepped(b.store, b.core, &b.out);
    struct note note;
    while (core_next_note(b.core, &note))
        sim_trace("note: %s", note.event);
    actor_sleep(commit_us());
    send_out();
    return status;
}

/* One life of the process, until it is killed or its store fails. */
static void
serve(void)
{
    const char *error = "";
    b.process.clock_us = chance_below(&b.process.chance, 1000ULL * US_A_SECOND);
    b.store = disk_open(b.directory);
    disk_set_room(b.room);
    enum stint_status status =
        core_new(&b.options, b.store, (world_us() + b.process.clock_us) / 1000, &b.core, &error);
    if (status != STINT_OK)
        sim_broken("the broker can't start: %s", error);
    disk_started(b.store);
    core_check(b.core);
    oracle_started(b.store, b.core);
    routes_init(&b.routes, b.options.max.peers + 64);
    network_listen(&b.process);
    figures.restarts++;
    sim_trace("broker up");
    while (status == STINT_OK && !b.process.killed && !b.stopping) {
        uint64_t idle_ms = core_idle_ms(b.core);
        actor_wait(has_work, NULL, world_us() + (idle_ms ? idle_ms * US_A_MS : 1));
        if (!b.process.killed && !b.stopping)
            status = turn();
    }
    sim_trace("broker down");
    network_unlisten();
    routes_fini(&b.routes);
    core_destroy(&b.core);
    disk_crash(&b.store, &b.process.chance);
}

static void
broker_main(void *context)
{
    (void)context;
    while (!b.stopping) {
        b.process.killed = false;
        b.process.paused_until_us = 0;
        serve();
        if (!b.stopping)
            actor_sleep(b.down_us);
    }
}

void
broker_begin(const struct core_options *options, struct chance chance, const char *directory)
{
    memset(&b, 0, sizeof b);
    b.process.name = "broker";
    b.process.chance = chance;
    b.options = *options;
    b.options.endpoint = "tcp://127.0.0.1:5670";
    b.options.software = "simulated";
    b.room = UINT64_MAX;
    b.directory = directory;
    network_limit(options->message_bytes);
    disk_begin(directory);
    b.actor = actor_start(&b.process, broker_main, NULL);
}

struct process *
broker_process(void)
{
    return &b.process;
}

void
broker_kill(uint64_t down_us)
{
    b.down_us = down_us;
    b.process.killed = true;
}

void
broker_pause(uint64_t us)
{
    b.process.paused_until_us = world_us() + us;
}

void
broker_fail_commit(enum commit_fault how, uint64_t down_us)
{
    b.down_us = down_us;
    b.fails = true;
    b.how = how;
}

void
broker_set_clock(int64_t wall_ms)
{
    b.wall_ms = wall_ms;
}

void
broker_slow_disk(uint64_t until_us, uint64_t us)
{
    b.slow_until_us = until_us;
    b.slow_us = us;
}

void
broker_set_room(uint64_t bytes)
{
    b.room = bytes;
    if (b.store)
        disk_set_room(bytes);
}

void
broker_stop(void)
{
    b.stopping = true;
}

void
broker_end(void)
{
    for (size_t i = 0; i < BATCH_FRAMES; i++)
        pack_buffer_free(&b.frames[i]);
    outbox_free(&b.out);
    disk_end();
}
