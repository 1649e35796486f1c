/* Rows of jobs that wait for others, verified; the contract is in verify_links.h. */
#include "verify_links.h"
#include "links.h"
#include "names.h"

static struct stint_id
id_at(const uint8_t *bytes)
{
    struct stint_id id;
    memcpy(id.bytes, bytes, sizeof id.bytes);
    return id;
}

/* For how many of its parents a job waits, by the rows of followers. */
static uint64_t
count_waited(struct link_check *c, const struct stint_id *id)
{
    const struct pack_buffer *ids = &c->parents;
    uint64_t waited = 0;
    for (size_t at = 0; at < ids->used; at += STINT_ID_BYTES) {
        struct stint_id parent = id_at(ids->data + at);
        waited += links_wait_for(c->store, &parent, id);
    }
    return waited;
}

/* A job that is after others knows which, and for how many it waits. */
void
link_check_job(struct link_check *c, const struct stint_id *key, const struct record *r)
{
    struct stint_id id;
    uint64_t left = record_get(r, FIELD_AFTER, 0);
    if ((r->state == STINT_BLOCKED) != (left > 0))
        c->complain(
            c->context, "a job waits for others and is not blocked, or the other way round", key);
    if (!record_has(r, FIELD_AFTER))
        return;
    id = *key;
    if (record_moved(r))
        (void)names_of(c->book, key, &id);
    c->parents.used = 0;
    if (!links_parents(c->store, &id, r, &c->parents))
        c->complain(c->context, "what a job was to run after is missing or damaged", &id);
    uint64_t parents = c->parents.used / STINT_ID_BYTES;
    if (!record_has(r, FIELD_PARENT))
        c->rows_wanted += (parents + PARENTS_A_ROW - 1) / PARENTS_A_ROW;
    uint64_t waited = left > 0 ? count_waited(c, &id) : 0;
    if (waited != left)
        c->complain(c->context, "a job waits for more or fewer others than it says", &id);
    c->waited += waited;
}

/* The record of a job that waits or runs, or, if `settled`, has ended. False: there is none that
 * can be read; that it is damaged is told already. */
static bool
find_record(
    struct link_check *c, const struct stint_id *id, bool settled, bool *there, struct record *r)
{
    struct stint_id at = *id;
    struct slice value;
    (void)names_find(c->book, id, &at);
    *there = store_get(c->store, STORE_LIVE, id_key(&at), &value) ||
        store_get(c->store, STORE_PARKED, id_key(&at), &value) ||
        (settled && store_get(c->store, STORE_SETTLED, id_key(&at), &value));
    return *there && record_decode(r, &at, value);
}

/* Does it wait or run, and know that it has followers? Or are they being told? */
static bool
may_be_followed(struct link_check *c, const struct stint_id *id)
{
    struct slice value;
    struct record r;
    bool there;
    if (store_get(c->store, STORE_ENDED, id_key(id), &value))
        return true;
    return find_record(c, id, false, &there, &r) ? record_followed(&r) : there;
}

/* Is there such a job, and it never was after others? */
static bool
never_waited(struct link_check *c, const struct stint_id *id)
{
    struct record r;
    bool there;
    return find_record(c, id, true, &there, &r) && !record_has(&r, FIELD_AFTER);
}

/* Of those in it that do not wait any more nothing comes. */
void
link_check_followers(struct link_check *c, struct slice key, struct slice value)
{
    struct row_followers run;
    if (!row_followers_read(key, value, &run)) {
        c->complain(c->context, "who waits for a job is damaged", &run.parent);
        return;
    }
    struct stint_id id = followers_first(&run);
    for (uint32_t left = run.count; left > 0; left--, id = id_plus(id, 1))
        if (links_blocked(c->store, c->book, &id))
            c->followers++;
        else if (never_waited(c, &id))
            c->complain(c->context, "a job is to be told of an end, and was after none", &id);
    if (!may_be_followed(c, &run.parent))
        c->complain(c->context, "a job waits for one that would not tell it of its end", &run.last);
}

void
link_check_parents(struct link_check *c, struct slice key, struct slice value)
{
    struct slice ids;
    c->rows++;
    if (!row_parents_read(key, value, &ids))
        c->complain(c->context, "what a job was to run after is damaged", NULL);
}

void
link_check_ended(struct link_check *c, struct slice key, struct slice value)
{
    struct stint_id id;
    enum stint_state state;
    if (!row_ended_read(key, value, &id, &state))
        c->complain(c->context, "how a job has ended that others wait for is damaged", NULL);
}

void
link_check_end(struct link_check *c)
{
    if (c->followers != c->waited)
        c->complain(c->context, "others wait for jobs, and do not say so", NULL);
    if (c->rows != c->rows_wanted)
        c->complain(
            c->context, "what jobs were to run after is kept of jobs that are not there", NULL);
    pack_buffer_free(&c->parents);
}
