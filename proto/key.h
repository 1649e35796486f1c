/* Key files: what is in one, read strictly and written. Pure: key_files.h opens them.
 *
 * The format is that of czmq's certificates (ZPL): a section `curve` with `public-key` and maybe
 * `secret-key` in Z85, and a section `metadata`, where stint's keys say what whoever holds them
 * may do:
 *
 *     metadata
 *         role = "worker"
 *         queues = "mail.*, default"
 *     curve
 *         public-key = "..."
 *
 * A file that holds one public key and nothing else is read too.
 */
#ifndef KEY_H
#define KEY_H

#include "stint_job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KEY_BYTES = 32, /* as bytes */
    KEY_TEXT_BYTES = 41, /* in Z85, with its end */
    KEY_FILE_BYTES = 16 << 10, /* no file of a key is larger */
    KEY_WORD_BYTES = 64, /* role, or list of rights, with its end */
    KEY_QUEUES_BYTES = 4224, /* list of queues, with its end */
    KEY_PATTERNS_MAX = 64,
    KEY_WHY_BYTES = 256,
};

/* Secret keys are to be overwritten (explicit_bzero) when they are not needed any more. */
struct key_file {
    char public_key[KEY_TEXT_BYTES];
    char secret_key[KEY_TEXT_BYTES]; /* "": none */
    char role[KEY_WORD_BYTES], rights[KEY_WORD_BYTES]; /* "": not said */
    char queues[KEY_QUEUES_BYTES];
    bool says_queues;
};

/* Bits; the broker's enum right has the same. */
enum key_right { KEY_SUBMIT = 1, KEY_RUN = 2, KEY_SEE = 4, KEY_CONTROL = 8 };

/* What role, rights and queues of a file come to. */
struct key_grant {
    uint32_t rights; /* enum key_right */
    uint32_t patterns_count; /* 0: all queues */
    char patterns[KEY_PATTERNS_MAX][STINT_NAME_BYTES]; /* "mail", or "mail.*": that prefix */
};

/* 40 characters of Z85 to 32 bytes. False: they are no key. */
bool key_decode(const char *text, size_t size, uint8_t bytes[KEY_BYTES]);

/* Read a file's text. False: it is no key file, and `why` is a phrase that says why, without
 * anything of what the file holds. */
bool key_file_read(const char *text, size_t size, struct key_file *file, char why[KEY_WHY_BYTES]);

/* The text of a file, with the secret key or without. `text` has room for KEY_FILE_BYTES. Returns
 * its size. */
size_t key_file_write(const struct key_file *file, bool secret, char text[KEY_FILE_BYTES]);

/* What the file grants. False: nothing, and `why` says why. */
bool key_file_grants(const struct key_file *file, struct key_grant *grant, char why[KEY_WHY_BYTES]);

/* May a key be called so? As queues are (letters, digits, ".", "_", "-"), but not "local", which is
 * whoever shows no key, and not "broker", whose file lies beside theirs. */
bool key_name_is_valid(const char *name);

/* The names of rights, such as "submit, see"; `text` has room for KEY_WORD_BYTES. */
void key_rights_text(uint32_t rights, char text[KEY_WORD_BYTES]);

#endif
