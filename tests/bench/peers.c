/* The whole life of jobs on Redis Streams and beanstalkd: one producer and one consumer process,
 * raw sockets, pipelined, so that the client is not what is measured. Prints jobs a second.
 *
 *     bench_peers redis PORT JOBS WINDOW
 *     bench_peers beanstalkd PORT JOBS WINDOW
 *     bench_peers postgresql PORT JOBS BATCH     claimed and deleted in transactions of so many
 *
 * Or one submit at a time, each answered before the next. Prints the median and the 99th percentile
 * in us.
 *
 *     bench_peers redis|beanstalkd|postgresql PORT SAMPLES alone
 *
 * PostgreSQL is one that trusts user postgres on this port of 127.0.0.1; what is sent is prepared
 * once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1 << 20, PAYLOAD = 100 };

struct conn {
    int fd;
    char out[BUFFER], in[BUFFER];
    size_t out_used, in_from, in_used;
};

static void
die(const char *what)
{
    fprintf(stderr, "bench_peers: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct conn *
dial(int port)
{
    struct conn *c = calloc(1, sizeof *c);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!c)
        die("memory");
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof a) != 0)
        die("connect");
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return c;
}

static void
flush_out(struct conn *c)
{
    for (size_t at = 0; at < c->out_used;) {
        ssize_t n = write(c->fd, c->out + at, c->out_used - at);
        if (n <= 0)
            die("write");
        at += (size_t)n;
    }
    c->out_used = 0;
}

static void
put(struct conn *c, const char *text, size_t size)
{
    if (c->out_used + size > BUFFER)
        flush_out(c);
    memcpy(c->out + c->out_used, text, size);
    c->out_used += size;
}

static void
puts_out(struct conn *c, const char *text)
{
    put(c, text, strlen(text));
}

static void
fill(struct conn *c)
{
    memmove(c->in, c->in + c->in_from, c->in_used - c->in_from);
    c->in_used -= c->in_from;
    c->in_from = 0;
    ssize_t n = read(c->fd, c->in + c->in_used, BUFFER - c->in_used);
    if (n <= 0)
        die("read");
    c->in_used += (size_t)n;
}

/* The next line, without its CR LF; good until the next read. */
static char *
line(struct conn *c)
{
    for (;;) {
        char *at = c->in + c->in_from;
        char *end = memchr(at, '\n', c->in_used - c->in_from);
        if (end) {
            c->in_from = (size_t)(end + 1 - c->in);
            end[-1] = '\0';
            return at;
        }
        fill(c);
    }
}

static void
skip(struct conn *c, size_t size)
{
    while (c->in_used - c->in_from < size)
        fill(c);
    c->in_from += size;
}

static double
now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- Redis Streams: XADD; XREADGROUP, XACK, XDEL ---- */

static void
redis_produce(int port, long jobs, long window)
{
    struct conn *c = dial(port);
    char payload[PAYLOAD + 1];
    long sent = 0, answered = 0;
    memset(payload, 'x', PAYLOAD);
    payload[PAYLOAD] = '\0';
    while (answered < jobs) {
        while (sent < jobs && sent - answered < window) {
            puts_out(c, "*5\r\n$4\r\nXADD\r\n$1\r\ns\r\n$1\r\n*\r\n$1\r\nd\r\n$100\r\n");
            put(c, payload, PAYLOAD);
            puts_out(c, "\r\n");
            sent++;
        }
        flush_out(c);
        do { /* take what has come, at least one */
            size_t size = strtoul(line(c) + 1, NULL, 10);
            skip(c, size + 2);
            answered++;
        } while (answered < sent && memchr(c->in + c->in_from, '\n', c->in_used - c->in_from));
    }
}

