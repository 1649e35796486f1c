/* The stored job record: round trips, and damage. */
#include "world.h"

#include "record.h"

enum { SUBMITTED_MS = 500 };

/* The first is 1. All were by one worker, and each is later than the one before. */
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
        attempts = attempts_add(bytes, attempts, SUBMITTED_MS, &row);
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
    enum { MANY = 3 * LIMIT_ATTEMPTS_TOLD };
    struct slice rest = some_attempts(MANY);
    struct attempt_row row = attempts_before(SUBMITTED_MS);
    uint32_t next = MANY + 1 - LIMIT_ATTEMPTS_TOLD;
    (void)state;
    assert_true(rest.size <= ATTEMPTS_BYTES_MAX);
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

/* Of long errors fewer are kept than may be told. */
static void
attempts_never_need_more_than_their_room(void **state)
{
    static uint8_t bytes[ATTEMPTS_BYTES_MAX];
    uint8_t text[LIMIT_ATTEMPT_ERROR_BYTES], name[LIMIT_LABEL_BYTES];
    struct slice attempts = {bytes, 0}, rest;
    (void)state;
    memset(text, 'e', sizeof text);
    memset(name, 'n', sizeof name);
    for (uint32_t i = 1; i <= LIMIT_ATTEMPTS_TOLD; i++) {
        name[0] = (uint8_t)('a' + i % 2);
        struct attempt_row row = {.attempt = i,
            .end = STINT_ATTEMPT_LOST,
            .ended_ms = UINT64_MAX >> (i % 64),
            .worker = {name, sizeof name},
            .error = {text, sizeof text}};
        attempts = attempts_add(bytes, attempts, SUBMITTED_MS, &row);
        assert_true(attempts.size <= ATTEMPTS_BYTES_MAX && attempts_are_sane(attempts));
        struct attempt_row last = attempts_before(SUBMITTED_MS);
        for (rest = attempts; attempts_next(&rest, &last);)
            ;
        assert_int_equal(last.attempt, i);
        assert_true(last.started_ms == 0 && last.ended_ms == row.ended_ms);
        assert_memory_equal(last.worker.data, name, sizeof name);
    }
    assert_true(attempts.size > ATTEMPTS_BYTES_MAX / 2);
}

static void
times_of_attempts_come_back_however_far_they_jump(void **state)
{
    static const uint64_t times[] = {1, 499, 500, 501, 1234567890123, 7, UINT64_MAX, 1ULL << 63,
        (1ULL << 63) - 1, 2, UINT64_MAX - 1};
    enum { COUNT = sizeof times / sizeof *times };
    uint8_t bytes[ATTEMPTS_BYTES_MAX];
    (void)state;
    for (size_t a = 0; a < COUNT; a++)
        for (size_t b = 0; b < COUNT; b++) {
            const struct attempt_row first = {.attempt = 7,
                .end = STINT_ATTEMPT_LOST,
                .started_ms = times[b],
                .ended_ms = times[a]};
            const struct attempt_row second = {.attempt = UINT32_MAX,
                .end = STINT_ATTEMPT_SUCCEEDED,
                .started_ms = times[b],
                .ended_ms = times[COUNT - 1 - a]};
            struct slice rest = attempts_add(bytes, (struct slice){0}, times[a], &first);
            rest = attempts_add(bytes, rest, times[a], &second);
            struct attempt_row row = attempts_before(times[a]);
            assert_true(attempts_next(&rest, &row) && row.attempt == 7);
            assert_true(row.started_ms == times[b] && row.ended_ms == times[a]);
            assert_true(attempts_next(&rest, &row) && row.attempt == UINT32_MAX);
            assert_true(row.started_ms == times[b] && row.ended_ms == times[COUNT - 1 - a]);
            assert_false(attempts_next(&rest, &row));
        }
}

static void
an_attempt_that_is_there_already_is_put_right(void **state)
{
    static uint8_t bytes[ATTEMPTS_BYTES_MAX];
    struct slice three = some_attempts(3), rest;
    struct attempt_row row = {.attempt = 3, .end = STINT_ATTEMPT_SUCCEEDED, .ended_ms = 9};
    (void)state;
    rest = attempts_add(bytes, three, SUBMITTED_MS, &row);
    row = attempts_before(SUBMITTED_MS);
    for (uint32_t i = 1; i <= 3; i++) {
        assert_true(attempts_next(&rest, &row));
        assert_int_equal(row.attempt, i);
        assert_int_equal(row.end, i == 3 ? STINT_ATTEMPT_SUCCEEDED : STINT_ATTEMPT_FAILED);
        assert_int_equal(row.worker.size, i == 3 ? 0 : 4);
    }
    assert_int_equal(row.ended_ms, 9);
    assert_false(attempts_next(&rest, &row));
}

/* One that succeeded at once on a worker of this name. */
static void
the_usual_attempt_is_short(void **state)
{
    static uint8_t bytes[ATTEMPTS_BYTES_MAX];
    const struct attempt_row row = {.attempt = 1,
        .end = STINT_ATTEMPT_SUCCEEDED,
        .started_ms = SUBMITTED_MS + 40,
        .ended_ms = SUBMITTED_MS + 45,
        .worker = {(const uint8_t *)"host", 4}};
    (void)state;
    assert_int_equal(attempts_add(bytes, (struct slice){0}, SUBMITTED_MS, &row).size, 9);
}

