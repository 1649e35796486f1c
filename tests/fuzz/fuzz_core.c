/* Core and routes under any sequence of messages. The input is a script: a byte chooses what
 * happens, the next ones how. Frames are well-formed with fields from the script, or raw bytes;
 * between them time passes, connections go, the store fails, the broker is killed and starts again.
 * After each step the core's books must balance; in the end what is stored must fit together.
 */
#include "core.h"
#include "fuzz.h"
#include "id.h"
#include "message.h"
#include "routes.h"
#include "store_model.h"

enum { CONNECTIONS = 8, EVENTS = 64, IDS = 32, STEPS = 200 };

static struct {
    const uint8_t *at, *end; /* the script */
    struct core *core;
    struct store *store;
    struct core_options options;
    struct routes routes;
    struct outbox out;
    struct message_arrays *arrays;
    struct event events[EVENTS];
    struct pack_buffer frames[EVENTS];
    size_t count;
    uint64_t now_ms, seed, submissions[4];
    struct lease_ref known[IDS]; /* jobs and attempts that were heard of */
    unsigned known_count, steps;
} f;

static uint8_t
next(void)
{
    return f.at < f.end ? *f.at++ : 0;
}

static struct lease_ref
known(void)
{
    struct lease_ref ref = {.id = id_make(0, next() % 4, 100, next()), .attempt = 1};
    uint8_t which = next();
    if (f.known_count && which < 240)
        ref = f.known[which % (f.known_count < IDS ? f.known_count : IDS)];
    if (next() > 200)
        ref.attempt += (uint32_t)(next() % 3) - 1;
    return ref;
}

static void
learn(const struct stint_id *id, uint32_t attempt)
{
    f.known[f.known_count++ % IDS] = (struct lease_ref){.id = *id, .attempt = attempt};
}

static void
read_output(void)
{
    for (size_t i = 0; i < f.out.count; i++) {
        struct message m;
        const char *why;
        struct route *route = routes_at(&f.routes, f.out.entries[i].peer);
        struct slice frame = outbox_frame(&f.out, i);
        if (f.out.entries[i].forget) {
            if (route)
                routes_forget(&f.routes, route);
            continue;
        }
        MUST(message_decode(frame.data, frame.size, &m, f.arrays, &why) == STINT_OK);
        for (uint32_t n = 0; n < m.count && m.type == MESSAGE_DISPATCH; n++)
            learn(&f.arrays->dispatched[n].id, f.arrays->dispatched[n].attempt);
        for (uint32_t n = 0; n < m.count && m.type == MESSAGE_SUBMITTED; n++) {
            struct stint_id id;
            uint32_t length;
            if (f.arrays->answers[n].count && message_next_run(&f.arrays->answers[n], &id, &length))
                learn(&id, 1);
        }
    }
}

static void
start(void)
{
    const char *error;
    MUST(core_new(&f.options, f.store, f.now_ms, &f.core, &error) == STINT_OK);
    routes_init(&f.routes, f.options.max.peers + 2);
}

static void
restart(void)
{
    core_destroy(&f.core);
    routes_fini(&f.routes);
    f.count = 0;
    store_model_crash(f.store);
    start();
}

static void
step(uint64_t ms)
{
    f.now_ms += ms;
    struct batch batch = {.now_ms = f.now_ms,
        .wall_ms = 1700000000000 + f.now_ms,
        .seed = ++f.seed,
        .room_bytes = f.store->ops->room(f.store),
        .heard = next() % 8 ? HEARD_ALL : HEARD_EACH,
        .events = f.events,
        .count = f.count};
    outbox_reset(&f.out);
    enum stint_status status = core_step(f.core, &batch, &f.out);
    f.count = 0;
    if (status != STINT_OK) {
        restart();
        return;
    }
    store_model_spare(f.store);
    core_check(f.core);
    struct note note;
    while (core_next_note(f.core, &note))
        ;
    (void)core_idle_ms(f.core);
    read_output();
}

