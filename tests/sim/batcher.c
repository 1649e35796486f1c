/* The one who makes batches; the contract is in batcher.h. */
#include "batcher.h"
#include "client.h"
#include "oracle.h"

enum { PATIENCE_MS = 3000, KEPT = 4 };

static struct batcher {
    struct process process;
    struct stint_client *client;
    uint64_t numbers[KEPT]; /* the latest; 0: none */
    bool closed[KEPT];
    unsigned next;
    bool there, calm, done, stopping;
} b;

static struct stint_job
end_job(const char *payload)
{
    struct stint_job job = STINT_JOB_INIT;
    job.queue = "ticks";
    job.kind = "tock";
    job.priority = 55; /* which nobody guesses */
    job.payload = payload;
    job.payload_bytes = strlen(payload);
    job.delay_ms = LIMIT_TIME_MS;
    return job;
}

static void
make(void)
{
    struct chance *chance = &b.process.chance;
    struct stint_job success = end_job("success"), always = end_job("always");
    struct stint_batch batch = STINT_BATCH_INIT;
    struct stint_batch_info info;
    uint64_t number = 0;
    batch.title = "a batch";
    batch.success = chance_in_100(chance, 70) ? &success : NULL;
    batch.always = chance_in_100(chance, 70) ? &always : NULL;
    if (chance_in_100(chance, 40))
        batch.keep_ms = (int64_t)chance_between(chance, 1, 20000);
    if (b.numbers[b.next] && !b.closed[b.next])
        return; /* that one comes first */
    if (stint_batch_new(b.client, &batch, &number, &info, PATIENCE_MS) != STINT_OK)
        return;
    if (info.counts.jobs > 0 || info.has_always != (batch.always != NULL))
        sim_broken("a batch was made, and is another one");
    b.numbers[b.next] = number;
    b.closed[b.next] = false;
    b.next = (b.next + 1) % KEPT;
}

/* What is told of one can't contradict itself. */
static bool
each(void *context, const struct stint_batch_info *i)
{
    const struct stint_batch_counts *c = &i->counts;
    uint64_t over = c->succeeded + c->dead + c->cancelled + c->expired;
    (void)context;
    if (over > c->jobs || (i->state == STINT_BATCH_SETTLED) != (i->settled_ms != 0) ||
        (i->state == STINT_BATCH_SETTLED && over != c->jobs))
        sim_broken("what is told of a batch can't be");
    return true;
}

static void
close_one(unsigned n, bool cancels)
{
    struct stint_batch_info info;
    enum stint_status status = cancels
        ? stint_batch_cancel(b.client, b.numbers[n], &info, PATIENCE_MS)
        : stint_batch_close(b.client, b.numbers[n], &info, PATIENCE_MS);
    if (status == STINT_OK && info.state == STINT_BATCH_OPEN)
        sim_broken("a batch was closed, and is open");
    b.closed[n] |= status == STINT_OK || status == STINT_NO_SUCH_BATCH;
}

static void
change_one(unsigned n)
{
    struct stint_job always = end_job("another");
    struct stint_batch batch = STINT_BATCH_INIT;
    batch.title = "another title";
    batch.always = chance_in_100(&b.process.chance, 50) ? &always : NULL;
    (void)stint_batch_change(b.client, b.numbers[n], &batch, NULL, PATIENCE_MS);
}

static void
act(void)
{
    struct chance *chance = &b.process.chance;
    struct stint_batch_info info;
    unsigned what = (unsigned)chance_below(chance, 10), n = (unsigned)chance_below(chance, KEPT);
    if (what < 4) {
        make();
        return;
    }
    if (b.numbers[n] == 0)
        return;
    if (what < 6)
        close_one(n, false);
    else if (what == 6)
        close_one(n, chance_in_100(chance, 50));
    else if (what == 7)
        change_one(n);
    else if (what == 8)
        (void)stint_batches(b.client, each, NULL, PATIENCE_MS);
    else if (stint_batch_wait(b.client, b.numbers[n], &info, PATIENCE_MS) == STINT_OK) {
        (void)each(NULL, &info);
        if (info.state != STINT_BATCH_SETTLED)
            sim_broken("a batch was waited for, and is not settled");
    }
}

static void
close_all(void)
{
    bool done = true;
    for (unsigned n = 0; n < KEPT; n++) {
        if (b.numbers[n] && !b.closed[n])
            close_one(n, false);
        done &= !b.numbers[n] || b.closed[n];
    }
    b.done = done;
}

static void
batcher_main(void *context)
{
    const struct stint_client_options o = {.endpoint = "tcp://127.0.0.1:1", .name = "batcher"};
    (void)context;
    if (stint_client_new(&o, &b.client) != STINT_OK)
        return;
    for (unsigned n = 0; n < KEPT / 2 && !b.calm; n++)
        make();
    while (!b.stopping) {
        if (!b.calm)
            act();
        else if (!b.done)
            close_all();
        (void)stint_client_process(
            b.client, (uint32_t)(1 + chance_skewed(&b.process.chance, 2000)));
    }
    stint_client_destroy(&b.client);
}

void
batcher_begin(uint64_t seed, bool there)
{
    memset(&b, 0, sizeof b);
    b.process = (struct process){
        .name = "batcher", .chance = chance_of(seed, 600), .network = chance_of(seed, 601)};
    b.process.hears_twice = true;
    b.there = there;
    if (there)
        (void)actor_start(&b.process, batcher_main, NULL);
}

uint64_t
batcher_choose(struct chance *chance)
{
    unsigned n = (unsigned)chance_below(chance, KEPT);
    return b.numbers[n] ? b.numbers[n] : b.numbers[0];
}

void
batcher_calm(void)
{
    b.calm = true;
}

bool
batcher_content(void)
{
    return !b.there || b.done;
}

void
batcher_stop(void)
{
    b.stopping = true;
}
