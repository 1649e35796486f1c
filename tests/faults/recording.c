/* Plays a recording; the contract is in recording.h. */
#include "recording.h"
#include "id.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A request, until its answer was sent. */
struct heard {
    uint64_t peer, number;
    enum message_type type;
    uint32_t count;
    struct heard *next;
    union {
        struct outcome outcome; /* its body is not kept */
        struct stint_id id;
        bool keep_0;
    } items[];
};

bool
recording_open(struct recording *r, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *r = (struct recording){.arrays = calloc(1, sizeof *r->arrays)};
    if (fd < 0 || fstat(fd, &st) != 0 || !r->arrays)
        return false;
    r->at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (r->at == MAP_FAILED)
        return false;
    r->end = r->at + st.st_size;
    return true;
}

/* ---- files ---- */

static void *
grown(void *items, unsigned count, unsigned *room, size_t size)
{
    if (count < *room)
        return items;
    *room = *room ? 2 * *room : 64;
    items = realloc(items, *room * size);
    if (!items)
        abort();
    return items;
}

static struct names *
newest_names(struct recording *r)
{
    return r->later_count ? &r->later_names[r->later_count - 1] : &r->synced_names;
}

static struct name *
find_name(struct names *n, const char *text)
{
    for (unsigned i = 0; i < n->count; i++)
        if (strcmp(n->all[i].text, text) == 0)
            return &n->all[i];
    return NULL;
}

static void
set_name(struct names *n, const char *text, struct recorded_file *file)
{
    struct name *name = find_name(n, text);
    if (!name) {
        if (n->count == NAMES_MAX)
            abort();
        name = &n->all[n->count++];
        (void)snprintf(name->text, sizeof name->text, "%s", text);
    }
    name->file = file;
}

/* The names as they are after one more change. */
static struct names *
change_names(struct recording *r)
{
    struct names now = *newest_names(r);
    if (r->later_count == NAMES_MAX)
        abort();
    r->later_names[r->later_count] = now;
    return &r->later_names[r->later_count++];
}

static void
open_file(struct recording *r, const struct recorded *e, const char *path)
{
    struct name *name = find_name(newest_names(r), path);
    if (e->file >= NUMBERS_MAX)
        abort();
    if (!name || !name->file) {
        if (r->files_count == FILES_MAX)
            abort();
        set_name(change_names(r), path, &r->files[r->files_count]);
        r->files[r->files_count].is_data =
            strcmp(path, "jobs.lmdb") == 0 || strncmp(path, "journal-", 8) == 0;
        r->by_number[e->file] = &r->files[r->files_count++];
    } else {
        r->by_number[e->file] = name->file;
    }
}

static void
rename_file(struct recording *r, const char *from, const char *to)
{
    struct name *name = find_name(newest_names(r), from);
    struct recorded_file *file = name ? name->file : NULL;
    struct names *names = change_names(r);
    set_name(names, to, file);
    set_name(names, from, NULL);
}

static void
add_change(struct recorded_file *f, struct unsynced change)
{
    if (!f)
        return;
    f->changes = grown(f->changes, f->count, &f->room, sizeof *f->changes);
    f->changes[f->count++] = change;
}

static void
resize(struct recorded_file *f, uint64_t size)
{
    if (size > f->size) {
        f->synced = realloc(f->synced, size);
        if (!f->synced)
            abort();
        memset(f->synced + f->size, 0, size - f->size);
    }
    f->size = size;
}

static void
apply(struct recorded_file *f, const struct unsynced *c)
{
    if (!c->bytes) {
        resize(f, c->at);
        return;
    }
    if (c->at + c->size > f->size)
        resize(f, c->at + c->size);
    memcpy(f->synced + c->at, c->bytes, c->size);
}

static void
sync_file(struct recording *r, struct recorded_file *f)
{
    if (!f || (r->ignore_syncs && f->is_data))
        return;
    for (unsigned i = 0; i < f->count; i++)
        apply(f, &f->changes[i]);
    f->count = 0;
}

void
recording_settle_sync(struct recording *r)
{
    for (unsigned i = 0; i < r->files_count; i++) {
        struct recorded_file *f = &r->files[i];
        if (f->count == 0 || (r->ignore_syncs && f->is_data))
            continue;
        /* Only the last change is known to be safe; what came before it keeps its doubt. */
        struct unsynced last = f->changes[f->count - 1];
        if (last.bytes && last.at + last.size <= f->size) {
            apply(f, &last);
            f->count--;
        }
    }
}

/* ---- promises ---- */

static struct want *
want_of(struct recording *r, const struct stint_id *id)
{
    for (unsigned i = 0; i < r->wants_count; i++)
        if (id_compare(&r->wants[i].id, id) == 0)
            return &r->wants[i];
    return NULL;
}

static struct heard *
remember(struct recording *r, uint64_t peer, const struct message *m)
{
    struct heard *h = calloc(1, sizeof *h + m->count * sizeof h->items[0]);
    if (!h)
        abort();
    h->peer = peer;
    h->number = m->number;
    h->type = m->type;
    h->count = m->count;
    h->next = r->heard;
    r->heard = h;
    return h;
}

static struct heard *
heard_of(struct recording *r, uint64_t peer, enum message_type type, uint64_t number)
{
    for (struct heard *h = r->heard; h; h = h->next)
        if (h->peer == peer && h->type == type && h->number == number)
            return h;
    return NULL;
}

