/* Rights, message by message: what each needs is said here once more, and for every grant and every
 * queue the broker's answer has to be as that says.
 */
#include "keyed.h"

/* ---- every message, every grant, every queue ---- */

/* What a message asks for, so that each way of asking is a case. */
enum about { ABOUT_NAME, ABOUT_ID, ABOUT_BOTH, ABOUT_ALL };

/* How it is told that it is denied. */
enum telling { BY_ERROR, BY_STATUS, BY_HELLO, BY_NOTHING };

/* What the answer is if it is not denied, and on which queues the right is needed. */
static const struct expected {
    enum message_type type;
    enum about about;
    enum message_role role;
    uint32_t rights; /* any of them; 0: none is needed */
    bool filtered; /* it needs them on no queue, as the answer only tells what may be seen */
    enum message_type answer;
    enum telling telling;
} table[] = {
    {MESSAGE_HELLO, ABOUT_NAME, ROLE_WORKER, RIGHT_RUN, false, MESSAGE_WELCOME, BY_HELLO},
    {MESSAGE_HELLO, ABOUT_ALL, ROLE_CLIENT, 0, false, MESSAGE_WELCOME, BY_HELLO},
    {MESSAGE_PING, ABOUT_ALL, ROLE_CLIENT, 0, false, MESSAGE_PONG, BY_ERROR},
    {MESSAGE_BYE, ABOUT_ALL, ROLE_CLIENT, 0, false, MESSAGE_BYE, BY_ERROR},
    {MESSAGE_SUBMIT, ABOUT_NAME, ROLE_CLIENT, RIGHT_SUBMIT, false, MESSAGE_SUBMITTED, BY_STATUS},
    {MESSAGE_SETTLE, ABOUT_ID, ROLE_WORKER, RIGHT_RUN, false, MESSAGE_SETTLED, BY_STATUS},
    {MESSAGE_CLAIM, ABOUT_ID, ROLE_WORKER, RIGHT_RUN, false, MESSAGE_CLAIMED, BY_STATUS},
    {MESSAGE_STARTED, ABOUT_ID, ROLE_WORKER, RIGHT_RUN, false, MESSAGE_CONFIRMED, BY_STATUS},
    {MESSAGE_PROGRESS, ABOUT_ID, ROLE_WORKER, RIGHT_RUN, false, MESSAGE_NONE, BY_NOTHING},
    {MESSAGE_WROTE, ABOUT_ID, ROLE_WORKER, RIGHT_RUN, false, MESSAGE_NONE, BY_NOTHING},
    {MESSAGE_WAIT, ABOUT_ID, ROLE_CLIENT, RIGHT_SEE, false, MESSAGE_ANSWERS, BY_STATUS},
    {MESSAGE_GET, ABOUT_ID, ROLE_CLIENT, RIGHT_SEE, false, MESSAGE_JOBS, BY_ERROR},
    {MESSAGE_LIST, ABOUT_NAME, ROLE_CLIENT, RIGHT_SEE, false, MESSAGE_JOBS, BY_ERROR},
    {MESSAGE_LIST, ABOUT_ALL, ROLE_CLIENT, RIGHT_SEE, true, MESSAGE_JOBS, BY_ERROR},
    {MESSAGE_CANCEL, ABOUT_ID, ROLE_CLIENT, RIGHT_SUBMIT | RIGHT_CONTROL, false, MESSAGE_ANSWERS,
        BY_STATUS},
    {MESSAGE_RETRY, ABOUT_ID, ROLE_CLIENT, RIGHT_SUBMIT | RIGHT_CONTROL, false, MESSAGE_ANSWERS,
        BY_STATUS},
    {MESSAGE_DELETE, ABOUT_ID, ROLE_CLIENT, RIGHT_SUBMIT | RIGHT_CONTROL, false, MESSAGE_ANSWERS,
        BY_STATUS},
    {MESSAGE_CHANGE, ABOUT_ID, ROLE_CLIENT, RIGHT_SUBMIT | RIGHT_CONTROL, false, MESSAGE_ANSWERS,
        BY_STATUS},
    {MESSAGE_CHANGE, ABOUT_BOTH, ROLE_CLIENT, RIGHT_SUBMIT | RIGHT_CONTROL, false, MESSAGE_ANSWERS,
        BY_ERROR},
    {MESSAGE_LIST_QUEUES, ABOUT_ALL, ROLE_CLIENT, RIGHT_SEE, true, MESSAGE_QUEUES, BY_ERROR},
    {MESSAGE_LIST_WORKERS, ABOUT_ALL, ROLE_CLIENT, RIGHT_SEE, true, MESSAGE_WORKERS, BY_ERROR},
    {MESSAGE_GET_STATS, ABOUT_ALL, ROLE_CLIENT, RIGHT_SEE, false, MESSAGE_STATS, BY_ERROR},
    {MESSAGE_SUBSCRIBE, ABOUT_NAME, ROLE_CLIENT, RIGHT_SEE, false, MESSAGE_ANSWERS, BY_ERROR},
    {MESSAGE_SUBSCRIBE, ABOUT_ID, ROLE_CLIENT, RIGHT_SEE, false, MESSAGE_ANSWERS, BY_ERROR},
    {MESSAGE_SUBSCRIBE, ABOUT_BOTH, ROLE_CLIENT, RIGHT_SEE, false, MESSAGE_ANSWERS, BY_ERROR},
    {MESSAGE_SUBSCRIBE, ABOUT_ALL, ROLE_CLIENT, RIGHT_SEE, true, MESSAGE_ANSWERS, BY_ERROR},
    {MESSAGE_UNSUBSCRIBE, ABOUT_ALL, ROLE_CLIENT, 0, false, MESSAGE_ANSWERS, BY_ERROR},
    {MESSAGE_CONTROL, ABOUT_ALL, ROLE_CLIENT, RIGHT_CONTROL, false, MESSAGE_CONTROLLED, BY_ERROR},
    {MESSAGE_SET_FLEET, ABOUT_ALL, ROLE_CLIENT, RIGHT_CONTROL, false, MESSAGE_FLEET, BY_ERROR},
    {MESSAGE_GET_FLEET, ABOUT_ALL, ROLE_CLIENT, RIGHT_SEE, false, MESSAGE_FLEET, BY_ERROR},
    {MESSAGE_LIST_RUNNING, ABOUT_ALL, ROLE_CLIENT, RIGHT_SEE, false, MESSAGE_RUNNING, BY_ERROR},
    {MESSAGE_WHY, ABOUT_NAME, ROLE_CLIENT, RIGHT_SEE, false, MESSAGE_REASONS, BY_ERROR},
    {MESSAGE_WHY, ABOUT_ID, ROLE_CLIENT, RIGHT_SEE, false, MESSAGE_REASONS, BY_ERROR},
    {MESSAGE_LIST_FIGURES, ABOUT_ALL, ROLE_CLIENT, RIGHT_SEE, true, MESSAGE_FIGURES, BY_ERROR},
    {MESSAGE_PEEK, ABOUT_NAME, ROLE_CLIENT, RIGHT_SEE, false, MESSAGE_JOBS, BY_ERROR},
    {MESSAGE_LIST_GROUPS, ABOUT_NAME, ROLE_CLIENT, RIGHT_SEE, false, MESSAGE_GROUPS, BY_ERROR},
    {MESSAGE_SET_QUEUE, ABOUT_NAME, ROLE_CLIENT, RIGHT_CONTROL, false, MESSAGE_QUEUE, BY_ERROR},
    {MESSAGE_SET_FEED, ABOUT_ALL, ROLE_CLIENT, RIGHT_CONTROL, false, MESSAGE_FEEDS, BY_ERROR},
    {MESSAGE_LIST_FEEDS, ABOUT_ALL, ROLE_CLIENT, RIGHT_SEE, true, MESSAGE_FEEDS, BY_ERROR},
    {MESSAGE_READ_FEED, ABOUT_NAME, ROLE_CLIENT, RIGHT_SEE, false, MESSAGE_FEED_EVENTS, BY_ERROR},
    {MESSAGE_SET_SCHEDULE, ABOUT_NAME, ROLE_CLIENT, RIGHT_CONTROL, false, MESSAGE_SCHEDULES,
        BY_ERROR},
    {MESSAGE_LIST_SCHEDULES, ABOUT_ALL, ROLE_CLIENT, RIGHT_SEE, true, MESSAGE_SCHEDULES, BY_ERROR},
    {MESSAGE_SET_BATCH, ABOUT_NAME, ROLE_CLIENT, RIGHT_SUBMIT | RIGHT_CONTROL, false,
        MESSAGE_BATCHES, BY_ERROR},
    {MESSAGE_LIST_BATCHES, ABOUT_NAME, ROLE_CLIENT, RIGHT_SEE, false, MESSAGE_BATCHES, BY_ERROR},
    {MESSAGE_LIST_BATCHES, ABOUT_ALL, ROLE_CLIENT, RIGHT_SEE, true, MESSAGE_BATCHES, BY_ERROR},
    {MESSAGE_WAIT_BATCH, ABOUT_NAME, ROLE_CLIENT, RIGHT_SEE, false, MESSAGE_BATCHES, BY_ERROR},
    {MESSAGE_BULK, ABOUT_NAME, ROLE_CLIENT, RIGHT_SUBMIT | RIGHT_CONTROL, false, MESSAGE_BULKS,
        BY_ERROR},
    {MESSAGE_BULK, ABOUT_BOTH, ROLE_CLIENT, RIGHT_SUBMIT | RIGHT_CONTROL, false, MESSAGE_BULKS,
        BY_ERROR},
    {MESSAGE_BULK, ABOUT_ALL, ROLE_CLIENT, RIGHT_SUBMIT | RIGHT_CONTROL, false, MESSAGE_BULKS,
        BY_ERROR},
    {MESSAGE_LIST_BULKS, ABOUT_ALL, ROLE_CLIENT, RIGHT_SEE, true, MESSAGE_BULKS, BY_ERROR},
    {MESSAGE_STOP_BULK, ABOUT_NAME, ROLE_CLIENT, RIGHT_SUBMIT | RIGHT_CONTROL, false, MESSAGE_BULKS,
        BY_STATUS},
};
enum { ROWS = sizeof table / sizeof *table };

