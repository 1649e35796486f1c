/* The scenario of batches, in a file of its own; see scenarios.h. */
#include "scenarios.h"

static void
act(struct world *w, uint64_t number, enum batch_action action)
{
    const struct batch_request s = {.action = action, .batch = 7, .keep_ms = KEEP_DEFAULT};
    message_put_set_batch(world_frame(w, CLIENT), number, &s);
    step(w, 0);
}

static void
make(struct world *w)
{
    struct pack_buffer b = {0};
    struct job_spec report = world_job("report");
    message_put_job(&b, &report);
    const struct batch_request s = {.action = BATCH_NEW,
        .batch = 7,
        .title = {(const uint8_t *)"invoices", 8},
        .keep_ms = 60000,
        .success = {b.data, b.used},
        .always = {b.data, b.used}};
    message_put_set_batch(world_frame(w, CLIENT), 1, &s);
    step(w, 0);
    pack_buffer_free(&b);
}

void
play_batches(struct world *w)
{
    struct slice none = {NULL, 0};
    struct job_spec jobs[2] = {world_job("a"), world_job("b")};
    jobs[0].batch = jobs[1].batch = 7;
    greet_client(w);
    greet_worker(w, WORKER, 2);
    make(w);
    say(w, "Jobs are put into it, and it is closed.");
    world_submit(w, CLIENT, 1, jobs, 2);
    step(w, 0);
    act(w, 2, BATCH_CLOSE);
    message_put_list_batches(world_frame(w, CLIENT), MESSAGE_WAIT_BATCH, 3, 7, none);
    step(w, 0);
    say(w, "The first job fails for good, the second one succeeds: it is over, and makes a job.");
    world_settle(w, WORKER, 1, id_make(0, 1, 100, 1), 1, OUTCOME_DEAD, "no paper");
    step(w, 10);
    world_settle(w, WORKER, 2, id_make(0, 1, 100, 2), 1, OUTCOME_SUCCEEDED, "");
    step(w, 10);
    say(w, "No more jobs can be put into it; the one that failed is tried again, and succeeds.");
    world_submit(w, CLIENT, 2, jobs, 1);
    step(w, 0);
    const struct stint_id dead = id_make(0, 1, 100, 1);
    message_put_ids(world_frame(w, CLIENT), MESSAGE_RETRY, 4, &dead, 1, 0);
    step(w, 0);
    world_settle(w, WORKER, 3, id_make(0, 1, 100, 3), 1, OUTCOME_SUCCEEDED, "");
    step(w, 10);
    world_settle(w, WORKER, 4, dead, 2, OUTCOME_SUCCEEDED, "");
    step(w, 10);
    message_put_list_batches(world_frame(w, CLIENT), MESSAGE_LIST_BATCHES, 5, 0, none);
    step(w, 0);
    act(w, 6, BATCH_CANCEL);
}
