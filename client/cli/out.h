/* How things look: one JSON schema a thing, and tables rendered from the same objects. */
#ifndef OUT_H
#define OUT_H

#include "cli.h"
#include "key.h"

/* JSON objects of schema stint.job/1, stint.queue/1, stint.worker/1, stint.running/1,
 * stint.queue_setting/1, stint.why/1, stint.fleet/1, stint.stats/1, stint.figures/1, stint.event/1,
 * stint.feed/1, stint.schedule/1, stint.batch/1, stint.group/1, stint.bulk/1, stint.key/1. The
 * caller owns them. Bytes that are valid UTF-8 are strings; others are {"base64": "..."}. */
/* How far a run is, on a line for people: "40 %  half way". */
void out_progress_line(const struct stint_progress *progress, char *text, size_t size);
json_t *out_job(const struct stint_job_info *info);
json_t *out_queue(const struct stint_queue_info *info);
json_t *out_group(const struct stint_group_info *info);
json_t *
out_queue_setting(const char *name, const char *action, const struct stint_queue_setting *now);
json_t *out_worker(const struct stint_worker_info *info);
json_t *out_reason(const struct stint_reason *reason);
json_t *out_running(const struct stint_running_info *info);
json_t *out_fleet(const struct stint_fleet *fleet);
json_t *out_stats(const struct stint_stats *stats);
json_t *out_figures(const struct stint_figures *figures);
json_t *out_bulk(const struct stint_bulk_info *info);
json_t *out_event(const struct stint_event *event);
json_t *out_feed(const struct stint_feed *feed); /* cmd_feed.c */
json_t *out_schedule(const struct stint_schedule_info *info); /* cmd_schedule.c */
json_t *out_batch(const struct stint_batch_info *info); /* cmd_batch.c */
/* Never with the secret key. `name` and `grant` NULL: it has no name, and grants nothing. */
json_t *out_key(const char *name, const struct key_file *file, const struct key_grant *grant);

/* How many jobs stand in each state, by the state's name; no schema. */
json_t *out_states(const uint64_t *jobs);
/* A time, unless it is 0; and a payload or result as out_job has it, with "FIELD_object" beside it
 * if it is one. */
void out_put_time(json_t *object, const char *field, uint64_t ms);
void out_put_body(json_t *object, const char *field, const void *bytes, size_t size);

/* Bytes as JSON: a string if they are UTF-8, else {"base64": "..."}. */
json_t *out_text(const void *bytes, size_t size);
/* The other way, of a field: allocated, up to the first zero byte; NULL: it is none of both. */
char *out_bytes_of(const json_t *object, const char *field);
/* What a settled command ended with, as far as it is known; `signal` 0: not killed. */
bool out_exit_status(const struct stint_job_info *info, int *code, int *signal);
/* What the program itself would have ended with, at a shell, as far as its error text tells. */
int out_exit_code(const struct stint_job_info *info);

/* Print an object on a line, and free it. False if it can't be written. */
bool out_line(json_t *object);

struct out_column {
    const char *title, *field; /* of the object; "ago:field" is how long ago it was,
                                   "age:field" how long that many ms are */
    enum { OUT_LEFT, OUT_RIGHT, OUT_LONG } kind; /* long ones are cut to the terminal's width */
    unsigned min_width; /* left out on terminals narrower than this; 0: never */
};
/* A table of objects, shown piece by piece if it is long; objects are freed. */
struct out_table;
struct out_table *out_table_new(const struct out_column *columns, size_t count);
void out_table_add(struct out_table *table, json_t *object);
/* Show the rest. False if there was no row at all. */
bool out_table_show(struct out_table **table);

/* "field  value" lines of one object, freed. */
void out_fields(json_t *object);

/* Has the job a result, and it can't be had? Then this says why; else it is NULL. */
const char *out_lost_result(const struct stint_job_info *info);
/* Is it a job of which nothing is told but that its key may not see it? */
bool out_hidden(const struct stint_job_info *info);

/* Bytes to standard output as they are. False if it is closed. */
bool out_bytes(const void *bytes, size_t size);

#endif
