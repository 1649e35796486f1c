/* Strangers that knock at a broker with keys on this host, as many a second as asked for, from an
 * address of loopback: 127.0.0.1 is this host to the broker, any other one is another host.
 *
 *     bench_strangers FROM PORT BROKER_KEY RATE SECONDS KIND...
 *
 * tcp: connects, and leaves; garbage: says what is no ZMTP; plain: shows no key; hello: begins with
 * a key, and leaves when it is answered, so that the broker has computed and it has not; wrong:
 * shows a key that the broker does not know, to the end. Kinds take turns. Prints how many a second
 * began, came to their end (the broker, or the kind, has ended them), found no place or waited for
 * too long, and the seconds of processor time that they took themselves.
 */
#include "key.h"
#include "now.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    GREETING_BYTES = 64,
    HELLO_BYTES = 202, /* commands with what ZMTP puts before them */
    WELCOME_BYTES = 170,
    COOKIE_BYTES = 96,
    META_BYTES = 44,
    INITIATE_BODY_BYTES = 8 + 1 + COOKIE_BYTES + 8 + crypto_box_MACBYTES + 128 + META_BYTES,
    AT_ONCE = 24000,
    PATIENCE_MS = 2000,
    READ_BYTES = 512,
};

enum kind { TCP, GARBAGE, PLAIN, HELLO, WRONG, KINDS };
static const char *const kind_names[KINDS] = {"tcp", "garbage", "plain", "hello", "wrong"};

struct stranger {
    int fd;
    enum kind kind;
    bool connected, initiated;
    uint64_t since_ms;
    size_t heard;
    uint8_t in[READ_BYTES];
    struct stranger *next; /* in the list of those that rest */
};

static struct {
    int epoll;
    struct sockaddr_in address, from;
    uint8_t broker[crypto_box_PUBLICKEYBYTES];
    uint8_t public[crypto_box_PUBLICKEYBYTES], secret[crypto_box_SECRETKEYBYTES];
    uint8_t with_broker[crypto_box_BEFORENMBYTES];
    uint8_t hello[HELLO_BYTES];
    struct stranger all[AT_ONCE], *resting;
    enum kind kinds[KINDS];
    unsigned kinds_count;
    uint64_t began, ended, no_place, waited;
} crowd;

/* ---- CURVE, a client's half (rfc.zeromq.org/spec/26) ---- */

/* False: that is no key of a broker. */
static bool
make_hello(void)
{
    static const uint8_t zeros[64];
    uint8_t nonce[crypto_box_NONCEBYTES] = "CurveZMQHELLO---", *at = crowd.hello;
    if (crypto_box_keypair(crowd.public, crowd.secret) != 0 ||
        crypto_box_beforenm(crowd.with_broker, crowd.broker, crowd.secret) != 0)
        return false;
    memset(at, 0, HELLO_BYTES);
    memcpy(at, "\x04\xc8\x05HELLO\x01", 9);
    memcpy(at + 82, crowd.public, sizeof crowd.public);
    at[121] = 1;
    nonce[23] = 1;
    return crypto_box_easy_afternm(at + 122, zeros, sizeof zeros, nonce, crowd.with_broker) == 0;
}

