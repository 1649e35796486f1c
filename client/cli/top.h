/* What `stint top` shows: collected from the broker, and written as lines of text, whether they go
 * to a terminal's screen or to a pipe.
 */
#ifndef TOP_H
#define TOP_H

#include "cli.h"

enum { TOP_FAILURES = 64, TOP_LINE_BYTES = 1024 };

/* A queue, and what has become of it since the last look. */
struct top_queue {
    struct stint_figures figures; /* without what it pointed to */
    double live[STINT_COUNTS]; /* jobs a second */
    uint32_t running_max; /* so many may run at once; 0: any number */
    uint64_t rate_per_hour; /* and so many may begin in an hour; 0: any number */
};

struct top_failure {
    struct stint_id id;
    uint64_t at_ms;
    bool dead, looked_up;
    char queue[STINT_NAME_BYTES], kind[STINT_NAME_BYTES], error[160];
};

struct top_list {
    void *all;
    size_t count, size;
};

struct top {
    struct cli *cli;
    uint64_t taken_ms; /* by the monotonic clock; 0: not yet */
    struct top_list queues, former; /* of struct top_queue, by name */
    struct top_list workers; /* of struct stint_worker_info */
    bool has_stats, has_workers; /* the key lets us see them */
    struct stint_stats stats;
    struct top_queue all; /* sums */
    struct top_failure failures[TOP_FAILURES]; /* the newest is failures[(next - 1) % ...] */
    uint64_t failures_next; /* how many there were */
};

void top_begin(struct top *top, struct cli *cli);
/* Look once. The first time also at what has failed before. */
enum stint_status top_look(struct top *top);
void top_end(struct top *top);

static inline struct top_queue *
top_queue(const struct top *top, size_t i)
{
    return (struct top_queue *)top->queues.all + i;
}

static inline const struct stint_worker_info *
top_worker(const struct top *top, size_t i)
{
    return (const struct stint_worker_info *)top->workers.all + i;
}

/* The i-th failure, the newest first; NULL: there are no more. */
const struct top_failure *top_failure(const struct top *top, size_t i);

/* Lines, each at most TOP_LINE_BYTES with its end. No control character is in them. */
void top_broker_line(const struct top *top, char *line);
void top_sum_line(const struct top *top, char *line);
void top_queue_heading(char *line);
void top_queue_line(const struct top_queue *queue, char *line);
void top_worker_heading(char *line);
void top_worker_line(const struct stint_worker_info *worker, char *line);
void top_failure_heading(char *line);
void top_failure_line(const struct top_failure *failure, char *line);

/* All of it as one object of schema stint.top/1. */
json_t *top_json(const struct top *top);

/* Retry what is dead in a queue, up to `most`; how many were retried. */
enum stint_status
top_retry_dead(struct top *top, const char *queue, uint64_t most, uint64_t *retried);

#endif
