/* Lines that a program says to its worker; the contract is in control.h. */
#include "control.h"
#include "log.h"
#include "now.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    HEARD_EVERY_MS = 100,
    HEARD_BYTES = 65536,
    CONTROL_NAMES = 256, /* of jobs that are not whole yet */
    CONTROL_JOBS_BYTES = 5 << 20, /* of jobs that are not whole yet: more can't become real */
};

/* `40`, `40%`, `40.7`: what stands behind the point does not count. `-`: none. */
static bool
read_percent(const char *text, unsigned *percent)
{
    *percent = STINT_NO_PERCENT;
    if (strcmp(text, "-") == 0)
        return true;
    size_t digits = strspn(text, "0123456789");
    const char *at = text + digits;
    if (digits == 0 || digits > 3)
        return false;
    *percent = (unsigned)strtoul(text, NULL, 10);
    if (*at == '.')
        at += 1 + strspn(at + 1, "0123456789");
    at += *at == '%';
    return *at == '\0' && *percent <= 100;
}

static bool
take_progress(struct stint_task *task, char *rest)
{
    unsigned percent;
    char *number = strsep(&rest, " \t");
    if (!read_percent(number, &percent))
        return false;
    if (rest)
        rest += strspn(rest, " \t");
    (void)stint_task_progress(task, percent, rest && *rest ? rest : NULL);
    return true;
}

/* The first reason counts: what follows may only come of it. */
static void
refuse(struct control *c, const char *why)
{
    if (!c->refused[0])
        (void)snprintf(
            c->refused, sizeof c->refused, "what it asked for with its end was refused: %s", why);
}

/* NULL: there are too many. */
static struct pieces *
pieces_of(struct control *c, const char *name)
{
    struct pieces *p = c->pieces;
    unsigned count = 0;
    for (; p && strcmp(p->name, name) != 0; p = p->next)
        count++;
    if (p || count == CONTROL_NAMES)
        return p;
    p = calloc(1, sizeof *p);
    if (!p)
        abort();
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    p->next = c->pieces;
    c->pieces = p;
    return p;
}

static void
forget(struct control *c, const struct pieces *gone)
{
    struct pieces **at = &c->pieces, *p;
    while (*at != gone)
        at = &(*at)->next;
    p = *at;
    *at = p->next;
    free(p->bytes);
    free(p);
}

static size_t
all_pieces(const struct control *c)
{
    size_t bytes = 0;
    for (const struct pieces *p = c->pieces; p; p = p->next)
        bytes += p->used + sizeof *p;
    return bytes;
}

static int
digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0'
        : c >= 'a' && c <= 'f'  ? c - 'a' + 10
        : c >= 'A' && c <= 'F'  ? c - 'A' + 10
                                : -1;
}

static bool
add_piece(struct pieces *p, const char *hex)
{
    size_t size = strlen(hex) / 2;
    bool good = strlen(hex) % 2 == 0;
    if (p->used + size > p->size) {
        p->size = 2 * (p->used + size);
        p->bytes = realloc(p->bytes, p->size);
        if (!p->bytes)
            abort();
    }
    for (size_t i = 0; i < size && good; i++) {
        int high = digit_of(hex[2 * i]), low = digit_of(hex[2 * i + 1]);
        good = high >= 0 && low >= 0;
        p->bytes[p->used++] = (uint8_t)(good ? high << 4 | low : 0);
    }
    return good;
}

static void
take_jobs(struct control *c, struct stint_task *task, char *rest)
{
    const char *name = strsep(&rest, " \t");
    if (c->refused[0])
        return; /* nothing becomes real of it any more */
    c->eager = true;
    if (!*name || strlen(name) >= CONTROL_NAME_BYTES) {
        refuse(c, "a line with jobs has no name, or a long one");
        return;
    }
    struct pieces *p = pieces_of(c, name);
    if (!p) {
        refuse(c, "jobs are told under more than 256 names at once");
        return;
    }
    if (rest) {
        if (!add_piece(p, rest))
            refuse(c, "a line with jobs can't be read");
        else if (all_pieces(c) > CONTROL_JOBS_BYTES)
            refuse(c, "with one end there come at most 4 MiB of jobs");
        return;
    }
    if (stint_task_submit_packed(task, p->bytes, p->used) != STINT_OK)
        refuse(c, stint_task_error(task));
    forget(c, p);
}

