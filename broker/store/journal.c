/* The journal; the contract is in journal.h. */
#include "journal.h"

#include <assert.h>
#include <stdlib.h>

enum { SCAN_BLOCKS = 64 };

/* What is in a segment. */
struct used {
    uint64_t first, last; /* indices; last 0: nothing that is wanted */
};

struct journal {
    struct segments *segments;
    uint8_t identity[JOURNAL_IDENTITY_BYTES];
    uint64_t term;
    struct journal_mark last, checkpoint;
    uint64_t confirmed, kept_bytes;
    unsigned usable; /* segments that the checkpoint names */
    bool apart; /* somebody else says what is confirmed */
    struct used used[SEGMENTS_MAX];
};

static bool
read_at(struct journal *j, unsigned segment, uint64_t at, uint8_t *to, size_t size)
{
    return j->segments->ops->read(j->segments, segment, at, to, size);
}

static void
take_in(struct journal *j, const struct journal_mark *mark)
{
    struct used *u = &j->used[mark->segment];
    if (u->last == 0)
        u->first = mark->index;
    u->last = mark->index;
    j->last = *mark;
    j->kept_bytes += mark->bytes;
}

static struct journal *
new_journal(struct segments *segments, const uint8_t *identity, unsigned usable)
{
    struct journal *j = calloc(1, sizeof *j);
    if (!j)
        abort();
    assert(segments->count >= SEGMENTS_MIN && segments->count <= SEGMENTS_MAX);
    assert(segments->bytes % JOURNAL_BLOCK == 0 && segments->bytes > JOURNAL_BLOCK);
    j->segments = segments;
    memcpy(j->identity, identity, sizeof j->identity);
    j->usable = usable;
    return j;
}

uint32_t
journal_payload_max(const struct segments *segments)
{
    return (uint32_t)(segments->bytes - JOURNAL_BLOCK - JOURNAL_HEAD_BYTES);
}

/* ---- writing ---- */

static bool
free_segment(const struct journal *j, uint32_t *segment)
{
    for (unsigned i = 0; i < j->usable; i++)
        if (j->used[i].last == 0 && i != j->last.segment) {
            *segment = i;
            return true;
        }
    return false;
}

/* Where a record of this size goes. */
static bool
place(const struct journal *j, enum journal_type type, struct journal_mark *mark)
{
    uint64_t left_over = type == JOURNAL_CHECKPOINT ? 0 : JOURNAL_BLOCK;
    mark->segment = j->last.segment;
    mark->offset = j->last.offset + j->last.bytes;
    if (mark->offset + mark->bytes + left_over <= j->segments->bytes)
        return true;
    mark->offset = 0;
    return free_segment(j, &mark->segment);
}

static bool
write_record(struct journal *j, const struct journal_mark *mark, const struct pack_buffer *record)
{
    struct segments *s = j->segments;
    return s->ops->write(s, mark->segment, mark->offset, record->data, record->used) &&
        s->ops->flush(s, mark->segment);
}

enum journal_result
journal_append(struct journal *j, enum journal_type type, struct pack_buffer *record)
{
    assert(record->used >= JOURNAL_HEAD_BYTES);
    size_t payload_bytes = record->used - JOURNAL_HEAD_BYTES;
    struct journal_mark mark = {
        .index = j->last.index + 1, .term = j->term, .bytes = journal_record_bytes(payload_bytes)};
    assert(payload_bytes <= journal_payload_max(j->segments));
    if (!place(j, type, &mark)) {
        assert(type != JOURNAL_CHECKPOINT);
        return JOURNAL_FULL;
    }
    size_t rest = mark.bytes - record->used;
    memset(pack_reserve(record, rest), 0, rest);
    struct journal_head head = {.type = type,
        .index = mark.index,
        .term = mark.term,
        .confirmed = j->confirmed,
        .previous_term = j->last.term,
        .previous_check = j->last.check,
        .payload_bytes = (uint32_t)payload_bytes};
    journal_head_write(record->data, j->identity, &head, record->data + JOURNAL_HEAD_BYTES);
    mark.check = head.check;
    if (!write_record(j, &mark, record))
        return JOURNAL_FAILED;
    take_in(j, &mark);
    if (!j->apart)
        j->confirmed = mark.index;
    return JOURNAL_OK;
}

