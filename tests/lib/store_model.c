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

struct store_model {
    struct store base;
    struct rows now[STORE_TABLES], committed[STORE_TABLES];
    uint64_t room;
    unsigned fail_in; /* 0: never */
    bool failed;
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

static void
copy(struct rows *to, const struct rows *from)
{
    clear(to);
    to->rows = calloc(from->count + 1, sizeof *to->rows);
    if (!to->rows)
        abort();
    to->count = to->size = from->count;
    for (size_t i = 0; i < from->count; i++)
        to->rows[i] = row_make(from->rows[i].key, from->rows[i].value, (struct slice){0});
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
    (void)store;
}

static enum stint_status
model_commit(struct store *store)
{
    struct store_model *m = self(store);
    if (m->fail_in && --m->fail_in == 0)
        m->failed = true;
    if (m->failed)
        return STINT_IO;
    for (unsigned t = 0; t < STORE_TABLES; t++)
        copy(&m->committed[t], &m->now[t]);
    return STINT_OK;
}

void
store_model_crash(struct store *store)
{
    struct store_model *m = self(store);
    m->failed = false;
    m->fail_in = 0;
    for (unsigned t = 0; t < STORE_TABLES; t++)
        copy(&m->now[t], &m->committed[t]);
}

static bool
model_get(struct store *store, enum store_table table, struct slice key, struct slice *value)
{
    const struct rows *t = &self(store)->now[table];
    size_t i = find(t, key);
    if (!is_at(t, i, key))
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
    if (i == t->count)
        return false;
    *key = t->rows[i].key;
    *value = t->rows[i].value;
    return true;
}

static void
model_put(struct store *store, enum store_table table, struct slice key, struct slice head,
    struct slice body)
{
    struct rows *t = &self(store)->now[table];
    size_t i = find(t, key);
    struct row row = row_make(key, head, body);
    if (is_at(t, i, key)) {
        free((void *)(uintptr_t)t->rows[i].key.data);
        t->rows[i] = row;
        return;
    }
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

static bool
model_del(struct store *store, enum store_table table, struct slice key)
{
    struct rows *t = &self(store)->now[table];
    size_t i = find(t, key);
    if (!is_at(t, i, key))
        return false;
    free((void *)(uintptr_t)t->rows[i].key.data);
    memmove(&t->rows[i], &t->rows[i + 1], (t->count - i - 1) * sizeof *t->rows);
    t->count--;
    return true;
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

static const char *
model_error(struct store *store)
{
    (void)store;
    return "the model was told to fail";
}

static void
model_destroy(struct store **store)
{
    struct store_model *m = self(*store);
    for (unsigned t = 0; t < STORE_TABLES; t++) {
        clear(&m->now[t]);
        clear(&m->committed[t]);
    }
    free(m);
    *store = NULL;
}

static const struct store_ops model_ops = {model_begin, model_commit, store_model_crash, model_get,
    model_seek, model_put, model_del, model_room, model_usage, model_error, model_destroy};

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
