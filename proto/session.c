/* The peer's half of a conversation; the contract is in session.h. */
#include "session.h"
#include "pattern.h"
#include "splitmix.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

enum {
    GREETING_MS = 2000, /* how long a HELLO may go unanswered before the connection is made anew */
    RETRY_BASE_MS = 100,
    RETRY_CAP_MS = 5000,
    SUBMITTED_BYTES = 12 << 20, /* unanswered ones on their way; but one always */
    PING_AFTER_BYTES = 8 << 20,
    PONG_AFTER_BYTES = 1 << 20,
};

static void
clear_control(struct session *s)
{
    s->control.frames.used = 0;
    s->control.count = s->control.sent = 0;
}

/* Names first, then prefixes. Returns how many those are. */
static uint32_t
part_queues(const struct session_options *o, struct slice *parted)
{
    uint32_t names = 0, prefixes = 0;
    for (uint32_t i = 0; i < o->queues_count; i++) {
        struct slice queue = {(const uint8_t *)o->queues[i], strlen(o->queues[i])};
        if (pattern_is_open(queue))
            parted[o->queues_count - ++prefixes] = queue;
        else
            parted[names++] = queue;
    }
    return prefixes;
}

static void
say_hello(struct session *s, uint64_t now_ms)
{
    struct slice queues[LIMIT_QUEUES_SERVED + LIMIT_PREFIXES];
    struct slice kinds[LIMIT_KINDS], labels[LIMIT_LABELS];
    const struct session_options *o = &s->options;
    struct hello h = {.version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .role = o->role,
        .name = {(const uint8_t *)o->name, strlen(o->name)},
        .software = {(const uint8_t *)o->software, strlen(o->software)},
        .slots = o->slots,
        .window = s->window,
        .cores = o->cores,
        .prefixes = part_queues(o, queues),
        .kinds = o->kinds_count,
        .labels = o->labels_count,
        .has = {(const uint8_t *)o->has, o->has ? strlen(o->has) : 0}};
    h.queues = o->queues_count - h.prefixes;
    memcpy(h.session, o->id, SESSION_BYTES);
    for (uint32_t i = 0; i < o->kinds_count; i++)
        kinds[i] = (struct slice){(const uint8_t *)o->kinds[i], strlen(o->kinds[i])};
    for (uint32_t i = 0; i < o->labels_count; i++)
        labels[i] = (struct slice){(const uint8_t *)o->labels[i], strlen(o->labels[i])};
    clear_control(s);
    message_put_hello(&s->control.frames, &h, queues, kinds, labels);
    s->control.ends[s->control.count++] = s->control.frames.used;
    s->state = SESSION_GREETING;
    s->pings.sent = s->pings.answered = s->pings.token = s->pings.open = 0;
    s->times.wake_ms = now_ms + GREETING_MS;
}

void
session_resubmit(struct session *s)
{
    struct request *r;
    DL_FOREACH (s->submissions.first, r)
        r->sent = false;
    s->submissions.unsent = s->submissions.first;
    s->submissions.sent_bytes = 0;
}

/* Nothing of the former conversation counts: all requests are to be sent again. */
static void
forget_sent(struct session *s)
{
    struct request *r;
    DL_FOREACH (s->requests.first, r)
        r->sent = false;
    s->requests.unsent = s->requests.first;
    session_resubmit(s);
}

/* Begin a new connection after a while: the longer, the more often it failed, and never all peers
 * at once. */
static void
give_up(struct session *s, uint64_t now_ms, const char *why)
{
    s->over = why;
    uint64_t delay = RETRY_BASE_MS;
    for (uint32_t n = s->failures; n > 0 && delay < RETRY_CAP_MS; n--)
        delay *= 2;
    if (delay > RETRY_CAP_MS)
        delay = RETRY_CAP_MS;
    s->failures++;
    s->state = SESSION_IDLE;
    s->reconnect = true;
    s->times.wake_ms = now_ms + delay / 2 + splitmix64(&s->random) % (delay / 2 + 1);
    clear_control(s);
    forget_sent(s);
}

void
session_refused(struct session *s, uint64_t now_ms, const char *why)
{
    if (s->state == SESSION_GREETING)
        give_up(s, now_ms, why);
}

