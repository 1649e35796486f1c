/* A small world around the core; the contract is in world.h. */
#include "world.h"

#include <stdlib.h>

static void
start(struct world *w)
{
    const char *error = "";
    enum stint_status status = core_new(&w->options, w->store, w->now_ms, &w->core, &error);
    assert_int_equal(status, STINT_OK);
    assert_true(w->starts_count < sizeof w->starts / sizeof *w->starts);
    w->starts[w->starts_count++] = w->steps;
}

struct world *
world_new(const struct core_options *options)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    core_options_init(&w->options);
    if (options)
        w->options = *options;
    w->options.endpoint = "tcp://127.0.0.1:5670";
    w->options.software = "test";
    w->arrays = calloc(1, sizeof *w->arrays);
    assert_non_null(w->arrays);
    w->store = store_model_new();
    w->now_ms = 1000000;
    w->wall_ms = 1700000000000;
    start(w);
    return w;
}

void
world_transcribe(struct world *w)
{
    w->transcript = transcript_new(w->now_ms, w->wall_ms);
}

static void
free_log(struct world *w)
{
    for (size_t i = 0; i < w->steps; i++) {
        for (size_t e = 0; e < w->log[i]->batch.count; e++)
            free((void *)(uintptr_t)w->log[i]->events[e].frame.data);
        free(w->log[i]);
    }
}

void
world_destroy(struct world **world)
{
    struct world *w = *world;
    core_destroy(&w->core);
    w->store->ops->destroy(&w->store);
    outbox_free(&w->out);
    for (size_t i = 0; i < WORLD_EVENTS; i++)
        pack_buffer_free(&w->frames[i]);
    free_log(w);
    transcript_destroy(&w->transcript);
    free(w->arrays);
    free(w);
    *world = NULL;
}

struct pack_buffer *
world_frame(struct world *w, uint32_t peer)
{
    assert_true(w->pending < WORLD_EVENTS);
    w->peers[w->pending] = peer;
    w->kinds[w->pending] = EVENT_FRAME;
    w->frames[w->pending].used = 0;
    return &w->frames[w->pending++];
}

void
world_gone(struct world *w, uint32_t peer)
{
    (void)world_frame(w, peer);
    w->kinds[w->pending - 1] = EVENT_GONE;
}

static void
write_message(struct world *w, uint32_t peer, bool by_peer, struct slice frame)
{
    const char *problem = transcript_message(w->transcript, w->now_ms, peer, by_peer, frame);
    if (problem)
        fail_msg("a message can't be told in a transcript: %s", problem);
}

static void
write_batch(struct world *w, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct event *e = &batch->events[i];
        if (e->kind == EVENT_FRAME)
            write_message(w, e->peer, true, e->frame);
        else
            transcript_event(w->transcript, w->now_ms, e->peer,
                e->kind == EVENT_GONE ? "is gone" : "sends a part of a frame");
    }
}

static void
write_outbox(struct world *w)
{
    for (size_t i = 0; i < w->out.count; i++) {
        const struct outbox_entry *e = &w->out.entries[i];
        if (e->forget || e->close)
            transcript_event(w->transcript, w->now_ms, e->peer,
                e->close ? "is cut off: the broker ends the connection"
                         : "is forgotten, and may say HELLO again");
        else
            write_message(w, e->peer, false, outbox_frame(&w->out, i));
    }
}

