/* Every move of a job between the tables: what stands where afterwards, what is counted, and when
 * it is due or expires. And what a client's CANCEL and RETRY do in each state.
 */
#include "dice.h"
#include "job.h"
#include "marks.h"
#include "stored.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

enum { LARGE = 9000 }; /* in three parts */

static uint8_t large[LARGE];

/* Rows in the tables that a job touches. */
struct rows {
    size_t live, parked, due, settled, parts;
};

static struct rows
rows_of(struct world *w)
{
    struct store *s = w->store;
    return (struct rows){store_model_count(s, STORE_LIVE), store_model_count(s, STORE_PARKED),
        store_model_count(s, STORE_DUE), store_model_count(s, STORE_SETTLED),
        store_model_count(s, STORE_PARTS)};
}

static void
check_rows(struct world *w, struct rows expected)
{
    struct rows found = rows_of(w);
    assert_int_equal(found.live, expected.live);
    assert_int_equal(found.parked, expected.parked);
    assert_int_equal(found.due, expected.due);
    assert_int_equal(found.settled, expected.settled);
    assert_int_equal(found.parts, expected.parts);
}

/* The job is the only one: its state alone is counted. */
static void
check_counts(struct world *w, enum stint_state state)
{
    struct stint_stats stats;
    core_stats(w->core, &stats);
    for (unsigned s = STINT_READY; s < STINT_STATES; s++)
        assert_int_equal(stats.jobs[s], s == (unsigned)state);
}

/* Nothing in the store contradicts anything else. */
static void
check_whole(struct world *w)
{
    struct verify_report report = {.problem = NULL};
    core_destroy(&w->core);
    core_verify(w->store, 0, &report);
    assert_int_equal(report.problems, 0);
}