void
session_init(struct session *s, const struct session_options *options, uint64_t now_ms)
{
    *s = (struct session){.options = *options, .random = options->seed, .window = options->slots};
    s->times.heard_ms = s->times.said_ms = s->times.ticked_ms = now_ms;
    s->submissions.allowed = UINT32_MAX;
    s->welcome.heartbeat_ms = DEFAULT_HEARTBEAT_MS;
    s->welcome.lost_ms = DEFAULT_LOST_MS;
    s->welcome.payload_bytes = LIMIT_PAYLOAD_BYTES;
    s->welcome.result_bytes = LIMIT_RESULT_BYTES;
    say_hello(s, now_ms);
}

void
session_fini(struct session *s)
{
    while (s->requests.first || s->submissions.first) {
        struct request *r = s->requests.first ? s->requests.first : s->submissions.first;
        session_request_end(s, &r);
    }
    pack_buffer_free(&s->control.frames);
}

static void
fail(struct session *s, enum stint_status status, struct slice detail)
{
    size_t n =
        detail.size < sizeof s->failure.detail - 1 ? detail.size : sizeof s->failure.detail - 1;
    memcpy(s->failure.detail, detail.data, n);
    s->failure.detail[n] = '\0';
    s->failure.status = status;
    s->state = SESSION_FAILED;
    s->times.wake_ms = UINT64_MAX;
}

static void
move_to(struct session *s, uint64_t now_ms, struct slice endpoint)
{
    if (endpoint.size >= sizeof s->endpoint)
        return;
    memcpy(s->endpoint, endpoint.data, endpoint.size);
    s->endpoint[endpoint.size] = '\0';
    give_up(s, now_ms, "another broker is to be asked");
}

/* An ERROR that ends or changes the conversation; false if it is about a request. */
static bool
take_error(struct session *s, uint64_t now_ms, const struct message *m)
{
    enum stint_status status = m->error.status;
    if (status == STINT_MOVED) {
        move_to(s, now_ms, m->error.endpoint);
        return true;
    }
    if (status == STINT_HELLO_FIRST) { /* the connection is new to the broker: begin again on it */
        if (s->state == SESSION_OPEN) {
            s->over = "the connection is a new one, or the broker was started anew";
            forget_sent(s);
            say_hello(s, now_ms);
        }
        return true;
    }
    if (m->error.about != MESSAGE_HELLO)
        return false;
    if (status == STINT_TOO_MANY) {
        s->refusal = "the broker has no room for us";
        give_up(s, now_ms, s->refusal);
    } else
        fail(s, status, m->error.detail);
    return true;
}

bool
session_has_feature(const struct session *s, const char *name)
{
    uint64_t bit = feature_bit((struct slice){(const uint8_t *)name, strlen(name)});
    assert(bit); /* a name of features.def */
    return (s->welcome.features & bit) != 0;
}

bool
session_needs_feature(struct session *s, const char *name)
{
    static const char text[] = "the broker lacks the feature: ";
    enum { TEXT_BYTES = sizeof text - 1 };
    if (session_has_feature(s, name))
        return true;
    fail(s, STINT_UNSUPPORTED, (struct slice){(const uint8_t *)text, TEXT_BYTES});
    slice_to_text(s->failure.detail + TEXT_BYTES, sizeof s->failure.detail - TEXT_BYTES,
        (struct slice){(const uint8_t *)name, strlen(name)});
    return false;
}

static bool
serves_by_prefix(const struct session_options *o)
{
    bool by_prefix = false;
    for (uint32_t i = 0; i < o->queues_count && !by_prefix; i++)
        by_prefix =
            pattern_is_open((struct slice){(const uint8_t *)o->queues[i], strlen(o->queues[i])});
    return by_prefix;
}

static void
take_welcome(struct session *s, uint64_t now_ms, const struct message *m)
{
    size_t n = m->welcome.software.size;
    if (s->state != SESSION_GREETING || m->welcome.version > PROTOCOL_VERSION_MAX)
        return;
    s->welcome = m->welcome;
    if (n > 0)
        memcpy(s->software, m->welcome.software.data, n);
    s->software[n] = '\0';
    s->welcome.software = (struct slice){NULL, 0};
    /* A broker that skips the kinds would hand this worker jobs that it can't run; one that skips
     * the prefixes, of other queues or none. */
    if ((s->options.kinds_count > 0 && !session_needs_feature(s, "kinds")) ||
        (serves_by_prefix(&s->options) && !session_needs_feature(s, "prefixes")))
        return;
    s->state = SESSION_OPEN;
    s->opened = true;
    s->failures = 0;
    s->refusal = NULL;
    s->times.wake_ms = now_ms + s->welcome.heartbeat_ms;
    forget_sent(s);
}

