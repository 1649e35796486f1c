/* Scenarios of the protocol: what peers say to the core, in order. test_transcripts.c plays them
 * and compares what is said with transcripts/NAME.txt.
 */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include "world.h"

struct scenario {
    const char *name, *heading;
    void (*play)(struct world *w);
    uint64_t queue_backlog_max, unread_bytes; /* 0: the default; the latter also of answers_bytes */
};

extern const struct scenario scenarios[];
extern const size_t scenarios_count;

#endif
