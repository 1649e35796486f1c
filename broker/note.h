/* What the core has to tell a person: short constant sentences with fields, for the log. A step's
 * notes wait in a fixed room until the loop has taken them; what does not fit is counted.
 */
#ifndef NOTE_H
#define NOTE_H

#include "stint_job.h"

enum note_level { NOTE_ERROR, NOTE_WARN, NOTE_INFO, NOTE_DEBUG }; /* as the log's */

enum { NOTE_FIELDS = 5, NOTES_A_STEP = 128, NOTE_TEXT_BYTES = 200 };

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
    struct note all[NOTES_A_STEP];
    uint32_t count, taken;
    uint64_t dropped;
};

/* Texts are copied; long ones are cut. */
void notes_add(struct notes *notes, enum note_level level, const char *event,
    const struct note_field *fields, uint32_t count);

/* The next note not taken yet, or false. After the last one there is room for new ones; if some
 * had to be dropped, a last note says how many. */
bool notes_take(struct notes *notes, struct note *note);

#endif
