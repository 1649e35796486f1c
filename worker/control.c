/* Lines that a program says to its worker; the contract is in control.h. */
#include "control.h"
#include "log.h"
#include "now.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEARD_EVERY_MS = 100, HEARD_BYTES = 65536 };

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

bool
control_line(struct stint_task *task, char *line)
{
    unsigned percent;
    char *rest = line, *word = strsep(&rest, " \t");
    if (!rest || strcmp(word, "progress") != 0)
        return false;
    rest += strspn(rest, " \t");
    char *number = strsep(&rest, " \t");
    if (!read_percent(number, &percent))
        return false;
    if (rest)
        rest += strspn(rest, " \t");
    (void)stint_task_progress(task, percent, rest && *rest ? rest : NULL);
    return true;
}

static void
end_line(struct control *c, struct stint_task *task)
{
    char id[STINT_ID_TEXT_BYTES];
    while (c->used > 0 && isspace((unsigned char)c->line[c->used - 1]))
        c->used--;
    c->line[c->used] = '\0';
    bool known = c->used == 0 || control_line(task, c->line);
    c->used = 0;
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
    c->deaf_until_ms = clock_ms() + HEARD_EVERY_MS;
    if (n > 0)
        control_take(c, task, bytes, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(c->fd);
        c->fd = -1;
    }
}

uint64_t
control_deaf_ms(const struct control *c)
{
    uint64_t now_ms = c->fd >= 0 && c->deaf_until_ms ? clock_ms() : UINT64_MAX;
    return now_ms < c->deaf_until_ms ? c->deaf_until_ms - now_ms : 0;
}
