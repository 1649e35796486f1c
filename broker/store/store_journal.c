/* The store with a journal; the contract is in store_journal.h. */
#include "store_journal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct store_journal {
    struct store base; /* first: a store is one of these */
    struct store *inner; /* the checkpoint */
    struct segments *segments;
    struct journal *journal;
    struct store_journal_options options;
    struct journal_writer writer; /* changes of this step */
    struct row_journal covered; /* what the last checkpoint says */
    struct store_journal_figures figures;
    bool starting; /* each commit is a checkpoint */
    bool wants_segment;
    bool has_room; /* for new jobs, as far as was asked */
    bool failed;
    char error[512];
};

static struct store_journal *
self(struct store *store)
{
    return (struct store_journal *)store;
}

static enum stint_status
fail(struct store_journal *s, const char *error)
{
    if (!s->failed)
        (void)snprintf(s->error, sizeof s->error, "%s", error);
    s->failed = true;
    return STINT_IO;
}

static enum stint_status
fail_segments(struct store_journal *s)
{
    return fail(s, s->segments->ops->error(s->segments));
}

static enum stint_status
fail_inner(struct store_journal *s)
{
    return fail(s, s->inner->ops->error(s->inner));
}

bool
store_journal_row(struct store *checkpoint, struct row_journal *row, bool *bad)
{
    struct slice value;
    checkpoint->ops->begin(checkpoint);
    bool has = store_get(checkpoint, STORE_META, meta_key(META_JOURNAL), &value);
    *bad = has && !row_journal_read(value, row);
    checkpoint->ops->abort(checkpoint);
    return has;
}

static struct journal_mark
mark_of(const struct row_journal *row)
{
    return (struct journal_mark){.index = row->index,
        .term = row->term,
        .check = row->check,
        .segment = (uint32_t)row->segment,
        .offset = row->offset,
        .bytes = row->bytes};
}

/* ---- checkpoints ---- */

static uint64_t
now_us(const struct store_journal *s)
{
    return s->options.clock_us ? s->options.clock_us() : 0;
}

/* Everything up to the journal's last record is in the other store's transaction. */
static enum stint_status
commit_inner(struct store_journal *s)
{
    uint8_t buffer[ROW_JOURNAL_BYTES_MAX];
    struct journal_mark last = journal_last(s->journal);
    uint64_t begun_us = now_us(s);
    assert(journal_confirmed(s->journal) == last.index);
    if (s->wants_segment) {
        unsigned before = s->segments->count;
        if (!s->segments->ops->grow(s->segments))
            return fail_segments(s);
        s->wants_segment = s->segments->count == before;
    }
    struct row_journal row = {.format = JOURNAL_FORMAT,
        .index = last.index,
        .term = last.term,
        .check = last.check,
        .segment = last.segment,
        .offset = last.offset,
        .bytes = last.bytes,
        .segments = s->segments->count,
        .segment_bytes = s->segments->bytes};
    store_put(s->inner, STORE_META, meta_key(META_JOURNAL), row_journal_write(buffer, &row),
        (struct slice){0});
    if (s->inner->ops->commit(s->inner) != STINT_OK)
        return fail_inner(s);
    s->covered = row;
    journal_drop(s->journal, (unsigned)row.segments, 0);
    s->inner->ops->begin(s->inner);
    uint64_t took_us = now_us(s) - begun_us;
    s->figures.checkpoints++;
    if (took_us > s->figures.longest_us)
        s->figures.longest_us = took_us;
    return STINT_OK;
}

/* The changes of this step are not in the journal. */
static enum stint_status
commit_marked(struct store_journal *s)
{
    journal_writer_reset(&s->writer);
    if (journal_append(s->journal, JOURNAL_CHECKPOINT, &s->writer.buffer) != JOURNAL_OK)
        return fail_segments(s);
    return commit_inner(s);
}

/* What was there when we started may never have been flushed: a checkpoint that speaks of it would
 * name a record that a loss of power takes away. */