/* A world with one job, whose payload has so many bytes. */
static struct world *
world_with_job(size_t bytes, struct stint_id *id)
{
    struct world *w = world_new(NULL);
    struct job_spec job = world_job("");
    uint32_t count;
    job.payload = (struct slice){large, bytes};
    job.backoff_base_ms = job.backoff_cap_ms = 7000;
    job.max_attempts = 3;
    world_with_client(w);
    world_submit(w, 1, 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_true(message_next_run(&w->arrays->answers[0], id, &count));
    return w;
}

/* ---- the moves themselves, one at a time ---- */

static void
load(struct world *w, const struct stint_id *id, struct job *job)
{
    assert_true(job_find(w->core, id, job));
}

static void
to_parked(struct world *w, struct job *job)
{
    job_park(w->core, job, w->core->clocks.wall_ms + 5000);
}

static void
to_parked_and_back(struct world *w, struct job *job)
{
    to_parked(w, job);
    job_unpark(w->core, job);
}

static void
to_dead(struct world *w, struct job *job)
{
    job_settle(w->core, job, STINT_DEAD, (struct slice){0});
}

static void
to_dead_with_output(struct world *w, struct job *job)
{
    job_keep_output(w->core, job, (struct slice){large, 5000});
    to_dead(w, job);
}

static void
to_cancelled(struct world *w, struct job *job)
{
    job_settle(w->core, job, STINT_CANCELLED_JOB, (struct slice){0});
}

static void
to_cancelled_from_parked(struct world *w, struct job *job)
{
    to_parked(w, job);
    to_cancelled(w, job);
}

static void
to_succeeded(struct world *w, struct job *job)
{
    job_settle(w->core, job, STINT_SUCCEEDED, (struct slice){(const uint8_t *)"small", 5});
}

static void
to_succeeded_with_much(struct world *w, struct job *job)
{
    job_settle(w->core, job, STINT_SUCCEEDED, (struct slice){large, 5000});
}

static void
to_forgotten(struct world *w, struct job *job)
{
    record_set(&job->record, FIELD_KEEP, 0);
    to_succeeded(w, job);
}

static void
to_kept_although_it_is_not_to_be(struct world *w, struct job *job)
{
    record_set(&job->record, FIELD_KEEP, 0);
    to_dead(w, job);
}

static void
to_revived(struct world *w, struct job *job)
{
    to_dead_with_output(w, job);
    job_revive(w->core, job);
}

static void
to_removed(struct world *w, struct job *job)
{
    to_dead_with_output(w, job);
    job_remove_settled(w->core, job);
}

static void
to_removed_success(struct world *w, struct job *job)
{
    to_succeeded_with_much(w, job);
    job_remove_settled(w->core, job);
}

static void
to_nothing(struct world *w, struct job *job)
{
    job_forget(w->core, job->level, &job->id, &job->key, STINT_READY, record_chunked(&job->record));
    job->place = PLACE_NONE;
    job->state = STINT_UNKNOWN;
}

/* What a move leaves: its place and state, and rows; `parts` beside those of the payload, which
 * stays where `payload` says so. */
static const struct move {
    void (*move)(struct world *w, struct job *job);
    enum place place;
    enum stint_state state;
    struct rows rows;
    bool payload;
} moves[] = {
    {to_parked, PLACE_PARKED, STINT_SCHEDULED, {0, 1, 1, 0, 0}, true},
    {to_parked_and_back, PLACE_LIVE, STINT_READY, {1, 0, 0, 0, 0}, true},
    {to_dead, PLACE_SETTLED, STINT_DEAD, {0, 0, 0, 1, 0}, true},
    {to_dead_with_output, PLACE_SETTLED, STINT_DEAD, {0, 0, 0, 1, 2}, true},
    {to_cancelled, PLACE_SETTLED, STINT_CANCELLED_JOB, {0, 0, 0, 1, 0}, true},
    {to_cancelled_from_parked, PLACE_SETTLED, STINT_CANCELLED_JOB, {0, 0, 0, 1, 0}, true},
    {to_succeeded, PLACE_SETTLED, STINT_SUCCEEDED, {0, 0, 0, 1, 0}, false},
    {to_succeeded_with_much, PLACE_SETTLED, STINT_SUCCEEDED, {0, 0, 0, 1, 2}, false},
    {to_forgotten, PLACE_NONE, STINT_UNKNOWN, {0, 0, 0, 0, 0}, false},
    {to_kept_although_it_is_not_to_be, PLACE_SETTLED, STINT_DEAD, {0, 0, 0, 1, 0}, true},
    {to_revived, PLACE_LIVE, STINT_READY, {1, 0, 0, 0, 0}, true},
    {to_removed, PLACE_NONE, STINT_UNKNOWN, {0, 0, 0, 0, 0}, false},
    {to_removed_success, PLACE_NONE, STINT_UNKNOWN, {0, 0, 0, 0, 0}, false},
    {to_nothing, PLACE_NONE, STINT_UNKNOWN, {0, 0, 0, 0, 0}, false},
};

static void
check_move(const struct move *m, size_t bytes)
{
    struct stint_id id;
    struct world *w = world_with_job(bytes, &id);
    struct job job, again;
    struct rows expected = m->rows;
    w->store->ops->begin(w->store);
    load(w, &id, &job);
    m->move(w, &job);
    assert_int_equal(job.place, m->place);
    assert_int_equal(job.state, m->state);
    expected.parts += m->payload && bytes == LARGE ? 3 : 0;
    check_rows(w, expected);
    check_counts(w, m->state);
    assert_int_equal(job_find(w->core, &id, &again), m->place != PLACE_NONE);
    if (m->place != PLACE_NONE) {
        struct slice body;
        assert_int_equal(again.place, m->place);
        assert_int_equal(again.state, m->state);
        assert_true(job_body(w->core, &id, &again.record, &body));
        if (m->payload) {
            assert_int_equal(body.size, bytes);
            assert_memory_equal(body.data, large, bytes);
        }
    }
    book_flush(&w->core->book);
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
    check_whole(w);
    world_destroy(&w);
}

static void
every_move_leaves_what_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (uint8_t)(i * 31);
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        check_move(&moves[i], 10);
        check_move(&moves[i], LARGE);
    }
}

static void
a_dead_jobs_output_is_read_back_and_gone_after_a_retry(void **state)
{
    struct stint_id id;
    struct world *w = world_with_job(LARGE, &id);
    struct job job;
    struct slice output;
    (void)state;
    w->store->ops->begin(w->store);
    load(w, &id, &job);
    to_dead_with_output(w, &job);
    load(w, &id, &job);
    assert_true(job_output(w->core, &id, &job.record, &output));
    assert_int_equal(output.size, 5000);
    assert_memory_equal(output.data, large, 5000);
    job_revive(w->core, &job);
    load(w, &id, &job);
    assert_false(record_has(&job.record, FIELD_OUTPUT));
    assert_false(record_has(&job.record, FIELD_SETTLED));
    assert_false(record_has(&job.record, FIELD_EXPIRES));
    w->store->ops->abort(w->store);
    world_destroy(&w);
}