static void
hear(struct recording *r, uint64_t peer, const struct message *m)
{
    struct want *w;
    if (m->type == MESSAGE_SUBMIT) {
        struct heard *h = remember(r, peer, m);
        for (uint32_t i = 0; i < m->count; i++)
            h->items[i].keep_0 = r->arrays->specs[i].keep_ms == 0;
    } else if (m->type == MESSAGE_SETTLE) {
        struct heard *h = remember(r, peer, m);
        for (uint32_t i = 0; i < m->count; i++) {
            h->items[i].outcome = r->arrays->outcomes[i];
            w = want_of(r, &r->arrays->outcomes[i].id);
            if (w && r->arrays->outcomes[i].type == OUTCOME_SUCCEEDED)
                w->success_told = true;
        }
    } else if (m->type == MESSAGE_CANCEL) {
        struct heard *h = remember(r, peer, m);
        for (uint32_t i = 0; i < m->count; i++)
            h->items[i].id = r->arrays->ids[i];
    } else if (m->type == MESSAGE_RETRY) {
        for (uint32_t i = 0; i < m->count; i++)
            if ((w = want_of(r, &r->arrays->ids[i])) != NULL)
                w->cancelled = false;
    }
}

static void
promise_jobs(struct recording *r, uint64_t peer, const struct message *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        struct answer *a = &r->arrays->answers[i];
        const struct heard *h = heard_of(r, peer, MESSAGE_SUBMIT, a->number);
        struct stint_id first;
        uint32_t length, at = 0;
        for (uint32_t n = 0; a->status == STINT_OK && n < a->count; n++) {
            if (!message_next_run(a, &first, &length))
                abort();
            for (uint32_t k = 0; k < length; k++, at++) {
                r->wants = grown(r->wants, r->wants_count, &r->wants_room, sizeof *r->wants);
                r->wants[r->wants_count++] = (struct want){
                    .id = id_plus(first, k), .keep_0 = h && at < h->count && h->items[at].keep_0};
            }
        }
    }
}

static void
promise_outcomes(struct recording *r, uint64_t peer, const struct message *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        const struct answer *a = &r->arrays->answers[i];
        const struct heard *h = heard_of(r, peer, MESSAGE_SETTLE, a->number);
        for (uint32_t n = 0; h && a->count == 0 && n < h->count; n++) {
            const struct outcome *o = &h->items[n].outcome;
            struct want *w = want_of(r, &o->id);
            if (w && o->type == OUTCOME_SUCCEEDED)
                w->succeeded = o->attempt;
        }
    }
}

static void
promise(struct recording *r, uint64_t peer, const struct message *m)
{
    struct want *w;
    if (m->type == MESSAGE_SUBMITTED)
        promise_jobs(r, peer, m);
    else if (m->type == MESSAGE_SETTLED)
        promise_outcomes(r, peer, m);
    else if (m->type == MESSAGE_DISPATCH) {
        for (uint32_t i = 0; i < m->count; i++)
            if ((w = want_of(r, &r->arrays->dispatched[i].id)) != NULL &&
                r->arrays->dispatched[i].attempt > w->attempt)
                w->attempt = r->arrays->dispatched[i].attempt;
    } else if (m->type == MESSAGE_ANSWERS) {
        const struct heard *h = heard_of(r, peer, MESSAGE_CANCEL, m->number);
        for (uint32_t i = 0; h && i < m->count; i++)
            if (r->arrays->statuses[i] == STINT_OK && (w = want_of(r, &h->items[i].id)) != NULL)
                w->cancelled = true;
    }
}

static void
take_frame(struct recording *r, const struct recorded *e, const uint8_t *bytes)
{
    struct message m;
    const char *why;
    uint64_t peer = 0;
    memcpy(&peer, bytes + (e->at > 8 ? e->at - 8 : 0), e->at < 8 ? e->at : 8);
    if (message_decode(bytes + e->at, e->size - e->at, &m, r->arrays, &why) != STINT_OK)
        return;
    if (e->kind == RECORDED_RECEIVED)
        hear(r, peer, &m);
    else
        promise(r, peer, &m);
}

bool
recording_next(struct recording *r, enum event_kind_recorded *kind)
{
    struct recorded e;
    if ((size_t)(r->end - r->at) < sizeof e)
        return false;
    memcpy(&e, r->at, sizeof e);
    const uint8_t *bytes = r->at + sizeof e;
    const char *text = (const char *)bytes;
    r->at = bytes + e.size;
    *kind = (enum event_kind_recorded)e.kind;
    struct recorded_file *f = e.file < NUMBERS_MAX ? r->by_number[e.file] : NULL;
    switch (*kind) {
    case RECORDED_OPEN:
        open_file(r, &e, text);
        break;
    case RECORDED_WRITE:
    case RECORDED_WRITE_SYNCED:
        add_change(f, (struct unsynced){e.at, e.size, bytes});
        break;
    case RECORDED_TRUNCATE:
        add_change(f, (struct unsynced){.at = e.at});
        break;
    case RECORDED_SYNC:
        sync_file(r, f);
        break;
    case RECORDED_SYNC_DIRECTORY:
        if (r->later_count) {
            r->synced_names = *newest_names(r);
            r->later_count = 0;
        }
        break;
    case RECORDED_RENAME:
        rename_file(r, text, text + strlen(text) + 1);
        break;
    case RECORDED_UNLINK:
        set_name(change_names(r), text, NULL);
        break;
    case RECORDED_SENT:
    case RECORDED_RECEIVED:
        take_frame(r, &e, bytes);
    }
    return true;
}
