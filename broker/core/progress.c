/* How far runs are; the contract is in progress.h. */
#include "progress.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

static uint64_t
size_of(const struct progress *p)
{
    return sizeof *p + p->text_bytes + 1;
}

void
progress_list(struct progresses *all, struct progress *p)
{
    if (p->listed)
        return;
    p->listed = true;
    DL_APPEND2(all->news, p, prev_news, next_news);
}

void
progress_unlist(struct progresses *all, struct progress *p)
{
    if (!p->listed)
        return;
    p->listed = false;
    DL_DELETE2(all->news, p, prev_news, next_news);
}

void
progress_forget(struct progresses *all, struct progress *p)
{
    assert(*p->owner == p && all->bytes >= size_of(p));
    all->bytes -= size_of(p);
    *p->owner = NULL;
    progress_unlist(all, p);
    DL_DELETE(all->all, p);
    free(p);
}

void
progress_tell(struct progresses *all, struct progress **owner, const struct stint_id *id,
    const struct told_progress *told, uint64_t now_ms, uint64_t most)
{
    if (*owner)
        progress_forget(all, *owner);
    if (told->text.size == 0 && told->percent == STINT_NO_PERCENT)
        return;
    struct progress *p = malloc(sizeof *p + told->text.size + 1);
    if (!p)
        abort();
    *p = (struct progress){.owner = owner,
        .id = id,
        .attempt = told->attempt,
        .percent = told->percent,
        .told_ms = now_ms,
        .fresh = true,
        .text_bytes = (uint32_t)told->text.size};
    slice_to_text(p->text, told->text.size + 1, told->text);
    *owner = p;
    DL_APPEND(all->all, p);
    all->bytes += size_of(p);
    while (all->bytes > most)
        progress_forget(all, all->all);
}

struct stint_progress
progress_info(const struct progress *p, uint64_t now_ms)
{
    if (!p)
        return (struct stint_progress){0};
    return (struct stint_progress){.text = p->text_bytes ? p->text : NULL,
        .ms_ago = now_ms - p->told_ms + 1,
        .percent = p->percent};
}