static void
take_cancel(struct control *c, struct stint_task *task, const char *text)
{
    struct stint_id id;
    c->eager = true;
    if (stint_id_parse(text, &id) != STINT_OK)
        refuse(c, *text ? "what is to be cancelled is no id" : "a line that cancels has no id");
    else if (stint_task_cancel(task, &id) != STINT_OK)
        refuse(c, stint_task_error(task));
}

/* False if it says nothing that we know. `broken` is why it can't be taken for what its program has
 * meant; NULL: it can. How far it is is told all the same. */
static bool
take_line(struct control *c, struct stint_task *task, char *line, const char *broken)
{
    char *rest = line + strspn(line, " \t"), *word = strsep(&rest, " \t");
    char nothing[] = "";
    rest = rest ? rest + strspn(rest, " \t") : nothing;
    bool jobs = strcmp(word, "jobs") == 0, cancel = strcmp(word, "cancel") == 0;
    if (strcmp(word, "progress") == 0)
        return take_progress(task, rest);
    if ((jobs || cancel) && broken)
        refuse(c, broken);
    else if (jobs)
        take_jobs(c, task, rest);
    else if (cancel)
        take_cancel(c, task, rest);
    return jobs || cancel;
}

static void
end_line(struct control *c, struct stint_task *task)
{
    char id[STINT_ID_TEXT_BYTES];
    const char *broken = c->cut          ? "a line has more than 4096 bytes"
        : memchr(c->line, '\0', c->used) ? "a line has a byte that is 0"
                                         : NULL;
    while (c->used > 0 && isspace((unsigned char)c->line[c->used - 1]))
        c->used--;
    c->line[c->used] = '\0';
    bool known = c->used == 0 || take_line(c, task, c->line, broken);
    c->used = 0;
    c->cut = false;
    if (known || c->told)
        return;
    c->told = true;
    log_event(LOG_LEVEL_DEBUG, "a program says what is not known to its worker, and is not heard",
        LOG_FIELDS(LOG_TEXT("job", stint_id_format(&stint_task_info(task)->id, id))));
}

void
control_take(struct control *c, struct stint_task *task, const char *bytes, size_t count)
{
    while (count > 0) {
        const char *end = memchr(bytes, '\n', count);
        size_t size = end ? (size_t)(end - bytes) : count;
        size_t room = CONTROL_LINE_BYTES - c->used, taken = size < room ? size : room;
        memcpy(c->line + c->used, bytes, taken);
        c->used += taken;
        c->cut |= taken < size;
        if (!end)
            return;
        end_line(c, task);
        bytes += size + 1;
        count -= size + 1;
    }
}

void
control_hear(struct control *c, struct stint_task *task)
{
    char bytes[HEARD_BYTES];
    ssize_t n = read(c->fd, bytes, sizeof bytes);
    c->eager = false;
    if (n > 0)
        control_take(c, task, bytes, (size_t)n);
    c->deaf_until_ms = c->eager ? 0 : clock_ms() + HEARD_EVERY_MS;
    if (n > 0)
        return;
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(c->fd);
        c->fd = -1;
        end_line(c, task); /* there is no more of it */
    }
}

uint64_t
control_deaf_ms(const struct control *c)
{
    uint64_t now_ms = c->fd >= 0 && c->deaf_until_ms ? clock_ms() : UINT64_MAX;
    return now_ms < c->deaf_until_ms ? c->deaf_until_ms - now_ms : 0;
}

void
control_end(struct control *c, struct stint_task *task)
{
    enum { READS = CONTROL_JOBS_BYTES / HEARD_BYTES };
    char bytes[HEARD_BYTES];
    ssize_t n = 1;
    for (unsigned i = 0; i < READS && n > 0 && c->fd >= 0; i++) {
        n = read(c->fd, bytes, sizeof bytes);
        if (n > 0)
            control_take(c, task, bytes, (size_t)n);
    }
    end_line(c, task);
    if (c->pieces)
        refuse(c, "of some jobs not all was told");
}

void
control_forget(struct control *c)
{
    while (c->pieces)
        forget(c, c->pieces);
}
