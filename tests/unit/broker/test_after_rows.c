/* Rows of jobs that wait for others: what is damaged, missing or leads nowhere is seen, and nobody
 * waits for it for ever.
 */
#include "keyed.h"
#include "links.h"
#include "rows.h"
#include "waiting.h"

static struct world *
world_of_client(void)
{
    struct world *w = world_new(NULL);
    world_with_client(w);
    return w;
}

static void
assert_no_links(struct world *w)
{
    assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS), 0);
    assert_int_equal(store_model_count(w->store, STORE_ENDED), 0);
}

static void
cancel(struct world *w, struct stint_id id)
{
    message_put_ids(world_frame(w, WAITING_CLIENT), MESSAGE_CANCEL, 6, &id, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static uint64_t
problems(struct world *w)
{
    struct verify_report report = {.problem = NULL};
    core_verify(w->store, 0, &report);
    return report.problems;
}

static void
damage(struct world *w, enum store_table table)
{
    w->store->ops->begin(w->store);
    store_model_damage(w->store, table);
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
}

/* Its record can't be read: those who wait for it do not do so for ever. */
static void
a_damaged_parent_has_not_succeeded(void **state)
{
    struct world *w = world_of_client();
    (void)state;
    struct stint_id parent = waiting_submit_one(w, 1, world_job("a")),
                    id = waiting_submit_after(w, 2, parent);
    damage(w, STORE_LIVE);
    assert_int_equal(world_state(w, parent, NULL), STINT_UNKNOWN);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_CANCELLED_JOB);
    waiting_verify(w);
    world_destroy(&w);
    waiting_done();
}

/* And one that waits itself is no row that leads nowhere, whether its parent is in its record, of
 * which nothing is known any more, or in a row of its own. */
static void
a_damaged_follower_is_waited_for_by_nobody(void **state)
{
    (void)state;
    for (unsigned elsewhere = 0; elsewhere < 2; elsewhere++) {
        struct world *w = world_of_client();
        struct job_spec parent_job = world_job("a"), jobs[3];
        struct stint_id ids[3];
        parent_job.queue = text(elsewhere ? "other" : "default");
        struct stint_id parent = waiting_submit_one(w, 1, parent_job);
        for (unsigned i = 0; i < 3; i++) {
            jobs[i] = waiting_job("child", &parent, 1);
            jobs[i].after_flags = AFTER_ANY;
        }
        assert_int_equal(waiting_submit(w, 2, jobs, 3, ids), STINT_OK);
        assert_int_equal(store_model_count(w->store, STORE_PARENTS), elsewhere ? 3 : 0);
        damage(w, STORE_PARKED);
        assert_int_equal(world_state(w, ids[0], NULL), STINT_UNKNOWN);
        assert_int_equal(store_model_count(w->store, STORE_PARENTS), elsewhere ? 2 : 0);
        waiting_verify(w);
        cancel(w, parent);
        assert_int_equal(world_state(w, ids[1], NULL), STINT_READY);
        assert_int_equal(world_state(w, ids[2], NULL), STINT_READY);
        assert_no_links(w);
        waiting_verify(w);
        world_destroy(&w);
        waiting_done();
    }
}

/* A row that lacks, and one that leads nowhere, of each table. */
static void
the_verifier_sees_what_does_not_fit_together(void **state)
{
    enum way {
        NO_FOLLOWER,
        NO_PARENTS,
        STRAY_FOLLOWER,
        STRAY_PARENTS,
        NOT_FOLLOWED,
        BAD_END,
        BAD_PARENTS,
        WAYS
    };
    (void)state;
    for (enum way way = NO_FOLLOWER; way < WAYS; way++) {
        struct world *w = world_of_client();
        uint8_t key[FOLLOWER_KEY_BYTES], bytes[ROW_PARENTS_BYTES_MAX] = {0};
        struct job_spec parent_job = world_job("a");
        parent_job.queue = text("other"); /* so that it is in a row of parents */
        struct stint_id parent = waiting_submit_one(w, 1, parent_job),
                        id = waiting_submit_after(w, 2, parent),
                        plain = waiting_submit_one(w, 3, world_job("b"));
        const struct slice nothing = {NULL, 0};
        waiting_verify(w);
        w->store->ops->begin(w->store);
        struct slice row = parents_key(key, way == STRAY_PARENTS ? &plain : &id, 0);
        if (way == NO_FOLLOWER)
            assert_true(store_del(w->store, STORE_FOLLOWERS, follower_key(key, &parent, &id)));
        else if (way == NO_PARENTS)
            assert_true(store_del(w->store, STORE_PARENTS, row));
        else if (way == STRAY_FOLLOWER)
            store_put(
                w->store, STORE_FOLLOWERS, follower_key(key, &parent, &plain), nothing, nothing);
        else if (way == STRAY_PARENTS)
            store_put(
                w->store, STORE_PARENTS, row, row_parents_write(bytes, row, &parent, 1), nothing);
        else if (way == BAD_END)
            store_put(w->store, STORE_ENDED, (struct slice){id.bytes, sizeof id},
                (struct slice){bytes, 3}, nothing);
        else if (way == BAD_PARENTS)
            store_model_damage(w->store, STORE_PARENTS);
        else { /* it says that it waits for one that would not tell it */
            assert_true(store_del(w->store, STORE_FOLLOWERS, follower_key(key, &parent, &id)));
            store_put(w->store, STORE_FOLLOWERS, follower_key(key, &plain, &id), nothing, nothing);
            row = parents_key(key, &id, 0);
            store_put(
                w->store, STORE_PARENTS, row, row_parents_write(bytes, row, &plain, 1), nothing);
        }
        assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
        assert_true(problems(w) > 0);
        world_destroy(&w);
        waiting_done();
    }
}

/* What is on the list of ends and can't be read is an end all the same. */
static void
an_end_that_is_damaged_was_none_that_is_good(void **state)
{
    struct world *w = world_of_client();
    const struct slice nothing = {NULL, 0};
    uint8_t three[3] = {0};
    (void)state;
    struct stint_id parent = waiting_submit_one(w, 1, world_job("a")),
                    id = waiting_submit_after(w, 2, parent);
    w->store->ops->begin(w->store);
    store_put(w->store, STORE_ENDED, (struct slice){parent.bytes, sizeof parent},
        (struct slice){three, sizeof three}, nothing);
    store_put(w->store, STORE_ENDED, (struct slice){three, 3}, nothing, nothing);
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
    world_restart(w);
    world_with_client(w);
    assert_int_equal(world_state(w, id, NULL), STINT_CANCELLED_JOB);
    assert_no_links(w);
    world_destroy(&w);
    waiting_done();
}

/* A root, and so many that are after it, in one message; any end of it will do. */
static void
submit_fan(struct world *w, uint64_t number, struct stint_id *ids, uint32_t count)
{
    struct job_spec jobs[8] = {world_job("root")};
    assert_true(count < 8);
    for (uint32_t i = 1; i <= count; i++) {
        jobs[i] = waiting_job_behind("child", (uint32_t[]){0}, 1);
        jobs[i].after_flags = AFTER_ANY;
    }
    assert_int_equal(waiting_submit(w, number, jobs, count + 1, ids), STINT_OK);
}

/* Of the followers of the first one these are in the only row, and no more. */
static void
assert_row(struct world *w, const struct stint_id *ids, unsigned first, unsigned last)
{
    assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS), first > 0);
    w->store->ops->begin(w->store);
    for (unsigned i = 1; i < 6; i++)
        assert_int_equal(
            links_wait_for(w->store, &ids[0], &ids[i]), first > 0 && i >= first && i <= last);
    w->store->ops->abort(w->store);
}

