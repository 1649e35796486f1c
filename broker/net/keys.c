/* The table of keys; the contract is in keys.h. It is looked into by the thread that answers ZAP,
 * and changed by the loop's, under a lock that nobody holds for long; what changes, the reader has
 * found (keys_reader.h).
 */
#include "keys.h"
#include "keys_reader.h"
#include "log.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define uthash_fatal(text) abort()
#include <uthash.h>

enum { CHANGES_A_TURN = 256 }; /* a key takes some microseconds, and a line of the log */

struct known {
    uint8_t key[KEY_BYTES];
    uint64_t number;
    struct grant *grant;
    struct known *next; /* among those that are gone */
    UT_hash_handle hh; /* by key */
    UT_hash_handle by_number;
};

struct keys {
    struct keys_reader *reader;
    struct key_file broker; /* public_key "": none */
    struct known *all, *by_number;
    struct known *gone;
    pthread_mutex_t lock; /* of `all` */
    uint64_t numbers; /* given so far */
    struct keys_found found; /* and not in the table yet */
};

static void
audit(const char *event, const struct known *known)
{
    log_event(LOG_LEVEL_INFO, event,
        LOG_FIELDS(LOG_NUMBER("audit", 1), LOG_TEXT("key", known->grant->name)));
}

static void
take_out(struct keys *k, struct known *known)
{
    assert(k->all && k->by_number);
    HASH_DEL(k->all, known);
    HASH_DELETE(by_number, k->by_number, known);
    known->next = k->gone;
    k->gone = known;
}

static void
put_in(struct keys *k, const uint8_t key[KEY_BYTES], struct grant *grant)
{
    struct known *known = calloc(1, sizeof *known);
    if (!known)
        abort();
    memcpy(known->key, key, KEY_BYTES);
    known->grant = grant;
    known->number = ++k->numbers;
    HASH_ADD(hh, k->all, key, KEY_BYTES, known);
    HASH_ADD(by_number, k->by_number, number, sizeof known->number, known);
}

static struct known *
find(const struct keys *k, const uint8_t key[KEY_BYTES])
{
    struct known *known;
    HASH_FIND(hh, k->all, key, KEY_BYTES, known);
    return known;
}

/* What the next change says is so from now on. */
static void
change_one(struct keys *k)
{
    struct key_change *c = k->found.first;
    pthread_mutex_lock(&k->lock);
    struct known *was = find(k, c->key);
    assert((was != NULL) == c->goes);
    if (was)
        take_out(k, was);
    if (c->comes)
        put_in(k, c->key, c->comes);
    pthread_mutex_unlock(&k->lock);
    if (c->comes)
        audit("a key is taken", find(k, c->key));
    if (was)
        audit("a key is gone", was);
    k->found.first = c->next;
    free(c);
}

static bool
change_broker(struct keys *k)
{
    if (!k->found.broker)
        return false;
    (void)prctl(PR_SET_DUMPABLE, 0); /* a core file would hold the secret */
    k->broker = *k->found.broker;
    explicit_bzero(k->found.broker, sizeof *k->found.broker);
    free(k->found.broker);
    k->found.broker = NULL;
    return true;
}

static unsigned
change(struct keys *k, unsigned most)
{
    unsigned changed = change_broker(k) ? KEYS_BROKER_CHANGED : KEYS_SAME;
    for (; k->found.first && most > 0; most--) {
        change_one(k);
        changed |= KEYS_CHANGED;
    }
    if (!k->found.first && k->found.asked)
        changed |= KEYS_LOOKED;
    if (!k->found.first)
        k->found = (struct keys_found){0};
    return changed;
}

unsigned
keys_take(struct keys *k)
{
    if (!k->found.first && !keys_reader_take(k->reader, &k->found))
        return KEYS_SAME;
    return change(k, CHANGES_A_TURN);
}

bool
keys_wait(const struct keys *k)
{
    return k->found.first != NULL;
}

void
keys_ask(struct keys *k)
{
    keys_reader_ask(k->reader);
}

void
keys_drop(struct keys *k)
{
    while (k->gone) {
        struct known *known = k->gone;
        k->gone = known->next;
        free(known->grant);
        free(known);
    }
}

struct keys *
keys_new(const char *directory)
{
    struct keys *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    pthread_mutex_init(&k->lock, NULL);
    k->reader = keys_reader_new(directory);
    if (keys_reader_take(k->reader, &k->found))
        (void)change(k, UINT32_MAX);
    if (!keys_reader_start(k->reader))
        keys_destroy(&k);
    return k;
}

void
keys_destroy(struct keys **keys)
{
    struct keys *k = *keys;
    struct known *known, *next;
    if (!k)
        return;
    keys_reader_destroy(&k->reader);
    keys_found_free(&k->found);
    HASH_ITER (hh, k->all, known, next)
        take_out(k, known);
    keys_drop(k);
    pthread_mutex_destroy(&k->lock);
    explicit_bzero(k, sizeof *k);
    free(k);
    *keys = NULL;
}

const struct key_file *
keys_broker(const struct keys *k)
{
    return k->broker.secret_key[0] ? &k->broker : NULL;
}

uint64_t
keys_find(void *keys, const uint8_t key[KEY_BYTES])
{
    struct keys *k = keys;
    struct known *known;
    pthread_mutex_lock(&k->lock);
    HASH_FIND(hh, k->all, key, KEY_BYTES, known);
    uint64_t number = known ? known->number : 0;
    pthread_mutex_unlock(&k->lock);
    return number;
}

const struct grant *
keys_grant(const struct keys *k, uint64_t number)
{
    struct known *known;
    HASH_FIND(by_number, k->by_number, &number, sizeof number, known);
    return known ? known->grant : NULL;
}

size_t
keys_count(const struct keys *k)
{
    return HASH_COUNT(k->all);
}
