/* Filters: the text that people write, what it says of which jobs, and what is said of one that is
 * none. And LIST, which takes them.
 */
#include "keyed.h"
#include "where.h"

#include <stdio.h>

enum { CLIENT = 1 };

/* ---- what is no filter ---- */

static void
what_is_no_filter_is_told_in_words(void **state)
{
    static const struct {
        const char *text, *part;
    } wrong[] = {{"queue", "operator is missing"}, {"ages>1h", "no field ages"},
        {"=x", "no field ="}, {"queue=", "value is missing"}, {"queue= ", "value is missing"},
        {"age=1h", "age can't be compared so"}, {"age>1x", "is no time"}, {"age>", "missing"},
        {"priority<ten", "is no number"}, {"priority<10x", "is no number"},
        {"priority~1", "can't be compared so"}, {"state=alive", "no state alive"},
        {"state<dead", "can't be compared so"}, {"state=", "missing"}, {"state=,", "no state"},
        {"queue=a,b", "no name"}, {"queue=*x", "no name"}, {"kind=\"a b\"", "no name"},
        {"error~\"half", "not closed"}, {"error~\"a\"b", "blank is missing"}, {"id=7", "no id"},
        {"bytes>1X", "no size"}, {"queue<a", "can't be compared so"}, {"error~\xff", "UTF-8"},
        {"queue=a and state=dead", "no field and"}, {"queue==a", "no name"},
        {"priority=18446744073709551616", "is no number"}};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct where where = {.used = 0};
        if (where_read(&where, wrong[i].text) || !strstr(where.why, wrong[i].part))
            fail_msg("%s: %s", wrong[i].text, where.why);
    }
}

static void
a_filter_has_an_end(void **state)
{
    struct where where = {.used = 0}, large = {.used = 0};
    char text[FILTER_BYTES_MAX + 100] = "error~";
    (void)state;
    for (unsigned i = 0; i < FILTER_TERMS_MAX; i++)
        assert_true(where_read(&where, "priority<7"));
    assert_false(where_read(&where, "priority<7"));
    assert_non_null(strstr(where.why, "16 terms"));
    memset(text + 6, 'x', FILTER_BYTES_MAX + 10);
    assert_false(where_read(&large, text));
    assert_non_null(strstr(large.why, "too long"));
}

static void
a_filter_is_written_as_it_is_read(void **state)
{
    static const char *const texts[] = {"", "queue=a", "queue=mail.*", "queue!=mail.*", "kind!=a",
        "state=ready,dead", "age>1h", "age<=90s", "due<10m", "settled>=2d", "priority<10",
        "attempts>=3", "failures=0", "bytes>64K", "error~timeout", "error~\"timed out\"",
        "error=\"\"", "error~\"a \\\"b\\\\\"", "worker=host3:7", "worker~host", "id>=0.1.100.7",
        "queue=a state=dead age>1h kind=mail error~x worker=host3 priority<10"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct where where = {.used = 0};
        struct pack_buffer b = {0};
        char text[WHERE_TEXT_BYTES];
        assert_true(where_read(&where, texts[i]));
        filter_write(&b, &where.filter);
        assert_true(where_write((struct slice){b.data, b.used}, text, sizeof text));
        assert_string_equal(text, texts[i]);
        pack_buffer_free(&b);
    }
}

static void
blanks_and_quotes_are_as_people_write_them(void **state)
{
    static const char *const same[] = {"error~\"timed out\" priority<7",
        "  error ~ 'timed out'   priority < 7 ", "error~'timed out'\npriority\t<7"};
    struct pack_buffer first = {0};
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct where where = {.used = 0};
        struct pack_buffer b = {0};
        assert_true(where_read(&where, same[i]));
        filter_write(i ? &b : &first, &where.filter);
        if (i)
            assert_memory_equal(b.data, first.data, first.used);
        pack_buffer_free(&b);
    }
    pack_buffer_free(&first);
}

