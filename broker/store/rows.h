/* How the broker's rows are laid out, all but the job's record (record.h): their keys, checks and
 * versions. Nobody else knows an offset or a size. Numbers are big endian, so that keys are in
 * order; a key's numbers seed the check of its row, so that a row under another key is not taken.
 *
 *     meta      name -> words, see enum meta_row; "identity" -> the MANIFEST's, as text
 *     queues    u32 number -> name and settings
 *     levels    the first 8 bytes of its jobs' ids -> words: next sequence, jobs in each state,
 *               with room for 16, what was counted of them (enum stint_count)
 *     transit   id of the first of 256 -> words: four times 64 bits, the lowest first
 *     due, deadlines
 *               time, id -> nothing
 *     expiry    slot of time, id of the first of 1,024 -> nothing
 *     parts     id, u16 number -> u64 check, the piece. Versioned by the record it belongs to
 *     sessions  session -> words: last submission, pruned up to, when it was used, whose it is
 *     answers   session, u64 submission -> an answer (struct row_answer)
 *     settings  u8 of what, name -> words: slots, paused (enum setting_of)
 *     feeds, events
 *               told in feed_rows.h
 *     names, redirects
 *               id -> words: another id, in two
 *     unique    u32 queue number, key -> words: the id that holds it, in two, until when
 *     unique_ends
 *               time, u32 queue number, key -> nothing
 *     schedules told in schedule_rows.h
 *     batches, members
 *               told in batch_rows.h
 *     groups, group_lines, group_turns, group_due
 *               told in group_rows.h
 *     bulks     u64 number -> an operation on many jobs (struct row_bulk)
 *     followers id of a job that others wait for, id of one of them -> nothing
 *     parents   id, u16 number of the row -> u64 check, ids of jobs that it is after
 *     ended     id -> words: the state in which it ended
 *
 * A row of words:                                A queue:
 *
 *     0   u64  check: XXH3 of the rest               0   u64  check
 *     8   u8   version, 1                            8   u8   version, 1
 *     9   u8   how many words follow                 9   u8   size of the name
 *     10       6 times 0                             10  u16  size of the settings
 *     16  u64  each word                             12       name, settings
 *
 * A queue's settings (none are stored if none are set, as of most queues):
 *
 *     0   u8   version, 1
 *     1   u8   how many words follow
 *     2   u64  each word: paused, closed, lifo, low_first (each 0 or 1), running, rate, weight,
 *              backlog_max, keep (one more than the ms; 0: not set), time_to_run_ms,
 *              group_running, group_weights, group_rate
 *
 * A bulk operation:
 *
 *     0   u64  check
 *     8   u8   version, 1
 *     9   u8   how many words there are
 *     10  u8   size of the queue's name
 *     11  u8   size of the key's name
 *     12  u16  size of the filter
 *     14  u16  0
 *     16       words, then the queue's name, the key's name, the filter
 *
 * Words may be added at the end, as for one count more. A row that lacks some has 0 there. One that
 * has more than this program knows is read if they are 0: nothing is lost when it is written again.
 * What else changes a layout raises a version, and the data's format (data.h, upgrade.h).
 */
#ifndef ROWS_H
#define ROWS_H

#include "id.h"
#include "record.h"

enum {
    ROW_VERSION = 1,
    ROW_HEAD_BYTES = 16,
    LEVEL_STATES = 16, /* there is room for so many */
    LEVEL_TOTALS = 1 + LEVEL_STATES, /* the first word of what was counted, which is at the end */
    LEVEL_WORDS = LEVEL_TOTALS + STINT_COUNTS,
    TRANSIT_WORDS = 4,
    SESSION_WORDS = 4,
    META_WORDS = 2,
    SETTING_WORDS = 2,
    NAME_WORDS = 2,
    UNIQUE_WORDS = 3,
    JOURNAL_WORDS = 9,
    BULK_EXAMPLES = 3,
    BULK_WORDS = 14 + 2 * BULK_EXAMPLES,
    ANSWER_VERSION = 0, /* the byte was 0 before it was a version */

    TIME_KEY_BYTES = 8 + STINT_ID_BYTES,
    QUEUE_KEY_BYTES = 4,
    LEVEL_KEY_BYTES = 8,
    PART_KEY_BYTES = STINT_ID_BYTES + 2,
    ANSWER_KEY_BYTES = SESSION_BYTES + 8,
    SETTING_KEY_BYTES_MAX = 1 + LIMIT_LABEL_BYTES,