/* The queues that are asked about, and what of them the broker holds. */
static const struct {
    const char *name;
    uint32_t number; /* which it has */
} queues[] = {{"mail.in", 1}, {"pay.roll", 2}, {"mail.gone", 77}, {"pay.gone", 78}};
enum { MAIL, PAY, MAIL_GONE, PAY_GONE, QUEUES };

/* What keys are for. `covers`: a bit for each of the queues. By an id it is not told which queue it
 * was that is gone, so that one is covered only by what covers all. */
static const struct {
    const char *pattern; /* NULL: all */
    unsigned covers;
    const char *serves; /* a queue that such a key may run */
} scopes[] = {{NULL, 0xf, "mail.in"}, {"*", 0xf, "mail.in"}, {"mail.in", 1, "mail.in"},
    {"mail.*", 1 | 4, "mail.in"}, {"pay.roll", 2, "pay.roll"}, {"mail", 0, "other"},
    {"mail.in.*", 0, "other"}, {"mail.in2", 0, "other"}, {"m*", 1 | 4, "mail.in"}};
enum { SCOPES = sizeof scopes / sizeof *scopes };

static bool
covers_all(unsigned scope)
{
    return scopes[scope].covers == 0xf;
}

static bool
covers(unsigned scope, const struct expected *e, unsigned queue)
{
    bool by_id = e->about == ABOUT_ID;
    if (e->about == ABOUT_ALL || (by_id && queue >= MAIL_GONE))
        return covers_all(scope);
    return (scopes[scope].covers >> queue & 1) != 0;
}

