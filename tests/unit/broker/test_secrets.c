/* What another's queue does must not show. The same conversation, drawn by a seed, is had in two
 * worlds: in one of them the other queue is full of life, in the other one it never was. Whatever a
 * client and a worker with a key for their own queues ask meanwhile, also about the other queue, by
 * its name, its jobs' ids and with cursors of its places, and about all queues: they have to hear
 * the same, byte for byte. Messages are small, so that lists have pages and events are lost.
 */
#include "world.h"

#include "splitmix.h"

enum { LOCAL = 1, BOTH = 2, THEIRS = 3, CLIENT = 5, WORKER = 6 };
enum { OWN_QUEUE = 1, OTHER_QUEUE = 2, NEXT_QUEUE = 3, OWN_JOBS = 40, STEPS = 150, SEEDS = 100 };
enum { OTHER_JOBS = 400, BURST = 80, MESSAGE_BYTES = 16384, CURSOR_BYTES = 1 + STINT_ID_BYTES };

static struct slice
text(const char *s)
{
    return (struct slice){(const uint8_t *)s, strlen(s)};
}

struct conversation {
    struct world *w;
    uint64_t chance;
    bool alive; /* the other queue */
    struct grant key;
    uint64_t submission, other_submission; /* the next ones */
    uint32_t other_jobs; /* stored */
    uint8_t cursor[CURSOR_BYTES]; /* of the last list of all queues */
    bool goes_on; /* that list */
    uint64_t listed_on, missed; /* lists that went on, and events that were lost */
    uint64_t read; /* events of feeds */
    struct pack_buffer heard;
};

static uint64_t
below(struct conversation *c, uint64_t n)
{
    return splitmix64(&c->chance) % n;
}

/* ---- the other queue's life ---- */

static void
put_jobs(struct world *w, uint32_t peer, uint64_t number, const char *queue, const char *kind,
    uint32_t count)
{
    struct job_spec jobs[BURST];
    for (uint32_t i = 0; i < count; i++) {
        jobs[i] = world_job(queue);
        jobs[i].queue = text(queue);
        jobs[i].kind = text(kind);
    }
    world_submit(w, peer, number, jobs, count);
}

static void
put_job(struct world *w, uint32_t peer, uint64_t number, const char *queue, const char *kind)
{
    put_jobs(w, peer, number, queue, kind, 1);
}

static struct stint_id
other_id(struct conversation *c, uint64_t n)
{
    return id_make(c->w->options.broker, OTHER_QUEUE, DEFAULT_PRIORITY, 1 + n);
}

/* An operation on the jobs of a queue; "": on all. */
static void
put_bulk(struct conversation *c, uint32_t peer, uint64_t bulk, const char *queue)
{
    const struct filter filter = {.count = *queue != 0,
        .terms = {{.field = FILTER_QUEUE, .is = FILTER_IS, .text = text(queue)}}};
    struct bulk_request k = {
        .bulk = bulk, .action = STINT_BULK_CANCEL, .priority = -1, .all = true};
    struct pack_buffer b = {0};
    filter_write(&b, &filter);
    k.filter = (struct slice){b.data, b.used};
    message_put_bulk(world_frame(c->w, peer), 3, &k);
    pack_buffer_free(&b);
}

/* Those that are not its own are begun, looked for, and stopped. What it may begin is left out: how
 * soon that is done depends on how much the broker has to do. */
static void
ask_about_bulks(struct conversation *c)
{
    uint64_t number = below(c, 5), what = below(c, 4);
    static const char *const names[] = {"pay.roll", "nowhere", ""};
    if (what == 0)
        put_bulk(c, CLIENT, 1 + number, names[below(c, 3)]);
    else
        message_put_list_bulks(world_frame(c->w, CLIENT),
            what == 1 ? MESSAGE_STOP_BULK : MESSAGE_LIST_BULKS, 3, number, (struct slice){0});
}

/* Something happens there, in the world where it is alive. What is drawn is drawn in both. */
static void
live(struct conversation *c)
{
    uint64_t what = below(c, 7);
    struct stint_id id = other_id(c, below(c, OTHER_JOBS / 4));
    uint32_t count = below(c, 8) ? 1 : BURST;
    struct outcome late = {.id = id, .attempt = 1, .type = OUTCOME_SUCCEEDED};
    if (!c->alive)
        return;
    switch (what) {
    case 0:
    case 1:
        if (c->other_jobs + count <= OTHER_JOBS) {
            put_jobs(c->w, LOCAL, c->other_submission++, "pay.roll", "wages", count);
            c->other_jobs += count;
        }
        break;
    case 2:
        message_put_ids(world_frame(c->w, LOCAL), MESSAGE_CANCEL, 3, &id, 1, 0);
        break;
    case 3:
        message_put_ids(world_frame(c->w, LOCAL), MESSAGE_RETRY, 3, &id, 1, 0);
        break;
    case 5:
        put_bulk(c, LOCAL, 1 + (c->other_jobs & 3), "pay.roll");
        break;
    case 4: /* who also serves the own queue has something to say of this one */
        message_put_settle(world_frame(c->w, BOTH), 3, &late, 1, WINDOW_UNCHANGED);
        break;
    default:
        world_settle(c->w, THEIRS, 3, id, 1, OUTCOME_SUCCEEDED, "a secret result");
    }
}

