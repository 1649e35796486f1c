/* What a peer owes: every frame that it was sent and has not shown to have read, whatever it says,
 * for as long as its connection lasts. Who owes too much is refused, and then cut off. */
#include "world.h"

#include <stdlib.h>

enum { UNREAD_BYTES = 20000, ANSWERS_BYTES = 5000, ROUNDS = 40, A_STEP = 200 };

static struct world *
world_that_keeps_little(void)
{
    struct core_options options;
    core_options_init(&options);
    options.unread_bytes = UNREAD_BYTES;
    options.answers_bytes = ANSWERS_BYTES;
    struct world *w = world_new(&options);
    world_with_client(w);
    return w;
}

static bool
is_ended(const struct world *w, uint32_t peer)
{
    for (size_t i = 0; i < w->out.count; i++)
        if (w->out.entries[i].peer == peer && w->out.entries[i].close)
            return true;
    return false;
}

static size_t
bytes_to(const struct world *w, uint32_t peer)
{
    size_t bytes = 0;
    for (size_t i = 0; i < w->out.count; i++)
        if (w->out.entries[i].peer == peer)
            bytes += w->out.entries[i].size;
    return bytes;
}

typedef void asking(struct world *w, uint32_t peer, uint64_t number);

/* Asks again and again, reads nothing, and is cut off; before that the broker has put out what it
 * keeps for a peer at most, and the answer to one more message. */
static void
ask_without_reading(struct world *w, uint32_t peer, asking *ask)
{
    size_t bytes = 0, largest = 0;
    uint64_t number = 1;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < A_STEP; i++)
            ask(w, peer, number++);
        assert_int_equal(world_step(w, 0), STINT_OK);
        bytes += bytes_to(w, peer);
        for (size_t i = 0; i < w->out.count; i++)
            if (w->out.entries[i].size > largest)
                largest = w->out.entries[i].size;
        if (!is_ended(w, peer))
            continue;
        assert_in_range(bytes, UNREAD_BYTES, UNREAD_BYTES + ANSWERS_BYTES + largest);
        assert_true(world_told(w, "does not read"));
        return;
    }
    fail_msg("it was never cut off");
}

static void
ask_ping(struct world *w, uint32_t peer, uint64_t number)
{
    message_put_ping(world_frame(w, peer), number, WINDOW_UNCHANGED, number);
}

static void
ask_queues(struct world *w, uint32_t peer, uint64_t number)
{
    message_put_page(world_frame(w, peer), MESSAGE_LIST_QUEUES, number, (struct slice){0});
}

static void
ask_workers(struct world *w, uint32_t peer, uint64_t number)
{
    message_put_page(world_frame(w, peer), MESSAGE_LIST_WORKERS, number, (struct slice){0});
}

static void
ask_stats(struct world *w, uint32_t peer, uint64_t number)
{
    message_put_numbered(world_frame(w, peer), MESSAGE_GET_STATS, number);
}

static void
ask_cancel(struct world *w, uint32_t peer, uint64_t number)
{
    struct stint_id ids[64] = {0};
    message_put_ids(world_frame(w, peer), MESSAGE_CANCEL, number, ids, 64, 0);
}

static void
ask_get(struct world *w, uint32_t peer, uint64_t number)
{
    struct stint_id ids[64] = {0};
    message_put_ids(world_frame(w, peer), MESSAGE_GET, number, ids, 64, 3);
}

static void
ask_wait(struct world *w, uint32_t peer, uint64_t number)
{
    struct stint_id ids[64] = {0};
    message_put_ids(world_frame(w, peer), MESSAGE_WAIT, number, ids, 64, 1);
}

static void
ask_rubbish(struct world *w, uint32_t peer, uint64_t number)
{
    *pack_reserve(world_frame(w, peer), 1) = (uint8_t)(0xc1 + 0 * number);
}

static void
ask_submit_again(struct world *w, uint32_t peer, uint64_t number)
{
    struct job_spec job = world_job("a");
    world_submit(w, peer, number > 1000 ? 3000 : 1, &job, 1);
}

static void
ask_hello(struct world *w, uint32_t peer, uint64_t number)
{
    (void)number;
    world_hello_client(w, peer, (uint8_t)peer);
}

