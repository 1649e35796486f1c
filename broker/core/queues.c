/* Queues and workers as a whole: lists of them in pages, and what becomes of a queue that holds
 * nothing. Queues come by their first job; people make one a run, so those that hold nothing and
 * that nobody serves or watches go again after a while.
 */
#include "queues.h"
#include "backlog.h"
#include "groups.h"
#include "reply.h"
#include "sight.h"
#include "unique.h"

enum {
    QUEUES_A_STEP = 1024,
    LEVELS_A_PAGE = 4096, /* whose first ready jobs are looked at */
    SWEEP_MS = 1000,
    CURSOR_BYTES = 1 + 8, /* which list, and which of it is next */
};

/* A page's cursor. */
struct place_in_list {
    uint8_t list;
    uint64_t next;
};

/* False if it is none, and the peer was told so. */
static bool
read_cursor(
    struct core *core, struct peer *peer, const struct message *m, struct place_in_list *place)
{
    struct slice given = m->page.cursor;
    *place = (struct place_in_list){0};
    if (given.size == 0)
        return true;
    if (given.size != CURSOR_BYTES || given.data[0] > 1) {
        reply_refuse(core, peer->number, m, STINT_INVALID, "this cursor was not given by a list");
        return false;
    }
    *place = (struct place_in_list){given.data[0], get_be(given.data + 1, 8)};
    return true;
}

static struct slice
write_cursor(uint8_t bytes[CURSOR_BYTES], struct place_in_list place)
{
    bytes[0] = place.list;
    put_be(bytes + 1, place.next, 8);
    return (struct slice){bytes, CURSOR_BYTES};
}

static bool
page_is_full(const struct core *core, uint32_t count)
{
    return count == LIMIT_JOBS || core->scratch.page.used > page_bytes(core);
}

static void
put_queue(struct core *core, struct queue *q)
{
    const char *unserved = backlog_unserved(core, q);
    struct stint_queue_info info = {.number = q->number,
        .workers = queue_workers(q),
        .paused = q->set.paused,
        .closed = q->set.closed,
        .lifo = q->set.lifo,
        .low_first = q->set.low_first,
        .running = q->set.running,
        .rate = q->set.rate,
        .weight = queue_weight(q),
        .backlog_max = q->set.backlog_max,
        .keep_ms = queue_keep(q, STINT_KEEP_UNSET),
        .time_to_run_ms = q->set.time_to_run_ms,
        .group_running = q->set.group_running,
        .group_weights = q->set.group_weights,
        .group_rate = q->set.group_rate,
        .oldest_ready_ms = backlog_oldest_ready_ms(core, q)};
    memcpy(info.name, q->name, sizeof info.name);
    for (uint32_t l = 0; l < q->levels_count; l++)
        for (unsigned s = 0; s < STINT_STATES; s++)
            info.jobs[s] += q->levels[l]->jobs[s];
    if (unserved)
        memcpy(info.unserved, unserved, sizeof info.unserved);
    message_put_queue_info(&core->scratch.page, &info);
}

static bool
sees(const struct peer *peer, const struct queue *q)
{
    return sight_covers(peer->grant, q);
}

/* Where an entry stands in a list, for a cursor. The broker's own numbers count what there is of
 * everybody, so a peer with a key is told which of those it is that the peer may see. */
static uint64_t
place_of(const struct peer *peer, uint64_t seen, uint64_t number)
{
    return peer->grant ? seen : number;
}

/* Those that hold or held jobs come first, by their numbers; then those that workers wait at. */
void
queues_list(struct core *core, struct peer *peer, const struct message *m)
{
    uint8_t cursor[CURSOR_BYTES];
    struct place_in_list at;
    struct slice next = {0};
    uint32_t count = 0;
    uint64_t rows = rows_a_page(core, LEVELS_A_PAGE), begin = core->step.listed;
    if (!read_cursor(core, peer, m, &at))
        return;
    reply_page_begin(core);
    struct queue *q = at.list == 0 ? sight_queue_from(core, peer, at.next) : NULL;
    for (; q && !next.size; q = sight_queue_behind(core, peer, q)) {
        if (page_is_full(core, count) || core->step.listed - begin >= rows)
            next = write_cursor(cursor, (struct place_in_list){0, q->number});
        else {
            put_queue(core, q);
            count++;
        }
    }
    uint64_t seen = 0;
    for (q = core->book.expected.queues; q && !next.size; q = q->hh.next) {
        if (q->workers == 0 || !sees(peer, q))
            continue;
        uint64_t place = place_of(peer, seen++, q->key);
        if (at.list == 1 && place < at.next)
            continue;
        if (page_is_full(core, count))
            next = write_cursor(cursor, (struct place_in_list){1, place});
        else {
            put_queue(core, q);
            count++;
        }
    }
    reply_page_send(core, peer, MESSAGE_QUEUES, m->number, count, next);
}

/* A list of names, with a space between two, which is cut when it is too long. */
struct list {
    char *text;
    size_t used, size;
    bool cut;
};

static void
put_name(struct list *list, struct slice name)
{
    list->cut |= list->used + name.size + 5 > list->size;
    if (list->cut) {
        memcpy(list->text + list->used, "...", 4);
        return;
    }
    if (list->used)
        list->text[list->used++] = ' ';
    memcpy(list->text + list->used, name.data, name.size);
    list->used += name.size;
    list->text[list->used] = '\0';
}

/* What the worker serves, as far as the peer may see that: names of queues, and of a prefix what
 * the peer's key grants of it. */