/* Reads one reply of XREADGROUP; keeps the ids. Returns how many. */
static long
redis_entries(struct conn *c, char (*ids)[32])
{
    char *l = line(c);
    if (strcmp(l, "*-1") == 0 || strcmp(l, "*0") == 0)
        return 0;
    if (*l != '*')
        die(l);
    (void)line(c); /* *2: name, entries */
    skip(c, strtoul(line(c) + 1, NULL, 10) + 2);
    long count = atol(line(c) + 1);
    for (long i = 0; i < count; i++) {
        (void)line(c); /* *2: id, fields */
        size_t size = strtoul(line(c) + 1, NULL, 10);
        while (c->in_used - c->in_from < size + 2)
            fill(c);
        memcpy(ids[i], c->in + c->in_from, size);
        ids[i][size] = '\0';
        skip(c, size + 2);
        long fields = atol(line(c) + 1);
        for (long f = 0; f < fields; f++)
            skip(c, strtoul(line(c) + 1, NULL, 10) + 2);
    }
    return count;
}

static void
redis_many(struct conn *c, const char *command, char (*ids)[32], long count)
{
    char head[96];
    bool ack = strcmp(command, "XACK") == 0;
    (void)snprintf(head, sizeof head, "*%ld\r\n$4\r\n%s\r\n$1\r\ns\r\n%s", count + 2 + ack, command,
        ack ? "$1\r\ng\r\n" : "");
    puts_out(c, head);
    for (long i = 0; i < count; i++) {
        (void)snprintf(head, sizeof head, "$%zu\r\n%s\r\n", strlen(ids[i]), ids[i]);
        puts_out(c, head);
    }
}

static void
redis_consume(int port, long jobs, long batch)
{
    struct conn *c = dial(port);
    char(*ids)[32] = calloc((size_t)batch, sizeof *ids);
    char read[160], count[24];
    if (!ids)
        die("memory");
    (void)snprintf(count, sizeof count, "%ld", batch);
    (void)snprintf(read, sizeof read,
        "*9\r\n$10\r\nXREADGROUP\r\n$5\r\nGROUP\r\n$1\r\ng\r\n$1\r\nc\r\n"
        "$5\r\nCOUNT\r\n$%zu\r\n%s\r\n"
        "$7\r\nSTREAMS\r\n$1\r\ns\r\n$1\r\n>\r\n",
        strlen(count), count);
    for (long done = 0; done < jobs;) {
        puts_out(c, read);
        flush_out(c);
        long n = redis_entries(c, ids);
        if (n == 0)
            continue;
        redis_many(c, "XACK", ids, n);
        redis_many(c, "XDEL", ids, n);
        flush_out(c);
        (void)line(c);
        (void)line(c);
        done += n;
    }
}

static void
redis_prepare(int port)
{
    struct conn *c = dial(port);
    puts_out(c, "FLUSHALL\r\nXGROUP CREATE s g 0 MKSTREAM\r\n");
    flush_out(c);
    (void)line(c);
    (void)line(c);
}

/* ---- beanstalkd: put; reserve, delete ---- */

static void
beanstalkd_produce(int port, long jobs, long window)
{
    struct conn *c = dial(port);
    char put_one[PAYLOAD + 32];
    long sent = 0, answered = 0;
    int size = snprintf(put_one, sizeof put_one, "put 0 0 60 %d\r\n%0*d\r\n", PAYLOAD, PAYLOAD, 0);
    while (answered < jobs) {
        for (; sent < jobs && sent - answered < window; sent++)
            put(c, put_one, (size_t)size);
        flush_out(c);
        do {
            (void)line(c);
            answered++;
        } while (answered < sent && memchr(c->in + c->in_from, '\n', c->in_used - c->in_from));
    }
}