    ROW_LEVEL_BYTES_MAX = ROW_HEAD_BYTES + 8 * LEVEL_WORDS,
    ROW_TRANSIT_BYTES_MAX = ROW_HEAD_BYTES + 8 * TRANSIT_WORDS,
    ROW_SESSION_BYTES_MAX = ROW_HEAD_BYTES + 8 * SESSION_WORDS,
    ROW_META_BYTES_MAX = ROW_HEAD_BYTES + 8 * META_WORDS,
    ROW_JOURNAL_BYTES_MAX = ROW_HEAD_BYTES + 8 * JOURNAL_WORDS,
    ROW_TOTALS_BYTES_MAX = ROW_HEAD_BYTES + 8 * STINT_COUNTS,
    ROW_SETTING_BYTES_MAX = ROW_HEAD_BYTES + 8 * SETTING_WORDS,
    ROW_NAME_BYTES_MAX = ROW_HEAD_BYTES + 8 * NAME_WORDS,
    UNIQUE_KEY_BYTES_MAX = QUEUE_KEY_BYTES + LIMIT_UNIQUE_BYTES,
    UNIQUE_END_BYTES_MAX = 8 + UNIQUE_KEY_BYTES_MAX,
    ROW_KEY_BYTES_MAX = UNIQUE_END_BYTES_MAX, /* of all tables */
    ROW_UNIQUE_BYTES_MAX = ROW_HEAD_BYTES + 8 * UNIQUE_WORDS,
    BULK_KEY_BYTES = 8,
    FOLLOWER_KEY_BYTES = 2 * STINT_ID_BYTES,
    FOLLOWERS_A_ROW = 1024,
    FOLLOWERS_WORDS = 1,
    ROW_FOLLOWERS_BYTES_MAX = ROW_HEAD_BYTES + 8 * FOLLOWERS_WORDS,
    PARENTS_KEY_BYTES = STINT_ID_BYTES + 2,
    PARENTS_A_ROW = 100, /* so that it shares a page with neighbours */
    ROW_PARENTS_BYTES_MAX = 8 + PARENTS_A_ROW * STINT_ID_BYTES,
    ENDED_WORDS = 1,
    ROW_ENDED_BYTES_MAX = ROW_HEAD_BYTES + 8 * ENDED_WORDS,
    ROW_BULK_BYTES_MAX =
        ROW_HEAD_BYTES + 8 * BULK_WORDS + LIMIT_NAME_BYTES + LIMIT_LABEL_BYTES + FILTER_BYTES_MAX,
    QUEUE_HEAD_BYTES = 12,
    QUEUE_SETTINGS_HEAD_BYTES = 2,
    QUEUE_SETTINGS_WORDS = 13,
    QUEUE_SETTINGS_MAX = 1024,
    ROW_QUEUE_BYTES_MAX =
        QUEUE_HEAD_BYTES + LIMIT_NAME_BYTES + QUEUE_SETTINGS_HEAD_BYTES + 8 * QUEUE_SETTINGS_WORDS,
    ROW_ANSWER_BYTES = 24, /* and what follows it */
    ROW_PART_BYTES = 8, /* and the piece */
    ROW_START_BYTES = 13,
    ROW_RUN_BYTES = STINT_ID_BYTES + 3,
};

/* ---- rows of words ---- */

static inline uint64_t
row_seed(const uint8_t key[16])
{
    return get_be(key, 8) * 0x9e3779b97f4a7c15ULL + get_be(key + 8, 8);
}

static inline struct slice
row_words_write(uint8_t *row, uint64_t seed, const uint64_t *words, unsigned count)
{
    size_t size = ROW_HEAD_BYTES + 8 * (size_t)count;
    put_be(row + 8, (uint64_t)ROW_VERSION << 56 | (uint64_t)count << 48, 8);
    for (unsigned i = 0; i < count; i++)
        put_be(row + ROW_HEAD_BYTES + 8 * (size_t)i, words[i], 8);
    put_be(row, record_check(row + 8, size - 8, seed), 8);
    return (struct slice){row, size};
}