/* With one key for both of ours, so that one product does for both boxes. */
static bool
make_initiate(const uint8_t *welcome, uint8_t *to, size_t *size)
{
    static const char meta[META_BYTES + 1] = "\x0bSocket-Type\0\0\0\x06"
                                             "DEALER\x08Identity\0\0\0";
    uint8_t nonce[crypto_box_NONCEBYTES] = "WELCOME-", opened[128];
    uint8_t with_broker[crypto_box_BEFORENMBYTES], inside[128 + META_BYTES], vouched[64];
    memcpy(nonce + 8, welcome + 10, 16);
    if (crypto_box_open_easy_afternm(
            opened, welcome + 26, WELCOME_BYTES - 26, nonce, crowd.with_broker) != 0 ||
        crypto_box_beforenm(with_broker, opened, crowd.secret) != 0)
        return false;
    memcpy(inside, crowd.public, 32);
    randombytes_buf(inside + 32, 16);
    memcpy(nonce, "VOUCH---", 8);
    memcpy(nonce + 8, inside + 32, 16);
    memcpy(vouched, crowd.public, 32);
    memcpy(vouched + 32, crowd.broker, 32);
    (void)crypto_box_easy_afternm(inside + 48, vouched, sizeof vouched, nonce, with_broker);
    memcpy(inside + 128, meta, META_BYTES);
    *to++ = 6; /* a long command */
    for (unsigned i = 0; i < 8; i++)
        *to++ = (uint8_t)((uint64_t)INITIATE_BODY_BYTES >> 8 * (7 - i));
    memcpy(to, "\x08INITIATE", 9);
    memcpy(to + 9, opened + 32, COOKIE_BYTES);
    memset(to + 105, 0, 8);
    to[112] = 2;
    memcpy(nonce, "CurveZMQINITIATE", 16);
    memcpy(nonce + 16, to + 105, 8);
    (void)crypto_box_easy_afternm(to + 113, inside, sizeof inside, nonce, with_broker);
    *size = 9 + INITIATE_BODY_BYTES;
    return true;
}

/* ---- a stranger ---- */

