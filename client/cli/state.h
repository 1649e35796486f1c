/* What a map remembers in a directory, so that the same command line goes on where it stopped: its
 * session, the command it belongs to, the ids its submissions were answered with, and how many
 * results were written out. With it, each line of input is submitted exactly once, across kills.
 */
#ifndef STATE_H
#define STATE_H

#include "cli.h"

struct state;

/* Open or make the state in `directory` for this command. Returns an exit code; EX_CONFIG if the
 * directory belongs to another command. */
int state_open(struct cli *cli, const char *directory, const char *command, struct state **state);
void state_close(struct state **state);

const uint8_t *state_session(const struct state *state);
/* Jobs whose ids are known, in the order of input. */
uint64_t state_ids(const struct state *state);
bool state_id(struct state *state, uint64_t index, struct stint_id *id);
bool state_add_ids(struct state *state, const struct stint_id *ids, size_t count);
/* Has the result of this job been written out? And: it has now. */
bool state_shown(const struct state *state, uint64_t index);
bool state_show(struct state *state, uint64_t index, bool failed);
uint64_t state_failed(const struct state *state);
/* All is done: the same command begins anew next time. */
void state_finish(struct state *state);

#endif
