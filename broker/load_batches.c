/* Lines of batches, which come after those of jobs. What is counted of a batch has to fit to the
 * jobs of it that were loaded: one whose line is missing, as its record was damaged, has ended
 * badly, as it has in a broker that meets such a record.
 */
#include "batch_rows.h"
#include "load.h"
#include "names.h"

static const struct slice nothing = {NULL, 0};

void
load_member(struct load *load, const struct stint_id *id, const struct record *r)
{
    uint8_t key[MEMBER_KEY_BYTES];
    uint64_t value = record_get(r, FIELD_BATCH, 0);
    if (record_has(r, FIELD_BATCH) && batch_role(value) == STINT_BATCH_JOB)
        store_put(load->store, STORE_MEMBERS, member_key(key, value, id), nothing, nothing);
}

/* How many of its jobs wait or run. */
static uint64_t
count_left(struct load *load, uint64_t number)
{
    uint8_t from[MEMBER_KEY_BYTES];
    struct stint_id id = {{0}};
    struct slice key, value;
    uint64_t left = 0, of = 0;
    while (store_seek(load->store, STORE_MEMBERS, member_key(from, number, &id), &key, &value) &&
        member_key_read(key, &of, &id) && of == number) {
        struct stint_id at = id;
        (void)names_find(&load->book, &id, &at);
        const struct slice stands = {at.bytes, STINT_ID_BYTES};
        left += store_get(load->store, STORE_LIVE, stands, &value) ||
            store_get(load->store, STORE_PARKED, stands, &value);
        id = id_plus(id, 1);
    }
    return left;
}

static void
read_made(struct load_line *l, struct row_batch *row, const struct row_batch_terms *terms)
{
    static const char *const made[] = {"success_id", "always_id"};
    static const char *const owes[] = {"owes_success", "owes_always"};
    for (unsigned i = 0; i < 2; i++) {
        if (terms->jobs[i].size > 0)
            row->flags |= (uint64_t)BATCH_HAS << i;
        if (line_flag(l, owes[i]))
            row->flags |= (uint64_t)BATCH_OWES << i;
        if (line_has(l, made[i])) {
            row->made[i] = line_id(l, made[i]);
            row->flags |= (uint64_t)BATCH_MADE << i;
        }
    }
}

static struct row_batch
read_row(struct load_line *l, const struct row_batch_terms *terms)
{
    struct row_batch row = {.began_ms = line_must_number(l, "began_ms", UINT64_MAX),
        .settled_ms = line_number(l, "settled_ms", UINT64_MAX),
        .keep_ms = line_has(l, "keep_ms") ? line_number(l, "keep_ms", LIMIT_TIME_MS) : KEEP_DEFAULT,
        .jobs = line_number(l, "jobs", UINT64_MAX),
        .ended = {line_number(l, "succeeded", UINT64_MAX), line_number(l, "dead", UINT64_MAX),
            line_number(l, "cancelled_jobs", UINT64_MAX), line_number(l, "expired", UINT64_MAX)},
        .maker = line_number(l, "maker", UINT64_MAX)};
    if (line_flag(l, "closed"))
        row.flags |= BATCH_IS_CLOSED;
    if (line_flag(l, "cancelled"))
        row.flags |= BATCH_IS_CANCELLED;
    if (line_flag(l, "cancels"))
        row.flags |= BATCH_CANCELS;
    read_made(l, &row, terms);
    return row;
}

/* Those that are missing have ended badly, which may be the end of it. */
static void
count_missing(struct load *load, struct row_batch *row, uint64_t missing)
{
    row->ended[BATCH_DEAD] += missing;
    if (missing == 0 || !(row->flags & BATCH_IS_CLOSED) || batch_left(row) > 0)
        return;
    row->settled_ms = load->clock_ms ? load->clock_ms : 1;
    row->flags &= ~(uint64_t)BATCH_CANCELS;
    if ((row->flags & BATCH_HAS << 1) && !(row->flags & BATCH_MADE << 1))
        row->flags |= BATCH_OWES << 1; /* the job that it always makes */
}

static bool
is_job(struct slice bytes)
{
    struct job_spec spec;
    return bytes.size == 0 || message_read_job(bytes, &spec);
}

bool
load_batch(struct load *load)
{
    struct load_line *l = &load->line;
    uint8_t key[BATCH_KEY_BYTES], bytes[ROW_BATCH_BYTES_MAX];
    static uint8_t whole[ROW_BATCH_TERMS_BYTES_MAX];
    struct slice value;
    uint64_t number = line_must_number(l, "batch", LIMIT_BATCH);
    const struct row_batch_terms terms = {.title = line_bytes(l, "title", LIMIT_LABEL_BYTES),
        .queue = line_bytes(l, "queue", LIMIT_NAME_BYTES),
        .jobs = {line_bytes(l, "success", LIMIT_BATCH_JOB_BYTES),
            line_bytes(l, "always", LIMIT_BATCH_JOB_BYTES)}};
    struct row_batch row = read_row(l, &terms), back;
    if (l->why[0])
        return false;
    if (number == 0 || !name_is_valid(terms.queue) || !is_job(terms.jobs[0]) ||
        !is_job(terms.jobs[1]))
        return line_wrong(l, "its number, its queue or a job that it makes is none");
    if (!row_batch_read(number, row_batch_write(bytes, number, &row), &back))
        return line_wrong(l, "it is no batch that there can be");
    if (store_get(load->store, STORE_BATCHES, batch_key(key, number, BATCH_PART_COUNTS), &value))
        return line_wrong(l, "there is a batch of this number already");
    uint64_t left = count_left(load, number);
    if (left > batch_left(&row))
        return line_wrong(l, "more jobs of it wait or run than have not ended");
    count_missing(load, &row, batch_left(&row) - left);
    store_put(load->store, STORE_BATCHES, batch_key(key, number, BATCH_PART_COUNTS),
        row_batch_write(bytes, number, &row), nothing);
    store_put(load->store, STORE_BATCHES, batch_key(key, number, BATCH_PART_TERMS),
        row_batch_terms_write(whole, number, &terms), nothing);
    return true;
}
