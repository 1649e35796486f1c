/* Sets of kinds: those who name the same share one, whatever the order they name them in; and the
 * core's random numbers and hashes, which are small enough to stand here too.
 */
#include "dice.h"
#include "kinds.h"
#include "random.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAMES = 6, USERS = 30, STEPS = 3000 };

static const char *const names[NAMES] = {"a", "aa", "b", "ab", "a-b", "z"};

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

/* The set of the names whose bits are set, in an order of the dice's, some of them said twice. */
static struct kinds *
get(struct kinds **all, struct dice *dice, unsigned bits)
{
    struct slice list[3 * NAMES];
    uint32_t count = 0;
    for (unsigned i = 0; i < NAMES; i++)
        for (unsigned n = 0; (bits >> i & 1) && n < 1 + dice_roll(dice, 3); n++)
            list[count++] = text(names[i]);
    for (uint32_t i = count; i > 1; i--) {
        unsigned j = dice_roll(dice, i);
        struct slice other = list[j];
        list[j] = list[i - 1];
        list[i - 1] = other;
    }
    return kinds_get(all, list, count);
}

static void
check_set(const struct kinds *k, unsigned bits)
{
    for (unsigned i = 0; i < NAMES; i++) {
        bool in = !bits || (bits >> i & 1);
        assert_int_equal(kinds_have(k, text(names[i])), in);
        assert_int_equal(kinds_have_hash(k, kinds_hash(text(names[i]))), in);
    }
    assert_int_equal(kinds_have(k, text("q")), bits == 0);
    assert_int_equal(kinds_have(k, text("")), bits == 0);
}

static void
who_names_the_same_kinds_shares_a_set_as_long_as_it_is_used(void **state)
{
    struct kinds *all = NULL, *sets[USERS] = {0};
    unsigned bits[USERS] = {0};
    struct dice dice = {4};
    (void)state;
    for (unsigned n = 0; n < STEPS; n++) {
        unsigned u = dice_roll(&dice, USERS), others = 0;
        for (unsigned i = 0; i < USERS; i++)
            others += i != u && sets[i] && sets[i] == sets[u];
        assert_int_equal(kinds_put(&all, sets[u]), sets[u] && others == 0);
        bits[u] = dice_roll(&dice, 1 << NAMES);
        sets[u] = get(&all, &dice, bits[u]);
        assert_int_equal(sets[u] == NULL, bits[u] == 0);
        check_set(sets[u], bits[u]);
        for (unsigned i = 0; i < USERS; i++)
            if (sets[i] && sets[u])
                assert_int_equal(sets[i] == sets[u], bits[i] == bits[u]);
    }
    for (unsigned u = 0; u < USERS; u++)
        (void)kinds_put(&all, sets[u]);
    assert_null(all);
}

static void
a_set_is_written_in_order_and_cut_between_names(void **state)
{
    static const struct {
        size_t size;
        const char *written;
    } cases[] = {{100, "alpha beta gamma"}, {17, "alpha beta gamma"}, {16, "alpha beta..."},
        {14, "alpha beta..."}, {13, "alpha..."}, {9, "alpha..."}, {8, "..."}, {4, "..."}};
    struct slice list[] = {text("gamma"), text("alpha"), text("beta")};
    struct kinds *all = NULL, *k = kinds_get(&all, list, 3);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char to[100];
        memset(to, '#', sizeof to);
        kinds_write(k, to, cases[i].size);
        assert_true(strlen(to) < cases[i].size);
        assert_string_equal(to, cases[i].written);
        kinds_write(NULL, to, cases[i].size);
        assert_string_equal(to, "");
    }
    assert_true(kinds_put(&all, k));
}

