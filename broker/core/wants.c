/* Needs and what workers have; the contract is in wants.h. */
#include "wants.h"

#include <assert.h>
#include <stdlib.h>

static void *
allocate(size_t size)
{
    void *p = calloc(1, size);
    if (!p)
        abort();
    return p;
}

/* How much of its text is what it is found by: not as much as an id has, which hashes otherwise. */
static size_t
key_bytes(size_t size)
{
    size_t bytes = (size + 8) / 8 * 8;
    return bytes == STINT_ID_BYTES ? bytes + 8 : bytes;
}

static struct needs *
make(struct needs **all, struct slice text)
{
    struct needs *n = allocate(sizeof *n);
    struct needs_word word;
    assert(text.size > 0 && text.size < sizeof n->text);
    n->all = all;
    n->size = text.size;
    memcpy(n->text, text.data, text.size);
    struct slice rest = {(const uint8_t *)n->text, text.size};
    while (needs_next(&rest, &word)) {
        assert(n->amounts_count + n->labels_count < LIMIT_NEEDS);
        if (word.is_amount)
            n->amounts[n->amounts_count++] =
                (struct amount){word.name, kinds_hash(word.name), word.amount};
        else
            n->labels[n->labels_count++] = word.name;
    }
    HASH_ADD_KEYPTR(hh, *all, n->text, key_bytes(n->size), n);
    return n;
}

struct needs *
needs_get(struct needs **all, struct slice text)
{
    struct needs *n;
    char key[sizeof n->text] = {0};
    assert(text.size < sizeof key);
    memcpy(key, text.data, text.size);
    HASH_FIND(hh, *all, key, key_bytes(text.size), n);
    if (!n)
        n = make(all, text);
    n->users++;
    return n;
}

void
needs_put(struct needs *n)
{
    assert(n->users > 0);
    if (--n->users > 0)
        return;
    HASH_DEL(*n->all, n); /* NOLINT: it is in the table */
    free(n);
}

struct has *
has_new(struct slice text)
{
    struct needs_word word;
    if (text.size == 0)
        return NULL;
    struct has *h = allocate(sizeof *h);
    assert(text.size < sizeof h->text);
    memcpy(h->text, text.data, text.size);
    struct slice rest = {(const uint8_t *)h->text, text.size};
    while (needs_next(&rest, &word)) {
        assert(h->amounts_count + h->labels_count < LIMIT_HAS);
        if (word.is_amount)
            h->amounts[h->amounts_count++].most =
                (struct amount){word.name, kinds_hash(word.name), word.amount};
        else
            h->labels[h->labels_count++] = word.name;
    }
    return h;
}

static bool
same(struct slice a, struct slice b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

bool
has_is(const struct amount *a, const struct amount *b)
{
    return a->hash == b->hash && same(a->name, b->name);
}

/* The place of this amount; amounts_count: it has none. */
static uint32_t
find(const struct has *h, const struct amount *amount)
{
    uint32_t i = 0;
    while (i < h->amounts_count && !has_is(&h->amounts[i].most, amount))
        i++;
    return i;
}

/* A worker that has told something else since may hold more than it has: what is taken then is
 * given back as it was taken, in the same amounts, so that nothing of it stays. */
void
has_take(struct has *h, const struct needs *n)
{
    for (uint32_t i = 0; h && i < n->amounts_count; i++) {
        uint32_t at = find(h, &n->amounts[i]);
        if (at < h->amounts_count)
            h->amounts[at].taken += n->amounts[i].value;
    }
}

void
has_give_back(struct has *h, const struct needs *n)
{
    for (uint32_t i = 0; h && i < n->amounts_count; i++) {
        uint32_t at = find(h, &n->amounts[i]);
        if (at < h->amounts_count)
            h->amounts[at].taken -= n->amounts[i].value;
    }
}

static bool
suffices(const struct has *h, const struct needs *n, bool now)
{
    for (uint32_t i = 0; i < n->amounts_count; i++) {
        uint32_t at = h ? find(h, &n->amounts[i]) : 0;
        if (!h || at == h->amounts_count)
            return false;
        uint64_t most = h->amounts[at].most.value, taken = now ? h->amounts[at].taken : 0;
        if (taken > most || most - taken < n->amounts[i].value)
            return false;
    }
    return true;
}

bool
has_enough(const struct has *h, const struct needs *n)
{
    return suffices(h, n, false);
}

bool
has_free(const struct has *h, const struct needs *n)
{
    return suffices(h, n, true);
}

bool
has_label(const struct has *h, struct slice label)
{
    for (uint32_t i = 0; h && i < h->labels_count; i++)
        if (same(h->labels[i], label))
            return true;
    return false;
}

void
has_write_taken(const struct has *h, char *to, size_t size)
{
    size_t used = 0;
    to[0] = '\0';
    for (uint32_t i = 0; h && i < h->amounts_count; i++) {
        const struct needs_word word = {h->amounts[i].most.name, h->amounts[i].taken, true};
        if (word.amount > 0)
            used = needs_add(to, size, used, &word);
    }
}

struct want *
wants_find(const struct wants *wants, struct slice text)
{
    for (uint32_t i = 0; i < wants->count; i++) {
        const struct needs *n = wants->list[i]->needs;
        if (n->size == text.size && memcmp(n->text, text.data, text.size) == 0)
            return wants->list[i];
    }
    return NULL;
}

struct want *
wants_get(struct wants *wants, struct queue *queue, struct needs **all, struct slice text)
{
    struct want *w = wants_find(wants, text);
    if (w || wants->count == LIMIT_QUEUE_NEEDS)
        return w;
    if (wants->count == wants->size) {
        wants->size = wants->size ? 2 * wants->size : 4;
        wants->list = realloc(wants->list, wants->size * sizeof(struct want *));
        if (!wants->list)
            abort();
    }
    w = allocate(sizeof *w);
    w->needs = needs_get(all, text);
    w->queue = queue;
    wants->list[wants->count++] = w;
    return w;
}

void
wants_remove(struct wants *wants, struct want *want)
{
    uint32_t i = 0;
    assert(want->reserved == 0 && want->apart == 0);
    while (wants->list[i] != want)
        i++;
    wants->list[i] = wants->list[--wants->count];
    needs_put(want->needs);
    free(want);
}

void
wants_end(struct wants *wants)
{
    while (wants->count > 0)
        wants_remove(wants, wants->list[0]);
    free(wants->list);
    *wants = (struct wants){0};
}
