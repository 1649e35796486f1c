/* Rows of jobs that wait for others; the contract is in links.h. */
#include "links.h"
#include "names.h"

enum { CUT_A_STEP = 8192 }; /* how many may be taken out of rows, or looked at for that */

static const struct slice nothing = {NULL, 0};

/* Rows of its parents; how many bytes they have. */
static size_t
put_parents(struct store *store, const struct stint_id *id, const struct stint_id *parents,
    uint32_t number, uint32_t count)
{
    uint8_t key[PARENTS_KEY_BYTES], bytes[ROW_PARENTS_BYTES_MAX];
    struct slice at = parents_key(key, id, number);
    struct slice row = row_parents_write(bytes, at, parents, count);
    store_put(store, STORE_PARENTS, at, row, nothing);
    return row.size + ROW_OVERHEAD_BYTES;
}

size_t
links_add(struct store *store, const struct stint_id *id, struct record *record,
    const struct stint_id *parents, uint32_t count)
{
    size_t bytes = 0;
    assert(count > 0 && count <= LIMIT_AFTER);
    if (count == 1 && id_same_level(id, parents)) {
        record_set(record, FIELD_PARENT, id_sequence(parents));
        return 0;
    }
    for (uint32_t i = 0; i < count; i += PARENTS_A_ROW)
        bytes += put_parents(
            store, id, parents + i, i / PARENTS_A_ROW, (uint32_t)earlier(PARENTS_A_ROW, count - i));
    return bytes;
}

/* One row of its parents. */
static bool
read_parents(
    struct store *store, const struct stint_id *id, uint32_t number, bool *there, struct slice *ids)
{
    uint8_t bytes[PARENTS_KEY_BYTES];
    struct slice key = parents_key(bytes, id, number), value;
    *there = store_get(store, STORE_PARENTS, key, &value);
    return *there && row_parents_read(key, value, ids);
}

static bool
read_all_parents(struct store *store, const struct stint_id *id, struct pack_buffer *ids)
{
    const size_t full = PARENTS_A_ROW * STINT_ID_BYTES;
    bool there = true, whole = true;
    for (uint32_t number = 0; there; number++) {
        struct slice row = {NULL, 0};
        if (read_parents(store, id, number, &there, &row)) {
            memcpy(pack_reserve(ids, row.size), row.data, row.size);
            there = row.size == full; /* or it is the last one */
        } else {
            whole &= !there && number > 0;
        }
    }
    return whole;
}

bool
links_parents(struct store *store, const struct stint_id *id, const struct record *record,
    struct pack_buffer *ids)
{
    if (!record_has(record, FIELD_PARENT))
        return read_all_parents(store, id, ids);
    struct stint_id parent = *id;
    id_set_sequence(&parent, record->optional[FIELD_PARENT]);
    memcpy(pack_reserve(ids, STINT_ID_BYTES), parent.bytes, STINT_ID_BYTES);
    return true;
}

/* ---- followers ---- */

/* They are a row from now on. */
static void
put_run(struct core *core, struct row_followers *run)
{
    uint8_t bytes[FOLLOWER_KEY_BYTES], row[ROW_FOLLOWERS_BYTES_MAX];
    if (run->count == 0)
        return;
    struct slice key = follower_key(bytes, &run->parent, &run->last);
    struct slice value = row_followers_write(row, key, run->count);
    store_put(core->store, STORE_FOLLOWERS, key, value, nothing);
    core->step.written_bytes += value.size + ROW_OVERHEAD_BYTES;
    run->count = 0;
}

static void
del_run(struct core *core, const struct row_followers *run)
{
    uint8_t key[FOLLOWER_KEY_BYTES];
    store_del(core->store, STORE_FOLLOWERS, follower_key(key, &run->parent, &run->last));
}

enum found { FOUND_NONE, FOUND_DAMAGED, FOUND_WHOLE };

/* The first row of its followers whose last one is not before this id. */
static enum found
find_run(struct store *store, const struct stint_id *parent, const struct stint_id *from,
    struct row_followers *run)
{
    uint8_t bytes[FOLLOWER_KEY_BYTES];
    struct slice key, value;
    if (!store_seek(store, STORE_FOLLOWERS, follower_key(bytes, parent, from), &key, &value) ||
        key.size != FOLLOWER_KEY_BYTES || memcmp(key.data, parent->bytes, STINT_ID_BYTES) != 0)
        return FOUND_NONE;
    return row_followers_read(key, value, run) ? FOUND_WHOLE : FOUND_DAMAGED;
}

void
links_follow(struct core *core, const struct stint_id *parent, const struct stint_id *id)
{
    struct row_followers *run = &core->sweeps.links.made;
    if (run->count > 0 && run->count < FOLLOWERS_A_ROW && id_compare(&run->parent, parent) == 0 &&
        id_same_level(&run->last, id) && id_sequence(&run->last) + 1 == id_sequence(id)) {
        run->last = *id;
        run->count++;
        return;
    }
    put_run(core, run);
    *run = (struct row_followers){*parent, *id, 1};
}

