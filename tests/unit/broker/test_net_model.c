/* Routes and connections beside a small model of each: whatever comes, goes, is greeted, forgotten
 * and ended in whatever order, numbers, lists and sums are what counting it all anew says.
 */
#include "connections.h"
#include "dice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { IDS = 40, ROUTES_MAX = 25, DESCRIPTORS = 90, STEPS = 30000 };

/* ---- routes ---- */

struct model_route {
    struct route *route; /* NULL: there is none for this id */
    unsigned ends_in; /* rounds; 0: it does not end */
    bool gone; /* and not told yet */
    bool told;
};

struct model_routes {
    struct dice dice;
    struct routes routes;
    struct model_route ids[IDS];
    unsigned used, forgotten, read;
};

static size_t
id_text(unsigned n, char text[24])
{
    return (size_t)snprintf(text, 24, "%.*s-%u", (int)(n % 9), "idididididid", n);
}

static void
find(struct model_routes *m, unsigned n)
{
    char text[24];
    size_t size = id_text(n, text);
    struct route *route = routes_find(&m->routes, (const uint8_t *)text, size);
    struct model_route *mine = &m->ids[n];
    if (mine->route || m->used == ROUTES_MAX) {
        assert_ptr_equal(route, mine->route);
        return;
    }
    assert_non_null(route);
    assert_true(route->number < ROUTES_MAX);
    assert_false(route->gone || route->heard || route->known || route->connection);
    for (unsigned i = 0; i < IDS; i++)
        assert_ptr_not_equal(m->ids[i].route, route);
    *mine = (struct model_route){.route = route};
    m->used++;
}

static void
forget(struct model_routes *m, unsigned n)
{
    struct model_route *mine = &m->ids[n];
    if (!mine->route)
        return;
    uint32_t number = mine->route->number;
    routes_forget(&m->routes, mine->route);
    assert_null(routes_at(&m->routes, number));
    *mine = (struct model_route){0};
    m->used--;
    m->forgotten++;
}

static void
mark(struct model_routes *m, unsigned n, bool at_once)
{
    struct model_route *mine = &m->ids[n];
    if (!mine->route || mine->gone || mine->told)
        return;
    if (at_once) {
        routes_mark_gone(&m->routes, mine->route);
        mine->gone = true;
        mine->ends_in = 0;
    } else {
        routes_mark_ending(&m->routes, mine->route);
        mine->ends_in = mine->ends_in ? mine->ends_in : 2;
    }
}

static void
end_round(struct model_routes *m)
{
    routes_end_round(&m->routes);
    for (unsigned n = 0; n < IDS; n++)
        if (m->ids[n].ends_in && --m->ids[n].ends_in == 0)
            m->ids[n].gone = true;
}

static void
tell(struct model_routes *m)
{
    struct route *route;
    while ((route = routes_take_gone(&m->routes)) != NULL) {
        unsigned n = 0;
        while (n < IDS && m->ids[n].route != route)
            n++;
        assert_true(n < IDS);
        assert_true(m->ids[n].gone);
        m->ids[n].gone = false;
        m->ids[n].told = true;
    }
    for (unsigned n = 0; n < IDS; n++)
        assert_false(m->ids[n].gone);
}

static void
read_frames(struct model_routes *m)
{
    unsigned frames = dice_roll(&m->dice, 4);
    m->read += frames;
    bool over = m->read > m->used + m->forgotten;
    assert_int_equal(routes_round(&m->routes, frames), over);
    if (over)
        m->read = m->forgotten = 0;
}

static void
check_routes(struct model_routes *m)
{
    for (unsigned n = 0; n < IDS; n++) {
        struct route *route = m->ids[n].route;
        if (!route)
            continue;
        assert_ptr_equal(routes_at(&m->routes, route->number), route);
        assert_int_equal(route->ends_in, m->ids[n].ends_in);
        assert_int_equal(route->gone, m->ids[n].gone || m->ids[n].told);
    }
    assert_null(routes_at(&m->routes, ROUTES_MAX));
}

