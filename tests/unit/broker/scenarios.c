/* The scenarios of the protocol that stand as transcripts. Each is told what it plays by its
 * sentences; what is said is checked by comparing the transcript, so nothing is asserted here.
 */
#include "scenarios.h"

#include "world.h"

static void
ask_ids(struct world *w, enum message_type type, uint64_t number, uint64_t n, uint32_t option)
{
    struct stint_id id = job(n);
    message_put_ids(world_frame(w, CLIENT), type, number, &id, 1, option);
}

static void
put_lease(
    struct world *w, uint32_t peer, enum message_type type, uint64_t number, struct lease_ref lease)
{
    message_put_leases(world_frame(w, peer), type, number, &lease, 1, false);
}

static void
play_hello(struct world *w)
{
    struct hello newer = {.version_min = 2,
        .version_max = 3,
        .role = ROLE_CLIENT,
        .session = {9},
        .name = {(const uint8_t *)"newer", 5},
        .software = {(const uint8_t *)"test", 4}};
    say(w, "Whoever has not said HELLO is told to.");
    message_put_numbered(world_frame(w, CLIENT), MESSAGE_GET_STATS, 1);
    step(w, 0);
    say(w, "A client and a worker say HELLO; the worker claims that it holds nothing.");
    greet_client(w);
    greet_worker(w, WORKER, 2);
    say(w, "A heartbeat. The next one says the token, and so what was read; a new one comes.");
    message_put_ping(world_frame(w, CLIENT), 2, WINDOW_UNCHANGED, 0);
    step(w, 1000);
    assert_non_null(world_read(w, CLIENT, MESSAGE_PONG));
    message_put_ping(world_frame(w, CLIENT), 3, WINDOW_UNCHANGED, w->message.pong.token);
    step(w, 1000);
    say(w, "A peer of versions that this broker does not know.");
    message_put_hello(world_frame(w, SECOND), &newer, NULL, NULL, NULL);
    step(w, 0);
    say(w, "The client leaves.");
    message_put_numbered(world_frame(w, CLIENT), MESSAGE_BYE, 4);
    step(w, 0);
}

static void
play_submit(struct world *w)
{
    struct job_spec specs[2] = {world_job("slow"), world_job("urgent")};
    specs[0].kind = (struct slice){(const uint8_t *)"mail", 4};
    specs[1].priority = 200;
    specs[1].time_to_run_ms = 5000;
    specs[1].max_attempts = 1;
    greet_client(w);
    say(w, "Two jobs, and the client waits for the first.");
    world_submit(w, CLIENT, 1, specs, 2);
    step(w, 10);
    ask_ids(w, MESSAGE_WAIT, 1, 1, 1);
    step(w, 0);
    say(w, "A worker of one slot gets the urgent one, and then the other.");
    greet_worker(w, WORKER, 1);
    world_settle(w, WORKER, 2, id_make(0, 1, 200, 1), 1, OUTCOME_SUCCEEDED, "done");
    step(w, 100);
    say(w, "The watcher hears of the outcome in the step that stores it.");
    world_settle(w, WORKER, 3, job(1), 1, OUTCOME_SUCCEEDED, "sent");
    step(w, 100);
    ask_ids(w, MESSAGE_GET, 2, 1, PART_PAYLOAD | PART_RESULT);
    step(w, 0);
    say(w, "A worker may do what a client does: it is told in this order what a step brought it.");
    struct stint_id own = job(2);
    world_submit(w, WORKER, 1, &specs[0], 1);
    step(w, 10);
    message_put_ids(world_frame(w, WORKER), MESSAGE_WAIT, 4, &own, 1, 1);
    world_submit(w, WORKER, 2, &specs[0], 1);
    world_settle(w, WORKER, 5, own, 1, OUTCOME_SUCCEEDED, "");
    step(w, 10);
}