/* ---- the conversation ---- */

/* Of its own queues, or of the other one, or of one that never was. */
static struct stint_id
some_id(struct conversation *c)
{
    static const uint32_t numbers[] = {
        OWN_QUEUE, OWN_QUEUE, OTHER_QUEUE, OTHER_QUEUE, NEXT_QUEUE, 99};
    uint32_t number = numbers[below(c, 6)];
    return id_make(c->w->options.broker, number, DEFAULT_PRIORITY, 1 + below(c, OWN_JOBS));
}

static const char *
some_queue(struct conversation *c)
{
    static const char *const names[] = {
        "mail.in", "mail.in", "mail.out", "mail.new", "pay.roll", "nowhere"};
    return names[below(c, 6)];
}

static void
ask_by_ids(struct conversation *c)
{
    static const enum message_type types[] = {
        MESSAGE_WAIT, MESSAGE_GET, MESSAGE_CANCEL, MESSAGE_RETRY, MESSAGE_DELETE};
    enum message_type type = types[below(c, 5)];
    struct stint_id ids[3];
    uint32_t count = 1 + (uint32_t)below(c, 3);
    for (uint32_t i = 0; i < count; i++)
        ids[i] = some_id(c);
    message_put_ids(world_frame(c->w, CLIENT), type, 3, ids, count,
        type == MESSAGE_GET || type == MESSAGE_WAIT ? 1 : 0);
}

/* Why jobs wait, or a queue does; and to set one. */
static void
ask_why(struct conversation *c)
{
    struct stint_id ids[] = {some_id(c), some_id(c)};
    uint32_t count = 1 + (uint32_t)below(c, 2);
    const char *queue = some_queue(c);
    switch (below(c, 3)) {
    case 0:
        message_put_why(world_frame(c->w, CLIENT), 3, text(queue), NULL, 0);
        break;
    case 1:
        message_put_set_queue(world_frame(c->w, CLIENT), 3, text(queue),
            (enum stint_queue_action)(STINT_PAUSE_QUEUE + below(c, STINT_REMOVE_QUEUE)), NULL);
        break;
    default:
        message_put_why(world_frame(c->w, CLIENT), 3, (struct slice){0}, ids, count);
    }
}

static void
ask_for_a_list(struct conversation *c)
{
    uint8_t cursor[CURSOR_BYTES] = {(uint8_t)below(c, 4)};
    struct stint_id at = some_id(c);
    struct message list = {.list.limit = below(c, 2) ? 1 + (uint32_t)below(c, 3) : 0};
    memcpy(cursor + 1, at.bytes, STINT_ID_BYTES);
    bool goes_on = c->goes_on && below(c, 2) > 0;
    if (goes_on)
        memcpy(cursor, c->cursor, sizeof cursor);
    else if (below(c, 2) > 0)
        list.list.queue = text(some_queue(c));
    if (goes_on || below(c, 2) > 0)
        list.list.cursor = (struct slice){cursor, sizeof cursor};
    if (below(c, 4) == 0)
        list.list.states = 1U << (1 + below(c, 6));
    c->listed_on += goes_on;
    message_put_list(world_frame(c->w, CLIENT), list.list.queue.size ? 3 : 4, &list);
}

static void
ask_for_figures(struct conversation *c)
{
    static const enum message_type types[] = {
        MESSAGE_LIST_QUEUES, MESSAGE_LIST_WORKERS, MESSAGE_GET_STATS};
    enum message_type type = types[below(c, 3)];
    uint8_t cursor[9] = {(uint8_t)below(c, 3), 0, 0, 0, 0, 0, 0, 0, (uint8_t)below(c, 4)};
    if (type == MESSAGE_GET_STATS)
        message_put_numbered(world_frame(c->w, CLIENT), type, 3);
    else
        message_put_page(world_frame(c->w, CLIENT), type, 3,
            below(c, 2) ? (struct slice){cursor, sizeof cursor} : (struct slice){0});
}