static void
put_control(struct world *w, enum message_type type)
{
    const struct control pause = {.action = CONTROL_PAUSE, .target = CONTROL_ALL};
    const struct stint_fleet fleet = {.slots = 4};
    if (type == MESSAGE_CONTROL)
        message_put_control(world_frame(w, KEYED), 3, &pause);
    else if (type == MESSAGE_SET_FLEET)
        message_put_fleet(world_frame(w, KEYED), type, 3, &fleet);
    else
        message_put_list_running(world_frame(w, KEYED), 3, text("peer"), (struct slice){0});
}

/* A feed of this queue, under its name. */
static void
put_feed(struct world *w, uint32_t peer, const char *queue)
{
    struct stint_feed feed = {.events = 0};
    slice_to_text(feed.name, sizeof feed.name, text(queue));
    slice_to_text(feed.queues, sizeof feed.queues, text(queue));
    message_put_set_feed(world_frame(w, peer), 3, FEED_SET, &feed);
}

/* A schedule under the name of this queue, whose jobs go there. */
static void
put_schedule(struct world *w, const char *queue)
{
    struct pack_buffer b = {0};
    struct job_spec job = world_job("x");
    job.queue = text(queue);
    message_put_job(&b, &job);
    message_put_set_schedule(world_frame(w, LOCAL), 3,
        &(struct schedule_request){.action = STINT_SET_SCHEDULE,
            .name = text(queue),
            .every_ms = LIMIT_TIME_MS,
            .job = {b.data, b.used}});
    pack_buffer_free(&b);
}