enum journal_result
journal_create(struct segments *segments, const uint8_t *identity, uint64_t index, uint64_t term,
    struct journal **journal)
{
    struct journal *j = new_journal(segments, identity, segments->count);
    struct pack_buffer record = {0};
    assert(index > 0);
    j->term = j->last.term = term;
    j->last.index = j->confirmed = index - 1;
    (void)pack_reserve(&record, JOURNAL_HEAD_BYTES);
    enum journal_result result = journal_append(j, JOURNAL_BARRIER, &record);
    pack_buffer_free(&record);
    if (result == JOURNAL_OK)
        *journal = j;
    else
        journal_destroy(&j);
    return result;
}

void
journal_destroy(struct journal **journal)
{
    free(*journal);
    *journal = NULL;
}

void
journal_set_term(struct journal *j, uint64_t term)
{
    assert(term >= j->term);
    j->term = term;
}

void
journal_confirm_apart(struct journal *j)
{
    j->apart = true;
}

void
journal_confirm(struct journal *j, uint64_t index)
{
    assert(index >= j->confirmed && index <= j->last.index);
    j->confirmed = index;
}

struct journal_mark
journal_last(const struct journal *j)
{
    return j->last;
}

uint64_t
journal_confirmed(const struct journal *j)
{
    return j->confirmed;
}

uint64_t
journal_kept_bytes(const struct journal *j)
{
    return j->kept_bytes;
}

uint64_t
journal_room_bytes(const struct journal *j)
{
    uint64_t free = 0, tail = j->last.offset + j->last.bytes + JOURNAL_BLOCK;
    for (unsigned i = 0; i < j->usable; i++)
        free += j->used[i].last == 0 && i != j->last.segment;
    return free * (j->segments->bytes - JOURNAL_BLOCK) +
        (tail < j->segments->bytes ? j->segments->bytes - tail : 0);
}

/* ---- reading ---- */

/* Is the record behind `at` here, whole? */
static enum journal_result
read_record(struct journal *j, const struct journal_mark *at, struct journal_mark *here,
    struct journal_head *head, struct pack_buffer *record)
{
    if (here->offset + JOURNAL_BLOCK > j->segments->bytes)
        return JOURNAL_END;
    pack_buffer_empty(record);
    if (!read_at(
            j, here->segment, here->offset, pack_reserve(record, JOURNAL_BLOCK), JOURNAL_BLOCK))
        return JOURNAL_FAILED;
    enum journal_head_result result = journal_head_read(record->data, j->identity, head);
    if (result != JOURNAL_HEAD_GOOD)
        return result == JOURNAL_HEAD_NEWER ? JOURNAL_NEWER : JOURNAL_END;
    here->bytes = journal_record_bytes(head->payload_bytes);
    if (head->index != at->index + 1 || head->previous_term != at->term ||
        head->previous_check != at->check || head->term < at->term ||
        here->bytes > j->segments->bytes - here->offset)
        return JOURNAL_END;
    size_t more = here->bytes - JOURNAL_BLOCK;
    if (more > 0 &&
        !read_at(j, here->segment, here->offset + JOURNAL_BLOCK, pack_reserve(record, more), more))
        return JOURNAL_FAILED;
    if (!journal_payload_is_good(head, record->data + JOURNAL_HEAD_BYTES))
        return JOURNAL_END;
    here->index = head->index;
    here->term = head->term;
    here->check = head->check;
    record->used = JOURNAL_HEAD_BYTES + head->payload_bytes;
    return JOURNAL_OK;
}