static void
how_long_an_outcome_is_kept(void **state)
{
    enum { HOUR = 3600000 };
    static const struct {
        uint64_t keep; /* the job's; UINT64_MAX: it says nothing */
        enum stint_state to;
        uint64_t kept;
    } cases[] = {
        {UINT64_MAX, STINT_SUCCEEDED, 2ULL * HOUR},
        {UINT64_MAX, STINT_DEAD, 9ULL * HOUR},
        {UINT64_MAX, STINT_CANCELLED_JOB, 2ULL * HOUR},
        {1ULL * HOUR, STINT_SUCCEEDED, 1ULL * HOUR},
        {1ULL * HOUR, STINT_DEAD, 9ULL * HOUR}, /* what went wrong can be looked at */
        {1ULL * HOUR, STINT_CANCELLED_JOB, 2ULL * HOUR},
        {5ULL * HOUR, STINT_CANCELLED_JOB, 5ULL * HOUR},
        {100ULL * HOUR, STINT_DEAD, 100ULL * HOUR},
        {0, STINT_DEAD, 9ULL * HOUR},
        {0, STINT_CANCELLED_JOB, 2ULL * HOUR},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stint_id id;
        struct job job;
        struct world *w = world_with_job(10, &id);
        w->core->options.keep_ms = 2ULL * HOUR;
        w->core->options.keep_dead_ms = 9ULL * HOUR;
        w->store->ops->begin(w->store);
        load(w, &id, &job);
        if (cases[i].keep != UINT64_MAX)
            record_set(&job.record, FIELD_KEEP, cases[i].keep);
        job_settle(w->core, &job, cases[i].to, (struct slice){0});
        uint64_t expires_ms = record_get(&job.record, FIELD_EXPIRES, 0);
        assert_int_equal(expires_ms - w->core->clocks.wall_ms, cases[i].kept);
        assert_true(marks_have(w->store, &id, expires_ms));
        w->store->ops->abort(w->store);
        world_destroy(&w);
    }
}

static void
neighbours_share_a_mark_and_others_do_not(void **state)
{
    static const struct {
        uint64_t sequence, expires_ms;
        bool marked;
    } cases[] = {{1, 100000, true}, {1023, 100000, true}, {1, 98304, true}, {1, 114687, true},
        {1024, 100000, false}, {1, 98303, false}, {1, 114688, false}};
    struct stint_id id;
    struct world *w = world_with_job(1, &id);
    struct job job;
    (void)state;
    w->store->ops->begin(w->store);
    load(w, &id, &job);
    for (unsigned n = 0; n < 3; n++)
        marks_put(w->core, job.level, &id, 100000);
    assert_int_equal(store_model_count(w->store, STORE_EXPIRY), 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        id_set_sequence(&id, cases[i].sequence);
        assert_int_equal(marks_have(w->store, &id, cases[i].expires_ms), cases[i].marked);
    }
    /* What the slot is for is over when it begins. */
    assert_true(w->core->sweeps.expiry_ms > 114687);
    w->store->ops->abort(w->store);
    world_destroy(&w);
}

/* ---- CANCEL and RETRY ---- */

/* Brings the job, which is the only one, into this state. */
static void
bring_to(struct world *w, const struct stint_id *id, enum stint_state to)
{
    static const enum outcome_type outcomes[STINT_STATES] = {[STINT_SCHEDULED] = OUTCOME_FAILED,
        [STINT_SUCCEEDED] = OUTCOME_SUCCEEDED,
        [STINT_DEAD] = OUTCOME_DEAD};
    if (to == STINT_CANCELLED_JOB) {
        message_put_ids(world_frame(w, 1), MESSAGE_CANCEL, 5, id, 1, 0);
        assert_int_equal(world_step(w, 0), STINT_OK);
    } else if (to != STINT_READY) {
        world_with_worker(w, 1);
        assert_int_equal(world_dispatched(w, 2).attempt, 1);
        if (to != STINT_RUNNING)
            world_settle(w, 2, 1, *id, 1, outcomes[to], "told");
        assert_int_equal(world_step(w, 0), STINT_OK);
    }
    assert_int_equal(world_state(w, *id, NULL), to);
}

