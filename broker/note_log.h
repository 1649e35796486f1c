/* The core's notes into the log, as they are: level, event, fields. */
#ifndef NOTE_LOG_H
#define NOTE_LOG_H

#include "core.h"

enum { NOTE_JOBS_A_SECOND = 20, NOTE_EVENTS = 16 };

/* How often an event about single jobs was told this second. All others are bounded by the number
 * of peers, and are told always. */
struct note_log {
    uint64_t second_ms;
    struct {
        const char *event;
        uint64_t times;
    } told[NOTE_EVENTS];
};

/* Log all that the core has to tell. */
void note_log_take(struct note_log *log, struct core *core, uint64_t now_ms);

#endif