/* Followers whose ids are neighbours share a row, and whoever leaves does so alone; one between
 * others stays in the row until they have left. */
static void
neighbours_share_a_row(void **state)
{
    static const struct {
        unsigned leaves, first, last; /* of what is left in the row; 0: there is none */
    } leave[] = {{3, 1, 5}, {1, 2, 5}, {5, 2, 4}, {4, 2, 2}, {2, 0, 0}};
    struct world *w = world_of_client();
    struct stint_id ids[6];
    (void)state;
    submit_fan(w, 1, ids, 5);
    assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS), 1);
    for (unsigned i = 0; i < 5; i++) {
        waiting_verify(w);
        world_restart(w);
        world_with_client(w);
        cancel(w, ids[leave[i].leaves]);
        assert_row(w, ids, leave[i].first, leave[i].last);
    }
    waiting_verify(w);
    cancel(w, ids[0]);
    for (unsigned i = 1; i < 6; i++)
        assert_int_equal(world_state(w, ids[i], NULL), STINT_CANCELLED_JOB);
    assert_no_links(w);
    world_destroy(&w);
    waiting_done();
}

/* Those of several messages, of another parent between them, or with a stranger between them, have
 * rows of their own; all are told. */
static void
what_is_no_neighbour_has_a_row_of_its_own(void **state)
{
    struct world *w = world_of_client();
    struct stint_id ids[6], others[3], late[3];
    (void)state;
    submit_fan(w, 1, ids, 5);
    submit_fan(w, 2, others, 2);
    struct job_spec more[3] = {waiting_job("child", &ids[0], 1), world_job("plain")};
    more[0].after_flags = AFTER_ANY;
    more[2] = more[0];
    assert_int_equal(waiting_submit(w, 3, more, 3, late), STINT_OK);
    more[1] = more[0];
    assert_int_equal(waiting_submit(w, 4, more, 2, late), STINT_OK);
    assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS), 5);
    waiting_verify(w);
    cancel(w, ids[0]);
    for (unsigned i = 1; i < 6; i++)
        assert_int_equal(world_state(w, ids[i], NULL), STINT_READY);
    assert_int_equal(world_state(w, late[0], NULL), STINT_READY);
    assert_int_equal(world_state(w, late[1], NULL), STINT_READY);
    assert_int_equal(world_state(w, others[2], NULL), STINT_BLOCKED);
    assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS), 1);
    waiting_verify(w);
    world_destroy(&w);
    waiting_done();
}