/* Where its words end, as its head says; 0: it has none. */
static inline size_t
row_words_size(struct slice row)
{
    return row.size < ROW_HEAD_BYTES ? 0 : ROW_HEAD_BYTES + 8 * (size_t)row.data[9];
}

static inline bool
row_words_read(struct slice row, uint64_t seed, uint64_t *words, unsigned count)
{
    if (row.size == 0 || row.size != row_words_size(row) || row.data[8] != ROW_VERSION ||
        get_be(row.data, 8) != record_check(row.data + 8, row.size - 8, seed))
        return false;
    bool lossless = true;
    for (unsigned i = 0; i < count; i++)
        words[i] = 0;
    for (unsigned i = 0; i < row.data[9]; i++) {
        uint64_t word = get_be(row.data + ROW_HEAD_BYTES + 8 * (size_t)i, 8);
        if (i < count)
            words[i] = word;
        else
            lossless &= word == 0;
    }
    return lossless;
}

/* ---- STORE_META ---- */

enum meta_row {
    META_FORMAT, /* format of all rows (upgrade.h) */
    META_EPOCH, /* starts of the broker so far; sessions stored */
    META_CLOCK, /* how far the wall clock is ahead, the broker's time, both in ms */
    META_LAST_QUEUE, /* highest number a queue ever had, if no queue has it any more */
    META_IDENTITY, /* no words: the text that the MANIFEST has */
    META_GONE_TOTALS, /* what was counted in queues that are no more (enum stint_count) */
    META_JOURNAL, /* up to where the journal is in these tables (struct row_journal) */
    META_ROWS
};

struct slice meta_key(enum meta_row which);
struct slice row_meta_write(uint8_t buffer[ROW_META_BYTES_MAX], const uint64_t words[META_WORDS]);
bool row_meta_read(struct slice value, uint64_t words[META_WORDS]);
/* Of META_GONE_TOTALS. */
struct slice
row_totals_write(uint8_t buffer[ROW_TOTALS_BYTES_MAX], const uint64_t totals[STINT_COUNTS]);
bool row_totals_read(struct slice value, uint64_t totals[STINT_COUNTS]);

/* Of META_JOURNAL: the last record that is in these tables, and where it lies; journal.h tells
 * more. The row is missing where there never was a journal. */
struct row_journal {
    uint64_t format; /* of the journal's records */
    uint64_t index, term, check;
    uint64_t segment, offset, bytes;
    uint64_t segments, segment_bytes; /* how many there were, and of which size */
};

struct slice
row_journal_write(uint8_t buffer[ROW_JOURNAL_BYTES_MAX], const struct row_journal *row);
bool row_journal_read(struct slice value, struct row_journal *row);

/* ---- STORE_QUEUES ---- */

struct row_queue {
    uint32_t number;
    struct slice name;
    bool paused; /* nothing of it is handed out */
    bool closed; /* it takes no new jobs */
    bool lifo; /* of a priority, the newest job is next */
    bool low_first; /* the lowest number of a priority is the most urgent one */
    uint32_t running; /* so many are handed out at once; 0: any number */
    uint64_t rate; /* so many in an hour; 0: any number */
    uint32_t weight; /* so many turns among the queues of a worker; 0: one */
    uint32_t backlog_max; /* so many jobs may wait; 0: any number */
    uint64_t keep; /* one more than the ms that outcomes are kept; 0: as long as the broker does */
    uint64_t time_to_run_ms; /* of jobs that name none; 0: none */
    uint32_t group_running; /* of a group so many are handed out at once; 0: any number */
    uint32_t group_weights; /* so many groups have a weight */
    uint64_t group_rate; /* of a group so many in an hour; 0: any number */
};

struct slice queue_key(uint8_t key[QUEUE_KEY_BYTES], uint32_t number);
struct slice row_queue_write(uint8_t buffer[ROW_QUEUE_BYTES_MAX], const struct row_queue *row);
/* False if it is damaged. Slices borrow from `value`. */
bool row_queue_read(struct slice key, struct slice value, struct row_queue *row);

/* ---- STORE_SETTINGS ---- */

enum setting_of {
    SETTING_OF_FLEET = 1, /* its size; the name is empty */
    SETTING_OF_WORKER = 2, /* of all workers of that name */
};

struct row_setting {
    enum setting_of of;
    struct slice name;
    uint32_t slots; /* UINT32_MAX: not set */
    bool paused;
};

