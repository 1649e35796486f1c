/* How a conversation opens, lives and ends: HELLO, WELCOME, PING, PONG, ERROR. (BYE is nothing but
 * a number.)
 */
#include "message_fields.h"
#include "pattern.h"

enum hello_key {
    HELLO_VERSION_MIN = 2,
    HELLO_VERSION_MAX = 3,
    HELLO_ROLE = 4,
    HELLO_SESSION = 5,
    HELLO_NAME = 6,
    HELLO_SOFTWARE = 7,
    HELLO_SLOTS = 8,
    HELLO_WINDOW = 9,
    HELLO_QUEUES = 10,
    HELLO_KINDS = 11,
    HELLO_LABELS = 12,
    HELLO_CORES = 13,
    HELLO_PREFIXES = 14,
    HELLO_HAS = 15,
};

static uint32_t
read_names(struct decoding *d, struct slice *names, uint32_t max, const char *why)
{
    uint32_t count = decoding_counted(d, max, why);
    for (uint32_t i = 0; i < count && !d->r.bad; i++)
        names[i] = decoding_name(d);
    return count;
}

static uint32_t
read_prefixes(struct decoding *d, struct slice *prefixes)
{
    uint32_t count =
        decoding_counted(d, LIMIT_PREFIXES, "a worker serves queues by at most 64 prefixes");
    for (uint32_t i = 0; i < count && !d->r.bad; i++) {
        prefixes[i] = pack_text(&d->r);
        if (!d->r.bad && !prefix_is_valid(prefixes[i]))
            decoding_complain(
                d, STINT_BAD_NAME, "a prefix is how names of queues begin, and a `*` behind it");
    }
    return count;
}

static struct slice
read_has(struct decoding *d)
{
    char written[LIMIT_HAS_BYTES + 1];
    size_t size;
    struct slice text = pack_text(&d->r);
    const char *why =
        d->r.bad || text.size == 0 ? NULL : needs_write(NEEDS_OF_WORKER, text, written, &size);
    if (why)
        decoding_complain(d, STINT_INVALID, why);
    return text;
}

void
hello_field(struct decoding *d, uint64_t key)
{
    struct hello *h = &d->m->hello;
    switch (key) {
    case HELLO_VERSION_MIN:
        h->version_min = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case HELLO_VERSION_MAX:
        h->version_max = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case HELLO_ROLE:
        h->role =
            (enum message_role)decoding_ranged(d, 1, 2, "the role is 1 (client) or 2 (worker)");
        break;
    case HELLO_SESSION:
        decoding_fixed(d, h->session, SESSION_BYTES, "a session has 16 bytes");
        break;
    case HELLO_NAME:
        h->name = decoding_label(d);
        break;
    case HELLO_SOFTWARE:
        h->software = decoding_label(d);
        break;
    case HELLO_SLOTS:
        h->slots = (uint32_t)decoding_ranged(d, 0, LIMIT_WINDOW, "slots are 0 to 65536");
        break;
    case HELLO_WINDOW:
        h->window = (uint32_t)decoding_ranged(d, 0, LIMIT_WINDOW, "the window is 0 to 65536");
        break;
    case HELLO_QUEUES:
        h->queues = read_names(
            d, d->arrays->names.queues, LIMIT_QUEUES_SERVED, "a worker serves at most 256 queues");
        break;
    case HELLO_KINDS:
        h->kinds =
            read_names(d, d->arrays->names.kinds, LIMIT_KINDS, "a worker names at most 64 kinds");
        break;
    case HELLO_LABELS:
        h->labels =
            read_names(d, d->arrays->names.labels, LIMIT_LABELS, "a worker has at most 16 labels");
        break;
    case HELLO_PREFIXES:
        h->prefixes = read_prefixes(d, d->arrays->names.prefixes);
        break;
    case HELLO_HAS:
        h->has = read_has(d);
        break;
    case HELLO_CORES:
        h->cores = (uint32_t)decoding_ranged(d, 0, LIMIT_CORES, "a machine has 0 to 65536 cores");
        break;
    default:
        pack_skip(&d->r);
    }
}

void
message_put_hello(struct pack_buffer *b, const struct hello *h, const struct slice *queues,
    const struct slice *kinds, const struct slice *labels)
{
    bool worker = h->role == ROLE_WORKER;
    put_head(b, MESSAGE_HELLO,
        worker ? 9U + (h->kinds > 0) + (h->labels > 0) + (h->cores > 0) + (h->prefixes > 0) +
                (h->has.size > 0)
               : 6);
    pack_put_key_uint(b, HELLO_VERSION_MIN, h->version_min);
    pack_put_key_uint(b, HELLO_VERSION_MAX, h->version_max);
    pack_put_key_uint(b, HELLO_ROLE, h->role);
    put_key_bytes(b, HELLO_SESSION, h->session, SESSION_BYTES);
    put_key_text(b, HELLO_NAME, h->name);
    put_key_text(b, HELLO_SOFTWARE, h->software);
    if (!worker)
        return;
    pack_put_key_uint(b, HELLO_SLOTS, h->slots);
    pack_put_key_uint(b, HELLO_WINDOW, h->window);
    put_names(b, HELLO_QUEUES, queues, h->queues);
    if (h->kinds)
        put_names(b, HELLO_KINDS, kinds, h->kinds);
    if (h->labels)
        put_names(b, HELLO_LABELS, labels, h->labels);
    if (h->cores)
        pack_put_key_uint(b, HELLO_CORES, h->cores);
    if (h->prefixes)
        put_names(b, HELLO_PREFIXES, queues + h->queues, h->prefixes);
    if (h->has.size)
        put_key_text(b, HELLO_HAS, h->has);
}