/* The status that the client is told of one job. */
static enum stint_status
ask(struct world *w, enum message_type what, struct stint_id id)
{
    message_put_ids(world_frame(w, 1), what, 6, &id, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_ANSWERS));
    assert_int_equal(w->message.number, 6);
    assert_int_equal(w->message.count, 1);
    return w->arrays->statuses[0];
}

static void
what_cancel_and_retry_do_in_each_state(void **state)
{
    static const struct {
        enum stint_state from;
        enum message_type what;
        enum stint_status status;
        enum stint_state to;
    } cases[] = {
        {STINT_READY, MESSAGE_CANCEL, STINT_OK, STINT_CANCELLED_JOB},
        {STINT_SCHEDULED, MESSAGE_CANCEL, STINT_OK, STINT_CANCELLED_JOB},
        {STINT_RUNNING, MESSAGE_CANCEL, STINT_OK, STINT_CANCELLED_JOB},
        {STINT_SUCCEEDED, MESSAGE_CANCEL, STINT_WRONG_STATE, STINT_SUCCEEDED},
        {STINT_DEAD, MESSAGE_CANCEL, STINT_WRONG_STATE, STINT_DEAD},
        {STINT_CANCELLED_JOB, MESSAGE_CANCEL, STINT_OK, STINT_CANCELLED_JOB},
        {STINT_READY, MESSAGE_RETRY, STINT_WRONG_STATE, STINT_READY},
        {STINT_SCHEDULED, MESSAGE_RETRY, STINT_WRONG_STATE, STINT_SCHEDULED},
        {STINT_RUNNING, MESSAGE_RETRY, STINT_WRONG_STATE, STINT_RUNNING},
        {STINT_SUCCEEDED, MESSAGE_RETRY, STINT_WRONG_STATE, STINT_SUCCEEDED},
        {STINT_CANCELLED_JOB, MESSAGE_RETRY, STINT_OK, STINT_READY},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stint_id id;
        struct world *w = world_with_job(LARGE, &id);
        bring_to(w, &id, cases[i].from);
        assert_int_equal(ask(w, cases[i].what, id), cases[i].status);
        assert_int_equal(world_state(w, id, NULL), cases[i].to);
        check_counts(w, cases[i].to);
        id_set_sequence(&id, 99);
        assert_int_equal(ask(w, cases[i].what, id), STINT_NO_SUCH_JOB);
        check_whole(w);
        world_destroy(&w);
    }
}

static void
a_dead_job_that_is_tried_again_has_all_its_attempts_again_and_counts_on(void **state)
{
    struct stint_id id;
    struct stint_job_info info;
    struct world *w = world_with_job(10, &id);
    (void)state;
    bring_to(w, &id, STINT_DEAD);
    assert_int_equal(ask(w, MESSAGE_RETRY, id), STINT_OK);
    for (uint32_t attempt = 2; attempt < 5; attempt++) {
        assert_int_equal(world_state(w, id, &info), STINT_RUNNING); /* its worker has it again */
        assert_int_equal(info.attempt, attempt);
        assert_int_equal(info.failures, attempt - 2);
        world_settle(w, 2, attempt, id, attempt, OUTCOME_FAILED, "again");
        assert_int_equal(world_step(w, 0), STINT_OK);
        message_put_ping(world_frame(w, 2), 1, WINDOW_UNCHANGED, 0);
        assert_int_equal(world_step(w, 7000), STINT_OK);
    }
    assert_int_equal(world_state(w, id, &info), STINT_DEAD);
    assert_int_equal(info.failures, 3);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_move_leaves_what_the_table_says),
        cmocka_unit_test(a_dead_jobs_output_is_read_back_and_gone_after_a_retry),
        cmocka_unit_test(how_long_an_outcome_is_kept),
        cmocka_unit_test(neighbours_share_a_mark_and_others_do_not),
        cmocka_unit_test(what_cancel_and_retry_do_in_each_state),
        cmocka_unit_test(a_dead_job_that_is_tried_again_has_all_its_attempts_again_and_counts_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
