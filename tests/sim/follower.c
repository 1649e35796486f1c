/* A follower of the simulated world; the contract is in follower.h. */
#include "follower.h"
#include "client.h"
#include "oracle.h"

static struct follower {
    struct process process;
    struct stint_client *client;
    struct stint_feed feed; /* as he wants it */
    struct stint_feed_position at; /* behind what he has worked off: it lives through his kills */
    bool made, over, calm, stopping;
    uint64_t lives_until_us;
} f;

static void
happened(void *context, const struct stint_feed_news *news)
{
    uint64_t next = f.at.next;
    (void)context;
    if (f.process.killed)
        return;
    if (news->end) {
        f.over = true; /* the feed is not there: a commit failed that had made it */
        f.made = false;
        return;
    }
    if (!news->event && news->missing == 0 && !news->anew)
        sim_broken("a follower is told nothing");
    if (news->anew)
        sim_broken("a follower is told that a feed began anew, and it did not");
    if (next != 0 && news->first != next)
        sim_broken("a follower waits for event %llu and hears of %llu", (unsigned long long)next,
            (unsigned long long)news->first);
    if (news->event)
        oracle_feed_heard(news->first, news->event);
    else
        oracle_feed_missed(news->first, news->missing);
    if (news->at.next != news->first + (news->event ? 1 : news->missing))
        sim_broken("a follower is told to go on elsewhere");
    f.at = news->at;
}

static bool
begin_following(void)
{
    const struct stint_follow what = {.feed = f.feed.name, .from = f.at, .happened = happened};
    if (!f.made)
        f.made = stint_set_feed(f.client, &f.feed, NULL, 3000) == STINT_OK;
    f.over = false;
    return f.made && stint_follow(f.client, &what) == STINT_OK;
}

static void
live(void)
{
    const struct stint_client_options o = {.endpoint = "tcp://127.0.0.1:1", .name = "follower"};
    struct chance *chance = &f.process.chance;
    bool follows = false;
    f.lives_until_us = world_us() + chance_skewed(chance, 20 * US_A_SECOND);
    if (stint_client_new(&o, &f.client) != STINT_OK)
        return;
    while (!f.stopping && (f.calm || world_us() < f.lives_until_us)) {
        if (!follows || f.over)
            follows = begin_following();
        if (follows && !f.calm && chance_in_100(chance, 2)) {
            stint_unfollow(f.client, happened, NULL);
            follows = false;
        }
        (void)stint_client_process(f.client, (uint32_t)(1 + chance_skewed(chance, 500)));
    }
    if (!f.stopping) { /* as a process that is killed: nobody hears of it */
        f.process.killed = true;
        f.client->session.state = SESSION_FAILED;
        f.client->session.failure.status = STINT_SYSTEM;
    }
    stint_client_destroy(&f.client);
}

static void
follower_main(void *context)
{
    (void)context;
    while (!f.stopping) {
        f.process.killed = false;
        live();
        if (!f.stopping)
            actor_sleep(1 + chance_skewed(&f.process.chance, 5 * US_A_SECOND));
    }
}

void
follower_begin(uint64_t seed)
{
    memset(&f, 0, sizeof f);
    f.process = (struct process){
        .name = "follower", .chance = chance_of(seed, 400), .network = chance_of(seed, 401)};
    f.process.hears_twice = true;
    f.feed = (struct stint_feed){.name = "all",
        .max_events = chance_between(&f.process.chance, 10, 400),
        .keep_ms = chance_in_100(&f.process.chance, 30) ? 5000 : 0};
    (void)actor_start(&f.process, follower_main, NULL);
}

void
follower_calm(void)
{
    f.calm = true;
}

bool
follower_content(void)
{
    return f.made && oracle_feed_ends_at(f.at.next);
}

void
follower_stop(void)
{
    f.stopping = true;
}
