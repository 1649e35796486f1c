/* Feeds for people; the contract is in follow.h. Numbers without a gap tell how much there was, so
 * whoever may not see all that a feed tells of sees nothing of it, not even that it is there.
 */
#include "follow.h"
#include "feed.h"
#include "peers.h"
#include "reply.h"

enum {
    ANSWERS_A_STEP = 16 << 20, /* bytes of events, to all readers */
};

static bool
may_see(const struct peer *peer, const struct feed *f)
{
    return grant_allows_all(peer->grant, RIGHT_SEE, f->queues);
}

/* The feed, if the peer may see it. NULL: it was told that there is none, or that it may not know.
 */
static struct feed *
find(struct core *core, const struct peer *peer, const struct message *m, struct slice name)
{
    struct feed *f = feed_find(core, name);
    if (f && may_see(peer, f))
        return f;
    if (grant_is_narrow(peer->grant))
        reply_refuse(core, peer->number, m, STINT_DENIED,
            "this key may not see all queues that a feed of this name tells of, if it is there");
    else
        reply_refuse(core, peer->number, m, STINT_NO_SUCH_FEED, "");
    return NULL;
}

static void
tell(struct core *core, struct peer *peer, const struct message *m, const struct stint_feed *feed)
{
    reply_page_begin(core);
    message_put_feed(&core->scratch.page, feed);
    reply_page_send(core, peer, MESSAGE_FEEDS, m->number, 1, (struct slice){0});
}

static void
set_feed(struct core *core, struct peer *peer, const struct message *m)
{
    const struct stint_feed *wanted = &m->set_feed.feed;
    struct stint_feed told;
    struct feed *f = feed_find(core, text_slice(wanted->name));
    bool made = !f;
    if (f)
        feed_change(core, f, wanted);
    else if (!(f = feed_make(core, wanted))) {
        reply_refuse(core, peer->number, m, STINT_TOO_MANY,
            "there are as many feeds as there may be, 16, or removed ones are not gone yet");
        return;
    }
    core_audit(core, peer, made ? "a feed is made" : "a feed is changed",
        NOTE_TEXT("feed", wanted->name), NOTE_TEXT("queues", wanted->queues));
    feed_describe(f, &told);
    told.made = made;
    tell(core, peer, m, &told);
}

static void
remove_feed(struct core *core, struct peer *peer, const struct message *m)
{
    struct stint_feed told;
    struct feed *f = find(core, peer, m, text_slice(m->set_feed.feed.name));
    if (!f)
        return;
    feed_describe(f, &told);
    feed_remove(core, f);
    core_audit(core, peer, "a feed is removed", NOTE_TEXT("feed", f->name));
    tell(core, peer, m, &told);
}

static void
list_feeds(struct core *core, struct peer *peer, const struct message *m)
{
    uint32_t count = 0;
    reply_page_begin(core);
    for (const struct feed *f = core->feeds.list; f; f = f->next) {
        struct stint_feed told;
        if (f->row.removed || !may_see(peer, f))
            continue;
        feed_describe(f, &told);
        message_put_feed(&core->scratch.page, &told);
        count++;
    }
    reply_page_send(core, peer, MESSAGE_FEEDS, m->number, count, (struct slice){0});
}

static bool
may_read(const struct core *core, const struct peer *peer)
{
    return peer->readers_count == 0 ||
        (peer->readers_count < LIMIT_FEED_READERS &&
            core->fleet.pushed.readers_count < LIMIT_FEED_READERS_ALL);
}

/* It is answered at the end of the step, or later. One that is said again, as after a reconnect,
 * takes the place of the first. */
