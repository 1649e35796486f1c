/* Sets of kinds; the contract is in kinds.h. */
#include "kinds.h"

#include <stdlib.h>
#include <utlist.h>

static int
compare(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;
    int order = memcmp(x->data, y->data, x->size < y->size ? x->size : y->size);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

static bool
same(const struct kinds *k, const struct slice *names, uint32_t count)
{
    bool equal = k->count == count;
    for (uint32_t i = 0; equal && i < count; i++)
        equal = compare(&k->names[i], &names[i]) == 0;
    return equal;
}

uint32_t
kinds_hash(struct slice kind)
{
    uint32_t hash = 2166136261; /* FNV-1a */
    for (size_t i = 0; i < kind.size; i++)
        hash = (hash ^ kind.data[i]) * 16777619;
    return hash ? hash : 1;
}

static struct kinds *
make(const struct slice *names, uint32_t count)
{
    struct kinds *k = calloc(1, sizeof *k);
    size_t size = count;
    for (uint32_t i = 0; i < count; i++)
        size += names[i].size;
    char *at = malloc(size);
    if (!k || !at)
        abort();
    k->count = count;
    k->text = at;
    for (uint32_t i = 0; i < count; i++) {
        k->names[i] = (struct slice){(const uint8_t *)at, names[i].size};
        k->hashes[i] = kinds_hash(names[i]);
        memcpy(at, names[i].data, names[i].size);
        at += names[i].size;
        *at++ = i + 1 < count ? ' ' : '\0';
    }
    return k;
}

struct kinds *
kinds_get(struct kinds **all, struct slice *names, uint32_t count)
{
    struct kinds *k;
    uint32_t n = 0;
    if (count == 0)
        return NULL;
    qsort(names, count, sizeof *names, compare);
    for (uint32_t i = 0; i < count; i++)
        if (n == 0 || compare(&names[n - 1], &names[i]) != 0)
            names[n++] = names[i];
    DL_FOREACH (*all, k)
        if (same(k, names, n))
            break;
    if (!k) {
        k = make(names, n);
        DL_APPEND(*all, k);
    }
    k->users++;
    return k;
}

bool
kinds_put(struct kinds **all, struct kinds *k)
{
    if (!k || --k->users > 0)
        return false;
    DL_DELETE(*all, k);
    free(k->text);
    free(k);
    return true;
}

bool
kinds_have(const struct kinds *k, struct slice kind)
{
    for (uint32_t i = 0; k && i < k->count; i++)
        if (k->names[i].size == kind.size && memcmp(k->names[i].data, kind.data, kind.size) == 0)
            return true;
    return !k;
}

bool
kinds_have_hash(const struct kinds *k, uint32_t hash)
{
    for (uint32_t i = 0; k && i < k->count; i++)
        if (k->hashes[i] == hash)
            return true;
    return !k;
}

void
kinds_write(const struct kinds *k, char *to, size_t size)
{
    const char *end = "";
    size_t used = 0;
    if (k)
        used = strlen(k->text);
    if (k && used >= size) {
        for (used = size - 4; used > 0 && k->text[used] != ' ';)
            used--;
        end = "...";
    }
    if (k)
        memcpy(to, k->text, used);
    (void)strcpy(to + used, end);
}