/* A row is of so many at most. */
static void
very_many_share_several_rows(void **state)
{
    enum { ALL = FOLLOWERS_A_ROW + 10 };
    static struct job_spec jobs[ALL + 1];
    static struct stint_id ids[ALL + 1];
    struct world *w = world_of_client();
    (void)state;
    jobs[0] = world_job("root");
    for (uint32_t i = 1; i <= ALL; i++) {
        jobs[i] = waiting_job_behind("child", (uint32_t[]){0}, 1);
        jobs[i].after_flags = AFTER_ANY;
    }
    assert_int_equal(waiting_submit(w, 1, jobs, ALL + 1, ids), STINT_OK);
    assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS), 2);
    waiting_verify(w);
    cancel(w, ids[0]);
    assert_int_equal(world_state(w, ids[1], NULL), STINT_READY);
    assert_int_equal(world_state(w, ids[ALL], NULL), STINT_READY);
    assert_no_links(w);
    waiting_verify(w);
    world_destroy(&w);
    waiting_done();
}

/* What a step can't take out of rows stays, and is passed over when those end. */
static void
many_that_leave_at_once_do_not_make_a_step_long(void **state)
{
    enum { PARENTS = LIMIT_AFTER, FOLLOWERS = 10, MOST = 8192 };
    static struct stint_id parents[PARENTS];
    struct world *w = world_of_client();
    struct job_spec jobs[FOLLOWERS], parent = world_job("parent");
    struct stint_id ids[FOLLOWERS];
    (void)state;
    world_submit_many(w, WAITING_CLIENT, 1, &parent, PARENTS);
    for (uint32_t i = 0; i < PARENTS; i++)
        parents[i] = id_make(w->options.broker, 1, DEFAULT_PRIORITY, i + 1);
    for (unsigned i = 0; i < FOLLOWERS; i++)
        jobs[i] = waiting_job("child", parents, PARENTS);
    assert_int_equal(waiting_submit(w, 2, jobs, FOLLOWERS, ids), STINT_OK);
    waiting_verify(w);
    message_put_ids(world_frame(w, WAITING_CLIENT), MESSAGE_CANCEL, 6, ids, FOLLOWERS, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(w->core->step.links_cut, MOST);
    assert_in_range(store_model_count(w->store, STORE_FOLLOWERS), PARENTS * FOLLOWERS - MOST, 5000);
    waiting_verify(w);
    message_put_ids(world_frame(w, WAITING_CLIENT), MESSAGE_CANCEL, 7, parents, PARENTS, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, ids[0], NULL), STINT_CANCELLED_JOB);
    assert_no_links(w);
    world_destroy(&w);
    waiting_done();
}