enum stint_status
store_journal_checkpoint(struct store *store)
{
    struct store_journal *s = self(store);
    if (s->failed)
        return STINT_IO;
    if (s->options.look || journal_last(s->journal).index == s->covered.index)
        return STINT_OK;
    return s->starting ? commit_marked(s) : commit_inner(s);
}

/* How much memory may be what is not committed. Where the store has no room for new jobs, the disk
 * may be full, and a checkpoint must fit into what is kept for that. */
static uint64_t
pending_max(const struct store_journal *s)
{
    enum { SMALL_SHARE = 16 };
    return s->has_room ? s->options.pending_bytes_max : s->options.pending_bytes_max / SMALL_SHARE;
}

/* Between steps: is it time for a checkpoint? */
static bool
is_due(struct store_journal *s)
{
    uint64_t kept = journal_kept_bytes(s->journal);
    if (kept == 0 || s->starting || s->options.look)
        return false;
    bool narrow = journal_room_bytes(s->journal) < s->segments->bytes / 2;
    s->wants_segment |= narrow;
    return narrow || kept >= s->options.kept_bytes_max ||
        s->inner->ops->pending(s->inner) >= pending_max(s);
}

/* ---- going back and forward ---- */

static enum stint_status
damaged(struct store_journal *s, const char *error)
{
    (void)fail(s, error);
    return STINT_DAMAGED;
}

static enum stint_status
apply(struct store_journal *s, const struct pack_buffer *record)
{
    struct journal_reader reader;
    struct journal_change change;
    bool bad;
    journal_reader_init(
        &reader, record->data + JOURNAL_HEAD_BYTES, record->used - JOURNAL_HEAD_BYTES);
    while (journal_read_change(&reader, &change, &bad)) {
        if (change.is_put)
            store_put(s->inner, change.table, change.key, change.value, (struct slice){0});
        else
            (void)store_del(s->inner, change.table, change.key);
    }
    if (bad)
        return damaged(
            s, "a record of the journal can't be understood; restore the data directory");
    s->figures.replayed++;
    s->figures.replayed_bytes += journal_record_bytes(record->used - JOURNAL_HEAD_BYTES);
    return STINT_OK;
}

/* The other store stands at its last commit: apply what follows. */
static enum stint_status
replay(struct store_journal *s)
{
    struct journal_mark at = mark_of(&s->covered), before = at;
    struct journal_head head;
    struct pack_buffer record = {0};
    enum journal_result result;
    enum stint_status status = STINT_OK;
    bool open_end = false; /* a checkpoint that was not made: a crash came before it */
    while (status == STINT_OK &&
        (result = journal_next(s->journal, &at, &head, &record)) == JOURNAL_OK) {
        if (open_end)
            status = damaged(s, "the data file is older than its journal; restore both together");
        else if (head.type == JOURNAL_CHECKPOINT)
            open_end = true;
        else if ((status = apply(s, &record)) == STINT_OK)
            before = at;
    }
    pack_buffer_free(&record);
    if (status == STINT_OK && result != JOURNAL_END)
        status = fail_segments(s);
    if (status == STINT_OK && open_end && !s->options.look &&
        journal_cut(s->journal, &before) != JOURNAL_OK)
        status = fail_segments(s);
    if (status == STINT_OK && *s->inner->ops->error(s->inner))
        status = fail_inner(s);
    return status;
}

static enum stint_status
go_back(struct store_journal *s)
{
    s->inner->ops->abort(s->inner);
    s->inner->ops->begin(s->inner);
    journal_writer_reset(&s->writer);
    return replay(s);
}

enum stint_status
store_journal_cut(struct store *store, uint64_t index)
{
    struct store_journal *s = self(store);
    struct journal_mark at = mark_of(&s->covered);
    struct journal_head head;
    struct pack_buffer record = {0};
    enum journal_result result = JOURNAL_OK;
    assert(index >= at.index);
    while (result == JOURNAL_OK && at.index < index)
        result = journal_next(s->journal, &at, &head, &record);
    if (result == JOURNAL_OK)
        result = journal_cut(s->journal, &at);
    pack_buffer_free(&record);
    if (result != JOURNAL_OK)
        return fail_segments(s);
    return go_back(s) == STINT_OK ? STINT_OK : STINT_IO;
}

