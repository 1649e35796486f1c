/* Workers that serve queues by prefix; the contract is in pools.h. */
#include "pools.h"
#include "pattern.h"

#include <assert.h>
#include <utlist.h>

enum { HASHED = 8 }; /* a key has a multiple of so many bytes */

static int
compare(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;
    int order = memcmp(x->data, y->data, x->size < y->size ? x->size : y->size);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

static struct slice
begin_of(struct slice prefix)
{
    return (struct slice){prefix.data, prefix.size - 1};
}

/* How many of these, which are in order, are not behind the name. */
static uint32_t
count_before(const struct slice *texts, uint32_t count, bool prefixes, struct slice name)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        struct slice text = prefixes ? begin_of(texts[middle]) : texts[middle];
        if (compare(&text, &name) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* No prefix covers another one, so only the last that is not behind the name can match. */
static bool
prefixes_match(const struct pool_terms *t, struct slice name)
{
    uint32_t before = count_before(t->prefixes, t->prefixes_count, true, name);
    return before > 0 && pattern_matches(t->prefixes[before - 1], name);
}

/* A prefix stands before all that it covers: `*` is less than what names consist of. */
void
pool_terms_reduce(struct pool_terms *t)
{
    uint32_t n = 0;
    qsort(t->prefixes, t->prefixes_count, sizeof *t->prefixes, compare);
    for (uint32_t i = 0; i < t->prefixes_count; i++)
        if (n == 0 || !pattern_covers(t->prefixes[n - 1], t->prefixes[i]))
            t->prefixes[n++] = t->prefixes[i];
    t->prefixes_count = n;
    n = 0;
    if (t->names_count)
        qsort(t->names, t->names_count, sizeof *t->names, compare);
    for (uint32_t i = 0; i < t->names_count; i++)
        if ((n == 0 || compare(&t->names[n - 1], &t->names[i]) != 0) &&
            !prefixes_match(t, t->names[i]))
            t->names[n++] = t->names[i];
    t->names_count = n;
}

/* Copies the texts, a space behind each, and lets the slices point to the copies. */
static char *
copy_texts(char *at, struct slice *texts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        memcpy(at, texts[i].data, texts[i].size);
        texts[i].data = (const uint8_t *)at;
        at += texts[i].size;
        *at++ = ' ';
    }
    return at;
}

/* All that terms say, one after the other: two pools that say the same have the same text. The
 * terms point into it from then on. To be freed. */
static char *
write_text(struct pool_terms *t, size_t *size)
{
    size_t bytes = 1;
    for (uint32_t i = 0; i < t->names_count; i++)
        bytes += t->names[i].size + 1;
    for (uint32_t i = 0; i < t->prefixes_count; i++)
        bytes += t->prefixes[i].size + 1;
    size_t kinds = t->kinds ? strlen(t->kinds->text) : 0;
    *size = (bytes + kinds + HASHED - 1) / HASHED * HASHED;
    char *text = calloc(1, *size);
    if (!text)
        abort();
    char *at = copy_texts(text, t->names, t->names_count);
    at = copy_texts(at, t->prefixes, t->prefixes_count);
    *at++ = '\n';
    if (kinds)
        memcpy(at, t->kinds->text, kinds);
    return text;
}

struct pool *
pools_find(struct pool *pools, const struct pool_terms *terms)
{
    struct pool *p;
    struct pool_terms copy = *terms;
    size_t size;
    char *text = write_text(&copy, &size);
    HASH_FIND(hh, pools, text, size, p);
    free(text);
    return p;
}

struct pool *
pools_add(struct pool **pools, const struct pool_terms *terms)
{
    size_t size;
    struct pool *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->all = pools;
    p->terms = *terms;
    p->text = write_text(&p->terms, &size);
    HASH_ADD_KEYPTR(hh, *pools, p->text, size, p);
    return p;
}

void
pools_remove(struct pool *p)
{
    assert(!p->posts && !p->round && p->round_count == 0 && p->workers == 0);
    HASH_DEL(*p->all, p); /* NOLINT: it is in the table */
    free(p->text);
    free(p);
}

bool
pool_serves(const struct pool *pool, struct slice queue, bool *named)
{
    const struct pool_terms *t = &pool->terms;
    uint32_t before = count_before(t->names, t->names_count, false, queue);
    *named = before > 0 && compare(&t->names[before - 1], &queue) == 0;
    return *named || prefixes_match(t, queue);
}

static void
join_round(struct post *post)
{
    post->rests = false;
    DL_APPEND(post->pool->round, post);
    post->pool->round_count++;
}

static void
leave_round(struct post *post)
{
    DL_DELETE(post->pool->round, post);
    post->pool->round_count--;
}

struct post *
pool_post(struct pool *pool, struct queue *queue, struct posts *posts, bool ready)
{
    struct post *post = calloc(1, sizeof *post);
    if (!post)
        abort();
    post->pool = pool;
    post->queue = queue;
    DL_APPEND2(pool->posts, post, prev_all, next_all);
    DL_APPEND2(posts->all, post, prev_here, next_here);
    post->rests = !ready;
    if (ready)
        join_round(post);
    else
        DL_APPEND(posts->resting, post);
    return post;
}

void
pool_end_post(struct post *post, struct posts *posts)
{
    if (post->rests)
        DL_DELETE(posts->resting, post);
    else
        leave_round(post);
    DL_DELETE2(posts->all, post, prev_here, next_here);
    DL_DELETE2(post->pool->posts, post, prev_all, next_all);
    free(post);
}

uint32_t
pools_meet(struct pool *pools, struct queue *queue, struct posts *posts, struct slice name)
{
    uint32_t names = 0;
    for (struct pool *p = pools; p; p = p->hh.next) {
        bool named;
        if (!pool_serves(p, name, &named))
            continue;
        pool_post(p, queue, posts, false)->named = named;
        names += named;
    }
    return names;
}

void
posts_end(struct posts *posts)
{
    while (posts->all)
        pool_end_post(posts->all, posts);
}

void
pool_rest(struct post *post, struct posts *posts)
{
    assert(!post->rests);
    leave_round(post);
    post->rests = true;
    DL_APPEND(posts->resting, post);
}

void
pool_pass(struct post *post)
{
    DL_DELETE(post->pool->round, post);
    DL_APPEND(post->pool->round, post);
}

void
posts_wake_all(struct posts *posts)
{
    while (posts->resting) {
        struct post *post = posts->resting;
        DL_DELETE(posts->resting, post);
        join_round(post);
    }
}

struct post *
posts_find(const struct posts *posts, const struct pool *pool)
{
    struct post *post = posts->all;
    while (post && post->pool != pool)
        post = post->next_here;
    return post;
}

bool
posts_have_kinds(const struct posts *posts, const struct kinds *kinds)
{
    const struct post *post = posts->all;
    while (post && post->pool->terms.kinds != kinds)
        post = post->next_here;
    return post != NULL;
}

uint32_t
posts_workers(const struct posts *posts)
{
    uint32_t workers = 0;
    for (const struct post *p = posts->all; p; p = p->next_here)
        workers += p->pool->workers;
    return workers;
}