static void
whatever_is_answered_counts_and_who_never_reads_is_cut_off(void **state)
{
    static asking *const all[] = {ask_ping, ask_queues, ask_workers, ask_stats, ask_cancel, ask_get,
        ask_wait, ask_rubbish, ask_submit_again, ask_hello};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct world *w = world_that_keeps_little();
        world_with_worker(w, 1);
        (void)world_submit_one(w, 1, "a");
        world_hello_client(w, 7, 7);
        assert_int_equal(world_step(w, 0), STINT_OK);
        ask_without_reading(w, 7, all[i]);
        world_destroy(&w);
    }
}

static void
ask_claim(struct world *w, uint32_t peer, uint64_t number)
{
    struct lease_ref refs[64] = {0};
    message_put_leases(world_frame(w, peer), MESSAGE_CLAIM, number, refs, 64, true);
}

static void
ask_settle(struct world *w, uint32_t peer, uint64_t number)
{
    struct outcome outcomes[64] = {0};
    for (unsigned i = 0; i < 64; i++)
        outcomes[i] = (struct outcome){.attempt = 1, .type = OUTCOME_SUCCEEDED};
    message_put_settle(world_frame(w, peer), number, outcomes, 64, WINDOW_UNCHANGED);
}

static void
what_a_worker_claims_and_settles_counts_too(void **state)
{
    static asking *const all[] = {ask_claim, ask_settle};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct world *w = world_that_keeps_little();
        world_with_worker(w, 1);
        ask_without_reading(w, 2, all[i]);
        world_destroy(&w);
    }
}

static void
who_was_cut_off_is_not_heard_in_the_same_step(void **state)
{
    struct world *w = world_that_keeps_little();
    struct job_spec job = world_job("a");
    (void)state;
    for (unsigned n = 0; n < 200; n++)
        ask_get(w, 1, n);
    for (unsigned n = 0; n < 10; n++)
        world_submit(w, 1, 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_true(is_ended(w, 1));
    assert_int_equal(store_model_count(w->store, STORE_LIVE), 0);
    world_with_client(w); /* on a new connection it is welcome */
    (void)world_submit_one(w, 1, "a");
    world_destroy(&w);
}

static void
who_was_cut_off_does_not_begin_anew_in_the_same_step(void **state)
{
    struct core_options options;
    (void)state;
    core_options_init(&options);
    options.unread_bytes = 200000;
    struct world *w = world_new(&options);
    world_with_client(w);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned n = 0; n < 120; n++)
            ask_get(w, 1, n);
        message_put_numbered(world_frame(w, 1), MESSAGE_BYE, 1);
        world_hello_client(w, 1, 1);
    }
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_true(is_ended(w, 1));
    assert_int_equal(world_count(w, 1, MESSAGE_JOBS), 120);
    world_destroy(&w);
}

static void
ask_until_refused(struct world *w, uint32_t peer)
{
    for (unsigned n = 0; n < 2000; n++) {
        ask_stats(w, peer, n);
        assert_int_equal(world_step(w, 0), STINT_OK);
        if (world_read(w, peer, MESSAGE_ERROR)) {
            assert_int_equal(w->message.error.status, STINT_TOO_MANY);
            return;
        }
    }
    fail_msg("it was never refused");
}

static void
saying_hello_again_settles_nothing(void **state)
{
    struct world *w = world_that_keeps_little();
    (void)state;
    ask_until_refused(w, 1);
    world_hello_client(w, 1, 1);
    ask_stats(w, 1, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_WELCOME));
    assert_non_null(world_read(w, 1, MESSAGE_ERROR));
    world_hello_client(w, 1, 77); /* nor does another session */
    ask_stats(w, 1, 2);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_ERROR));
    world_destroy(&w);
}

static void
a_connection_that_owes_does_not_begin_anew_by_a_goodbye_or_a_silence(void **state)
{
    struct core_options options;
    (void)state;
    core_options_init(&options);
    options.unread_bytes = 200000;
    struct world *w = world_new(&options);
    for (unsigned way = 0; way < 3; way++) {
        world_with_client(w);
        for (unsigned n = 0; n < 250; n++)
            ask_get(w, 1, n);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_false(is_ended(w, 1));
        if (way == 0)
            message_put_numbered(world_frame(w, 1), MESSAGE_BYE, 1);
        else if (way == 1)
            world_hello_client(w, 6, 1); /* its session goes on elsewhere */
        for (unsigned s = 0; s < (way == 2 ? 80 : 1); s++)
            assert_int_equal(world_step(w, s ? 1000 : 0), STINT_OK);
        if (way == 2)
            ask_stats(w, 1, 1);
        assert_int_equal(world_step(w, 0), STINT_OK);
        if (way == 2)
            assert_null(world_read(w, 1, MESSAGE_STATS));
        world_gone(w, 1);
        assert_int_equal(world_step(w, 0), STINT_OK);
    }
    world_destroy(&w);
}

