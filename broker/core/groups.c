/* Groups; the contract, and what it is all about, is in groups.h. */
#include "groups.h"
#include "group_line.h"
#include "group_passed.h"
#include "group_turns.h"

/* False: it was not there. */
static bool
del_turn(struct core *core, const struct stint_id *key, uint64_t turn)
{
    uint8_t at[GROUP_TURN_KEY_BYTES];
    return store_del(core->store, STORE_GROUP_TURNS, group_turn_key(at, key, turn));
}

/* ---- counts ---- */

static void
count_ready(struct core *core, struct level *level, bool more)
{
    uint64_t one = more ? 1 : UINT64_MAX;
    if (!more && level->groups.ready == 0)
        return; /* a row that was damaged counts from 0 on */
    assert(more || (level->apart > 0 && level->queue->apart > 0));
    level->groups.ready += one;
    level->apart += one;
    level->queue->apart += one;
    group_mark_level(core, level);
}

static void
count_standing(struct core *core, struct level *level, bool more)
{
    uint64_t one = more ? 1 : UINT64_MAX;
    if (!more && level->groups.standing == 0)
        return; /* they were lost */
    assert(more || level->queue->past.groups->standing > 0);
    level->groups.standing += one;
    groups_of_queue(core, level->queue)->standing += one;
    group_mark_level(core, level);
}

static uint64_t
less_one(uint64_t n)
{
    return n - (n > 0); /* a row that was damaged counts from 0 on */
}

/* ---- who stands ---- */

static struct stint_id
standing_key(struct core *core, const struct group *g)
{
    return id_make(core->book.broker, g->queue->number, g->row.priority, g->row.stands);
}

static void
stand(struct core *core, struct group *g, struct level *level, const struct stint_id *key)
{
    struct queue_groups *q = groups_of_queue(core, g->queue);
    uint64_t turn = later(q->turn, g->row.finish);
    assert(!g->row.stands && turn < GROUP_TURN_APART);
    g->row.stands = id_sequence(key);
    g->row.priority = level->priority;
    g->row.turn = turn;
    turns_add(level, g);
    count_standing(core, level, true);
    for (uint32_t i = 0; i < level->scans_count; i++)
        if (turn <= level->scans[i].stood.turn)
            level->scans[i].stood = (struct group_turn){turn, 0};
    passed_stands(level, turn);
    posts_wake(&g->queue->servings.posts);
    group_mark(core, g);
}

/* Whoever calls it puts the job somewhere else. */
static void
stand_down(struct core *core, struct group *g)
{
    struct stint_id key = standing_key(core, g);
    struct level *level = book_level(&core->book, g->queue, g->row.priority, false);
    assert(g->row.stands && level);
    if (!turns_remove(level, g))
        (void)del_turn(core, &key, g->row.turn);
    count_standing(core, level, false);
    g->row.stands = 0;
    group_mark(core, g);
}

static bool
may_run(const struct core *core, const struct group *g)
{
    return !group_is_full(g) && group_until_tokens(core, g, GROUP_TOKEN) == 0;
}

/* Does one come to stand? */
static void
arrange(struct core *core, struct group *g)
{
    uint8_t priority;
    uint64_t sequence;
    if (g->row.stands || g->row.ready == 0 || group_is_full(g))
        return;
    uint64_t wait_ms = group_until_tokens(core, g, GROUP_TOKEN);
    if (wait_ms > 0) {
        group_set_due(core, g, core->clocks.wall_ms + wait_ms);
        group_mark(core, g);
        return;
    }
    if (!group_line_first(core, g, &priority, &sequence))
        return; /* damage: the verifier tells of it */
    struct level *level = book_level(&core->book, g->queue, priority, false);
    if (!level)
        return;
    struct stint_id key = book_id(&core->book, level, sequence);
    (void)group_line_remove(core, g, priority, sequence);
    if (level->groups.standing < level->groups.ready) {
        stand(core, g, level, &key);
        return;
    }
    /* All that are ready there stand: the record of this one was damaged, and set aside. */
    g->row.ready--;
    group_mark(core, g);
    arrange(core, g); /* NOLINT(misc-no-recursion): the line is shorter by one */
}

static bool
goes_before_standing(const struct group *g, uint8_t priority, uint64_t sequence)
{
    return group_line_goes_before(g->queue, priority, sequence, g->row.priority, g->row.stands);
}

