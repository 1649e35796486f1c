/* Batches, as the oracle sees them. Their rows are read after each commit and held against the jobs
 * that clients put into them, and against the jobs that they have made, which are counted: what a
 * batch says of its jobs is what became of them, it makes each of its own jobs once, when it has
 * to, and none otherwise.
 */
#include "batch_rows.h"
#include "oracle_inside.h"

enum { BATCHES_MAX = 1024, JOBS_MAX = 8192, SLACK_US = 5 * 1000000 };

/* How a job of a batch has ended, as far as that is known. */
enum ended { ENDED_NOT, ENDED_SOMEHOW = 255 };

struct one {
    uint64_t number;
    bool there, gone; /* gone: it was there, and is no more */
    struct row_batch row; /* after the last step */
    uint64_t made[2]; /* jobs that it has made which are in the store, by role */
    bool heard; /* somebody has said something of it, ever; and in this batch */
    bool cancelled; /* to cancel it, in this batch */
    uint64_t owed_us; /* it owes a job since then, and there was room; 0: it does not */
};

static struct {
    struct one each[BATCHES_MAX];
    unsigned count;
    uint8_t ended[JOBS_MAX];
    uint64_t jobs; /* made ones that are in the store */
    uint64_t scarce_us; /* there was little room then */
} all;

static struct one *
find(uint64_t number)
{
    for (unsigned i = 0; i < all.count; i++)
        if (all.each[i].number == number)
            return &all.each[i];
    if (all.count == BATCHES_MAX)
        sim_broken("more batches than this oracle knows");
    all.each[all.count] = (struct one){.number = number};
    return &all.each[all.count++];
}

void
batches_begin(void)
{
    memset(&all, 0, sizeof all);
}

void
batches_batch(const struct batch *batch)
{
    for (unsigned i = 0; i < all.count; i++)
        all.each[i].cancelled = false;
    if (batch->room_bytes < 1 << 20)
        all.scarce_us = world_us();
}

void
batches_hear(const struct message *m)
{
    struct one *o = find(m->set_batch.batch);
    /* Who has had no answer makes it once more, after it was made and forgotten. */
    if (o->gone && m->set_batch.action == BATCH_NEW)
        *o = (struct one){.number = o->number};
    o->heard = true;
    o->cancelled |= m->set_batch.action == BATCH_CANCEL;
}

void
batches_forget_jobs(void)
{
    all.jobs = 0;
    for (unsigned i = 0; i < all.count; i++)
        memset(all.each[i].made, 0, sizeof all.each[i].made);
}

bool
batches_count_job(const struct record *r)
{
    uint64_t value = record_get(r, FIELD_BATCH, 0);
    enum stint_batch_role role = batch_role(value);
    if (!record_has(r, FIELD_BATCH) || role == STINT_BATCH_JOB)
        return false;
    if (r->state != STINT_SCHEDULED)
        sim_broken("a job that a batch has made does not wait for its time");
    find(batch_number(value))->made[role - STINT_BATCH_SUCCESS]++;
    all.jobs++;
    return true;
}

uint64_t
batches_jobs(void)
{
    return all.jobs;
}

void
batches_read_job(const struct job *j, const struct record *r)
{
    if (record_get(r, FIELD_BATCH, 0) != j->wish.batch)
        sim_broken("%s is in another batch than it was put into", job_named(j));
}

/* While it is cancelled, it is to its jobs as if each were. */
void
batches_command(void)
{
    for (uint32_t i = 0; i < known.count; i++) {
        const struct job *j = &known.jobs[i];
        if (!j->stored || !j->wish.batch)
            continue;
        const struct one *o = find(j->wish.batch);
        if (o->cancelled || (o->row.flags & BATCH_CANCELS))
            LIST_ADD(traffic.cancels, j->id);
    }
}

/* ---- what became of its jobs ---- */

static bool
was_retried(const struct job *j)
{
    bool retried = false;
    for (size_t i = 0; i < traffic.retries.count; i++)
        retried |= id_compare(&traffic.retries.all[i], &j->id) == 0;
    return retried;
}