/* ---- the store ---- */

static void
journal_begin(struct store *store)
{
    struct store_journal *s = self(store);
    if (!s->failed && is_due(s))
        (void)commit_inner(s); /* its failure is the next commit's */
}

static enum stint_status
journal_commit(struct store *store)
{
    struct store_journal *s = self(store);
    if (s->failed)
        return STINT_IO;
    if (*s->inner->ops->error(s->inner))
        return fail_inner(s);
    if (!s->writer.any)
        return STINT_OK;
    (void)journal_writer_finish(&s->writer);
    enum journal_result result = JOURNAL_FULL;
    if (!s->starting && !s->writer.too_large) {
        result = journal_append(s->journal, JOURNAL_DATA, &s->writer.buffer);
        s->wants_segment |= result == JOURNAL_FULL;
    }
    enum stint_status status = result == JOURNAL_OK ? STINT_OK
        : result == JOURNAL_FULL                    ? commit_marked(s)
                                                    : fail_segments(s);
    journal_writer_reset(&s->writer);
    return status;
}

/* Nothing is lost but the changes of this step: the other store's transaction holds more. */
static void
journal_abort(struct store *store)
{
    struct store_journal *s = self(store);
    if (s->writer.any && !s->failed)
        (void)go_back(s);
}

static bool
journal_get(struct store *store, enum store_table table, struct slice key, struct slice *value)
{
    return store_get(self(store)->inner, table, key, value);
}

static bool
journal_seek(struct store *store, enum store_table table, struct slice from, struct slice *key,
    struct slice *value)
{
    return store_seek(self(store)->inner, table, from, key, value);
}

static bool
journal_seek_back(struct store *store, enum store_table table, struct slice from, struct slice *key,
    struct slice *value)
{
    return store_seek_back(self(store)->inner, table, from, key, value);
}

static void
journal_put(struct store *store, enum store_table table, struct slice key, struct slice head,
    struct slice body)
{
    struct store_journal *s = self(store);
    journal_write_put(&s->writer, table, key, head, body);
    store_put(s->inner, table, key, head, body);
}

static bool
journal_del(struct store *store, enum store_table table, struct slice key)
{
    struct store_journal *s = self(store);
    uint8_t copy[JOURNAL_KEY_BYTES_MAX]; /* it may lie in the page that the deletion changes */
    assert(key.size <= sizeof copy);
    memcpy(copy, key.data, key.size);
    if (!store_del(s->inner, table, key))
        return false;
    journal_write_del(&s->writer, table, (struct slice){copy, key.size});
    return true;
}

static uint64_t
journal_room(struct store *store)
{
    struct store_journal *s = self(store);
    uint64_t room = s->inner->ops->room(s->inner);
    s->has_room = room > 0;
    return room;
}

static void
journal_usage(struct store *store, uint64_t *used_bytes, uint64_t *size_bytes)
{
    struct store_journal *s = self(store);
    s->inner->ops->usage(s->inner, used_bytes, size_bytes);
}

static uint64_t
journal_pending(struct store *store)
{
    struct store_journal *s = self(store);
    return s->inner->ops->pending(s->inner);
}

static const char *
journal_error(struct store *store)
{
    return self(store)->error;
}

static void
journal_destroy_store(struct store **store)
{
    if (!*store)
        return;
    struct store_journal *s = self(*store);
    journal_destroy(&s->journal);
    journal_writer_fini(&s->writer);
    if (!s->options.borrows) {
        s->inner->ops->destroy(&s->inner);
        s->segments->ops->destroy(&s->segments);
    } else {
        s->inner->ops->abort(s->inner);
    }
    free(s);
    *store = NULL;
}

static const struct store_ops journal_ops = {journal_begin, journal_commit, journal_abort,
    journal_get, journal_seek, journal_seek_back, journal_put, journal_del, journal_room,
    journal_usage, journal_pending, journal_error, journal_destroy_store};

/* ---- opening ---- */

