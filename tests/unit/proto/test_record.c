/* The stored job record: round trips, and damage. */
#include "world.h"

#include "record.h"

static void
fill(struct record *r)
{
    struct job_spec spec = world_job("payload");
    spec.keep_ms = 5;
    spec.time_to_run_ms = 7;
    spec.max_attempts = 3;
    record_from_spec(r, &spec, 1234567890123);
    r->attempt = 4;
    r->uncounted = 1;
    r->last = LAST_FAILED;
    r->error = (struct slice){(const uint8_t *)"because", 7};
    record_set(r, FIELD_DUE, 99);
}

static size_t
store(const struct record *r, const struct stint_id *id, uint8_t *bytes)
{
    size_t size = record_encode(r, id, bytes);
    if (r->body.size)
        memcpy(bytes + size, r->body.data, r->body.size);
    return size + r->body.size;
}

static void
a_record_comes_back_as_it_was(void **state)
{
    struct stint_id id = id_make(0, 1, 100, 42);
    uint8_t bytes[RECORD_HEAD_MAX + RECORD_INLINE_MAX];
    struct record r, back;
    (void)state;
    fill(&r);
    size_t size = store(&r, &id, bytes);
    assert_true(record_decode(&back, &id, (struct slice){bytes, size}));
    assert_int_equal(back.attempt, 4);
    assert_int_equal(record_failures(&back), 3);
    assert_int_equal(back.last, LAST_FAILED);
    assert_true(back.submitted_ms == 1234567890123);
    assert_true(record_get(&back, FIELD_KEEP, 0) == 5);
    assert_true(record_get(&back, FIELD_DUE, 0) == 99);
    assert_false(record_has(&back, FIELD_SETTLED));
    assert_int_equal(back.error.size, 7);
    assert_memory_equal(back.error.data, "because", 7);
    assert_int_equal(back.body.size, 7);
    assert_memory_equal(back.body.data, "payload", 7);
}

static void
every_turned_bit_is_noticed(void **state)
{
    struct stint_id id = id_make(0, 1, 100, 42);
    uint8_t bytes[RECORD_HEAD_MAX + RECORD_INLINE_MAX];
    struct record r, back;
    (void)state;
    fill(&r);
    size_t size = store(&r, &id, bytes);
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_false(record_decode(&back, &id, (struct slice){bytes, size}));
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t cut = 0; cut < size; cut++)
        assert_false(record_decode(&back, &id, (struct slice){bytes, cut}));
}

static void
a_record_under_another_key_is_noticed(void **state)
{
    struct stint_id id = id_make(0, 1, 100, 42), other = id_make(0, 1, 100, 43);
    uint8_t bytes[RECORD_HEAD_MAX + RECORD_INLINE_MAX];
    struct record r, back;
    (void)state;
    fill(&r);
    size_t size = store(&r, &id, bytes);
    assert_false(record_decode(&back, &other, (struct slice){bytes, size}));
}

static void
a_large_body_goes_into_parts_and_no_record_grows_past_its_page(void **state)
{
    static uint8_t large[RECORD_INLINE_MAX];
    (void)state;
    for (size_t size = 0; size < sizeof large; size++) {
        struct job_spec spec = world_job("");
        struct record r;
        spec.payload = (struct slice){large, size};
        spec.schedule = (struct slice){large, size % 2 ? LIMIT_NAME_BYTES : 0};
        record_from_spec(&r, &spec, 1);
        for (enum record_field f = 0; f < FIELDS_OPTIONAL; f++)
            if (record_field_name(f) && f != FIELD_SCHEDULE) /* which is there from the start */
                record_set(&r, (enum record_field)f, 1);
        r.error = (struct slice){large, LIMIT_ERROR_BYTES};
        uint8_t head[RECORD_HEAD_MAX];
        struct stint_id id = id_make(0, 1, 1, 1);
        assert_true(record_encode(&r, &id, head) + r.body.size <= RECORD_INLINE_MAX);
        assert_int_equal(r.body_bytes, size);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_was),
        cmocka_unit_test(every_turned_bit_is_noticed),
        cmocka_unit_test(a_record_under_another_key_is_noticed),
        cmocka_unit_test(a_large_body_goes_into_parts_and_no_record_grows_past_its_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
