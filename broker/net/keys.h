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

/* Read the directory; one that is not there holds no keys. What is wrong with a file is logged, and
 * that file authorises nobody. */
struct keys *keys_new(const char *directory);
void keys_destroy(struct keys **keys);

/* The broker's own pair; NULL: it has none. Borrowed until keys_look. */
const struct key_file *keys_broker(const struct keys *keys);

/* A zap_find_fn: the number of this key, or 0. Any thread. */
uint64_t keys_find(void *keys, const uint8_t key[KEY_BYTES]);
/* What the key of this number grants; NULL: it is revoked, or grants something else by now, under
 * another number. Borrowed until keys_drop. */
const struct grant *keys_grant(const struct keys *keys, uint64_t number);

enum keys_change { KEYS_SAME = 0, KEYS_CHANGED = 1, KEYS_BROKER_CHANGED = 2 };

/* Look whether the files have changed, if it is time to, or at once if `now_ms` is UINT64_MAX; bits
 * of enum keys_change. Grants that are gone stay good until keys_drop. */
unsigned keys_look(struct keys *keys, uint64_t now_ms);
/* Nobody uses them any more. */
void keys_drop(struct keys *keys);

/* How many there are, without the broker's. */
size_t keys_count(const struct keys *keys);

#endif
