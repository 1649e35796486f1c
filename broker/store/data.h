/* The data directory: who may use it, and whether what lies in it is what was left there. It holds
 *
 *     LOCK       the process id of the stintd that uses it; locked (flock), as are the directory
 *                itself and the data file, which can't be taken away as easily
 *     MANIFEST   format version, identity, the least size the data file must have, and the number
 *                of the broker whose jobs these are
 *     jobs.lmdb  the store, and jobs.lmdb-lock, LMDB's own
 *     journal-00 and so on: what was committed since (journaled.h)
 *     TERM       how often a broker has started here (term_file.h)
 *
 * The manifest is written before the data file and completed after it, so that a start that was
 * interrupted is told from a data file that vanished. No data file is ever deleted: one that can't
 * be in use is renamed to jobs.lmdb.set-aside-N.
 */
#ifndef DATA_H
#define DATA_H

#include "stint_status.h"
#include "upgrade.h"

#include <stdbool.h>
#include <stdint.h>

/* The format is that of the manifest and of the rows together (DATA_FORMAT, upgrade.h). 1: without
 * the broker's number in the manifest, and records of the first form. 2: rows without versions.
 * 3: no settings. 4: queues have none. 5: no feeds and
 * bulks. 6: no journal. Such a directory is taken, and is one of this format from
 * the end of the next start on: first the store is, in one transaction, and then the manifest says
 * so. */

struct data {
    char path[4096]; /* of the data file */
    char directory[4000];
    char identity[33]; /* 32 hex digits, made with the directory */
    char set_aside[4096]; /* the new name of a data file that was set aside, or "" */
    int format; /* as found; 0: the directory is new */
    int number; /* of the broker; -1: the manifest, being of format 1, does not say it */
    uint64_t least_bytes; /* the data file has never been shorter */
    int lock, held, file; /* descriptors of LOCK, the directory and the data file, all locked */
    int readers; /* descriptor of LMDB's lock file; see data_hold */
    bool size_is_old; /* the disk was too full to bring the manifest up to date */
    bool alone; /* data_look: no other process has it open */
    bool made; /* data_make: it was not there */
};
#define DATA_CLOSED ((struct data){.lock = -1, .held = -1, .file = -1, .readers = -1})

/* Lock a directory and check identity, version, size and whose it is: broker `number`'s. Unless it
 * is only to be looked at (`verify`), it is made if it is not there. After an unclean end whose
 * file is shorter than its root says, every page is visited in a process of its own, since a page
 * that is not there kills whoever touches it. Returns 0, or the exit code (sysexits.h) that says
 * what kind of trouble it is, with a sentence in `error`. */
int
data_open(struct data *data, const char *directory, uint16_t number, bool verify, char error[1024]);

/* For a directory of format 1, whose number only its jobs tell: refuse it as that of broker
 * `number`. Returns the exit code. */
int data_refuse_number(const struct data *data, uint16_t number, char error[1024]);

/* The data file is there, open and good: record so, and for which broker. Returns 0, or an exit
 * code with a sentence. */
int data_complete(struct data *data, uint16_t number, char error[1024]);

/* Look at a directory that may be in use, with nothing changed and nobody hindered but who would
 * replace the data file. The store is to be opened read_only, and `alone` if that is set. Its
 * number is in `data`. Returns as data_open. */
int data_look(struct data *data, const char *directory, char error[1024]);

/* The same, and what data_open checks to verify: for a directory that nobody may use meanwhile, but
 * that can't be written to, which is how data_open tells others. */
int data_look_alone(struct data *data, const char *directory, uint16_t number, char error[1024]);
/* Can the directory and what data_open and the store lock in it be written to? */
bool data_is_writable(const char *directory);

/* After data_look: take the directory for ourselves, if no broker uses it; and give it back. */
bool data_take(struct data *data);
void data_give_back(struct data *data);

/* Make a directory that is to get a data file from elsewhere, or take one that has none yet; lock
 * it. Returns as data_open; EX_CANTCREAT: there is a broker's data in it. */
int data_make(struct data *data, const char *directory, char error[1024]);
/* The data file stands at data->path now: write the manifest that belongs to it. Returns 0, or an
 * exit code with a sentence. */
int
data_adopt(struct data *data, int format, const char *identity, uint16_t number, char error[1024]);
/* It came to nothing: leave nothing of what data_make made. */
void data_unmake(struct data *data);

/* After data_open: nobody may be reading the data file, until data_close. Returns 0, or an exit
 * code with a sentence. */
int data_hold(struct data *data, char error[1024]);
/* The data file is about to be replaced by one of `size` bytes. Returns 0, or an exit code with a
 * sentence. */
int data_shrink(struct data *data, uint64_t size, char error[1024]);

/* Is the data file still the one that was opened, where it was opened? Costs two calls of stat.
 * False with a sentence if it was removed, replaced or cut short: whatever is committed from then
 * on is lost with it. */
bool data_is_there(const struct data *data, char error[1024]);

/* Is there a data directory of stintd's at that path? */
bool data_exists(const char *directory);

void data_close(struct data *data);

#endif
