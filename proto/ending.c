/* How a command ended; the contract is in ending.h. */
#include "ending.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    enum ending ending;
    const char *begins;
} sentences[] = {{ENDING_EXIT, "exit status "}, {ENDING_SIGNAL, "killed by signal "},
    {ENDING_TIME_OVER, "the time to run was over"},
    {ENDING_TIME_OVER, "the time limit was over"}, /* the broker's, of a worker that did nothing */
    {ENDING_CANT_ENTER, "can't enter the directory "}, {ENDING_CANT_RUN, "can't run "}};
enum { SENTENCES = sizeof sentences / sizeof *sentences };

static const char *
beginning(enum ending ending)
{
    unsigned i = 0;
    while (i + 1 < SENTENCES && sentences[i].ending != ending)
        i++;
    return sentences[i].begins;
}

void
ending_write(enum ending ending, int number, char *text, size_t size)
{
    const char *begins = beginning(ending);
    if (ending == ENDING_EXIT)
        (void)snprintf(text, size, "%s%d", begins, number);
    else if (ending == ENDING_SIGNAL)
        (void)snprintf(text, size, "%s%d (%s)", begins, number, strsignal(number));
    else
        (void)snprintf(text, size, "%s", begins);
}

void
ending_write_unstarted(
    enum ending ending, int number, const char *what, const char *more, char *text, size_t size)
{
    (void)snprintf(text, size, "%s%.400s: %s%s", beginning(ending), what, strerror(number), more);
}

enum ending
ending_read(const char *text, int *number)
{
    *number = 0;
    for (unsigned i = 0; i < SENTENCES; i++) {
        enum ending ending = sentences[i].ending;
        size_t size = strlen(sentences[i].begins);
        if (strncmp(text, sentences[i].begins, size) != 0)
            continue;
        if (ending == ENDING_CANT_RUN)
            *number = strstr(text, strerror(ENOENT)) ? ENOENT : 0;
        if (ending == ENDING_EXIT || ending == ENDING_SIGNAL) {
            char *end;
            long n = strtol(text + size, &end, 10);
            if (end == text + size || n < 0 || n > 255)
                return ENDING_OTHER;
            *number = (int)n;
        }
        return ending;
    }
    return ENDING_OTHER;
}
