/* How a command ended, as a job's error text tells it: the worker that ran it writes it, and stint
 * reads it to end with the same exit code. It is the beginning of the text; after a line break may
 * follow what the command wrote to its standard error.
 */
#ifndef ENDING_H
#define ENDING_H

#include <stdbool.h>
#include <stddef.h>

enum ending {
    ENDING_OTHER, /* a sentence that tells none of these */
    ENDING_EXIT, /* by itself; the number is its exit status */
    ENDING_SIGNAL, /* the number is the signal's */
    ENDING_TIME_OVER,
    ENDING_CANT_ENTER, /* it was not started: its directory; the number is an errno */
    ENDING_CANT_RUN, /* the program; likewise */
};

/* Of one that was started, so of the kinds EXIT, SIGNAL and TIME_OVER. */
void ending_write(enum ending ending, int number, char *text, size_t size);
/* Of one that was not: `what` is the directory or the program, `number` an errno; `more` may be a
 * remark, or "". */
void ending_write_unstarted(
    enum ending ending, int number, const char *what, const char *more, char *text, size_t size);

/* What the text tells. `*number` is as above, but of a program that was not started only ENOENT is
 * told; everything else is 0. */
enum ending ending_read(const char *text, int *number);

#endif