/* Anything a peer may send in its place. */
static void
bytes_that_are_no_filter_are_refused(void **state)
{
    static const uint8_t wrong[][8] = {{1, 0x90 + 1}, {2, 0x91, 0x90}, {4, 0x91, 0x92, 2, 1},
        {5, 0x91, 0x93, 2, 1, 7}, {5, 0x91, 0x93, 0, 1, 7}, {5, 0x91, 0x93, 99, 1, 7},
        {5, 0x91, 0x93, 5, 3, 7}, {5, 0x91, 0x93, 5, 0, 7}, {5, 0x91, 0x93, 5, 99, 7},
        {6, 0x91, 0x93, 1, 1, 0xa1, 7}, {2, 0x90, 0x90}, {1, 7}};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct filter filter;
        const char *why = "";
        assert_false(filter_read((struct slice){wrong[i] + 1, wrong[i][0]}, &filter, &why));
        assert_true(*why);
    }
}

/* ---- what it says of jobs ---- */

static void
submit(struct world *w, uint64_t number, const char *queue, const char *kind, uint8_t priority)
{
    struct job_spec job = world_job("12345");
    job.queue = text(queue);
    job.kind = text(kind);
    job.priority = priority;
    job.max_attempts = 5;
    job.backoff_base_ms = job.backoff_cap_ms = 600000;
    world_submit(w, CLIENT, number, &job, 1);
    assert_int_equal(world_step(w, 1000), STINT_OK);
}

static void
put_list(struct world *w, const char *filter, struct slice cursor)
{
    struct where where = {.used = 0};
    struct pack_buffer b = {0};
    struct message list = {.list = {.cursor = cursor}};
    if (!where_read(&where, filter))
        fail_msg("%s: %s", filter, where.why);
    filter_write(&b, &where.filter);
    list.list.filter = (struct slice){b.data, b.used};
    message_put_list(world_frame(w, CLIENT), 9, &list);
    pack_buffer_free(&b);
}

/* The jobs that it is true of, by the numbers of their queues and kinds: "1 3". */
static void
expect(struct world *w, const char *filter, const char *found)
{
    char got[64] = "";
    put_list(w, filter, (struct slice){0});
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, CLIENT, MESSAGE_JOBS));
    assert_int_equal(w->message.page.cursor.size, 0);
    for (uint32_t i = 0; i < w->message.count; i++) {
        size_t used = strlen(got);
        assert_true(message_next_job(w->arrays));
        (void)snprintf(
            got + used, sizeof got - used, "%s%s", used ? " " : "", w->arrays->info.kind);
    }
    if (strcmp(got, found) != 0)
        fail_msg("%s: %s, not %s", filter, got, found);
}

/* a: ready. b: runs at "peer". c: failed once and waits. d: dead. e: cancelled. f: succeeded. The
 * last one is the youngest, a second each. */
