/* stint map's parts. A window of jobs moves over the input: lines become items and are submitted
 * (map_window.c), settled items are written out (map_output.c, map_joblog.c), and it ends early if
 * asked to (map_end.c). So memory is bounded however long the input is.
 */
#ifndef MAP_H
#define MAP_H

#include "cli.h"
#include "input.h"
#include "stall.h"
#include "state.h"
#include "template.h"

#include <stdio.h>
#include <uthash.h>

enum {
    WINDOW = 8192, /* lines whose outcome is not known */
    BATCH_LINES = 256,
    BATCH_BYTES = 256 << 10,
    HEAVY_BYTES = 64 << 10, /* such a payload is a submission of its own */
    HELD_BYTES = 64 << 20, /* of results that wait for their turn: read no further */
    UNANSWERED_BYTES = 32 << 20,
    FAILURES_TOLD = 20, /* one by one */
};

/* What --halt says. */
struct halt {
    enum { HALT_NEVER, HALT_SOON, HALT_NOW } when;
    enum { HALT_FAIL, HALT_SUCCESS, HALT_DONE } what;
    uint64_t count, percent; /* one of them is not 0 */
};

struct map_options {
    char *input, *separator, *local, *state, *joblog, *results;
    const char *queue;
    bool unordered, tag, progress, failed_again;
    uint64_t delay_ms;
    struct halt halt;
};

/* Of an item, for the joblog. */
struct item_log {
    char *command;
    bool asked; /* it is in `asked` of the window, and not written out before it is answered */
    struct item *prev, *next; /* there */
    struct stint_attempt *run; /* its last one; NULL: it is not known */
};

struct item {
    struct item *prev, *next; /* in the order of input */
    UT_hash_handle hh; /* by id, while its outcome is waited for */
    char *line;
    size_t line_bytes;
    uint64_t number;
    char *group; /* NULL: that of all */
    void *payload; /* until it is certain that it need not be submitted (again) */
    size_t payload_bytes;
    struct state_key key;
    uint64_t record; /* in the state */
    bool recorded, taken_up, running;
    bool failed, not_run; /* once it is settled */
    struct stint_id id;
    struct stint_job_info *info; /* once it is settled; without a result, if that is lost */
    void *result;
    struct item_log log;
};

struct batch;

/* Lines that are read and not written out yet. */
struct map_window {
    struct item *items, *by_id;
    struct item *asked; /* settled, and the joblog wants to know who ran them, and when */
    size_t open;
    struct batch *filling; /* it is sent when it is full */
    size_t held_bytes, unanswered_bytes;
};

/* Lines so far. Of those that were read: */
struct map_counts {
    uint64_t total; /* 0: it can not be told yet */
    uint64_t done, failed, succeeded, not_run;
    uint64_t skipped, skipped_failed, taken_up, fresh; /* how a map before this one left them */
    uint64_t not_kept; /* outcomes of a map before this one */
    uint64_t told; /* failures, one by one */
};

/* Items that there was no room for; sent before anything else. */
struct map_waiting {
    struct item **items;
    size_t count, room, piece; /* piece: so many are tried at once */
    uint64_t held_until_ms;
};

struct map {
    struct cli *cli;
    struct map_options o;
    struct stint_job job;
    struct template *template; /* NULL: the line is the payload */
    struct surroundings surroundings;
    struct input *input;
    struct state *state;
    struct stall stall;
    struct map_window window;
    struct map_counts counts;
    uint64_t next_ms; /* --delay: not before */
    struct map_waiting waiting;
    FILE *joblog;
    bool over; /* all input is read */
    bool stopping; /* what is cancelled now is not a failure */
    bool ending; /* nothing is told any more */
    int rc; /* a failure of the map itself */
    int input_rc; /* of its input: what was read is finished first */
};

/* map_window.c */
/* Submissions of a former map that have no answer yet. */
void map_recover(struct map *m);
/* Reads as far as there is input and room, and submits. */
void map_read(struct map *m);
/* The input can't be read on: says why. */
void map_input_trouble(struct map *m, enum lines_result got);
bool map_finished(const struct map *m);
bool map_has_room(const struct map *m);
/* All is known of it: it is written out when it has its turn, and freed. */
void map_ready(struct map *m, struct item *item);
void map_item_free(struct map *m, struct item *item);
/* Of its result, so many bytes came; the info says how many there were. */
size_t map_result_bytes(const struct item *item);
/* What was not sent yet is given up. */
void map_drop_unsent(struct map *m);

/* map_output.c */
int map_open_outputs(struct map *m);
void map_close_outputs(struct map *m);
/* Says once that this can't be written. */
void map_output_trouble(struct map *m, const char *path);
void map_write(struct map *m, struct item *item);
void map_show_progress(struct map *m, bool last);
void map_summary(struct map *m);

/* map_joblog.c */
int map_open_joblog(struct map *m);
/* Asks what the joblog is to tell. While the broker is away it leaves that for later, unless it is
 * the `last` time: then that is not told. Not within a callback. */
void map_ask_runs(struct map *m, bool last);
void map_write_joblog(struct map *m, const struct item *item);

/* map_end.c */
bool map_read_halt(const struct cli *cli, const char *text, struct halt *halt);
bool map_halts(const struct map *m);
/* Cancels what has not begun; with `all` what runs too. */
void map_cancel(struct map *m, bool all);
/* Leaves the ids of what goes on without us in a file that stint wait reads. */
void map_detach(struct map *m);

#endif
