/* The lines of batches; dump.h says what is in them. */
#include "batch_rows.h"
#include "dump.h"

static void
put_some(json_t *o, const char *name, uint64_t value)
{
    if (value)
        json_object_set_new(o, name, dump_number(value));
}

static void
put_flag(json_t *o, const char *name, uint64_t flag)
{
    if (flag)
        json_object_set_new(o, name, json_true());
}

static void
put_made(json_t *o, const char *name, const struct stint_id *id)
{
    static const struct stint_id none;
    char text[STINT_ID_TEXT_BYTES];
    if (memcmp(id, &none, sizeof none) != 0)
        json_object_set_new(o, name, json_string(stint_id_format(id, text)));
}

/* What it makes, and whether that is due. */
static void
put_jobs(json_t *o, const struct row_batch *row, const struct row_batch_terms *terms)
{
    static const char *const jobs[] = {"success", "always"};
    static const char *const made[] = {"success_id", "always_id"};
    static const char *const owes[] = {"owes_success", "owes_always"};
    for (unsigned i = 0; i < 2; i++) {
        struct slice job = terms->jobs[i];
        if (job.size > 0)
            json_object_set_new(o, jobs[i], json_base64(job.data, job.size));
        put_made(o, made[i], &row->made[i]);
        put_flag(o, owes[i], row->flags & (uint64_t)BATCH_OWES << i);
    }
}

static void
each_batch(struct dump *d, struct slice key, struct slice value)
{
    uint8_t at[BATCH_KEY_BYTES];
    uint64_t number = 0;
    enum batch_part part;
    struct row_batch row;
    struct row_batch_terms terms;
    if (batch_key_read(key, &number, &part) && part == BATCH_PART_TERMS)
        return; /* it stands in the line of the other one */
    if (number == 0 || !row_batch_read(number, value, &row) ||
        !store_get(d->store, STORE_BATCHES, batch_key(at, number, BATCH_PART_TERMS), &value) ||
        !row_batch_terms_read(number, value, &terms)) {
        d->damaged++;
        return;
    }
    json_t *o = json_pack("{ss so so so}", "type", "batch", "batch", dump_number(number), "queue",
        dump_bytes(terms.queue.data, terms.queue.size), "began_ms", dump_number(row.began_ms));
    if (terms.title.size > 0)
        json_object_set_new(o, "title", dump_bytes(terms.title.data, terms.title.size));
    if (row.keep_ms != KEEP_DEFAULT)
        json_object_set_new(o, "keep_ms", dump_number(row.keep_ms));
    put_flag(o, "closed", row.flags & BATCH_IS_CLOSED);
    put_flag(o, "cancelled", row.flags & BATCH_IS_CANCELLED);
    put_flag(o, "cancels", row.flags & BATCH_CANCELS);
    put_some(o, "settled_ms", row.settled_ms);
    put_some(o, "jobs", row.jobs);
    put_some(o, "succeeded", row.ended[BATCH_SUCCEEDED]);
    put_some(o, "dead", row.ended[BATCH_DEAD]);
    put_some(o, "cancelled_jobs", row.ended[BATCH_CANCELLED]);
    put_some(o, "expired", row.ended[BATCH_EXPIRED]);
    put_some(o, "maker", row.maker);
    put_jobs(o, &row, &terms);
    dump_line(d, o);
}

void
dump_batches(struct dump *d)
{
    dump_each(d, STORE_BATCHES, each_batch);
}