void
session_tell_window(struct session *s)
{
    struct pack_buffer frame = {0};
    if (s->state != SESSION_OPEN)
        return;
    const struct ping ping = {.window = s->window,
        .slots = s->options.cores > 0 ? s->options.slots : SLOTS_UNCHANGED,
        .load = s->load,
        .token = s->pings.token};
    message_put_worker_ping(&frame, ++s->pings.sent, &ping);
    s->pings.unread_bytes = 0;
    s->pings.open += session_control(s, &frame);
    pack_buffer_free(&frame);
}

bool
session_answered(const struct session *s)
{
    return s->state != SESSION_OPEN || s->pings.open == 0;
}

bool
session_receive(struct session *s, uint64_t now_ms, const void *frame, size_t size,
    struct message *m, struct message_arrays *arrays)
{
    const char *why;
    s->frames++;
    if (message_decode(frame, size, m, arrays, &why) != STINT_OK)
        return false; /* from a broker newer than we are; requests have deadlines */
    s->times.heard_ms = now_ms;
    s->pings.unread_bytes += size;
    if (s->pings.unread_bytes > PING_AFTER_BYTES)
        session_tell_window(s); /* so that the broker knows that we read */
    switch (m->type) {
    case MESSAGE_WELCOME:
        take_welcome(s, now_ms, m);
        return false;
    case MESSAGE_ERROR:
        return !take_error(s, now_ms, m) && s->state == SESSION_OPEN;
    case MESSAGE_PONG:
        s->pings.answered++;
        s->pings.token = m->pong.token;
        s->pings.open -= s->pings.open > 0;
        if (s->pings.unread_bytes > PONG_AFTER_BYTES)
            session_tell_window(s); /* it may wait for just this */
        return false;
    default:
        return s->state == SESSION_OPEN;
    }
}

void
session_progress(struct session *s, uint64_t now_ms)
{
    s->times.heard_ms = s->times.moved_ms = now_ms;
}

bool
session_moves(const struct session *s, uint64_t now_ms)
{
    return s->state == SESSION_OPEN && s->times.moved_ms &&
        now_ms - s->times.moved_ms < s->welcome.lost_ms;
}

bool
session_wonders(const struct session *s, uint64_t now_ms)
{
    return s->state == SESSION_OPEN && now_ms >= s->times.heard_ms + s->welcome.heartbeat_ms / 2;
}

static void
tick_open(struct session *s, uint64_t now_ms)
{
    const struct welcome *w = &s->welcome;
    /* While nobody called us (the process was stopped, the application was busy), we could not hear
     * the broker: that time counts as little of its silence. */
    uint64_t away_ms = now_ms - s->times.ticked_ms;
    if (away_ms > w->heartbeat_ms)
        s->times.heard_ms += away_ms - w->heartbeat_ms;
    if (s->times.heard_ms > now_ms)
        s->times.heard_ms = now_ms;
    if (now_ms - s->times.heard_ms >= w->lost_ms) {
        give_up(s, now_ms, "the broker was silent");
        return;
    }
    if (now_ms - s->times.said_ms >= w->heartbeat_ms) {
        s->times.said_ms = now_ms;
        session_tell_window(s);
    }
    s->times.wake_ms = s->times.said_ms + w->heartbeat_ms;
}

void
session_tick(struct session *s, uint64_t now_ms)
{
    if (s->state == SESSION_OPEN)
        tick_open(s, now_ms);
    else if (now_ms >= s->times.wake_ms && s->state == SESSION_GREETING)
        give_up(s, now_ms, "nobody answered");
    else if (now_ms >= s->times.wake_ms && s->state == SESSION_IDLE)
        say_hello(s, now_ms);
    s->times.ticked_ms = now_ms;
}

uint64_t
session_wake_ms(const struct session *s)
{
    return s->times.wake_ms;
}

static bool
control_waits(const struct session *s)
{
    return s->control.sent < s->control.count;
}

/* The broker ends connections that are far ahead of it, and a PING would wait behind all of it. */
static bool
has_room(const struct session *s)
{
    return s->submissions.sent_bytes == 0 ||
        s->submissions.sent_bytes + s->submissions.unsent->frame.used <= SUBMITTED_BYTES;
}

