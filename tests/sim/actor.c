/* Actors, chance and the clock; the contract is in sim.h. */
#include "sim.h"
#include "splitmix.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <utlist.h>
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

enum { STACK_BYTES = 512 << 10, ACTORS_MAX = 256, TURNS_MAX = 1000000 };

/* A stack to go on with. ThreadSanitizer wants to be told of each. */
struct fiber {
    ucontext_t context;
    void *sanitizer;
};

struct actor {
    struct fiber fiber;
    struct process *process;
    actor_fn *fn;
    void *argument;
    bool (*ready)(void *context);
    void *ready_argument;
    uint64_t until_us;
    bool over;
    void *stack;
    struct actor *prev, *next;
};

struct sim_figures figures;
bool sim_traced, sim_wild;

static struct actor *actors, *current, *spare;
static struct fiber scheduler;
static uint64_t now_us;
static struct chance order;

struct chance
chance_of(uint64_t seed, uint64_t stream)
{
    struct chance c = {seed * 0xd1342543de82ef95U + stream * 0x2545f4914f6cdd1dU};
    (void)chance_next(&c);
    return c;
}

uint64_t
chance_next(struct chance *c)
{
    return splitmix64(&c->state);
}

uint64_t
chance_below(struct chance *c, uint64_t n)
{
    return chance_next(c) % n;
}

uint64_t
chance_between(struct chance *c, uint64_t from, uint64_t to)
{
    return from + chance_below(c, to - from + 1);
}

bool
chance_in_100(struct chance *c, unsigned percent)
{
    return chance_below(c, 100) < percent;
}

uint64_t
chance_skewed(struct chance *c, uint64_t most)
{
    uint64_t n = chance_below(c, most + 1);
    for (unsigned i = (unsigned)chance_below(c, 4); i > 0; i--)
        n /= 8;
    return n;
}

uint64_t
world_us(void)
{
    return now_us;
}

struct process *
actor_process(void)
{
    return current->process;
}

static void
switch_fiber(struct fiber *from, struct fiber *to)
{
#ifdef __SANITIZE_THREAD__
    if (!scheduler.sanitizer)
        scheduler.sanitizer = __tsan_get_current_fiber();
    if (!to->sanitizer)
        to->sanitizer = __tsan_create_fiber(0);
    __tsan_switch_to_fiber(to->sanitizer, 0);
#endif
    swapcontext(&from->context, &to->context);
}

static void
enter(void)
{
    struct actor *a = current;
    a->fn(a->argument);
    a->over = true;
    switch_fiber(&a->fiber, &scheduler);
}

/* A spare actor, or a new one, with its stack. */
static struct actor *
get_actor(void)
{
    struct actor *a = spare;
    if (a) {
        LL_DELETE(spare, a);
        return a;
    }
    a = calloc(1, sizeof *a);
    if (!a)
        abort();
    a->stack = mmap(
        NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (a->stack == MAP_FAILED)
        abort();
    return a;
}

static void
prepare(ucontext_t *context, void *stack)
{
    getcontext(context);
    context->uc_stack.ss_sp = stack;
    context->uc_stack.ss_size = STACK_BYTES;
    context->uc_link = NULL;
    makecontext(context, enter, 0);
}

struct actor *
actor_start(struct process *process, actor_fn *fn, void *argument)
{
    struct actor *a = get_actor();
    a->process = process;
    a->fn = fn;
    a->argument = argument;
    a->ready = NULL;
    a->until_us = now_us;
    a->over = false;
    prepare(&a->fiber.context, a->stack);
    DL_APPEND(actors, a);
    return a;
}

void
actor_wait(bool (*ready)(void *context), void *context, uint64_t until_us)
{
    struct actor *me = current;
    me->ready = ready;
    me->ready_argument = context;
    me->until_us = until_us;
    switch_fiber(&me->fiber, &scheduler);
}

void
actor_sleep(uint64_t us)
{
    actor_wait(NULL, NULL, now_us + us);
}

static bool
is_over(void *context)
{
    return ((struct actor *)context)->over;
}

void
actor_join(struct actor **actor)
{
    struct actor *a = *actor;
    if (!a->over)
        actor_wait(is_over, a, UINT64_MAX);
    DL_DELETE(actors, a);
    LL_PREPEND(spare, a);
    *actor = NULL;
}

/* When this actor could go on, as far as is known now. */
static uint64_t
wakes_us(const struct actor *a)
{
    if (a->over)
        return UINT64_MAX;
    uint64_t at_us = a->until_us;
    if (a->ready && a->ready(a->ready_argument))
        at_us = now_us;
    if (at_us < a->process->paused_until_us && !a->process->killed)
        at_us = a->process->paused_until_us;
    return at_us;
}

/* One of those that can go on now; NULL if none can, and then `*next_us` is when one can. */
static struct actor *
choose(uint64_t *next_us)
{
    struct actor *ready[ACTORS_MAX], *a;
    unsigned count = 0;
    *next_us = UINT64_MAX;
    DL_FOREACH (actors, a) {
        uint64_t at_us = wakes_us(a);
        if (at_us <= now_us && count < ACTORS_MAX)
            ready[count++] = a;
        if (at_us < *next_us)
            *next_us = at_us;
    }
    return count ? ready[chance_below(&order, count)] : NULL;
}

void
world_run(uint64_t until_us)
{
    unsigned turns = 0; /* at this moment */
    while (now_us < until_us) {
        uint64_t next_us;
        struct actor *a = choose(&next_us);
        if (!a) {
            uint64_t arrival_us = network_next_us();
            next_us = arrival_us < next_us ? arrival_us : next_us;
            if (next_us == UINT64_MAX)
                return;
            now_us = next_us < until_us ? next_us : until_us;
            turns = 0;
            continue;
        }
        if (++turns > TURNS_MAX)
            sim_broken("%s goes on and on while time stands still", a->process->name);
        current = a;
        switch_fiber(&scheduler, &a->fiber);
        current = NULL;
    }
}

void
world_begin(struct chance chance)
{
    now_us = 0;
    sim_wild = false;
    order = chance;
}

void
world_end(void)
{
    struct actor *a, *next;
    DL_FOREACH_SAFE (actors, a, next) {
        if (!a->over)
            sim_broken("%s has not ended", a->process->name);
        DL_DELETE(actors, a);
        LL_PREPEND(spare, a);
    }
}

void
sim_trace(const char *format, ...)
{
    va_list arguments;
    if (!sim_traced)
        return;
    va_start(arguments, format);
    printf("%10.3f ms  ", (double)now_us / 1000);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

void
sim_broken(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "broken at %.3f ms: ", (double)now_us / 1000);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    fflush(stderr);
    _Exit(1);
}