bool
links_wait_for(struct store *store, const struct stint_id *parent, const struct stint_id *follower)
{
    struct row_followers run;
    return find_run(store, parent, follower, &run) != FOUND_NONE && followers_have(&run, follower);
}

/* Its record, if it waits for others by that. */
static bool
read_blocked(struct store *store, struct book *book, const struct stint_id *id, struct record *r)
{
    struct stint_id at = *id;
    struct slice value;
    (void)names_find(book, id, &at);
    return store_get(store, STORE_PARKED, id_key(&at), &value) && record_decode(r, &at, value) &&
        record_get(r, FIELD_AFTER, 0) > 0;
}

bool
links_blocked(struct store *store, struct book *book, const struct stint_id *id)
{
    struct record r;
    return read_blocked(store, book, id, &r);
}

/* May this step look at one more that does not wait any more? */
static bool
may_cut(struct core *core)
{
    return core->step.links_cut < CUT_A_STEP && ++core->step.links_cut > 0;
}

/* Takes this one off an end of the row, and those beside it that do not wait any more. False: it
 * stands between others. */
static bool
shorten(struct core *core, struct row_followers *run, const struct stint_id *id)
{
    struct stint_id first = followers_first(run);
    bool at_first = id_compare(&first, id) == 0, at_last = id_compare(&run->last, id) == 0;
    if (!at_first && !at_last)
        return false;
    do {
        run->count--;
        if (!at_first)
            id_set_sequence(&run->last, id_sequence(&run->last) - 1);
        first = at_first ? followers_first(run) : run->last;
    } while (run->count > 0 && may_cut(core) && !links_blocked(core->store, &core->book, &first));
    return true;
}

/* It does not wait for this one any more. It stays in the row if others are before and behind it,
 * and where a step has many of these: who is told and does not wait passes it over. */
static void
unfollow(struct core *core, const struct stint_id *parent, const struct stint_id *id)
{
    struct links *l = &core->sweeps.links;
    struct row_followers run, left;
    put_run(core, &l->made);
    if (followers_have(&l->taken, id) && id_compare(&l->taken.parent, parent) == 0)
        put_run(core, &l->taken);
    if (find_run(core->store, parent, id, &run) != FOUND_WHOLE || !followers_have(&run, id))
        return; /* of a damaged row it is told, and does not heed it */
    left = run;
    if (!shorten(core, &left, id))
        return;
    if (left.count == 0 || id_compare(&left.last, &run.last) != 0)
        del_run(core, &run);
    put_run(core, &left);
}

void
links_cut(struct core *core, const struct stint_id *id, const struct record *record)
{
    struct pack_buffer *ids = &core->scratch.parents;
    ids->used = 0;
    (void)links_parents(core->store, id, record, ids);
    for (size_t at = 0; at < ids->used && may_cut(core); at += STINT_ID_BYTES) {
        struct stint_id parent;
        memcpy(parent.bytes, ids->data + at, STINT_ID_BYTES);
        unfollow(core, &parent, id);
    }
}

void
links_forget(struct core *core, const struct stint_id *id, const struct record *record)
{
    uint8_t key[PARENTS_KEY_BYTES];
    if (record_has(record, FIELD_PARENT))
        return;
    for (uint32_t n = 0; store_del(core->store, STORE_PARENTS, parents_key(key, id, n)); n++)
        continue;
}

/* ---- what has ended ---- */

static void
put_ended(struct core *core, const struct linked_end *e)
{
    uint8_t bytes[ROW_ENDED_BYTES_MAX];
    store_put(core->store, STORE_ENDED, id_key(&e->id), row_ended_write(bytes, &e->id, e->state),
        nothing);
    core->step.written_bytes += sizeof bytes + ROW_OVERHEAD_BYTES;
    core->sweeps.links.rows = true;
}

void
links_ended(struct core *core, const struct stint_id *id, enum stint_state state)
{
    struct links *l = &core->sweeps.links;
    const struct linked_end e = {.id = *id, .state = state};
    assert(stint_state_settled(state));
    if (l->count < LINKED_ENDS)
        l->ends[l->count++] = e;
    else
        put_ended(core, &e);
}

void
links_end_step(struct core *core)
{
    struct links *l = &core->sweeps.links;
    for (; l->first < l->count; l->first++)
        put_ended(core, &l->ends[l->first]);
    l->first = l->count = 0;
    put_run(core, &l->made);
    put_run(core, &l->taken);
}