static void
rest(struct stranger *s)
{
    if (s->fd >= 0) {
        /* At once: a host has only so many ports. */
        const struct linger now = {.l_onoff = 1};
        (void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(s->fd);
    }
    s->fd = -1;
    s->next = crowd.resting;
    crowd.resting = s;
}

static void
end(struct stranger *s)
{
    crowd.ended++;
    rest(s);
}

static void
knock(uint64_t now_ms)
{
    struct stranger *s = crowd.resting;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = s};
    crowd.began++;
    if (!s) {
        crowd.no_place++;
        return;
    }
    crowd.resting = s->next;
    *s = (struct stranger){.since_ms = now_ms,
        .kind = crowd.kinds[crowd.began % crowd.kinds_count],
        .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    const struct sockaddr *to = (const struct sockaddr *)&crowd.address;
    const struct sockaddr *from = (const struct sockaddr *)&crowd.from;
    const int late = 1; /* the port is chosen when it is known where to */
    (void)setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
    if (s->fd < 0 || bind(s->fd, from, sizeof crowd.from) != 0 ||
        (connect(s->fd, to, sizeof crowd.address) != 0 && errno != EINPROGRESS) ||
        epoll_ctl(crowd.epoll, EPOLL_CTL_ADD, s->fd, &e) != 0) {
        crowd.no_place++;
        rest(s);
    }
}

static bool
say(const struct stranger *s, const void *bytes, size_t size)
{
    return send(s->fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* It is connected: its first words. False: it is over. */
static bool
begin(const struct stranger *s)
{
    uint8_t greeting[GREETING_BYTES] = {
        0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0, 'C', 'U', 'R', 'V', 'E'};
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = (void *)s};
    (void)epoll_ctl(crowd.epoll, EPOLL_CTL_MOD, s->fd, &e);
    if (s->kind == TCP)
        return false;
    if (s->kind == GARBAGE)
        randombytes_buf(greeting + 1, sizeof greeting - 1);
    if (s->kind == GARBAGE)
        greeting[0] = 0x01; /* an older protocol, which is none either */
    if (s->kind == PLAIN)
        memcpy(greeting + 12, "NULL\0", 5);
    return say(s, greeting, sizeof greeting) &&
        (s->kind < HELLO || say(s, crowd.hello, sizeof crowd.hello));
}

static bool
hear(struct stranger *s)
{
    uint8_t initiate[9 + INITIATE_BODY_BYTES];
    size_t size;
    ssize_t n = recv(s->fd, s->in + s->heard, READ_BYTES - s->heard, 0);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    s->heard += (size_t)n;
    if (s->heard == READ_BYTES || s->kind < HELLO)
        s->heard = 0; /* it does not listen */
    if (s->kind < HELLO || s->initiated || s->heard < GREETING_BYTES + WELCOME_BYTES)
        return true;
    s->initiated = true;
    return s->kind == WRONG && make_initiate(s->in + GREETING_BYTES, initiate, &size) &&
        say(s, initiate, size);
}

static void
turn(struct stranger *s, uint32_t events)
{
    bool goes_on = !(events & (EPOLLERR | EPOLLHUP));
    if (goes_on && !s->connected && (events & EPOLLOUT)) {
        s->connected = true;
        goes_on = begin(s);
    }
    if (goes_on && (events & EPOLLIN))
        goes_on = hear(s);
    if (!goes_on)
        end(s);
}

static void
give_up(uint64_t now_ms)
{
    for (unsigned i = 0; i < AT_ONCE; i++) {
        struct stranger *s = &crowd.all[i];
        if (s->fd >= 0 && now_ms - s->since_ms > PATIENCE_MS) {
            crowd.waited++;
            rest(s);
        }
    }
}

static void
run(uint64_t rate, uint64_t seconds)
{
    struct epoll_event events[256];
    uint64_t begun_ms = clock_ms(), now_ms = begun_ms, looked_ms = begun_ms;
    while (now_ms - begun_ms < seconds * 1000) {
        int n = epoll_wait(crowd.epoll, events, 256, 1);
        now_ms = clock_ms();
        for (int i = 0; i < n; i++)
            turn(events[i].data.ptr, events[i].events);
        for (unsigned burst = 0; burst < 64 && crowd.began < (now_ms - begun_ms) * rate / 1000;
             burst++)
            knock(now_ms);
        if (now_ms - looked_ms > 100) {
            looked_ms = now_ms;
            give_up(now_ms);
        }
    }
}

static bool
read_arguments(int argc, char **argv)
{
    if (argc < 7 || !key_decode(argv[3], strlen(argv[3]), crowd.broker))
        return false;
    crowd.from.sin_family = crowd.address.sin_family = AF_INET;
    crowd.address.sin_port = htons((uint16_t)atoi(argv[2]));
    crowd.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (inet_pton(AF_INET, argv[1], &crowd.from.sin_addr) != 1)
        return false;
    for (int i = 6; i < argc && i < 6 + KINDS; i++) {
        unsigned kind = 0;
        while (kind < KINDS && strcmp(kind_names[kind], argv[i]) != 0)
            kind++;
        if (kind == KINDS)
            return false;
        crowd.kinds[crowd.kinds_count++] = kind;
    }
    return atoi(argv[4]) > 0 && atoi(argv[5]) > 0 && atoi(argv[5]) <= 60;
}

int
main(int argc, char **argv)
{
    struct rlimit files;
    struct rusage used;
    if (sodium_init() < 0 || !read_arguments(argc, argv) || !make_hello()) {
        (void)fprintf(stderr,
            "usage: bench_strangers FROM PORT BROKER_KEY RATE SECONDS "
            "tcp|garbage|plain|hello|wrong...\n");
        return 64;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < AT_ONCE; i++) {
        crowd.all[i].fd = -1;
        rest(&crowd.all[i]);
    }
    uint64_t seconds = (uint64_t)atoi(argv[5]);
    run((uint64_t)atoi(argv[4]), seconds);
    (void)getrusage(RUSAGE_SELF, &used);
    printf("%llu %llu %llu %llu %.2f\n", (unsigned long long)(crowd.began / seconds),
        (unsigned long long)(crowd.ended / seconds), (unsigned long long)(crowd.no_place / seconds),
        (unsigned long long)(crowd.waited / seconds),
        (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
            (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    return 0;
}
