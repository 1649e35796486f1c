/* What stintd does with a data directory besides serving it: verify, back up, restore, compact,
 * dump and load. Each is a run of its own and returns an exit code; what it has to say goes to the
 * log.
 */
#ifndef UPKEEP_H
#define UPKEEP_H

#include "core.h"
#include "data.h"
#include "fresh.h"
#include "options.h"
#include "seal.h"

#include <sysexits.h>

/* Say why it does not go on, and return the code. */
int upkeep_refuse(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whoever gives a broker's number means data of that broker: say so if they are another's, whose
 * number the data tell. Returns an exit code. */
int upkeep_check_number(const struct options *options, const char *path, int number);

/* A page of a data file that contradicts itself: says so, and ends the process. */
_Noreturn void upkeep_on_damage(const char *what);

/* Where a copy lies that is never to have a name: one that is checked before it is written to
 * standard output, or that takes in a journal. */
const char *upkeep_directory_for_copies(void);

/* Something to read: a data directory, in use or not, or a backup file. */
struct source {
    struct data data; /* of a directory */
    struct seal seal; /* of a file; of a directory format, identity and number are set as well */
    int file; /* descriptor of the backup file, or -1 */
    struct store *store;
};

/* Open what lies at `path`, which is of this format, or of any that has been: some tables may be
 * missing then. Of a directory all is read that its journal had when this was called. Returns an
 * exit code, after saying what is wrong. */
int source_open(
    struct source *source, const struct options *options, const char *path, bool any_format);
/* The same of a directory that can't be written to, without what its journal has. */
int source_look_alone(struct source *source, const struct options *options, const char *path);
bool source_is_file(const char *path); /* a backup, that is */
/* A backup file, without its store; all of it is checked. */
int source_open_file(const char *path, int *file, struct seal *seal);
/* Say what a seal that was read is not. Returns an exit code. */
int source_judge(enum seal_result result, const char *path, const struct seal *seal);
void source_close(struct source *source);

/* A data file that is ours alone: open it. `unsynced` as in store_lmdb.h. Returns an exit code. */
int
upkeep_open(const struct options *options, const char *path, bool unsynced, struct store **store);
/* Read all of the data file that is ours alone, and say whether it fits together and has this
 * identity. Returns an exit code. */
int upkeep_check(const struct options *options, const char *path, const struct seal *seal,
    struct verify_report *report);
/* A file that was checked becomes the data file of a directory that data_make has made. Returns an
 * exit code. */
int upkeep_settle_in(struct data *data, struct fresh *fresh, const struct seal *seal);
/* Read all of a store, telling problems. */
void upkeep_verify(struct store *store, uint16_t number, struct verify_report *report);
/* Print what was counted. Returns an exit code. */
int upkeep_tell(const struct verify_report *report);
/* What was printed must have arrived. Returns an exit code. */
int upkeep_printed(void);

/* A new life for a feed (feed_rows.h). */
uint64_t feed_life(void);
uint64_t upkeep_jobs(const struct verify_report *report);

/* Each of them; `signals` is a descriptor of those that end us. */
int backup_run(const struct options *options, int signals);
int restore_run(const struct options *options, int signals);
int compact_run(const struct options *options, int signals);
int dump_run(const struct options *options, int signals);
int load_run(const struct options *options, int signals);

#endif
