/* Loading a dump (dump.h) into a store that nobody else has open: what the lines say is put where
 * the broker would have it, and what follows from them is worked out. Lines of one type each have a
 * function; it returns false after line_wrong.
 */
#ifndef LOAD_H
#define LOAD_H

#include "book.h"
#include "key.h"
#include "load_line.h"
#include "seal.h"

struct loaded_key {
    char name[STINT_NAME_BYTES];
    struct key_file file;
};

struct load {
    struct store *store;
    struct book book;
    struct load_line line;
    uint64_t lines, jobs, damaged;
    struct seal seal; /* what the header says */
    uint64_t epoch, sessions, clock_ms, last_queue;
    int64_t ahead_ms;
    bool begun, ended; /* the header was there, and the end */
    bool has_clock, has_last_queue;
    bool newer; /* the dump is of a newer version */
    struct loaded_key *keys;
    size_t keys_count;
    uint32_t feeds;
};

/* A type that nobody knows: false, without line_wrong. */
bool load_knows(const char *type);
/* Take `load->line`. */
bool load_take(struct load *load, const char *type);
/* What is not a line of its own: after the last one. */
void load_finish(struct load *load);

/* A job, or a damaged record. */
bool load_job(struct load *load);
bool load_damaged(struct load *load);
/* One that others wait for has ended; and, after the last line, what that means for the rest. */
bool load_ended(struct load *load);
void load_finish_links(struct load *load);
/* A batch; and a job that may be in one. */
bool load_batch(struct load *load);
struct record;
void load_member(struct load *load, const struct stint_id *id, const struct record *r);
/* A group, and the weight of one; what a job is to its group, and, after the last line, the rest.
 */
bool load_group(struct load *load);
bool load_group_weight(struct load *load);
void load_group_job(struct load *load, struct level *level, const struct stint_id *at,
    const struct record *record, bool runs);
void load_finish_groups(struct load *load);

#endif