/* A frame of a connection, to be filled in; delivered with the next step. */
static struct pack_buffer *
frame(uint8_t connection)
{
    static struct pack_buffer nowhere;
    uint8_t id[2] = {'c', connection};
    struct route *route = routes_find(&f.routes, id, sizeof id);
    if (!route || f.count == EVENTS) {
        nowhere.used = 0;
        return &nowhere;
    }
    /* The last ones come with a key for the queue "a" only, and those that begin with "de". */
    static const struct grant key = {
        .name = "key", .rights = RIGHTS_ALL, .patterns_count = 2, .patterns = {"a", "de*"}};
    const struct grant *grant = connection >= CONNECTIONS - 2 ? &key : NULL;
    f.events[f.count] = (struct event){.kind = EVENT_FRAME, .peer = route->number, .grant = grant};
    f.frames[f.count].used = 0;
    return &f.frames[f.count++];
}

static void
put_hello(struct pack_buffer *b)
{
    static const char *const names[] = {"default", "a", "b", "c", "d*", "*"};
    struct slice queues[6] = {[3] = {(const uint8_t *)"c", 1}};
    uint8_t what = next();
    struct hello h = {.version_min = 1,
        .version_max = 1 + (what == 255),
        .role = what % 2 ? ROLE_WORKER : ROLE_CLIENT,
        .name = {(const uint8_t *)"fuzz", 4},
        .slots = what % 2 ? next() % 4 : 0,
        .window = what % 2 ? next() % 8 : 0,
        .cores = what % 4 == 3 ? 2 : 0,
        .labels = what % 8 == 7,
        .has = {(const uint8_t *)"n=2 x", what % 4 == 1 ? what % 8U : 0}}; /* all, or "n" */
    h.queues = what % 2 ? next() % 5 : 0;
    h.prefixes = h.queues == 4 ? what / 2 % 3 : 0; /* behind all the names */
    memset(h.session, next() % 6, sizeof h.session);
    for (uint32_t i = 0; i < h.queues + h.prefixes; i++)
        queues[i] = (struct slice){(const uint8_t *)names[i], strlen(names[i])};
    message_put_hello(b, &h, queues, NULL, &queues[3]);
}

/* Something is done to many jobs, or one that goes on is looked at or stopped. */
static void
put_bulk(struct pack_buffer *b)
{
    static const struct slice queues[] = {{(const uint8_t *)"a", 1}, {(const uint8_t *)"b", 1}};
    uint8_t what = next(), more = next();
    struct pack_buffer filter = {0};
    const struct filter terms = {.count = what / 64 % 3,
        .terms = {{.field = FILTER_QUEUE, .is = FILTER_IS, .text = queues[more % 2]},
            {.field = FILTER_STATE, .is = FILTER_IS, .number = more}}};
    struct bulk_request k = {.bulk = 1 + more % 8,
        .action = (enum stint_bulk_action)(1 + what % STINT_BULK_PRIORITY),
        .priority = -1,
        .dry = more > 200,
        .all = more % 4 != 0};
    if (k.action == STINT_BULK_MOVE)
        k.queue = queues[more / 2 % 2];
    if (k.action == STINT_BULK_PRIORITY)
        k.priority = more;
    filter_write(&filter, &terms);
    k.filter = (struct slice){filter.data, filter.used};
    if (what % 16 < 12)
        message_put_bulk(b, more, &k);
    else
        message_put_list_bulks(b, what % 16 < 14 ? MESSAGE_LIST_BULKS : MESSAGE_STOP_BULK, more,
            more % 9, (struct slice){0});
    pack_buffer_free(&filter);
}

/* About a job, or about one of four queues. */
static void
put_question(struct pack_buffer *b, uint8_t what, uint8_t more, const struct slice queues[4])
{
    const struct stint_id id = id_make(0, 1 + what % 3, DEFAULT_PRIORITY, more % 32);
    const struct message peek = {.peek.queue = queues[what % 4],
        .peek.offset = more % 40,
        .peek.limit = next() % 8,
        .peek.parts = more % 2};
    switch (what / 4 % 4) {
    case 0:
        message_put_why(b, more, queues[what % 4], NULL, 0);
        break;
    case 1:
        message_put_why(b, more, (struct slice){0}, &id, 1);
        break;
    case 2:
        message_put_peek(b, more, &peek);
        break;
    default:
        message_put_list_figures(b, more, queues[what % 4], next(), (struct slice){0});
    }
}

