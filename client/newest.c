/* The newest jobs of a list; the contract is in newest.h. */
#include "newest.h"
#include "id.h"

#include <stdlib.h>
#include <string.h>

/* Of two of one moment the later id is the newer. */
static bool
is_older(const struct stint_job_info *a, const struct stint_job_info *b)
{
    return a->submitted_ms != b->submitted_ms ? a->submitted_ms < b->submitted_ms
                                              : id_compare(&a->id, &b->id) < 0;
}

static void
swap(struct stint_job_info *a, struct stint_job_info *b)
{
    struct stint_job_info kept = *a;
    *a = *b;
    *b = kept;
}

static void
sink(struct newest *n, size_t at)
{
    for (size_t child; (child = 2 * at + 1) < n->count; at = child) {
        if (child + 1 < n->count && is_older(&n->all[child + 1], &n->all[child]))
            child++;
        if (!is_older(&n->all[child], &n->all[at]))
            return;
        swap(&n->all[child], &n->all[at]);
    }
}

static void
rise(struct newest *n, size_t at)
{
    for (; at > 0 && is_older(&n->all[at], &n->all[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&n->all[at], &n->all[(at - 1) / 2]);
}

void
newest_take(struct newest *n, const struct stint_job_info *info)
{
    if (n->count == n->most) {
        if (!is_older(&n->all[0], info))
            return;
        n->all[0] = *info;
        sink(n, 0);
        return;
    }
    if (n->count == n->size) {
        n->size = n->size ? 2 * n->size : 64;
        n->all = realloc(n->all, n->size * sizeof *n->all);
        if (!n->all)
            abort();
    }
    n->all[n->count] = *info;
    rise(n, n->count++);
}

uint64_t
newest_least_ms(const struct newest *n)
{
    return n->count > 0 && n->count == n->most ? n->all[0].submitted_ms : 0;
}

static int
compare(const void *a, const void *b)
{
    return is_older(a, b) ? 1 : is_older(b, a) ? -1 : 0;
}

void
newest_sort(struct newest *n)
{
    if (n->count > 1)
        qsort(n->all, n->count, sizeof *n->all, compare);
}

void
newest_free(struct newest *n)
{
    free(n->all);
    *n = (struct newest){.most = n->most};
}
