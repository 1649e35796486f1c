/* What people ask of the broker, for the core's fuzzer, which includes this behind next(). */

static void
put_groups(struct pack_buffer *b, uint8_t number, struct slice queue)
{
    uint8_t byte = next();
    const struct group_weight weight = {{(const uint8_t *)"group", 1 + byte % 4}, 1U + byte % 3};
    const struct group_setting setting = {.running = byte % 4,
        .rate = byte & 16 ? UINT64_MAX : 1800 * (byte / 32U),
        .weights = byte / 4 % 2};
    if (byte % 8 == 7)
        message_put_list_groups(b, number, queue, (struct slice){0}, (struct slice){0});
    else
        message_put_group_setting(b, number, queue, &setting, &weight);
}

static void
put_feed(struct pack_buffer *b)
{
    static const char *const names[] = {"all", "some"};
    struct stint_feed feed = {.events = next() % 4 ? 0 : next(),
        .keep_ms = next() % 8 * 1000U,
        .max_events = next() % 4 ? 0 : 1 + next() % 64U,
        .max_bytes = next() % 4 ? 0 : 1 + next() * 16U};
    const char *name = names[next() % 2];
    slice_to_text(feed.name, sizeof feed.name, (struct slice){(const uint8_t *)name, strlen(name)});
    if (next() % 4 == 0)
        slice_to_text(feed.queues, sizeof feed.queues, (struct slice){(const uint8_t *)"a*", 2});
    switch (next() % 4) {
    case 0:
        message_put_set_feed(b, next(), next() % 8 ? FEED_SET : FEED_REMOVE, &feed);
        break;
    case 1:
        message_put_numbered(b, MESSAGE_LIST_FEEDS, next());
        break;
    default:
        message_put_read_feed(b, next(), (struct slice){(const uint8_t *)name, strlen(name)},
            next() % 8 ? next() : FEED_FROM_NEXT, next() % 16 == 0, next() % 2);
    }
}

static void
put_schedule(struct pack_buffer *b)
{
    static const char *const names[] = {"s", "t"},
                             *const crons[] = {"* * * * *", "30 2 * * *", "x", ""};
    const char *name = names[next() % 2], *cron = crons[next() % 4];
    struct pack_buffer job = {0};
    struct job_spec spec = {.queue = {(const uint8_t *)"a", 1},
        .kind = {(const uint8_t *)"k", 1},
        .delay_ms = next() % 4 ? 0 : next(),
        .backoff_base_ms = 1,
        .backoff_cap_ms = 1,
        .max_attempts = 1};
    message_put_job(&job, &spec);
    struct schedule_request s = {.action = (enum stint_schedule_action)(1 + next() % 5),
        .name = {(const uint8_t *)name, 1},
        .cron = {(const uint8_t *)cron, strlen(cron)},
        .every_ms = next() % 2 ? 0 : 1000 + next() * 100U,
        .missed = (enum stint_missed)(next() % 4),
        .most = next() % 4 ? next() : 0,
        .overlap = (enum stint_overlap)(next() % 4),
        .job = {job.data, next() % 8 ? job.used : 0},
        .run = next()};
    if (next() % 4)
        message_put_set_schedule(b, next(), &s);
    else
        message_put_list_schedules(b, next(), (struct slice){(const uint8_t *)name, next() % 2},
            next() % 128, (struct slice){(const uint8_t *)"s", next() % 2});
    pack_buffer_free(&job);
}

static void
put_batch(struct pack_buffer *b)
{
    static const uint8_t job[] = {0x80}; /* with all the defaults */
    uint8_t how = next(), which = next();
    uint64_t batch = 1 + which % 2;
    const struct batch_request s = {.action = (enum batch_action)(1 + how % 4),
        .batch = batch,
        .title = {(const uint8_t *)"t", how / 4 % 2},
        .keep_ms = how / 8 % 2 ? KEEP_DEFAULT : how,
        .success = {job, how / 16 % 2},
        .always = {job, how / 32 % 2}};
    if (how < 200)
        message_put_set_batch(b, next(), &s);
    else
        message_put_list_batches(b, how % 2 ? MESSAGE_LIST_BATCHES : MESSAGE_WAIT_BATCH, next(),
            which < 100 ? 0 : batch, (struct slice){(const uint8_t *)"12345678", how % 4 ? 0 : 8});
}