enum welcome_key {
    WELCOME_VERSION = 2,
    WELCOME_EPOCH = 3,
    WELCOME_BROKER = 4,
    WELCOME_HEARTBEAT = 5,
    WELCOME_LOST = 6,
    WELCOME_MESSAGE_BYTES = 7,
    WELCOME_PAYLOAD_BYTES = 8,
    WELCOME_RESULT_BYTES = 9,
    WELCOME_SUBMISSION = 10,
    WELCOME_BROKERS = 11,
    WELCOME_SOFTWARE = 12,
    WELCOME_FEATURES = 13,
};

static const char *const feature_names[] = {
#define X(NAME, name) name,
#include "features.def"
#undef X
};

uint64_t
feature_bit(struct slice name)
{
    for (unsigned i = 0; i < FEATURES_COUNT; i++)
        if (name.size == strlen(feature_names[i]) &&
            memcmp(name.data, feature_names[i], name.size) == 0)
            return UINT64_C(1) << i;
    return 0;
}

/* Those that only a newer broker has mean nothing to us. */
static uint64_t
read_features(struct decoding *d)
{
    uint64_t features = 0;
    for (uint32_t n = pack_array(&d->r); n > 0 && !d->r.bad; n--) {
        struct slice name = pack_text(&d->r);
        features |= d->r.bad ? 0 : feature_bit(name);
    }
    return features;
}

static void
put_features(struct pack_buffer *b, uint64_t features)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < FEATURES_COUNT; i++)
        count += (uint32_t)(features >> i & 1);
    put_key_array(b, WELCOME_FEATURES, count);
    for (unsigned i = 0; i < FEATURES_COUNT; i++)
        if (features >> i & 1)
            pack_put_string(b, feature_names[i]);
}

static void
read_brokers(struct decoding *d)
{
    struct welcome *w = &d->m->welcome;
    w->brokers = decoding_counted(d, 64, "over 64 brokers in the map");
    for (uint32_t i = 0; i < w->brokers && !d->r.bad; i++) {
        uint32_t elements = pack_array(&d->r);
        d->arrays->brokers[i].number = (uint16_t)pack_uint_max(&d->r, UINT16_MAX);
        d->arrays->brokers[i].endpoint = pack_text(&d->r);
        decoding_skip_rest(d, 2, elements);
    }
}

void
welcome_field(struct decoding *d, uint64_t key)
{
    struct welcome *w = &d->m->welcome;
    switch (key) {
    case WELCOME_VERSION:
        w->version = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case WELCOME_EPOCH:
        w->epoch = pack_uint(&d->r);
        break;
    case WELCOME_BROKER:
        w->broker = (uint16_t)pack_uint_max(&d->r, UINT16_MAX);
        break;
    case WELCOME_HEARTBEAT:
        w->heartbeat_ms =
            (uint32_t)decoding_ranged(d, 1, UINT32_MAX / 4, "the heartbeat is at least 1 ms");
        break;
    case WELCOME_LOST:
        w->lost_ms =
            (uint32_t)decoding_ranged(d, 1, UINT32_MAX / 4, "the lost time is at least 1 ms");
        break;
    case WELCOME_MESSAGE_BYTES:
        w->message_bytes = pack_uint(&d->r);
        break;
    case WELCOME_PAYLOAD_BYTES:
        w->payload_bytes = pack_uint(&d->r);
        break;
    case WELCOME_RESULT_BYTES:
        w->result_bytes = pack_uint(&d->r);
        break;
    case WELCOME_SUBMISSION:
        w->submission = pack_uint(&d->r);
        break;
    case WELCOME_BROKERS:
        read_brokers(d);
        break;
    case WELCOME_SOFTWARE:
        w->software = decoding_label(d);
        break;
    case WELCOME_FEATURES:
        w->features = read_features(d);
        break;
    default:
        pack_skip(&d->r);
    }
}

