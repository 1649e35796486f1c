/* Feeds: made, listed and removed, and followed from a number on. A follower asks for a page at a
 * time, by a request that the session sends again in each conversation; so it goes on where it was,
 * whatever becomes of the connection or the broker, and no more comes than it has taken.
 */
#include "client.h"

#include <utlist.h>

static const char lacks[] = "this broker records no events";

/* ---- feeds as a whole ---- */

/* Where the elements of FEEDS go. */
struct telling {
    stint_feed_fn *each;
    void *context;
    struct stint_feed *one; /* NULL, or where the only one goes */
};

static enum stint_status
take_feeds(struct stint_client *c, const struct message *m, void *into)
{
    const struct telling *t = into;
    struct message_arrays *arrays = link_arrays(c->link);
    bool goes_on = true;
    if (m->type != MESSAGE_FEEDS || (t->one && m->count != 1))
        return STINT_BAD_MESSAGE;
    for (uint32_t i = 0; i < m->count && goes_on; i++) {
        if (!message_next_feed(arrays))
            return STINT_BAD_MESSAGE;
        struct stint_feed feed = arrays->feed;
        if (t->one) {
            *t->one = feed;
        } else if (t->each) {
            c->calling++;
            goes_on = t->each(t->context, &feed);
            c->calling--;
        }
    }
    return STINT_OK;
}

static enum stint_status
if_too_old(struct stint_client *c, enum stint_status status, const char *what)
{
    return status == STINT_UNKNOWN_TYPE ? client_fail(c, STINT_UNSUPPORTED, what, lacks) : status;
}

static enum stint_status
set_feed(struct stint_client *c, enum feed_action action, const struct stint_feed *wanted,
    struct stint_feed *now, uint32_t timeout_ms, const char *what)
{
    struct stint_feed told;
    struct telling t = {.one = &told};
    if (!client_good_name(wanted->name))
        return client_fail(c, STINT_BAD_NAME, what, wanted->name);
    enum stint_status status = client_may_wait(c, what);
    if (status != STINT_OK)
        return status;
    struct call *call = client_call(c, MESSAGE_SET_FEED);
    message_put_set_feed(&call->request->frame, call->request->number, action, wanted);
    status = if_too_old(c, client_ask(&call, timeout_ms, take_feeds, &t, what), what);
    if (status == STINT_OK && now)
        *now = told;
    return status;
}

enum stint_status
stint_set_feed(struct stint_client *c, const struct stint_feed *feed, struct stint_feed *now,
    uint32_t timeout_ms)
{
    static const char what[] = "making a feed";
    if (feed->keep_ms > LIMIT_TIME_MS || feed->max_events > LIMIT_FEED_EVENTS ||
        feed->max_bytes > LIMIT_FEED_BYTES)
        return client_fail(c, STINT_INVALID, what,
            "a feed keeps at most 1,000,000,000 events, 1 TiB, for a hundred years");
    return set_feed(c, FEED_SET, feed, now, timeout_ms, what);
}

enum stint_status
stint_remove_feed(struct stint_client *c, const char *name, uint32_t timeout_ms)
{
    struct stint_feed feed = {.events = 0};
    static const char what[] = "removing a feed";
    if (!client_good_name(name))
        return client_fail(c, STINT_BAD_NAME, what, name);
    memcpy(feed.name, name, strlen(name) + 1);
    return set_feed(c, FEED_REMOVE, &feed, NULL, timeout_ms, what);
}

enum stint_status
stint_feeds(struct stint_client *c, stint_feed_fn *each, void *context, uint32_t timeout_ms)
{
    static const char what[] = "listing feeds";
    struct telling t = {.each = each, .context = context};
    enum stint_status status = client_may_wait(c, what);
    if (status != STINT_OK)
        return status;
    struct call *call = client_call(c, MESSAGE_LIST_FEEDS);
    message_put_numbered(&call->request->frame, MESSAGE_LIST_FEEDS, call->request->number);
    return if_too_old(c, client_ask(&call, timeout_ms, take_feeds, &t, what), what);
}

/* ---- following one ---- */

void
client_followed_free(struct followed **followed)
{
    free(*followed);
    *followed = NULL;
}

static void asked(struct call *call, enum stint_status status, const struct message *m);

/* Until it has a number it does not wait: what a broken connection does not tell it would be left
 * out in silence. */
static void
ask(struct stint_client *c, struct followed *f)
{
    bool knows = f->at.next != 0 && f->at.next != STINT_FEED_NEXT;
    struct slice name = {(const uint8_t *)f->what.feed, strlen(f->what.feed)};
    struct call *call = client_call(c, MESSAGE_READ_FEED);
    message_put_read_feed(&call->request->frame, call->request->number, name, f->at.next,
        f->at.life, knows && !f->what.ends);
    call->replied = asked;
    call->into = f;
    f->call = call;
    client_send(call);
}

static void
tell(struct stint_client *c, struct followed *f, const struct stint_feed_news *news)
{
    c->called++;
    c->calling++;
    f->what.happened(f->what.context, news);
    c->calling--;
}

