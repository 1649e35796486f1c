/* The window of a map: lines become items, items jobs, and jobs are settled. */
#include "console.h"
#include "jobs.h"
#include "map.h"
#include "out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* The jobs of one submission. */
struct batch {
    struct map *map;
    struct item *items[BATCH_LINES];
    size_t count, bytes;
    uint64_t first; /* in the state */
};

size_t
map_result_bytes(const struct item *item)
{
    return item->info->result ? item->info->result_bytes : 0;
}

void
map_item_free(struct map *m, struct item *item)
{
    if (item->info)
        m->window.held_bytes -= sizeof *item->info + map_result_bytes(item);
    DL_DELETE(m->window.items, item);
    free(item->line);
    free(item->log.command);
    free(item->payload);
    free(item->group);
    free(item->info);
    free(item->result);
    free(item->log.run);
    free(item);
}

/* Writes out what has its turn. */
static void
advance(struct map *m)
{
    while (m->window.items && m->window.items->info && !m->window.items->log.asked) {
        struct item *item = m->window.items;
        map_write(m, item);
        map_item_free(m, item);
    }
}

void
map_ready(struct map *m, struct item *item)
{
    if (m->o.unordered) {
        map_write(m, item);
        map_item_free(m, item);
    }
    advance(m);
}

/* Counted when it is known, not when it has its turn to be written: --halt does not wait. */
static void
count(struct map *m, struct item *item)
{
    bool good = item->info->state == STINT_SUCCEEDED && !out_lost_result(item->info);
    item->not_run = m->stopping && item->info->state == STINT_CANCELLED_JOB;
    item->failed = !item->not_run && !good;
    m->counts.not_run += item->not_run;
    m->counts.failed += item->failed;
    m->counts.succeeded += good;
}

/* It is over with this item, one way or the other. */
static void
settle(struct map *m, struct item *item, const struct stint_job_info *info)
{
    item->info = cli_allocate(sizeof *info);
    *item->info = *info;
    item->result = cli_copy(info->result, map_result_bytes(item));
    if (!out_lost_result(info)) { /* else it says how large it was */
        item->info->result_bytes = map_result_bytes(item);
        item->info->result = item->result;
    }
    item->info->payload = NULL;
    m->window.held_bytes += sizeof *info + map_result_bytes(item);
    m->window.open--;
    m->counts.done++;
    count(m, item);
    item->log.asked =
        m->joblog && !item->not_run && info->submitted_ms; /* else there is no such job */
    if (item->log.asked)
        DL_APPEND2(m->window.asked, item, log.prev, log.next);
    else
        map_ready(m, item);
}

static void send_batch(struct map *m);

static void
add_to_batch(struct map *m, struct item *item)
{
    if (m->window.filling && m->window.filling->count > 0 &&
        m->window.filling->bytes + item->payload_bytes > BATCH_BYTES)
        send_batch(m);
    if (!m->window.filling)
        m->window.filling = cli_allocate(sizeof *m->window.filling);
    m->window.filling->map = m;
    m->window.filling->items[m->window.filling->count++] = item;
    m->window.filling->bytes += item->payload_bytes;
    if (m->window.filling->count == BATCH_LINES || item->payload_bytes > HEAVY_BYTES)
        send_batch(m);
}

/* Its outcome is not kept any more, or somebody cancelled it when no map was there to hear of it:
 * it is run again. */
static bool
run_again(struct map *m, struct item *item, const struct stint_job_info *info)
{
    bool gone = info->state == STINT_UNKNOWN || info->state == STINT_CANCELLED_JOB ||
        info->state == STINT_EXPIRED || out_lost_result(info);
    if (!item->taken_up || !gone || m->stopping)
        return false;
    if (!state_mark(m->state, item->record, STATE_DROPPED))
        return false;
    item->taken_up = item->recorded = false;
    m->counts.taken_up--;
    m->counts.fresh++;
    m->counts.not_kept += info->state != STINT_CANCELLED_JOB && info->state != STINT_EXPIRED;
    add_to_batch(m, item);
    return true;
}

/* The jobs are there, and nothing will be heard of them. */
static void
hidden(struct map *m)
{
    if (m->rc != EX_OK)
        return;
    cli_say(m->cli,
        "the jobs are submitted, and this key may not see what comes of them; it lacks the right "
        "to see");
    m->rc = EX_NOPERM;
}

static void
settled(void *context, const struct stint_job_info *info)
{
    struct map *m = context;
    struct item *item;
    HASH_FIND(hh, m->window.by_id, &info->id, sizeof info->id, item);
    if (!item)
        return;
    HASH_DEL(m->window.by_id, item); /* NOLINT: it is in the table */
    stall_progress(&m->stall);
    if (out_hidden(info))
        hidden(m);
    else if (!run_again(m, item, info))
        settle(m, item, info);
}