static void
play_resend(struct world *w)
{
    greet_client(w);
    submit(w, 1, "first");
    step(w, 0);
    say(w, "The connection breaks; the client comes back on another one, and sends it again.");
    world_gone(w, CLIENT);
    step(w, 0);
    world_hello_client(w, SECOND, CLIENT);
    step(w, 100);
    struct job_spec first = world_job("first"), other = world_job("other");
    world_submit(w, SECOND, 1, &first, 1);
    step(w, 0);
    say(w, "The same number for another job.");
    world_submit(w, SECOND, 1, &other, 1);
    step(w, 0);
    say(w, "A number is left out.");
    world_submit(w, SECOND, 3, &other, 1);
    step(w, 0);
    say(w, "The next one confirms the first answer, which is then forgotten.");
    message_put_submit(world_frame(w, SECOND), 2, 1, &other, 1);
    step(w, 0);
    world_submit(w, SECOND, 1, &first, 1);
    step(w, 0);
}

/* A backoff has jitter; so its end is shown, which does not depend on that, and no due time. */
static void
play_retry(struct world *w)
{
    struct job_spec spec = world_job("shaky");
    spec.max_attempts = 3;
    greet_client(w);
    greet_worker(w, WORKER, 1);
    world_submit(w, CLIENT, 1, &spec, 1);
    ask_ids(w, MESSAGE_WAIT, 1, 1, 1);
    step(w, 0);
    say(w, "The first attempt fails: the job is scheduled, and comes back within a second.");
    world_settle(w, WORKER, 2, job(1), 1, OUTCOME_FAILED, "no route");
    message_put_page(world_frame(w, CLIENT), MESSAGE_LIST_QUEUES, 2, (struct slice){0});
    step(w, 0);
    step(w, 1000);
    say(w, "An attempt that is snoozed does not count.");
    struct outcome snoozed = {.id = job(1), .attempt = 2, .type = OUTCOME_SNOOZED, .delay_ms = 200};
    message_put_settle(world_frame(w, WORKER), 3, &snoozed, 1, WINDOW_UNCHANGED);
    step(w, 0);
    step(w, 199);
    step(w, 1);
    say(w, "The next failure: the backoff is twice as long, a second at least.");
    world_settle(w, WORKER, 4, job(1), 3, OUTCOME_FAILED, "no route");
    step(w, 0);
    step(w, 999);
    step(w, 1001);
    say(w, "It has failed three times: it is dead, and its last output is kept.");
    struct outcome last = {.id = job(1),
        .attempt = 4,
        .type = OUTCOME_FAILED,
        .body = {(const uint8_t *)"no host", 7},
        .extra = {(const uint8_t *)"last words", 10}};
    message_put_settle(world_frame(w, WORKER), 5, &last, 1, WINDOW_UNCHANGED);
    step(w, 0);
    say(w, "RETRY brings it back.");
    ask_ids(w, MESSAGE_RETRY, 3, 1, 0);
    step(w, 0);
}

static void
play_changed(struct world *w)
{
    const struct change away = {.set = CHANGE_QUEUE | CHANGE_PRIORITY | CHANGE_DELAY,
        .delay_ms = 60000,
        .to = {.queue = {(const uint8_t *)"other", 5}, .priority = 200}};
    const struct change now = {.set = CHANGE_DELAY};
    struct stint_id id = job(1);
    greet_client(w);
    submit_three(w, 1);
    step(w, 0);
    say(w,
        "A job goes to another queue, at another priority, and is due in a minute. Its id stays.");
    message_put_change(world_frame(w, CLIENT), 2, &id, 1, &away);
    ask_ids(w, MESSAGE_GET, 3, 1, PART_PAYLOAD);
    step(w, 0);
    say(w, "It is due at once after all.");
    message_put_change(world_frame(w, CLIENT), 4, &id, 1, &now);
    step(w, 0);
    say(w, "A worker of its first queue gets the others only.");
    greet_worker(w, WORKER, 2);
    say(w, "One that runs can't be changed or deleted.");
    id = job(2);
    message_put_change(world_frame(w, CLIENT), 5, &id, 1, &away);
    ask_ids(w, MESSAGE_DELETE, 6, 2, 0);
    step(w, 0);
    say(w, "The one that was moved is deleted, and unknown afterwards.");
    ask_ids(w, MESSAGE_DELETE, 7, 1, 0);
    step(w, 0);
    ask_ids(w, MESSAGE_GET, 8, 1, PART_PAYLOAD);
    step(w, 0);
}