static void
enter(struct core *core, struct group *g, struct level *level, const struct stint_id *key)
{
    uint64_t sequence = id_sequence(key);
    bool alone = g->row.ready++ == 0;
    count_ready(core, level, true);
    group_mark(core, g);
    level->groups.oldest = earlier(level->groups.oldest, sequence);
    if (alone && may_run(core, g)) {
        stand(core, g, level, key);
        return;
    }
    if (g->row.stands && goes_before_standing(g, level->priority, sequence)) {
        group_line_add(core, g, g->row.priority, g->row.stands);
        stand_down(core, g);
    }
    group_line_add(core, g, level->priority, sequence);
    arrange(core, g);
}

/* False: the job neither stood nor was in line. */
static bool
step_out(struct core *core, struct group *g, struct level *level, const struct stint_id *key)
{
    bool stood = g->row.stands == id_sequence(key) && g->row.priority == level->priority;
    if (stood)
        stand_down(core, g);
    else if (!group_line_remove(core, g, level->priority, id_sequence(key)))
        return false;
    g->row.ready -= g->row.ready > (g->row.stands > 0); /* its row may have been damaged */
    group_mark(core, g);
    return true;
}

/* ---- turns, as they are found ---- */

/* The group of a job whose turn's row is damaged: its record knows it, unless that is, too. */
static struct slice
name_by_record(struct core *core, const struct stint_id *key)
{
    struct slice bytes;
    struct record r;
    bool whole = store_get(core->store, STORE_LIVE, id_key(key), &bytes) &&
        record_decode(&r, key, bytes) && record_has(&r, FIELD_GROUP);
    return whole ? r.group : (struct slice){NULL, 0};
}

static bool
next_stored(
    struct core *core, const struct level *level, const struct group_turn *from, struct standing *s)
{
    uint8_t at[GROUP_TURN_KEY_BYTES];
    struct slice found, value, name;
    struct stint_id key = book_id(&core->book, level, from->sequence);
    if (!store_seek(
            core->store, STORE_GROUP_TURNS, group_turn_key(at, &key, from->turn), &found, &value) ||
        !group_turn_key_read(found, &s->key, &s->turn) || !id_same_level(&s->key, &key) ||
        s->turn == GROUP_TURN_APART)
        return false;
    if (!row_group_turn_read(found, value, &name))
        name = name_by_record(core, &s->key);
    s->name_bytes = (uint8_t)name.size;
    if (name.size > 0)
        memcpy(s->name, name.data, name.size);
    return true;
}

static struct group *
group_of(struct core *core, const struct level *level, const struct standing *s)
{
    return group_get(core, level->queue, (struct slice){s->name, s->name_bytes});
}

/* The turn of this job, which stands, if it does; whatever is known of its group. */
static bool
find_turn(
    struct core *core, struct level *level, const struct stint_id *key, struct standing *standing)
{
    struct group_turn from = {0, 0};
    turns_write(core, level);
    while (next_stored(core, level, &from, standing)) {
        if (id_compare(&standing->key, key) == 0)
            return true;
        from = (struct group_turn){standing->turn, id_sequence(&standing->key) + 1};
    }
    return false;
}

/* It does not stand there any more, whatever its group knows. */
static void
forget_turn(struct core *core, struct level *level, const struct standing *s)
{
    if (del_turn(core, &s->key, s->turn))
        count_standing(core, level, false);
}

/* ---- what jobs do ---- */

/* The ready job waits no more. It counts in its level though the group's row may have been damaged,
 * and know nothing of it. */
static void
leave(struct core *core, struct group *g, struct level *level, const struct stint_id *key)
{
    struct standing s;
    if (!step_out(core, g, level, key) && level->groups.standing > 0 &&
        find_turn(core, level, key, &s))
        forget_turn(core, level, &s);
    count_ready(core, level, false);
}

void
groups_offer(struct core *core, struct level *level, const struct stint_id *key,
    const struct record *r, enum stint_state before)
{
    struct group *g = group_get(core, level->queue, r->group);
    if (before == STINT_READY)
        return; /* it is there */
    if (before == STINT_RUNNING)
        g->row.out = less_one(g->row.out);
    enter(core, g, level, key);
}

static void
part(
    struct core *core, struct level *level, const struct stint_id *key, struct group *g, bool ready)
{
    if (ready)
        leave(core, g, level, key);
    else
        g->row.out = less_one(g->row.out);
    group_mark(core, g);
    arrange(core, g);
}