static void
follow(uint32_t i)
{
    const struct job *j = &known.jobs[i];
    bool gone = j->now.state == STINT_UNKNOWN;
    if (!gone)
        all.ended[i] = stint_state_settled(j->now.state) ? (uint8_t)j->now.state : ENDED_NOT;
    else if (all.ended[i] == ENDED_NOT || (all.ended[i] != STINT_SUCCEEDED && was_retried(j)))
        all.ended[i] = ENDED_SOMEHOW; /* it succeeded and was forgotten, or was deleted */
}

struct sums {
    uint64_t jobs, left, somehow, ended[BATCH_ENDS];
    bool any; /* some are in the store */
};

static struct sums
sum(const struct one *o)
{
    struct sums s = {.jobs = 0};
    for (uint32_t i = 0; i < known.count; i++) {
        const struct job *j = &known.jobs[i];
        if (!j->stored || j->wish.batch != o->number)
            continue;
        s.jobs++;
        s.any |= j->now.state != STINT_UNKNOWN;
        s.left += all.ended[i] == ENDED_NOT;
        s.somehow += all.ended[i] == ENDED_SOMEHOW;
        s.ended[BATCH_SUCCEEDED] += all.ended[i] == STINT_SUCCEEDED;
        s.ended[BATCH_DEAD] += all.ended[i] == STINT_DEAD;
        s.ended[BATCH_CANCELLED] += all.ended[i] == STINT_CANCELLED_JOB;
        s.ended[BATCH_EXPIRED] += all.ended[i] == STINT_EXPIRED;
    }
    return s;
}

static void
check_counts(const struct one *o, const struct row_batch *row, const struct sums *s)
{
    unsigned long long number = o->number;
    if (row->jobs != s->jobs || batch_left(row) != s->left)
        sim_broken("batch %llx says that it has %llu jobs, %llu left, and it is %llu and %llu",
            number, (unsigned long long)row->jobs, (unsigned long long)batch_left(row),
            (unsigned long long)s->jobs, (unsigned long long)s->left);
    for (unsigned e = 0; e < BATCH_ENDS; e++)
        if (row->ended[e] < s->ended[e] || row->ended[e] > s->ended[e] + s->somehow)
            sim_broken("batch %llx counts %llu jobs that ended so (%u), and there are %llu", number,
                (unsigned long long)row->ended[e], e, (unsigned long long)s->ended[e]);
}

/* ---- what it makes ---- */

static bool
has(const struct row_batch *row, enum batch_flag flag, enum stint_batch_role role)
{
    return (row->flags & batch_flag(flag, role)) != 0;
}

static void
check_made(const struct one *o, const struct row_batch *row, enum stint_batch_role role)
{
    unsigned long long number = o->number;
    bool due = has(row, BATCH_OWES, role) || has(row, BATCH_MADE, role);
    bool was_due = has(&o->row, BATCH_OWES, role) || has(&o->row, BATCH_MADE, role);
    bool all_well = row->settled_ms && !(row->flags & BATCH_IS_CANCELLED) &&
        row->ended[BATCH_SUCCEEDED] == row->jobs;
    uint64_t made = o->made[role - STINT_BATCH_SUCCESS];
    if (made != has(row, BATCH_MADE, role))
        sim_broken("batch %llx has made %llu jobs of a kind, and says otherwise", number,
            (unsigned long long)made);
    if (was_due && !due)
        sim_broken("batch %llx forgets a job that it owes or has made", number);
    if (has(&o->row, BATCH_MADE, role) && !has(row, BATCH_MADE, role))
        sim_broken("batch %llx has made a job, and does not say so any more", number);
    if (role == STINT_BATCH_SUCCESS) {
        if (due && !was_due && !all_well)
            sim_broken("batch %llx makes a job for success, and has not succeeded", number);
        if (!due && all_well && has(row, BATCH_HAS, role))
            sim_broken("batch %llx has succeeded, and owes no job for it", number);
    } else if (!due && row->settled_ms && has(row, BATCH_HAS, role))
        sim_broken("batch %llx is over, and owes no job", number);
    if (due && !(row->flags & BATCH_IS_CLOSED))
        sim_broken("batch %llx owes a job, and is open", number);
}