struct slice setting_key(uint8_t key[SETTING_KEY_BYTES_MAX], enum setting_of of, struct slice name);
struct slice
row_setting_write(uint8_t buffer[ROW_SETTING_BYTES_MAX], const struct row_setting *row);
/* False if it is damaged. The name borrows from `key`. */
bool row_setting_read(struct slice key, struct slice value, struct row_setting *row);

/* ---- STORE_LEVELS ---- */

_Static_assert((int)STINT_STATES <= (int)LEVEL_STATES, "a level has room for all states");

struct row_level {
    struct stint_id level; /* its jobs' ids, with any sequence */
    uint64_t next; /* sequence of the next job submitted */
    uint64_t jobs[STINT_STATES];
    uint64_t totals[STINT_COUNTS];
};

static inline struct slice
level_key(const struct stint_id *level)
{
    return (struct slice){level->bytes, LEVEL_KEY_BYTES};
}

/* The level as an id with sequence 0; false if the key is none. */
static inline bool
level_key_read(struct slice key, struct stint_id *level)
{
    *level = (struct stint_id){{0}};
    if (key.size != LEVEL_KEY_BYTES)
        return false;
    memcpy(level->bytes, key.data, LEVEL_KEY_BYTES);
    return level->bytes[7] == 0;
}

static inline struct slice
row_level_write(uint8_t buffer[ROW_LEVEL_BYTES_MAX], const struct row_level *row)
{
    uint64_t words[LEVEL_WORDS] = {row->next};
    memcpy(words + 1, row->jobs, sizeof row->jobs);
    memcpy(words + LEVEL_TOTALS, row->totals, sizeof row->totals);
    return row_words_write(buffer, get_be(row->level.bytes, 8), words, LEVEL_WORDS);
}

static inline bool
row_level_read(struct slice key, struct slice value, struct row_level *row)
{
    uint64_t words[LEVEL_WORDS];
    if (!level_key_read(key, &row->level) ||
        !row_words_read(value, get_be(key.data, 8), words, LEVEL_WORDS))
        return false;
    row->next = words[0];
    memcpy(row->jobs, words + 1, sizeof row->jobs);
    memcpy(row->totals, words + LEVEL_TOTALS, sizeof row->totals);
    for (unsigned state = STINT_STATES; state < LEVEL_STATES; state++)
        if (words[1 + state] != 0)
            return false; /* writing the row would forget those jobs */
    return true;
}

/* ---- STORE_TRANSIT ---- */

enum { BLOCK_JOBS = 64 * TRANSIT_WORDS };

struct row_transit {
    struct stint_id first; /* sequence a multiple of BLOCK_JOBS */
    uint64_t bits[TRANSIT_WORDS]; /* which of them run; the first is the lowest bit */
};

static inline struct slice
row_transit_write(uint8_t buffer[ROW_TRANSIT_BYTES_MAX], const struct row_transit *row)
{
    return row_words_write(buffer, row_seed(row->first.bytes), row->bits, TRANSIT_WORDS);
}

static inline bool
row_transit_read(struct slice key, struct slice value, struct row_transit *row)
{
    if (key.size != STINT_ID_BYTES || key.data[STINT_ID_BYTES - 1] != 0)
        return false;
    memcpy(row->first.bytes, key.data, STINT_ID_BYTES);
    return row_words_read(value, row_seed(key.data), row->bits, TRANSIT_WORDS);
}

/* ---- STORE_DUE, STORE_EXPIRY and STORE_DEADLINES: the rows are empty ---- */

static inline struct slice
time_key(uint8_t key[TIME_KEY_BYTES], uint64_t time, const struct stint_id *id)
{
    put_be(key, time, 8);
    memcpy(key + 8, id->bytes, STINT_ID_BYTES);
    return (struct slice){key, TIME_KEY_BYTES};
}

/* False if it is none. */
static inline bool
time_key_read(struct slice key, uint64_t *time, struct stint_id *id)
{
    if (key.size != TIME_KEY_BYTES)
        return false;
    *time = get_be(key.data, 8);
    memcpy(id->bytes, key.data + 8, STINT_ID_BYTES);
    return true;
}

/* A mark of STORE_EXPIRY is for a slot of 2^14 ms, which has begun when all of it is over, and for
 * 1,024 neighbours. */