void
message_put_welcome(
    struct pack_buffer *b, const struct welcome *w, const struct broker_ref *brokers)
{
    put_head(b, MESSAGE_WELCOME, 11U + (w->features != 0));
    pack_put_key_uint(b, WELCOME_VERSION, w->version);
    pack_put_key_uint(b, WELCOME_EPOCH, w->epoch);
    pack_put_key_uint(b, WELCOME_BROKER, w->broker);
    pack_put_key_uint(b, WELCOME_HEARTBEAT, w->heartbeat_ms);
    pack_put_key_uint(b, WELCOME_LOST, w->lost_ms);
    pack_put_key_uint(b, WELCOME_MESSAGE_BYTES, w->message_bytes);
    pack_put_key_uint(b, WELCOME_PAYLOAD_BYTES, w->payload_bytes);
    pack_put_key_uint(b, WELCOME_RESULT_BYTES, w->result_bytes);
    pack_put_key_uint(b, WELCOME_SUBMISSION, w->submission);
    put_key_array(b, WELCOME_BROKERS, w->brokers);
    for (uint32_t i = 0; i < w->brokers; i++) {
        pack_put_array(b, 2);
        pack_put_uint(b, brokers[i].number);
        pack_put_text(b, brokers[i].endpoint.data, brokers[i].endpoint.size);
    }
    put_key_text(b, WELCOME_SOFTWARE, w->software);
    if (w->features)
        put_features(b, w->features);
}

enum ping_key {
    PING_WINDOW = 2,
    PING_TOKEN = 3,
    PING_SLOTS = 4,
    PING_LOAD = 5,
};

void
ping_field(struct decoding *d, uint64_t key)
{
    if (key == PING_WINDOW)
        d->m->ping.window =
            (uint32_t)decoding_ranged(d, 0, LIMIT_WINDOW, "the window is 0 to 65536");
    else if (key == PING_TOKEN)
        d->m->ping.token = pack_uint(&d->r);
    else if (key == PING_SLOTS)
        d->m->ping.slots = (uint32_t)decoding_ranged(d, 0, LIMIT_WINDOW, "slots are 0 to 65536");
    else if (key == PING_LOAD)
        d->m->ping.load = (uint32_t)decoding_ranged(
            d, 0, 100ULL * LIMIT_CORES, "the load is at most that of 65536 cores");
    else
        pack_skip(&d->r);
}

void
message_put_worker_ping(struct pack_buffer *b, uint64_t number, const struct ping *p)
{
    uint32_t fields = 1U + (p->window != WINDOW_UNCHANGED) + (p->token != 0) +
        (p->slots != SLOTS_UNCHANGED) + (p->load != 0);
    put_head_numbered(b, MESSAGE_PING, fields, number);
    if (p->window != WINDOW_UNCHANGED)
        pack_put_key_uint(b, PING_WINDOW, p->window);
    if (p->token)
        pack_put_key_uint(b, PING_TOKEN, p->token);
    if (p->slots != SLOTS_UNCHANGED)
        pack_put_key_uint(b, PING_SLOTS, p->slots);
    if (p->load)
        pack_put_key_uint(b, PING_LOAD, p->load);
}

void
message_put_ping(struct pack_buffer *b, uint64_t number, uint32_t window, uint64_t token)
{
    const struct ping ping = {.window = window, .slots = SLOTS_UNCHANGED, .token = token};
    message_put_worker_ping(b, number, &ping);
}

enum pong_key { PONG_TOKEN = 2 };

void
pong_field(struct decoding *d, uint64_t key)
{
    if (key == PONG_TOKEN)
        d->m->pong.token = pack_uint(&d->r);
    else
        pack_skip(&d->r);
}

void
message_put_pong(struct pack_buffer *b, uint64_t number, uint64_t token)
{
    put_head_numbered(b, MESSAGE_PONG, 2, number);
    pack_put_key_uint(b, PONG_TOKEN, token);
}

enum error_key {
    ERROR_STATUS = 2,
    ERROR_DETAIL = 3,
    ERROR_ABOUT = 4,
    ERROR_ENDPOINT = 5,
};

void
error_field(struct decoding *d, uint64_t key)
{
    switch (key) {
    case ERROR_STATUS:
        d->m->error.status = (enum stint_status)pack_uint_max(&d->r, UINT16_MAX);
        break;
    case ERROR_DETAIL:
        d->m->error.detail = pack_text(&d->r);
        break;
    case ERROR_ABOUT:
        d->m->error.about = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case ERROR_ENDPOINT:
        d->m->error.endpoint = pack_text(&d->r);
        break;
    default:
        pack_skip(&d->r);
    }
}

void
message_put_error(struct pack_buffer *b, enum message_type about, uint64_t number,
    enum stint_status status, const char *detail, const char *endpoint)
{
    put_head_numbered(b, MESSAGE_ERROR, endpoint ? 5 : 4, number);
    pack_put_key_uint(b, ERROR_STATUS, status);
    put_key_string(b, ERROR_DETAIL, detail);
    pack_put_key_uint(b, ERROR_ABOUT, about);
    if (endpoint)
        put_key_string(b, ERROR_ENDPOINT, endpoint);
}
