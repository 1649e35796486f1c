/* The lines of a dump: what each of its parts writes with; the contract is in dump.h. */
#include "dump.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
dump_line(struct dump *d, json_t *o)
{
    size_t size = json_dumpb(o, (char *)d->line.data, d->line.size, JSON_COMPACT);
    if (size > d->line.size) {
        d->line.used = 0;
        (void)pack_reserve(&d->line, size);
        (void)json_dumpb(o, (char *)d->line.data, d->line.size, JSON_COMPACT);
    }
    if (size == 0)
        abort(); /* no memory, or no object */
    (void)fwrite(d->line.data, 1, size, d->to);
    (void)putc('\n', d->to);
    json_decref(o);
}

json_t *
dump_number(uint64_t value)
{
    char digits[24];
    if (value <= INT64_MAX)
        return json_integer((json_int_t)value);
    (void)snprintf(digits, sizeof digits, "%" PRIu64, value);
    return json_string(digits);
}

/* What is no text is shorter so, and read faster. */
json_t *
dump_bytes(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++)
        if (at[i] < ' ' && at[i] != '\t' && at[i] != '\n' && at[i] != '\r')
            return json_base64(bytes, size);
    return json_bytes(bytes, size);
}

void
dump_each(struct dump *d, enum store_table table,
    void (*each)(struct dump *d, struct slice key, struct slice value))
{
    uint8_t at[ROW_KEY_BYTES_MAX + 2] = {0};
    struct slice key, value, from = {at, 1};
    while (store_seek(d->store, table, from, &key, &value) && !ferror(d->to)) {
        if (key.size >= sizeof at || store_key_before(key, from)) {
            d->damaged++; /* a page of the tree is damaged: what stands behind it is not found */
            return;
        }
        memcpy(at, key.data, key.size);
        at[key.size] = 0; /* the least key after this one */
        from.size = key.size + 1;
        each(d, (struct slice){at, key.size}, value);
    }
}
