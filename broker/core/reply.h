/* Answers to peers. */
#ifndef REPLY_H
#define REPLY_H

#include "state.h"

/* Counts a refusal that was told otherwise. */
void reply_refused(
    struct core *core, uint32_t number, const struct message *about, enum stint_status status);
/* Answer with an ERROR message. */
void reply_refuse(struct core *core, uint32_t peer, const struct message *about,
    enum stint_status status, const char *detail);
/* Sends the SUBMITTED or SETTLED message that has been collected for a peer. */
void reply_flush(struct core *core, struct peer *peer, enum message_type type,
    struct pack_buffer *answers, uint32_t *count);
void reply_statuses(struct core *core, struct peer *peer, uint64_t number, const uint32_t *statuses,
    uint32_t count);
/* The elements of a reply are collected in core->page, and sent as a message of this type. */
void reply_page_begin(struct core *core);
void reply_page_send(struct core *core, struct peer *peer, enum message_type type, uint64_t number,
    uint32_t count, struct slice cursor);

#endif
