/* log.h for a broker in somebody else's process: what log.c is for our programs. Each thread has a
 * log of its own; one that has none says nothing. Nothing goes to a stream.
 */
#ifndef EMBED_LOG_H
#define EMBED_LOG_H

#include "log.h"

#include "stint_embed.h"

struct embed_log {
    stint_embed_log_fn *told; /* NULL: nobody is told */
    void *context;
    enum log_level level;
    char why[1024]; /* the last refusal, or the last event that was an error; or "" */
};

/* What this thread logs from now on goes there; NULL: nowhere. */
void embed_log_use(struct embed_log *log);

#endif