bool
links_are_told(struct core *core, const struct stint_id *id)
{
    struct slice value;
    for (uint32_t i = core->sweeps.links.first; i < core->sweeps.links.count; i++)
        if (id_compare(&core->sweeps.links.ends[i].id, id) == 0)
            return true;
    return store_get(core->store, STORE_ENDED, id_key(id), &value);
}

static const struct stint_id least;

void
links_set_aside(struct core *core, const struct stint_id *id)
{
    static const struct record unread;
    struct row_followers run;
    put_run(core, &core->sweeps.links.made);
    if (find_run(core->store, id, &least, &run) != FOUND_NONE && !links_are_told(core, id))
        links_ended(core, id, STINT_DEAD);
    links_cut(core, id, &unread);
    links_forget(core, id, &unread);
}

static bool
next_row(struct core *core, struct linked_end *ended)
{
    struct slice key, value, from = {(const uint8_t *)"", 1};
    ended->stored = true;
    while (store_seek(core->store, STORE_ENDED, from, &key, &value)) {
        uint8_t at[ROW_KEY_BYTES_MAX];
        if (row_ended_read(key, value, &ended->id, &ended->state))
            return true;
        if (key.size == STINT_ID_BYTES) { /* how is not known: then it was not well */
            memcpy(ended->id.bytes, key.data, STINT_ID_BYTES);
            ended->state = STINT_DEAD;
            return true;
        }
        if (key.size > sizeof at)
            break;
        memcpy(at, key.data, key.size);
        store_del(core->store, STORE_ENDED, (struct slice){at, key.size});
    }
    core->sweeps.links.rows = false;
    return false;
}

bool
links_next_ended(struct core *core, struct linked_end *ended)
{
    struct links *l = &core->sweeps.links;
    if (l->rows && next_row(core, ended))
        return true;
    if (l->first == l->count)
        return false;
    *ended = l->ends[l->first];
    return true;
}

/* Does it wait for this one, by what is kept of itself? It does if it is after it, and waits for
 * more of those that it is after than have it among their followers besides. */
static bool
still_waits(struct core *core, const struct stint_id *id, const struct stint_id *parent)
{
    struct pack_buffer *ids = &core->scratch.parents;
    struct stint_id other;
    struct record r;
    uint64_t others = 0;
    bool after = false;
    if (!read_blocked(core->store, &core->book, id, &r))
        return false;
    ids->used = 0;
    (void)links_parents(core->store, id, &r, ids);
    for (size_t i = 0; i < ids->used; i += STINT_ID_BYTES) {
        memcpy(other.bytes, ids->data + i, STINT_ID_BYTES);
        if (id_compare(&other, parent) == 0)
            after = true;
        else
            others += links_wait_for(core->store, &other, id);
    }
    return after && r.optional[FIELD_AFTER] > others;
}

/* Who was in a row that is damaged is found by the jobs that it may have been of. What the last one
 * was told is not written yet. */
static void
mend_run(struct core *core, const struct row_followers *damaged, const struct row_followers *told)
{
    char text[STINT_ID_TEXT_BYTES];
    struct stint_id id = followers_first(damaged);
    bool same = id_compare(&told->parent, &damaged->parent) == 0;
    core_say(core, NOTE_ERROR, "who waits for a job is damaged, and is found by those who may",
        NOTE_TEXT("job", stint_id_format(&damaged->parent, text)));
    del_run(core, damaged);
    for (uint32_t left = damaged->count; left > 0; left--, id = id_plus(id, 1))
        if (!(same && id_compare(&id, &told->last) == 0) &&
            still_waits(core, &id, &damaged->parent))
            put_run(core, &(struct row_followers){damaged->parent, id, 1});
}

/* Takes the next row of its followers. False: there is none. */
static bool
take_run(struct core *core, const struct stint_id *parent)
{
    struct links *l = &core->sweeps.links;
    struct row_followers run;
    enum found found;
    put_run(core, &l->made);
    put_run(core, &l->taken); /* of another one */
    while ((found = find_run(core->store, parent, &least, &run)) == FOUND_DAMAGED)
        mend_run(core, &run, &l->taken);
    if (found == FOUND_NONE)
        return false;
    l->taken = run;
    del_run(core, &run);
    return true;
}

bool
links_take_follower(struct core *core, const struct linked_end *ended, struct stint_id *follower)
{
    struct links *l = &core->sweeps.links;
    bool taken = l->taken.count > 0 && id_compare(&l->taken.parent, &ended->id) == 0;
    if (taken || take_run(core, &ended->id)) {
        *follower = followers_first(&l->taken);
        l->taken.count--;
        return true;
    }
    if (ended->stored)
        store_del(core->store, STORE_ENDED, id_key(&ended->id));
    else
        l->first++;
    return false;
}

void
links_load(struct core *core)
{
    struct slice key, value, from = {(const uint8_t *)"", 1};
    core->sweeps.links.rows = store_seek(core->store, STORE_ENDED, from, &key, &value);
}
