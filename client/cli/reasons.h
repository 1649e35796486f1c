/* Why a job does not run, in a sentence that says what would help, too. */
#ifndef REASONS_H
#define REASONS_H

#include "cli.h"

/* One sentence without a full stop, allocated. `now_ms`: since 1970. */
char *reason_sentence(const struct stint_reason *reason, uint64_t now_ms);

#endif