static void
play_lost(struct world *w)
{
    greet_client(w);
    greet_worker(w, WORKER, 3);
    submit_three(w, 1);
    step(w, 0);
    say(w, "The worker has begun the first of its jobs, and falls silent.");
    put_lease(w, WORKER, MESSAGE_STARTED, 2, (struct lease_ref){.id = job(1), .attempt = 1});
    step(w, 50);
    wait_ms(w, 5250);
    say(w, "Another worker with room for three gets what was lost one by one, to be confirmed.");
    greet_worker(w, SECOND, 3);
    put_lease(w, SECOND, MESSAGE_STARTED, 2, (struct lease_ref){.id = job(1), .attempt = 2});
    step(w, 10);
    put_lease(w, SECOND, MESSAGE_STARTED, 3, (struct lease_ref){.id = job(2), .attempt = 2});
    step(w, 10);
    say(w, "What the first worker was given counts for nothing any more.");
    world_settle(w, WORKER, 3, job(1), 1, OUTCOME_SUCCEEDED, "late");
    step(w, 10);
    world_hello_worker(w, WORKER, WORKER, 3);
    put_lease(
        w, WORKER, MESSAGE_CLAIM, 4, (struct lease_ref){.id = job(1), .attempt = 1, .begun = true});
    step(w, 10);
    say(w, "Only what had begun has a failure.");
    ask_ids(w, MESSAGE_GET, 1, 1, 0);
    ask_ids(w, MESSAGE_GET, 2, 3, 0);
    step(w, 0);
}

static void
play_restart(struct world *w)
{
    greet_client(w);
    greet_worker(w, WORKER, 3);
    submit_three(w, 1);
    step(w, 0);
    say(w, "The broker is killed and started again. Nobody is known.");
    world_restart(w);
    ask_ids(w, MESSAGE_WAIT, 1, 1, 1);
    world_settle(w, WORKER, 2, job(1), 1, OUTCOME_SUCCEEDED, "done");
    step(w, 100);
    greet_client(w);
    ask_ids(w, MESSAGE_WAIT, 2, 1, 1);
    step(w, 0);
    say(w, "The worker claims what it holds, in two messages, and settles again.");
    world_hello_worker(w, WORKER, WORKER, 3);
    struct lease_ref held[2] = {
        {.id = job(1), .attempt = 1, .begun = true}, {.id = job(2), .attempt = 1, .begun = true}};
    message_put_leases(world_frame(w, WORKER), MESSAGE_CLAIM, 3, &held[0], 1, true);
    message_put_leases(world_frame(w, WORKER), MESSAGE_CLAIM, 4, &held[1], 1, false);
    world_settle(w, WORKER, 2, job(1), 1, OUTCOME_SUCCEEDED, "done");
    step(w, 0);
    say(w, "What nobody claims goes back after the grace time; then it is handed out again.");
    for (unsigned s = 0; s < 3; s++) {
        wait_ms(w, 3750);
        message_put_ping(world_frame(w, WORKER), 5, 3, 0);
        step(w, 250);
    }
}

