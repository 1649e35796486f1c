/* Reads the directory of keys, on a thread of its own: ten thousand files, or a disk that is slow,
 * hold up nobody. It remembers what each file looked like, reads only those that look different,
 * and hands over what that changes.
 */
#ifndef KEYS_READER_H
#define KEYS_READER_H

#include "core.h"
#include "key.h"

struct keys_reader;

/* One key: it goes, it comes, or what it grants is another thing now (both). */
struct key_change {
    uint8_t key[KEY_BYTES];
    bool goes;
    struct grant *comes; /* NULL: it does not; for whoever takes it to free */
    struct key_change *next;
};

/* What looks have found since the last time somebody asked. */
struct keys_found {
    struct key_change *first, **last; /* those that only go stand first in what one look found */
    struct key_file *broker; /* another pair of the broker's own; NULL: none; holds a secret */
    bool asked; /* a look that was asked for is among them */
};

/* Looks once, on the caller's thread. */
struct keys_reader *keys_reader_new(const char *directory);
/* Begin to look again and again. False with errno set. */
bool keys_reader_start(struct keys_reader *reader);
void keys_reader_destroy(struct keys_reader **reader);

/* Look at once. */
void keys_reader_ask(struct keys_reader *reader);
/* False: nothing was found. What was, is the caller's: free it with keys_found_free. */
bool keys_reader_take(struct keys_reader *reader, struct keys_found *found);
void keys_found_free(struct keys_found *found);

#endif