static struct world *
world_of_all_states(void)
{
    static const struct {
        const char *queue, *kind;
        uint8_t priority;
    } jobs[] = {{"mail.out", "c", 100}, {"mail.in", "d", 100}, {"mail.in", "f", 100},
        {"mail.out", "b", 100}, {"pay", "e", 7}, {"pay", "a", 200}};
    struct world *w = world_new(NULL);
    world_with_client(w);
    for (size_t i = 0; i < 6; i++)
        submit(w, 1 + i, jobs[i].queue, jobs[i].kind, jobs[i].priority);
    struct slice queues[] = {text("mail.in"), text("mail.out")};
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .session = {7},
        .name = text("Host3"),
        .queues = 2,
        .slots = 4,
        .window = 4};
    message_put_hello(world_frame(w, 2), &h, queues, NULL, NULL);
    world_claim(w, 2, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    world_settle(w, 2, 1, id_make(0, 1, 100, 1), 1, OUTCOME_FAILED, "it Timed out at last");
    world_settle(w, 2, 2, id_make(0, 2, 100, 1), 1, OUTCOME_DEAD, "bad address");
    world_settle(w, 2, 3, id_make(0, 2, 100, 2), 1, OUTCOME_SUCCEEDED, "");
    const struct stint_id cancelled = id_make(0, 3, 7, 1);
    message_put_ids(world_frame(w, CLIENT), MESSAGE_CANCEL, 8, &cancelled, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    return w;
}

static void
a_filter_is_true_of_the_jobs_that_it_says(void **state)
{
    /* In the order of a list: live, parked, settled ones, and in each by id. */
    static const struct {
        const char *filter, *found;
    } cases[] = {{"", "b a c d f e"}, {"queue=pay", "a e"}, {"queue!=pay", "b c d f"},
        {"queue=mail.*", "b c d f"}, {"queue!=mail.*", "a e"}, {"queue=*", "b a c d f e"},
        {"queue~IN", "d f"}, {"queue=nosuch", ""}, {"state=ready", "a"}, {"state=running", "b"},
        {"state=scheduled", "c"}, {"state=succeeded", "f"}, {"state=dead", "d"},
        {"state=cancelled", "e"}, {"state=dead,ready", "a d"}, {"state!=dead,ready", "b c f e"},
        {"kind=a", "a"}, {"kind!=a", "b c d f e"}, {"priority=7", "e"}, {"priority<100", "e"},
        {"priority<=100", "b c d f e"}, {"priority>100", "a"}, {"priority>=100", "b a c d f"},
        {"priority!=100", "a e"}, {"attempts>=1", "b c d f"}, {"attempts=0", "a e"},
        {"failures>=1", "c d"}, {"failures<1", "b a f e"}, {"error~timed", "c"},
        {"error~\"TIMED OUT\"", "c"}, {"error=\"bad address\"", "d"}, {"error=bad", ""},
        {"error=\"\"", "b a f e"}, {"error!=\"\"", "c d"}, {"error~\"\"", "b a c d f e"},
        {"worker=Host3", "b"}, {"worker~host", "b"}, {"worker=Host*", "b"}, {"worker=host3", ""},
        {"age<1s", "a"}, {"age<=1s", "a e"}, {"age>=5s", "c"}, {"age>4s", "c"}, {"age<0", ""},
        {"due<1s", ""}, {"due<=10m", "c"}, {"due>1s", "c"}, {"settled<1h", "d f e"},
        {"settled>1h", ""}, {"bytes=5", "b a c d e"}, {"bytes<5", "f"}, {"bytes>4", "b a c d e"},
        {"id=0.1.100.1", "c"}, {"id!=0.1.100.1", "b a d f e"}, {"id<0.1.100.2", "c"},
        {"id>=0.2.100.2", "a f e"}, {"queue=mail.* state=dead", "d"},
        {"queue=mail.* queue!=mail.in", "b c"}, {"state=dead state=ready", ""}};
    struct world *w = world_of_all_states();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(w, cases[i].filter, cases[i].found);
    world_destroy(&w);
}

static void
a_page_that_finds_nothing_ends_and_the_list_goes_on(void **state)
{
    enum { JOBS = 9000, A_MESSAGE = 3000 };
    static struct job_spec jobs[A_MESSAGE];
    struct world *w = world_new(NULL);
    uint8_t cursor[32];
    struct slice at = {0};
    unsigned pages = 0;
    (void)state;
    world_with_client(w);
    for (unsigned i = 0; i < A_MESSAGE; i++)
        jobs[i] = world_job("x");
    for (uint64_t n = 0; n < JOBS / A_MESSAGE; n++) {
        jobs[A_MESSAGE - 1].kind = n == 2 ? text("last") : jobs[0].kind;
        world_submit(w, CLIENT, 1 + n, jobs, A_MESSAGE);
        assert_int_equal(world_step(w, 0), STINT_OK);
    }
    do {
        put_list(w, "kind=last", at);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, CLIENT, MESSAGE_JOBS));
        at = (struct slice){cursor, w->message.page.cursor.size};
        if (at.size)
            memcpy(cursor, w->message.page.cursor.data, at.size);
        assert_int_equal(w->message.count, at.size == 0);
        pages++;
    } while (at.size);
    assert_true(pages > 2 && pages < 10);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_filter_is_told_in_words),
        cmocka_unit_test(a_filter_has_an_end),
        cmocka_unit_test(a_filter_is_written_as_it_is_read),
        cmocka_unit_test(blanks_and_quotes_are_as_people_write_them),
        cmocka_unit_test(bytes_that_are_no_filter_are_refused),
        cmocka_unit_test(a_filter_is_true_of_the_jobs_that_it_says),
        cmocka_unit_test(a_page_that_finds_nothing_ends_and_the_list_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