/* It stands right behind, or at the begin of a segment. */
enum journal_result
journal_next(struct journal *j, struct journal_mark *at, struct journal_head *head,
    struct pack_buffer *record)
{
    struct journal_mark here = {.segment = at->segment, .offset = at->offset + at->bytes};
    enum journal_result result = read_record(j, at, &here, head, record);
    for (unsigned i = 0; result == JOURNAL_END && i < j->usable; i++) {
        here = (struct journal_mark){.segment = i};
        if (i != at->segment)
            result = read_record(j, at, &here, head, record);
    }
    if (result == JOURNAL_OK)
        *at = here;
    return result;
}

/* Is there a header in these blocks of a record that was written after one was confirmed that we
 * could not read? */
static bool
has_later(const struct journal *j, const uint8_t *blocks, size_t size)
{
    struct journal_head head;
    for (size_t at = 0; at < size; at += JOURNAL_BLOCK)
        if (journal_head_read(blocks + at, j->identity, &head) == JOURNAL_HEAD_GOOD &&
            head.index > j->last.index + 1)
            return true;
    return false;
}

static enum journal_result
check_end(struct journal *j)
{
    enum { PIECE = SCAN_BLOCKS * JOURNAL_BLOCK };
    uint8_t *blocks = malloc(PIECE);
    enum journal_result result = JOURNAL_OK;
    if (!blocks)
        abort();
    for (unsigned i = 0; i < j->usable; i++)
        for (uint64_t at = 0; result == JOURNAL_OK && at < j->segments->bytes; at += PIECE) {
            uint64_t left = j->segments->bytes - at;
            size_t size = left < PIECE ? (size_t)left : PIECE;
            if (!read_at(j, i, at, blocks, size))
                result = JOURNAL_FAILED;
            else if (has_later(j, blocks, size))
                result = JOURNAL_DAMAGED;
        }
    free(blocks);
    return result;
}

/* The checkpoint's own record. */
static enum journal_result
find_checkpoint(struct journal *j, const struct journal_mark *mark)
{
    uint8_t block[JOURNAL_BLOCK];
    struct journal_head head;
    if (mark->segment >= j->usable || mark->offset % JOURNAL_BLOCK != 0 || mark->bytes == 0 ||
        mark->bytes > j->segments->bytes || mark->offset > j->segments->bytes - mark->bytes)
        return JOURNAL_FOREIGN;
    if (!read_at(j, mark->segment, mark->offset, block, sizeof block))
        return JOURNAL_FAILED;
    switch (journal_head_read(block, j->identity, &head)) {
    case JOURNAL_HEAD_NEWER:
        return JOURNAL_NEWER;
    case JOURNAL_HEAD_NONE:
        return JOURNAL_FOREIGN;
    case JOURNAL_HEAD_GOOD:
        break;
    }
    return head.index == mark->index && head.term == mark->term && head.check == mark->check
        ? JOURNAL_OK
        : JOURNAL_FOREIGN;
}

static enum journal_result
find_end(struct journal *j)
{
    struct journal_mark at = j->last;
    struct journal_head head;
    struct pack_buffer record = {0};
    enum journal_result result;
    while ((result = journal_next(j, &at, &head, &record)) == JOURNAL_OK)
        take_in(j, &at);
    pack_buffer_free(&record);
    return result == JOURNAL_END ? JOURNAL_OK : result;
}

static enum journal_result
open_to_end(struct segments *segments, const uint8_t *identity,
    const struct journal_mark *checkpoint, unsigned segments_used, struct journal **journal)
{
    if (segments_used < SEGMENTS_MIN || segments_used > segments->count)
        return JOURNAL_FOREIGN;
    struct journal *j = new_journal(segments, identity, segments_used);
    enum journal_result result = find_checkpoint(j, checkpoint);
    if (result == JOURNAL_OK) {
        take_in(j, checkpoint);
        j->checkpoint = *checkpoint;
        j->kept_bytes = 0;
        result = find_end(j);
    }
    j->term = j->last.term;
    j->confirmed = j->last.index;
    if (result == JOURNAL_OK)
        *journal = j;
    else
        journal_destroy(&j);
    return result;
}