static void
watch(struct map *m, struct item *item)
{
    HASH_ADD(hh, m->window.by_id, id, sizeof item->id, item);
    enum stint_status status = stint_watch(m->cli->client, &item->id, 1, true, settled, m);
    if (status != STINT_OK && m->rc == EX_OK)
        m->rc = cli_failed(m->cli, status);
}

static void
state_trouble(struct map *m)
{
    if (m->rc == EX_OK)
        cli_say(m->cli, "can't write to the state directory: %s", strerror(errno));
    m->rc = EX_IOERR;
}

/* It can't become a job. */
static void
fail_here(struct map *m, struct item *item, const char *why)
{
    struct stint_job_info info = {.state = STINT_DEAD, .priority = (uint8_t)m->job.priority};
    if (why)
        (void)snprintf(info.error, sizeof info.error, "%s", why);
    else
        (void)snprintf(info.error, sizeof info.error,
            "its %zu bytes are more than the broker takes in one job (see stintd --payload-max)",
            item->payload_bytes);
    settle(m, item, &info);
}

static void
taken(struct map *m, struct batch *b, const struct stint_id *ids)
{
    if (m->state && !state_answer(m->state, b->first, ids, b->count))
        state_trouble(m);
    for (size_t i = 0; i < b->count; i++) {
        struct item *item = b->items[i];
        item->id = ids[i];
        free(item->payload);
        item->payload = NULL;
        HASH_ADD(hh, m->window.by_id, id, sizeof item->id, item);
    }
    enum stint_status status = stint_watch(m->cli->client, ids, b->count, true, settled, m);
    if (status != STINT_OK && m->rc == EX_OK)
        m->rc = cli_failed(m->cli, status);
}

/* There is no room for them now: they are sent again, fewer at a time. */
static void
hold(struct map *m, struct batch *b, enum stint_status status)
{
    enum { MOMENT_MS = 100 };
    if (m->waiting.count + b->count > m->waiting.room) {
        m->waiting.room = 2 * (m->waiting.count + b->count);
        m->waiting.items = realloc(m->waiting.items, m->waiting.room * sizeof(struct item *));
        if (!m->waiting.items)
            abort();
    }
    memcpy(m->waiting.items + m->waiting.count, b->items, b->count * sizeof(struct item *));
    m->waiting.count += b->count;
    m->stall.held = stint_status_text(status);
    if (m->waiting.piece == 0 || b->count <= m->waiting.piece)
        m->waiting.piece = b->count > 1 ? b->count / 2 : 1;
    m->waiting.held_until_ms = b->count == 1 ? clock_ms() + MOMENT_MS : 0;
}

/* One piece at a time, as large as there may be room for. */
static void
send_waiting(struct map *m)
{
    size_t n = m->waiting.count < m->waiting.piece ? m->waiting.count : m->waiting.piece;
    if (n == 0 || stint_client_pending(m->cli->client) > 0 || clock_ms() < m->waiting.held_until_ms)
        return;
    struct item *items[BATCH_LINES];
    memcpy(items, m->waiting.items, n * sizeof *m->waiting.items);
    m->waiting.count -= n;
    memmove(m->waiting.items, m->waiting.items + n, m->waiting.count * sizeof *m->waiting.items);
    for (size_t i = 0; i < n; i++)
        add_to_batch(m, items[i]);
    send_batch(m);
    m->waiting.piece =
        n < BATCH_LINES / 2 ? 2 * n : BATCH_LINES; /* a refusal makes it smaller again */
    if (m->waiting.count == 0)
        m->stall.held = NULL;
}

static void
refused(struct map *m, struct batch *b, enum stint_status status)
{
    bool unknown = status == STINT_UNKNOWN_OUTCOME;
    if (m->state && !unknown && !state_drop(m->state, b->first, b->count))
        state_trouble(m);
    if (status == STINT_TOO_LARGE && b->count == 1)
        fail_here(m, b->items[0], NULL);
    else if (status == STINT_TOO_LARGE)
        for (size_t i = 0; i < b->count; i++) { /* one of them: each goes alone */
            add_to_batch(m, b->items[i]);
            send_batch(m);
        }
    else if (cli_passing(status))
        hold(m, b, status);
    else if (m->rc == EX_OK)
        m->rc = cli_failed(m->cli, status);
}

