/* The log of an embedded broker; the contract is in embed_log.h and log.h. */
#include "embed_log.h"
#include "log_pairs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local struct embed_log *mine;

void
embed_log_use(struct embed_log *log)
{
    mine = log;
}

/* To be freed; NULL if there is no memory for it. */
static char *
line_of(const char *event, const struct log_field *fields)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    log_pairs_put(out, event, fields);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* As a sentence: the event, and the first text that explains it. */
static void
keep_error(struct embed_log *log, const char *event, const struct log_field *fields)
{
    const char *text = "";
    for (const struct log_field *f = fields; f && f->type != LOG_END && !*text; f++)
        if (f->type == LOG_IS_TEXT && f->text)
            text = f->text;
    (void)snprintf(log->why, sizeof log->why, "%s%s%s", event, *text ? ": " : "", text);
}

void
log_event(enum log_level level, const char *event, const struct log_field *fields)
{
    struct embed_log *log = mine;
    int kept_errno = errno;
    if (!log)
        return;
    if (level == LOG_LEVEL_ERROR)
        keep_error(log, event, fields);
    char *line = log->told && level <= log->level ? line_of(event, fields) : NULL;
    if (line)
        log->told(log->context, (enum stint_embed_level)level, line);
    free(line);
    errno = kept_errno;
}

void
log_refusal(const char *why)
{
    log_event(LOG_LEVEL_ERROR, "not started", LOG_FIELDS(LOG_TEXT("error", why)));
    if (mine)
        (void)snprintf(mine->why, sizeof mine->why, "%s", why);
}

bool
log_flush(void)
{
    return true;
}