static void
name_queues(const struct peer *peer, const struct worker *w, char *to, size_t size)
{
    struct list list = {.text = to, .size = size};
    struct slice name;
    to[0] = '\0';
    for (uint32_t i = 0; sight_served(peer->grant, w, &i, &name) && !list.cut;)
        put_name(&list, name);
}

/* May the peer not know of the worker at all? */
static bool
is_hidden(const struct peer *peer, const struct worker *w)
{
    uint32_t first = 0;
    struct slice name;
    return peer->grant && !sight_served(peer->grant, w, &first, &name);
}

static uint32_t
state_of(const struct worker *w)
{
    return (w->control.paused ? STINT_IS_PAUSED : 0U) |
        (w->control.leave != LEAVE_NOT ? STINT_IS_LEAVING : 0U) | (w->peer ? 0U : STINT_IS_AWAY);
}

/* As queues that are too many are cut. */
static void
write_cut(char *to, size_t size, const char *text)
{
    size_t n = strlen(text);
    memcpy(to, text, n < size ? n + 1 : size);
    if (n >= size)
        memcpy(to + size - 4, "...", 4);
}

/* Frames come from a worker that has work, and from one that has none when its heartbeat is due. So
 * a silence is only told when it is longer than that. */
static uint64_t
silence_of(const struct core *core, const struct worker *w)
{
    uint64_t silent_ms = core->clocks.listened_ms - w->times.seen_ms;
    return silent_ms > 2ULL * core->options.heartbeat_ms ? silent_ms : 0;
}

/* Of one that also serves queues which the peer may not see, it is not told what it does there: its
 * kinds, how many jobs it holds, would take ahead and has run, and how busy it is. */
static void
put_worker(struct core *core, const struct peer *peer, const struct worker *w)
{
    struct stint_worker_info info = {.slots = w->slots,
        .seen_ms_ago = silence_of(core, w),
        .cores = w->control.cores,
        .state = state_of(w),
        .since_ms_ago = core->clocks.listened_ms - w->times.joined_ms};
    memcpy(info.name, w->name, sizeof info.name);
    memcpy(info.software, w->software, sizeof info.software);
    name_queues(peer, w, info.queues, sizeof info.queues);
    if (w->control.labels)
        write_cut(info.labels, sizeof info.labels, w->control.labels);
    if (w->control.has)
        memcpy(info.has, w->control.has->text, sizeof info.has);
    if (sight_covers_worker(peer->grant, w)) {
        has_write_taken(w->control.has, info.taken, sizeof info.taken);
        info.window = w->window;
        info.seen_ms_ago = core->clocks.listened_ms - w->times.seen_ms;
        info.held = w->counts.held;
        info.begun = w->counts.begun;
        info.load = w->control.load;
        info.succeeded = w->counts.succeeded;
        info.failed = w->counts.failed;
        kinds_write(w->serves.kinds, info.kinds, sizeof info.kinds);
    }
    message_put_worker_info(&core->scratch.page, &info);
}

/* In the order in which they came. */
void
queues_list_workers(struct core *core, struct peer *peer, const struct message *m)
{
    uint8_t cursor[CURSOR_BYTES];
    struct place_in_list at;
    struct slice next = {0};
    uint32_t count = 0;
    if (!read_cursor(core, peer, m, &at))
        return;
    reply_page_begin(core);
    uint64_t seen = 0;
    for (const struct worker *w = core->fleet.by_session; w && !next.size; w = w->hh.next) {
        if (is_hidden(peer, w))
            continue;
        uint64_t place = place_of(peer, seen++, w->joined);
        if (place < at.next)
            continue;
        if (page_is_full(core, count)) {
            next = write_cursor(cursor, (struct place_in_list){0, place});
            break;
        }
        put_worker(core, peer, w);
        count++;
    }
    reply_page_send(core, peer, MESSAGE_WORKERS, m->number, count, next);
}

bool
queues_is_empty(const struct queue *q)
{
    for (uint32_t l = 0; l < q->levels_count; l++)
        for (unsigned s = STINT_READY; s < STINT_STATES; s++)
            if (q->levels[l]->jobs[s] > 0)
                return false;
    return true;
}

/* It may go by itself: nobody would miss it. */
static bool
is_unused(const struct queue *q)
{
    return !queue_is_used(q) && !queue_is_set(q) && queues_is_empty(q);
}

static void
sweep_one(struct core *core, struct queue *q)
{
    if (!is_unused(q)) {
        q->past.empty_ms = 0;
        return;
    }
    if (q->past.empty_ms == 0)
        q->past.empty_ms = core->clocks.now_ms;
    if (core->clocks.now_ms - q->past.empty_ms < core->options.queue_keep_ms ||
        unique_any(core, q->number)) /* its keys go by its number, and another one has another */
        return;
    core_say(core, NOTE_DEBUG, "an empty queue goes", NOTE_TEXT("queue", q->name));
    groups_end_queue(core, q);
    (void)book_queue_remove(&core->book, q);
}

void
queues_sweep(struct core *core)
{
    core->sweeps.queues_ms = core->clocks.now_ms + SWEEP_MS;
    struct queue *q = book_queue_by_number(&core->book, core->sweeps.queue), *next;
    if (!q)
        q = core->book.by_name;
    for (unsigned n = 0; q && n < QUEUES_A_STEP; q = next, n++) {
        next = q->hh.next;
        sweep_one(core, q);
    }
    core->sweeps.queue = q ? q->number : 0;
    q = core->book.expected.queues;
    for (unsigned n = 0; q && n < QUEUES_A_STEP; q = next, n++) {
        next = q->hh.next;
        if (!queue_is_used(q))
            (void)book_queue_remove(&core->book, q);
    }
}