/* In the step in which they come, nothing of them is a row yet. */
static void
what_happens_in_the_step_in_which_they_come_reaches_them(void **state)
{
    enum way { ONE_LEAVES, BOTH, ROOT_ENDS, WAYS };
    struct world *w = world_of_client();
    struct job_spec jobs[3];
    (void)state;
    for (enum way way = ONE_LEAVES; way < WAYS; way++) {
        struct stint_id root = waiting_submit_one(w, 2 * way + 1, world_job("root")),
                        second = id_plus(root, 2);
        for (unsigned i = 0; i < 3; i++) {
            jobs[i] = waiting_job("child", &root, 1);
            jobs[i].after_flags = AFTER_ANY;
        }
        world_submit(w, WAITING_CLIENT, 2 * way + 2, jobs, 3);
        if (way == BOTH)
            message_put_ids(world_frame(w, WAITING_CLIENT), MESSAGE_CANCEL, 6, &root, 1, 0);
        cancel(w, way == ROOT_ENDS ? root : second);
        assert_int_equal(
            world_state(w, second, NULL), way == ROOT_ENDS ? STINT_READY : STINT_CANCELLED_JOB);
        assert_int_equal(world_state(w, id_plus(root, 3), NULL),
            way == ONE_LEAVES ? STINT_BLOCKED : STINT_READY);
        assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS), way == ONE_LEAVES);
        waiting_verify(w);
        cancel(w, root);
        assert_int_equal(world_state(w, id_plus(root, 1), NULL), STINT_READY);
        assert_no_links(w);
    }
    world_destroy(&w);
    waiting_done();
}

/* It is damaged, as if by a bit. */
static void
damage_followers(struct world *w, struct stint_id parent, struct stint_id last, uint32_t count)
{
    uint8_t key[FOLLOWER_KEY_BYTES], bytes[ROW_FOLLOWERS_BYTES_MAX] = {0};
    struct slice value, row = row_followers_write(bytes, follower_key(key, &parent, &last), count);
    w->store->ops->begin(w->store);
    assert_true(store_get(w->store, STORE_FOLLOWERS, follower_key(key, &parent, &last), &value));
    assert_true(row.size == value.size && memcmp(row.data, value.data, row.size) == 0);
    bytes[row.size - 1]++;
    store_put(
        w->store, STORE_FOLLOWERS, follower_key(key, &parent, &last), row, (struct slice){NULL, 0});
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
}

/* A row of many that is damaged: all of them are told, by what they say themselves, nobody else is
 * who stands beside them, and nobody twice who had a row of his own. */
static void
a_damaged_row_of_followers_holds_up_nobody(void **state)
{
    struct world *w = world_of_client();
    struct stint_id before[4], root, both[2], ids[5], behind[4];
    struct job_spec jobs[5];
    (void)state;
    submit_fan(w, 1, before, 3);
    root = waiting_submit_one(w, 2, world_job("root"));
    for (unsigned i = 0; i < 2; i++) {
        jobs[0] = waiting_job("both", (struct stint_id[]){root, before[0]}, 2);
        jobs[0].after_flags = AFTER_ANY;
        both[i] = waiting_submit_one(w, 3 + i, jobs[0]);
    }
    for (unsigned i = 0; i < 5; i++) {
        jobs[i] = waiting_job("child", &root, 1);
        jobs[i].after_flags = AFTER_ANY;
    }
    assert_int_equal(waiting_submit(w, 5, jobs, 5, ids), STINT_OK);
    submit_fan(w, 6, behind, 3);
    assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS), 7);
    waiting_verify(w);
    damage_followers(w, root, ids[4], 5);
    assert_true(problems(w) > 0);
    cancel(w, ids[3]); /* it can't be taken out, and is told in vain */
    cancel(w, root);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(world_state(w, ids[i], NULL), i == 3 ? STINT_CANCELLED_JOB : STINT_READY);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(world_state(w, both[i], NULL), STINT_BLOCKED);
    for (unsigned i = 1; i < 4; i++) {
        assert_int_equal(world_state(w, before[i], NULL), STINT_BLOCKED);
        assert_int_equal(world_state(w, behind[i], NULL), STINT_BLOCKED);
    }
    assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS), 4);
    waiting_verify(w);
    cancel(w, before[0]);
    assert_int_equal(world_state(w, both[0], NULL), STINT_READY);
    assert_int_equal(world_state(w, both[1], NULL), STINT_READY);
    world_destroy(&w);
    waiting_done();
}