/* It tells nothing more, and why. */
static void
end(struct stint_client *c, struct followed *f, enum stint_status status)
{
    struct stint_feed_news news = {
        .feed = f->what.feed, .end = true, .status = status, .at = f->at};
    if (!f->over)
        tell(c, f, &news);
    if (!f->over)
        LL_DELETE(c->told.followed, f);
    f->over = true;
}

/* Are the numbers where we wait those of this feed, and is none left out? */
static void
look_for_gap(struct stint_client *c, struct followed *f, const struct feed_events *page)
{
    uint64_t next = f->at.next;
    bool anew = (f->at.life && f->at.life != page->life) || page->first < next;
    struct stint_feed_news gap = {.feed = f->what.feed, .anew = anew, .first = next};
    bool counts = next != 0 && next != STINT_FEED_NEXT;
    f->at.life = page->life;
    f->at.next = page->first;
    gap.missing = anew ? page->first - 1 : page->first - next;
    gap.first = anew ? 1 : next;
    gap.at = f->at;
    if (counts && (anew || gap.missing > 0))
        tell(c, f, &gap);
}

static void
take_page(struct stint_client *c, struct followed *f, const struct message *m)
{
    const struct stint_event *events = link_arrays(c->link)->events;
    look_for_gap(c, f, &m->feed_events);
    for (uint32_t i = 0; !f->over && i < m->count; i++) {
        struct stint_event event = events[i];
        struct stint_feed_news news = {.feed = f->what.feed, .event = &event};
        news.first = f->at.next++;
        news.at = f->at;
        tell(c, f, &news);
    }
    if (f->what.ends && !f->over && f->at.next >= m->feed_events.next)
        end(c, f, STINT_OK);
}

/* Where we have too much to read, or there are too many who read, it is asked again. */
static void
asked(struct call *call, enum stint_status status, const struct message *m)
{
    struct stint_client *c = call->client;
    struct followed *f = call->into;
    if (status == STINT_TOO_MANY && m) {
        session_tell_window(&c->session);
        f->again_at_pong = c->session.pings.answered + 3;
        return;
    }
    client_end(&call);
    f->call = NULL;
    if (c->closing)
        return; /* it tells nothing any more, and is freed with the client */
    c->told.telling_feed = f;
    if (status == STINT_OK && m && m->type != MESSAGE_FEED_EVENTS)
        status = client_fail(c, STINT_BAD_MESSAGE, "following a feed", NO_ANSWER);
    if (status == STINT_OK && m)
        take_page(c, f, m);
    else
        end(c, f, status);
    c->told.telling_feed = NULL;
    if (f->over)
        client_followed_free(&f);
    else
        ask(c, f);
}

void
client_follow_rest(struct stint_client *c)
{
    for (struct followed *f = c->told.followed; f; f = f->next)
        if (f->again_at_pong && c->session.pings.answered >= f->again_at_pong) {
            f->again_at_pong = 0;
            session_request_again(&c->session, f->call->request);
        }
}

void
client_follow_opened(struct stint_client *c)
{
    for (struct followed *f = c->told.followed; f; f = f->next)
        f->again_at_pong = 0; /* it is sent again anyway */
}

enum stint_status
stint_follow(struct stint_client *c, const struct stint_follow *what)
{
    if (!client_good_name(what->feed))
        return client_fail(c, STINT_BAD_NAME, "following a feed", what->feed);
    size_t count = 0;
    for (const struct followed *f = c->told.followed; f; f = f->next)
        count++;
    if (count >= LIMIT_FEED_READERS)
        return client_fail(c, STINT_TOO_MANY, "following a feed", "16 at a time");
    struct followed *f = calloc(1, sizeof *f + strlen(what->feed) + 1);
    if (!f)
        abort();
    f->what = *what;
    f->what.feed = memcpy(f->name, what->feed, strlen(what->feed) + 1);
    f->at = what->from;
    LL_PREPEND(c->told.followed, f);
    ask(c, f);
    return STINT_OK;
}

static void
unfollowed(struct call *call, enum stint_status status, const struct message *m)
{
    (void)status;
    (void)m;
    client_end(&call);
}

/* The broker, which may still wait for an event to tell it, is asked not to. */
static void
unfollow(struct stint_client *c, struct followed *f)
{
    LL_DELETE(c->told.followed, f);
    if (f->call) {
        uint64_t number = f->call->request->number;
        client_end(&f->call);
        struct call *call = client_call(c, MESSAGE_UNSUBSCRIBE);
        call->request->number = number;
        call->replied = unfollowed;
        message_put_numbered(&call->request->frame, MESSAGE_UNSUBSCRIBE, number);
        client_send(call);
    }
    f->over = true;
    if (f != c->told.telling_feed)
        client_followed_free(&f);
}

void
stint_unfollow(struct stint_client *c, stint_feed_news_fn *happened, void *context)
{
    struct followed *f, *next;
    LL_FOREACH_SAFE (c->told.followed, f, next)
        if (f->what.happened == happened && f->what.context == context)
            unfollow(c, f);
}