static void
play_stale(struct world *w)
{
    struct job_spec spec = world_job("once");
    struct stint_id unknown = job(7);
    spec.keep_ms = 0;
    greet_client(w);
    greet_worker(w, WORKER, 1);
    world_submit(w, CLIENT, 1, &spec, 1);
    step(w, 0);
    say(w, "The worker is cut off before its outcome arrives, and another one gets the job.");
    wait_ms(w, 5250);
    greet_worker(w, SECOND, 1);
    put_lease(w, SECOND, MESSAGE_STARTED, 2, (struct lease_ref){.id = job(1), .attempt = 2});
    step(w, 10);
    say(w, "The first one is back: neither its claim nor its outcome is taken.");
    world_hello_worker(w, WORKER, WORKER, 1);
    put_lease(w, WORKER, MESSAGE_CLAIM, 2, (struct lease_ref){.id = job(1), .attempt = 1});
    world_settle(w, WORKER, 3, job(1), 1, OUTCOME_SUCCEEDED, "late");
    step(w, 0);
    say(w, "The outcome of the attempt that counts; this job is kept for no time, so it is gone.");
    world_settle(w, SECOND, 3, job(1), 2, OUTCOME_SUCCEEDED, "done");
    step(w, 0);
    world_settle(w, SECOND, 4, job(1), 2, OUTCOME_SUCCEEDED, "done");
    world_settle(w, SECOND, 5, unknown, 1, OUTCOME_SUCCEEDED, "what?");
    step(w, 0);
}

static void
play_cancel(struct world *w)
{
    greet_client(w);
    greet_worker(w, WORKER, 1);
    submit_three(w, 1);
    step(w, 0);
    say(w, "A client cancels the running job and one that waits; the worker is told.");
    ask_ids(w, MESSAGE_WAIT, 1, 1, 1);
    ask_ids(w, MESSAGE_CANCEL, 2, 1, 0);
    ask_ids(w, MESSAGE_CANCEL, 3, 2, 0);
    step(w, 100);
    say(w, "Its outcome comes too late. To cancel it again changes nothing.");
    world_settle(w, WORKER, 2, job(1), 1, OUTCOME_SUCCEEDED, "done");
    ask_ids(w, MESSAGE_CANCEL, 4, 1, 0);
    ask_ids(w, MESSAGE_CANCEL, 5, 9, 0);
    step(w, 10);
    say(w, "A job that runs over its time is taken back, too, a while after its worker should.");
    struct job_spec spec = world_job("long");
    spec.time_to_run_ms = 1000;
    spec.backoff_base_ms = 1; /* so short that it has no jitter */
    world_settle(w, WORKER, 3, job(3), 1, OUTCOME_SUCCEEDED, "");
    world_submit(w, CLIENT, 2, &spec, 1);
    step(w, 10);
    put_lease(w, WORKER, MESSAGE_STARTED, 4, (struct lease_ref){.id = job(4), .attempt = 1});
    step(w, 50);
    for (unsigned s = 0; s < 6; s++) {
        wait_ms(w, 3750);
        message_put_ping(world_frame(w, WORKER), 5, 1, 0);
        step(w, 250);
    }
}

static void
play_full(struct world *w)
{
    greet_client(w);
    say(w, "The queue holds three jobs at most.");
    submit(w, 1, "one");
    step(w, 0);
    submit_three(w, 2);
    step(w, 0);
    say(w, "What was sent behind a refused one is out of order.");
    submit(w, 3, "four");
    step(w, 0);
    say(w, "A worker makes room, and the client sends the same again.");
    greet_worker(w, WORKER, 1);
    submit_three(w, 2);
    step(w, 100);
    say(w, "The next one has to wait until one more is on its way.");
    submit(w, 3, "four");
    step(w, 100);
    world_settle(w, WORKER, 2, job(1), 1, OUTCOME_SUCCEEDED, "");
    step(w, 0);
    submit(w, 3, "four");
    step(w, 100);
}

static void
play_goodbye(struct world *w)
{
    greet_client(w);
    greet_worker(w, WORKER, 3);
    submit_three(w, 1);
    step(w, 0);
    say(w, "The worker wants no more. What was on its way has come before the PONG.");
    message_put_ping(world_frame(w, WORKER), 2, 0, 0);
    step(w, 10);
    say(w, "It ends the job that it has begun, and gives back those that it has not.");
    struct outcome outcomes[3] = {
        {.id = job(1), .attempt = 1, .type = OUTCOME_SUCCEEDED},
        {.id = job(2), .attempt = 1, .type = OUTCOME_RETURNED},
        {.id = job(3), .attempt = 1, .type = OUTCOME_RETURNED},
    };
    message_put_settle(world_frame(w, WORKER), 3, outcomes, 3, 0);
    step(w, 100);
    message_put_numbered(world_frame(w, WORKER), MESSAGE_BYE, 4);
    step(w, 0);
    say(w, "The next worker gets them at once, and together: nobody was lost with them.");
    greet_worker(w, SECOND, 3);
}