static uint64_t
token_of(struct world *w, uint32_t peer)
{
    assert_non_null(world_read(w, peer, MESSAGE_PONG));
    return w->message.pong.token;
}

/* The state of splitmix64 that gave this, so that the next number could be told. */
static uint64_t
unmix(uint64_t z)
{
    z = (z ^ z >> 31 ^ z >> 62) * 0x319642b2d24d8ec3U;
    z = (z ^ z >> 27 ^ z >> 54) * 0x96de1b173f119089U;
    return z ^ z >> 30 ^ z >> 60;
}

static void
no_token_follows_from_another(void **state)
{
    enum { PEERS = 6 };
    struct world *w = world_new(NULL);
    uint64_t tokens[PEERS];
    (void)state;
    for (uint32_t p = 0; p < PEERS; p++) {
        world_hello_client(w, 1 + p, (uint8_t)(1 + p));
        ask_ping(w, 1 + p, 1);
    }
    assert_int_equal(world_step(w, 0), STINT_OK);
    for (uint32_t p = 0; p < PEERS; p++)
        tokens[p] = token_of(w, 1 + p);
    for (uint32_t p = 0; p + 1 < PEERS; p++) {
        uint64_t step = unmix(tokens[p + 1]) - unmix(tokens[p]);
        assert_int_not_equal(tokens[p], tokens[p + 1]);
        assert_int_not_equal(step, 0x9e3779b97f4a7c15U);
        assert_int_not_equal(unmix(tokens[p]), w->seed + 0x9e3779b97f4a7c15U);
    }
    world_destroy(&w);
}

