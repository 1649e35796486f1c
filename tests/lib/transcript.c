/* Conversations as text; the contract is in transcript.h. A table a message says which keys there
 * are, what they are called, and how each is shown.
 */
#include "transcript.h"

#include "id.h"
#include "message.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAMED_MAX = 64, NAMED_BYTES = 32, PEERS_MAX = 64 };

/* Values that are called by the order of their coming. */
struct named {
    uint8_t values[NAMED_MAX][NAMED_BYTES];
    size_t sizes[NAMED_MAX];
    unsigned count;
};

struct transcript {
    FILE *out;
    char *text;
    size_t size;
    uint64_t now_ms, wall_ms; /* of the beginning */
    struct named sessions, tokens, cursors;
    enum message_role roles[PEERS_MAX]; /* as their HELLO said */
    char problem[200];
};

/* One message on its way from its bytes to its line. */
struct showing {
    struct transcript *t;
    struct pack_reader r;
    FILE *out;
    uint32_t peer;
    const char *field; /* read last, by name */
};

typedef void shower(struct showing *s);

struct field {
    uint64_t key;
    const char *name; /* NULL: the end of the table */
    shower *show;
};

static void
complain(struct showing *s, const char *what, const char *where, uint64_t number)
{
    if (!s->t->problem[0])
        (void)snprintf(s->t->problem, sizeof s->t->problem, "%s %" PRIu64 " in %s", what, number,
            where && *where ? where : "the message");
    s->r.bad = true;
}

/* The number of a value, from 0; it gets one if it is new. */
static unsigned
number_of(struct named *n, const void *value, size_t size)
{
    for (unsigned i = 0; i < n->count; i++)
        if (n->sizes[i] == size && memcmp(n->values[i], value, size) == 0)
            return i;
    assert(n->count < NAMED_MAX && size <= NAMED_BYTES);
    memcpy(n->values[n->count], value, size);
    n->sizes[n->count] = size;
    return n->count++;
}

/* Values */

static void
show_uint(struct showing *s)
{
    (void)fprintf(s->out, "%" PRIu64, pack_uint(&s->r));
}

static void
show_bool(struct showing *s)
{
    (void)fputs(pack_bool(&s->r) ? "true" : "false", s->out);
}

static void
show_time(struct showing *s)
{
    (void)fprintf(s->out, "@%" PRId64, (int64_t)(pack_uint(&s->r) - s->t->wall_ms));
}

static void
show_quoted(struct showing *s, struct slice text)
{
    (void)fputc('"', s->out);
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' || text.data[i] > '~' || strchr("\"\\", text.data[i]))
            (void)fprintf(s->out, "\\x%02x", text.data[i]);
        else
            (void)fputc(text.data[i], s->out);
    (void)fputc('"', s->out);
}

static void
show_text(struct showing *s)
{
    show_quoted(s, pack_text(&s->r));
}

static void
show_name(struct showing *s)
{
    struct slice name = pack_text(&s->r);
    (void)fprintf(s->out, "%.*s", (int)name.size, (const char *)name.data);
}

/* The readers take str for bytes; the difference is shown all the same. */
static void
show_bytes(struct showing *s)
{
    bool is_bin = pack_left(&s->r) > 0 && *s->r.at >= 0xc4 && *s->r.at <= 0xc6;
    struct slice bytes = pack_bytes(&s->r);
    if (!is_bin)
        (void)fputs("str ", s->out);
    show_quoted(s, bytes);
}

static void
show_id(struct showing *s)
{
    char text[STINT_ID_TEXT_BYTES];
    struct stint_id id = {{0}};
    struct slice bytes = pack_bytes(&s->r);
    if (!s->r.bad && bytes.size != STINT_ID_BYTES)
        complain(s, "an id of bytes:", s->field, bytes.size);
    else if (!s->r.bad)
        memcpy(id.bytes, bytes.data, STINT_ID_BYTES);
    (void)fputs(stint_id_format(&id, text), s->out);
}

static void
show_session(struct showing *s)
{
    struct slice session = pack_bytes(&s->r);
    if (!s->r.bad && session.size != SESSION_BYTES)
        complain(s, "a session of bytes:", s->field, session.size);
    else if (!s->r.bad)
        (void)fputc('A' + (int)number_of(&s->t->sessions, session.data, session.size), s->out);
}