static void
subscribe(struct conversation *c)
{
    struct stint_id ids[] = {some_id(c), some_id(c)};
    uint32_t count = (uint32_t)below(c, 2) * (uint32_t)below(c, 3);
    struct slice queue = below(c, 2) ? text(some_queue(c)) : (struct slice){0};
    uint64_t number = 10 + below(c, 3);
    if (below(c, 4) == 0)
        message_put_numbered(world_frame(c->w, CLIENT), MESSAGE_UNSUBSCRIBE, number);
    else
        message_put_subscribe(world_frame(c->w, CLIENT), number, queue, 0, ids, count);
}

/* Of its own queues, of others' too, of none. */
static const struct stint_feed feeds[] = {{.name = "mail", .queues = "mail.*", .max_events = 60},
    {.name = "in", .queues = "mail.in"}, {.name = "pay", .queues = "pay.*"}, {.name = "all"},
    {.name = "none"}};
enum { FEEDS = sizeof feeds / sizeof *feeds };

static void
ask_for_feeds(struct conversation *c)
{
    const struct stint_feed *feed = &feeds[below(c, FEEDS)];
    uint64_t what = below(c, 8), from = below(c, 150), number = 20 + below(c, 3);
    if (what == 0)
        message_put_numbered(world_frame(c->w, CLIENT), MESSAGE_LIST_FEEDS, 3);
    else if (what == 1)
        message_put_set_feed(world_frame(c->w, CLIENT), 3, FEED_SET + (from & 1), feed);
    else
        message_put_read_feed(
            world_frame(c->w, CLIENT), number, text(feed->name), from, 0, what % 2 != 0);
}

static void
work(struct conversation *c)
{
    struct stint_id id = some_id(c);
    struct lease_ref ref = {.id = id, .attempt = 1 + (uint32_t)below(c, 2)};
    switch (below(c, 3)) {
    case 0:
        message_put_leases(world_frame(c->w, WORKER), MESSAGE_CLAIM, 3, &ref, 1, true);
        break;
    case 1:
        message_put_leases(world_frame(c->w, WORKER), MESSAGE_STARTED, 3, &ref, 1, false);
        break;
    default:
        world_settle(c->w, WORKER, 3, id, ref.attempt, OUTCOME_SUCCEEDED, "done");
    }
}

static void
say_hello(struct conversation *c, uint32_t peer, enum message_role role, struct slice *queues,
    uint32_t count, uint32_t window)
{
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = role,
        .slots = 1,
        .window = window,
        .name = text(count == 1 && queues[0].data[0] == 'p' ? "wages-host" : "host"),
        .software = text("test"),
        .queues = count};
    memset(h.session, (int)(10 + peer), sizeof h.session);
    message_put_hello(world_frame(c->w, peer), &h, queues, NULL, NULL);
    if (role == ROLE_WORKER)
        message_put_leases(world_frame(c->w, peer), MESSAGE_CLAIM, 1, NULL, 0, false);
}

static void
speak(struct conversation *c)
{
    switch (below(c, 13)) {
    case 10:
    case 11:
        ask_for_feeds(c);
        break;
    case 8:
    case 9:
        ask_why(c);
        break;
    case 12:
        ask_about_bulks(c);
        break;
    case 0:
    case 1:
        put_jobs(c->w, CLIENT, c->submission, some_queue(c), "default", below(c, 8) ? 1 : BURST);
        break;
    case 2:
        ask_by_ids(c);
        break;
    case 3:
        ask_for_a_list(c);
        break;
    case 4:
        ask_for_figures(c);
        break;
    case 5:
        subscribe(c);
        break;
    case 6:
        work(c);
        break;
    default:
        if (below(c, 8) == 0) {
            struct slice queue = text(some_queue(c));
            say_hello(c, WORKER, ROLE_WORKER, &queue, 1, 2);
        } else
            ask_by_ids(c);
    }
}

/* What the client goes by. */
static void
take_in(struct conversation *c)
{
    for (size_t i = 0; world_next(c->w, CLIENT, &i);) {
        const struct message *m = &c->w->message;
        if (m->type == MESSAGE_SUBMITTED && c->w->arrays->answers[0].status == STINT_OK)
            c->submission = c->w->arrays->answers[0].number + 1;
        if (m->type == MESSAGE_JOBS && m->number == 4) {
            c->goes_on = m->page.cursor.size == sizeof c->cursor;
            if (c->goes_on)
                memcpy(c->cursor, m->page.cursor.data, sizeof c->cursor);
        }
        c->read += m->type == MESSAGE_FEED_EVENTS ? m->count : 0;
        for (uint32_t e = 0; m->type == MESSAGE_EVENTS && e < m->count; e++)
            c->missed += c->w->arrays->events[e].type == STINT_EVENT_LOST;
    }
}

