/* What the core has to tell a person: short constant sentences with fields, for the log. A step's
 * notes wait until the loop has taken them. Of those that are only of interest a step keeps a few
 * and counts the rest; warnings and errors are all kept, as each lost worker is to be a line, and
 * so is who changed what (an audit note).
 */
#ifndef NOTE_H
#define NOTE_H

#include "stint_job.h"

/* As the log's, where an audit note is one that informs. */
enum note_level { NOTE_ERROR, NOTE_WARN, NOTE_AUDIT, NOTE_INFO, NOTE_DEBUG };

enum { NOTE_FIELDS = 6, NOTES_A_STEP = 64, NOTES_MAX = 1 << 17, NOTE_TEXT_BYTES = 200 };

struct note_field {
    const char *key; /* a constant */
    const char *text; /* NULL: it is a number */
    uint64_t number;
};
#define NOTE_TEXT(name, value) \
    (struct note_field) \
    { \
        .key = (name), .text = (value) \
    }
#define NOTE_NUMBER(name, value) \
    (struct note_field) \
    { \
        .key = (name), .number = (value) \
    }

struct note {
    enum note_level level;
    const char *event; /* a constant sentence without a full stop */
    struct note_field fields[NOTE_FIELDS];
    uint32_t count;
    char texts[NOTE_FIELDS][NOTE_TEXT_BYTES]; /* what the fields point to */
};

struct notes {
    struct note *all;
    uint32_t count, size, taken;
    uint32_t minor; /* of them, those that are only of interest */
    uint64_t dropped;
};

void notes_free(struct notes *notes);

/* Texts are copied; long ones are cut. */
void notes_add(struct notes *notes, enum note_level level, const char *event,
    const struct note_field *fields, uint32_t count);

/* The next note not taken yet, or false. After the last one there is room for new ones; if some
 * had to be dropped, a last note says how many. */
bool notes_take(struct notes *notes, struct note *note);

#endif
