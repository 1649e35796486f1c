/* Stored sessions of clients. */
#ifndef SESSIONS_H
#define SESSIONS_H

#include "state.h"

/* While there are --sessions-max, who was away so long may be forgotten. */
enum { SESSION_REST_MS = 60000 };

void sessions_store(struct core *core, struct peer *peer);
/* Its row and its answers go, as far as this step has room for it, and the rest later. */
void sessions_forget(struct core *core, const uint8_t session[SESSION_BYTES]);
void sessions_forget_more(struct core *core);
/* There are as many sessions as there may be. */
void sessions_sweep_soon(struct core *core);
/* Is the session stored? Then `owner` is whose it is. */
bool sessions_owner(struct core *core, const uint8_t session[SESSION_BYTES], uint64_t *owner);
/* What is stored of the peer's session is read into it; a new one is of its key. */
void sessions_load(struct core *core, struct peer *peer);
/* A session that is back before all of it was forgotten begins anew all the same. */
void sessions_finish(struct core *core, const uint8_t session[SESSION_BYTES]);

#endif
