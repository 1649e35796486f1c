/* Jobs that need something of their worker, as the oracle sees them: what is on disk is what was
 * wished; none is given to a worker that lacks a label; and no worker ever holds jobs that take
 * more together than it has.
 */
#include "needs.h"
#include "oracle_inside.h"

static struct slice
text_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static bool
same(struct slice a, struct slice b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

void
needs_hear(struct party *p, const struct hello *h, const struct slice *labels)
{
    char text[LIMIT_HAS_BYTES + 1] = "";
    size_t used = 0;
    if (h->has.size > 0 && needs_write(NEEDS_OF_WORKER, h->has, text, &used))
        sim_broken("a worker has what nobody can read");
    for (uint32_t i = 0; i < h->labels; i++) {
        const struct needs_word label = {.name = labels[i]};
        used = needs_add(text, sizeof text, used, &label);
    }
    memcpy(p->has, text, sizeof text);
}

void
needs_read(const struct job *j, const struct record *r)
{
    if (!same(r->needs, text_of(j->wish.needs ? j->wish.needs : "")) ||
        record_has(r, FIELD_NEEDS) != (j->wish.needs != NULL))
        sim_broken("%s needs something else on disk than was wished", job_named(j));
}

/* How much of it the worker has; UINT64_MAX: of a label that it has, 0: it has none. */
static uint64_t
had(const struct party *p, const struct needs_word *need)
{
    struct slice rest = text_of(p->has);
    struct needs_word word;
    while (needs_next(&rest, &word))
        if (word.is_amount == need->is_amount && same(word.name, need->name))
            return word.is_amount ? word.amount : UINT64_MAX;
    return 0;
}

bool
needs_could(const struct party *p, const struct job *j)
{
    struct slice rest = text_of(j->wish.needs ? j->wish.needs : "");
    struct needs_word word;
    while (needs_next(&rest, &word))
        if (had(p, &word) < (word.is_amount ? word.amount : 1))
            return false;
    return true;
}

/* What all jobs take of it that the worker holds. */
static uint64_t
taken(const struct party *p, const struct needs_word *of)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < known.count; i++) {
        const struct job *j = &known.jobs[i];
        struct slice rest = text_of(j->wish.needs ? j->wish.needs : "");
        struct needs_word word;
        while (j->now.state == STINT_RUNNING && j->now.holder == p && needs_next(&rest, &word))
            if (word.is_amount && same(word.name, of->name))
                sum += word.amount;
    }
    return sum;
}

static void
check_dispatch(const struct party *to, const struct job *j)
{
    struct slice rest = text_of(j->wish.needs ? j->wish.needs : "");
    struct needs_word word;
    if (!to || !j->wish.needs)
        return;
    if (!needs_could(to, j))
        sim_broken("%s was dispatched to a worker that has not what it needs", job_named(j));
    while (needs_next(&rest, &word))
        if (word.is_amount && taken(to, &word) > had(to, &word))
            sim_broken("%s was dispatched to a worker that had no room for it", job_named(j));
}

void
needs_check(void)
{
    for (size_t i = 0; i < traffic.dispatches.count; i++)
        check_dispatch(traffic.dispatches.all[i].to, &known.jobs[traffic.dispatches.all[i].job]);
    for (uint32_t i = 0; i < known.count; i++) {
        const struct job *j = &known.jobs[i];
        struct slice rest = text_of(j->wish.needs ? j->wish.needs : "");
        struct needs_word word;
        while (j->now.state == STINT_RUNNING && j->now.holder && needs_next(&rest, &word))
            if (word.is_amount && taken(j->now.holder, &word) > had(j->now.holder, &word))
                sim_broken("the worker of %s holds more than it has", job_named(j));
    }
}

bool
needs_same(const struct job *a, const struct job *b)
{
    return same(
        text_of(a->wish.needs ? a->wish.needs : ""), text_of(b->wish.needs ? b->wish.needs : ""));
}
