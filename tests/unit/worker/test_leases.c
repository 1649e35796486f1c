/* The jobs a worker holds, against a model of them: whatever the broker sends in whichever order,
 * each lease is told of exactly once or never again, CLAIM names what is held and nothing else, and
 * a job that needs it does not begin before it is confirmed. No thread and no broker: slots are run
 * by hand, and what would be sent is read here.
 */
#include "worker.h"

#include "splitmix.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

enum { JOBS = 600, SLOTS = 3 };

enum where { NOWHERE, WAITING, ASKED, RUNNING, DONE, TOLD, GONE };

struct world {
    struct stint_worker w;
    struct slot slots[SLOTS], *crew[SLOTS];
    struct {
        enum where where;
        bool revoked, confirmed, timed_out;
        enum outcome_type outcome;
        uint64_t settle; /* number of the SETTLE that told it */
    } jobs[JOBS + 1];
    uint32_t count;
    uint64_t seed;
};

static uint64_t
below(struct world *o, uint64_t end)
{
    return splitmix64(&o->seed) % end;
}

static void
run_one(struct stint_task *task, void *state)
{
    (void)state;
    const struct stint_task_info *i = stint_task_info(task);
    if (i->attempt % 3 == 0)
        stint_task_succeed(task, i->payload, i->payload_bytes);
    else if (i->attempt % 3 == 1)
        stint_task_fail(task, "why");
}

static struct world *
world_new(void)
{
    static const char *const queues[] = {"q"};
    struct world *o = calloc(1, sizeof *o);
    struct session_options s = {.role = ROLE_WORKER,
        .name = "n",
        .software = "s",
        .slots = SLOTS,
        .queues = queues,
        .queues_count = 1};
    assert_non_null(o);
    struct stint_worker *w = &o->w;
    session_init(&w->session, &s, 0);
    struct reach reach = {.endpoints = {"ipc://@stint-nobody-is-there"}, .endpoints_count = 1};
    assert_int_equal(link_new(&reach, &w->session, &w->link), STINT_OK);
    session_sent(&w->session); /* HELLO */
    w->session.state = SESSION_OPEN;
    pthread_mutex_init(&w->handover.lock, NULL);
    pthread_cond_init(&w->handover.work, NULL);
    w->handover.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->crew.slots = o->crew;
    w->crew.count = w->crew.wanted = w->crew.own = w->crew.most = SLOTS;
    w->handover.slots = SLOTS;
    w->served.handlers[0] = (struct stint_handler){.run = run_one};
    w->served.handlers_count = 1;
    for (uint32_t i = 0; i < SLOTS; i++) {
        o->crew[i] = &o->slots[i];
        o->slots[i].worker = w;
        o->slots[i].number = i;
        o->slots[i].task.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    return o;
}

static void
world_free(struct world *o)
{
    struct stint_worker *w = &o->w;
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (o->slots[i].task.held)
            held_free(o->slots[i].task.held);
        close(o->slots[i].task.cancel_fd);
    }
    held_free_all(w->handover.waiting);
    held_free_all(w->handover.done);
    held_free_all(w->handover.asked);
    while (w->session.requests.first) {
        struct request *r = w->session.requests.first;
        leases_end_request(w, &r);
    }
    session_fini(&w->session);
    link_destroy(&w->link, 0);
    close(w->handover.wake_fd);
    pthread_cond_destroy(&w->handover.work);
    pthread_mutex_destroy(&w->handover.lock);
    free(o);
}

/* Has the worker take this message as it comes from the wire. */
static void
give(struct world *o, struct pack_buffer *frame)
{
    struct message m;
    const char *why;
    assert_int_equal(
        message_decode(frame->data, frame->used, &m, link_arrays(o->w.link), &why), STINT_OK);
    leases_take(&o->w, &m);
    pack_buffer_free(frame);
}

static struct lease_ref
lease_of(uint32_t job, enum stint_status status)
{
    return (struct lease_ref){
        .id = id_make(0, 1, 100, job), .attempt = job, .status = (uint32_t)status};
}

static void
dispatch(struct world *o)
{
    struct pack_buffer b = {0};
    uint32_t count = 1 + (uint32_t)below(o, 4);
    if (o->count + count > JOBS)
        return;
    size_t at = message_open_dispatch(&b, (struct slice){(const uint8_t *)"q", 1});
    for (uint32_t i = 0; i < count; i++) {
        uint32_t job = ++o->count;
        struct dispatched_job d = {.id = id_make(0, 1, 100, job),
            .kind = {(const uint8_t *)"k", 1},
            .payload = {(const uint8_t *)"payload", job % 8},
            .attempt = job, /* tells it from others, and so its outcome */
            .max_attempts = 9,
            .confirm = below(o, 4) == 0};
        message_put_dispatched(&b, &d);
        o->jobs[job].where = d.confirm ? ASKED : WAITING;
    }
    pack_close_array(&b, at, count);
    give(o, &b);
}

