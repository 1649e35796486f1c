/* A conversation with the core, written so that a person can read it: a line a message, with the
 * time, who says it to whom, its type, and each of its fields by name. What is random or opaque has
 * short names in the order of its coming (session A, token 1, cursor 1), and points in time count
 * from the beginning (@250), so the same conversation is always the same text.
 *
 * It does not use the decoder, which skips what it does not know: here an unknown key is a problem,
 * as a field that is not written would hide its changes.
 */
#ifndef TRANSCRIPT_H
#define TRANSCRIPT_H

#include "pack.h"

struct transcript;

/* Begins at these times, in ms; `wall_ms` since 1970. */
struct transcript *transcript_new(uint64_t now_ms, uint64_t wall_ms);
void transcript_destroy(struct transcript **transcript);

/* A message of a peer (`by_peer`), or one to it. Returns NULL, or what of it can't be written, in a
 * sentence that is valid until the next call. */
const char *transcript_message(
    struct transcript *t, uint64_t now_ms, uint32_t peer, bool by_peer, struct slice frame);
/* Something else happens to a peer, such as "is gone". */
void transcript_event(struct transcript *t, uint64_t now_ms, uint32_t peer, const char *what);
/* A sentence between the lines. */
void transcript_say(struct transcript *t, const char *sentence);
/* What was written so far; valid until the next call. */
const char *transcript_text(struct transcript *t);

#endif
