/* The golden vectors of PROTOCOL.md against the decoder, and frames that are cut or turned at
 * random.
 */
#include "world.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t frame[1 << 17];
static size_t frame_size;

static void
add_hex(const char *hex)
{
    for (; hex[0] > ' ' && hex[1] > ' '; hex += 2) {
        char digits[3] = {hex[0], hex[1], '\0'};
        frame[frame_size++] = (uint8_t)strtoul(digits, NULL, 16);
    }
}

struct vector {
    char message[64], status[64];
    long number, count, window, role, slots, epoch, queues, features;
};

static void
read_field(struct vector *v, const char *key, char *value)
{
    static const struct {
        const char *key;
        size_t at;
    } numbers[] = {{"number", offsetof(struct vector, number)},
        {"count", offsetof(struct vector, count)}, {"window", offsetof(struct vector, window)},
        {"role", offsetof(struct vector, role)}, {"slots", offsetof(struct vector, slots)},
        {"epoch", offsetof(struct vector, epoch)}, {"queues", offsetof(struct vector, queues)},
        {"features", offsetof(struct vector, features)}};
    if (strcmp(key, "hex") == 0)
        add_hex(value);
    else if (strcmp(key, "repeat") == 0) {
        long times = atol(strchr(value, ' '));
        for (long i = 0; i < times; i++)
            add_hex(value);
    } else if (strcmp(key, "message") == 0)
        (void)snprintf(v->message, sizeof v->message, "%s", value);
    else if (strcmp(key, "status") == 0)
        (void)snprintf(v->status, sizeof v->status, "%s", value);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(key, numbers[i].key) == 0)
            *(long *)((char *)v + numbers[i].at) = atol(value);
}

static void
read_vector(const char *name, struct vector *v)
{
    static char line[1 << 16];
    char path[1024];
    *v = (struct vector){.number = -1,
        .count = -1,
        .window = -1,
        .role = -1,
        .slots = -1,
        .epoch = -1,
        .queues = -1,
        .features = -1};
    frame_size = 0;
    (void)snprintf(path, sizeof path, STINT_SOURCE "/proto/vectors/%s", name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        char *value = strstr(line, ": ");
        line[strcspn(line, "\n")] = '\0';
        assert_non_null(value);
        *value = '\0';
        read_field(v, line, value + 2);
    }
    fclose(f);
}

static void
check_vector(const struct vector *v, struct message_arrays *arrays)
{
    struct message m;
    const char *why = NULL;
    enum stint_status status = message_decode(frame, frame_size, &m, arrays, &why);
    assert_string_equal(stint_status_name(status), v->status);
    assert_non_null(why);
    if (status != STINT_OK) {
        assert_true(*why || status == STINT_UNKNOWN_TYPE);
        return;
    }
    assert_string_equal(message_name(m.type), v->message);
    if (v->number >= 0)
        assert_int_equal(m.number, v->number);
    if (v->count >= 0)
        assert_int_equal(m.count, v->count);
    if (v->role >= 0)
        assert_int_equal(m.hello.role, v->role);
    if (v->slots >= 0)
        assert_int_equal(m.hello.slots, v->slots);
    if (v->queues >= 0)
        assert_int_equal(m.hello.queues, v->queues);
    if (v->epoch >= 0)
        assert_int_equal(m.welcome.epoch, v->epoch);
    if (v->features >= 0)
        assert_int_equal(__builtin_popcountll(m.welcome.features), v->features);
    if (v->window >= 0 && m.type == MESSAGE_PING)
        assert_int_equal(m.ping.window, v->window);
    if (v->window >= 0 && m.type == MESSAGE_SETTLE)
        assert_int_equal(m.settle.window, v->window);
}

static void
each_vector(void (*each)(const struct vector *v, struct message_arrays *arrays))
{
    struct message_arrays *arrays = calloc(1, sizeof *arrays);
    DIR *d = opendir(STINT_SOURCE "/proto/vectors");
    size_t count = 0;
    assert_non_null(d);
    assert_non_null(arrays);
    for (struct dirent *e; (e = readdir(d));) {
        struct vector v;
        if (!strstr(e->d_name, ".txt"))
            continue;
        read_vector(e->d_name, &v);
        each(&v, arrays);
        count++;
    }
    closedir(d);
    free(arrays);
    assert_true(count > 60);
}