enum { EXPIRY_SLOT_SHIFT = 14, EXPIRY_NEIGHBOURS = 1024 };

static inline uint64_t
expiry_slot(uint64_t expires_ms)
{
    return (expires_ms >> EXPIRY_SLOT_SHIFT) + 1;
}

static inline struct stint_id
expiry_first(const struct stint_id *id)
{
    struct stint_id first = *id;
    id_set_sequence(&first, id_sequence(id) & ~(uint64_t)(EXPIRY_NEIGHBOURS - 1));
    return first;
}

/* Of the mark that says that this job's outcome expires then. */
static inline struct slice
expiry_key(uint8_t key[TIME_KEY_BYTES], const struct stint_id *id, uint64_t expires_ms)
{
    struct stint_id first = expiry_first(id);
    return time_key(key, expiry_slot(expires_ms), &first);
}

/* ---- STORE_NAMES and STORE_REDIRECTS: an id, for another one ---- */

struct slice row_name_write(
    uint8_t buffer[ROW_NAME_BYTES_MAX], const struct stint_id *of, const struct stint_id *is);
/* False if it is damaged. */
bool row_name_read(struct slice key, struct slice value, struct stint_id *is);

/* ---- STORE_UNIQUE and STORE_UNIQUE_ENDS ---- */

struct row_unique {
    uint32_t queue; /* its number */
    struct slice unique; /* the key, of 1 to LIMIT_UNIQUE_BYTES */
    struct stint_id id; /* of the job that holds it, or held it last */
    uint64_t until_ms; /* the broker's time; 0: as long as the job lives */
};

struct slice unique_key(uint8_t key[UNIQUE_KEY_BYTES_MAX], uint32_t queue, struct slice unique);
struct slice row_unique_write(uint8_t buffer[ROW_UNIQUE_BYTES_MAX], const struct row_unique *row);
/* False if it is damaged. The key borrows from `key`. */
bool row_unique_read(struct slice key, struct slice value, struct row_unique *row);

/* Of STORE_UNIQUE_ENDS: the row that has an end, until_ms. */
struct slice unique_end(uint8_t key[UNIQUE_END_BYTES_MAX], const struct row_unique *row);
/* The time, and the key of STORE_UNIQUE; false if it is none. */
bool unique_end_read(struct slice key, uint64_t *until_ms, struct slice *of);

/* ---- STORE_BULKS ---- */

struct row_bulk {
    uint64_t bulk; /* its number */
    enum stint_bulk_action action;
    enum stint_bulk_state state;
    bool dry;
    uint8_t priority; /* PRIORITY: which */
    struct slice queue; /* MOVE: where to */
    struct slice key; /* name of whose began it */
    struct slice filter; /* as filter_read takes it */
    uint64_t began_ms, ended_ms; /* the broker's time */
    uint64_t counted, done, refused;
    enum stint_status status; /* of the last that was refused */
    struct stint_id at; /* jobs that stand before this key have been looked at */
    uint32_t examples_count;
    struct stint_id examples[BULK_EXAMPLES];
};

struct slice bulk_key(uint8_t key[BULK_KEY_BYTES], uint64_t bulk);
struct slice row_bulk_write(uint8_t buffer[ROW_BULK_BYTES_MAX], const struct row_bulk *row);
/* False if it is damaged. Slices borrow from `value`. */
bool row_bulk_read(struct slice key, struct slice value, struct row_bulk *row);

/* ---- STORE_FOLLOWERS, STORE_PARENTS and STORE_ENDED ---- */

/* Jobs whose ids are neighbours wait for the same one: `last` and those of its queue and priority
 * right before it, so many in all. */
struct row_followers {
    struct stint_id parent, last;
    uint32_t count;
};

static inline struct slice
follower_key(
    uint8_t key[FOLLOWER_KEY_BYTES], const struct stint_id *parent, const struct stint_id *follower)
{
    memcpy(key, parent->bytes, STINT_ID_BYTES);
    memcpy(key + STINT_ID_BYTES, follower->bytes, STINT_ID_BYTES);
    return (struct slice){key, FOLLOWER_KEY_BYTES};
}

/* What is stored of `count` of them under the key of the last one: of one alone, nothing. */
struct slice
row_followers_write(uint8_t buffer[ROW_FOLLOWERS_BYTES_MAX], struct slice key, uint32_t count);
/* False: it is damaged, and then `run` is the longest that there could be; or, its count being 0,
 * it is none. */
