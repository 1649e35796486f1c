/* The scenario of feeds, in a file of its own; see scenarios.h. */
#include "scenarios.h"

static void
set_feed(struct world *w, uint64_t number, enum feed_action action, uint64_t max_events)
{
    struct stint_feed feed = {.name = "all", .max_events = max_events};
    message_put_set_feed(world_frame(w, CLIENT), number, action, &feed);
    step(w, 0);
}

static void
read_feed(struct world *w, uint32_t peer, uint64_t number, uint64_t from, bool wait)
{
    struct slice name = {(const uint8_t *)"all", 3};
    message_put_read_feed(world_frame(w, peer), number, name, from, 0, wait);
    step(w, 0);
}

void
play_feed(struct world *w)
{
    greet_client(w);
    world_hello_client(w, SECOND, SECOND);
    set_feed(w, 1, FEED_SET, 3);
    say(w, "Somebody waits for its first event, and is answered when there is one.");
    read_feed(w, SECOND, 1, 1, true);
    submit(w, 1, "a");
    step(w, 100);
    read_feed(w, SECOND, 2, 2, true);
    say(w, "A worker comes and does the job: the answer has what one step has recorded.");
    greet_worker(w, WORKER, 1);
    read_feed(w, SECOND, 3, 3, true);
    world_settle(w, WORKER, 2, job(1), 1, OUTCOME_SUCCEEDED, "done");
    step(w, 100);
    say(w, "It keeps three events: what happens now pushes out the oldest.");
    submit_three(w, 2);
    step(w, 0);
    read_feed(w, CLIENT, 2, 2, false);
    say(w, "Who wants nothing that is there waits for what comes; and stops waiting.");
    read_feed(w, SECOND, 4, FEED_FROM_NEXT, true);
    message_put_numbered(world_frame(w, SECOND), MESSAGE_UNSUBSCRIBE, 4);
    step(w, 0);
    message_put_numbered(world_frame(w, CLIENT), MESSAGE_LIST_FEEDS, 3);
    step(w, 0);
    say(w, "It is removed: who waits for it is told.");
    read_feed(w, SECOND, 5, FEED_FROM_NEXT, true);
    set_feed(w, 4, FEED_REMOVE, 0);
    read_feed(w, CLIENT, 5, 1, false);
}