static void
list(struct world *w, uint64_t number, const char *queue, struct slice cursor)
{
    struct message m = {.type = MESSAGE_LIST};
    m.list.queue = (struct slice){(const uint8_t *)queue, strlen(queue)};
    m.list.states = STINT_STATE_BIT(STINT_READY) | STINT_STATE_BIT(STINT_RUNNING);
    m.list.cursor = cursor;
    m.list.limit = 2;
    message_put_list(world_frame(w, CLIENT), number, &m);
    step(w, 0);
}

static void
play_list(struct world *w)
{
    greet_client(w);
    greet_worker(w, WORKER, 1);
    submit_three(w, 1);
    submit(w, 2, "four");
    submit(w, 3, "five");
    step(w, 0);
    say(w, "A page, and the next one from where the cursor says; the last one has no cursor.");
    list(w, 1, "default", (struct slice){0});
    for (uint64_t number = 2; world_read(w, CLIENT, MESSAGE_JOBS) && number < 9; number++) {
        uint8_t cursor[64];
        size_t size = w->message.page.cursor.size;
        if (size == 0)
            break;
        assert_true(size <= sizeof cursor);
        memcpy(cursor, w->message.page.cursor.data, size);
        list(w, number, "default", (struct slice){cursor, size});
    }
    say(w, "What is refused: a cursor that no list gave, and a queue that is not there.");
    list(w, 10, "default", (struct slice){(const uint8_t *)"x", 1});
    list(w, 11, "mail", (struct slice){0});
}

static void
play_unread(struct world *w)
{
    uint64_t number = 1;
    greet_client(w);
    submit(w, 1, "a payload of some bytes that a client may ask for");
    step(w, 0);
    say(w, "The client asks, and does not show that it reads: at 400 bytes it is refused.");
    for (; number < 5; number++) {
        ask_ids(w, MESSAGE_GET, number, 1, PART_PAYLOAD);
        step(w, 10);
    }
    submit(w, 2, "more");
    step(w, 10);
    say(w, "It sends a PING with the token of the PONG it has read, and is heard again.");
    message_put_ping(world_frame(w, CLIENT), number++, WINDOW_UNCHANGED, 0);
    step(w, 10);
    assert_non_null(world_read(w, CLIENT, MESSAGE_PONG));
    message_put_ping(world_frame(w, CLIENT), number++, WINDOW_UNCHANGED, w->message.pong.token);
    submit(w, 2, "more");
    step(w, 10);
    say(w, "Now it only asks. Refusals are answered too, for 400 bytes more; then it is cut off.");
    for (; number < 32 && w->out.count > 0 && !w->out.entries[w->out.count - 1].close; number++) {
        ask_ids(w, MESSAGE_GET, number, 1, PART_PAYLOAD);
        step(w, 10);
    }
}

static void
play_events(struct world *w)
{
    struct stint_id id = job(2);
    struct slice queue = {(const uint8_t *)"default", 7};
    greet_client(w);
    say(w, "All that happens in a queue, and the end of one job, which is not there yet.");
    message_put_subscribe(world_frame(w, CLIENT), 1, queue, 0, NULL, 0);
    message_put_subscribe(world_frame(w, CLIENT), 2, (struct slice){0},
        1U << STINT_EVENT_SUCCEEDED | 1U << STINT_EVENT_DEAD, &id, 1);
    step(w, 0);
    submit_three(w, 1);
    step(w, 0);
    greet_worker(w, WORKER, 2);
    world_settle(w, WORKER, 2, job(1), 1, OUTCOME_FAILED, "not now");
    world_settle(w, WORKER, 3, job(2), 1, OUTCOME_SUCCEEDED, "");
    step(w, 100);
    say(w, "The client has heard enough of the queue.");
    message_put_numbered(world_frame(w, CLIENT), MESSAGE_UNSUBSCRIBE, 1);
    step(w, 0);
    ask_ids(w, MESSAGE_CANCEL, 3, 3, 0);
    step(w, 0);
}