/* The row whose turn it is, by its first unsent one; NULL: nothing may go now. */
static struct request **
next_row(struct session *s, bool hold)
{
    if (s->state != SESSION_OPEN || s->opened || hold)
        return NULL;
    if (s->requests.unsent)
        return &s->requests.unsent;
    return s->submissions.unsent && s->submissions.allowed > 0 && has_room(s)
        ? &s->submissions.unsent
        : NULL;
}

struct slice
session_output(struct session *s, bool hold)
{
    if (control_waits(s)) {
        size_t from = s->control.sent ? s->control.ends[s->control.sent - 1] : 0;
        return (struct slice){
            s->control.frames.data + from, s->control.ends[s->control.sent] - from};
    }
    struct request **row = next_row(s, hold);
    return row ? (struct slice){(*row)->frame.data, (*row)->frame.used} : (struct slice){NULL, 0};
}

void
session_sent(struct session *s)
{
    s->frames++;
    if (control_waits(s)) {
        if (++s->control.sent == s->control.count)
            clear_control(s);
        return;
    }
    struct request **row = next_row(s, false);
    assert(row); /* what went is still the next */
    struct request *r = *row;
    r->sent = r->ever_sent = true;
    *row = r->next;
    if (r->type != MESSAGE_SUBMIT)
        return;
    s->submissions.sent_bytes += r->frame.used;
    if (s->submissions.allowed != UINT32_MAX)
        s->submissions.allowed--;
}

bool
session_control(struct session *s, const struct pack_buffer *frame)
{
    if (s->control.count == sizeof s->control.ends / sizeof *s->control.ends)
        return false;
    memcpy(pack_reserve(&s->control.frames, frame->used), frame->data, frame->used);
    s->control.ends[s->control.count++] = s->control.frames.used;
    return true;
}

struct request *
session_request_new(enum message_type type, uint64_t number)
{
    struct request *r = calloc(1, sizeof *r);
    if (!r)
        abort();
    r->type = type;
    r->number = number;
    return r;
}

void
session_request_add(struct session *s, struct request *request)
{
    if (request->type == MESSAGE_SUBMIT) {
        DL_APPEND(s->submissions.first, request);
        if (!s->submissions.unsent)
            s->submissions.unsent = request;
        return;
    }
    DL_APPEND(s->requests.first, request);
    if (!s->requests.unsent)
        s->requests.unsent = request;
}

struct request *
session_request(struct session *s, enum message_type type, uint64_t number)
{
    struct request *r; /* numbers of a type rise, and answers come in order: it is near the head */
    DL_FOREACH (type == MESSAGE_SUBMIT ? s->submissions.first : s->requests.first, r) {
        if (r->type == type && r->number >= number)
            return r->number == number ? r : NULL;
    }
    return NULL;
}

static void
take_out(struct session *s, struct request *r)
{
    if (s->requests.unsent == r)
        s->requests.unsent = r->next;
    if (s->submissions.unsent == r)
        s->submissions.unsent = r->next;
    if (r->type == MESSAGE_SUBMIT) {
        s->submissions.sent_bytes -= r->sent ? r->frame.used : 0;
        DL_DELETE(s->submissions.first, r);
    } else
        DL_DELETE(s->requests.first, r);
}

void
session_request_end(struct session *s, struct request **request)
{
    struct request *r = *request;
    take_out(s, r);
    pack_buffer_free(&r->frame);
    free(r);
    *request = NULL;
}

void
session_request_again(struct session *s, struct request *r)
{
    take_out(s, r);
    r->sent = false;
    session_request_add(s, r);
}

void
session_options_changed(struct session *s, uint64_t now_ms)
{
    assert(s->state == SESSION_GREETING && s->control.sent == 0);
    say_hello(s, now_ms);
}

void
session_renew(struct session *s, uint64_t now_ms, const uint8_t id[SESSION_BYTES])
{
    if (id)
        memcpy(s->options.id, id, SESSION_BYTES);
    if (s->state != SESSION_OPEN && !(s->state == SESSION_GREETING && id))
        return; /* a new one is to begin anyway */
    clear_control(s);
    forget_sent(s);
    s->state = SESSION_IDLE;
    s->reconnect = true;
    s->times.wake_ms = now_ms;
}
