/* Key files on the disk: read with bounds, written so that a reader sees a whole file or none. */
#ifndef KEY_FILES_H
#define KEY_FILES_H

#include "key.h"

/* Read the file at `path`. A file with a secret key that others than its owner may read is refused.
 * False: `why` is a phrase that says why, with nothing of what the file holds. */
bool key_files_load(const char *path, struct key_file *file, char why[KEY_WHY_BYTES]);

/* Write it, with its secret key (mode 0600) or without (0644), and bring it to the disk. Whether
 * there may be a file at `path` already is for `replace` to say. False with errno set. */
bool key_files_save(const char *path, const struct key_file *file, bool secret, bool replace);

/* Whoever may write to a directory of keys may authorise keys. Are that only we, or root? Also true
 * if there is none. False: `why` is a phrase that says why not, and what to do. */
bool key_files_directory_is_ours(const char *path, char why[KEY_WHY_BYTES]);

/* Remove the file, also from the disk. False with errno set. */
bool key_files_remove(const char *path);

/* A new pair of keys; false if libzmq was built without CURVE. */
bool key_files_draw(struct key_file *file);

#endif