bool row_followers_read(struct slice key, struct slice value, struct row_followers *run);

/* Is this one of them? */
static inline bool
followers_have(const struct row_followers *run, const struct stint_id *id)
{
    return run->count > 0 && id_same_level(&run->last, id) &&
        id_sequence(&run->last) - id_sequence(id) < run->count;
}

/* The first of them. */
static inline struct stint_id
followers_first(const struct row_followers *run)
{
    struct stint_id first = run->last;
    id_set_sequence(&first, id_sequence(&run->last) - (run->count - 1));
    return first;
}

struct slice
parents_key(uint8_t key[PARENTS_KEY_BYTES], const struct stint_id *id, uint32_t number);
/* Up to PARENTS_A_ROW ids. */
struct slice row_parents_write(uint8_t buffer[ROW_PARENTS_BYTES_MAX], struct slice key,
    const struct stint_id *ids, uint32_t count);
/* The ids, one behind the other. False if it is damaged. Borrows from `value`. */
bool row_parents_read(struct slice key, struct slice value, struct slice *ids);

struct slice row_ended_write(
    uint8_t buffer[ROW_ENDED_BYTES_MAX], const struct stint_id *id, enum stint_state state);
/* False if it is damaged. */
bool
row_ended_read(struct slice key, struct slice value, struct stint_id *id, enum stint_state *state);

/* ---- STORE_PARTS ---- */

static inline struct slice
part_key(uint8_t key[PART_KEY_BYTES], const struct stint_id *id, uint32_t part)
{
    memcpy(key, id->bytes, STINT_ID_BYTES);
    put_be(key + STINT_ID_BYTES, part, 2);
    return (struct slice){key, PART_KEY_BYTES};
}

/* What is stored before the piece. */
static inline struct slice
row_part_write(
    uint8_t buffer[ROW_PART_BYTES], const struct stint_id *id, uint32_t part, struct slice piece)
{
    put_be(buffer, record_check(piece.data, piece.size, id_sequence(id) + part), 8);
    return (struct slice){buffer, ROW_PART_BYTES};
}

static inline bool
row_part_read(const struct stint_id *id, uint32_t part, struct slice value, struct slice *piece)
{
    if (value.size <= ROW_PART_BYTES)
        return false;
    *piece = (struct slice){value.data + ROW_PART_BYTES, value.size - ROW_PART_BYTES};
    return get_be(value.data, 8) == record_check(piece->data, piece->size, id_sequence(id) + part);
}

/* ---- STORE_SESSIONS ---- */

struct row_session {
    uint64_t submission; /* the last one */
    uint64_t pruned; /* answers up to this one are gone */
    uint64_t used_ms; /* the broker's time; 0: it is to be forgotten */
    uint64_t owner; /* a hash of the name of the key that made it; 0: it was made without one */
};

static inline struct slice
session_key(const uint8_t session[SESSION_BYTES])
{
    return (struct slice){session, SESSION_BYTES};
}

static inline struct slice
row_session_write(uint8_t buffer[ROW_SESSION_BYTES_MAX], const uint8_t session[SESSION_BYTES],
    const struct row_session *row)
{
    const uint64_t words[SESSION_WORDS] = {row->submission, row->pruned, row->used_ms, row->owner};
    return row_words_write(buffer, row_seed(session), words, SESSION_WORDS);
}

static inline bool
row_session_read(struct slice key, struct slice value, struct row_session *row)
{
    uint64_t words[SESSION_WORDS];
    if (key.size != SESSION_BYTES ||
        !row_words_read(value, row_seed(key.data), words, SESSION_WORDS))
        return false;
    *row = (struct row_session){words[0], words[1], words[2], words[3]};
    return true;
}

/* ---- STORE_ANSWERS ---- */

/*     0   u64  check: XXH3 of the rest, in two pieces
 *     8   u64  hash of the submission
 *     16  u8   version, 0
 *     17  u8   1: what follows are runs of ids, not starts of levels
 *     18  u16  status
 *     20  u32  index of the job it is about
 *     24       what follows: starts of levels, runs of ids, or the text of a refusal
 */
struct row_answer {
    uint64_t number; /* of the submission */
    uint64_t hash;
    enum stint_status status;
    uint32_t index;
    bool runs;
    struct slice rest;
};