/* Whoever is in it and was told of another end, just now or before, waits for this one. */
static void
a_damaged_row_is_found_by_those_who_were_told_of_other_ends(void **state)
{
    (void)state;
    for (unsigned before = 0; before < 2; before++) {
        struct world *w = world_of_client();
        struct stint_id parents[2], ids[2];
        struct job_spec jobs[2];
        for (unsigned i = 0; i < 2; i++)
            parents[i] = waiting_submit_one(w, 1 + i, world_job("root"));
        jobs[0] = waiting_job("both", parents, 2);
        jobs[1] = waiting_job("child", &parents[1], 1);
        jobs[0].after_flags = jobs[1].after_flags = AFTER_ANY;
        assert_int_equal(waiting_submit(w, 3, jobs, 2, ids), STINT_OK);
        assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS), 2);
        if (before)
            cancel(w, parents[0]);
        damage_followers(w, parents[1], ids[1], 2);
        if (before)
            cancel(w, parents[1]);
        else {
            message_put_ids(world_frame(w, WAITING_CLIENT), MESSAGE_CANCEL, 6, parents, 2, 0);
            assert_int_equal(world_step(w, 0), STINT_OK);
        }
        assert_int_equal(world_state(w, ids[0], NULL), STINT_READY);
        assert_int_equal(world_state(w, ids[1], NULL), STINT_READY);
        assert_no_links(w);
        waiting_verify(w);
        world_destroy(&w);
        waiting_done();
    }
}

/* Nor is one told whose own row is missing: it waits for another. */
static void
nobody_else_is_taken_for_one_of_a_damaged_row(void **state)
{
    struct world *w = world_of_client();
    struct stint_id lone[2], fan[3];
    uint8_t key[FOLLOWER_KEY_BYTES];
    (void)state;
    submit_fan(w, 1, lone, 1);
    submit_fan(w, 2, fan, 2);
    w->store->ops->begin(w->store);
    assert_true(store_del(w->store, STORE_FOLLOWERS, follower_key(key, &lone[0], &lone[1])));
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
    damage_followers(w, fan[0], fan[2], 2);
    cancel(w, fan[0]);
    assert_int_equal(world_state(w, fan[1], NULL), STINT_READY);
    assert_int_equal(world_state(w, fan[2], NULL), STINT_READY);
    assert_int_equal(world_state(w, lone[1], NULL), STINT_BLOCKED);
    assert_true(problems(w) > 0);
    world_destroy(&w);
    waiting_done();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_parent_has_not_succeeded),
        cmocka_unit_test(a_damaged_follower_is_waited_for_by_nobody),
        cmocka_unit_test(the_verifier_sees_what_does_not_fit_together),
        cmocka_unit_test(an_end_that_is_damaged_was_none_that_is_good),
        cmocka_unit_test(neighbours_share_a_row),
        cmocka_unit_test(what_is_no_neighbour_has_a_row_of_its_own),
        cmocka_unit_test(very_many_share_several_rows),
        cmocka_unit_test(many_that_leave_at_once_do_not_make_a_step_long),
        cmocka_unit_test(what_happens_in_the_step_in_which_they_come_reaches_them),
        cmocka_unit_test(a_damaged_row_of_followers_holds_up_nobody),
        cmocka_unit_test(a_damaged_row_is_found_by_those_who_were_told_of_other_ends),
        cmocka_unit_test(nobody_else_is_taken_for_one_of_a_damaged_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
