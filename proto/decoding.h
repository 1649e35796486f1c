/* What the decoders of messages share; nobody else includes it. */
#ifndef DECODING_H
#define DECODING_H

#include "message.h"

/* What a field decoder works with; `why` is set by the first complaint. */
struct decoding {
    struct pack_reader r;
    struct message *m;
    struct message_room *room;
    enum stint_status status;
    const char *why;
    bool has_common, has_jobs; /* of a SUBMIT */
};

void decoding_complain(struct decoding *d, enum stint_status status, const char *why);
/* A number from `min` to `max`. */
uint64_t decoding_ranged(struct decoding *d, uint64_t min, uint64_t max, const char *why);
/* The head of an array of at most `max` elements. */
uint32_t decoding_counted(struct decoding *d, uint32_t max, const char *why);
/* The name of a queue or kind. */
struct slice decoding_name(struct decoding *d);
void decoding_id(struct decoding *d, struct stint_id *id);
/* Ids into the room. */
void decoding_ids(struct decoding *d);
/* Elements beyond those a version knows are skipped. */
void decoding_skip_rest(struct decoding *d, uint32_t known, uint32_t elements);

/* message_decode_ask.c */
void ids_field(struct decoding *d, uint64_t key);
void list_field(struct decoding *d, uint64_t key);
void items_field(struct decoding *d, uint64_t key);
void cursor_field(struct decoding *d, uint64_t key);
void answers_field(struct decoding *d, uint64_t key);
void stats_field(struct decoding *d, uint64_t key);
void subscribe_field(struct decoding *d, uint64_t key);
void events_field(struct decoding *d, uint64_t key);

#endif
