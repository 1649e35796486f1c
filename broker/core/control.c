/* Fleet control; the contract is in control.h. */
#include "control.h"
#include "job.h"
#include "reply.h"

enum {
    SETTINGS_MAX = 1 << 16, /* names of workers for which something is set */
    DIVIDE_EVERY_MS = 100, /* when workers come and go */
    RUNNING_A_PAGE = 256,
    CURSOR_BYTES = 16, /* which worker, how many of its jobs were told */
};

/* ---- what is set ---- */

static struct setting *
find_setting(const struct core *core, struct slice name)
{
    struct setting *s;
    char key[SETTING_NAME_BYTES] = {0};
    if (name.size)
        memcpy(key, name.data, name.size);
    HASH_FIND(hh, core->wishes.settings, key, SETTING_NAME_BYTES, s);
    return s;
}

static struct setting *
add_setting(struct core *core, struct slice name)
{
    struct setting *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    if (name.size)
        memcpy(s->name, name.data, name.size);
    s->slots = SLOTS_OWN;
    HASH_ADD(hh, core->wishes.settings, name, SETTING_NAME_BYTES, s);
    return s;
}

static void
remove_setting(struct core *core, struct setting *s)
{
    assert(core->wishes.settings);
    HASH_DEL(core->wishes.settings, s);
    free(s);
}

bool
control_load(struct core *core)
{
    uint8_t at[SETTING_KEY_BYTES_MAX + 1] = {0};
    struct slice key, value, from = {at, 1};
    struct row_setting row;
    while (store_seek(core->store, STORE_SETTINGS, from, &key, &value)) {
        if (!row_setting_read(key, value, &row))
            return false;
        if (row.of == SETTING_OF_FLEET)
            core->wishes.fleet_slots = row.slots;
        else {
            struct setting *s = add_setting(core, row.name);
            s->slots = row.slots == UINT32_MAX ? SLOTS_OWN : row.slots;
            s->paused = row.paused;
        }
        memcpy(at, key.data, key.size);
        at[key.size] = 0; /* the least key after this one */
        from.size = key.size + 1;
    }
    return true;
}

void
control_fini(struct core *core)
{
    while (core->wishes.settings)
        remove_setting(core, core->wishes.settings);
}

static void
store_setting(struct core *core, const struct row_setting *row, bool is_set)
{
    uint8_t key[SETTING_KEY_BYTES_MAX], bytes[ROW_SETTING_BYTES_MAX];
    struct slice at = setting_key(key, row->of, row->name);
    if (is_set)
        store_put(
            core->store, STORE_SETTINGS, at, row_setting_write(bytes, row), (struct slice){0});
    else
        (void)store_del(core->store, STORE_SETTINGS, at);
}

/* What is as it would be by itself is not kept. */
static void
change_setting(struct core *core, struct slice name, const struct control *c)
{
    struct setting *s = find_setting(core, name);
    uint32_t slots = s ? s->slots : SLOTS_OWN;
    bool paused = s && s->paused, pause = c->action == CONTROL_PAUSE;
    if (c->action == CONTROL_RESIZE ? slots == c->slots : paused == pause)
        return; /* it is so */
    if (!s)
        s = add_setting(core, name);
    if (c->action == CONTROL_RESIZE)
        s->slots = c->slots;
    else
        s->paused = pause;
    const struct row_setting row = {.of = SETTING_OF_WORKER,
        .name = text_slice(s->name),
        .slots = s->slots == SLOTS_OWN ? UINT32_MAX : s->slots,
        .paused = s->paused};
    bool is_set = s->paused || s->slots != SLOTS_OWN;
    store_setting(core, &row, is_set);
    if (!is_set)
        remove_setting(core, s);
}

/* ---- workers ---- */

static struct order
order_for(const struct core *core, const struct worker *w)
{
    const struct setting *s = find_setting(core, text_slice(w->name));
    struct order order = {.slots = SLOTS_OWN, .leave = w->control.leave};
    if (core->wishes.fleet_slots)
        order.slots = w->control.share;
    if (s && s->slots != SLOTS_OWN)
        order.slots = s->slots;
    order.paused = s && s->paused;
    return order;
}

