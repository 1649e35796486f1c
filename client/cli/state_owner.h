/* To which command a map's state directory belongs: its file `map`, with the session of that
 * command, and `complete`. What else is in it is told in state.c.
 */
#ifndef STATE_OWNER_H
#define STATE_OWNER_H

#include "cli.h"

enum { OWNER_LINES_HEAD = 16 }; /* bytes of `lines` before its records */

struct owner {
    char directory[4000];
    uint8_t session[STINT_SESSION_BYTES];
};

void owner_file(const struct owner *owner, const char *name, char path[4096]);
/* Whose is the directory, which the user knows as `called`? What is complete, or not there, begins
 * anew for this command. Returns an exit code, as state_open; EX_CONFIG and EX_NOINPUT were told.
 */
int owner_settle(struct cli *cli, struct owner *owner, const char *called, const char *command,
    bool failed_again);
/* The same command with a new session. */
bool owner_renew(struct owner *owner);

#endif