static void
routes_are_what_a_list_of_ids_says(void **state)
{
    static struct model_routes m;
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        m = (struct model_routes){.dice = {seed}};
        routes_init(&m.routes, ROUTES_MAX);
        for (unsigned step = 0; step < STEPS; step++) {
            unsigned n = dice_roll(&m.dice, IDS);
            switch (dice_roll(&m.dice, 10)) {
            case 0:
            case 1:
            case 2:
                find(&m, n);
                break;
            case 3:
            case 4:
                forget(&m, n);
                break;
            case 5:
                mark(&m, n, true);
                break;
            case 6:
                mark(&m, n, false);
                break;
            case 7:
                end_round(&m);
                break;
            case 8:
                tell(&m);
                break;
            default:
                read_frames(&m);
            }
            check_routes(&m);
        }
        routes_fini(&m.routes);
    }
}

/* ---- connections ---- */

/* What the model knows of the connection with a descriptor. */
struct model_connection {
    struct connection *there;
    uint64_t arrived, base, taken, since_ms;
    bool greeted, closing, shut;
    uint64_t ends_ms;
    struct route *route;
};

struct model_connections {
    struct dice dice;
    struct routes routes;
    struct connections all;
    struct model_connection by_fd[DESCRIPTORS];
    uint64_t now_ms;
};

static void
accept_one(struct model_connections *m, unsigned fd)
{
    struct model_connection *mine = &m->by_fd[fd];
    if (mine->there)
        return;
    *mine = (struct model_connection){
        .since_ms = m->now_ms, .there = connections_add(&m->all, (int)fd, 1000 + fd, m->now_ms)};
    assert_int_equal(mine->there->cookie, 1000 + fd);
}

static void
let_go(struct model_connections *m, unsigned fd)
{
    struct model_connection *mine = &m->by_fd[fd];
    struct route *route = NULL;
    connections_remove(&m->all, (int)fd, &route);
    assert_ptr_equal(route, mine->route);
    if (route)
        assert_null(route->connection);
    *mine = (struct model_connection){0};
}

static void
say_something(struct model_connections *m, unsigned fd)
{
    struct model_connection *mine = &m->by_fd[fd];
    char text[24];
    size_t size = id_text(100 + fd, text);
    if (!mine->there || mine->closing)
        return;
    struct route *route = routes_find(&m->routes, (const uint8_t *)text, size);
    assert_ptr_equal(connections_tie(mine->there, route), mine->route);
    mine->route = route;
    assert_ptr_equal(route->connection, mine->there);
    if (dice_once_in(&m->dice, 2)) {
        connections_greet(&m->all, mine->there);
        mine->greeted = true;
    }
}

static void
forget_one(struct model_connections *m, unsigned fd)
{
    struct model_connection *mine = &m->by_fd[fd];
    if (!mine->there)
        return;
    connections_forget(&m->all, mine->there, m->now_ms);
    mine->route = NULL;
    if (mine->greeted && !mine->closing) {
        mine->greeted = false;
        mine->since_ms = m->now_ms;
        mine->base = mine->arrived;
    }
}

static void
close_one(struct model_connections *m, unsigned fd)
{
    struct model_connection *mine = &m->by_fd[fd];
    uint64_t at_ms = m->now_ms + dice_roll(&m->dice, 50);
    if (!mine->there || mine->shut)
        return;
    connections_close(&m->all, mine->there, END_ASKED, at_ms);
    if (!mine->closing || at_ms < mine->ends_ms)
        mine->ends_ms = at_ms;
    mine->closing = true;
}

/* A few bytes come, never so many that anybody is ended for them. */
static void
look_at(struct model_connections *m, unsigned fd)
{
    struct model_connection *mine = &m->by_fd[fd];
    bool heard = dice_once_in(&m->dice, 2);
    if (!mine->there)
        return;
    uint64_t more = dice_roll(&m->dice, 600);
    mine->arrived += more;
    bool alive = connections_look(&m->all, mine->there, heard, mine->arrived, more / 2, m->now_ms);
    assert_false(alive && mine->closing);
    if (heard && !mine->closing)
        mine->base = mine->arrived;
    if (mine->closing)
        return;
    uint64_t bytes = mine->arrived - mine->base;
    assert_int_equal(mine->there->unfinished, bytes > more / 2 ? bytes - more / 2 : 0);
    assert_int_equal(mine->there->base, mine->base);
}

