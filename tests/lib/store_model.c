/* A store in memory; the contract is in store_model.h. */
#include "store_model.h"

#include <stdlib.h>

struct row {
    struct slice key, value; /* one allocation, at key.data */
};

struct rows {
    struct row *rows;
    size_t count, size;
};

/* How a row was before it was changed. */
struct change {
    enum store_table table;
    struct row before; /* value.data NULL: it was not there */
    struct row key; /* then this holds its key */
};

struct store_model {
    struct store base;
    struct rows now[STORE_TABLES];
    struct change *changes; /* what a loss of power takes back, newest last */
    size_t changes_count, changes_size;
    size_t begun; /* how many there were at the begin of the transaction */
    uint64_t room;
    unsigned fail_in, fail_op_in; /* 0: never */
    bool keep_failed; /* the commit that fails is on disk nevertheless */
    bool failed, lazy;
};

static struct store_model *
self(struct store *store)
{
    return (struct store_model *)store;
}

static struct row
row_make(struct slice key, struct slice head, struct slice body)
{
    uint8_t *bytes = malloc(key.size + head.size + body.size + 1);
    if (!bytes)
        abort();
    memcpy(bytes, key.data, key.size);
    if (head.size)
        memcpy(bytes + key.size, head.data, head.size);
    if (body.size)
        memcpy(bytes + key.size + head.size, body.data, body.size);
    return (struct row){{bytes, key.size}, {bytes + key.size, head.size + body.size}};
}

static void
clear(struct rows *t)
{
    for (size_t i = 0; i < t->count; i++)
        free((void *)(uintptr_t)t->rows[i].key.data);
    free(t->rows);
    *t = (struct rows){0};
}

static int
compare(struct slice a, struct slice b)
{
    int c = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return c ? c : (a.size > b.size) - (a.size < b.size);
}