enum stint_status
world_step(struct world *w, uint64_t ms)
{
    struct world_batch *b = calloc(1, sizeof *b);
    assert_non_null(b);
    w->now_ms += ms;
    w->wall_ms += ms;
    b->batch = (struct batch){.now_ms = w->now_ms,
        .wall_ms = w->wall_ms,
        .seed = ++w->seed,
        .room_bytes = w->store->ops->room(w->store),
        .heard = w->heard,
        .events = b->events,
        .count = w->pending};
    for (size_t i = 0; i < w->pending; i++) {
        uint8_t *copy = malloc(w->frames[i].used + 1);
        assert_non_null(copy);
        if (w->frames[i].used)
            memcpy(copy, w->frames[i].data, w->frames[i].used);
        b->events[i] = (struct event){.kind = w->kinds[i],
            .peer = w->peers[i],
            .frame = {copy, w->frames[i].used},
            .grant = w->peers[i] < WORLD_KEYS ? w->grants[w->peers[i]] : NULL};
    }
    w->pending = 0;
    assert_true(w->steps < WORLD_LOG);
    w->log[w->steps++] = b;
    outbox_reset(&w->out);
    if (w->transcript)
        write_batch(w, &b->batch);
    enum stint_status status = core_step(w->core, &b->batch, &w->out);
    if (status == STINT_OK)
        core_check(w->core);
    if (status == STINT_OK && w->transcript)
        write_outbox(w);
    return status;
}

void
world_restart(struct world *w)
{
    core_destroy(&w->core);
    store_model_crash(w->store);
    start(w);
}

bool
world_replays(struct world *w)
{
    struct store *store = store_model_new();
    struct core *core = NULL;
    struct outbox out = {0};
    store_model_set_room(store, 1); /* how much there is comes with the batch */
    const char *error;
    size_t s = 0;
    uint64_t now_ms = 1000000;
    for (size_t i = 0; i <= w->steps; i++) {
        for (; s < w->starts_count && w->starts[s] == i; s++) {
            core_destroy(&core);
            assert_int_equal(core_new(&w->options, store, now_ms, &core, &error), STINT_OK);
        }
        if (i == w->steps)
            break;
        outbox_reset(&out);
        now_ms = w->log[i]->batch.now_ms;
        assert_int_equal(core_step(core, &w->log[i]->batch, &out), STINT_OK);
    }
    bool same = store_model_equal(store, w->store) && out.bytes.used == w->out.bytes.used &&
        memcmp(out.bytes.data, w->out.bytes.data, out.bytes.used) == 0;
    core_destroy(&core);
    outbox_free(&out);
    store->ops->destroy(&store);
    return same;
}

bool
world_next(struct world *w, uint32_t peer, size_t *i)
{
    const char *why;
    for (; *i < w->out.count; (*i)++) {
        if (w->out.entries[*i].peer != peer || w->out.entries[*i].forget)
            continue;
        struct slice frame = outbox_frame(&w->out, (*i)++);
        assert_int_equal(
            message_decode(frame.data, frame.size, &w->message, w->arrays, &why), STINT_OK);
        return true;
    }
    return false;
}

const struct message *
world_read(struct world *w, uint32_t peer, enum message_type type)
{
    for (size_t i = 0; world_next(w, peer, &i);)
        if (w->message.type == type)
            return &w->message;
    return NULL;
}

size_t
world_count(struct world *w, uint32_t peer, enum message_type type)
{
    size_t count = 0;
    for (size_t i = 0; world_next(w, peer, &i);)
        count += w->message.type == type;
    return count;
}

static void
say_hello(struct world *w, uint32_t peer, struct hello *h, uint8_t session)
{
    memset(h->session, session, sizeof h->session);
    h->version_min = h->version_max = 1;
    h->name = (struct slice){(const uint8_t *)"peer", 4};
    h->software = (struct slice){(const uint8_t *)"test", 4};
    message_put_hello(world_frame(w, peer), h, NULL, NULL, NULL);
}

void
world_hello_client(struct world *w, uint32_t peer, uint8_t session)
{
    struct hello h = {.role = ROLE_CLIENT};
    say_hello(w, peer, &h, session);
}

void
world_hello_worker(struct world *w, uint32_t peer, uint8_t session, uint32_t slots)
{
    struct hello h = {.role = ROLE_WORKER, .slots = slots, .window = slots};
    say_hello(w, peer, &h, session);
}