/* Each that is due is told once, and none that is not. */
static void
end_due(struct model_connections *m)
{
    struct connection *k;
    while ((k = connections_due(&m->all, m->now_ms)) != NULL) {
        struct model_connection *mine = &m->by_fd[k->fd];
        assert_ptr_equal(mine->there, k);
        assert_false(mine->shut);
        if (mine->closing)
            assert_true(mine->ends_ms <= m->now_ms);
        else {
            assert_false(mine->greeted);
            assert_int_equal(k->why, END_NO_HELLO);
            assert_true(m->now_ms - mine->since_ms >= CONNECTION_HELLO_MS);
        }
        assert_true(k->deaf);
        mine->closing = mine->shut = true;
    }
    for (unsigned fd = 0; fd < DESCRIPTORS; fd++) {
        const struct model_connection *mine = &m->by_fd[fd];
        if (!mine->there || mine->shut)
            continue;
        if (mine->closing)
            assert_true(mine->ends_ms > m->now_ms);
        else
            assert_true(mine->greeted || m->now_ms - mine->since_ms < CONNECTION_HELLO_MS);
    }
}

static unsigned
length(const struct connection *list)
{
    unsigned count = 0;
    for (; list; list = list->next)
        count++;
    return count;
}

static void
check_connections(struct model_connections *m)
{
    unsigned unknown = 0, peers = 0, closing = 0, shut = 0;
    uint64_t unfinished[2] = {0}, ahead = 0;
    for (unsigned fd = 0; fd < DESCRIPTORS; fd++) {
        const struct model_connection *mine = &m->by_fd[fd];
        const struct connection *k = mine->there;
        assert_ptr_equal(connections_at(&m->all, (int)fd), k);
        if (!k)
            continue;
        shut += mine->shut;
        closing += mine->closing && !mine->shut;
        peers += mine->greeted && !mine->closing;
        unknown += !mine->greeted && !mine->closing;
        unfinished[k->greeted] += k->unfinished;
        ahead += k->ahead;
        if (mine->closing)
            assert_int_equal(k->unfinished + k->ahead, 0); /* it costs nobody anything */
        assert_ptr_equal(k->route, mine->route);
    }
    assert_int_equal(length(m->all.unknown), unknown);
    assert_int_equal(length(m->all.peers), peers);
    assert_int_equal(length(m->all.closing), closing);
    assert_int_equal(length(m->all.shut), shut);
    assert_int_equal(m->all.count, unknown + peers + closing + shut);
    assert_int_equal(m->all.shut_count, shut);
    assert_memory_equal(m->all.unfinished, unfinished, sizeof unfinished);
    assert_int_equal(m->all.ahead, ahead);
}

static void
connections_are_what_a_list_of_descriptors_says(void **state)
{
    static struct model_connections m;
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        static void (*const moves[])(struct model_connections *, unsigned) = {accept_one,
            accept_one, let_go, say_something, say_something, forget_one, close_one, look_at,
            look_at};
        m = (struct model_connections){.dice = {seed}};
        routes_init(&m.routes, 1000);
        connections_init(&m.all, 1000);
        for (unsigned step = 0; step < STEPS; step++) {
            m.now_ms += dice_roll(&m.dice, 20);
            moves[dice_roll(&m.dice, sizeof moves / sizeof *moves)](
                &m, dice_roll(&m.dice, DESCRIPTORS));
            if (step % 8 == 0)
                end_due(&m);
            check_connections(&m);
        }
        assert_null(connections_at(&m.all, -1));
        assert_null(connections_at(&m.all, 1 << 20));
        connections_fini(&m.all);
        routes_fini(&m.routes);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_are_what_a_list_of_ids_says),
        cmocka_unit_test(connections_are_what_a_list_of_descriptors_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
