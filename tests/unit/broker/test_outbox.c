/* The outbox: frames lie in it as they were written and in their order, each is told of once, and
 * it keeps no memory that only a bad moment needed.
 */
#include "dice.h"
#include "outbox.h"
#include "world.h"

#include <stdlib.h>

enum { ENTRIES = 500 };

/* What was put in, by the test's own account. */
struct sent {
    uint32_t peer;
    size_t size;
    uint8_t filled;
    bool forget, close, greeted;
};

struct told {
    const struct outbox *out;
    size_t count, bytes;
};

static void
on_end(void *context, const struct outbox_entry *entry)
{
    struct told *told = context;
    assert_ptr_equal(entry, &told->out->entries[told->out->count - 1]);
    told->count++;
    told->bytes += entry->size;
}

static void
put(struct outbox *out, uint32_t peer, uint8_t byte, size_t size)
{
    struct pack_buffer *b = outbox_begin(out, peer);
    memset(pack_reserve(b, size), byte, size);
    outbox_end(out);
}

static void
add(struct outbox *out, struct dice *dice, struct sent *s)
{
    *s = (struct sent){.peer = dice_roll(dice, 9), .filled = (uint8_t)dice_roll(dice, 256)};
    switch (dice_roll(dice, 4)) {
    case 0:
        s->forget = true;
        outbox_forget(out, s->peer);
        break;
    case 1:
        s->forget = s->close = true;
        outbox_close(out, s->peer);
        break;
    default:
        s->size = 1 + dice_roll(dice, 3000);
        put(out, s->peer, s->filled, s->size);
        s->greeted = dice_once_in(dice, 3);
        if (s->greeted)
            outbox_greeted(out);
    }
}

static void
check(const struct outbox *out, size_t i, const struct sent *s)
{
    const struct outbox_entry *e = &out->entries[i];
    struct slice frame = outbox_frame(out, i);
    assert_int_equal(e->peer, s->peer);
    assert_int_equal(e->forget, s->forget);
    assert_int_equal(e->close, s->close);
    assert_int_equal(e->greeted, s->greeted);
    assert_int_equal(frame.size, s->size);
    for (size_t b = 0; b < frame.size; b++)
        assert_int_equal(frame.data[b], s->filled);
}

static void
what_was_put_in_lies_there_in_its_order(void **state)
{
    static struct sent sent[ENTRIES];
    struct dice dice = {1};
    struct outbox out = {0};
    struct told told = {.out = &out};
    (void)state;
    out.ended = on_end;
    out.context = &told;
    for (unsigned step = 0; step < 3; step++) {
        size_t frames = 0, bytes = 0;
        told.count = told.bytes = 0;
        outbox_reset(&out);
        for (size_t i = 0; i < ENTRIES; i++) {
            add(&out, &dice, &sent[i]);
            frames += sent[i].size > 0;
            bytes += sent[i].size;
        }
        assert_int_equal(out.count, ENTRIES);
        for (size_t i = 0; i < ENTRIES; i++)
            check(&out, i, &sent[i]);
        assert_int_equal(told.count, frames); /* nobody's goodbye is counted as a frame */
        assert_int_equal(told.bytes, bytes);
    }
    outbox_free(&out);
    assert_null(out.ended);
    assert_int_equal(out.count, 0);
}

static void
nobody_has_to_be_told(void **state)
{
    struct outbox out = {0};
    (void)state;
    put(&out, 1, 'a', 10);
    assert_int_equal(out.entries[0].size, 10);
    outbox_free(&out);
}

static void
memory_goes_back_after_a_step_that_put_out_much_and_only_then(void **state)
{
    struct outbox out = {0};
    (void)state;
    put(&out, 1, 'a', 1 << 20);
    outbox_reset(&out);
    assert_true(out.bytes.size >= 1 << 20);
    assert_int_equal(out.bytes.used, 0);
    assert_int_equal(out.count, 0);
    put(&out, 1, 'a', 9 << 20);
    outbox_reset(&out);
    assert_int_equal(out.bytes.size, 0);
    put(&out, 2, 'b', 3);
    assert_memory_equal(outbox_frame(&out, 0).data, "bbb", 3);
    outbox_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_in_lies_there_in_its_order),
        cmocka_unit_test(nobody_has_to_be_told),
        cmocka_unit_test(memory_goes_back_after_a_step_that_put_out_much_and_only_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
