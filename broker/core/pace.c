/* Limits of queues; the contract is in pace.h. A token is an hour's worth of milliseconds, so that
 * a rate, which is in jobs an hour, adds exactly itself each millisecond.
 */
#include "pace.h"

#include <assert.h>
#include <utlist.h>

enum { TOKEN = 3600000, BURST_MS = 1000 };

static uint64_t
bucket_size(const struct queue *q)
{
    uint64_t burst = q->set.rate * BURST_MS;
    return burst > TOKEN ? burst : TOKEN;
}

static uint64_t
running(const struct queue *q)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < q->levels_count; i++)
        sum += q->levels[i]->jobs[STINT_RUNNING];
    return sum;
}

bool
pace_is_full(const struct queue *q)
{
    return q->set.running && running(q) >= q->set.running;
}

uint32_t
pace_limited_room(const struct queue *q)
{
    uint64_t room = UINT32_MAX, now = running(q);
    if (q->set.running)
        room = q->set.running > now ? q->set.running - now : 0;
    if (q->set.rate && q->past.bucket.tokens / TOKEN < room)
        room = q->past.bucket.tokens / TOKEN;
    return (uint32_t)room;
}

void
pace_take(struct queue *q)
{
    if (!q->set.rate)
        return;
    assert(q->past.bucket.tokens >= TOKEN);
    q->past.bucket.tokens -= TOKEN;
}

static void
fill(struct queue *q, uint64_t now_ms)
{
    struct bucket *b = &q->past.bucket;
    uint64_t size = bucket_size(q), passed_ms = now_ms - b->filled_ms;
    if (!b->begun)
        *b = (struct bucket){.begun = true};
    else if (passed_ms >= (size - b->tokens) / q->set.rate + 1)
        b->tokens = size;
    else
        b->tokens += passed_ms * q->set.rate;
    b->filled_ms = now_ms;
}

void
pace_pass(struct book *book, uint64_t now_ms)
{
    struct queue *q;
    LL_FOREACH2(book->rated, q, past.next_rated)
    {
        bool had = q->past.bucket.tokens >= TOKEN;
        fill(q, now_ms);
        if (!had && q->past.bucket.tokens >= TOKEN)
            posts_wake(&q->servings.posts);
    }
}

uint64_t
pace_wait_ms(const struct queue *q)
{
    uint64_t tokens = q->past.bucket.tokens;
    if (!q->set.rate || tokens >= TOKEN)
        return 0;
    return (TOKEN - tokens + q->set.rate - 1) / q->set.rate;
}

uint64_t
pace_idle_ms(const struct book *book)
{
    const struct queue *q;
    uint64_t least_ms = UINT64_MAX;
    LL_FOREACH2(book->rated, q, past.next_rated)
    {
        uint64_t wait_ms = pace_wait_ms(q);
        if (q->ready > 0 && !q->set.paused && wait_ms > 0 && wait_ms < least_ms)
            least_ms = wait_ms;
    }
    return least_ms;
}
