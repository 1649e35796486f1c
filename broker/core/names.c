/* What moved jobs are called; the contract is in names.h. */
#include "names.h"

#include <assert.h>

static struct slice
key_of(const struct stint_id *id)
{
    return (struct slice){id->bytes, STINT_ID_BYTES};
}

static bool
look_up(struct book *book, enum store_table table, const struct stint_id *of, struct stint_id *is)
{
    struct slice value;
    return book->has_moved && store_get(book->store, table, key_of(of), &value) &&
        row_name_read(key_of(of), value, is);
}

static void
put(struct book *book, enum store_table table, const struct stint_id *of, const struct stint_id *is)
{
    uint8_t row[ROW_NAME_BYTES_MAX];
    store_put(book->store, table, key_of(of), row_name_write(row, of, is), (struct slice){0});
}

void
names_load(struct book *book)
{
    struct slice key, value, from = {(const uint8_t *)"", 1};
    book->has_moved = store_seek(book->store, STORE_NAMES, from, &key, &value) ||
        store_seek(book->store, STORE_REDIRECTS, from, &key, &value);
}

bool
names_find(struct book *book, const struct stint_id *id, struct stint_id *key)
{
    return look_up(book, STORE_REDIRECTS, id, key);
}

bool
names_of(struct book *book, const struct stint_id *key, struct stint_id *id)
{
    return look_up(book, STORE_NAMES, key, id);
}

void
names_move(struct book *book, const struct stint_id *id, const struct stint_id *from,
    const struct stint_id *to)
{
    assert(memcmp(id, to, sizeof *id) != 0 && memcmp(from, to, sizeof *from) != 0);
    if (memcmp(id, from, sizeof *id) != 0)
        store_del(book->store, STORE_NAMES, key_of(from));
    put(book, STORE_NAMES, to, id);
    put(book, STORE_REDIRECTS, id, to);
    book->has_moved = true;
}

void
names_forget(struct book *book, const struct stint_id *id, const struct stint_id *key)
{
    assert(book->has_moved);
    store_del(book->store, STORE_NAMES, key_of(key));
    store_del(book->store, STORE_REDIRECTS, key_of(id));
    names_load(book);
}