static void
submitted(void *context, enum stint_status status, const struct stint_id *ids, size_t count)
{
    struct batch *b = context;
    struct map *m = b->map;
    m->window.unanswered_bytes -= b->bytes;
    if (!cli_passing(status))
        stall_progress(&m->stall);
    if (status == STINT_OK && count == b->count)
        taken(m, b, ids);
    else if (status != STINT_CLOSED && !m->ending)
        refused(m, b, status == STINT_OK ? STINT_BAD_MESSAGE : status);
    free(b);
}

static void
send_batch(struct map *m)
{
    struct batch *b = m->window.filling;
    struct stint_job jobs[BATCH_LINES];
    struct state_key keys[BATCH_LINES];
    m->window.filling = NULL;
    if (!b)
        return;
    for (size_t i = 0; i < b->count; i++) {
        jobs[i] = m->job;
        jobs[i].group = b->items[i]->group;
        jobs[i].payload = b->items[i]->payload;
        jobs[i].payload_bytes = b->items[i]->payload_bytes;
        keys[i] = b->items[i]->key;
    }
    if (m->state && !state_add(m->state, keys, jobs, b->count, &b->first))
        state_trouble(m);
    for (size_t i = 0; i < b->count && m->state; i++) {
        b->items[i]->record = b->first + i;
        b->items[i]->recorded = true;
    }
    m->window.unanswered_bytes += b->bytes;
    enum stint_status status = m->rc != EX_OK
        ? STINT_CLOSED
        : stint_submit_async(m->cli->client, jobs, b->count, submitted, b);
    if (status != STINT_OK)
        submitted(b, status, NULL, 0);
}

void
map_drop_unsent(struct map *m)
{
    struct batch *b = m->window.filling;
    m->window.filling = NULL;
    for (size_t i = 0; b && i < b->count; i++) {
        m->window.open--;
        m->counts.not_run++;
        map_item_free(m, b->items[i]);
    }
    free(b);
    for (size_t i = 0; i < m->waiting.count; i++) {
        m->window.open--;
        m->counts.not_run++;
        map_item_free(m, m->waiting.items[i]);
    }
    m->waiting.count = 0;
    advance(m);
}

static struct state_key
key_of(const struct row *row)
{
    struct state_key key;
    XXH3_state_t *h = XXH3_createState();
    if (!h || XXH3_128bits_reset(h) != XXH_OK)
        abort();
    for (size_t i = 0; i < row->count; i++) {
        uint64_t size = row->args[i].size;
        (void)XXH3_128bits_update(h, &size, sizeof size);
        (void)XXH3_128bits_update(h, row->args[i].bytes, row->args[i].size);
    }
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(h));
    memcpy(key.bytes, canonical.digest, sizeof key.bytes);
    XXH3_freeState(h);
    return key;
}

/* Is it known, and done? Else a map before us may have submitted it already. */
static bool
is_done(struct map *m, struct item *item)
{
    struct state_line line;
    if (!m->state || !state_find(m->state, &item->key, &line))
        return false;
    bool again = line.how == STATE_FAILED && m->o.failed_again;
    if (line.how != STATE_OPEN && !again) {
        m->counts.skipped += line.how == STATE_SHOWN;
        m->counts.skipped_failed += line.how == STATE_FAILED;
        return true;
    }
    if (again || !line.known) {
        if (!state_mark(m->state, line.index, STATE_DROPPED))
            state_trouble(m);
        return false;
    }
    item->taken_up = item->recorded = true;
    item->record = line.index;
    item->id = line.id;
    return false;
}

static void
take_row(struct map *m, const struct row *row)
{
    struct item *item = cli_allocate(sizeof *item);
    item->key = m->state ? key_of(row) : (struct state_key){{0}};
    item->number = row->number;
    if (is_done(m, item)) {
        free(item);
        m->counts.done++;
        return;
    }
    item->line = cli_copy(row->line.bytes, row->line.size);
    item->line_bytes = row->line.size;
    item->group = jobs_text_of(m->job.group, row->line.bytes, row->line.size);
    if (m->joblog)
        item->log.command = m->template ? template_text(m->template, row)
                                        : cli_copy(row->line.bytes, row->line.size);
    if (m->template)
        item->payload = template_payload(m->template, &m->surroundings, row, &item->payload_bytes);
    else {
        item->payload = cli_copy(row->line.bytes, row->line.size);
        item->payload_bytes = row->line.size;
    }
    bool in_it = item->group && strstr(m->job.group, "{}");
    const char *trouble = jobs_text_trouble(NULL, item->group, item->line, item->line_bytes, in_it);
    DL_APPEND(m->window.items, item);
    m->window.open++;
    if (item->taken_up) {
        m->counts.taken_up++;
        watch(m, item);
    } else if (m->template && memchr(item->line, '\0', item->line_bytes)) {
        m->counts.fresh++;
        fail_here(m, item, "there is a zero byte in it, which no argument can have (see --null)");
    } else if (trouble) {
        m->counts.fresh++;
        fail_here(m, item, trouble);
    } else {
        m->counts.fresh++;
        add_to_batch(m, item);
    }
}