void
groups_part(struct core *core, struct level *level, const struct stint_id *key, struct record *r,
    enum stint_state state)
{
    if (!record_has(r, FIELD_GROUP))
        return;
    if (state == STINT_READY || state == STINT_RUNNING || record_holds(r))
        part(core, level, key, group_get(core, level->queue, r->group), state == STINT_READY);
    record_hold(r, false);
}

/* Its turn has come: the queue's time goes on to it. */
static void
take_turn(struct core *core, struct group *g, uint64_t turn)
{
    struct queue_groups *q = groups_of_queue(core, g->queue);
    q->turn = later(q->turn, turn);
    g->row.finish = turn + GROUP_TURN / g->weight;
    groups_queue_changed(core, q);
}

void
groups_take(
    struct core *core, struct level *level, const struct stint_id *key, const struct record *r)
{
    struct group *g = group_get(core, level->queue, r->group);
    bool stood = g->row.stands == id_sequence(key) && g->row.priority == level->priority;
    uint64_t turn =
        stood ? g->row.turn : later(groups_of_queue(core, g->queue)->turn, g->row.finish);
    leave(core, g, level, key);
    g->row.out++;
    group_use_token(core, g);
    take_turn(core, g, turn);
    group_mark(core, g);
    arrange(core, g);
}

bool
groups_hold(struct core *core, struct level *level, const struct stint_id *key, struct record *r,
    enum stint_state state)
{
    if (!record_has(r, FIELD_GROUP) || level->queue->set.group_running != 1)
        return false;
    struct group *g = group_get(core, level->queue, r->group);
    bool ready = state == STINT_READY;
    if (ready && g->row.out > 0)
        return false;
    if (ready) {
        leave(core, g, level, key);
        g->row.out++;
    }
    record_hold(r, true);
    return true;
}

void
groups_set_apart(
    struct core *core, struct level *level, const struct stint_id *key, const struct record *r)
{
    struct group *g = group_get(core, level->queue, r->group);
    leave(core, g, level, key);
    g->row.out++;
    g->row.apart++;
    turns_put(core, key, GROUP_TURN_APART, group_name(g));
    arrange(core, g);
}

void
groups_clear_apart(struct core *core, struct level *level, const struct stint_id *key)
{
    uint8_t at[GROUP_TURN_KEY_BYTES];
    struct slice value, name, turn_key = group_turn_key(at, key, GROUP_TURN_APART);
    if (!store_get(core->store, STORE_GROUP_TURNS, turn_key, &value) ||
        !row_group_turn_read(turn_key, value, &name))
        return;
    struct group *g = group_get(core, level->queue, name);
    (void)del_turn(core, key, GROUP_TURN_APART);
    g->row.out = less_one(g->row.out);
    g->row.apart = earlier(less_one(g->row.apart), g->row.out);
    enter(core, g, level, key);
}

bool
groups_apart_may(struct core *core, struct level *level, const struct stint_id *key)
{
    uint8_t at[GROUP_TURN_KEY_BYTES];
    struct slice value, name, turn_key = group_turn_key(at, key, GROUP_TURN_APART);
    if (!store_get(core->store, STORE_GROUP_TURNS, turn_key, &value) ||
        !row_group_turn_read(turn_key, value, &name))
        return true; /* damage: its group knows nothing of it */
    struct group *g = group_get(core, level->queue, name);
    uint64_t wait_ms = group_until_tokens(core, g, GROUP_TOKEN);
    if (wait_ms > 0) {
        group_set_due(core, g, core->clocks.wall_ms + wait_ms);
        group_mark(core, g);
    }
    return wait_ms == 0 && !group_is_busy(g);
}

/* ---- turns ---- */

/* The name stands behind texts whose sizes the head tells. It counts only if the group has a job
 * there. */
void
groups_set_aside(struct core *core, struct level *level, const struct stint_id *key,
    struct slice bytes, enum stint_state state)
{
    bool holds;
    struct standing stood;
    struct slice name = record_group_of_damaged(bytes, &holds);
    struct group *g = name.size > 0 ? group_get(core, level->queue, name) : NULL;
    if (state == STINT_READY) {
        bool was_there = g && step_out(core, g, level, key);
        if (!was_there && level->groups.standing > 0 && find_turn(core, level, key, &stood)) {
            g = stood.name_bytes > 0 ? group_of(core, level, &stood) : NULL; /* the right one */
            was_there = g && step_out(core, g, level, key);
        }
        if (was_there || record_bytes_grouped(bytes) || level->apart > level->jobs[STINT_READY])
            count_ready(core, level, false);
    } else if (g && (state == STINT_RUNNING || holds))
        g->row.out = less_one(g->row.out);
    if (!g)
        return;
    group_mark(core, g);
    arrange(core, g);
}

