/* What a map remembers in a directory, so that the same command goes on where it stopped: its
 * session, and for each line, told by what is in it, the job it became and whether its result was
 * written out. With it each line is submitted exactly once, across kills, and whatever the next
 * input is: what is done is known by itself, not by where it stood.
 *
 * Which jobs go into a submission is on disk, all of them, before it is sent; so one whose answer
 * did not arrive is sent again as it was, and answered as the first time.
 */
#ifndef STATE_H
#define STATE_H

#include "cli.h"

struct state;

struct state_key {
    uint8_t bytes[16];
};

enum state_how {
    STATE_OPEN = 0,
    STATE_SHOWN = 1, /* its result was written out */
    STATE_FAILED = 2, /* and it had failed */
    STATE_DROPPED = 3, /* it never came to be, or is to be run again: as if it had never been */
};

/* A line that was met before: which one, where it stands, its job. */
struct state_line {
    uint64_t index;
    enum state_how how;
    bool known;
    struct stint_id id;
};

/* A submission without an answer. The jobs are the caller's to free, with state_batch_free. */
struct state_batch {
    uint64_t first; /* its lines: this one and those after it */
    size_t count;
    struct stint_job *jobs;
    char *bytes;
};

/* Open or make the state in `directory`, which the user knows as `called`, for this command. A
 * finished one begins anew, unless `failed_again`: then its failed lines do. Returns an exit code,
 * after saying what is wrong: EX_CONFIG if the directory belongs to another command, EX_TEMPFAIL if
 * another map is at it. */
int state_open(struct cli *cli, const char *directory, const char *called, const char *command,
    bool failed_again, struct state **state);
void state_close(struct state **state);

const uint8_t *state_session(const struct state *state);
/* Submissions whose answer is known: where the session stands. */
uint64_t state_answered(const struct state *state);
/* The broker has forgotten the session: begin a new one. Submissions without answer are dropped. */
bool state_renew(struct state *state, uint64_t *dropped);
/* The next submission without an answer, in their order; false if there is none. */
bool state_next_pending(struct state *state, struct state_batch *batch);
void state_batch_free(struct state_batch *batch);
/* Submissions without an answer that were never stored: their lines are new again. */
bool state_drop(struct state *state, uint64_t first, size_t count);

/* Has this line been met by a map before this one? Each is found once, equal ones one by one. */
bool state_find(struct state *state, const struct state_key *key, struct state_line *line);
/* Lines of former maps that were not found. */
uint64_t state_left(const struct state *state);

/* Is this a job of a line whose outcome was not shown? As it stands when this is first asked. */
bool state_awaits(struct state *state, const struct stint_id *id);

/* Write down a submission before it is sent; `*first` is its first line. */
bool state_add(struct state *state, const struct state_key *keys, const struct stint_job *jobs,
    size_t count, uint64_t *first);
bool state_answer(struct state *state, uint64_t first, const struct stint_id *ids, size_t count);
/* May another submission be added? What is not answered is bounded. */
bool state_has_room(const struct state *state);
bool state_mark(struct state *state, uint64_t index, enum state_how how);
/* All is done: the same command begins anew next time, unless failed lines are asked for. */
bool state_finish(struct state *state);

#endif