static bool
is_same(const struct order *a, const struct order *b)
{
    return a->slots == b->slots && a->paused == b->paused && a->leave == b->leave;
}

/* Its settings count from now on, and it hears of them unless it knows. */
static void
tell(struct core *core, struct worker *w)
{
    struct order order = order_for(core, w);
    w->control.paused = order.paused;
    if (!w->peer || w->control.cores == 0)
        return;
    if (w->control.greeted && is_same(&order, &w->control.ordered))
        return;
    w->control.greeted = true;
    w->control.ordered = order;
    message_put_order(outbox_begin(core->step.out, w->peer->number), &order);
    outbox_end(core->step.out);
}

void
control_greet(struct core *core, struct worker *w)
{
    bool deaf = w->control.cores == 0;
    w->control.greeted = deaf;
    core->wishes.undivided |= core->wishes.fleet_slots > 0;
    if (deaf || w->control.divided || !core->wishes.fleet_slots)
        tell(core, w); /* else it waits for its share, and gets nothing before */
}

void
control_ping(struct core *core, struct worker *w, const struct ping *ping)
{
    if (ping->slots != SLOTS_UNCHANGED) {
        core->fleet.slots = core->fleet.slots - w->slots + ping->slots;
        w->slots = ping->slots;
    }
    w->control.load = ping->load;
}

void
control_left(struct core *core)
{
    core->wishes.undivided |= core->wishes.fleet_slots > 0;
}

/* ---- the fleet's size ---- */

/* Does the worker get a share of it? Not if it has a size of its own, or takes no jobs. */
static bool
shares(const struct core *core, const struct worker *w)
{
    const struct setting *s = find_setting(core, text_slice(w->name));
    return w->control.cores > 0 && w->control.leave == LEAVE_NOT &&
        (!s || (s->slots == SLOTS_OWN && !s->paused));
}

/* Slots that are set for single workers count, too. */
static uint64_t
slots_to_share(const struct core *core)
{
    uint64_t left = core->wishes.fleet_slots;
    for (const struct worker *w = core->fleet.by_session; w; w = w->hh.next) {
        const struct setting *s = find_setting(core, text_slice(w->name));
        if (s && s->slots != SLOTS_OWN && w->control.cores > 0)
            left -= earlier(left, s->slots);
    }
    return left;
}

static struct stint_fleet
count_fleet(const struct core *core)
{
    struct stint_fleet f = {.slots = core->wishes.fleet_slots, .given = core->fleet.slots};
    for (const struct worker *w = core->fleet.by_session; w; w = w->hh.next)
        if (shares(core, w)) {
            f.workers++;
            f.cores += w->control.cores;
        }
    return f;
}

/* By cores, so that all shares together are just what there is: each gets what the cores up to its
 * own are worth, less what those before it got. */
static void
divide(struct core *core)
{
    uint64_t left = slots_to_share(core), cores = count_fleet(core).cores, passed = 0, given = 0;
    for (struct worker *w = core->fleet.by_session; w; w = w->hh.next) {
        w->control.divided = true;
        if (!shares(core, w))
            continue; /* one that is paused keeps what it had */
        passed += w->control.cores;
        uint64_t share = left * passed / cores - given;
        given += share;
        w->control.share = (uint32_t)earlier(share, LIMIT_WINDOW);
    }
    core->wishes.undivided = false;
    core->wishes.divided_ms = core->clocks.now_ms;
    core->wishes.changed = true;
}

static bool
is_time_to_divide(const struct core *core)
{
    return core->wishes.undivided &&
        (core->wishes.changed || core->clocks.now_ms - core->wishes.divided_ms >= DIVIDE_EVERY_MS);
}

void
control_tell(struct core *core)
{
    if (is_time_to_divide(core))
        divide(core);
    if (!core->wishes.changed)
        return;
    core->wishes.changed = false;
    for (struct worker *w = core->fleet.by_session; w; w = w->hh.next)
        tell(core, w);
}

uint64_t
control_idle_ms(const struct core *core)
{
    return core->wishes.undivided ? DIVIDE_EVERY_MS : UINT64_MAX;
}