static void
every_vector_decodes_as_it_says(void **state)
{
    (void)state;
    each_vector(check_vector);
}

static void
cut_and_turn(const struct vector *v, struct message_arrays *arrays)
{
    uint64_t seed = 7;
    struct message m;
    const char *why;
    if (frame_size > 4096)
        return;
    for (size_t size = 0; size < frame_size && strcmp(v->status, "OK") == 0; size++) {
        uint8_t *exact = malloc(size + 1); /* so that a sanitizer sees a read past the end */
        assert_non_null(exact);
        memcpy(exact, frame, size);
        assert_int_not_equal(message_decode(exact, size, &m, arrays, &why), STINT_OK);
        free(exact);
    }
    uint8_t *turned = malloc(frame_size + 1);
    assert_non_null(turned);
    for (unsigned round = 0; round < 3000 && frame_size > 0; round++) {
        memcpy(turned, frame, frame_size);
        for (unsigned n = 0; n <= round % 3; n++) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            turned[(seed >> 32) % frame_size] = (uint8_t)(seed >> 24);
        }
        (void)message_decode(turned, frame_size, &m, arrays, &why);
    }
    free(turned);
}

static void
frames_that_are_cut_are_refused_and_turned_ones_do_no_harm(void **state)
{
    (void)state;
    each_vector(cut_and_turn);
}

static void
a_submit_with_mixed_settings_says_each_jobs_own(void **state)
{
    struct job_spec jobs[4] = {world_job("a"), world_job("b"), world_job("c"), world_job("d")};
    struct message_arrays *arrays = calloc(1, sizeof *arrays);
    struct pack_buffer b = {0};
    struct message m;
    const char *why;
    (void)state;
    assert_non_null(arrays);
    jobs[0].keep_ms = 0;
    jobs[0].time_to_run_ms = 5000;
    jobs[0].priority = 1;
    jobs[2].keep_ms = 77;
    jobs[3].max_attempts = 9;
    message_put_submit(&b, 3, 2, jobs, 4);
    assert_int_equal(message_decode(b.data, b.used, &m, arrays, &why), STINT_OK);
    assert_int_equal(m.count, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(arrays->specs[i].keep_ms == jobs[i].keep_ms);
        assert_true(arrays->specs[i].time_to_run_ms == jobs[i].time_to_run_ms);
        assert_int_equal(arrays->specs[i].priority, jobs[i].priority);
        assert_int_equal(arrays->specs[i].max_attempts, jobs[i].max_attempts);
        assert_memory_equal(arrays->specs[i].payload.data, jobs[i].payload.data, 1);
    }
    pack_buffer_free(&b);
    free(arrays);
}

/* The frame of a vector, as the encoder is to write it. */
static void
assert_encodes(struct pack_buffer *b, const char *vector)
{
    struct vector v;
    read_vector(vector, &v);
    assert_int_equal(b->used, frame_size);
    assert_memory_equal(b->data, frame, frame_size);
    b->used = 0;
}

static void
welcome_tells_features_and_leaves_the_key_out_if_there_are_none(void **state)
{
    static const char endpoint[] = "tcp://127.0.0.1:5670", software[] = "stintd 0.1.0";
    const struct broker_ref self = {0, {(const uint8_t *)endpoint, sizeof endpoint - 1}};
    struct welcome w = {.version = 1,
        .epoch = 7,
        .heartbeat_ms = 1000,
        .lost_ms = 5000,
        .message_bytes = 8 << 20,
        .payload_bytes = 1 << 20,
        .result_bytes = 1 << 20,
        .brokers = 1,
        .software = {(const uint8_t *)software, sizeof software - 1}};
    struct pack_buffer b = {0};
    (void)state;
    message_put_welcome(&b, &w, &self);
    assert_encodes(&b, "welcome.txt");
    w.features = FEATURES_ALL;
    message_put_welcome(&b, &w, &self);
    assert_encodes(&b, "welcome_features.txt");
    pack_buffer_free(&b);
}

