/* Connections and their accounts: what a peer was sent, and what it has shown to have read. */
#ifndef PEERS_H
#define PEERS_H

#include "state.h"

/* May more be sent to this peer? One that does not read would make us keep it all. */
bool peers_can_take(const struct core *core, const struct peer *peer);
/* The peer has shown to have read up to there. */
void peers_have_read(struct core *core, struct peer *peer, uint64_t sent);
void peers_count_frame(void *context, const struct outbox_entry *entry);
/* The router forgets the connection at the end of the step, unless it is a peer by then. */
void peers_forget(struct core *core, uint32_t number);
/* The connection, which is no peer any more, ends at the end of the step. */
void peers_end(struct core *core, uint32_t number);
/* The peer has answers to be flushed at the end of the step. */
void peers_have_output(struct core *core, struct peer *peer);
/* Forget a connection's state here, or also the router's, which ends it if it owes much. */
void peers_remove(struct core *core, struct peer *peer);
void peers_drop(struct core *core, struct peer *peer);
void peers_end_connections(struct core *core);

#endif