static uint32_t
any_job(struct world *o)
{
    return o->count ? 1 + (uint32_t)below(o, o->count) : 0;
}

/* The broker takes a lease back; or its time to run is over, which ends the run alone. */
static void
take_back(struct world *o, enum message_type type)
{
    static const enum stint_status reasons[] = {STINT_STALE, STINT_CANCELLED, STINT_TIMEOUT};
    uint32_t job = any_job(o);
    struct pack_buffer b = {0};
    if (job == 0)
        return;
    struct lease_ref lease = lease_of(job, reasons[below(o, 3)]);
    bool other = below(o, 4) == 0;
    lease.attempt += other; /* another attempt's: nothing of ours */
    message_put_leases(&b, type, 0, &lease, 1, false);
    give(o, &b);
    if (other)
        return;
    if (o->jobs[job].where == WAITING || o->jobs[job].where == ASKED)
        o->jobs[job].where = GONE;
    else if (o->jobs[job].where == RUNNING) {
        o->jobs[job].revoked = lease.status != STINT_TIMEOUT;
        o->jobs[job].timed_out |= lease.status == STINT_TIMEOUT;
    }
}

static void
confirm(struct world *o)
{
    struct request *r;
    DL_FOREACH (o->w.session.requests.first, r)
        if (r->type == MESSAGE_STARTED)
            break;
    if (!r)
        return;
    uint64_t number = r->number;
    struct message m;
    const char *why;
    struct pack_buffer b = {0};
    struct message_arrays *arrays = link_arrays(o->w.link);
    assert_int_equal(message_decode(r->frame.data, r->frame.used, &m, arrays, &why), STINT_OK);
    assert_int_equal(m.count, 1);
    uint32_t job = arrays->leases[0].attempt;
    assert_int_equal(o->jobs[job].where, ASKED);
    struct lease_ref refused = lease_of(job, STINT_STALE);
    bool good = below(o, 3) > 0;
    message_put_leases(&b, MESSAGE_CONFIRMED, number, &refused, good ? 0 : 1, false);
    give(o, &b);
    o->jobs[job].where = good ? WAITING : GONE;
    o->jobs[job].confirmed = good;
}

static void
begin_or_finish(struct world *o)
{
    struct slot *slot = &o->slots[below(o, SLOTS)];
    struct held *held = slot->task.held;
    if (!held && o->w.handover.waiting) {
        slot_begin(slot, o->w.handover.waiting);
        uint32_t job = slot->task.held->info.attempt;
        assert_int_equal(o->jobs[job].where, WAITING);
        o->jobs[job].where = RUNNING;
        assert_false(stint_task_cancelled(&slot->task)); /* nothing is left of the job before */
        assert_int_equal(slot->task.held->info.payload_bytes, job % 8);
        assert_memory_equal(slot->task.held->info.payload, "payload", job % 8);
        assert_string_equal(slot->task.held->info.queue, "q");
    } else if (held) {
        uint32_t job = held->info.attempt;
        assert_int_equal(
            stint_task_cancelled(&slot->task), o->jobs[job].revoked || o->jobs[job].timed_out);
        assert_int_equal(stint_task_timed_out(&slot->task), o->jobs[job].timed_out);
        slot_run(slot);
        o->jobs[job].outcome = job % 3 == 0 ? OUTCOME_SUCCEEDED : OUTCOME_FAILED;
        assert_int_equal(held->outcome, o->jobs[job].outcome);
        slot_finish(slot);
        o->jobs[job].where = DONE;
    }
}

/* The newest go back first. */
static void
recall(struct world *o)
{
    struct pack_buffer b = {0};
    struct held *h;
    uint32_t count = (uint32_t)below(o, 4), left = count;
    for (h = o->w.handover.waiting ? o->w.handover.waiting->prev : NULL; h && left > 0; left--) {
        o->jobs[h->info.attempt].where = DONE;
        o->jobs[h->info.attempt].outcome = OUTCOME_RETURNED;
        h = h == o->w.handover.waiting ? NULL : h->prev;
    }
    message_put_recall(&b, count);
    give(o, &b);
}

static uint64_t
last_request(const struct world *o)
{
    return o->w.session.requests.first ? o->w.session.requests.first->prev->number : 0;
}