static void
fleet_control_is_written_as_its_vectors_have_it(void **state)
{
    const struct control controls[] = {
        {CONTROL_RESIZE, CONTROL_NAMED, {(const uint8_t *)"host:407", 8}, 16},
        {CONTROL_RESIZE, CONTROL_ALL, {NULL, 0}, SLOTS_OWN},
        {CONTROL_DRAIN, CONTROL_LABELLED, {(const uint8_t *)"gpu", 3}, SLOTS_OWN}};
    static const char *const control_vectors[] = {
        "control.txt", "control_own.txt", "control_drain.txt"};
    const struct order orders[] = {
        {16, true, LEAVE_NOT}, {SLOTS_OWN, false, LEAVE_NOT}, {SLOTS_OWN, false, LEAVE_DRAIN}};
    static const char *const order_vectors[] = {"order.txt", "order_plain.txt", "order_leave.txt"};
    const struct stint_fleet fleet = {.slots = 100, .workers = 3, .cores = 20, .given = 96};
    const struct ping ping = {.window = 8, .slots = 8, .load = 150, .token = 9};
    struct pack_buffer b = {0};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        message_put_control(&b, 5 + i, &controls[i]);
        assert_encodes(&b, control_vectors[i]);
        message_put_order(&b, &orders[i]);
        assert_encodes(&b, order_vectors[i]);
    }
    message_put_controlled(&b, 7, 3);
    assert_encodes(&b, "controlled.txt");
    message_put_fleet(&b, MESSAGE_SET_FLEET, 8, &fleet);
    assert_encodes(&b, "set_fleet.txt");
    message_put_fleet(&b, MESSAGE_FLEET, 9, &fleet);
    assert_encodes(&b, "fleet.txt");
    message_put_list_running(
        &b, 10, (struct slice){(const uint8_t *)"host:407", 8}, (struct slice){NULL, 0});
    assert_encodes(&b, "list_running.txt");
    message_put_worker_ping(&b, 6, &ping);
    assert_encodes(&b, "ping_slots.txt");
    pack_buffer_free(&b);
}

static void
why_and_reasons_are_written_as_their_vectors_have_it(void **state)
{
    const struct stint_id id = id_make(0, 1, 100, 7);
    const struct slice mail = {(const uint8_t *)"mail", 4};
    const struct stint_reason busy = {.id = id,
        .why = STINT_WHY_BUSY,
        .queue = "mail",
        .kind = "k",
        .about = true,
        .workers = 3,
        .slots = 12,
        .before = 1204};
    const struct stint_reason paused = {.why = STINT_WHY_PAUSED, .queue = "mail", .closed = true};
    struct pack_buffer b = {0}, e = {0};
    (void)state;
    message_put_why(&b, 6, (struct slice){0}, &id, 1);
    assert_encodes(&b, "why.txt");
    message_put_why(&b, 6, mail, NULL, 0);
    assert_encodes(&b, "why_queue.txt");
    message_put_reason(&e, &busy);
    message_put_numbered_elements(
        &b, MESSAGE_REASONS, 6, (struct slice){e.data, e.used}, 1, (struct slice){0});
    assert_encodes(&b, "reasons.txt");
    e.used = 0;
    message_put_reason(&e, &paused);
    message_put_numbered_elements(
        &b, MESSAGE_REASONS, 6, (struct slice){e.data, e.used}, 1, (struct slice){0});
    assert_encodes(&b, "reasons_queue.txt");
    pack_buffer_free(&e);
    pack_buffer_free(&b);
}

