/* Rows of jobs that wait for others: what is damaged, missing or leads nowhere is seen, and nobody
 * waits for it for ever.
 */
#include "keyed.h"
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

/* Its record can't be read: those who wait for it do not do so for ever. */
static void
a_damaged_parent_has_not_succeeded(void **state)
{
    struct world *w = world_of_client();
    (void)state;
    struct stint_id parent = waiting_submit_one(w, 1, world_job("a")),
                    id = waiting_submit_after(w, 2, parent);
    w->store->ops->begin(w->store);
    store_model_damage(w->store, STORE_LIVE);
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
    assert_int_equal(world_state(w, parent, NULL), STINT_UNKNOWN);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_CANCELLED_JOB);
    waiting_verify(w);
    world_destroy(&w);
    waiting_done();
}

/* And one that waits itself is no row that leads nowhere. */
static void
a_damaged_follower_is_waited_for_by_nobody(void **state)
{
    struct world *w = world_of_client();
    (void)state;
    struct stint_id parent = waiting_submit_one(w, 1, world_job("a")),
                    id = waiting_submit_after(w, 2, parent);
    w->store->ops->begin(w->store);
    store_model_damage(w->store, STORE_PARKED);
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_UNKNOWN);
    assert_int_equal(store_model_count(w->store, STORE_PARENTS), 0);
    assert_no_links(w);
    message_put_ids(world_frame(w, WAITING_CLIENT), MESSAGE_CANCEL, 6, &parent, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    waiting_verify(w);
    world_destroy(&w);
    waiting_done();
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
        struct verify_report report = {.problem = NULL};
        uint8_t key[FOLLOWER_KEY_BYTES], bytes[ROW_PARENTS_BYTES_MAX] = {0};
        struct stint_id parent = waiting_submit_one(w, 1, world_job("a")),
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
        core_verify(w->store, 0, &report);
        assert_true(report.problems > 0);
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_parent_has_not_succeeded),
        cmocka_unit_test(a_damaged_follower_is_waited_for_by_nobody),
        cmocka_unit_test(the_verifier_sees_what_does_not_fit_together),
        cmocka_unit_test(an_end_that_is_damaged_was_none_that_is_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
