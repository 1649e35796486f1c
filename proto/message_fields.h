/* How fields are read and written, for the groups of messages (message_*.c) and nobody else. What
 * stands here in full is on the path of every job.
 */
#ifndef MESSAGE_FIELDS_H
#define MESSAGE_FIELDS_H

#include "message.h"

/* Keys that mean the same in every message... */
enum common_key { KEY_TYPE = 0, KEY_NUMBER = 1 };
/* ...and in those that are one list: SUBMITTED, SETTLED, ANSWERS, OUTCOMES, JOBS, QUEUES, WORKERS,
 * EVENTS. The cursor says where the next page begins. */
enum list_key { KEY_ELEMENTS = 2, KEY_CURSOR = 3 };

/* What a field decoder works with; `why` is set by the first complaint. */
struct decoding {
    struct pack_reader r;
    struct message *m;
    struct message_arrays *arrays;
    enum stint_status status;
    const char *why;
    bool has_common, has_jobs; /* of a SUBMIT */
    struct job_spec
        *specs; /* jobs that are read one behind the other; NULL: they are only checked */
};

/* Reads the value of one key of a message, or skips it; message.def names one for each. */
typedef void field_decoder(struct decoding *d, uint64_t key);
#define X(number, name, sender, decoder) field_decoder decoder;
#include "message.def"
#undef X

void decoding_complain(struct decoding *d, enum stint_status status, const char *why);
/* The name of a queue or kind. */
struct slice decoding_name(struct decoding *d);
/* What a peer calls itself or its software. */
struct slice decoding_label(struct decoding *d);
/* How far a run is, in words. */
struct slice decoding_progress_text(struct decoding *d);
/* Ids into the arrays. */
void decoding_ids(struct decoding *d);
/* A filter, which is read to see that it is one. */
struct slice decoding_filter(struct decoding *d);
/* A job, as SUBMIT has it in common, with the defaults filled in. */
void decoding_job(struct decoding *d, struct job_spec *spec);
/* A job that stands there among others, each of which says all that is not the default. */
void decoding_job_among(struct decoding *d, struct job_spec *spec, uint32_t index);
/* What an outcome asks for with its end, which adds to what its message does. */
struct slice decoding_joint(struct decoding *d, struct joint_size *size);
/* The name of a job's group. */
struct slice decoding_group(struct decoding *d);
/* How many jobs there are in each state; states that we do not know are skipped. */
void decoding_states(struct pack_reader *r, uint64_t jobs[STINT_STATES]);

/* A number from `min` to `max`. */
static inline uint64_t
decoding_ranged(struct decoding *d, uint64_t min, uint64_t max, const char *why)
{
    uint64_t value = pack_uint(&d->r);
    if (!d->r.bad && (value < min || value > max))
        decoding_complain(d, STINT_INVALID, why);
    return d->r.bad ? 0 : value;
}

/* The head of an array of at most `max` elements. */
static inline uint32_t
decoding_counted(struct decoding *d, uint32_t max, const char *why)
{
    uint32_t count = pack_array(&d->r);
    if (count > max)
        decoding_complain(d, STINT_TOO_LARGE, why);
    return d->r.bad ? 0 : count;
}

/* Exactly so many bytes. */
static inline void
decoding_fixed(struct decoding *d, uint8_t *to, size_t size, const char *why)
{
    struct slice bytes = pack_bytes(&d->r);
    if (!d->r.bad && bytes.size != size)
        decoding_complain(d, STINT_INVALID, why);
    if (!d->r.bad)
        memcpy(to, bytes.data, size);
}

static inline void
decoding_id(struct decoding *d, struct stint_id *id)
{
    decoding_fixed(d, id->bytes, STINT_ID_BYTES, "an id has 16 bytes");
}

/* Elements beyond those a version knows are skipped. */
static inline void
decoding_skip_rest(struct decoding *d, uint32_t known, uint32_t elements)
{
    if (elements < known)
        decoding_complain(d, STINT_BAD_MESSAGE, "an array is too short");
    for (uint32_t i = known; i < elements && !d->r.bad; i++)
        pack_skip(&d->r);
}

/* The head of a message with so many fields besides its type. */
void put_head(struct pack_buffer *b, enum message_type type, uint32_t fields);
/* The same, and its number, which counts as one of the fields. */
void
put_head_numbered(struct pack_buffer *b, enum message_type type, uint32_t fields, uint64_t number);
void put_names(struct pack_buffer *b, uint8_t key, const struct slice *names, uint32_t count);
void put_ids(struct pack_buffer *b, uint8_t key, const struct stint_id *ids, uint32_t count);
void put_states(struct pack_buffer *b, uint8_t key, const uint64_t jobs[STINT_STATES]);

static inline void
put_key(struct pack_buffer *b, uint8_t key)
{
    *pack_reserve(b, 1) = key;
}

static inline void
put_key_array(struct pack_buffer *b, uint8_t key, uint32_t elements)
{
    put_key(b, key);
    pack_put_array(b, elements);
}

static inline void
put_key_bool(struct pack_buffer *b, uint8_t key, bool value)
{
    put_key(b, key);
    pack_put_bool(b, value);
}

static inline void
put_key_bytes(struct pack_buffer *b, uint8_t key, const void *data, size_t size)
{
    put_key(b, key);
    pack_put_bytes(b, data, size);
}

static inline void
put_key_text(struct pack_buffer *b, uint8_t key, struct slice text)
{
    put_key(b, key);
    pack_put_text(b, text.data, text.size);
}

static inline void
put_key_string(struct pack_buffer *b, uint8_t key, const char *text)
{
    put_key(b, key);
    pack_put_string(b, text);
}

/* An id of an element that is read alone; the reader is bad if it is none. */
static inline void
read_id(struct pack_reader *r, struct stint_id *id)
{
    struct slice bytes = pack_bytes(r);
    if (r->bad || bytes.size != STINT_ID_BYTES)
        r->bad = true;
    else
        memcpy(id->bytes, bytes.data, STINT_ID_BYTES);
}

static inline void
put_id(struct pack_buffer *b, const struct stint_id *id)
{
    uint8_t *p = pack_reserve(b, 2 + STINT_ID_BYTES);
    p[0] = 0xc4;
    p[1] = STINT_ID_BYTES;
    memcpy(p + 2, id->bytes, STINT_ID_BYTES);
}

/* How far a run is, in three fields of which there are so many. */
enum progress_at { PROGRESS_AGO, PROGRESS_PERCENT, PROGRESS_TEXT };
static inline uint32_t
progress_fields(const struct stint_progress *p)
{
    return p->ms_ago ? 1U + (p->percent != STINT_NO_PERCENT) + (p->text != NULL) : 0;
}

/* Their keys are this one and the two behind it. */
void put_progress(struct pack_buffer *b, uint8_t key, const struct stint_progress *progress);
/* One of the three; `text` is what its text is to be kept in. */
void read_progress(struct pack_reader *r, enum progress_at at, struct stint_progress *progress,
    char text[STINT_PROGRESS_BYTES]);

static inline void
put_key_filter(struct pack_buffer *b, uint8_t key, struct slice filter)
{
    put_key(b, key);
    memcpy(pack_reserve(b, filter.size), filter.data, filter.size);
}

#endif
