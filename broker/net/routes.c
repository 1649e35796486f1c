/* The router's numbers for connections; the contract is in routes.h. */
#include "routes.h"

#include <assert.h>
#include <utlist.h>

void
routes_init(struct routes *r, uint32_t max)
{
    *r = (struct routes){.max = max};
}

void
routes_fini(struct routes *r)
{
    HASH_CLEAR(hh, r->by_id);
    for (uint32_t i = 0; i < r->count; i++)
        free(r->all[i]);
    free(r->all);
    *r = (struct routes){0};
}

static struct route *
add(struct routes *r, const uint8_t *id, size_t size)
{
    struct route *route = r->free_list;
    if (route) {
        r->free_list = route->next;
    } else {
        if (r->count >= r->max)
            return NULL;
        route = calloc(1, sizeof *route);
        if ((r->count & (r->count - 1)) == 0) /* it grows at powers of two */
            r->all = realloc(r->all, (r->count ? 2 * r->count : 1) * sizeof(struct route *));
        if (!route || !r->all)
            abort();
        route->number = r->count;
        r->all[r->count++] = route;
    }
    route->used = true;
    route->gone = route->told = route->heard = route->known = false;
    route->barred = false;
    route->key = 0;
    route->grant = NULL;
    route->connection = NULL;
    route->ends_in = 0;
    route->next = NULL;
    route->size = (uint8_t)size;
    memcpy(route->id, id, size);
    HASH_ADD_KEYPTR(hh, r->by_id, route->id, size, route);
    return route;
}

struct route *
routes_find(struct routes *r, const uint8_t *id, size_t size)
{
    struct route *route = r->last;
    if (route && route->used && route->size == size && memcmp(route->id, id, size) == 0)
        return route;
    if (size > ROUTING_BYTES)
        return NULL;
    HASH_FIND(hh, r->by_id, id, size, route);
    if (!route)
        route = add(r, id, size);
    r->last = route;
    return route;
}

struct route *
routes_at(const struct routes *r, uint32_t number)
{
    struct route *route = number < r->count ? r->all[number] : NULL;
    return route && route->used ? route : NULL;
}

/* Takes it out of the list of those that end. */
static void
unlink_ending(struct routes *r, struct route *route)
{
    if (!route->ends_in)
        return;
    DL_DELETE(r->ending, route);
    route->ends_in = 0;
}

void
routes_mark_ending(struct routes *r, struct route *route)
{
    if (route->gone || route->ends_in)
        return;
    assert(route->used);
    route->ends_in = 2;
    DL_PREPEND(r->ending, route);
}

void
routes_end_round(struct routes *r)
{
    struct route *route, *next;
    DL_FOREACH_SAFE (r->ending, route, next)
        if (route->ends_in == 1)
            routes_mark_gone(r, route);
        else
            route->ends_in--;
}

void
routes_mark_gone(struct routes *r, struct route *route)
{
    if (route->gone)
        return; /* the core is told once */
    assert(route->used);
    unlink_ending(r, route);
    route->gone = true;
    DL_PREPEND(r->gone, route);
}

struct route *
routes_take_gone(struct routes *r)
{
    struct route *route = r->gone;
    if (!route)
        return NULL;
    DL_DELETE(r->gone, route);
    route->told = true;
    return route;
}

void
routes_forget(struct routes *r, struct route *route)
{
    assert(!route->connection); /* it would come back to a route that is somebody else's */
    HASH_DEL(r->by_id, route);
    unlink_ending(r, route);
    if (route->gone && !route->told)
        DL_DELETE(r->gone, route);
    route->used = false;
    if (r->last == route)
        r->last = NULL;
    route->next = r->free_list;
    r->free_list = route;
    r->forgotten++;
}

bool
routes_round(struct routes *r, size_t frames)
{
    r->read += frames;
    /* While somebody is not heard, each frame was from another connection, and all have routes. */
    if (r->read <= HASH_COUNT(r->by_id) + r->forgotten)
        return false;
    r->read = r->forgotten = 0;
    return true;
}