static void
play_figures(struct world *w)
{
    greet_client(w);
    greet_worker(w, WORKER, 1);
    submit_three(w, 1);
    step(w, 0);
    world_settle(w, WORKER, 2, job(1), 1, OUTCOME_SUCCEEDED, "");
    step(w, 500);
    say(w,
        "Queues, workers, and the broker's own figures. Jobs are counted by state, unknown first.");
    message_put_page(world_frame(w, CLIENT), MESSAGE_LIST_QUEUES, 1, (struct slice){0});
    message_put_page(world_frame(w, CLIENT), MESSAGE_LIST_WORKERS, 2, (struct slice){0});
    message_put_numbered(world_frame(w, CLIENT), MESSAGE_GET_STATS, 3);
    step(w, 250);
    say(w, "How the queue does, with its kinds and priorities; and what is next in it.");
    message_put_list_figures(
        world_frame(w, CLIENT), 4, (struct slice){(const uint8_t *)"*", 1}, 3, (struct slice){0});
    struct message next = {
        .peek.queue = {(const uint8_t *)"default", 7}, .peek.limit = 1, .peek.parts = 1};
    message_put_peek(world_frame(w, CLIENT), 5, &next);
    step(w, 250);
}

static void
play_progress(struct world *w)
{
    const struct stint_id id = job(1);
    struct told_progress told = {
        .id = id, .attempt = 1, .percent = 40, .text = {(const uint8_t *)"half way", 8}};
    greet_client(w);
    greet_worker(w, WORKER, 1);
    submit(w, 1, "long");
    message_put_ids(world_frame(w, CLIENT), MESSAGE_WAIT, 2, &id, 1, WAIT_PROGRESS);
    step(w, 0);
    message_put_progress(world_frame(w, WORKER), &told, 1);
    step(w, 300);
    say(w, "It is kept while the job runs, for all who ask.");
    ask_ids(w, MESSAGE_GET, 3, 1, 0);
    step(w, 100);
    world_settle(w, WORKER, 2, id, 1, OUTCOME_SUCCEEDED, "");
    step(w, 300);
}

static void
play_recall(struct world *w)
{
    greet_client(w);
    greet_worker(w, WORKER, 1);
    message_put_ping(world_frame(w, WORKER), 2, 3, 0);
    step(w, 0);
    say(w, "A worker of one slot holds two jobs ahead.");
    submit_three(w, 1);
    step(w, 0);
    say(w, "Another one comes and finds nothing; soon the first is asked for one of them.");
    greet_worker(w, SECOND, 1);
    wait_ms(w, 250);
    struct outcome returned = {.id = job(3), .attempt = 1, .type = OUTCOME_RETURNED};
    message_put_settle(world_frame(w, WORKER), 3, &returned, 1, WINDOW_UNCHANGED);
    step(w, 0);
}

static void
submit_to(struct world *w, uint32_t peer, uint64_t number, const char *queue)
{
    struct job_spec spec = world_job("a");
    spec.queue = (struct slice){(const uint8_t *)queue, strlen(queue)};
    world_submit(w, peer, number, &spec, 1);
}