void
world_hello_ordered(
    struct world *w, uint32_t peer, uint8_t session, uint32_t slots, const char *label)
{
    struct slice labels = {(const uint8_t *)label, strlen(label)};
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .name = {(const uint8_t *)"peer", 4},
        .software = {(const uint8_t *)"test", 4},
        .slots = slots,
        .window = slots,
        .cores = 4,
        .labels = 1};
    memset(h.session, session, sizeof h.session);
    message_put_hello(world_frame(w, peer), &h, NULL, NULL, &labels);
}

void
world_claim(struct world *w, uint32_t peer, const struct lease_ref *leases, uint32_t count)
{
    message_put_leases(world_frame(w, peer), MESSAGE_CLAIM, 1, leases, count, false);
}

struct job_spec
world_job(const char *payload)
{
    return (struct job_spec){.queue = {(const uint8_t *)"default", 7},
        .kind = {(const uint8_t *)"default", 7},
        .payload = {(const uint8_t *)payload, strlen(payload)},
        .keep_ms = KEEP_DEFAULT,
        .backoff_base_ms = DEFAULT_BACKOFF_BASE_MS,
        .backoff_cap_ms = DEFAULT_BACKOFF_CAP_MS,
        .max_attempts = DEFAULT_MAX_ATTEMPTS,
        .priority = DEFAULT_PRIORITY};
}

void
world_submit(
    struct world *w, uint32_t peer, uint64_t number, const struct job_spec *jobs, uint32_t count)
{
    message_put_submit(world_frame(w, peer), number, 0, jobs, count);
}

void
world_settle(struct world *w, uint32_t peer, uint64_t number, struct stint_id id, uint32_t attempt,
    enum outcome_type type, const char *body)
{
    struct outcome o = {
        .id = id, .attempt = attempt, .type = type, .body = {(const uint8_t *)body, strlen(body)}};
    message_put_settle(world_frame(w, peer), number, &o, 1, 1);
}

enum stint_state
world_state(struct world *w, struct stint_id id, struct stint_job_info *info)
{
    enum { ASKER = 9 };
    world_hello_client(w, ASKER, 200);
    message_put_ids(
        world_frame(w, ASKER), MESSAGE_GET, 1, &id, 1, PART_PAYLOAD | PART_RESULT | PART_ATTEMPTS);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, ASKER, MESSAGE_JOBS));
    assert_true(message_next_job(w->arrays));
    if (info)
        *info = w->arrays->info;
    return w->arrays->info.state;
}

void
world_with_client(struct world *w)
{
    world_hello_client(w, 1, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_WELCOME));
}

void
world_with_worker(struct world *w, uint32_t slots)
{
    world_hello_worker(w, 2, 2, slots);
    world_claim(w, 2, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 2, MESSAGE_CLAIMED));
}

void
world_submit_many(
    struct world *w, uint32_t peer, uint64_t number, const struct job_spec *like, uint32_t count)
{
    struct job_spec *jobs = calloc(count, sizeof *jobs);
    assert_non_null(jobs);
    for (uint32_t i = 0; i < count; i++)
        jobs[i] = *like;
    world_submit(w, peer, number, jobs, count);
    assert_int_equal(world_step(w, 0), STINT_OK);
    free(jobs);
}

struct stint_id
world_submit_one(struct world *w, uint64_t number, const char *payload)
{
    struct job_spec job = world_job(payload);
    struct stint_id id;
    uint32_t count;
    world_submit(w, 1, number, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_OK);
    assert_true(message_next_run(&w->arrays->answers[0], &id, &count));
    assert_int_equal(count, 1);
    return id;
}

struct dispatched_job
world_dispatched(struct world *w, uint32_t peer)
{
    assert_non_null(world_read(w, peer, MESSAGE_DISPATCH));
    assert_true(w->message.count > 0);
    return w->arrays->dispatched[0];
}

bool
world_told(struct world *w, const char *part)
{
    struct note note;
    bool told = false;
    while (core_next_note(w->core, &note))
        told |= strstr(note.event, part) != NULL;
    return told;
}
