/* A session on a wire: connects, receives, sends, connects anew. One thread. */
#ifndef LINK_H
#define LINK_H

#include "reach.h"
#include "session.h"

struct link;

/* `reach` is copied. Errors: STINT_BAD_ENDPOINT, STINT_BAD_KEY, STINT_SYSTEM, STINT_NO_MEMORY. */
enum stint_status link_new(const struct reach *reach, struct session *session, struct link **link);
/* What was given to the socket has up to `linger_ms` to leave. */
void link_destroy(struct link **link, int linger_ms);

/* Why the handshake failed the last time, a constant phrase; NULL: it did not. `*final`: whatever
 * can be tried was tried, and the other side has said no each time. */
const char *link_refusal(const struct link *link, bool *final);

/* Readable when link_pump may have something to do. Edge-triggered by nature: call link_pump
 * before waiting for it, and after. */
int link_fd(const struct link *link);

/* Send what waits, receive what came (each frame for the owner goes to `take`), let time pass.
 * `hold` as in session_output. Errors: STINT_BAD_ENDPOINT (a broker moved to nowhere),
 * STINT_SYSTEM. */
enum stint_status link_pump(struct link *link, uint64_t now_ms, bool hold,
    void (*take)(void *owner, const struct message *message), void *owner);

/* The arrays that messages given to `take` were decoded into. */
struct message_arrays *link_arrays(struct link *link);

/* Sleep until the socket or one of `fds` is ready, or `until_ms`. */
void link_wait(struct link *link, const int *fds, unsigned fds_count, uint64_t until_ms);

#endif
