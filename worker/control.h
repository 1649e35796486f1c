/* What a program says to its worker while it runs: lines on a descriptor of its own, whose number
 * the variable STINT_CONTROL tells. The one word there is so far: `progress PERCENT [TEXT]`.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "stint_worker.h"

enum {
    CONTROL_FD = 8, /* in the program: shells take one digit, and use the low and the high ones */
    CONTROL_LINE_BYTES = 512, /* of a longer line the rest is passed over */
};

struct control {
    int fd; /* our end; -1: closed */
    int theirs; /* the program's, while it is started */
    uint64_t deaf_until_ms;
    char line[CONTROL_LINE_BYTES + 1];
    size_t used;
    bool told; /* that it said what is none of this */
};

/* Reads what a pipe can hold, and is deaf for a moment then: a program that says very much waits
 * for us, and not we for it. */
void control_hear(struct control *control, struct stint_task *task);
/* In so many ms it can be heard again; 0: now, or never more. */
uint64_t control_deaf_ms(const struct control *control);
/* Takes what the program has written, in pieces of any size. */
void
control_take(struct control *control, struct stint_task *task, const char *bytes, size_t count);
/* A line, which is changed: false if it says nothing that we know. */
bool control_line(struct stint_task *task, char *line);

#endif