#include "core_people.h"

static void
put_tune(struct pack_buffer *b, uint8_t number, struct slice queue)
{
    static const uint64_t keeps[] = {UINT64_MAX, STINT_KEEP_UNSET, 0, 5000};
    uint8_t byte = next();
    const struct stint_queue_tuning tuning = {.weight = byte % 2 ? UINT32_MAX : 1U + byte % 4,
        .backlog_max = byte % 3 ? UINT32_MAX : byte % 8U,
        .keep_ms = keeps[byte / 4 % 4],
        .time_to_run_ms = byte / 16 % 2 ? UINT64_MAX : 40 * (byte / 32U)};
    message_put_tune_queue(b, number, queue, &tuning);
}

/* What a person does with the fleet and with queues, and a worker that says it has other slots now.
 */
static void
put_fleet(struct pack_buffer *b)
{
    static const struct slice names[] = {{(const uint8_t *)"fuzz", 4}, {(const uint8_t *)"c", 1}},
                              queues[] = {{(const uint8_t *)"default", 7},
                                  {(const uint8_t *)"a", 1}, {(const uint8_t *)"b", 1},
                                  {(const uint8_t *)"d", 1}};
    uint8_t what = next(), more = next();
    const struct stint_fleet size = {.slots = more % 32};
    const struct ping ping = {.window = more % 8, .slots = more % 4, .load = more};
    const struct stint_queue_limits limits = {.running = more % 3 ? UINT32_MAX : more % 7,
        .rate = more % 5 ? UINT64_MAX : 3600 * (more % 4)};
    struct control c = {.action = (enum control_action)(1 + more % 5),
        .target = (enum control_target)(1 + what % 3),
        .slots = more % 2 ? SLOTS_OWN : more % 9};
    switch (what % 8) {
    case 4:
        if (more % STINT_TUNE_QUEUE == STINT_TUNE_QUEUE - 1)
            put_tune(b, more, queues[what / 8 % 4]);
        else if (more % STINT_TUNE_QUEUE == 8)
            put_groups(b, more, queues[what / 8 % 4]);
        else
            message_put_set_queue(b, more, queues[what / 8 % 4],
                (enum stint_queue_action)(STINT_PAUSE_QUEUE + more % STINT_TUNE_QUEUE), &limits);
        break;
    case 5:
        put_question(b, what / 8, more, queues);
        break;
    case 0:
        message_put_fleet(b, MESSAGE_SET_FLEET, more, &size);
        break;
    case 1:
        message_put_numbered(b, MESSAGE_GET_FLEET, more);
        break;
    case 2:
        message_put_list_running(b, more, names[0], (struct slice){0});
        break;
    case 3:
        message_put_worker_ping(b, more, &ping);
        break;
    case 6:
        put_bulk(b);
        break;
    default:
        if (c.target != CONTROL_ALL)
            c.name = names[c.target == CONTROL_LABELLED];
        message_put_control(b, more, &c);
    }
}

/* One that stands before it in the message, if there is one, and one with an id. */
static struct slice
put_after(struct pack_buffer *b, uint32_t place)
{
    struct stint_id id = id_make(0, 1 + next() % 3, DEFAULT_PRIORITY, next() % 32);
    pack_put_array(b, 1 + (place > 0));
    if (place > 0)
        pack_put_uint(b, next() % place);
    pack_put_bytes(b, id.bytes, sizeof id.bytes);
    return (struct slice){b->data, b->used};
}

