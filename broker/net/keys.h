/* The keys that the broker knows: its own pair, and whom it has authorised to do what. A directory
 * of files (proto/key.h): broker.key, and a NAME.pub for each that may connect. It is looked at
 * again and again, so that a key is taken, changed or revoked without a restart.
 */
#ifndef KEYS_H
#define KEYS_H

#include "core.h"
#include "key.h"

#define KEYS_BROKER_FILE "broker.key"

struct keys;

/* Read the directory, and go on to look at it; one that is not there holds no keys. What is wrong
 * with a file is logged, and that file authorises nobody. NULL with errno set: no thread can be
 * had. */
struct keys *keys_new(const char *directory);
void keys_destroy(struct keys **keys);

/* The broker's own pair; NULL: it has none. Borrowed until keys_take. */
const struct key_file *keys_broker(const struct keys *keys);

/* A zap_find_fn: the number of this key, or 0. Any thread. */
uint64_t keys_find(void *keys, const uint8_t key[KEY_BYTES]);
/* What the key of this number grants; NULL: it is revoked, or grants something else by now, under
 * another number. Borrowed until keys_drop. */
const struct grant *keys_grant(const struct keys *keys, uint64_t number);

enum keys_change { KEYS_SAME = 0, KEYS_CHANGED = 1, KEYS_BROKER_CHANGED = 2, KEYS_LOOKED = 4 };

/* What was found to be different is so from now on, of very much only a part at a time; bits of
 * enum keys_change. KEYS_LOOKED: all that was there at keys_ask is so. Grants that are gone stay
 * good until keys_drop. */
unsigned keys_take(struct keys *keys);
/* Has keys_take more to do? */
bool keys_wait(const struct keys *keys);
/* Look at once, and not only in a moment. */
void keys_ask(struct keys *keys);
/* Nobody uses them any more. */
void keys_drop(struct keys *keys);

/* How many there are, without the broker's. */
size_t keys_count(const struct keys *keys);

#endif