/* ---- messages ---- */

static bool
is_meant(const struct worker *w, const struct control *c)
{
    /* One that takes no orders can be paused all the same: it just gets nothing. */
    if (w->control.cores == 0 && c->action != CONTROL_PAUSE && c->action != CONTROL_RESUME)
        return false;
    switch (c->target) {
    case CONTROL_ALL:
        return true;
    case CONTROL_NAMED:
        return strlen(w->name) == c->name.size && memcmp(w->name, c->name.data, c->name.size) == 0;
    case CONTROL_LABELLED:
        return fleet_worker_has_label(w, c->name);
    }
    return false;
}

/* Whoever is here was met already, so that what is left is set for those who are not. */
static uint32_t
take_back_rest(struct core *core, const struct control *c)
{
    struct setting *s, *next;
    uint32_t met = 0;
    HASH_ITER (hh, core->wishes.settings, s, next) {
        if (c->action == CONTROL_RESUME ? !s->paused : s->slots == SLOTS_OWN)
            continue;
        met++;
        change_setting(core, text_slice(s->name), c);
    }
    return met;
}

static uint32_t
apply(struct core *core, const struct control *c)
{
    uint32_t met = 0;
    bool takes_back =
        c->action == CONTROL_RESUME || (c->action == CONTROL_RESIZE && c->slots == SLOTS_OWN);
    for (struct worker *w = core->fleet.by_session; w; w = w->hh.next) {
        if (!is_meant(w, c))
            continue;
        met++;
        if (c->action == CONTROL_DRAIN || c->action == CONTROL_STOP) {
            enum leave leave = c->action == CONTROL_STOP ? LEAVE_STOP : LEAVE_DRAIN;
            w->control.leave = leave > w->control.leave ? leave : w->control.leave;
        } else
            change_setting(core, text_slice(w->name), c);
    }
    if (c->target == CONTROL_ALL && takes_back)
        met += take_back_rest(core, c);
    /* What is set for one that is not here now can be taken back. */
    if (met == 0 && c->target == CONTROL_NAMED && c->action <= CONTROL_RESUME &&
        find_setting(core, c->name)) {
        met++;
        change_setting(core, c->name, c);
    }
    return met;
}

/* Who told whom to do what: a line for the log, of each. */
static void
note_control(struct core *core, const struct peer *peer, const struct control *c, uint32_t met)
{
    static const char *const actions[] = {[CONTROL_RESIZE] = "resize",
        [CONTROL_PAUSE] = "pause",
        [CONTROL_RESUME] = "resume",
        [CONTROL_DRAIN] = "drain",
        [CONTROL_STOP] = "stop"};
    char target[STINT_LABEL_BYTES];
    bool own = c->slots == SLOTS_OWN;
    slice_to_text(target, sizeof target, c->target == CONTROL_ALL ? text_slice("all") : c->name);
    if (c->action == CONTROL_RESIZE && !own)
        core_audit(core, peer, "workers are controlled", NOTE_TEXT("action", actions[c->action]),
            NOTE_TEXT("target", target), NOTE_NUMBER("slots", c->slots),
            NOTE_NUMBER("workers", met));
    else
        core_audit(core, peer, "workers are controlled",
            NOTE_TEXT("action", c->action == CONTROL_RESIZE ? "own size" : actions[c->action]),
            NOTE_TEXT("target", target), NOTE_NUMBER("workers", met));
}

void
control_message(struct core *core, struct peer *peer, const struct message *m)
{
    const struct control *c = &m->control;
    if (c->action == 0 || c->target == 0 || (c->target == CONTROL_ALL) != (c->name.size == 0)) {
        reply_refuse(core, peer->number, m, STINT_INVALID,
            "a CONTROL has an action and a target, and a name unless that is all");
        return;
    }
    if (c->action <= CONTROL_RESUME &&
        HASH_COUNT(core->wishes.settings) + core->fleet.workers_count > SETTINGS_MAX) {
        reply_refuse(core, peer->number, m, STINT_TOO_MANY,
            "something is set for too many names; resume them and give them their own size");
        return;
    }
    uint32_t met = apply(core, c);
    core->wishes.changed |= met > 0;
    core->wishes.undivided |= met > 0 && core->wishes.fleet_slots > 0;
    note_control(core, peer, c, met);
    message_put_controlled(outbox_begin(core->step.out, peer->number), m->number, met);
    outbox_end(core->step.out);
}