bool
groups_next(
    struct core *core, struct level *level, const struct group_turn *from, struct standing *s)
{
    const struct group *g = level->groups.fresh.standing > 0 ? turns_first(level) : NULL;
    bool stored =
        level->groups.standing > level->groups.fresh.standing && next_stored(core, level, from, s);
    assert(!g || from->turn == 0);
    if (!g ||
        (stored &&
            (s->turn < g->row.turn ||
                (s->turn == g->row.turn && id_sequence(&s->key) < g->row.stands))))
        return stored;
    s->key = standing_key(core, g);
    s->turn = g->row.turn;
    s->name_bytes = g->name_bytes;
    memcpy(s->name, group_name(g).data, g->name_bytes);
    return true;
}

void
groups_settle(struct core *core, struct level *level)
{
    turns_write(core, level);
}

static bool
is_standing(const struct group *g, const struct level *level, const struct standing *s)
{
    return g->row.stands == id_sequence(&s->key) && g->row.priority == level->priority;
}

static uint64_t
others_turn(const struct queue_groups *q)
{
    return later(q->turn, q->others);
}

bool
groups_is_others_turn(struct core *core, struct level *level, const struct group_turn *from)
{
    struct standing s;
    return !groups_next(core, level, from, &s) ||
        others_turn(groups_of_queue(core, level->queue)) <= s.turn;
}

void
groups_pass_others(struct core *core, struct queue *queue)
{
    struct queue_groups *q = groups_of_queue(core, queue);
    q->turn = others_turn(q);
    q->others = q->turn + GROUP_TURN;
    groups_queue_changed(core, q);
}

bool
groups_still_may(struct core *core, struct level *level, const struct standing *s)
{
    struct group *g = s->name_bytes > 0 ? group_of(core, level, s) : NULL;
    if (!g) {
        forget_turn(core, level, s);
        return false;
    }
    if (may_run(core, g))
        return true;
    group_line_add(core, g, level->priority, id_sequence(&s->key));
    if (is_standing(g, level, s))
        stand_down(core, g);
    else {
        forget_turn(core, level, s);
        g->row.ready++;
        group_mark(core, g);
    }
    arrange(core, g);
    return false;
}

void
groups_drop(struct core *core, struct level *level, const struct standing *s)
{
    struct group *g = s->name_bytes > 0 ? group_of(core, level, s) : NULL;
    if (g && is_standing(g, level, s)) /* it was set aside, and counts no more */
        (void)step_out(core, g, level, &s->key);
    else
        forget_turn(core, level, s);
    if (g)
        arrange(core, g);
}

void
groups_are_lost(struct core *core, struct level *level)
{
    groups_of_queue(core, level->queue)->standing -= level->groups.standing;
    level->groups.standing = 0;
    group_mark_level(core, level);
    core_say(core, NOTE_ERROR, "ready jobs of groups are not found, the data is damaged; --verify",
        NOTE_TEXT("queue", level->queue->name));
}

void
groups_seek_again(struct level *level)
{
    for (uint32_t i = 0; i < level->scans_count; i++)
        level->scans[i].stood = (struct group_turn){0, 0};
    passed_forget(level);
    posts_wake(&level->queue->servings.posts);
}

struct group_wait
groups_wait_of(struct core *core, struct queue *q, const struct stint_id *key, struct slice name)
{
    const struct group *g = group_get(core, q, name);
    return (struct group_wait){
        .stands = g->row.stands == id_sequence(key) && g->row.priority == id_priority(key),
        .full = group_is_full(g),
        .busy = group_is_busy(g),
        .out = g->row.out,
        .ready = g->row.ready,
        .token_ms = group_until_tokens(core, g, GROUP_TOKEN)};
}

/* ---- settings ---- */

void
groups_look_at(struct core *core, struct queue *q, struct slice name)
{
    struct group *g = group_get(core, q, name);
    uint8_t priority;
    uint64_t sequence;
    if (g->row.due_ms && g->row.due_ms <= core->clocks.wall_ms)
        g->row.due_ms = 0; /* its row is gone */
    group_mark(core, g);
    if (g->row.stands && group_line_first(core, g, &priority, &sequence) &&
        goes_before_standing(g, priority, sequence)) { /* priorities have another order now */
        group_line_add(core, g, g->row.priority, g->row.stands);
        stand_down(core, g);
    }
    arrange(core, g);
}