/* Writes down what the two with a key were sent. */
static void
listen(struct conversation *c)
{
    take_in(c);
    for (size_t i = 0; i < c->w->out.count; i++) {
        const struct outbox_entry *e = &c->w->out.entries[i];
        struct slice frame = outbox_frame(&c->w->out, i);
        if ((e->peer != CLIENT && e->peer != WORKER) || e->forget)
            continue;
        *pack_reserve(&c->heard, 1) = (uint8_t)e->peer;
        memcpy(pack_reserve(&c->heard, frame.size), frame.data, frame.size);
    }
}

static void
converse(struct conversation *c, uint64_t seed, bool alive)
{
    struct slice both[] = {text("mail.in"), text("pay.roll")};
    struct core_options options;
    *c = (struct conversation){.chance = seed,
        .alive = alive,
        .submission = 1,
        .other_submission = 4,
        .key = {.name = "mail", .rights = RIGHTS_ALL, .patterns_count = 1, .patterns = {"mail.*"}}};
    core_options_init(&options);
    options.message_bytes = MESSAGE_BYTES;
    c->w = world_new(&options);
    world_with_client(c->w);
    /* Their queues have the same numbers in both: where the other one never was, a third one was.
     */
    put_job(c->w, LOCAL, 1, "mail.in", "default");
    put_job(c->w, LOCAL, 2, alive ? "pay.roll" : "void", "wages");
    put_job(c->w, LOCAL, 3, "mail.out", "default");
    c->other_jobs = 1;
    for (unsigned i = 0; i + 1 < FEEDS; i++)
        message_put_set_feed(world_frame(c->w, LOCAL), 4, FEED_SET, &feeds[i]);
    assert_int_equal(world_step(c->w, 0), STINT_OK);
    say_hello(c, BOTH, ROLE_WORKER, both, 2, 0); /* it is given nothing */
    if (alive)
        say_hello(c, THEIRS, ROLE_WORKER, &both[1], 1, 3);
    c->w->grants[CLIENT] = c->w->grants[WORKER] = &c->key;
    say_hello(c, CLIENT, ROLE_CLIENT, NULL, 0, 0);
    say_hello(c, WORKER, ROLE_WORKER, both, 1, 2);
    for (unsigned n = 0; n < STEPS; n++) {
        for (uint64_t i = below(c, 3); i > 0; i--)
            live(c);
        for (uint64_t i = 1 + below(c, 2); i > 0; i--)
            speak(c);
        assert_int_equal(world_step(c->w, 10), STINT_OK);
        listen(c);
    }
}

static void
end(struct conversation *c)
{
    pack_buffer_free(&c->heard);
    world_destroy(&c->w);
}

static void
whoever_has_no_right_to_a_queue_hears_the_same_whether_it_lives_or_never_was(void **state)
{
    (void)state;
    uint64_t lives = 0, listed_on = 0, missed = 0, read = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct conversation with, without;
        struct stint_stats stats;
        converse(&with, seed, true);
        converse(&without, seed, false);
        core_stats(with.w->core, &stats);
        lives += stats.succeeded + stats.cancelled > 3;
        listed_on += with.listed_on;
        missed += with.missed;
        read += with.read;
        if (with.heard.used != without.heard.used ||
            memcmp(with.heard.data, without.heard.data, with.heard.used) != 0)
            fail_msg(
                "with seed %llu, what is heard tells of the other queue", (unsigned long long)seed);
        end(&with);
        end(&without);
    }
    assert_in_range(lives, SEEDS / 2, SEEDS); /* there is something to be heard of */
    assert_in_range(listed_on, SEEDS, SEEDS * STEPS);
    assert_in_range(missed, SEEDS / 2, SEEDS * STEPS);
    assert_in_range(read, SEEDS, UINT32_MAX);
}

/* What no answer may hold, apart from what the peers said themselves. */
static void
no_name_payload_or_result_of_the_other_queue_is_ever_sent(void **state)
{
    static const char *const secrets[] = {"pay.roll", "wages", "a secret result", "wages-host"};
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct conversation c;
        converse(&c, seed, true);
        for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
            if (memmem(c.heard.data, c.heard.used, secrets[i], strlen(secrets[i])))
                fail_msg("with seed %llu, `%s` is sent", (unsigned long long)seed, secrets[i]);
        assert_non_null(memmem(c.heard.data, c.heard.used, "mail.in", 7));
        end(&c);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            whoever_has_no_right_to_a_queue_hears_the_same_whether_it_lives_or_never_was),
        cmocka_unit_test(no_name_payload_or_result_of_the_other_queue_is_ever_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
