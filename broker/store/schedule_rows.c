/* The rows of schedules; their layout is told in schedule_rows.h. */
#include "schedule_rows.h"

enum { SCHEDULE_VERSION = 1 };

static void
put_text(uint8_t *at, struct slice text)
{
    if (text.size)
        memcpy(at, text.data, text.size);
}

static uint64_t
check_of(struct slice name, const uint8_t *head, size_t head_bytes, struct slice job)
{
    uint64_t check = record_check(name.data, name.size, 0);
    check = record_check(head + 8, head_bytes - 8, check);
    return record_check(job.data, job.size, check);
}

struct slice
row_schedule_write(uint8_t buffer[SCHEDULE_BEFORE_JOB_MAX], const struct row_schedule *row)
{
    const uint64_t words[SCHEDULE_WORDS] = {row->every_ms, row->missed, row->most, row->overlap,
        row->paused, row->began_ms, row->seen_ms, row->ticked_ms, get_be(row->last.bytes, 8),
        get_be(row->last.bytes + 8, 8), row->run, get_be(row->run_id.bytes, 8),
        get_be(row->run_id.bytes + 8, 8), row->jobs, row->skipped};
    size_t size = SCHEDULE_HEAD_BYTES + row->cron.size + row->zone.size;
    assert(row->cron.size < CRON_TEXT_BYTES && row->zone.size < ZONE_NAME_BYTES);
    assert(row->job.size > 0 && row->job.size <= LIMIT_SCHEDULE_JOB_BYTES);
    buffer[8] = SCHEDULE_VERSION;
    buffer[9] = SCHEDULE_WORDS;
    buffer[10] = (uint8_t)row->cron.size;
    buffer[11] = (uint8_t)row->zone.size;
    put_be(buffer + 12, row->job.size, 4);
    for (unsigned i = 0; i < SCHEDULE_WORDS; i++)
        put_be(buffer + 16 + 8 * (size_t)i, words[i], 8);
    put_text(buffer + SCHEDULE_HEAD_BYTES, row->cron);
    put_text(buffer + SCHEDULE_HEAD_BYTES + row->cron.size, row->zone);
    put_be(buffer, check_of(row->name, buffer, size, row->job), 8);
    return (struct slice){buffer, size};
}

/* False: there are more words than this program knows, and they are not 0. */
static bool
read_words(struct slice value, uint64_t words[SCHEDULE_WORDS])
{
    bool lossless = true;
    memset(words, 0, SCHEDULE_WORDS * sizeof *words);
    for (unsigned i = 0; i < value.data[9]; i++) {
        uint64_t word = get_be(value.data + 16 + 8 * (size_t)i, 8);
        if (i < SCHEDULE_WORDS)
            words[i] = word;
        else
            lossless &= word == 0;
    }
    return lossless;
}

static bool
take_words(const uint64_t w[SCHEDULE_WORDS], struct row_schedule *row)
{
    row->every_ms = w[0];
    row->missed = (enum stint_missed)w[1];
    row->most = (uint32_t)w[2];
    row->overlap = (enum stint_overlap)w[3];
    row->paused = w[4] != 0;
    row->began_ms = w[5];
    row->seen_ms = w[6];
    row->ticked_ms = w[7];
    put_be(row->last.bytes, w[8], 8);
    put_be(row->last.bytes + 8, w[9], 8);
    row->run = w[10];
    put_be(row->run_id.bytes, w[11], 8);
    put_be(row->run_id.bytes + 8, w[12], 8);
    row->jobs = w[13];
    row->skipped = w[14];
    return w[1] >= STINT_MISSED_SKIP && w[1] <= STINT_MISSED_ALL && w[2] <= LIMIT_MISSED &&
        (w[1] != STINT_MISSED_ALL || w[2] > 0) && w[3] >= STINT_OVERLAP_START &&
        w[3] <= STINT_OVERLAP_REPLACE && w[4] <= 1 && row->began_ms <= row->seen_ms;
}

bool
row_schedule_read(struct slice key, struct slice value, struct row_schedule *row)
{
    uint64_t words[SCHEDULE_WORDS];
    if (!name_is_valid(key) || value.size < 16 || value.data[8] != SCHEDULE_VERSION ||
        value.data[11] >= ZONE_NAME_BYTES)
        return false;
    size_t texts = 16 + 8 * (size_t)value.data[9];
    size_t head = texts + value.data[10] + value.data[11];
    size_t job = get_be(value.data + 12, 4);
    if (job == 0 || job > LIMIT_SCHEDULE_JOB_BYTES || value.size != head + job)
        return false;
    *row = (struct row_schedule){.name = key,
        .cron = {value.data + texts, value.data[10]},
        .zone = {value.data + texts + value.data[10], value.data[11]},
        .job = {value.data + head, job}};
    return get_be(value.data, 8) == check_of(key, value.data, head, row->job) &&
        read_words(value, words) && take_words(words, row) &&
        (row->cron.size > 0) == (row->every_ms == 0) &&
        (row->cron.size > 0) == (row->zone.size > 0);
}