static void
read_feed(struct core *core, struct peer *peer, const struct message *m)
{
    struct feed_reader *former = fleet_reader(&core->fleet, peer, m->number);
    struct feed *f = find(core, peer, m, m->read_feed.name);
    if (former)
        fleet_end_reader(&core->fleet, former);
    if (!f)
        return;
    if (!may_read(core, peer)) {
        reply_refuse(core, peer->number, m, STINT_TOO_MANY,
            "a connection reads 16 feeds at a time, and all together 1,024");
        return;
    }
    struct feed_reader *r = fleet_read(&core->fleet, peer, m->number);
    memcpy(r->feed, f->name, sizeof r->feed);
    r->from = m->read_feed.from == FEED_FROM_NEXT ? f->row.next : m->read_feed.from;
    r->life = m->read_feed.life;
    r->wait = m->read_feed.wait;
    core->feeds.news = true;
}

void
follow_message(struct core *core, struct peer *peer, const struct message *m)
{
    if (m->type == MESSAGE_LIST_FEEDS)
        list_feeds(core, peer, m);
    else if (m->type == MESSAGE_READ_FEED && m->read_feed.name.size == 0)
        reply_refuse(core, peer->number, m, STINT_INVALID, "a READ_FEED has a feed");
    else if (m->type == MESSAGE_READ_FEED)
        read_feed(core, peer, m);
    else if (!m->set_feed.feed.name[0] || m->set_feed.action == 0)
        reply_refuse(core, peer->number, m, STINT_INVALID, "a SET_FEED has a feed and an action");
    else if (!pattern_is_valid(m->set_feed.feed.queues))
        reply_refuse(core, peer->number, m, STINT_BAD_NAME,
            "a feed's queues are a name, or the begin of one with a * behind it");
    else if (m->set_feed.action == FEED_REMOVE)
        remove_feed(core, peer, m);
    else
        set_feed(core, peer, m);
}

/* ---- answers ---- */

static void
refuse(struct core *core, const struct feed_reader *r)
{
    struct message about = {.type = MESSAGE_READ_FEED, .number = r->number};
    bool narrow = grant_is_narrow(r->peer->grant);
    reply_refuse(core, r->peer->number, &about, narrow ? STINT_DENIED : STINT_NO_SUCH_FEED,
        narrow ? "this key may not see all queues that a feed of this name tells of, if it is there"
               : "it was removed");
}

/* What was counted in another life of the feed, or beyond its end (it was brought back from a
 * backup), means nothing here: then all that is kept is told. */
static uint64_t
begin_of(const struct feed *f, const struct feed_reader *r)
{
    if ((r->life && r->life != f->row.life) || r->from > f->row.next)
        return f->row.first;
    return r->from;
}

/* False: it waits on. */
static bool
answer(struct core *core, struct feed_reader *r, struct feed *f)
{
    struct feed_events page = {.next = f->row.next, .life = f->row.life};
    uint64_t from = begin_of(f, r);
    uint32_t count;
    bool news = feed_page(core, f, from, &page.first, &count);
    bool missed = from > 0 && page.first > from;
    if (!news && r->wait && !missed && from == r->from)
        return false;
    message_put_feed_events(outbox_begin(core->step.out, r->peer->number), r->number,
        (struct slice){core->scratch.page.data, core->scratch.page.used}, count, &page);
    outbox_end(core->step.out);
    return true;
}

void
follow_answer(struct core *core)
{
    struct feed_reader *r, *next;
    size_t began = core->step.out->bytes.used;
    uint32_t answered = 0;
    if (!core->feeds.news)
        return;
    core->feeds.news = core->feeds.unanswered = false;
    for (r = core->fleet.pushed.readers; r; r = next) {
        struct feed *f = feed_find(core, text_slice(r->feed));
        next = r->next;
        if (answered > 0 &&
            (core->step.out->bytes.used - began > ANSWERS_A_STEP ||
                core->step.listed >= LISTED_A_STEP)) {
            core->feeds.news = core->feeds.unanswered = true;
            return;
        }
        if (!peers_can_take(core, r->peer)) {
            core->feeds.news = true; /* when it has read */
            continue;
        }
        if (!f || !may_see(r->peer, f))
            refuse(core, r);
        else if (!answer(core, r, f))
            continue;
        fleet_end_reader(&core->fleet, r);
        answered++;
    }
}
