/* The stored job record: round trips, and damage. */
#include "world.h"

#include "record.h"

/* The first is 1. */
static struct slice
some_attempts(uint32_t count)
{
    static uint8_t bytes[ATTEMPTS_BYTES_MAX];
    struct slice attempts = {bytes, 0};
    for (uint32_t i = 1; i <= count; i++) {
        struct attempt_row row = {.attempt = i,
            .end = STINT_ATTEMPT_FAILED,
            .started_ms = 1000 * i,
            .ended_ms = 1000 * i + 7,
            .worker = {(const uint8_t *)"host", 4},
            .error = {(const uint8_t *)"exit status 3", 13}};
        attempts = attempts_add(bytes, attempts, &row);
        assert_true(attempts_are_sane(attempts));
    }
    return attempts;
}

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
    r->attempts = some_attempts(4);
    record_set(r, FIELD_ATTEMPTS, r->attempts.size);
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
    assert_int_equal(back.attempts.size, r.attempts.size);
    assert_memory_equal(back.attempts.data, r.attempts.data, r.attempts.size);
}

static void
attempts_come_back_and_of_too_many_the_oldest_go(void **state)
{
    enum { MANY = 3 * LIMIT_ATTEMPTS_TOLD, EACH = ATTEMPT_FIXED_BYTES + 4 + 13 };
    struct slice rest = some_attempts(MANY);
    struct attempt_row row;
    uint32_t next = MANY + 1 - ATTEMPTS_BYTES_MAX / EACH;
    (void)state;
    assert_true(rest.size <= ATTEMPTS_BYTES_MAX && rest.size > ATTEMPTS_BYTES_MAX - EACH);
    while (attempts_next(&rest, &row)) {
        assert_int_equal(row.attempt, next++);
        assert_int_equal(row.end, STINT_ATTEMPT_FAILED);
        assert_int_equal(row.started_ms, 1000 * row.attempt);
        assert_int_equal(row.ended_ms, 1000 * row.attempt + 7);
        assert_int_equal(row.worker.size, 4);
        assert_memory_equal(row.worker.data, "host", 4);
        assert_memory_equal(row.error.data, "exit status 3", 13);
    }
    assert_int_equal(next, MANY + 1);
    assert_int_equal(rest.size, 0);
}

static void
an_attempt_that_is_there_already_is_put_right(void **state)
{
    static uint8_t bytes[ATTEMPTS_BYTES_MAX];
    struct slice three = some_attempts(3), rest;
    struct attempt_row row = {.attempt = 3, .end = STINT_ATTEMPT_SUCCEEDED, .ended_ms = 9};
    (void)state;
    rest = attempts_add(bytes, three, &row);
    assert_int_equal(rest.size, three.size - 4 - 13);
    for (uint32_t i = 1; i <= 3; i++) {
        assert_true(attempts_next(&rest, &row));
        assert_int_equal(row.attempt, i);
        assert_int_equal(row.end, i == 3 ? STINT_ATTEMPT_SUCCEEDED : STINT_ATTEMPT_FAILED);
    }
    assert_false(attempts_next(&rest, &row));
}

static void
what_are_no_attempts_is_noticed_and_nothing_is_read_past_its_end(void **state)
{
    uint8_t bytes[ATTEMPTS_BYTES_MAX + 1] = {0};
    struct slice good = some_attempts(3);
    struct attempt_row row;
    (void)state;
    for (size_t cut = 1; cut < good.size; cut++) {
        uint8_t *exactly = test_malloc(cut);
        memcpy(exactly, good.data, cut);
        struct slice rest = {exactly, cut};
        assert_int_equal(attempts_are_sane(rest), cut % (good.size / 3) == 0);
        while (attempts_next(&rest, &row))
            ;
        assert_true(rest.size < good.size / 3);
        test_free(exactly);
    }
    static const struct {
        unsigned at;
        uint8_t value;
    } wrong[] = {{0, 0}, {0, STINT_ATTEMPT_ENDS}, {1, LIMIT_LABEL_BYTES + 1},
        {2, LIMIT_ATTEMPT_ERROR_BYTES + 1}, {4, 0}, {4, 2}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        memcpy(bytes, good.data, good.size);
        bytes[wrong[i].at] = wrong[i].value;
        assert_false(attempts_are_sane((struct slice){bytes, good.size}));
    }
    assert_false(attempts_are_sane((struct slice){bytes, sizeof bytes}));
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
        spec.group = (struct slice){large, size % 3 ? LIMIT_GROUP_BYTES : 0};
        record_from_spec(&r, &spec, 1);
        for (enum record_field f = 0; f < FIELDS_OPTIONAL; f++)
            if (record_field_name(f) && f != FIELD_SCHEDULE &&
                f != FIELD_GROUP) /* as they are from the start */
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
        cmocka_unit_test(attempts_come_back_and_of_too_many_the_oldest_go),
        cmocka_unit_test(an_attempt_that_is_there_already_is_put_right),
        cmocka_unit_test(what_are_no_attempts_is_noticed_and_nothing_is_read_past_its_end),
        cmocka_unit_test(every_turned_bit_is_noticed),
        cmocka_unit_test(a_record_under_another_key_is_noticed),
        cmocka_unit_test(a_large_body_goes_into_parts_and_no_record_grows_past_its_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
