/* One line of a dump (dump.h) as it is taken apart: each field is asked for by its name and type,
 * and what nobody asked for is unknown. The first thing that is wrong is kept; what is read after
 * that is empty.
 */
#ifndef LOAD_LINE_H
#define LOAD_LINE_H

#include "json_bytes.h"
#include "pack.h"
#include "stint_id.h"

#include <stdbool.h>

enum { LINE_FIELDS_MAX = 48, LINE_BODIES = 8 };

struct load_line {
    json_t *object;
    const char *taken[LINE_FIELDS_MAX];
    unsigned taken_count;
    uint8_t *bodies[LINE_BODIES]; /* bytes that were read, until the next line */
    unsigned bodies_count;
    char why[256]; /* "": nothing is wrong yet */
};

/* Take a line's text. False if it is no JSON object; `why` says so. */
bool line_read(struct load_line *line, const char *text, size_t size);
/* Free what it holds. */
void line_done(struct load_line *line);
/* Something is wrong, unless something was before. Returns false. */
bool
line_wrong(struct load_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A field that nobody asked for, or NULL. */
const char *line_unknown(const struct load_line *line);

/* Fields. What is not there is 0, false or empty, where it is not asked for as one that has to be.
 */
bool line_has(struct load_line *line, const char *name);
uint64_t line_number(struct load_line *line, const char *name, uint64_t most);
uint64_t line_must_number(struct load_line *line, const char *name, uint64_t most);
int64_t line_signed(struct load_line *line, const char *name);
bool line_flag(struct load_line *line, const char *name);
/* A text without a NUL in it, of at most `most` bytes. */
const char *line_text(struct load_line *line, const char *name, size_t most);
const char *line_must_text(struct load_line *line, const char *name, size_t most);
struct slice line_bytes(struct load_line *line, const char *name, size_t most);
struct stint_id line_id(struct load_line *line, const char *name);
/* Hexadecimal digits, two for each of `size` bytes. */
void line_hex(struct load_line *line, const char *name, uint8_t *bytes, size_t size);

#endif
