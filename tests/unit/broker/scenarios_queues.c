/* Scenarios of the protocol: control of queues, and why jobs wait. */
#include "scenarios.h"

static void
set_queue(struct world *w, uint64_t number, enum stint_queue_action action)
{
    const struct slice name = {(const uint8_t *)"default", 7};
    message_put_set_queue(world_frame(w, CLIENT), number, name, action);
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