static void
check_owed(struct one *o, const struct row_batch *row)
{
    bool owes = (row->flags & (3 * BATCH_OWES)) != 0;
    if (!owes || (all.scarce_us && all.scarce_us + SLACK_US > world_us()) ||
        known.restarted_us + SLACK_US > world_us())
        o->owed_us = 0;
    else if (o->owed_us == 0)
        o->owed_us = world_us();
    else if (o->owed_us + 2ULL * SLACK_US < world_us() && all.scarce_us + SLACK_US < o->owed_us)
        sim_broken("batch %llx owes a job for long", (unsigned long long)o->number);
}

static void
check_one(struct one *o, const struct row_batch *row)
{
    const struct sums s = sum(o);
    if (!o->heard || o->gone)
        sim_broken("a batch is on disk that nobody has made, or that was forgotten");
    check_counts(o, row, &s);
    if (o->there &&
        (row->jobs < o->row.jobs ||
            (row->jobs > o->row.jobs && (o->row.flags & BATCH_IS_CANCELLED)) ||
            (o->row.flags & ~row->flags & (BATCH_IS_CLOSED | BATCH_IS_CANCELLED))))
        sim_broken("batch %llx goes back, or takes jobs", (unsigned long long)o->number);
    check_made(o, row, STINT_BATCH_SUCCESS);
    check_made(o, row, STINT_BATCH_ALWAYS);
    check_owed(o, row);
    if (row->flags != o->row.flags || row->jobs != o->row.jobs)
        sim_trace("  batch %llx: %llu jobs, %llu left, flags %llu",
            (unsigned long long)o->number, (unsigned long long)row->jobs,
            (unsigned long long)batch_left(row), (unsigned long long)row->flags);
    o->row = *row;
    o->there = true;
}

/* It may be forgotten if nothing of it is left. */
static void
check_gone(struct one *o)
{
    const struct sums s = sum(o);
    if (!o->there || o->gone)
        return;
    if (s.any || o->made[0] || o->made[1] || (o->row.jobs > 0 && !o->row.settled_ms && s.left > 0))
        sim_broken("batch %llx is forgotten, and its jobs are not", (unsigned long long)o->number);
    o->there = false;
    o->gone = true;
}

void
batches_check(struct store *s)
{
    uint8_t at[BATCH_KEY_BYTES];
    struct slice key, value;
    uint64_t number = 0;
    enum batch_part part;
    bool seen[BATCHES_MAX] = {false};
    for (uint32_t i = 0; i < known.count && i < JOBS_MAX; i++)
        if (known.jobs[i].stored && known.jobs[i].wish.batch)
            follow(i);
    s->ops->begin(s);
    while (
        store_seek(s, STORE_BATCHES, batch_key(at, number + 1, BATCH_PART_COUNTS), &key, &value) &&
        batch_key_read(key, &number, &part)) {
        struct row_batch row;
        if (part != BATCH_PART_COUNTS || !row_batch_read(number, value, &row))
            sim_broken("the row of a batch is damaged");
        struct one *o = find(number);
        check_one(o, &row);
        seen[o - all.each] = true;
    }
    s->ops->abort(s);
    for (unsigned i = 0; i < all.count; i++)
        if (!seen[i])
            check_gone(&all.each[i]);
}

bool
batches_all_over(void)
{
    bool over = true;
    for (unsigned i = 0; i < all.count; i++) {
        const struct row_batch *row = &all.each[i].row;
        bool closed = all.each[i].there && (row->flags & BATCH_IS_CLOSED);
        over &= !closed || (row->settled_ms && !(row->flags & (3 * BATCH_OWES)));
    }
    return over;
}