/* The first row at or after the key. */
static size_t
find(const struct rows *t, struct slice key)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare(t->rows[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool
is_at(const struct rows *t, size_t i, struct slice key)
{
    return i < t->count && compare(t->rows[i].key, key) == 0;
}

static void
model_begin(struct store *store)
{
    self(store)->begun = self(store)->changes_count;
}

static void
forget_changes(struct store_model *m)
{
    for (size_t i = 0; i < m->changes_count; i++) {
        free((void *)(uintptr_t)m->changes[i].before.key.data);
        free((void *)(uintptr_t)m->changes[i].key.key.data);
    }
    m->changes_count = 0;
}

static enum stint_status
model_commit(struct store *store)
{
    struct store_model *m = self(store);
    if (m->failed)
        return STINT_IO;
    if (m->fail_in && --m->fail_in == 0) {
        m->failed = true;
        if (m->keep_failed)
            forget_changes(m);
        return STINT_IO;
    }
    if (!m->lazy)
        forget_changes(m);
    return STINT_OK;
}

/* An operation that the disk refuses makes the transaction fail. */
static bool
refused(struct store_model *m)
{
    if (m->fail_op_in && --m->fail_op_in == 0)
        m->failed = true;
    return m->failed;
}

static struct change *
note_change(struct store_model *m, enum store_table table)
{
    if (m->changes_count == m->changes_size) {
        m->changes_size = m->changes_size ? 2 * m->changes_size : 256;
        m->changes = realloc(m->changes, m->changes_size * sizeof *m->changes);
        if (!m->changes)
            abort();
    }
    struct change *c = &m->changes[m->changes_count++];
    *c = (struct change){.table = table};
    return c;
}

static bool
model_get(struct store *store, enum store_table table, struct slice key, struct slice *value)
{
    const struct rows *t = &self(store)->now[table];
    size_t i = find(t, key);
    if (refused(self(store)) || !is_at(t, i, key))
        return false;
    *value = t->rows[i].value;
    return true;
}

static bool
model_seek(struct store *store, enum store_table table, struct slice from, struct slice *key,
    struct slice *value)
{
    const struct rows *t = &self(store)->now[table];
    size_t i = find(t, from);
    if (refused(self(store)) || i == t->count)
        return false;
    *key = t->rows[i].key;
    *value = t->rows[i].value;
    return true;
}

static bool
model_seek_back(struct store *store, enum store_table table, struct slice from, struct slice *key,
    struct slice *value)
{
    const struct rows *t = &self(store)->now[table];
    size_t i = find(t, from);
    i += is_at(t, i, from);
    if (refused(self(store)) || i == 0)
        return false;
    *key = t->rows[i - 1].key;
    *value = t->rows[i - 1].value;
    return true;
}

static void
insert_at(struct rows *t, size_t i, struct row row)
{
    if (t->count == t->size) {
        t->size = t->size ? 2 * t->size : 64;
        t->rows = realloc(t->rows, t->size * sizeof *t->rows);
        if (!t->rows)
            abort();
    }
    memmove(&t->rows[i + 1], &t->rows[i], (t->count - i) * sizeof *t->rows);
    t->rows[i] = row;
    t->count++;
}

static void
remove_at(struct rows *t, size_t i)
{
    memmove(&t->rows[i], &t->rows[i + 1], (t->count - i - 1) * sizeof *t->rows);
    t->count--;
}

static void
model_put(struct store *store, enum store_table table, struct slice key, struct slice head,
    struct slice body)
{
    struct store_model *m = self(store);
    struct rows *t = &m->now[table];
    size_t i = find(t, key);
    if (refused(m))
        return;
    struct row row = row_make(key, head, body);
    struct change *c = note_change(m, table);
    if (is_at(t, i, key)) {
        c->before = t->rows[i];
        t->rows[i] = row;
    } else {
        c->key = row_make(key, (struct slice){0}, (struct slice){0});
        insert_at(t, i, row);
    }
}

static bool
model_del(struct store *store, enum store_table table, struct slice key)
{
    struct store_model *m = self(store);
    struct rows *t = &m->now[table];
    size_t i = find(t, key);
    if (refused(m) || !is_at(t, i, key))
        return false;
    note_change(m, table)->before = t->rows[i];
    remove_at(t, i);
    return true;
}

/* Takes back all changes but the first `left`. */
static void
undo(struct store_model *m, size_t left)
{
    while (m->changes_count > left) {
        struct change *c = &m->changes[--m->changes_count];
        struct rows *t = &m->now[c->table];
        struct slice key = c->before.key.data ? c->before.key : c->key.key;
        size_t i = find(t, key);
        if (is_at(t, i, key)) {
            free((void *)(uintptr_t)t->rows[i].key.data);
            remove_at(t, i);
        }
        if (c->before.key.data)
            insert_at(t, i, c->before);
        free((void *)(uintptr_t)c->key.key.data);
    }
}

static void
model_abort(struct store *store)
{
    undo(self(store), self(store)->begun);
}

void
store_model_crash(struct store *store)
{
    struct store_model *m = self(store);
    m->failed = m->keep_failed = false;
    m->fail_in = m->fail_op_in = 0;
    undo(m, 0);
}

static uint64_t
model_room(struct store *store)
{
    return self(store)->room;
}

static void
model_usage(struct store *store, uint64_t *used_bytes, uint64_t *size_bytes)
{
    (void)store;
    *used_bytes = *size_bytes = 0;
}

static uint64_t
model_pending(struct store *store)
{
    return self(store)->changes_count * 64;
}

static const char *
model_error(struct store *store)
{
    return self(store)->failed ? "the model was told to fail" : "";
}

static void
model_destroy(struct store **store)
{
    struct store_model *m = self(*store);
    for (unsigned t = 0; t < STORE_TABLES; t++)
        clear(&m->now[t]);
    forget_changes(m);
    free(m->changes);
    free(m);
    *store = NULL;
}

static const struct store_ops model_ops = {model_begin, model_commit, model_abort, model_get,
    model_seek, model_seek_back, model_put, model_del, model_room, model_usage, model_pending,
    model_error, model_destroy};

struct store *
store_model_new(void)
{
    struct store_model *m = calloc(1, sizeof *m);
    if (!m)
        abort();
    m->base.ops = &model_ops;
    m->room = UINT64_MAX;
    return &m->base;
}

void
store_model_fail_commit(struct store *store, unsigned n)
{
    self(store)->fail_in = n + 1;
}

void
store_model_fail_after_commit(struct store *store, unsigned n)
{
    self(store)->fail_in = n + 1;
    self(store)->keep_failed = true;
}

void
store_model_fail_operation(struct store *store, unsigned n)
{
    self(store)->fail_op_in = n + 1;
}

void
store_model_spare(struct store *store)
{
    self(store)->fail_in = self(store)->fail_op_in = 0;
}

void
store_model_lazy(struct store *store, bool lazy)
{
    self(store)->lazy = lazy;
}

void
store_model_set_room(struct store *store, uint64_t room)
{
    self(store)->room = room;
}

bool
store_model_equal(struct store *a, struct store *b)
{
    for (unsigned t = 0; t < STORE_TABLES; t++) {
        const struct rows *x = &self(a)->now[t], *y = &self(b)->now[t];
        if (x->count != y->count)
            return false;
        for (size_t i = 0; i < x->count; i++)
            if (compare(x->rows[i].key, y->rows[i].key) != 0 ||
                compare(x->rows[i].value, y->rows[i].value) != 0)
                return false;
    }
    return true;
}

size_t
store_model_count(struct store *store, enum store_table table)
{
    return self(store)->now[table].count;
}

void
store_model_damage(struct store *store, enum store_table table)
{
    struct row *row = &self(store)->now[table].rows[0];
    ((uint8_t *)(uintptr_t)row->value.data)[row->value.size / 2] ^= 1;
}