static inline struct slice
answer_key(uint8_t key[ANSWER_KEY_BYTES], const uint8_t session[SESSION_BYTES], uint64_t number)
{
    memcpy(key, session, SESSION_BYTES);
    put_be(key + SESSION_BYTES, number, 8);
    return (struct slice){key, ANSWER_KEY_BYTES};
}

/* The session is the key's first SESSION_BYTES. False if it is none. */
static inline bool
answer_key_read(struct slice key, uint64_t *number)
{
    if (key.size != ANSWER_KEY_BYTES)
        return false;
    *number = get_be(key.data + SESSION_BYTES, 8);
    return true;
}

static inline uint64_t
row_answer_check(uint64_t number, const uint8_t row[ROW_ANSWER_BYTES], struct slice rest)
{
    uint64_t check = record_check(row + 8, ROW_ANSWER_BYTES - 8, number);
    return rest.size ? record_check(rest.data, rest.size, check) : check;
}

/* What is stored before `rest`. */
static inline struct slice
row_answer_write(uint8_t buffer[ROW_ANSWER_BYTES], const struct row_answer *row)
{
    put_be(buffer + 8, row->hash, 8);
    put_be(
        buffer + 16, (uint64_t)ANSWER_VERSION << 24 | (uint64_t)row->runs << 16 | row->status, 4);
    put_be(buffer + 20, row->index, 4);
    put_be(buffer, row_answer_check(row->number, buffer, row->rest), 8);
    return (struct slice){buffer, ROW_ANSWER_BYTES};
}

/* False if it is damaged. Borrows from `value`. */
static inline bool
row_answer_read(uint64_t number, struct slice value, struct row_answer *row)
{
    if (value.size < ROW_ANSWER_BYTES || value.data[16] != ANSWER_VERSION || value.data[17] > 1)
        return false;
    *row = (struct row_answer){.number = number,
        .hash = get_be(value.data + 8, 8),
        .status = (enum stint_status)get_be(value.data + 18, 2),
        .index = (uint32_t)get_be(value.data + 20, 4),
        .runs = value.data[17] == 1,
        .rest = {value.data + ROW_ANSWER_BYTES, value.size - ROW_ANSWER_BYTES}};
    return get_be(value.data, 8) == row_answer_check(number, value.data, row->rest);
}

/* In an answer: where the ids of a level began. */
struct row_start {
    uint32_t queue;
    uint8_t priority;
    uint64_t first;
};

static inline void
row_start_write(uint8_t buffer[ROW_START_BYTES], const struct row_start *start)
{
    put_be(buffer, start->queue, 4);
    buffer[4] = start->priority;
    put_be(buffer + 5, start->first, 8);
}

/* Takes the first one off; false if there is none. */
static inline bool
row_start_take(struct slice *starts, struct row_start *start)
{
    if (starts->size < ROW_START_BYTES)
        return false;
    *start = (struct row_start){
        (uint32_t)get_be(starts->data, 4), starts->data[4], get_be(starts->data + 5, 8)};
    starts->data += ROW_START_BYTES;
    starts->size -= ROW_START_BYTES;
    return true;
}

/* In an answer to jobs of which some have unique keys: ids one after the other, and what they are.
 */
struct row_run {
    struct stint_id first;
    uint16_t count;
    enum stint_met met;
};

static inline void
row_run_write(uint8_t buffer[ROW_RUN_BYTES], const struct row_run *run)
{
    memcpy(buffer, run->first.bytes, STINT_ID_BYTES);
    put_be(buffer + STINT_ID_BYTES, run->count, 2);
    buffer[STINT_ID_BYTES + 2] = (uint8_t)run->met;
}

/* Takes the first one off; false if there is none. */
static inline bool
row_run_take(struct slice *runs, struct row_run *run)
{
    if (runs->size < ROW_RUN_BYTES)
        return false;
    memcpy(run->first.bytes, runs->data, STINT_ID_BYTES);
    run->count = (uint16_t)get_be(runs->data + STINT_ID_BYTES, 2);
    run->met = (enum stint_met)runs->data[STINT_ID_BYTES + 2];
    runs->data += ROW_RUN_BYTES;
    runs->size -= ROW_RUN_BYTES;
    return true;
}

#endif