static void
as_many_kinds_as_there_may_be_fit(void **state)
{
    static char long_names[LIMIT_KINDS][LIMIT_NAME_BYTES + 1];
    struct slice list[LIMIT_KINDS];
    struct kinds *all = NULL;
    (void)state;
    for (unsigned i = 0; i < LIMIT_KINDS; i++) {
        memset(long_names[i], 'n', LIMIT_NAME_BYTES);
        (void)snprintf(long_names[i] + LIMIT_NAME_BYTES - 2, 3, "%02u", i);
        list[LIMIT_KINDS - 1 - i] = text(long_names[i]);
    }
    struct kinds *k = kinds_get(&all, list, LIMIT_KINDS);
    assert_int_equal(k->count, LIMIT_KINDS);
    for (unsigned i = 0; i < LIMIT_KINDS; i++)
        assert_true(kinds_have(k, text(long_names[i])));
    assert_true(kinds_put(&all, k));
}

static void
a_hash_is_fnv_1a_and_never_0(void **state)
{
    (void)state;
    assert_int_equal(kinds_hash(text("")), 0x811c9dc5);
    assert_int_equal(kinds_hash(text("a")), 0xe40c292c);
    assert_int_equal(kinds_hash(text("foobar")), 0xbf9cf968);
    /* The hash of these four bytes is 0, which stands for "no kind". */
    static const uint8_t zero[] = {0xcc, 0x24, 0x31, 0xc4};
    assert_int_equal(kinds_hash((struct slice){zero, sizeof zero}), 1);
}

/* ---- random.c ---- */

static void
random_numbers_are_those_of_siphash_2_4(void **state)
{
    struct core *core = calloc(1, sizeof *core);
    (void)state;
    assert_non_null(core);
    core->random.key[0] = 0x0706050403020100;
    core->random.key[1] = 0x0f0e0d0c0b0a0908;
    core->random.count = 0x0706050403020100;
    /* The reference implementation's own vector for the bytes 00 to 07. */
    assert_true(random_draw(core) == 0x93f5f5799a932462);
    assert_true(core->random.count == 0x0706050403020101);
    assert_true(random_draw(core) != 0x93f5f5799a932462);
    free(core);
}

static void
every_bit_of_a_seed_goes_into_the_key_and_none_takes_another_one_out(void **state)
{
    struct core *core = calloc(1, sizeof *core);
    uint64_t drawn[128];
    (void)state;
    assert_non_null(core);
    for (unsigned bit = 0; bit < 128; bit++) {
        *core = (struct core){0};
        random_stir(core, bit < 64 ? 1ULL << bit : 5);
        random_stir(core, bit < 64 ? 5 : 1ULL << (bit - 64));
        drawn[bit] = random_draw(core);
        for (unsigned other = 0; other < bit; other++)
            assert_true(drawn[other] != drawn[bit]);
    }
    *core = (struct core){0};
    random_stir(core, 9);
    random_stir(core, 9);
    assert_true(core->random.key[0] == 9 && core->random.key[1] == 9);
    free(core);
}

/* ---- ids.h ---- */

static void
ids_of_neighbours_fall_into_buckets_of_their_own(void **state)
{
    enum { BUCKETS = 1 << 12, IDS = 4 * BUCKETS };
    static unsigned fallen[BUCKETS];
    (void)state;
    for (uint32_t queue = 1; queue < 4; queue++) {
        unsigned most = 0;
        memset(fallen, 0, sizeof fallen);
        for (uint64_t n = 1; n <= IDS; n++) {
            struct stint_id id = id_make(0, queue, 100, n);
            unsigned *f = &fallen[id_hash(id.bytes, STINT_ID_BYTES) % BUCKETS];
            most = ++*f > most ? *f : most;
        }
        assert_true(most <= 4 * (IDS / BUCKETS)); /* by chance it would be some 14 */
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_names_the_same_kinds_shares_a_set_as_long_as_it_is_used),
        cmocka_unit_test(a_set_is_written_in_order_and_cut_between_names),
        cmocka_unit_test(as_many_kinds_as_there_may_be_fit),
        cmocka_unit_test(a_hash_is_fnv_1a_and_never_0),
        cmocka_unit_test(random_numbers_are_those_of_siphash_2_4),
        cmocka_unit_test(every_bit_of_a_seed_goes_into_the_key_and_none_takes_another_one_out),
        cmocka_unit_test(ids_of_neighbours_fall_into_buckets_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