static void
show_token(struct showing *s)
{
    uint64_t token = pack_uint(&s->r);
    (void)fprintf(s->out, "%u", token ? 1 + number_of(&s->t->tokens, &token, sizeof token) : 0);
}

static void
show_cursor(struct showing *s)
{
    struct slice cursor = pack_bytes(&s->r);
    if (!s->r.bad)
        (void)fprintf(s->out, "%u", 1 + number_of(&s->t->cursors, cursor.data, cursor.size));
}

/* Numbers that have names; one that has none is shown as it is. */

static void
show_known(struct showing *s, const char *name, uint64_t value)
{
    if (name)
        (void)fputs(name, s->out);
    else
        (void)fprintf(s->out, "%" PRIu64, value);
}

static const char *
status_name(uint64_t value)
{
    const char *name = stint_status_name((enum stint_status)value);
    return strcmp(name, "UNKNOWN") == 0 ? NULL : name;
}

static const char *
state_name(uint64_t value)
{
    return value < STINT_STATES ? stint_state_name((enum stint_state)value) : NULL;
}

static const char *
event_name(uint64_t value)
{
    return value >= STINT_EVENT_SUBMITTED && value <= STINT_EVENT_EXPIRED
        ? stint_event_name((enum stint_event_type)value)
        : NULL;
}

static void
show_status(struct showing *s)
{
    uint64_t value = pack_uint(&s->r);
    show_known(s, status_name(value), value);
}

static void
show_state(struct showing *s)
{
    uint64_t value = pack_uint(&s->r);
    const char *name = value < STINT_STATES ? stint_state_name((enum stint_state)value) : NULL;
    show_known(s, name, value);
}

static void
show_why(struct showing *s)
{
    (void)fputs(stint_why_name((enum stint_why)pack_uint(&s->r)), s->out);
}

static void
show_event(struct showing *s)
{
    uint64_t value = pack_uint(&s->r);
    show_known(s, event_name(value), value);
}

static void
show_type(struct showing *s)
{
    uint64_t value = pack_uint(&s->r);
    bool known = strcmp(message_name((enum message_type)value), "UNKNOWN") != 0;
    show_known(s, known ? message_name((enum message_type)value) : NULL, value);
}

/* A number from 1 on, by its name; NULL ends the names. */
static void
show_one_of(struct showing *s, const char *const *names)
{
    uint64_t value = pack_uint(&s->r), i = 1;
    while (names[i - 1] && i < value)
        i++;
    show_known(s, i == value ? names[i - 1] : NULL, value);
}

#define NAMES(what, ...) \
    static void show_##what(struct showing *s) \
    { \
        static const char *const names[] = {__VA_ARGS__, NULL}; \
        show_one_of(s, names); \
    }

NAMES(outcome, "succeeded", "failed", "dead", "snoozed", "returned", "unable")
NAMES(action, "resize", "pause", "resume", "drain", "stop")
NAMES(target, "all", "worker", "label")
NAMES(leave, "drain", "stop")

static void
show_role(struct showing *s)
{
    uint64_t value = pack_uint(&s->r);
    s->t->roles[s->peer] = (enum message_role)value;
    show_known(s, value == ROLE_CLIENT ? "client" : value == ROLE_WORKER ? "worker" : NULL, value);
}

static void
show_bits(struct showing *s, const char *(*name)(uint64_t bit))
{
    uint64_t bits = pack_uint(&s->r);
    if (bits == 0)
        (void)fputs("all", s->out);
    for (uint64_t bit = 0; bits >> bit; bit++)
        if (bits >> bit & 1) {
            show_known(s, name(bit), bit);
            (void)fputs(bits >> bit > 1 ? "+" : "", s->out);
        }
}

static void
show_states(struct showing *s)
{
    show_bits(s, state_name);
}

static void
show_event_types(struct showing *s)
{
    show_bits(s, event_name);
}

static void
show_parts(struct showing *s)
{
    static const char *const names[] = {"none", "payload", "result", "payload+result"};
    uint64_t value = pack_uint(&s->r);
    show_known(s, value < sizeof names / sizeof *names ? names[value] : NULL, value);
}

/* Containers */

