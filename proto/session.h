/* The peer's half of a conversation as a pure state machine: HELLO, heartbeats both ways, giving up
 * and beginning again with backoff and jitter, and sending again what was not confirmed. No socket,
 * no clock: time comes in with each call, frames go in and come out. The simulator runs it as it
 * is.
 *
 *        start              WELCOME
 *     IDLE ----> HELLO SENT --------> OPEN
 *       ^  wait      |  no answer       |  silence, HELLO_FIRST
 *       +------------+------------------+
 *
 * A *request* is a frame that is sent again on each new conversation until the owner takes it back
 * (because its reply came, or its deadline passed). Requests keep their order, and submissions
 * theirs: they have a row of their own, as the owner holds them back while the broker has no room.
 */
#ifndef SESSION_H
#define SESSION_H

#include "message.h"

enum session_state { SESSION_IDLE, SESSION_GREETING, SESSION_OPEN, SESSION_FAILED };

struct session_options {
    enum message_role role;
    uint8_t id[SESSION_BYTES];
    const char *name, *software; /* borrowed for life, as are the queues */
    uint32_t slots; /* now: told in HELLO and with each PING */
    uint32_t cores; /* of a worker's machine */
    const char *const *queues, *const *labels; /* queues: names, and prefixes with a `*` behind */
    uint32_t queues_count, labels_count;
    const char *has; /* what jobs can need of a worker; NULL or "": nothing */
    const char *const *kinds; /* that a worker handles; none: all */
    uint32_t kinds_count;
    uint64_t seed; /* for the jitter */
};

struct request {
    uint64_t number;
    enum message_type type;
    bool sent; /* in this conversation */
    bool ever_sent; /* in any; the owner clears it if it knows that the broker does not have it */
    void *owner; /* for whoever made it */
    struct pack_buffer frame;
    struct request *prev, *next;
};

/* The PINGs of this conversation. */
struct session_pings {
    uint64_t sent, answered;
    uint64_t open; /* without a PONG yet */
    uint64_t token; /* of the last PONG: the next PING shows by it that we have read so far */
    uint64_t unread_bytes; /* received since the last PING */
};

struct session_times {
    uint64_t heard_ms, said_ms, ticked_ms, wake_ms;
    uint64_t moved_ms; /* bytes of a frame that was not whole moved then; 0: never */
};

/* Frames of our own, in order. */
struct session_control {
    struct pack_buffer frames; /* each of them... */
    size_t ends[96]; /* ...ending here */
    uint32_t count, sent;
};

struct session_requests {
    struct request *first, *unsent; /* unsent: the first not sent yet, or NULL */
};

struct session_submissions {
    struct request *first, *unsent; /* likewise */
    uint64_t sent_bytes; /* of those that were sent in this conversation */
    uint32_t allowed; /* so many SUBMITs may go out; UINT32_MAX: all */
};

struct session_failure {
    enum stint_status status;
    char detail[256];
};

struct session {
    struct session_options options;
    enum session_state state;
    struct welcome welcome; /* the last one; its slices are not kept, its features are */
    char software[STINT_LABEL_BYTES]; /* the broker's */
    char endpoint[256]; /* not "": another broker to go to, told by MOVED */
    uint64_t random;
    uint32_t window, load; /* told with each PING */
    struct session_pings pings;
    struct session_times times;
    uint32_t failures; /* conversations in a row that came to nothing */
    const char *over; /* why the last conversation ended; a constant */
    const char *refusal; /* why the broker would not begin one when it last said so; NULL: it has
                            not since one was open */
    bool reconnect; /* the link is to begin a new connection; it clears this */
    bool opened; /* just opened: no request goes out before the owner has cleared this */
    struct session_failure failure; /* in SESSION_FAILED: why */
    struct session_control control;
    struct session_requests requests;
    struct session_submissions submissions;
    uint64_t frames; /* sent and received so far: does it change, there was something to do */
};

void session_init(struct session *s, const struct session_options *options, uint64_t now_ms);
void session_fini(struct session *s);

/* The options were changed before anything was sent: HELLO is made anew. */
void session_options_changed(struct session *s, uint64_t now_ms);

/* Take in a frame. True if it is one for the owner: then `message` is it, decoded into `arrays`. */
bool session_receive(struct session *s, uint64_t now_ms, const void *frame, size_t size,
    struct message *message, struct message_arrays *arrays);

/* Has the broker, by its last WELCOME, the feature of this name (one of features.def)? */
bool session_has_feature(const struct session *s, const char *name);
/* What comes next needs that feature. If the broker, whose WELCOME has come, lacks it, the session
 * fails with STINT_UNSUPPORTED and a detail that names it, and false is returned. */
bool session_needs_feature(struct session *s, const char *name);

/* Bytes move, though no frame is whole yet: as good as hearing the broker. */
void session_progress(struct session *s, uint64_t now_ms);
/* Did bytes move a moment ago? Then it is too early to give up on what is on its way. */
bool session_moves(const struct session *s, uint64_t now_ms);
/* Has nothing been heard for so long that it is worth a look whether bytes move? */
bool session_wonders(const struct session *s, uint64_t now_ms);

/* The other side let no conversation begin: this one need not be waited for. `why` is a constant.
 */
void session_refused(struct session *s, uint64_t now_ms, const char *why);

/* Time passes. */
void session_tick(struct session *s, uint64_t now_ms);
/* When to call session_tick next. */
uint64_t session_wake_ms(const struct session *s);

/* The next frame to send, or an empty slice; call session_sent after it went. Requests wait for
 * SESSION_OPEN, and, if `hold` is set, longer (a worker claims first). */
struct slice session_output(struct session *s, bool hold);
void session_sent(struct session *s);

/* Queue a frame of our own, such as CLAIM or BYE, before all requests. It is not sent again. False
 * if there is no room now. */
bool session_control(struct session *s, const struct pack_buffer *frame);

/* Tell the window now. All that the broker sent before it heard of it has arrived when
 * session_answered says so: then no PING is without its PONG, or the conversation is over. */
void session_tell_window(struct session *s);
bool session_answered(const struct session *s);

/* Make a request: write its frame to request->frame, then add it. */
struct request *session_request_new(enum message_type type, uint64_t number);
void session_request_add(struct session *s, struct request *request);
struct request *session_request(struct session *s, enum message_type type, uint64_t number);
void session_request_end(struct session *s, struct request **request);

/* Send this one again, after the others. */
void session_request_again(struct session *s, struct request *request);

/* Send all submissions again: the broker has missed one. */
void session_resubmit(struct session *s);

/* Begin a new conversation on a new connection, under another id unless it is NULL. What was said
 * in the old one, by either side, and has not arrived yet is not heard: so WELCOME tells for
 * certain what the broker has of this session. */
void session_renew(struct session *s, uint64_t now_ms, const uint8_t id[SESSION_BYTES]);

#endif
