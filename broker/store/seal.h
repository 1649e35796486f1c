/* What stands at the end of a backup file: 512 bytes of text, behind the compact copy of a data
 * file (which LMDB does not look at). It is what a data directory has in its MANIFEST, and a check
 * of all that stands before it, so that any bit that is turned, and any byte that is missing,
 * shows.
 *
 *     stint-backup 1
 *     stint-data 6              the format of the rows (upgrade.h)
 *     identity 0123...          of the directory that was copied
 *     broker 0                  its number
 *     size 1234567              of the copy, in bytes
 *     taken 1795597860123       when, in ms since 1970
 *     check 0123...             XXH3 of the copy and of the lines before this one, 128 bits
 *
 * and line feeds up to the end.
 */
#ifndef SEAL_H
#define SEAL_H

#include <stdbool.h>
#include <stdint.h>

enum { SEAL_BYTES = 512, SEAL_VERSION = 1 };

struct seal {
    int version; /* as found */
    int format;
    int broker;
    char identity[33];
    uint64_t size; /* of the copy */
    uint64_t taken_ms;
};

/* Puts a seal behind the file's `size` bytes. False with errno set. */
bool seal_write(int fd, const struct seal *seal);

enum seal_result {
    SEAL_GOOD,
    SEAL_NONE, /* it is no backup file, or it is cut short */
    SEAL_NEWER, /* of a newer version, which we can't read */
    SEAL_BROKEN, /* it is not what was written */
    SEAL_UNREAD, /* the disk did not give it; errno is set */
};

/* Reads the seal, and, if `whole`, all of the file, to check it. */
enum seal_result seal_read(int fd, bool whole, struct seal *seal);

#endif