static void
bulk_operations_are_written_as_their_vectors_have_it(void **state)
{
    const struct stint_id id = id_make(0, 1, 100, 7);
    const struct slice mail = {(const uint8_t *)"mail", 4}, other = {(const uint8_t *)"other", 5};
    const struct filter filter = {.count = 2,
        .terms = {{.field = FILTER_QUEUE, .is = FILTER_IS, .text = mail},
            {.field = FILTER_AGE, .is = FILTER_MORE, .number = 3600000}}};
    struct pack_buffer b = {0}, e = {0}, f = {0};
    struct bulk_request k = {
        .bulk = 0x1122334455667788, .action = STINT_BULK_MOVE, .queue = other, .priority = -1};
    struct bulk_item item = {.info = {.bulk = k.bulk,
                                 .action = STINT_BULK_MOVE,
                                 .state = STINT_BULK_WORKING,
                                 .queue = "other",
                                 .key = "local",
                                 .began_ms = 1700000000000,
                                 .counted = 1204,
                                 .done = 1000,
                                 .refused = 2,
                                 .status = STINT_QUEUE_FULL,
                                 .examples_count = 1,
                                 .examples = {id}}};
    struct message list = {.list = {.states = 0, .limit = 10}};
    (void)state;
    filter_write(&f, &filter);
    k.filter = item.filter = list.list.filter = (struct slice){f.data, f.used};
    message_put_bulk(&b, 6, &k);
    assert_encodes(&b, "bulk.txt");
    k = (struct bulk_request){
        .bulk = 7, .action = STINT_BULK_PRIORITY, .priority = 0, .dry = true, .all = true};
    message_put_bulk(&b, 6, &k);
    assert_encodes(&b, "bulk_all.txt");
    message_put_bulk_info(&e, &item);
    message_put_numbered_elements(
        &b, MESSAGE_BULKS, 6, (struct slice){e.data, e.used}, 1, (struct slice){0});
    assert_encodes(&b, "bulks.txt");
    message_put_list_bulks(&b, MESSAGE_LIST_BULKS, 6, 0, (struct slice){0});
    assert_encodes(&b, "list_bulks.txt");
    message_put_list_bulks(&b, MESSAGE_STOP_BULK, 6, 7, (struct slice){0});
    assert_encodes(&b, "stop_bulk.txt");
    message_put_list(&b, 7, &list);
    assert_encodes(&b, "list_filter.txt");
    pack_buffer_free(&f);
    pack_buffer_free(&e);
    pack_buffer_free(&b);
}

static void
control_of_queues_is_written_as_its_vectors_have_it(void **state)
{
    const struct slice mail = {(const uint8_t *)"mail", 4};
    const struct stint_queue_setting made = {.paused = true,
                                         .made = true,
                                         .keep_ms = STINT_KEEP_UNSET},
                                     plain = {.weight = 1, .keep_ms = STINT_KEEP_UNSET},
                                     tuned = {.weight = 3, .keep_ms = 0, .time_to_run_ms = 30000};
    const struct stint_queue_tuning tuning = {3, 1000, STINT_KEEP_UNSET, 0, {0}};
    struct pack_buffer b = {0};
    (void)state;
    message_put_set_queue(&b, 5, mail, STINT_PAUSE_QUEUE, NULL);
    assert_encodes(&b, "set_queue.txt");
    message_put_queue(&b, 5, &made);
    assert_encodes(&b, "queue.txt");
    message_put_queue(&b, 5, &plain);
    assert_encodes(&b, "queue_plain.txt");
    message_put_queue(&b, 5, &tuned);
    assert_encodes(&b, "queue_tuned.txt");
    message_put_tune_queue(&b, 5, mail, &tuning);
    assert_encodes(&b, "set_queue_tune.txt");
    message_put_recall(&b, 2, mail);
    assert_encodes(&b, "recall_queue.txt");
    pack_buffer_free(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_decodes_as_it_says),
        cmocka_unit_test(frames_that_are_cut_are_refused_and_turned_ones_do_no_harm),
        cmocka_unit_test(a_submit_with_mixed_settings_says_each_jobs_own),
        cmocka_unit_test(fleet_control_is_written_as_its_vectors_have_it),
        cmocka_unit_test(why_and_reasons_are_written_as_their_vectors_have_it),
        cmocka_unit_test(bulk_operations_are_written_as_their_vectors_have_it),
        cmocka_unit_test(control_of_queues_is_written_as_its_vectors_have_it),
        cmocka_unit_test(welcome_tells_features_and_leaves_the_key_out_if_there_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