/* All outcomes that are due go out: each job once, and none that was revoked. */
static void
tell(struct world *o)
{
    uint64_t before = o->w.number;
    struct message_arrays *arrays = link_arrays(o->w.link);
    struct request *r;
    o->w.settled_us = 0;
    leases_settle(&o->w);
    DL_FOREACH (o->w.session.requests.first, r) {
        struct message m;
        const char *why;
        if (r->type != MESSAGE_SETTLE || r->number <= before)
            continue;
        assert_int_equal(message_decode(r->frame.data, r->frame.used, &m, arrays, &why), STINT_OK);
        for (uint32_t i = 0; i < m.count; i++) {
            uint32_t job = arrays->outcomes[i].attempt;
            assert_int_equal(o->jobs[job].where, DONE);
            assert_false(o->jobs[job].revoked);
            assert_int_equal(arrays->outcomes[i].type, o->jobs[job].outcome);
            o->jobs[job].where = TOLD;
            o->jobs[job].settle = r->number;
        }
    }
    if (o->w.handover.done)
        return; /* held back for a moment, for more */
    for (uint32_t job = 1; job <= o->count; job++)
        if (o->jobs[job].where == DONE) {
            assert_true(o->jobs[job].revoked);
            o->jobs[job].where = GONE;
        }
}

static void
settled(struct world *o)
{
    struct pack_buffer element = {0}, b = {0};
    uint64_t number = last_request(o) ? 1 + below(o, last_request(o)) : 1;
    size_t at = message_open_settled(&element, number);
    pack_close_array(&element, at, 0);
    message_put_elements(&b, MESSAGE_SETTLED, (struct slice){element.data, element.used}, 1);
    give(o, &b);
    pack_buffer_free(&element);
    for (uint32_t job = 1; job <= o->count; job++)
        if (o->jobs[job].where == TOLD && o->jobs[job].settle == number)
            o->jobs[job].where = GONE;
}

static void
claim(struct world *o)
{
    bool named[JOBS + 1] = {false};
    struct message m;
    const char *why;
    struct message_arrays *arrays = link_arrays(o->w.link);
    leases_claim(&o->w);
    struct slice frame = session_output(&o->w.session, true);
    assert_int_equal(message_decode(frame.data, frame.size, &m, arrays, &why), STINT_OK);
    assert_int_equal(m.type, MESSAGE_CLAIM);
    assert_false(m.claim.more);
    for (uint32_t i = 0; i < m.count; i++) {
        uint32_t job = arrays->leases[i].attempt;
        enum where where = o->jobs[job].where;
        bool ran = o->jobs[job].outcome != 0 && o->jobs[job].outcome != OUTCOME_RETURNED;
        assert_false(named[job]);
        named[job] = true;
        if (where == DONE || where == TOLD || where == WAITING || where == ASKED)
            assert_int_equal(arrays->leases[i].begun, ran || o->jobs[job].confirmed);
    }
    session_sent(&o->w.session);
    for (uint32_t job = 1; job <= o->count; job++) {
        enum where where = o->jobs[job].where;
        assert_int_equal(named[job], where != NOWHERE && where != GONE && !o->jobs[job].revoked);
    }
}

static void
each_lease_is_told_once_or_never_whatever_comes_in_whichever_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct world *o = world_new();
        o->seed = seed;
        for (unsigned i = 0; i < 1500; i++) {
            switch (below(o, 12)) {
            case 0:
            case 1:
                dispatch(o);
                break;
            case 2:
                take_back(o, MESSAGE_REVOKE);
                break;
            case 3:
                take_back(o, MESSAGE_CLAIMED);
                break;
            case 4:
                confirm(o);
                break;
            case 5:
                recall(o);
                break;
            case 6:
                tell(o);
                break;
            case 7:
                settled(o);
                break;
            case 8:
                claim(o);
                break;
            default:
                begin_or_finish(o);
            }
        }
        world_free(o);
    }
}

static void
a_worker_that_stops_or_holds_off_gives_new_jobs_back(void **state)
{
    (void)state;
    for (unsigned holds_off = 0; holds_off < 2; holds_off++) {
        struct world *o = world_new();
        struct held *h;
        uint32_t count = 0;
        if (holds_off)
            stint_worker_hold_off(&o->w, 600000);
        else
            atomic_store(&o->w.shared.stops, 1);
        dispatch(o);
        assert_null(o->w.handover.waiting);
        assert_null(o->w.handover.asked);
        assert_int_equal(o->w.handover.waiting_count, 0);
        DL_FOREACH (o->w.handover.done, h) {
            assert_int_equal(h->outcome, OUTCOME_RETURNED);
            count++;
        }
        assert_int_equal(count, o->count);
        assert_null(o->w.session.requests.first); /* nor is one asked for any more */
        o->w.leaving = true; /* it has said goodbye: what comes now is not its own */
        dispatch(o);
        DL_COUNT(o->w.handover.done, h, count);
        assert_true(count < o->count);
        world_free(o);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_lease_is_told_once_or_never_whatever_comes_in_whichever_order),
        cmocka_unit_test(a_worker_that_stops_or_holds_off_gives_new_jobs_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