/* For those that ask about schedules, there are some. */
static void
make_schedules(struct world *w, enum message_type type)
{
    unsigned count = type == MESSAGE_SET_SCHEDULE ? QUEUES : 2;
    for (unsigned i = 0; i < count; i++)
        put_schedule(w, queues[i].name);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

/* For those that ask about batches, there are some, which are over. */
static void
make_batches(struct world *w, const struct expected *e)
{
    unsigned count = e->about == ABOUT_NAME ? QUEUES : 2;
    for (unsigned i = 0; i < count; i++) {
        struct batch_request s = {.action = BATCH_NEW,
            .batch = 1 + i,
            .queue = text(queues[i].name),
            .keep_ms = KEEP_DEFAULT};
        message_put_set_batch(world_frame(w, LOCAL), 3, &s);
        s.action = BATCH_CLOSE;
        message_put_set_batch(world_frame(w, LOCAL), 3, &s);
    }
    assert_int_equal(world_step(w, 0), STINT_OK);
}

/* For those that ask about feeds, there are some. */
static void
make_feeds(struct world *w, enum message_type type)
{
    unsigned count = type == MESSAGE_READ_FEED ? QUEUES : type == MESSAGE_LIST_FEEDS ? 2 : 0;
    for (unsigned i = 0; i < count; i++)
        put_feed(w, LOCAL, queues[i].name);
    if (count > 0)
        assert_int_equal(world_step(w, 0), STINT_OK);
}

/* About the jobs of this queue, of all, or with `move` to this queue; whoever asks. */
static void
put_bulk(struct world *w, uint32_t peer, uint64_t bulk, const char *queue, bool move)
{
    struct filter filter = {.count = *queue != 0,
        .terms = {{.field = FILTER_QUEUE, .is = FILTER_IS, .text = text(queue)}}};
    struct pack_buffer b = {0};
    struct bulk_request k = {.bulk = bulk,
        .action = move ? STINT_BULK_MOVE : STINT_BULK_CANCEL,
        .priority = -1,
        .queue = move ? text(queue) : (struct slice){0},
        .all = true};
    filter_write(&b, &filter);
    k.filter = (struct slice){b.data, b.used};
    message_put_bulk(world_frame(w, peer), 3, &k);
    pack_buffer_free(&b);
}

/* What is about operations that there are: one for this queue, or one for each. */
static void
put_about_bulks(struct world *w, const struct expected *e, unsigned queue)
{
    if (e->type == MESSAGE_LIST_BULKS)
        for (unsigned i = 0; i < PAY_GONE; i++)
            put_bulk(w, LOCAL, 1 + i, queues[i].name, false);
    else
        put_bulk(w, LOCAL, 1, queues[queue].name, false);
    message_put_list_bulks(
        world_frame(w, KEYED), e->type, 3, e->type == MESSAGE_STOP_BULK, (struct slice){0});
}

/* Of feeds, figures, and operations on many jobs. */
static void
put_about_many(struct world *w, const struct expected *e, unsigned queue)
{
    struct slice name = text(e->about == ABOUT_ALL ? "" : queues[queue].name);
    struct message peek = {.type = MESSAGE_PEEK, .peek.queue = name};
    switch (e->type) {
    case MESSAGE_LIST_GROUPS:
        message_put_list_groups(
            world_frame(w, KEYED), 3, name, (struct slice){NULL, 0}, (struct slice){NULL, 0});
        break;
    case MESSAGE_LIST_FIGURES:
        message_put_list_figures(world_frame(w, KEYED), 3, name, 3, (struct slice){0});
        break;
    case MESSAGE_PEEK:
        message_put_peek(world_frame(w, KEYED), 3, &peek);
        break;
    case MESSAGE_SET_FEED:
        put_feed(w, KEYED, "mail.in");
        break;
    case MESSAGE_READ_FEED:
        message_put_read_feed(world_frame(w, KEYED), 3, name, 1, 0, false);
        break;
    case MESSAGE_SET_SCHEDULE:
        message_put_set_schedule(world_frame(w, KEYED), 3,
            &(struct schedule_request){.action = STINT_PAUSE_SCHEDULE, .name = name});
        break;
    case MESSAGE_SET_BATCH:
        message_put_set_batch(world_frame(w, KEYED), 3,
            &(struct batch_request){
                .action = BATCH_CANCEL, .batch = 1 + queue, .keep_ms = KEEP_DEFAULT});
        break;
    case MESSAGE_LIST_BATCHES:
    case MESSAGE_WAIT_BATCH:
        message_put_list_batches(world_frame(w, KEYED), e->type, 3,
            e->about == ABOUT_ALL ? 0 : 1 + queue, (struct slice){0});
        break;
    case MESSAGE_BULK:
        put_bulk(
            w, KEYED, 1, e->about == ABOUT_ALL ? "" : queues[queue].name, e->about == ABOUT_BOTH);
        break;
    case MESSAGE_LIST_BULKS:
    case MESSAGE_STOP_BULK:
        put_about_bulks(w, e, queue);
        break;
    default:
        message_put_numbered(world_frame(w, KEYED), e->type, 3);
    }
}

/* The message, about this queue or about a job of it. */
static void
put_message(struct world *w, const struct expected *e, unsigned queue)
{
    struct stint_id id = id_make(w->options.broker, queues[queue].number, DEFAULT_PRIORITY, 1);
    struct lease_ref ref = {.id = id, .attempt = 1};
    struct told_progress told = {.id = id, .attempt = 1, .percent = 50};
    struct slice name = text(e->about == ABOUT_ALL ? "" : queues[queue].name);
    struct message list = {.list.queue = name};
    struct change change = {.set = CHANGE_PRIORITY, .to = {.priority = 7}};
    bool with_id = e->about == ABOUT_ID || e->about == ABOUT_BOTH;
    switch (e->type) {
    case MESSAGE_HELLO:
        put_hello(w, KEYED, e->role, queues[queue].name);
        break;
    case MESSAGE_PING:
        message_put_ping(world_frame(w, KEYED), 3, WINDOW_UNCHANGED, 0);
        break;
    case MESSAGE_SUBMIT:
        put_submit(w, KEYED, 1, queues[queue].name);
        break;
    case MESSAGE_SETTLE:
        world_settle(w, KEYED, 3, id, 1, OUTCOME_SUCCEEDED, "");
        break;
    case MESSAGE_CLAIM:
    case MESSAGE_STARTED:
        message_put_leases(world_frame(w, KEYED), e->type, 3, &ref, 1, false);
        break;
    case MESSAGE_PROGRESS:
        message_put_progress(world_frame(w, KEYED), &told, 1);
        break;
    case MESSAGE_WROTE:
        message_put_wrote(
            world_frame(w, KEYED), e->type, &(struct wrote){.id = id, .attempt = 1}, 1);
        break;
    case MESSAGE_WAIT:
    case MESSAGE_GET:
    case MESSAGE_CANCEL:
    case MESSAGE_RETRY:
    case MESSAGE_DELETE:
        message_put_ids(world_frame(w, KEYED), e->type, 3, &id, 1, e->type == MESSAGE_GET ? 3 : 1);
        break;
    case MESSAGE_CHANGE:
        change.set |= e->about == ABOUT_BOTH ? CHANGE_QUEUE : 0;
        change.to.queue = name;
        message_put_change(world_frame(w, KEYED), 3, &id, 1, &change);
        break;
    case MESSAGE_LIST:
        message_put_list(world_frame(w, KEYED), 3, &list);
        break;
    case MESSAGE_LIST_QUEUES:
    case MESSAGE_LIST_WORKERS:
        message_put_page(world_frame(w, KEYED), e->type, 3, (struct slice){0});
        break;
    case MESSAGE_SUBSCRIBE:
        message_put_subscribe(world_frame(w, KEYED), 3,
            e->about == ABOUT_ID ? (struct slice){0} : name, 0, &id, with_id);
        break;
    case MESSAGE_CONTROL:
    case MESSAGE_SET_FLEET:
    case MESSAGE_LIST_RUNNING:
        put_control(w, e->type);
        break;
    case MESSAGE_WHY:
        message_put_why(world_frame(w, KEYED), 3, with_id ? (struct slice){0} : name, &id, with_id);
        break;
    case MESSAGE_SET_QUEUE:
        message_put_set_queue(world_frame(w, KEYED), 3, name, STINT_PAUSE_QUEUE, NULL);
        break;
    default:
        put_about_many(w, e, queue);
    }
}

/* The queue of the next element of a list, or the queues of it. */
static const char *
next_listed(struct world *w, const struct expected *e, uint32_t i)
{
    switch (e->type) {
    case MESSAGE_LIST_QUEUES:
        assert_true(message_next_queue(w->arrays));
        return w->arrays->queue_info.name;
    case MESSAGE_LIST_WORKERS:
        assert_true(message_next_worker(w->arrays));
        return w->arrays->worker_info.queues;
    case MESSAGE_LIST_FEEDS:
        assert_true(message_next_feed(w->arrays));
        return w->arrays->feed.queues;
    case MESSAGE_LIST_SCHEDULES:
        assert_true(message_next_schedule(w->arrays));
        return w->arrays->items.schedule.info.queue;
    case MESSAGE_LIST_BATCHES:
        assert_true(message_next_batch(w->arrays));
        return w->arrays->items.batch.queue;
    case MESSAGE_LIST_FIGURES:
        assert_true(message_next_figures(w->arrays));
        return w->arrays->measured.figures.queue;
    case MESSAGE_LIST:
        assert_true(message_next_job(w->arrays));
        return w->arrays->info.queue;
    case MESSAGE_LIST_BULKS:
        assert_true(message_next_bulk(w->arrays));
        return w->arrays->bulk.info.bulk == 1 ? "mail.in"
            : w->arrays->bulk.info.bulk == 2  ? "pay.roll"
                                              : "mail.gone";
    default:
        return w->arrays->events[i].queue;
    }
}

/* Is what is listed, or heard of what happens then, just what may be seen? */
static void
check_listed(struct world *w, const struct expected *e, unsigned scope)
{
    unsigned seen = 0;
    assert_non_null(world_read(w, KEYED, e->answer));
    if (e->type == MESSAGE_SUBSCRIBE) {
        assert_int_equal(w->arrays->statuses[0], STINT_OK);
        put_submit(w, LOCAL, 3, "pay.roll");
        put_submit(w, LOCAL, 4, "mail.in");
        assert_int_equal(world_step(w, 0), STINT_OK);
        if (!world_read(w, KEYED, MESSAGE_EVENTS))
            w->message.count = 0;
    }
    uint32_t count = w->message.count;
    for (uint32_t i = 0; i < count; i++) {
        const char *names = next_listed(w, e, i);
        if (strcmp(names, "mail.in pay.roll") == 0)
            seen |= 3;
        else
            seen |= strcmp(names, "mail.in") == 0 ? 1U : strcmp(names, "pay.roll") == 0 ? 2U : 4U;
    }
    assert_int_equal(
        seen, scopes[scope].covers & (e->type == MESSAGE_LIST_BULKS ? 7U : 3U)); /* by its name */
}

static void
check_answer(struct world *w, const struct expected *e, unsigned scope, unsigned queue, bool right)
{
    size_t at = 0;
    if (e->telling == BY_NOTHING) {
        assert_false(world_next(w, KEYED, &at));
        return;
    }
    bool allowed = e->rights == 0 || (right && (e->filtered || covers(scope, e, queue)));
    if (!allowed && (e->telling != BY_STATUS || (!right && e->type != MESSAGE_SUBMIT))) {
        expect_error(w, STINT_DENIED);
        assert_null(world_read(w, KEYED, e->answer));
    } else if (!allowed)
        assert_int_equal(status_told(w, e->answer), STINT_DENIED);
    else if ((e->type == MESSAGE_LIST || e->type == MESSAGE_WHY || e->type == MESSAGE_PEEK ||
                 e->type == MESSAGE_LIST_GROUPS) &&
        e->about == ABOUT_NAME && queue >= MAIL_GONE)
        expect_error(w, STINT_NO_SUCH_QUEUE);
    else if (e->filtered)
        check_listed(w, e, scope);
    else if (e->telling == BY_STATUS)
        assert_int_not_equal(status_told(w, e->answer), STINT_DENIED);
    else
        assert_non_null(world_read(w, KEYED, e->answer));
}

static void
try_one(const struct expected *e, uint32_t rights, unsigned scope, unsigned queue)
{
    struct world *w = a_world_with_two_queues();
    struct grant g = grant_of("key", rights, scopes[scope].pattern);
    bool right = (rights & e->rights) != 0;
    w->grants[KEYED] = &g;
    if (e->type != MESSAGE_HELLO) {
        put_hello(w, KEYED, e->role, scopes[scope].serves);
        assert_int_equal(world_step(w, 0), STINT_OK);
        if (e->role == ROLE_WORKER && !right) {
            expect_error(w, STINT_DENIED);
            put_message(w, e, queue);
            assert_int_equal(world_step(w, 0), STINT_OK);
            expect_error(w, STINT_HELLO_FIRST);
            world_destroy(&w);
            return;
        }
    }
    make_feeds(w, e->type);
    if (e->type == MESSAGE_SET_SCHEDULE || e->type == MESSAGE_LIST_SCHEDULES)
        make_schedules(w, e->type);
    if (e->answer == MESSAGE_BATCHES)
        make_batches(w, e);
    put_message(w, e, queue);
    assert_int_equal(world_step(w, 0), STINT_OK);
    check_answer(w, e, scope, queue, right);
    world_destroy(&w);
}

static void
every_message_is_answered_as_the_key_grants_on_each_queue(void **state)
{
    (void)state;
    for (unsigned row = 0; row < ROWS; row++)
        for (uint32_t rights = 0; rights <= RIGHTS_ALL; rights++)
            for (unsigned scope = 0; scope < SCOPES; scope++)
                for (unsigned queue = 0; queue < QUEUES; queue++)
                    try_one(&table[row], rights, scope, queue);
}

static void
the_table_of_this_test_has_every_message_of_a_peer(void **state)
{
    (void)state;
    static const enum message_type all[] = {
#define X(number, name, sender, decoder) MESSAGE_##name,
#include "message.def"
#undef X
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bool there = false;
        for (unsigned row = 0; row < ROWS; row++)
            there |= table[row].type == all[i];
        if (there != (message_allowed(all[i], ROLE_CLIENT) || message_allowed(all[i], ROLE_WORKER)))
            fail_msg("%s", message_name(all[i]));
    }
}

static void
what_only_a_broker_sends_is_denied_whatever_the_key(void **state)
{
    struct world *w = a_world_with_two_queues();
    struct grant g = grant_of("key", RIGHTS_ALL, NULL);
    static const enum message_type types[] = {
        MESSAGE_WELCOME, MESSAGE_DISPATCH, MESSAGE_SUBMITTED, MESSAGE_STATS, MESSAGE_EVENTS};
    (void)state;
    w->grants[KEYED] = &g;
    put_hello(w, KEYED, ROLE_CLIENT, "");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        message_put_numbered(world_frame(w, KEYED), types[i], 3);
        assert_int_equal(world_step(w, 0), STINT_OK);
        expect_error(w, STINT_DENIED);
    }
    message_put_leases(world_frame(w, KEYED), MESSAGE_CLAIM, 3, NULL, 0, false);
    assert_int_equal(world_step(w, 0), STINT_OK);
    expect_error(w, STINT_DENIED); /* a client's */
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_is_answered_as_the_key_grants_on_each_queue),
        cmocka_unit_test(the_table_of_this_test_has_every_message_of_a_peer),
        cmocka_unit_test(what_only_a_broker_sends_is_denied_whatever_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