static void
beanstalkd_consume(int port, long jobs, long window)
{
    struct conn *c = dial(port);
    long asked = 0, reserved = 0, deleted = 0;
    while (deleted < jobs) {
        for (; asked < jobs && asked - reserved < window; asked++)
            puts_out(c, "reserve\r\n");
        flush_out(c);
        do {
            char *l = line(c);
            char command[64];
            if (strcmp(l, "DELETED") == 0) {
                deleted++;
                continue;
            }
            unsigned long id = strtoul(l + 9, NULL, 10);
            skip(c, PAYLOAD + 2);
            reserved++;
            (void)snprintf(command, sizeof command, "delete %lu\r\n", id);
            puts_out(c, command);
        } while (deleted < jobs && memchr(c->in + c->in_from, '\n', c->in_used - c->in_from));
    }
}

/* ---- PostgreSQL, protocol 3: INSERT; DELETE of rows that nobody else has locked ---- */

static void
put_number(struct conn *c, uint32_t number, unsigned bytes)
{
    char out[4];
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (char)(number >> 8 * (bytes - 1 - i));
    put(c, out, bytes);
}

/* Reads messages up to the one that says that the server waits for us. */
static void
postgresql_wait(struct conn *c)
{
    for (bool ready = false; !ready;) {
        while (c->in_used - c->in_from < 5)
            fill(c);
        const uint8_t *head = (const uint8_t *)c->in + c->in_from;
        size_t size =
            (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
        ready = head[0] == 'Z';
        if (head[0] == 'E')
            die("PostgreSQL refuses something");
        skip(c, 1 + size);
    }
}

/* A statement without parameters, by the simple protocol. */
static void
postgresql_do(struct conn *c, const char *text)
{
    put(c, "Q", 1);
    put_number(c, (uint32_t)(4 + strlen(text) + 1), 4);
    put(c, text, strlen(text) + 1);
    flush_out(c);
    postgresql_wait(c);
}

static struct conn *
postgresql_dial(int port)
{
    static const char who[] = "user\0postgres\0database\0postgres\0";
    struct conn *c = dial(port);
    put_number(c, 4 + 4 + sizeof who, 4);
    put_number(c, 3 << 16, 4);
    put(c, who, sizeof who);
    flush_out(c);
    postgresql_wait(c);
    return c;
}

static void
postgresql_prepare(struct conn *c, const char *text)
{
    put(c, "P", 1);
    put_number(c, (uint32_t)(4 + 1 + strlen(text) + 1 + 2), 4);
    put(c, "", 1);
    put(c, text, strlen(text) + 1);
    put_number(c, 0, 2);
    put(c, "S\0\0\0\4", 5);
    flush_out(c);
    postgresql_wait(c);
}

/* Once more what was prepared, which has no parameters. */
static void
postgresql_again(struct conn *c)
{
    put(c, "B\0\0\0\14\0\0\0\0\0\0\0\0", 13);
    put(c, "E\0\0\0\11\0\0\0\0\0", 10);
    put(c, "S\0\0\0\4", 5);
    flush_out(c);
    postgresql_wait(c);
}

static void
postgresql_table(int port)
{
    struct conn *c = postgresql_dial(port);
    postgresql_do(c, "DROP TABLE IF EXISTS jobs");
    postgresql_do(c, "CREATE TABLE jobs (id bigserial PRIMARY KEY, payload bytea NOT NULL)");
    free(c);
}

/* The same statement, each for so many jobs, until all are done. */
static void
postgresql_repeat(int port, const char *text, long jobs, long batch)
{
    struct conn *c = postgresql_dial(port);
    postgresql_prepare(c, text);
    for (long done = 0; done < jobs; done += batch)
        postgresql_again(c);
    free(c);
}

static void
postgresql_produce(int port, long jobs, long batch)
{
    char text[256];
    (void)snprintf(text, sizeof text,
        "INSERT INTO jobs (payload) SELECT repeat('x', %d)::bytea FROM generate_series(1, %ld)",
        PAYLOAD, batch);
    postgresql_repeat(port, text, jobs, batch);
}

static void
postgresql_consume(int port, long jobs, long batch)
{
    char text[256];
    (void)snprintf(text, sizeof text,
        "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs ORDER BY id LIMIT %ld FOR UPDATE SKIP "
        "LOCKED) RETURNING id, payload",
        batch);
    postgresql_repeat(port, text, jobs, batch);
}

/* ---- one at a time ---- */

static void
redis_one(struct conn *c)
{
    static const char head[] = "*5\r\n$4\r\nXADD\r\n$1\r\ns\r\n$1\r\n*\r\n$1\r\nd\r\n$100\r\n";
    char payload[PAYLOAD];
    memset(payload, 'x', sizeof payload);
    puts_out(c, head);
    put(c, payload, sizeof payload);
    puts_out(c, "\r\n");
    flush_out(c);
    skip(c, strtoul(line(c) + 1, NULL, 10) + 2);
}

static void
beanstalkd_one(struct conn *c)
{
    char text[PAYLOAD + 32];
    int size = snprintf(text, sizeof text, "put 0 0 60 %d\r\n%0*d\r\n", PAYLOAD, PAYLOAD, 0);
    put(c, text, (size_t)size);
    flush_out(c);
    (void)line(c);
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void
alone(const char *peer, int port, long samples)
{
    bool postgresql = strcmp(peer, "postgresql") == 0;
    void (*one)(struct conn *) = postgresql ? postgresql_again
        : strcmp(peer, "redis") == 0        ? redis_one
                                            : beanstalkd_one;
    double *took = calloc((size_t)samples, sizeof *took);
    if (postgresql)
        postgresql_table(port);
    struct conn *c = postgresql ? postgresql_dial(port) : dial(port);
    if (postgresql)
        postgresql_prepare(c, "INSERT INTO jobs (payload) VALUES (repeat('x', 100)::bytea)");
    if (!took)
        die("memory");
    for (long i = -samples / 10; i < samples; i++) { /* the first ones warm it up */
        double begun = now();
        one(c);
        if (i >= 0)
            took[i] = (now() - begun) * 1e6;
    }
    qsort(took, (size_t)samples, sizeof *took, compare);
    printf("%.1f %.1f\n", took[samples / 2], took[samples * 99 / 100]);
}

static const struct peer {
    const char *name;
    void (*prepare)(int port);
    void (*produce)(int port, long jobs, long window);
    void (*consume)(int port, long jobs, long window);
    bool one_by_one; /* it is consumed when all is there */
} peers[] = {
    {"redis", redis_prepare, redis_produce, redis_consume, false},
    {"beanstalkd", NULL, beanstalkd_produce, beanstalkd_consume, false},
    {"postgresql", postgresql_table, postgresql_produce, postgresql_consume, true},
};

int
main(int argc, char **argv)
{
    const struct peer *peer = peers;
    size_t count = sizeof peers / sizeof *peers;
    while (argc == 5 && peer < peers + count && strcmp(peer->name, argv[1]) != 0)
        peer++;
    if (argc != 5 || peer == peers + count) {
        fprintf(stderr,
            "usage: bench_peers redis|beanstalkd|postgresql PORT JOBS WINDOW\n"
            "       bench_peers redis|beanstalkd|postgresql PORT SAMPLES alone\n");
        return 64;
    }
    int port = atoi(argv[2]), status = 0;
    long jobs = atol(argv[3]), window = atol(argv[4]);
    if (strcmp(argv[4], "alone") == 0) {
        alone(peer->name, port, jobs);
        return 0;
    }
    if (peer->prepare)
        peer->prepare(port);
    double begun = now();
    pid_t consumer = peer->one_by_one ? -1 : fork();
    if (consumer == 0) {
        peer->consume(port, jobs, window);
        _exit(0);
    }
    peer->produce(port, jobs, window);
    if (peer->one_by_one)
        peer->consume(port, jobs, window);
    else if (waitpid(consumer, &status, 0) != consumer || status != 0)
        die("the consumer failed");
    printf("%.0f\n", (double)jobs / (now() - begun));
    return 0;
}
