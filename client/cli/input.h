/* What a map runs over: lines of a file or of standard input, one by one, several together or cut
 * into columns; or the arguments behind ::: in all combinations.
 */
#ifndef INPUT_H
#define INPUT_H

#include "cli.h"
#include "lines.h"
#include "template.h"

struct input;

/* The first of these words that begins values for parallel, and not for us; NULL: none does. */
const char *input_unknown_marker(const char *const *words);

struct input_options {
    const char *path; /* NULL: standard input */
    char end; /* of a line */
    uint64_t together; /* so many lines make a row */
    const char *separator; /* cuts a line into arguments; NULL: it is one */
    const char **sets; /* instead of lines: what stands behind the first ::: */
};

/* Returns an exit code, after saying what is wrong. */
int input_open(const struct cli *cli, const struct input_options *options, struct input **input);
void input_close(struct input **input);
/* The next row, borrowed until the next call. `wait_ms`: wait so long for each of its lines. */
enum lines_result input_next(struct input *input, int wait_ms, struct row *row);
/* Rows in all, if that can be told beforehand; else 0. */
uint64_t input_total(const struct input *input);
/* The number of the line where reading stands. */
uint64_t input_line(const struct input *input);

#endif