static void
show_field(struct showing *s, const struct field *f, bool first)
{
    (void)fprintf(s->out, "%s%s ", first ? "" : ", ", f->name);
    s->field = f->name;
    f->show(s);
}

static const struct field *
find_field(const struct field *fields, uint64_t key)
{
    for (; fields->name; fields++)
        if (fields->key == key)
            return fields;
    return NULL;
}

/* The pairs of a map that were not read yet. */
static void
show_pairs(struct showing *s, const struct field *fields, uint32_t pairs, int64_t last)
{
    const char *inside = s->field;
    for (uint32_t i = 0; i < pairs && !s->r.bad; i++) {
        uint64_t key = pack_key(&s->r, &last);
        const struct field *f = find_field(fields, key);
        if (s->r.bad)
            break;
        if (!f)
            complain(s, "unknown key", inside, key);
        else
            show_field(s, f, i == 0);
    }
}

static void
show_map(struct showing *s, const struct field *fields)
{
    (void)fputc('{', s->out);
    show_pairs(s, fields, pack_map(&s->r), -1);
    (void)fputc('}', s->out);
}

/* Elements of an array that was begun, which have their names by position; those at the end may be
 * absent. */
static void
show_elements(struct showing *s, const struct field *fields, uint32_t elements)
{
    const char *inside = s->field;
    (void)fputc('{', s->out);
    for (uint32_t i = 0; i < elements && !s->r.bad; i++, fields++)
        if (!fields->name) {
            complain(s, "unknown element", inside, i);
            break;
        } else
            show_field(s, fields, i == 0);
    (void)fputc('}', s->out);
}

static void
show_tuple(struct showing *s, const struct field *fields)
{
    show_elements(s, fields, pack_array(&s->r));
}

static void
show_list(struct showing *s, shower *show)
{
    const char *inside = s->field;
    uint32_t elements = pack_array(&s->r);
    (void)fputc('[', s->out);
    for (uint32_t i = 0; i < elements && !s->r.bad; i++) {
        if (i > 0)
            (void)fputs(", ", s->out);
        s->field = inside;
        show(s);
    }
    (void)fputc(']', s->out);
}

/* `FIELDS(lease, tuple, {0, "id", show_id}, ...)` makes show_lease, which shows one, and
 * show_lease_list. */
