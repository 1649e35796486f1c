/* Lines for the worker of a job; the contract is in within.h. */
#include "within.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* PIECE_BYTES: of what is told in hexadecimal in one line. */
enum { PIECE_BYTES = 2000, NAME_BYTES = 24 };

int
within_find(const struct cli *cli)
{
    const char *text = getenv("STINT_CONTROL");
    char *end;
    if (!text) {
        cli_say(cli,
            "this is not within a job: stint-worker sets STINT_CONTROL for the programs "
            "that it runs");
        return -1;
    }
    errno = 0;
    long fd = strtol(text, &end, 10);
    int flags = errno == 0 && end != text && *end == '\0' && fd >= 0 && fd <= INT_MAX
        ? fcntl((int)fd, F_GETFL)
        : -1;
    if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY)
        return (int)fd;
    cli_say(cli, "STINT_CONTROL is %s, which is no descriptor that is open for writing here", text);
    return -1;
}

int
within_write(const struct cli *cli, int fd, const char *line, size_t size)
{
    ssize_t n;
    (void)signal(SIGPIPE, SIG_IGN);
    while ((n = write(fd, line, size)) < 0 && (errno == EAGAIN || errno == EINTR)) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if (cli_interrupted())
            return EXIT_SIGNAL + cli_interrupted();
        (void)poll(&p, 1, 1000);
    }
    if (n == (ssize_t)size)
        return EX_OK;
    cli_say(cli, "the worker does not hear it: %s", strerror(errno));
    return EX_IOERR;
}

/* Of a worker that would pass over what it is told, the job would end as if nothing had been. */
static int
find_asking(const struct cli *cli)
{
    const char *may = getenv("STINT_AT_END");
    int fd = within_find(cli);
    if (fd >= 0 && (!may || strcmp(may, "1") != 0)) {
        cli_say(cli, "the worker of this job, or its broker, is too old for --at-end");
        return -1;
    }
    return fd;
}

static void
make_name(char name[NAME_BYTES])
{
    unsigned number = 0;
    (void)getrandom(&number, sizeof number, 0);
    (void)snprintf(name, NAME_BYTES, "%ld-%08x", (long)getpid(), number);
}

/* So that pieces of several commands do not mix, each has its own name. */
static int
write_pieces(const struct cli *cli, int fd, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    char line[PIPE_BUF], name[NAME_BYTES];
    int rc = EX_OK, n;
    make_name(name);
    for (size_t at = 0; at < size && rc == EX_OK; at += PIECE_BYTES) {
        size_t piece = size - at < PIECE_BYTES ? size - at : PIECE_BYTES;
        n = snprintf(line, sizeof line, "jobs %s ", name);
        for (size_t i = 0; i < piece; i++) {
            line[n++] = digits[bytes[at + i] >> 4];
            line[n++] = digits[bytes[at + i] & 15];
        }
        line[n++] = '\n';
        rc = within_write(cli, fd, line, (size_t)n);
    }
    n = snprintf(line, sizeof line, "jobs %s\n", name);
    return rc == EX_OK ? within_write(cli, fd, line, (size_t)n) : rc;
}

int
within_submit(struct cli *cli, const struct stint_job *jobs, size_t count)
{
    void *bytes;
    size_t size;
    const char *why;
    int fd = find_asking(cli);
    if (fd < 0)
        return EX_UNAVAILABLE;
    enum stint_status status = stint_jobs_pack(jobs, count, &bytes, &size, &why);
    if (status != STINT_OK) {
        cli_say(cli, "%s", why);
        return cli_exit(status);
    }
    int rc = write_pieces(cli, fd, bytes, size);
    free(bytes);
    return rc;
}

int
within_cancel(struct cli *cli, const struct stint_id *ids, size_t count)
{
    char text[STINT_ID_TEXT_BYTES], line[STINT_ID_TEXT_BYTES + 16];
    int fd = find_asking(cli), rc = fd < 0 ? EX_UNAVAILABLE : EX_OK;
    for (size_t i = 0; i < count && rc == EX_OK; i++) {
        int n = snprintf(line, sizeof line, "cancel %s\n", stint_id_format(&ids[i], text));
        rc = within_write(cli, fd, line, (size_t)n);
    }
    return rc;
}