static void
only_the_token_shows_that_it_was_read(void **state)
{
    struct world *w = world_that_keeps_little();
    (void)state;
    ask_until_refused(w, 1);
    message_put_ping(world_frame(w, 1), 1, WINDOW_UNCHANGED, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    uint64_t token = token_of(w, 1);
    message_put_ping(world_frame(w, 1), 2, WINDOW_UNCHANGED, token + 1);
    ask_stats(w, 1, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(token_of(w, 1), token); /* it stays open */
    assert_non_null(world_read(w, 1, MESSAGE_ERROR));
    message_put_ping(world_frame(w, 1), 3, WINDOW_UNCHANGED, token);
    ask_stats(w, 1, 2);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_not_equal(token_of(w, 1), token);
    assert_non_null(world_read(w, 1, MESSAGE_STATS));
    message_put_ping(world_frame(w, 1), 4, WINDOW_UNCHANGED, token); /* an old one shows nothing */
    assert_int_equal(world_step(w, 0), STINT_OK);
    world_destroy(&w);
}

static void
a_submit_of_who_does_not_read_passes_when_it_reads(void **state)
{
    struct world *w = world_that_keeps_little();
    struct job_spec job = world_job("a");
    (void)state;
    ask_until_refused(w, 1);
    world_submit(w, 1, 1, &job, 1);
    world_submit(w, 1, 2, &job, 1);
    message_put_ping(world_frame(w, 1), 1, WINDOW_UNCHANGED, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    uint64_t token = token_of(w, 1);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_TOO_MANY);
    message_put_ping(world_frame(w, 1), 2, WINDOW_UNCHANGED, token);
    assert_int_equal(world_step(w, 0), STINT_OK);
    (void)world_submit_one(w, 1, "a");
    world_destroy(&w);
}

static void
get_all(struct world *w, uint32_t peer, const struct stint_id *ids, uint32_t count)
{
    message_put_ids(world_frame(w, peer), MESSAGE_GET, 1, ids, count, PART_PAYLOAD);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static void
all_peers_together_have_a_bound_and_each_gets_on(void **state)
{
    enum { LARGE = 700000, TOTAL = 6 << 20, PEERS = 20 };
    struct core_options options;
    struct stint_id ids[2];
    uint64_t put_out = 0;
    (void)state;
    core_options_init(&options);
    options.unread_total_bytes = TOTAL;
    struct world *w = world_new(&options);
    char *large = calloc(1, LARGE + 1);
    assert_non_null(large);
    memset(large, 'x', LARGE);
    world_with_client(w);
    for (uint32_t i = 0; i < 2; i++)
        ids[i] = world_submit_one(w, i + 1, large);
    for (uint32_t p = 10; p < 10 + PEERS; p++) {
        world_hello_client(w, p, (uint8_t)p);
        for (unsigned n = 0; n < 8; n++) {
            get_all(w, p, ids, 2);
            put_out += bytes_to(w, p);
        }
    }
    /* The first few had what there was; the others each what everybody has. */
    assert_in_range(put_out, TOTAL, TOTAL + PEERS * (3 << 20));
    world_hello_client(w, 99, 99);
    get_all(w, 99, ids, 2);
    assert_non_null(world_read(w, 99, MESSAGE_JOBS));
    get_all(w, 10, ids, 2);
    assert_non_null(world_read(w, 10, MESSAGE_ERROR));
    for (uint32_t p = 10; p < 10 + PEERS; p++)
        world_gone(w, p);
    assert_int_equal(world_step(w, 0), STINT_OK);
    get_all(w, 99, ids, 2);
    get_all(w, 99, ids, 2);
    assert_non_null(world_read(w, 99, MESSAGE_JOBS));
    free(large);
    world_destroy(&w);
}

static void
a_flood_of_refusals_is_one_note_a_second(void **state)
{
    struct world *w = world_new(NULL);
    struct note note;
    unsigned notes = 0;
    (void)state;
    world_with_client(w);
    for (unsigned n = 0; n < 100; n++)
        ask_rubbish(w, 1, n);
    assert_int_equal(world_step(w, 0), STINT_OK);
    ask_rubbish(w, 1, 1);
    assert_int_equal(world_step(w, 1500), STINT_OK);
    while (core_next_note(w->core, &note))
        if (strcmp(note.event, "a message was refused") == 0) {
            assert_string_equal(note.fields[0].text, "peer");
            assert_int_equal(note.fields[3].number, notes ? 99 : 0);
            notes++;
        }
    assert_int_equal(notes, 2);
    world_destroy(&w);
}

/* A refusal would say that it is not stored. */
static void
a_submission_that_is_stored_is_answered_as_it_was_whatever_is_unread(void **state)
{
    struct world *w = world_that_keeps_little();
    struct job_spec job = world_job("a");
    struct stint_id id;
    uint32_t count;
    uint64_t number = 1;
    (void)state;
    world_submit(w, 1, 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    for (size_t bytes = 0; bytes < UNREAD_BYTES; bytes += bytes_to(w, 1)) {
        ask_queues(w, 1, number++);
        assert_int_equal(world_step(w, 0), STINT_OK);
    }
    world_submit(w, 1, 2, &job, 1);
    world_submit(w, 1, 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_true(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_TOO_MANY);
    assert_int_equal(w->arrays->answers[1].status, STINT_OK);
    assert_true(message_next_run(&w->arrays->answers[1], &id, &count));
    assert_int_equal(id_sequence(&id), 1);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_answered_counts_and_who_never_reads_is_cut_off),
        cmocka_unit_test(what_a_worker_claims_and_settles_counts_too),
        cmocka_unit_test(a_submission_that_is_stored_is_answered_as_it_was_whatever_is_unread),
        cmocka_unit_test(who_was_cut_off_is_not_heard_in_the_same_step),
        cmocka_unit_test(who_was_cut_off_does_not_begin_anew_in_the_same_step),
        cmocka_unit_test(saying_hello_again_settles_nothing),
        cmocka_unit_test(a_connection_that_owes_does_not_begin_anew_by_a_goodbye_or_a_silence),
        cmocka_unit_test(no_token_follows_from_another),
        cmocka_unit_test(only_the_token_shows_that_it_was_read),
        cmocka_unit_test(a_submit_of_who_does_not_read_passes_when_it_reads),
        cmocka_unit_test(all_peers_together_have_a_bound_and_each_gets_on),
        cmocka_unit_test(a_flood_of_refusals_is_one_note_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