#define LIST(what) \
    static void show_##what##_list(struct showing *s) \
    { \
        show_list(s, show_##what); \
    }
#define FIELDS(what, container, ...) \
    static void show_##what(struct showing *s) \
    { \
        static const struct field fields[] = {__VA_ARGS__, {0, NULL, NULL}}; \
        show_##container(s, fields); \
    }

/* clang-format off */
LIST(name)
LIST(id)
LIST(status)
LIST(uint) /* by state, from unknown on */

FIELDS(broker, tuple, {0, "number", show_uint}, {0, "endpoint", show_text})
LIST(broker)

#include "transcript_after.h"
FIELDS(ended, tuple,
    {0, "attempt", show_uint}, {0, "end", show_uint}, {0, "started", show_time},
    {0, "ended", show_time}, {0, "worker", show_text}, {0, "error", show_bytes})
LIST(ended)
#include "transcript_jobs.h"

FIELDS(run, tuple, {0, "id", show_id}, {0, "n", show_uint}, {0, "met", show_uint})
LIST(run)

FIELDS(dispatched, map, {1, "id", show_id}, {2, "attempt", show_uint}, {3, "kind", show_name},
    {4, "payload", show_bytes}, {5, "max_attempts", show_uint}, {6, "time_to_run_ms", show_uint},
    {7, "submitted", show_time}, {8, "confirm", show_bool}, {9, "after", show_joined_ids},
    {10, "needs", show_text},
    {11, "group", show_text}, {13, "batch", show_uint}, {14, "counts", show_uint_list})
LIST(dispatched)

#include "transcript_joint.h"
FIELDS(settled_outcome, tuple,
    {0, "id", show_id}, {0, "attempt", show_uint}, {0, "outcome", show_outcome},
    {0, "body", show_bytes}, {0, "delay_ms", show_uint}, {0, "extra", show_bytes},
    {0, "joint", show_joint})
LIST(settled_outcome)

FIELDS(exception, tuple, {0, "index", show_uint}, {0, "status", show_status})
LIST(exception)

FIELDS(settled, tuple, {0, "number", show_uint}, {0, "exceptions", show_exception_list})
LIST(settled)

FIELDS(claim, tuple, {0, "id", show_id}, {0, "attempt", show_uint}, {0, "begun", show_uint})
LIST(claim)

FIELDS(lease, tuple, {0, "id", show_id}, {0, "attempt", show_uint}, {0, "status", show_status})
LIST(lease)

LIST(info)

#include "transcript_fleet.h"
#include "transcript_bulk.h"
FIELDS(told_event, tuple,
    {0, "event", show_event}, {0, "id", show_id}, {0, "at", show_time}, {0, "count", show_uint},
    {0, "queue", show_name}, {0, "schedule", show_name})
LIST(told_event)
/* clang-format on */
#include "transcript_figures.h"

/* An element of a SUBMIT's jobs is a payload, or a job. */
static void
show_submitted_job(struct showing *s)
{
    if (pack_is_bytes(&s->r))
        show_bytes(s);
    else
        show_spec(s);
}
LIST(submitted_job)

/* [number, 0, runs], or [number, status, index, detail] */
static void
show_answer(struct showing *s)
{
    static const struct field accepted[] = {{0, "number", show_uint}, {0, "status", show_status},
        {0, "runs", show_run_list}, {0, NULL, NULL}};
    static const struct field refused[] = {{0, "number", show_uint}, {0, "status", show_status},
        {0, "index", show_uint}, {0, "detail", show_text}, {0, NULL, NULL}};
    uint32_t elements = pack_array(&s->r);
    struct pack_reader ahead = s->r;
    pack_skip(&ahead);
    show_elements(s, pack_uint(&ahead) == STINT_OK ? accepted : refused, elements);
}
LIST(answer)

/* Messages: key 0 is the type, and key 1 the number in all that have one. */

#define NUMBER \
    { \
        1, "number", show_uint \
    }
#define END \
    { \
        0, NULL, NULL \
    }
#define MESSAGE(name, ...) static const struct field name##_fields[] = {__VA_ARGS__, END};
#define STAT_KEY(field) STAT_##field,
#define STAT(field) {STAT_##field, #field, show_uint},

enum { STATS_BEFORE = 1, STINT_STATS_FIELDS(STAT_KEY) };

/* clang-format off */
MESSAGE(HELLO, {2, "version_min", show_uint}, {3, "version_max", show_uint}, {4, "role", show_role},
    {5, "session", show_session}, {6, "name", show_text}, {7, "software", show_text},
    {8, "slots", show_uint}, {9, "window", show_uint}, {10, "queues", show_name_list},
    {11, "kinds", show_name_list}, {12, "labels", show_name_list}, {13, "cores", show_uint},
    {14, "prefixes", show_name_list}, {15, "has", show_text}, NUMBER)
MESSAGE(WELCOME, {2, "version", show_uint}, {3, "epoch", show_uint}, {4, "broker", show_uint},
    {5, "heartbeat_ms", show_uint}, {6, "lost_ms", show_uint}, {7, "message_bytes", show_uint},
    {8, "payload_bytes", show_uint}, {9, "result_bytes", show_uint}, {10, "submission", show_uint},
    {11, "brokers", show_broker_list}, {12, "software", show_text},
    {13, "features", show_name_list}, NUMBER)
MESSAGE(PING, NUMBER, {2, "window", show_uint}, {3, "token", show_token}, {4, "slots", show_uint},
    {5, "load", show_uint})
MESSAGE(PONG, NUMBER, {2, "token", show_token})
MESSAGE(BYE, NUMBER)
MESSAGE(ERROR, NUMBER, {2, "status", show_status}, {3, "detail", show_text},
    {4, "about", show_type}, {5, "endpoint", show_text})
MESSAGE(SUBMIT, NUMBER, {2, "acked", show_uint}, {3, "common", show_spec},
    {4, "jobs", show_submitted_job_list})
MESSAGE(SUBMITTED, NUMBER, {2, "answers", show_answer_list})
MESSAGE(DISPATCH, NUMBER, {2, "queue", show_name}, {3, "jobs", show_dispatched_list})
MESSAGE(SETTLE, NUMBER, {2, "outcomes", show_settled_outcome_list}, {3, "window", show_uint})
MESSAGE(SETTLED, NUMBER, {2, "answers", show_settled_list})
MESSAGE(CLAIM, NUMBER, {2, "leases", show_claim_list}, {3, "more", show_bool})
MESSAGE(CLAIMED, NUMBER, {2, "refused", show_lease_list})
MESSAGE(STARTED, NUMBER, {2, "leases", show_lease_list})
MESSAGE(PROGRESS, {2, "told", show_told_list}, NUMBER)
MESSAGE(RECALL, NUMBER, {2, "count", show_uint}, {3, "queue", show_name})
MESSAGE(REVOKE, NUMBER, {2, "leases", show_lease_list})
MESSAGE(CONFIRMED, NUMBER, {2, "refused", show_lease_list})
MESSAGE(WAIT, NUMBER, {2, "ids", show_id_list}, {3, "results", show_bool},
    {4, "progress", show_bool}, {5, "output", show_bool})
MESSAGE(SHOW, NUMBER, {2, "leases", show_shown_list})
MESSAGE(WROTE, {2, "pieces", show_piece_list}, NUMBER)
MESSAGE(OUTPUT, {2, "pieces", show_piece_list}, NUMBER)
MESSAGE(OUTCOMES, NUMBER, {2, "jobs", show_info_list}, {3, "cursor", show_cursor})
MESSAGE(GET, NUMBER, {2, "ids", show_id_list}, {3, "parts", show_parts}, {4, "attempts", show_bool})
MESSAGE(JOBS, NUMBER, {2, "jobs", show_info_list}, {3, "cursor", show_cursor})
MESSAGE(LIST, NUMBER, {2, "queue", show_name}, {3, "states", show_states}, {4, "kind", show_name},
    {5, "cursor", show_cursor}, {6, "limit", show_uint}, {7, "filter", show_term_list})
MESSAGE(CANCEL, NUMBER, {2, "ids", show_id_list})
MESSAGE(RETRY, NUMBER, {2, "ids", show_id_list})
MESSAGE(CHANGE, NUMBER, {2, "ids", show_id_list}, {3, "to", show_spec}, {4, "delay_ms", show_uint})
MESSAGE(DELETE, NUMBER, {2, "ids", show_id_list})
MESSAGE(ANSWERS, NUMBER, {2, "statuses", show_status_list})
MESSAGE(LIST_WORKERS, NUMBER, {2, "cursor", show_cursor})
MESSAGE(WORKERS, NUMBER, {2, "workers", show_worker_list}, {3, "cursor", show_cursor})
MESSAGE(GET_STATS, NUMBER)
MESSAGE(STATS, NUMBER, STINT_STATS_FIELDS(STAT) {64, "jobs", show_uint_list},
    {65, "totals", show_uint_list})
MESSAGE(SUBSCRIBE, NUMBER, {2, "queue", show_name}, {3, "events", show_event_types},
    {4, "ids", show_id_list})
MESSAGE(UNSUBSCRIBE, NUMBER)
MESSAGE(EVENTS, NUMBER, {2, "events", show_told_event_list})
MESSAGE(CONTROL, NUMBER, {2, "action", show_action}, {3, "target", show_target},
    {4, "name", show_text}, {5, "slots", show_uint})
MESSAGE(CONTROLLED, NUMBER, {2, "met", show_uint})
MESSAGE(ORDER, {2, "slots", show_uint}, {3, "paused", show_bool}, {4, "leave", show_leave}, NUMBER)
MESSAGE(SET_FLEET, NUMBER, {2, "slots", show_uint})
MESSAGE(GET_FLEET, NUMBER)
MESSAGE(FLEET, NUMBER, {2, "slots", show_uint}, {3, "workers", show_uint}, {4, "cores", show_uint},
    {5, "given", show_uint})
MESSAGE(LIST_RUNNING, NUMBER, {2, "cursor", show_cursor}, {3, "worker", show_text})
MESSAGE(RUNNING, NUMBER, {2, "jobs", show_running_list}, {3, "cursor", show_cursor})
#include "transcript_queues.h"
MESSAGE(WHY, NUMBER, {2, "queue", show_name}, {3, "ids", show_id_list})
MESSAGE(REASONS, NUMBER, {2, "reasons", show_reason_list}, {3, "cursor", show_cursor})
#include "transcript_feed.h"
MESSAGE(LIST_FIGURES, NUMBER, {2, "cursor", show_cursor}, {3, "queues", show_name},
    {4, "parts", show_uint})
MESSAGE(FIGURES, NUMBER, {2, "figures", show_figures_list}, {3, "cursor", show_cursor})
MESSAGE(PEEK, NUMBER, {2, "queue", show_name}, {3, "offset", show_uint}, {4, "limit", show_uint},
    {5, "parts", show_parts}, {6, "cursor", show_cursor})
BULK_MESSAGES
/* clang-format on */

static const struct field *
fields_of(uint64_t type)
{
    switch (type) {
#define X(number, name, sender, decoder) \
    case MESSAGE_##name: \
        return name##_fields;
#include "message.def"
#undef X
    default:
        return NULL;
    }
}

/* Lines */

static const char *
peer_name(const struct transcript *t, uint32_t peer, char name[24])
{
    const char *role = t->roles[peer] == ROLE_CLIENT ? "client"
        : t->roles[peer] == ROLE_WORKER              ? "worker"
                                                     : "peer";
    (void)snprintf(name, 24, "%s %u", role, (unsigned)peer);
    return name;
}

struct transcript *
transcript_new(uint64_t now_ms, uint64_t wall_ms)
{
    struct transcript *t = calloc(1, sizeof *t);
    assert(t);
    t->now_ms = now_ms;
    t->wall_ms = wall_ms;
    t->out = open_memstream(&t->text, &t->size);
    assert(t->out);
    return t;
}

void
transcript_destroy(struct transcript **transcript)
{
    struct transcript *t = *transcript;
    if (!t)
        return;
    (void)fclose(t->out);
    free(t->text);
    free(t);
    *transcript = NULL;
}

/* Writes type and fields to s->out. */
static void
show_message(struct showing *s)
{
    int64_t last = -1;
    uint32_t pairs = pack_map(&s->r);
    uint64_t key = pack_key(&s->r, &last), type = pack_uint(&s->r);
    const struct field *fields = s->r.bad || key != 0 ? NULL : fields_of(type);
    if (!fields) {
        complain(s, "no message; a type of", "a frame", type);
        return;
    }
    s->field = message_name((enum message_type)type);
    (void)fprintf(s->out, "%s%s", s->field, pairs > 1 ? "  " : "");
    show_pairs(s, fields, pairs - 1, last);
    if (s->r.bad || s->r.at != s->r.end)
        complain(s, "a value that is cut, of another type, or too long, with bytes left:", s->field,
            pack_left(&s->r));
}

const char *
transcript_message(
    struct transcript *t, uint64_t now_ms, uint32_t peer, bool by_peer, struct slice frame)
{
    char *line = NULL, name[24];
    size_t size;
    assert(peer < PEERS_MAX);
    struct showing s = {
        .t = t, .r = pack_reader(frame.data, frame.size), .peer = peer, .field = ""};
    t->problem[0] = '\0';
    s.out = open_memstream(&line, &size);
    assert(s.out);
    show_message(&s); /* before the name: a HELLO says who the peer is */
    (void)fclose(s.out);
    (void)peer_name(t, peer, name);
    (void)fprintf(t->out, "%6" PRIu64 "  %-9s -> %-9s  %s\n", now_ms - t->now_ms,
        by_peer ? name : "broker", by_peer ? "broker" : name, line);
    free(line);
    return t->problem[0] ? t->problem : NULL;
}

void
transcript_event(struct transcript *t, uint64_t now_ms, uint32_t peer, const char *what)
{
    char name[24];
    assert(peer < PEERS_MAX);
    (void)fprintf(
        t->out, "%6" PRIu64 "  %s %s\n", now_ms - t->now_ms, peer_name(t, peer, name), what);
}

void
transcript_say(struct transcript *t, const char *sentence)
{
    (void)fprintf(t->out, "%s%s\n", ftell(t->out) > 0 ? "\n" : "", sentence);
}

const char *
transcript_text(struct transcript *t)
{
    (void)fflush(t->out);
    return t->text;
}