static void
play_denied(struct world *w)
{
    static const struct grant key = {.name = "mailer",
        .rights = RIGHT_SUBMIT | RIGHT_SEE,
        .patterns_count = 1,
        .patterns = {"mail.*"}};
    struct stint_id ids[] = {
        id_make(0, 2, DEFAULT_PRIORITY, 1), job(1), id_make(0, 77, DEFAULT_PRIORITY, 1)};
    greet_client(w);
    submit_to(w, CLIENT, 1, "pay.roll");
    submit_to(w, CLIENT, 2, "mail.out");
    step(w, 0);
    say(w, "Client 2 has a key that grants submit and see on mail.*, and the first client none.");
    w->grants[SECOND - 1] = w->grants[SECOND] = &key;
    world_hello_client(w, SECOND - 1, SECOND - 1);
    submit_to(w, SECOND - 1, 1, "pay.roll");
    step(w, 250);
    submit_to(w, SECOND - 1, 1, "mail.in");
    step(w, 0);
    say(w, "Of three jobs one may be seen. It is not told whether the others are there.");
    message_put_ids(world_frame(w, SECOND - 1), MESSAGE_WAIT, 2, ids, 3, 0);
    message_put_ids(world_frame(w, SECOND - 1), MESSAGE_GET, 3, ids, 3, 0);
    message_put_ids(world_frame(w, SECOND - 1), MESSAGE_CANCEL, 4, ids, 3, 0);
    step(w, 250);
    say(w, "It is told of its queues, and nothing that is told of all.");
    message_put_page(world_frame(w, SECOND - 1), MESSAGE_LIST_QUEUES, 5, (struct slice){0});
    message_put_numbered(world_frame(w, SECOND - 1), MESSAGE_GET_STATS, 6);
    step(w, 250);
    say(w, "Of all jobs and of all that happens it is told, as if there were only its queues.");
    message_put_list(world_frame(w, SECOND - 1), 7, &(struct message){0});
    message_put_subscribe(world_frame(w, SECOND - 1), 8, (struct slice){0}, 0, NULL, 0);
    step(w, 250);
    submit_to(w, CLIENT, 3, "pay.roll");
    submit_to(w, CLIENT, 4, "mail.out");
    step(w, 0);
    say(w, "The key does not grant run; and the first client's session is not its own.");
    world_hello_worker(w, SECOND, SECOND, 1);
    step(w, 250);
    world_hello_client(w, SECOND, CLIENT);
    step(w, 0);
}

static void
put_control(
    struct world *w, uint64_t number, enum control_action action, const char *name, uint32_t slots)
{
    const struct control c = {.action = action,
        .target = CONTROL_NAMED,
        .name = {(const uint8_t *)name, strlen(name)},
        .slots = slots};
    message_put_control(world_frame(w, CLIENT), number, &c);
}

static void
play_control(struct world *w)
{
    const struct stint_fleet size = {.slots = 6};
    const struct control drain = {.action = CONTROL_DRAIN,
        .target = CONTROL_LABELLED,
        .name = {(const uint8_t *)"gpu", 3},
        .slots = SLOTS_OWN};
    const struct ping resized = {.window = 3, .slots = 3, .load = 150};
    greet_client(w);
    say(w, "A worker that takes orders hears how things stand.");
    world_hello_ordered(w, WORKER, WORKER, 1, "gpu");
    world_claim(w, WORKER, NULL, 0);
    step(w, 0);
    submit_three(w, 1);
    step(w, 0);
    say(w, "It is given two more slots, says so, and gets the other jobs.");
    put_control(w, 2, CONTROL_RESIZE, "peer", 3);
    step(w, 0);
    message_put_worker_ping(world_frame(w, WORKER), 1, &resized);
    step(w, 0);
    message_put_list_running(
        world_frame(w, CLIENT), 3, (struct slice){(const uint8_t *)"peer", 4}, (struct slice){0});
    step(w, 0);
    say(w, "It is paused, and gives back what it has not begun.");
    put_control(w, 4, CONTROL_PAUSE, "peer", SLOTS_OWN);
    step(w, 0);
    struct outcome returned = {.id = job(3), .attempt = 1, .type = OUTCOME_RETURNED};
    message_put_settle(world_frame(w, WORKER), 2, &returned, 1, 0);
    step(w, 0);
    say(w, "The fleet gets a size, of which nobody has a share who is paused or has slots set.");
    message_put_fleet(world_frame(w, CLIENT), MESSAGE_SET_FLEET, 5, &size);
    message_put_numbered(world_frame(w, CLIENT), MESSAGE_GET_FLEET, 6);
    step(w, 0);
    put_control(w, 7, CONTROL_RESUME, "peer", SLOTS_OWN);
    put_control(w, 8, CONTROL_RESIZE, "peer", SLOTS_OWN);
    step(w, 0);
    say(w, "Those with a label are to leave. Nobody else is met.");
    message_put_control(world_frame(w, CLIENT), 9, &drain);
    put_control(w, 10, CONTROL_STOP, "nobody", SLOTS_OWN);
    step(w, 0);
}