static void
put_submit(struct pack_buffer *b, uint8_t connection)
{
    static const char *const names[] = {"default", "a", "b", "c", "d"};
    static uint8_t payload[5000];
    static const uint64_t keeps[] = {KEEP_DEFAULT, 0, 1000, 60000};
    static const struct slice needs[] = {{(const uint8_t *)"n=1", 3}, {(const uint8_t *)"n=2", 3},
        {(const uint8_t *)"c", 1}, {(const uint8_t *)"n=1 x", 5}};
    struct job_spec jobs[8];
    struct pack_buffer after[8] = {{NULL, 0, 0}};
    uint32_t count = 1 + next() % 8;
    for (uint32_t i = 0; i < count; i++) {
        const char *queue = names[next() % 5];
        uint8_t how = next();
        jobs[i] = (struct job_spec){.queue = {(const uint8_t *)queue, strlen(queue)},
            .kind = {(const uint8_t *)"k", 1},
            .payload = {payload, how > 240 ? 4999 : how % 16},
            .keep_ms = keeps[how % 4],
            .time_to_run_ms = how % 8 == 7 ? 500 : 0,
            .delay_ms = how % 16 == 5 ? 1000 : 0,
            .expires_in_ms = how % 16 == 6 ? 1000 : 0,
            .total_ms = how % 16 == 11 ? 700 : 0,
            .batch = how % 16 == 12 || how % 16 == 13 ? 1 + how / 128 : 0,
            .backoff_base_ms = DEFAULT_BACKOFF_BASE_MS,
            .backoff_cap_ms = DEFAULT_BACKOFF_CAP_MS,
            .max_attempts = 1 + how % 3,
            .priority = (uint8_t)(how / 64 * 50)};
        if (how % 16 == 9 || how % 16 == 10)
            jobs[i].after = put_after(&after[i], i);
        jobs[i].after_flags = how % 32 == 9;
        if (how % 16 == 12 || how % 16 == 13)
            jobs[i].needs = needs[how / 16 % 4];
        if (how % 16 >= 12)
            jobs[i].group = (struct slice){(const uint8_t *)"group", 1 + how / 64};
    }
    uint64_t *number = &f.submissions[connection % 4];
    uint8_t which = next();
    *number += which < 200;
    message_put_submit(b, which > 240 ? *number + 2 : *number, *number - (which & 1), jobs, count);
    for (uint32_t i = 0; i < count; i++)
        pack_buffer_free(&after[i]);
}

/* What comes with an end: jobs after one before them and one with an id, or after none. */
static struct slice
put_joint(struct pack_buffer *b)
{
    struct pack_buffer jobs = {NULL, 0, 0}, after = {NULL, 0, 0};
    struct stint_id ids[2] = {known().id, known().id};
    uint8_t how = next();
    struct joint joint = {.jobs_count = how % 4, .ids = ids, .ids_count = how / 64 % 3};
    struct job_spec job = {.queue = {(const uint8_t *)"abcd" + how / 16 % 4, 1},
        .kind = {(const uint8_t *)"k", 1},
        .max_attempts = 2};
    for (uint32_t i = 0; i < joint.jobs_count; i++) {
        after.used = 0;
        job.after = how & 8 ? put_after(&after, i) : (struct slice){NULL, 0};
        message_put_job(&jobs, &job);
    }
    joint.flags = how >> 7;
    joint.jobs = (struct slice){jobs.data, jobs.used};
    message_put_joint(b, &joint);
    pack_buffer_free(&jobs);
    pack_buffer_free(&after);
    return (struct slice){b->data, b->used};
}

static void
put_settle(struct pack_buffer *b)
{
    struct pack_buffer joints[4] = {{NULL, 0, 0}};
    static uint8_t body[5000];
    struct outcome outcomes[4];
    uint32_t count = 1 + next() % 4;
    for (uint32_t i = 0; i < count; i++) {
        struct lease_ref ref = known();
        uint8_t how = next();
        outcomes[i] = (struct outcome){.id = ref.id,
            .attempt = ref.attempt,
            .type = (enum outcome_type)(1 + how % 5),
            .body = {body, how > 250 ? 4999 : how % 32},
            .delay_ms = how % 3 ? 0 : how};
        if (how / 16 % 4 == 3)
            outcomes[i].joint = put_joint(&joints[i]);
    }
    message_put_settle(b, next(), outcomes, count, next() % 16 ? WINDOW_UNCHANGED : next());
    for (uint32_t i = 0; i < count; i++)
        pack_buffer_free(&joints[i]);
}