/* As format 10 wrote them: 3 ended badly, with a worker and an error; 4 had not begun. */
static const uint8_t long_ones[] = {2, 4, 13, 0, 3, 0, 0, 0, 0xe8, 3, 0, 0, 0, 0, 0, 0, 0xef, 3, 0,
    0, 0, 0, 0, 0, 'h', 'o', 's', 't', 'e', 'x', 'i', 't', ' ', 's', 't', 'a', 't', 'u', 's', ' ',
    '3', 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xd0, 7, 0, 0, 0, 0, 0, 0};

static void
what_format_10_wrote_is_read_and_becomes_short(void **state)
{
    static uint8_t bytes[ATTEMPTS_BYTES_MAX];
    struct slice old = {long_ones, sizeof long_ones}, rest;
    const struct attempt_row fifth = {.attempt = 5, .end = STINT_ATTEMPT_SUCCEEDED, .ended_ms = 9};
    (void)state;
    assert_true(attempts_are_sane(old));
    struct slice both[] = {old, attempts_add(bytes, old, SUBMITTED_MS, &fifth)};
    for (int i = 0; i < 2; i++) {
        struct attempt_row row = attempts_before(SUBMITTED_MS);
        rest = both[i];
        assert_true(attempts_next(&rest, &row));
        assert_true(row.attempt == 3 && row.end == STINT_ATTEMPT_FAILED);
        assert_true(row.started_ms == 1000 && row.ended_ms == 1007);
        assert_memory_equal(row.worker.data, "host", 4);
        assert_memory_equal(row.error.data, "exit status 3", 13);
        assert_true(attempts_next(&rest, &row));
        assert_true(row.attempt == 4 && row.end == STINT_ATTEMPT_LOST);
        assert_true(row.started_ms == 0 && row.ended_ms == 2000 && row.worker.size == 0);
        assert_int_equal(attempts_next(&rest, &row), i == 1);
    }
    assert_true(both[1].size < old.size / 2 + 8);
}

static void
what_are_no_attempts_is_noticed_and_nothing_is_read_past_its_end(void **state)
{
    uint8_t bytes[ATTEMPTS_BYTES_MAX + 1] = {0};
    struct slice good = some_attempts(3), all[] = {good, {long_ones, sizeof long_ones}};
    struct attempt_row row;
    (void)state;
    for (int kind = 0; kind < 2; kind++)
        for (size_t cut = 1; cut < all[kind].size; cut++) {
            uint8_t *exactly = test_malloc(cut);
            memcpy(exactly, all[kind].data, cut);
            struct slice rest = {exactly, cut}, left = rest;
            row = attempts_before(SUBMITTED_MS);
            while (attempts_next(&rest, &row))
                left = rest;
            assert_true(left.size == rest.size);
            assert_int_equal(attempts_are_sane((struct slice){exactly, cut}), rest.size == 0);
            test_free(exactly);
        }
    static const struct {
        unsigned at;
        uint8_t value;
    } wrong[] = {{0, 0x80}, {0, 0x80 | STINT_ATTEMPT_ENDS}, {0, 0}, {5, 0xff}, {10, 0xff}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        memcpy(bytes, good.data, good.size);
        bytes[wrong[i].at] = wrong[i].value;
        assert_false(attempts_are_sane((struct slice){bytes, good.size}));
    }
    static const struct {
        unsigned at;
        uint8_t value;
    } long_wrong[] = {{0, 0}, {0, STINT_ATTEMPT_ENDS}, {1, LIMIT_LABEL_BYTES + 1},
        {2, LIMIT_ATTEMPT_ERROR_BYTES + 1}, {4, 0}, {4, 4}};
    for (size_t i = 0; i < sizeof long_wrong / sizeof *long_wrong; i++) {
        memcpy(bytes, long_ones, sizeof long_ones);
        bytes[long_wrong[i].at] = long_wrong[i].value;
        assert_false(attempts_are_sane((struct slice){bytes, sizeof long_ones}));
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
        if (size % 3 == 0) {
            record_set_needs(&r, (struct slice){large, LIMIT_NEEDS_BYTES});
            record_set_body(&r, spec.payload);
        }
        for (enum record_field f = 0; f < FIELDS_OPTIONAL; f++)
            if (f != FIELD_ATTEMPTS && record_field_name(f) && f != FIELD_SCHEDULE &&
                f != FIELD_NEEDS && f != FIELD_GROUP) /* not written; there from the start */
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
        cmocka_unit_test(attempts_never_need_more_than_their_room),
        cmocka_unit_test(times_of_attempts_come_back_however_far_they_jump),
        cmocka_unit_test(the_usual_attempt_is_short),
        cmocka_unit_test(what_format_10_wrote_is_read_and_becomes_short),
        cmocka_unit_test(an_attempt_that_is_there_already_is_put_right),
        cmocka_unit_test(what_are_no_attempts_is_noticed_and_nothing_is_read_past_its_end),
        cmocka_unit_test(every_turned_bit_is_noticed),
        cmocka_unit_test(a_record_under_another_key_is_noticed),
        cmocka_unit_test(a_large_body_goes_into_parts_and_no_record_grows_past_its_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
