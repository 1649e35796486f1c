/* Standard streams; the contract is in console.h. */
#include "console.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <sysexits.h>
#include <unistd.h>

static struct {
    FILE *out;
    int error; /* the first of standard output */
    bool progress; /* a line of progress stands on the terminal */
} console;

/* All of it, also to a descriptor that somebody made non-blocking. */
static int
write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            (void)poll(&p, 1, 1000);
        } else if (n < 0 && errno != EINTR)
            return errno;
    }
    return 0;
}

static void
take_progress_away(void)
{
    static const char clear[] = "\r\033[K";
    if (console.progress)
        (void)write_all(STDERR_FILENO, clear, sizeof clear - 1);
    console.progress = false;
}

static ssize_t
out_write(void *cookie, const char *bytes, size_t size)
{
    (void)cookie;
    if (console.error == 0) {
        if (console.progress && isatty(STDOUT_FILENO))
            take_progress_away();
        console.error = write_all(STDOUT_FILENO, bytes, size);
    }
    if (console.error == 0)
        return (ssize_t)size;
    errno = console.error;
    return 0;
}

FILE *
console_out(void)
{
    static const cookie_io_functions_t functions = {.write = out_write};
    if (console.out)
        return console.out;
    console.out = fopencookie(NULL, "w", functions);
    if (!console.out)
        abort();
    (void)setvbuf(console.out, NULL, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, 65536);
    return console.out;
}

bool
console_failed(void)
{
    return console.error != 0;
}

bool
console_reader_gone(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO};
    if (console.error == 0 && poll(&p, 1, 0) > 0 && (p.revents & POLLERR))
        console.error = EPIPE;
    return console.error == EPIPE;
}

int
console_end(const char *program)
{
    enum { SIGPIPE_EXIT = 128 + 13 };
    take_progress_away();
    if (console.out)
        (void)fflush(console.out);
    /* Some file systems tell only here that there was no room. */
    if (console.out && close(STDOUT_FILENO) != 0 && console.error == 0)
        console.error = errno;
    if (console.error == 0)
        return EX_OK;
    if (console.error == EPIPE)
        return SIGPIPE_EXIT;
    char text[200];
    (void)snprintf(
        text, sizeof text, "%s: writing the output failed: %s", program, strerror(console.error));
    console_say(text);
    return EX_IOERR;
}

void
console_piece(char *to, size_t size, const char *from, char instead)
{
    size_t n = 0;
    for (; *from && n + 1 < size; from++) {
        unsigned char c = (unsigned char)*from;
        bool c1 = c == 0xc2 && (unsigned char)from[1] >= 0x80 && (unsigned char)from[1] < 0xa0;
        from += c1; /* one of two bytes */
        to[n++] = c < ' ' || c == 127 || c1 ? instead : *from;
    }
    if (((unsigned char)*from & 0xc0) == 0x80) { /* no half character at the cut */
        while (n > 0 && ((unsigned char)to[n - 1] & 0xc0) == 0x80)
            n--;
        n -= n > 0;
    }
    to[n] = '\0';
}

/* How many bytes the character here has, as UTF-8; 0: it is none. */
static size_t
character(const char *bytes, size_t left)
{
    unsigned char c = (unsigned char)bytes[0];
    size_t size = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : 4;
    if (c > 0xf4 || (c >= 0x80 && c < 0xc2) || size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if (((unsigned char)bytes[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

/* Into `to`, which has room for 4 times as much: what might drive a terminal is written as text. */
static size_t
cleaned(const char *bytes, size_t size, bool lines, char *to)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        size_t whole = character(bytes + i, size - i);
        /* C1 controls are escapes too, as UTF-8 writes them and as bytes alone. */
        bool c1 = c == 0xc2 && whole == 2 && (unsigned char)bytes[i + 1] < 0xa0;
        if (c == '\n' || c == '\t')
            to[n++] = lines ? (char)c : ' ';
        else if (c < ' ' || c == 127 || c1 || whole == 0)
            n += (size_t)snprintf(to + n, 5, "\\x%02x", c);
        else {
            memcpy(to + n, bytes + i, whole);
            n += whole;
            i += whole - 1;
        }
    }
    return n;
}

char *
console_clean(const char *text, bool lines)
{
    size_t size = strlen(text);
    char *clean = malloc(4 * size + 1);
    if (!clean)
        abort();
    clean[cleaned(text, size, lines, clean)] = '\0';
    return clean;
}

void
console_text(const char *text)
{
    char *clean = console_clean(text, false);
    (void)fputs(clean, console_out());
    free(clean);
}

static void
say(const char *bytes, size_t size, bool lines)
{
    char *text = malloc(4 * size + 2);
    if (!text)
        abort();
    size_t n = cleaned(bytes, size, lines, text);
    if (n == 0 || text[n - 1] != '\n')
        text[n++] = '\n';
    take_progress_away();
    (void)write_all(STDERR_FILENO, text, n);
    free(text);
}

void
console_say(const char *text)
{
    if (console.out && isatty(STDOUT_FILENO))
        (void)fflush(console.out);
    say(text, strlen(text), false);
}

void
console_error_bytes(const char *bytes, size_t size)
{
    if (size == 0)
        return;
    if (isatty(STDERR_FILENO)) {
        say(bytes, size, true);
        return;
    }
    (void)write_all(STDERR_FILENO, bytes, size);
    if (bytes[size - 1] != '\n')
        (void)write_all(STDERR_FILENO, "\n", 1);
}

void
console_progress(const char *text)
{
    struct winsize w = {0};
    if (!isatty(STDERR_FILENO))
        return;
    take_progress_away();
    size_t size = strlen(text);
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 && size >= w.ws_col)
        size = (size_t)w.ws_col - 1; /* a line that wraps can't be taken away */
    if (size == 0)
        return;
    (void)write_all(STDERR_FILENO, text, size);
    console.progress = true;
}

static size_t
width_of(int fd)
{
    struct winsize w = {0};
    if (!isatty(fd))
        return 0;
    return ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

size_t
console_width(void)
{
    return width_of(STDOUT_FILENO);
}

size_t
console_error_width(void)
{
    return width_of(STDERR_FILENO);
}