const struct scenario scenarios[] = {
    {.name = "hello",
        .heading = "Peers greet the broker, show that they are alive, and leave.",
        .play = play_hello},
    {.name = "submit",
        .heading = "Jobs are submitted, dispatched by priority, and settled; a watcher is told.",
        .play = play_submit},
    {.name = "resend",
        .heading = "A submission that is sent again gets the same answer, and makes no second job.",
        .play = play_resend},
    {.name = "retry",
        .heading = "A job fails, is tried again after its backoff, and is dead in the end.",
        .play = play_retry},
    {.name = "changed",
        .heading = "Jobs that wait are moved, brought forward and deleted.",
        .play = play_changed},
    {.name = "progress",
        .heading = "A job says how far it is, and who waits for it and asks for that hears it.",
        .play = play_progress},
    {.name = "lost",
        .heading = "The jobs of a lost worker go back, and are handed out alone, to be confirmed.",
        .play = play_lost},
    {.name = "restart",
        .heading = "A broker that was restarted lets a worker claim what it holds.",
        .play = play_restart},
    {.name = "stale",
        .heading = "An outcome of an attempt that does not count any more is refused.",
        .play = play_stale},
    {.name = "cancel",
        .heading = "A lease is revoked when its job is cancelled, or runs over its time.",
        .play = play_cancel},
    {.name = "full",
        .heading = "A full queue refuses, and takes the same submission later.",
        .play = play_full,
        .queue_backlog_max = 3},
    {.name = "goodbye",
        .heading = "A worker that leaves gives back what it has not begun.",
        .play = play_goodbye},
    {.name = "list",
        .heading = "Jobs are listed in pages, each from the cursor of the one before.",
        .play = play_list},
    {.name = "unread",
        .heading = "A peer that does not read is refused with TOO_MANY, and cut off in the end.",
        .play = play_unread,
        .unread_bytes = 400},
    {.name = "events", .heading = "A subscriber hears what becomes of jobs.", .play = play_events},
    {.name = "figures",
        .heading = "The broker tells of its queues, its workers, and itself.",
        .play = play_figures},
    {.name = "recall",
        .heading = "A worker is asked to give back jobs for which another one is free.",
        .play = play_recall},
    {.name = "denied",
        .heading = "A peer with a key is denied what the key does not grant.",
        .play = play_denied},
    {.name = "control",
        .heading = "A worker is resized, paused, given a share of the fleet's size, and drained.",
        .play = play_control},
    {.name = "queues",
        .heading = "A queue is paused, closed, opened, and resumed; and why jobs wait.",
        .play = play_queues},
    {.name = "unique",
        .heading = "Of jobs with the same unique key there is one, that others meet.",
        .play = play_unique},
    {.name = "groups",
        .heading = "Of a group one job runs at a time, in their order, and groups are listed.",
        .play = play_groups},
    {.name = "schedules",
        .heading = "Schedules are set, make jobs, are told of, run, paused and removed.",
        .play = play_schedules},
    {.name = "batches",
        .heading = "A batch is made, filled and closed, and makes jobs when it is over.",
        .play = play_batches},
    {.name = "feed",
        .heading = "Events are recorded in a feed, read from a number on, and waited for.",
        .play = play_feed},
    {.name = "joint",
        .heading = "New jobs, and a cancellation, become real together with the end of a run.",
        .play = play_joint,
        .queue_backlog_max = 3},
    {.name = "live",
        .heading = "What a run writes on standard error is told to who listens, while it runs.",
        .play = play_live},
    {.name = "bulk",
        .heading = "Something is done to all jobs that a filter is true of.",
        .play = play_bulk},
};
const size_t scenarios_count = sizeof scenarios / sizeof *scenarios;