static void
set_fleet(struct core *core, const struct peer *peer, uint32_t slots)
{
    const struct row_setting row = {.of = SETTING_OF_FLEET, .slots = slots};
    core->wishes.fleet_slots = slots;
    core->wishes.changed = true;
    core->wishes.undivided = slots > 0;
    store_setting(core, &row, slots > 0);
    core_audit(core, peer, "the fleet is resized", NOTE_NUMBER("slots", slots));
}

void
control_fleet(struct core *core, struct peer *peer, const struct message *m)
{
    if (m->type == MESSAGE_SET_FLEET)
        set_fleet(core, peer, m->fleet.slots);
    struct stint_fleet fleet = count_fleet(core);
    message_put_fleet(outbox_begin(core->step.out, peer->number), MESSAGE_FLEET, m->number, &fleet);
    outbox_end(core->step.out);
}

/* ---- what a worker runs ---- */

/* Where a page begins. */
struct place_in_fleet {
    uint64_t joined, passed;
};

static bool
put_running(struct core *core, const struct lease *l)
{
    const struct queue *q = book_queue_by_number(&core->book, id_queue(&l->key));
    struct stint_running_info info = {.id = l->id,
        .attempt = l->attempt,
        .begun = l->begun,
        .ms_ago = core->clocks.now_ms - l->dispatched_ms,
        .progress = progress_info(l->progress, core->clocks.now_ms)};
    struct slice bytes;
    struct record r;
    if (!q || !store_get(core->store, STORE_LIVE, id_key(&l->key), &bytes) ||
        !record_decode(&r, &l->key, bytes))
        return false; /* it is set aside when it ends */
    memcpy(info.queue, q->name, sizeof info.queue);
    slice_to_text(info.kind, sizeof info.kind, r.kind);
    message_put_running_info(&core->scratch.page, &info);
    return true;
}

/* The jobs of one worker from `passed` on; where the page ended if it is full. */
static bool
put_jobs(struct core *core, const struct worker *w, uint64_t passed, uint32_t *count,
    struct place_in_fleet *next)
{
    uint64_t at = 0;
    for (const struct lease *l = w->leases; l; l = l->next, at++) {
        if (at < passed)
            continue;
        if (*count == RUNNING_A_PAGE) {
            *next = (struct place_in_fleet){w->joined, at};
            return false;
        }
        *count += put_running(core, l);
    }
    return true;
}

void
control_list_running(struct core *core, struct peer *peer, const struct message *m)
{
    struct slice given = m->list_running.cursor, name = m->list_running.worker, cursor = {0};
    const struct control named = {.action = CONTROL_PAUSE, .target = CONTROL_NAMED, .name = name};
    struct place_in_fleet at = {0}, next = {0};
    uint8_t bytes[CURSOR_BYTES];
    uint32_t count = 0;
    if ((given.size != 0 && given.size != CURSOR_BYTES) || name.size == 0) {
        reply_refuse(core, peer->number, m, STINT_INVALID,
            "a worker's name, and no cursor but one that such a list gave");
        return;
    }
    if (given.size)
        at = (struct place_in_fleet){get_be(given.data, 8), get_be(given.data + 8, 8)};
    reply_page_begin(core);
    for (const struct worker *w = core->fleet.by_session; w; w = w->hh.next) {
        if (w->joined < at.joined || !is_meant(w, &named))
            continue;
        if (!put_jobs(core, w, w->joined == at.joined ? at.passed : 0, &count, &next)) {
            put_be(bytes, next.joined, 8);
            put_be(bytes + 8, next.passed, 8);
            cursor = (struct slice){bytes, CURSOR_BYTES};
            break;
        }
    }
    reply_page_send(core, peer, MESSAGE_RUNNING, m->number, count, cursor);
}
