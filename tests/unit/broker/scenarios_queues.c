/* Scenarios of the protocol: control of queues, why jobs wait, and bulk operations. */
#include "scenarios.h"

static void
set_queue(struct world *w, uint64_t number, enum stint_queue_action action)
{
    const struct slice name = {(const uint8_t *)"default", 7};
    message_put_set_queue(world_frame(w, CLIENT), number, name, action, NULL);
    step(w, 0);
}

void
play_queues(struct world *w)
{
    greet_client(w);
    greet_worker(w, WORKER, 1);
    message_put_ping(world_frame(w, WORKER), 2, 2, 0);
    submit_three(w, 1);
    step(w, 0);
    say(w, "The queue is paused: what waits in the worker is asked back.");
    set_queue(w, 2, STINT_PAUSE_QUEUE);
    struct stint_id ids[] = {job(1), job(3), job(9)};
    message_put_why(world_frame(w, CLIENT), 8, (struct slice){0}, ids, 3);
    message_put_why(
        world_frame(w, CLIENT), 9, (struct slice){(const uint8_t *)"default", 7}, NULL, 0);
    step(w, 0);
    struct outcome ended[] = {{.id = job(2), .attempt = 1, .type = OUTCOME_RETURNED},
        {.id = job(1), .attempt = 1, .type = OUTCOME_SUCCEEDED}};
    message_put_settle(world_frame(w, WORKER), 3, ended, 2, WINDOW_UNCHANGED);
    step(w, 100);
    say(w, "It is closed, too: a submit is refused, and taken when it is opened.");
    set_queue(w, 3, STINT_CLOSE_QUEUE);
    message_put_page(world_frame(w, CLIENT), MESSAGE_LIST_QUEUES, 4, (struct slice){0});
    submit_three(w, 2);
    step(w, 0);
    set_queue(w, 5, STINT_OPEN_QUEUE);
    submit_three(w, 2);
    step(w, 100);
    say(w, "It holds jobs, so it is not removed. It is resumed.");
    set_queue(w, 6, STINT_REMOVE_QUEUE);
    set_queue(w, 7, STINT_RESUME_QUEUE);
}

static struct job_spec
keyed(const char *key, const char *payload, uint64_t flags)
{
    struct job_spec job = world_job(payload);
    job.unique = (struct slice){(const uint8_t *)key, strlen(key)};
    job.unique_flags = flags;
    return job;
}

void
play_unique(struct world *w)
{
    greet_client(w);
    struct job_spec jobs[] = {keyed("report", "old", 0), keyed("report", "new", UNIQUE_REPLACE),
        keyed("mail", "hello", UNIQUE_WAITING)};
    jobs[0].unique_for_ms = 60000;
    world_submit(w, CLIENT, 1, jobs, 3);
    step(w, 0);
    say(w, "Sent again, it has the same answer. Both are handed out, and one lets go of its key.");
    world_submit(w, CLIENT, 1, jobs, 3);
    greet_worker(w, WORKER, 2);
    step(w, 0);
    jobs[1] = keyed("mail", "hello again", UNIQUE_WAITING);
    world_submit(w, CLIENT, 2, jobs, 2);
    step(w, 0);
    say(w, "It has succeeded, and its key is held for a minute.");
    world_settle(w, WORKER, 2, job(1), 1, OUTCOME_SUCCEEDED, "done");
    world_submit(w, CLIENT, 3, jobs, 1);
    step(w, 100);
    say(w, "One that was cancelled does not come back while another one has its key.");
    struct stint_id cancelled = job(2);
    message_put_ids(world_frame(w, CLIENT), MESSAGE_CANCEL, 4, &cancelled, 1, 0);
    message_put_ids(world_frame(w, CLIENT), MESSAGE_RETRY, 5, &cancelled, 1, 0);
    message_put_ids(world_frame(w, CLIENT), MESSAGE_GET, 6, &cancelled, 1, 0);
    step(w, 0);
}

void
play_groups(struct world *w)
{
    const struct slice queue = {(const uint8_t *)"default", 7}, none = {NULL, 0};
    const struct group_weight weight = {{(const uint8_t *)"b", 1}, 3};
    struct job_spec jobs[] = {world_job("first"), world_job("second"), world_job("other")};
    jobs[0].group = jobs[1].group = (struct slice){(const uint8_t *)"a", 1};
    jobs[2].group = weight.name;
    greet_client(w);
    greet_worker(w, WORKER, 4);
    message_put_ping(world_frame(w, WORKER), 2, 4, 0);
    say(w, "Of a group one job runs at a time, and one group takes three turns.");
    message_put_group_setting(
        world_frame(w, CLIENT), 1, queue, &(struct group_setting){1, UINT64_MAX, 1}, &weight);
    world_submit(w, CLIENT, 1, jobs, 3);
    step(w, 0);
    struct stint_id ids[] = {job(1), job(2)};
    message_put_list_groups(world_frame(w, CLIENT), 3, queue, none, none);
    message_put_why(world_frame(w, CLIENT), 4, none, &ids[1], 1);
    step(w, 0);
    say(w, "The first one fails, and keeps its group's place until it is tried again.");
    world_settle(w, WORKER, 3, job(1), 1, OUTCOME_FAILED, "no");
    message_put_ids(world_frame(w, CLIENT), MESSAGE_GET, 5, ids, 2, 0);
    step(w, 0);
    step(w, 2000);
}

/* The filter as in `queue=default priority<101`. */
static struct slice
some_filter(struct pack_buffer *b)
{
    const struct filter filter = {.count = 2,
        .terms = {{.field = FILTER_QUEUE, .is = FILTER_IS, .text = {(const uint8_t *)"default", 7}},
            {.field = FILTER_PRIORITY, .is = FILTER_LESS, .number = 101}}};
    b->used = 0;
    filter_write(b, &filter);
    return (struct slice){b->data, b->used};
}

void
play_bulk(struct world *w)
{
    struct pack_buffer b = {0};
    struct bulk_request move = {.bulk = 0x1122334455667788,
        .action = STINT_BULK_MOVE,
        .queue = {(const uint8_t *)"other", 5},
        .priority = -1,
        .filter = some_filter(&b)};
    struct message list = {.list = {.filter = move.filter}};
    greet_client(w);
    submit_three(w, 1);
    step(w, 0);
    say(w,
        "The jobs that a filter is true of are listed, and moved: asked again, it begins no second "
        "time.");
    message_put_list(world_frame(w, CLIENT), 2, &list);
    message_put_bulk(world_frame(w, CLIENT), 3, &move);
    message_put_bulk(world_frame(w, CLIENT), 3, &move);
    step(w, 0);
    step(w, 1);
    message_put_list_bulks(
        world_frame(w, CLIENT), MESSAGE_LIST_BULKS, 4, move.bulk, (struct slice){0});
    step(w, 1);
    say(w, "Without a filter it is refused, unless it says that all are meant. One is stopped.");
    move = (struct bulk_request){.bulk = 7, .action = STINT_BULK_DELETE, .priority = -1};
    message_put_bulk(world_frame(w, CLIENT), 5, &move);
    move.all = true;
    message_put_bulk(world_frame(w, CLIENT), 6, &move);
    message_put_list_bulks(world_frame(w, CLIENT), MESSAGE_STOP_BULK, 7, 7, (struct slice){0});
    step(w, 1);
    message_put_list_bulks(world_frame(w, CLIENT), MESSAGE_LIST_BULKS, 8, 9, (struct slice){0});
    step(w, 1);
    pack_buffer_free(&b);
}
