/* Tickets: what stint take prints and stint settle takes, "ID/ATTEMPT", and the socket of whoever
 * holds that attempt's lease, in a directory that is this user's alone.
 */
#ifndef TICKET_H
#define TICKET_H

#include "cli.h"

enum { TICKET_BYTES = STINT_ID_TEXT_BYTES + 16, TICKET_PATH_BYTES = 108 };

struct ticket {
    struct stint_id id;
    uint32_t attempt; /* 0: whichever is held here */
};

/* What settle asks of the holder; `bytes` of a body follow it. */
enum ticket_outcome { TICKET_SUCCEED, TICKET_FAIL, TICKET_DIE, TICKET_SNOOZE, TICKET_RETURN };

struct ticket_request {
    uint32_t outcome; /* enum ticket_outcome */
    uint32_t bytes; /* of the result, or of the reason */
    uint64_t delay_ms; /* of a snooze */
};
enum { TICKET_BODY_MAX = 4 << 20 };

const char *ticket_format(const struct ticket *ticket, char text[TICKET_BYTES]);
/* False: it is neither a ticket nor an id. */
bool ticket_parse(const char *text, struct ticket *ticket);

/* A socket that listens for this ticket; its path is to be removed at the end. -1 after saying why
 * in `why`. */
int ticket_listen(
    const struct ticket *ticket, char path[TICKET_PATH_BYTES], char *why, size_t why_size);
/* A connection to whoever holds it; fills in the attempt. -1: nobody does; what such a one has left
 * behind is removed. */
int ticket_connect(struct ticket *ticket);
/* Is the other end of it this user, or root? */
bool ticket_is_ours(int fd);

/* All of it, or false. */
bool ticket_send(int fd, const void *bytes, size_t size);
bool ticket_receive(int fd, void *bytes, size_t size);

#endif
