/* Dumps: what a data directory holds as JSON lines, for people and for other versions. A line is an
 * object with a "type"; what is not said is 0, empty or the default. Bytes are a string if they are
 * UTF-8 without control characters but tab and line ends, else {"base64": "..."}; times are in ms
 * since 1970, by the broker's clock; 64 bits that may be no number of JSON's stand as hexadecimal
 * digits.
 *
 *     header    stint_dump: 1, data_format, identity, broker: its number, epoch: its starts,
 *               clock_ms: its time, ahead_ms: how far the wall clock was ahead of it, last_queue:
 *               highest number of a queue that went, written: the wall clock's time, for people
 *     key       name, public_key, role, rights, queues: whom the broker knows. Never a secret
 *     queue     number, name, paused, closed, lifo, low_first, running, rate, weight, backlog_max,
 *               keep_ms, time_to_run_ms, group_running, group_weights, group_rate
 *     level     of a queue (its number) and a priority, next: sequence of the next job; what was
 *               counted, by the names of enum stint_count
 *     gone      the same, of queues that are no more
 *     fleet     slots: its size
 *     worker    name, slots, paused: of all workers of this name
 *     feed      name, queues, events, keep_ms, max_events, max_bytes: what it is to record and
 *               keep. Not its events; its numbers begin anew, and who follows it is told
 *     job       id, state, at: where it stands, if it was moved, queue, kind, attempt, uncounted,
 *               last: how the last attempt ended, and the fields that record_field_name names;
 *               suspect, followed: others wait for it, after: ids of those that it is after,
 *               waits_for: which of them it waits for, error, unique: its key, schedule: that made
 *               it, group, group_holds: it keeps its group's place, attempts: that have ended:
 *               number, how, started, ended, worker, error; payload or, of one that succeeded,
 *               result; output: of a dead one
 *     session   session, submission: the last one, pruned: up to which answers are gone, used_ms,
 *               owner: a hash of the key's name
 *     unique    key: of the queue (its number), id: of the job that holds it, or until_ms: when
 *               that is over
 *     answer    session, submission, hash: of what was sent, status, index, starts: queue, priority
 *               and first sequence of each level, or runs: first id, count, met, or text: of a
 *               refusal. A client that sends a submission again gets it: exactly once is kept
 *               through a dump
 *     bulk      bulk: its number, action, state, dry, priority, queue, key, filter: as the protocol
 *               has it, began_ms, ended_ms, counted, done, refused, status, at: where it stands,
 *               examples: an operation on all jobs that the filter is true of
 *     ended     id, state: of a job that others wait for, which are to be told
 *     group     queue: its number, name, tokens and filled_ms: of its rate, as they were then
 *     group_weight
 *               queue: its number, name, weight
 *     schedule  name, cron and zone, or every_ms, missed, most, overlap, paused, began_ms, seen_ms:
 *               up to where its ticks are over, ticked_ms, last: id, run, run_id, jobs, skipped,
 *               job: as the protocol has it. With cron these times are the wall clock's
 *     batch     batch: its number, queue, title, keep_ms, closed, cancelled, cancels: its jobs are
 *               being cancelled, began_ms, settled_ms, jobs, and of them succeeded, dead,
 *               cancelled_jobs, expired; success, always: jobs that it makes, as the protocol has
 *               them, owes_success, owes_always: which are due, success_id, always_id: which it
 *               has made, maker: a hash of the session that made it
 *     damaged   id, bytes: a record that was set aside, or could not be read
 *     end       nothing; a dump without it is cut short
 *
 * They stand in this order: queues and levels before jobs, jobs before
 * batches. What follows from these lines (counts,
 * what is due, what expires, which jobs run, parts of large bodies) is not in a dump; loading makes
 * it anew. Ids are kept.
 */
#ifndef DUMP_H
#define DUMP_H

#include "json_bytes.h"
#include "rows.h"
#include "seal.h"
#include "store.h"

#include <stdbool.h>
#include <stdio.h>

enum { DUMP_VERSION = 1 };

struct dump {
    struct store *store;
    FILE *to;
    uint64_t jobs, damaged; /* damaged: rows that could not be read */
    struct stint_id block; /* whose transit row is in `bits`; all 0: none */
    uint64_t bits[TRANSIT_WORDS];
    uint32_t queue; /* whose name is in `name`; 0: none */
    char name[LIMIT_NAME_BYTES + 1];
    struct pack_buffer body, line; /* put together, or written */
};

/* Write one line, which it frees. What goes wrong shows in ferror. */
void dump_line(struct dump *dump, json_t *object);
/* 64 bits: as a number if JSON's have room for it, else as its digits. */
json_t *dump_number(uint64_t value);

json_t *dump_bytes(const void *bytes, size_t size);

/* The header; `seal` has what the MANIFEST says. */
void dump_header(struct dump *dump, const struct seal *seal);
/* All lines of the store but header, keys and end; within a transaction. */
void dump_store(struct dump *dump);
/* Those of jobs, and of batches. */
void dump_jobs(struct dump *dump);
void dump_batches(struct dump *dump);
/* Call `each` for all rows of a table. */
void dump_each(struct dump *dump, enum store_table table,
    void (*each)(struct dump *dump, struct slice key, struct slice value));

#endif
