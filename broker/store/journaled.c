/* The journal of a data directory; the contract is in journaled.h. */
#include "journaled.h"
#include "now.h"
#include "segment_files.h"
#include "term_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEGMENT_SHARE = 16, SEGMENT_BYTES_MIN = 8 * JOURNAL_BLOCK };

static uint64_t
bytes_of(const struct journaled_options *o)
{
    return o->bytes ? o->bytes : JOURNAL_BYTES_DEFAULT;
}

static void
read_identity(const char *hex, uint8_t identity[JOURNAL_IDENTITY_BYTES])
{
    for (unsigned i = 0; i < JOURNAL_IDENTITY_BYTES; i++) {
        const char digits[3] = {hex[2 * (size_t)i], hex[2 * (size_t)i + 1], '\0'};
        identity[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
}

static enum stint_status
say(char *error, enum stint_status status, const char *text)
{
    (void)snprintf(error, 512, "%s", text);
    return status;
}

static enum stint_status
status_of(enum segment_files_result result)
{
    return result == SEGMENT_FILES_FAILED ? STINT_IO : STINT_DAMAGED;
}

/* What the data file says of its journal, and can be believed. False in `*has`: there is none. */
static enum stint_status
read_row(struct store *lmdb, struct row_journal *row, bool *has, char *error)
{
    bool bad;
    *has = store_journal_row(lmdb, row, &bad);
    if (*has && !bad && row->format > JOURNAL_FORMAT)
        return say(error, STINT_VERSION_MISMATCH,
            "the journal was written by a newer stintd; use that one");
    bad |= *has &&
        (row->segments < SEGMENTS_MIN || row->segments > SEGMENTS_MAX ||
            row->segment_bytes % JOURNAL_BLOCK != 0 || row->segment_bytes < SEGMENT_BYTES_MIN ||
            row->segment_bytes > UINT32_MAX);
    if (*has && bad)
        return say(error, STINT_DAMAGED,
            "the row of the journal in the data file is damaged; restore the data directory");
    return STINT_OK;
}

static bool
is_change(const uint8_t *block, const void *identity)
{
    struct journal_head head;
    return journal_head_read(block, identity, &head) == JOURNAL_HEAD_GOOD &&
        head.type == JOURNAL_DATA;
}

/* The data file says nothing of a journal. That is so before a first start, and of what was
 * restored: no change of this directory is in any journal then. */
static enum stint_status
refuse_forgotten(const struct journaled_options *o, char *error)
{
    uint8_t identity[JOURNAL_IDENTITY_BYTES];
    bool found;
    read_identity(o->identity, identity);
    if (segment_files_look(o->directory, is_change, identity, &found, error) != SEGMENT_FILES_OK)
        return STINT_IO;
    return found ? say(error, STINT_DAMAGED,
                       "the data file says nothing of the journal beside it, which has changes of "
                       "it; both are left as they are: restore the data directory")
                 : STINT_OK;
}

/* The size of segments is that of the first start; how many there may be is what is asked for. */
static struct segment_files_options
files_of(const struct journaled_options *o, const struct row_journal *row)
{
    struct segment_files_options files = {
        .directory = o->directory, .disk_free_bytes = o->disk_free_bytes, .read_only = o->look};
    uint64_t bytes = bytes_of(o);
    files.bytes = row ? row->segment_bytes : bytes / SEGMENT_SHARE / JOURNAL_BLOCK * JOURNAL_BLOCK;
    if (files.bytes < SEGMENT_BYTES_MIN)
        files.bytes = SEGMENT_BYTES_MIN;
    uint64_t max = bytes / files.bytes, least = row ? row->segments : SEGMENTS_MIN;
    max = max < least ? least : max > SEGMENTS_MAX ? SEGMENTS_MAX : max;
    files.max = (unsigned)max;
    return files;
}

static enum stint_status
open_segments(const struct journaled_options *o, const struct row_journal *row,
    struct segments **segments, char *error)
{
    struct segment_files_options files = files_of(o, row);
    enum segment_files_result result = row
        ? segment_files_open(&files, (unsigned)row->segments, segments, error)
        : segment_files_make(&files, segments, error);
    return result == SEGMENT_FILES_OK ? STINT_OK : status_of(result);
}

/* The next term, which is on the disk before anything is written in it. On a full disk the file may
 * stay as it is: a broker that is alone finds the last term in its journal, too. */
static enum stint_status
begin_term(
    const struct journaled_options *o, const struct row_journal *row, uint64_t *term, char *error)
{
    *term = 0;
    if (row && !term_file_read(o->directory, o->identity, term, error))
        return errno ? STINT_IO : STINT_DAMAGED; /* beside no journal it is of something else */
    bool is_first = *term == 0;
    if (row && row->term > *term)
        *term = row->term;
    ++*term;
    if (o->look || term_file_write(o->directory, o->identity, o->number, *term, error))
        return STINT_OK;
    return !is_first && (errno == ENOSPC || errno == EDQUOT) ? STINT_OK : STINT_IO;
}

enum stint_status
journaled_open(const struct journaled_options *o, struct store **store, char *error)
{
    struct row_journal row;
    bool has;
    struct store_journal_options options = {.checkpoint = *store,
        .pending_bytes_max = o->pending_bytes_max,
        .look = o->look,
        .clock_us = clock_us};
    enum stint_status status = read_row(*store, &row, &has, error);
    if (status == STINT_OK && !has)
        status = refuse_forgotten(o, error);
    if (status != STINT_OK || (!has && o->look))
        return status;
    status = open_segments(o, has ? &row : NULL, &options.segments, error);
    if (status != STINT_OK)
        return status;
    options.kept_bytes_max = bytes_of(o) / 2;
    read_identity(o->identity, options.identity);
    status = begin_term(o, has ? &row : NULL, &options.term, error);
    if (status == STINT_OK)
        status = store_journal_new(&options, has ? &row : NULL, store, error);
    if (status != STINT_OK)
        options.segments->ops->destroy(&options.segments);
    else if (!o->look) /* not before they were found to belong together */
        segment_files_tidy(options.segments);
    return status;
}

enum stint_status
journaled_is_current(
    const struct journaled_options *o, struct store *lmdb, uint64_t *index, char *error)
{
    struct row_journal row;
    struct segments *segments;
    uint8_t identity[JOURNAL_IDENTITY_BYTES];
    bool has;
    enum stint_status status = read_row(lmdb, &row, &has, error);
    if (status == STINT_OK && !has)
        return refuse_forgotten(o, error);
    if (status != STINT_OK)
        return status;
    if (*index == 0) {
        status = open_segments(o, &row, &segments, error);
        if (status != STINT_OK)
            return status;
        read_identity(o->identity, identity);
        status = store_journal_newest(segments, identity, &row, index, error);
        segments->ops->destroy(&segments);
        /* A broker writes meanwhile: what looks like damage may be a segment that is used again. If
         * there is none, whoever opens the journal to apply it finds what is damaged. */
        if (status == STINT_DAMAGED)
            status = STINT_IN_USE;
    }
    if (status != STINT_OK)
        return status;
    return row.index >= *index ? STINT_OK : STINT_IN_USE;
}