static void
put_ids(struct pack_buffer *b, enum message_type type)
{
    struct stint_id ids[4];
    uint32_t count = 1 + next() % 4;
    for (uint32_t i = 0; i < count; i++)
        ids[i] = known().id;
    message_put_ids(b, type, next(), ids, count, next() % 8);
}

static void
put_leases(struct pack_buffer *b, enum message_type type)
{
    struct lease_ref leases[4];
    uint32_t count = next() % 5;
    for (uint32_t i = 0; i < count; i++)
        leases[i] = known();
    message_put_leases(b, type, next(), leases, count, type == MESSAGE_CLAIM && next() % 8 == 0);
}

static void
put_progress(struct pack_buffer *b)
{
    struct told_progress told[4];
    uint32_t count = next() % 5;
    for (uint32_t i = 0; i < count; i++) {
        const struct lease_ref lease = known();
        told[i] = (struct told_progress){.id = lease.id,
            .attempt = lease.attempt,
            .percent = next() % 2 ? next() % 101 : STINT_NO_PERCENT,
            .text = {(const uint8_t *)"how far it is", next() % 14}};
    }
    message_put_progress(b, told, count);
}

/* Of jobs that run. */
static void
put_news(struct pack_buffer *b)
{
    if (next() % 4 == 0)
        put_progress(b);
    else if (next() % 8 == 0)
        message_put_wrote(b, MESSAGE_WROTE, &(struct wrote){.id = known().id, .attempt = 1}, 1);
    else
        put_leases(b, MESSAGE_STARTED);
}

static void
put_list(struct pack_buffer *b)
{
    struct message m = {.type = MESSAGE_LIST};
    static uint8_t cursor[64];
    uint8_t size = next() % 64;
    for (uint8_t i = 0; i < size; i++)
        cursor[i] = next();
    m.list.states = next();
    m.list.limit = next();
    m.list.cursor = (struct slice){cursor, next() % 2 ? size : 0};
    if (next() % 2)
        m.list.queue = (struct slice){(const uint8_t *)"default", 7};
    message_put_list(b, next(), &m);
}

static void
put_change(struct pack_buffer *b)
{
    static const struct slice queues[] = {
        {(const uint8_t *)"default", 7}, {(const uint8_t *)"other", 5}};
    struct stint_id ids[3];
    uint32_t count = next() % 4;
    struct change change = {.set = (uint32_t)next() << 1 | (next() % 2 ? CHANGE_BACKOFF_CAP : 0) |
            (next() % 2 ? CHANGE_DELAY : 0),
        .delay_ms = next() * 10,
        .to = {.queue = queues[next() % 2],
            .kind = queues[next() % 2],
            .payload = {f.at, next() % 8 <= f.end - f.at ? next() % 2 : 0},
            .priority = next(),
            .max_attempts = 1 + next() % 3,
            .keep_ms = next(),
            .time_to_run_ms = 1 + next(),
            .backoff_base_ms = 1 + next(),
            .backoff_cap_ms = 1 + next()}};
    for (uint32_t i = 0; i < count; i++)
        ids[i] = known().id;
    message_put_change(b, next(), ids, count, &change);
}

static void
put_raw(struct pack_buffer *b)
{
    size_t size = next();
    if (size > (size_t)(f.end - f.at))
        size = (size_t)(f.end - f.at);
    if (size)
        memcpy(pack_reserve(b, size), f.at, size);
    f.at += size;
}

static void
put_other(struct pack_buffer *b, uint8_t what)
{
    uint8_t which = what == 31 ? next() % 4 : 0;
    if (what != 31)
        put_raw(b);
    else if (which == 1)
        put_schedule(b);
    else if (which == 3)
        put_batch(b);
    else
        put_feed(b);
}

static const enum message_type ids_types[16] = {[9] = MESSAGE_WAIT,
    [10] = MESSAGE_GET,
    [11] = MESSAGE_CANCEL,
    [12] = MESSAGE_RETRY,
    [30 % 16] = MESSAGE_DELETE};