bool
map_has_room(const struct map *m)
{
    return m->waiting.count == 0 && m->window.open < WINDOW && m->window.held_bytes < HELD_BYTES &&
        m->window.unanswered_bytes < UNANSWERED_BYTES &&
        stint_client_pending(m->cli->client) < 256 && (!m->state || state_has_room(m->state)) &&
        clock_ms() >= m->next_ms;
}

void
map_input_trouble(struct map *m, enum lines_result got)
{
    if (got == LINES_TOO_LONG) {
        cli_say(m->cli,
            "line %llu is over 4 MiB, which no job can carry; nothing behind it is read",
            (unsigned long long)input_line(m->input));
        m->input_rc = EX_DATAERR;
    } else {
        cli_say(m->cli, "reading failed: %s", strerror(errno));
        m->input_rc = EX_IOERR;
    }
}

void
map_read(struct map *m)
{
    send_waiting(m);
    while (!m->over && m->rc == EX_OK && map_has_room(m)) {
        struct row row;
        enum lines_result got = input_next(m->input, 0, &row);
        if (got == LINES_ONE)
            take_row(m, &row);
        else if (got == LINES_ERROR || got == LINES_TOO_LONG) {
            map_input_trouble(m, got);
            m->over = true;
        } else if (got == LINES_OVER)
            m->over = true;
        if (m->o.delay_ms && got == LINES_ONE) {
            send_batch(m);
            m->next_ms = clock_ms() + m->o.delay_ms;
        }
        if (got != LINES_ONE)
            break;
    }
    send_batch(m); /* an input that pauses does not hold anything back */
}

bool
map_finished(const struct map *m)
{
    return m->over && !m->window.items && !m->window.filling;
}

/* ---- what a map before us has sent and never heard of ---- */

struct recovery {
    struct map *map;
    uint64_t first;
};

static void
recovered(void *context, enum stint_status status, const struct stint_id *ids, size_t count)
{
    struct recovery *r = context;
    struct map *m = r->map;
    if (status == STINT_OK && !state_answer(m->state, r->first, ids, count))
        state_trouble(m);
    else if (status != STINT_OK && !m->ending && m->rc == EX_OK)
        m->rc = cli_failed(m->cli, status);
    free(r);
}

static void
renew(struct map *m)
{
    uint64_t dropped;
    if (!state_renew(m->state, &dropped)) {
        state_trouble(m);
        return;
    }
    cli_say(m->cli, "the broker has forgotten this map's session; going on with a new one");
    if (dropped > 0)
        cli_say(m->cli, "%llu lines were on their way when it stopped, and may run twice",
            (unsigned long long)dropped);
    stint_client_destroy(&m->cli->client);
    m->rc = cli_connect(m->cli, state_session(m->state), 0);
    if (m->rc != EX_OK)
        return;
    enum stint_status status = stint_connect(m->cli->client, m->cli->timeout_ms);
    if (status != STINT_OK)
        m->rc = cli_failed(m->cli, status);
}

void
map_recover(struct map *m)
{
    uint64_t answered = state_answered(m->state);
    uint64_t stored = stint_client_submission(m->cli->client), left = stored - answered;
    struct state_batch batch;
    if (stored < answered) {
        renew(m);
        return;
    }
    while (m->rc == EX_OK && state_next_pending(m->state, &batch)) {
        /* What the broker has not stored was never taken: its lines are new again. */
        if (left == 0) {
            if (!state_drop(m->state, batch.first, batch.count))
                state_trouble(m);
        } else {
            struct recovery *r = cli_allocate(sizeof *r);
            *r = (struct recovery){m, batch.first};
            enum stint_status status =
                stint_submit_async(m->cli->client, batch.jobs, batch.count, recovered, r);
            if (status != STINT_OK)
                recovered(r, status, NULL, 0);
            left--;
        }
        state_batch_free(&batch);
        while (m->rc == EX_OK && stint_client_pending(m->cli->client) > 0) {
            enum stint_status status = stint_client_process(m->cli->client, 1000);
            if (status != STINT_OK)
                m->rc = cli_failed(m->cli, status);
            if (m->rc == EX_OK)
                m->rc = stall_look(&m->stall);
        }
    }
}
