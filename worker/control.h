/* What a program says to its worker while it runs: lines on a descriptor of its own, whose number
 * the variable STINT_CONTROL tells.
 *
 *     progress PERCENT [TEXT]     how far it is
 *     jobs NAME HEX               new jobs that come with its end: pieces of what stint_jobs_pack
 *     jobs NAME                   has made, and that this was the last one of that name
 *     cancel ID                   a job that is cancelled with its end
 *
 * What it asks for becomes real if it ends with exit code 0. What can't be read of that is not
 * passed over: the run has failed. The last line may end with what was written, without a newline.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "stint_worker.h"

enum {
    CONTROL_FD = 8, /* in the program: shells take one digit, and use the low and the high ones */
    CONTROL_LINE_BYTES = 4096, /* of a longer line the rest is passed over: so much is written at
                                  once */
    CONTROL_NAME_BYTES = 32,
    CONTROL_WHY_BYTES = 640,
};

/* Jobs of which not all has been told yet. */
struct pieces {
    char name[CONTROL_NAME_BYTES];
    uint8_t *bytes; /* allocated */
    size_t used, size;
    struct pieces *next;
};

struct control {
    int fd; /* our end; -1: closed */
    int theirs; /* the program's, while it is started */
    uint64_t deaf_until_ms;
    char line[CONTROL_LINE_BYTES + 1];
    size_t used;
    bool cut; /* of this line the rest was passed over */
    bool told; /* that it said what is none of this */
    bool eager; /* it told of jobs: there may be more of them, and it is heard at once */
    struct pieces *pieces;
    char refused[CONTROL_WHY_BYTES]; /* why what it asks for can't be; "": it can */
};

/* Reads what a pipe can hold, and is deaf for a moment then: a program that says very much waits
 * for us, and not we for it. */
void control_hear(struct control *control, struct stint_task *task);
/* In so many ms it can be heard again; 0: now, or never more. */
uint64_t control_deaf_ms(const struct control *control);
/* Takes what the program has written, in pieces of any size. */
void
control_take(struct control *control, struct stint_task *task, const char *bytes, size_t count);
/* The program has ended: takes what it has written and we have not heard. */
void control_end(struct control *control, struct stint_task *task);
void control_forget(struct control *control);

#endif