enum journal_result
journal_open(struct segments *segments, const uint8_t *identity,
    const struct journal_mark *checkpoint, unsigned segments_used, struct journal **journal)
{
    enum journal_result result =
        open_to_end(segments, identity, checkpoint, segments_used, journal);
    if (result == JOURNAL_OK && (result = check_end(*journal)) != JOURNAL_OK)
        journal_destroy(journal);
    return result;
}

enum journal_result
journal_reach(struct segments *segments, const uint8_t *identity,
    const struct journal_mark *checkpoint, unsigned segments_used, uint64_t *index)
{
    struct journal *journal;
    enum journal_result result =
        open_to_end(segments, identity, checkpoint, segments_used, &journal);
    if (result != JOURNAL_OK)
        return result;
    *index = journal->last.index;
    journal_destroy(&journal);
    return JOURNAL_OK;
}

/* ---- dropping and cutting ---- */

/* Are there records in it, and all of them older than the checkpoint's? */
static bool
is_covered(const struct journal *j, unsigned segment)
{
    return j->used[segment].last != 0 && j->used[segment].last < j->checkpoint.index;
}

void
journal_drop(struct journal *j, unsigned segments_used, uint64_t retain_bytes)
{
    assert(j->confirmed == j->last.index && segments_used >= j->usable);
    j->checkpoint = j->last;
    j->kept_bytes = 0;
    j->usable = segments_used;
    for (;;) {
        struct used *oldest = NULL;
        unsigned covered = 0, used = 0;
        for (unsigned i = 0; i < j->usable; i++) {
            used += j->used[i].last != 0;
            covered += is_covered(j, i);
            if (is_covered(j, i) && (!oldest || j->used[i].last < oldest->last))
                oldest = &j->used[i];
        }
        bool enough = covered * j->segments->bytes <= retain_bytes && used < j->usable;
        if (!oldest || enough)
            return;
        *oldest = (struct used){0};
    }
}

/* A header of zeros is none. */
static bool
wipe(struct journal *j, const struct journal_mark *mark)
{
    static const uint8_t zeros[JOURNAL_BLOCK];
    struct segments *s = j->segments;
    return s->ops->write(s, mark->segment, mark->offset, zeros, sizeof zeros) &&
        s->ops->flush(s, mark->segment);
}

static void
forget(struct journal *j, const struct journal_mark *mark, uint64_t last)
{
    struct used *u = &j->used[mark->segment];
    if (u->first == mark->index)
        *u = (struct used){0};
    else
        u->last = last;
    j->kept_bytes -= mark->bytes;
}

enum journal_result
journal_cut(struct journal *j, const struct journal_mark *at)
{
    assert(at->index >= j->confirmed || !j->apart);
    assert(at->index >= j->checkpoint.index && at->index <= j->last.index);
    size_t count = (size_t)(j->last.index - at->index);
    struct journal_mark *marks = calloc(count + 1, sizeof *marks), next = *at;
    struct journal_head head;
    struct pack_buffer record = {0};
    enum journal_result result = JOURNAL_OK;
    if (!marks)
        abort();
    for (size_t i = 0; result == JOURNAL_OK && i < count; i++) {
        result = journal_next(j, &next, &head, &record);
        marks[i] = next;
    }
    for (size_t i = count; result == JOURNAL_OK && i > 0; i--) {
        if (!wipe(j, &marks[i - 1]))
            result = JOURNAL_FAILED;
        else
            forget(j, &marks[i - 1], marks[i - 1].index - 1);
    }
    pack_buffer_free(&record);
    free(marks);
    if (result != JOURNAL_OK)
        return JOURNAL_FAILED;
    j->last = *at;
    if (j->confirmed > at->index)
        j->confirmed = at->index;
    return JOURNAL_OK;
}