static void
put_frame(uint8_t what, uint8_t connection)
{
    struct pack_buffer *b = frame(connection);
    struct stint_id id;
    switch (what) {
    case 0:
        put_hello(b);
        break;
    case 1:
    case 2:
        put_submit(b, connection);
        break;
    case 3:
    case 4:
        put_settle(b);
        break;
    case 5:
        put_leases(b, MESSAGE_CLAIM);
        break;
    case 6:
        put_news(b);
        break;
    case 7:
        message_put_ping(b, next(), next() % 2 ? WINDOW_UNCHANGED : next(), 0);
        break;
    case 8:
        message_put_numbered(b, MESSAGE_BYE, next());
        break;
    case 9:
    case 10:
    case 11:
    case 12:
    case 30:
        put_ids(b, ids_types[what % 16]);
        break;
    case 13:
        put_list(b);
        break;
    case 14:
        id = known().id;
        message_put_subscribe(b, next() % 4, (struct slice){NULL, 0}, next(), &id, next() % 2);
        break;
    case 15:
        message_put_numbered(b, MESSAGE_UNSUBSCRIBE, next() % 4);
        break;
    case 16:
    case 17:
        message_put_numbered(b, what == 16 ? MESSAGE_LIST_QUEUES : MESSAGE_LIST_WORKERS, next());
        break;
    case 18:
        message_put_numbered(b, MESSAGE_GET_STATS, next());
        break;
    case 19:
        put_fleet(b);
        break;
    case 28:
    case 29:
        put_change(b);
        break;
    default:
        put_other(b, what);
    }
    if (f.count) {
        struct pack_buffer *last = &f.frames[f.count - 1];
        if (last == b)
            f.events[f.count - 1].frame = (struct slice){b->data, b->used};
    }
}

static void
lose_connection(uint8_t connection)
{
    uint8_t id[2] = {'c', connection};
    struct route *route = routes_find(&f.routes, id, sizeof id);
    if (route && f.count < EVENTS)
        f.events[f.count++] = (struct event){.kind = EVENT_GONE, .peer = route->number};
}

static void
happen(uint8_t what)
{
    static const uint64_t pauses[] = {0, 1, 60, 300, 1000, 6000, 12000, 100000};
    uint8_t connection = what / 32;
    switch (what % 32) {
    case 20:
    case 21:
    case 22:
    case 23:
        f.steps++;
        step(pauses[next() % 8]);
        break;
    case 24:
        lose_connection(connection);
        break;
    case 25:
        restart();
        break;
    case 26:
        store_model_fail_operation(f.store, next());
        break;
    case 27:
        store_model_set_room(f.store, next() % 2 ? UINT64_MAX : next() * 64U);
        break;
    default:
        put_frame(what % 32, connection);
    }
}

static void
prepare(void)
{
    f.now_ms = 1000000;
    f.seed = f.count = f.known_count = f.steps = 0;
    memset(f.submissions, 0, sizeof f.submissions);
    core_options_init(&f.options);
    f.options.max.peers = 5;
    f.options.max.queues = 4;
    f.options.max.levels = 8;
    f.options.max.sessions = 4;
    f.options.max.queue_backlog = 12;
    f.options.max.backlog = 24;
    f.options.payload_bytes = f.options.result_bytes = 4990;
    f.options.keep_ms = 20000;
    f.options.keep_dead_ms = 30000;
    f.options.session_keep_ms = 60000;
    f.options.unread_bytes = 6000;
    f.options.max.progress_bytes = 300;
    f.store = store_model_new();
    if (!f.arrays)
        f.arrays = calloc(1, sizeof *f.arrays);
    MUST(f.arrays);
    start();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct verify_report report = {.problem = NULL};
    f.at = bytes;
    f.end = bytes + size;
    prepare();
    while (f.at < f.end && f.steps < STEPS)
        happen(next());
    step(100);
    core_destroy(&f.core);
    routes_fini(&f.routes);
    store_model_crash(f.store);
    core_verify(f.store, 0, &report);
    MUST(report.problems == 0);
    f.store->ops->destroy(&f.store);
    return 0;
}