static enum stint_status
say_result(enum journal_result result, struct segments *segments, char *error)
{
    const char *text = "";
    enum stint_status status = STINT_DAMAGED;
    switch (result) {
    case JOURNAL_FOREIGN:
        text = "the journal does not belong to the data file beside it; restore both together";
        break;
    case JOURNAL_DAMAGED:
        text = "the journal is damaged: a record is not whole, and later ones are there; it is "
               "left as it is: restore the data directory";
        break;
    case JOURNAL_NEWER:
        text = "the journal was written by a newer stintd; use that one";
        status = STINT_VERSION_MISMATCH;
        break;
    case JOURNAL_FAILED:
        text = segments->ops->error(segments);
        status = STINT_IO;
        break;
    case JOURNAL_OK:
    case JOURNAL_END:
    case JOURNAL_FULL:
        return STINT_OK;
    }
    (void)snprintf(error, 512, "%s", text);
    return status;
}

/* Can the row be of these segments? */
static enum journal_result
judge_row(struct segments *segments, const struct row_journal *row)
{
    if (row->format > JOURNAL_FORMAT)
        return JOURNAL_NEWER;
    return row->segment > UINT32_MAX || row->segments > SEGMENTS_MAX ||
            row->segment_bytes != segments->bytes
        ? JOURNAL_FOREIGN
        : JOURNAL_OK;
}

static enum journal_result
open_journal(struct segments *segments, const uint8_t *identity, const struct row_journal *row,
    struct journal **journal)
{
    struct journal_mark mark = mark_of(row);
    enum journal_result result = judge_row(segments, row);
    return result == JOURNAL_OK
        ? journal_open(segments, identity, &mark, (unsigned)row->segments, journal)
        : result;
}

enum stint_status
store_journal_newest(struct segments *segments, const uint8_t *identity,
    const struct row_journal *row, uint64_t *index, char *error)
{
    struct journal_mark mark = mark_of(row);
    enum journal_result result = judge_row(segments, row);
    if (result == JOURNAL_OK)
        result = journal_reach(segments, identity, &mark, (unsigned)row->segments, index);
    return say_result(result, segments, error);
}

static enum stint_status
begin_journal(struct store_journal *s, const struct row_journal *row, char *error)
{
    struct segments *segments = s->options.segments;
    enum journal_result result = row
        ? open_journal(segments, s->options.identity, row, &s->journal)
        : journal_create(segments, s->options.identity, 1, s->options.term, &s->journal);
    if (result != JOURNAL_OK)
        return say_result(result, segments, error);
    s->inner->ops->begin(s->inner);
    if (!row)
        return commit_inner(s);
    s->covered = *row;
    enum stint_status status = replay(s);
    uint64_t last = journal_last(s->journal).term;
    journal_set_term(s->journal, s->options.term > last ? s->options.term : last + 1);
    return status;
}

enum stint_status
store_journal_new(const struct store_journal_options *options, const struct row_journal *row,
    struct store **store, char *error)
{
    struct store_journal *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    assert(row || !options->look);
    s->base.ops = &journal_ops;
    s->options = *options;
    s->inner = options->checkpoint;
    s->segments = options->segments;
    s->starting = s->has_room = true;
    journal_writer_init(&s->writer, journal_payload_max(s->segments));
    error[0] = '\0';
    enum stint_status status = begin_journal(s, row, error);
    *store = &s->base;
    if (status == STINT_OK)
        return STINT_OK;
    if (!error[0])
        (void)snprintf(error, 512, "%s", s->error);
    s->options.borrows = true; /* both are the caller's still */
    journal_destroy_store(store);
    *store = options->checkpoint;
    return status;
}

void
store_journal_started(struct store *store)
{
    self(store)->starting = false;
}

struct journal *
store_journal_log(struct store *store)
{
    return self(store)->journal;
}

struct segments *
store_journal_segments(struct store *store)
{
    return self(store)->segments;
}

void
store_journal_figures(struct store *store, struct store_journal_figures *figures)
{
    *figures = self(store)->figures;
}
