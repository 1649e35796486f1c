/* The verifier's part about batches; the contract is in batch_verify.h. */
#include "batch_verify.h"
#include "names.h"

static void
complain(struct batch_verify *v, const char *what, const struct stint_id *id)
{
    v->complain(v->context, what, id);
}

void
batch_verify_job(struct batch_verify *v, const struct stint_id *id, const struct record *r)
{
    uint8_t key[MEMBER_KEY_BYTES];
    struct slice nothing;
    uint64_t value = record_get(r, FIELD_BATCH, 0);
    if (!record_has(r, FIELD_BATCH) || batch_role(value) != STINT_BATCH_JOB)
        return;
    v->jobs++;
    if (!store_get(v->store, STORE_MEMBERS, member_key(key, value, id), &nothing))
        complain(v, "a job is not listed in its batch", id);
}

/* Has the job not ended? */
static bool
is_left(struct batch_verify *v, const struct stint_id *id)
{
    struct stint_id at = *id;
    struct slice value;
    (void)names_find(v->book, id, &at);
    return store_get(v->store, STORE_LIVE, id_key(&at), &value) ||
        store_get(v->store, STORE_PARKED, id_key(&at), &value);
}

/* How many of its jobs have not ended. */
static uint64_t
count_left(struct batch_verify *v, uint64_t number)
{
    uint8_t from[MEMBER_KEY_BYTES];
    struct stint_id id = {{0}};
    struct slice key, value;
    uint64_t left = 0, of = 0;
    while (store_seek(v->store, STORE_MEMBERS, member_key(from, number, &id), &key, &value) &&
        !store_key_before(key, (struct slice){from, sizeof from}) &&
        member_key_read(key, &of, &id) && of == number) {
        v->members++;
        left += is_left(v, &id);
        id = id_plus(id, 1);
    }
    return left;
}

/* What it makes has to be jobs. */
static void
check_terms(struct batch_verify *v, uint64_t number, const struct row_batch *row)
{
    uint8_t key[BATCH_KEY_BYTES];
    struct row_batch_terms terms;
    struct job_spec spec;
    struct slice value;
    if (!store_get(v->store, STORE_BATCHES, batch_key(key, number, BATCH_PART_TERMS), &value) ||
        !row_batch_terms_read(number, value, &terms)) {
        complain(v, "what was said of a batch is missing or damaged", NULL);
        return;
    }
    for (enum stint_batch_role role = STINT_BATCH_SUCCESS; role <= STINT_BATCH_ALWAYS; role++) {
        struct slice job = terms.jobs[role - STINT_BATCH_SUCCESS];
        if ((job.size > 0) != ((row->flags & batch_flag(BATCH_HAS, role)) != 0) ||
            (job.size > 0 && !message_read_job(job, &spec)))
            complain(v, "a job that a batch makes is missing or damaged", NULL);
    }
}

static void
check_batch(struct batch_verify *v, uint64_t number, struct slice value)
{
    struct row_batch row;
    uint64_t left = count_left(v, number);
    if (!row_batch_read(number, value, &row)) {
        complain(v, "the row of a batch is damaged", NULL);
        return;
    }
    if (batch_left(&row) != left)
        complain(v, "more or fewer jobs of a batch have ended than are counted", NULL);
    check_terms(v, number, &row);
}

void
batch_verify_rows(struct batch_verify *v, uint64_t damaged)
{
    uint8_t at[BATCH_KEY_BYTES];
    struct slice key, value;
    uint64_t number = 0, rows = 0;
    enum batch_part part;
    struct slice from = batch_key(at, 0, BATCH_PART_COUNTS);
    while (store_seek(v->store, STORE_BATCHES, from, &key, &value)) {
        if (!batch_key_read(key, &number, &part) || store_key_before(key, from)) {
            complain(v, "the key of a batch is none, or out of order", NULL);
            break;
        }
        rows += part == BATCH_PART_COUNTS ? 1 : UINT64_MAX; /* as many of the one as of the other */
        from = part == BATCH_PART_COUNTS ? batch_key(at, number, BATCH_PART_TERMS)
                                         : batch_key(at, number + 1, BATCH_PART_COUNTS);
        if (part == BATCH_PART_COUNTS)
            check_batch(v, number, value);
    }
    if (rows != 0)
        complain(v, "what was said of a batch, or is counted of it, is missing", NULL);
    uint64_t all = 0;
    static const uint8_t first = 0;
    uint8_t next[MEMBER_KEY_BYTES];
    struct stint_id id;
    from = (struct slice){&first, 1};
    for (; store_seek(v->store, STORE_MEMBERS, from, &key, &value); all++) {
        if (!member_key_read(key, &number, &id) || store_key_before(key, from)) {
            complain(v, "the key of a batch's job is none, or out of order", NULL);
            break;
        }
        id = id_plus(id, 1);
        from = member_key(next, number, &id);
    }
    if (all != v->jobs || (v->members != all && damaged == 0))
        complain(
            v, "jobs are listed in batches that are not there, or of which they are not", NULL);
}
