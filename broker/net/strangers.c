/* Holding strangers off; the contract is in strangers.h. */
#include "strangers.h"

#include <arpa/inet.h>
#include <string.h>

static bool
is_same(struct stranger_host a, struct stranger_host b)
{
    return a.version == b.version && a.address[0] == b.address[0] && a.address[1] == b.address[1];
}

/* An IPv4 address inside an IPv6 one comes in packets of IPv4. */
static struct stranger_host
host_of(const struct sockaddr_storage *address, uint32_t lower[2])
{
    struct stranger_host host = {0};
    uint32_t words[4] = {0};
    memset(lower, 0, 2 * sizeof *lower);
    if (address->ss_family == AF_INET) {
        host.version = 4;
        words[3] = ((const struct sockaddr_in *)address)->sin_addr.s_addr;
    } else if (address->ss_family == AF_INET6) {
        const struct in6_addr *ip = &((const struct sockaddr_in6 *)address)->sin6_addr;
        host.version = IN6_IS_ADDR_V4MAPPED(ip) ? 4 : 6;
        memcpy(words, ip, sizeof words);
    }
    if (host.version == 4)
        host.address[1] = ntohl(words[3]);
    if (host.version == 6) {
        host.address[0] = ntohl(words[0]);
        host.address[1] = ntohl(words[1]);
        memcpy(lower, words + 2, 2 * sizeof *lower);
    }
    return host;
}

struct stranger_host
stranger_host(const struct sockaddr_storage *there, const struct sockaddr_storage *here)
{
    uint32_t lower[2], own_lower[2];
    struct stranger_host host = host_of(there, lower), own = host_of(here, own_lower);
    if (is_same(host, own) && memcmp(lower, own_lower, sizeof lower) == 0)
        host = (struct stranger_host){0};
    return host;
}

/* A place for a new one: one that nobody has, else of those that are let in the one that fails
 * least. NULL: all are held off. */
static struct stranger *
find_place(struct strangers *s)
{
    struct stranger *least = NULL;
    for (unsigned i = 0; i < STRANGERS_HOSTS; i++) {
        struct stranger *k = &s->all[i];
        if (!k->host.version)
            return k;
        if (k->pass == UINT32_MAX &&
            (!least || k->failed + k->before < least->failed + least->before))
            least = k;
    }
    return least;
}

void
strangers_blame(struct strangers *s, struct stranger_host host)
{
    if (!host.version)
        return;
    for (unsigned i = 0; i < STRANGERS_HOSTS; i++)
        if (is_same(s->all[i].host, host)) {
            s->all[i].failed++;
            return;
        }
    struct stranger *k = find_place(s);
    if (k)
        *k = (struct stranger){.host = host, .failed = 1, .pass = UINT32_MAX};
}

/* How much of a host is let in follows what came of it: only that is seen. */
static bool
judge(struct stranger *k)
{
    uint32_t before = k->pass;
    bool too_many = k->failed > STRANGERS_WINDOW_MAX;
    if (too_many && k->before > STRANGERS_WINDOW_MAX)
        k->pass = (uint32_t)((uint64_t)k->pass * STRANGERS_WINDOW_MAX / k->failed);
    else if (k->failed < STRANGERS_WINDOW_MAX / 2)
        k->pass = k->pass > UINT32_MAX / 2 ? UINT32_MAX : 2 * k->pass + 1;
    bool changed = k->pass != before, over = !k->failed && k->pass == UINT32_MAX;
    k->before = k->failed;
    k->failed = 0;
    if (over)
        *k = (struct stranger){0};
    return changed;
}

bool
strangers_judge(struct strangers *s, uint64_t now_ms)
{
    bool changed = false;
    if (now_ms < s->window_ms)
        return false;
    s->window_ms = now_ms + STRANGERS_WINDOW_MS;
    for (unsigned i = 0; i < STRANGERS_HOSTS; i++)
        if (s->all[i].host.version)
            changed |= judge(&s->all[i]);
    return changed;
}

static bool
is_held(const struct stranger *k)
{
    return k->host.version && k->pass != UINT32_MAX;
}

bool
strangers_any(const struct strangers *s)
{
    for (unsigned i = 0; i < STRANGERS_HOSTS; i++)
        if (s->all[i].host.version)
            return true;
    return false;
}

const struct stranger *
strangers_worst(const struct strangers *s)
{
    const struct stranger *worst = NULL;
    for (unsigned i = 0; i < STRANGERS_HOSTS; i++)
        if (is_held(&s->all[i]) && (!worst || s->all[i].pass < worst->pass))
            worst = &s->all[i];
    return worst;
}

const char *
stranger_text(const struct stranger *k, char text[STRANGER_TEXT_BYTES])
{
    const uint32_t words[4] = {htonl(k->host.address[0]), htonl(k->host.address[1])};
    if (k->host.version == 4)
        (void)inet_ntop(AF_INET, &words[1], text, STRANGER_TEXT_BYTES);
    else if (inet_ntop(AF_INET6, words, text, STRANGER_TEXT_BYTES - 3))
        memcpy(text + strlen(text), "/64", sizeof "/64");
    return text;
}

enum {
    TCP_FLAGS = 13,
    TCP_SYN = 2,
    TCP_ACK = 16,
    IPV4_SOURCE = 12,
    IPV6_SOURCE = 8,
};

static const struct sock_filter keep = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);

/* Drops what `k` begins, as often as it is to; all else goes on behind. */
static void
put_host(struct sock_filter code[STRANGERS_HOST_CODE], const struct stranger *k)
{
    bool old = k->host.version == 4;
    uint32_t ip = (uint32_t)SKF_NET_OFF, random = (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM);
    uint32_t upper = ip + (old ? IPV4_SOURCE : IPV6_SOURCE);
    uint32_t lower = ip + (old ? IPV4_SOURCE : IPV6_SOURCE + 4);
    const struct sock_filter host[STRANGERS_HOST_CODE] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ip),
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k->host.version, 0, 7),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, upper),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k->host.address[!!old], 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, lower),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k->host.address[1], 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, random),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, k->pass, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    memcpy(code, host, sizeof host);
}

uint16_t
strangers_filter(const struct strangers *s, struct sock_filter code[STRANGERS_CODE])
{
    const struct sock_filter begins[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TCP_SYN | TCP_ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TCP_SYN, 1, 0),
        keep,
    };
    uint16_t n = sizeof begins / sizeof begins[0];
    if (!strangers_worst(s))
        return 0;
    memcpy(code, begins, sizeof begins);
    for (unsigned i = 0; i < STRANGERS_HOSTS; i++)
        if (is_held(&s->all[i])) {
            put_host(code + n, &s->all[i]);
            n += STRANGERS_HOST_CODE;
        }
    code[n++] = keep;
    return n;
}
