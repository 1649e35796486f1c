/* Nothing hangs without a word: after two seconds without progress this finds out why, says so
 * once with what would help, and ends the command if the broker is silent for longer than wished.
 */
#ifndef STALL_H
#define STALL_H

#include "cli.h"

enum { STALL_MS = 2000 };

struct stall {
    struct cli *cli;
    const char *queue, *kind; /* of the jobs that are waited for; NULL: not known */
    const struct stint_id *(*waits_for)(void *context); /* else: one of them; NULL: none */
    void *context;
    const char *held; /* why what was submitted is not taken for now; NULL: it is */
    uint64_t progress_ms, heard_ms, asked_ms;
    unsigned said; /* bits of reasons */
    char away[500]; /* why there was no answer, as it was told last */
};

void stall_begin(struct stall *s, struct cli *cli, const char *queue, const char *kind);
/* Something came. */
void stall_progress(struct stall *s);
/* To be called again and again, outside of callbacks. Returns EX_OK, or the exit code when the
 * broker has been silent for too long or ended the conversation. */
int stall_look(struct stall *s);

/* Does this word of what a worker serves, a queue's name or how names begin and a `*`, stand for
 * the queue? */
bool stall_serves(const char *word, size_t size, const char *queue);

#endif
