/* stint bench: measures a running broker, with a client here and a worker in a process beside it.
 * The worker's handlers do nothing, so what is measured is the broker and the way to it. Figures
 * are jobs a second from the first submit until the last outcome is durable, or microseconds.
 */
#include "console.h"
#include "jobs.h"
#include "out.h"
#include "stint_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLES_MAX = 100000, SYNC_BYTES = 4096 };

static int jobs_count = 500000, batch = 256, window, payload_bytes = 100, priorities,
           samples = 2000, keep;
static char *mode, *queue, *name, *directory, *jobs_text, *batch_text, *window_text, *payload_text,
    *priorities_text, *samples_text, *feature;

static struct poptOption options[] = {
    {"mode", 'm', POPT_ARG_STRING, &mode, 0,
        "lifecycle, submit, drain, latency or start (lifecycle)", "MODE"},
    {"jobs", 'n', POPT_ARG_STRING, &jobs_text, 0, "how many (500000)", "N"},
    {"batch", 'b', POPT_ARG_STRING, &batch_text, 0, "jobs in a message (256)", "N"},
    {"window", 0, POPT_ARG_STRING, &window_text, 0, "messages on the way at once (by --batch)",
        "N"},
    {"payload", 0, POPT_ARG_STRING, &payload_text, 0, "bytes of a payload (100)", "N"},
    {"priorities", 0, POPT_ARG_STRING, &priorities_text, 0, "mix so many priorities (1)", "N"},
    {"kept", 0, POPT_ARG_NONE, &keep, 0, "keep outcomes, as the broker does by default", NULL},
    {"feature", 0, POPT_ARG_STRING, &feature, 0,
        "with lifecycle: jobs of a kind (unique, scheduled, chain, graph, group_limited, "
        "groups_fair)",
        "NAME"},
    {"samples", 0, POPT_ARG_STRING, &samples_text, 0, "of latency and start (2000)", "N"},
    {"queue", 'q', POPT_ARG_STRING, &queue, 0, "use this queue (bench, bench-latency, bench-start)",
        "NAME"},
    {"directory", 'd', POPT_ARG_STRING, &directory, 0,
        "with latency: time a 4 KiB write and fdatasync in this directory beside it", "DIR"},
    {"name", 0, POPT_ARG_STRING, &name, 0, "call the figure so in JSON", "NAME"}, POPT_TABLEEND};

static bool
read_numbers(const struct cli *cli)
{
    const struct {
        const char *option, *text;
        uint64_t min, max;
        int *to;
    } numbers[] = {{"jobs", jobs_text, 1, INT32_MAX, &jobs_count},
        {"batch", batch_text, 1, 4096, &batch}, {"window", window_text, 0, INT32_MAX, &window},
        {"payload", payload_text, 8, JOBS_PAYLOAD_MAX, &payload_bytes},
        {"priorities", priorities_text, 0, 256, &priorities},
        {"samples", samples_text, 1, SAMPLES_MAX, &samples}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        uint64_t n;
        if (!numbers[i].text)
            continue;
        if (!cli_number(
                cli, numbers[i].option, numbers[i].text, numbers[i].min, numbers[i].max, &n))
            return false;
        *numbers[i].to = (int)n;
    }
    return true;
}

/* What the worker's process tells this one. */
struct shared {
    _Atomic uint64_t done;
    _Atomic uint32_t ready;
    uint64_t latency_us[SAMPLES_MAX];
};

struct bench {
    struct cli *cli;
    struct shared *shared;
    pid_t worker;
    char *payload;
    uint64_t answered;
    enum stint_status failed;
};

static void
report(const struct cli *cli, const char *figure, double value, const char *unit)
{
    if (cli->json)
        (void)out_line(json_pack("{ss ss sf ss}", "schema", "stint.figure/1", "name", figure,
            "value", value, "unit", unit));
    else
        fprintf(console_out(), "%-28s %12.1f %s\n", figure, value, unit);
    (void)fflush(console_out());
}

/* ---- the worker's process ---- */

struct bench_worker {
    struct shared *shared;
    struct stint_worker *worker;
    uint64_t until;
};

static void
run_nothing(struct stint_task *task, void *state)
{
    struct bench_worker *w = state;
    const struct stint_task_info *job = stint_task_info(task);
    uint64_t sent_us, done = atomic_load(&w->shared->done);
    if (job->payload_bytes >= sizeof sent_us && done < SAMPLES_MAX) {
        memcpy(&sent_us, job->payload, sizeof sent_us);
        w->shared->latency_us[done] = clock_us() - sent_us;
    }
    stint_task_succeed(task, NULL, 0);
    if (atomic_fetch_add(&w->shared->done, 1) + 1 == w->until)
        stint_worker_stop(w->worker);
}

static void *
same_state(void *context, uint32_t slot)
{
    (void)slot;
    return context;
}

static int
work(const struct cli *cli, struct shared *shared, uint64_t until)
{
    struct bench_worker w = {.shared = shared, .until = until};
    const char *queues[] = {queue};
    struct stint_worker_options o = {.endpoint = cli->endpoint,
        .key = cli->key,
        .broker_key = cli->broker_key,
        .name = "bench",
        .slots = 1,
        .queues = queues,
        .queues_count = 1};
    struct stint_handler handler = {.run = run_nothing, .make = same_state, .context = &w};
    if (stint_worker_new(&o, &w.worker) != STINT_OK ||
        stint_worker_handle(w.worker, &handler) != STINT_OK)
        return EX_SOFTWARE;
    atomic_store(&shared->ready, 1);
    enum stint_status status = stint_worker_run(w.worker);
    stint_worker_destroy(&w.worker);
    return status == STINT_OK ? EX_OK : EX_UNAVAILABLE;
}

static bool
start_worker(struct bench *b, uint64_t until)
{
    pid_t parent = getpid();
    atomic_store(&b->shared->done, 0);
    b->worker = fork();
    if (b->worker == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(getppid() == parent ? work(b->cli, b->shared, until) : EX_SOFTWARE);
    }
    return b->worker > 0;
}

static int
join_worker(struct bench *b)
{
    int status = 0;
    while (waitpid(b->worker, &status, 0) < 0 && errno == EINTR)
        ;
    b->worker = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

/* ---- submitting ---- */

/* After the worker was forked: ZeroMQ does not survive a fork. */
static enum stint_status
connect_client(struct bench *b)
{
    if (cli_connect(b->cli, NULL, 0) != EX_OK)
        return STINT_BAD_ENDPOINT;
    return stint_connect(b->cli->client, b->cli->timeout_ms);
}

static void
submitted(void *context, enum stint_status status, const struct stint_id *ids, size_t count)
{
    struct bench *b = context;
    (void)ids;
    b->answered += count;
    if (status != STINT_OK)
        b->failed = status;
}

enum { NUMBER_BYTES = 24 };

/* A graph: a job, so many that are after it, and one that is after these. */
enum { GRAPH_WIDTH = 1000, GRAPH_JOBS = GRAPH_WIDTH + 2 };

/* Those that the job is after which stands there in its message. */
static void
be_after(struct stint_job *job, uint32_t place)
{
    static struct stint_id earlier[4096];
    bool chain = strcmp(feature, "chain") == 0, joins = !chain && place == GRAPH_WIDTH + 1;
    if (place == 0)
        return;
    earlier[place - 1] = stint_earlier(place - 1);
    job->after.ids = chain ? &earlier[place - 1] : joins ? &earlier[1] : earlier;
    job->after.count = joins ? GRAPH_WIDTH : 1;
}

/* How many groups there are, and how many jobs of each run at once. */
enum { LIMITED_GROUPS = 1000, LIMITED_RUNNING = 10, FAIR_GROUPS = 10000 };

static bool
is_feature(const char *which)
{
    return feature && strcmp(feature, which) == 0;
}

static enum stint_status
set_groups(struct bench *b)
{
    struct stint_group_setting setting = STINT_GROUP_SETTING_INIT;
    if (!is_feature("group_limited") && !is_feature("groups_fair"))
        return STINT_OK;
    setting.running = is_feature("group_limited") ? LIMITED_RUNNING : 0;
    enum stint_status status =
        stint_set_groups(b->cli->client, queue, &setting, NULL, b->cli->timeout_ms);
    return status == STINT_NO_SUCH_QUEUE ? STINT_OK : status; /* nothing is set for it */
}

/* One of the jobs, the how-manieth, and that of its message. */
static struct stint_job
make_job(const struct bench *b, uint64_t number, uint32_t place, char key[NUMBER_BYTES])
{
    struct stint_job job = STINT_JOB_INIT;
    job.queue = queue;
    job.payload = b->payload;
    job.payload_bytes = (size_t)payload_bytes;
    job.keep_ms = keep ? -1 : 0;
    job.priority = priorities > 1 ? (int32_t)(number * 7919 % (uint64_t)priorities) : -1;
    if (feature && strcmp(feature, "unique") == 0) {
        (void)snprintf(key, NUMBER_BYTES, "%llu", (unsigned long long)number);
        job.unique = key;
    } else if (is_feature("scheduled")) {
        job.delay_ms = 1;
    } else if (is_feature("group_limited") || is_feature("groups_fair")) {
        uint64_t groups = is_feature("groups_fair") ? FAIR_GROUPS : LIMITED_GROUPS;
        (void)snprintf(key, NUMBER_BYTES, "group-%llu", (unsigned long long)(number % groups));
        job.group = key;
    } else if (feature) {
        be_after(&job, place);
    }
    return job;
}

static enum stint_status
submit_all(struct bench *b, uint64_t count)
{
    struct stint_job *jobs = calloc((size_t)batch, sizeof *jobs);
    char(*keys)[NUMBER_BYTES] = calloc((size_t)batch, sizeof *keys);
    enum stint_status status = STINT_OK;
    uint64_t sent = 0;
    if (!jobs || !keys)
        abort();
    b->answered = 0;
    while (status == STINT_OK && b->failed == STINT_OK && b->answered < count) {
        /* In strides: a client that looked for answers after each message would measure that. */
        while (status == STINT_OK && sent < count &&
            stint_client_pending(b->cli->client) < (size_t)window) {
            size_t n = count - sent < (uint64_t)batch ? (size_t)(count - sent) : (size_t)batch;
            for (size_t i = 0; i < n; i++)
                jobs[i] = make_job(b, sent + i, (uint32_t)i, keys[i]);
            status = stint_submit_async(b->cli->client, jobs, n, submitted, b);
            sent += n;
            if (sent / (uint64_t)batch % 64 == 0)
                break;
        }
        if (status == STINT_OK)
            status = stint_client_process(b->cli->client,
                stint_client_pending(b->cli->client) < (size_t)window && sent < count ? 0 : 1000);
    }
    free(keys);
    free(jobs);
    return status == STINT_OK ? b->failed : status;
}

static int
failed(struct bench *b, enum stint_status status)
{
    return b->cli->client ? cli_failed(b->cli, status) : cli_exit(status);
}

static int
report_rate(struct bench *b, const char *figure, uint64_t begun_us)
{
    report(b->cli, name ? name : figure,
        (double)jobs_count / ((double)(clock_us() - begun_us) / 1e6), "jobs/s");
    return EX_OK;
}

static int
bench_lifecycle(struct bench *b)
{
    if (!start_worker(b, (uint64_t)jobs_count))
        return EX_OSERR;
    enum stint_status status = connect_client(b);
    while (!atomic_load(&b->shared->ready) && status == STINT_OK)
        status = stint_client_process(b->cli->client, 10);
    if (status == STINT_OK)
        status = set_groups(b);
    uint64_t begun_us = clock_us();
    if (status == STINT_OK)
        status = submit_all(b, (uint64_t)jobs_count);
    if (status != STINT_OK)
        return failed(b, status);
    int rc = join_worker(b);
    return rc == EX_OK ? report_rate(b, "lifecycle", begun_us) : rc;
}

static int
bench_submit(struct bench *b)
{
    enum stint_status status = connect_client(b);
    uint64_t begun_us = clock_us();
    if (status == STINT_OK)
        status = submit_all(b, (uint64_t)jobs_count);
    return status == STINT_OK ? report_rate(b, "submit", begun_us) : failed(b, status);
}

static int
bench_drain(struct bench *b)
{
    uint64_t begun_us = clock_us();
    if (!start_worker(b, (uint64_t)jobs_count))
        return EX_OSERR;
    int rc = join_worker(b);
    return rc == EX_OK ? report_rate(b, "drain", begun_us) : rc;
}

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double
percentile(uint64_t *values, int count, double percent)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    size_t at = (size_t)((double)(count - 1) * percent / 100);
    return (double)values[at];
}

/* One write of 4 KiB at the end of a file, and its fdatasync. */
static uint64_t
time_sync(int fd)
{
    char bytes[SYNC_BYTES] = {1};
    uint64_t begun_us = clock_us();
    if (write(fd, bytes, sizeof bytes) != sizeof bytes || fdatasync(fd) != 0)
        return 0;
    return clock_us() - begun_us;
}

static int
open_sync_file(void)
{
    char path[4096];
    if (!directory)
        return -1;
    (void)snprintf(path, sizeof path, "%s/stint-bench-sync", directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    (void)unlink(path);
    return fd;
}

static int
bench_latency(struct bench *b)
{
    uint64_t *submit_us = calloc((size_t)samples, sizeof *submit_us);
    uint64_t *sync_us = calloc((size_t)samples, sizeof *sync_us);
    int fd = open_sync_file();
    enum stint_status status = connect_client(b);
    struct stint_job job = STINT_JOB_INIT;
    job.queue = queue;
    job.payload = b->payload;
    job.payload_bytes = (size_t)payload_bytes;
    for (int i = 0; submit_us && sync_us && i < samples && status == STINT_OK; i++) {
        struct stint_id id;
        uint64_t begun_us = clock_us();
        status = stint_submit(b->cli->client, &job, 1, &id, b->cli->timeout_ms);
        submit_us[i] = clock_us() - begun_us;
    }
    for (int i = 0; fd >= 0 && sync_us && i < samples; i++)
        sync_us[i] = time_sync(fd);
    if (status == STINT_OK && submit_us && sync_us) {
        double p50 = percentile(submit_us, samples, 50);
        report(b->cli, "submit_p50_us", p50, "us");
        report(b->cli, "submit_p99_us", percentile(submit_us, samples, 99), "us");
        report(b->cli, "submit_p999_us", percentile(submit_us, samples, 99.9), "us");
        if (fd >= 0) {
            double sync = percentile(sync_us, samples, 50);
            report(b->cli, "fdatasync_4k_p50_us", sync, "us");
            report(b->cli, "submit_p50_over_fdatasync", p50 / sync, "ratio");
        }
    }
    if (fd >= 0)
        close(fd);
    free(submit_us);
    free(sync_us);
    return status == STINT_OK ? EX_OK : failed(b, status);
}

/* One job at a time to an idle worker: from submit to its handler's first instruction. */
static int
bench_start(struct bench *b)
{
    struct stint_job job = STINT_JOB_INIT;
    job.queue = queue;
    job.payload = b->payload;
    job.payload_bytes = sizeof(uint64_t);
    job.keep_ms = 0;
    if (!start_worker(b, (uint64_t)samples))
        return EX_OSERR;
    enum stint_status status = connect_client(b);
    for (int i = 0; i < samples && status == STINT_OK; i++) {
        struct timespec pause = {0, 2000000};
        struct stint_id id;
        uint64_t sent_us = clock_us();
        memcpy(b->payload, &sent_us, sizeof sent_us);
        status = stint_submit(b->cli->client, &job, 1, &id, b->cli->timeout_ms);
        while (status == STINT_OK && atomic_load(&b->shared->done) <= (uint64_t)i)
            (void)nanosleep(&pause, NULL);
    }
    if (status != STINT_OK)
        return failed(b, status);
    int rc = join_worker(b);
    if (rc == EX_OK) {
        int count = samples < SAMPLES_MAX ? samples : SAMPLES_MAX;
        report(b->cli, "start_p50_us", percentile(b->shared->latency_us, count, 50), "us");
        report(b->cli, "start_p99_us", percentile(b->shared->latency_us, count, 99), "us");
    }
    return rc;
}

static int
run_mode(struct bench *b)
{
    static const struct {
        const char *name;
        int (*run)(struct bench *b);
    } modes[] = {{"lifecycle", bench_lifecycle}, {"submit", bench_submit}, {"drain", bench_drain},
        {"latency", bench_latency}, {"start", bench_start}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (!mode || strcmp(mode, modes[i].name) == 0)
            return modes[i].run(b);
    return cli_usage(b->cli, "--mode=%s: see stint bench --help", mode);
}

static int
run(struct cli *cli, const char **args)
{
    enum { MESSAGES_MAX = 8192, JOBS_ON_THE_WAY = 16384 };
    struct bench b = {.cli = cli};
    (void)args;
    if (!read_numbers(cli))
        return EX_USAGE;
    static const char *const features[] = {
        "unique", "scheduled", "chain", "graph", "group_limited", "groups_fair"};
    bool known = !feature;
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        known |= is_feature(features[i]);
    if (!known)
        return cli_usage(cli,
            "--feature=%s: write unique, scheduled, chain, graph, group_limited "
            "or groups_fair",
            feature);
    if (is_feature("graph"))
        batch = GRAPH_JOBS;
    if (!queue) /* a queue for each kind of mode, as latency leaves its jobs behind */
        queue = strdup(mode && strcmp(mode, "latency") == 0 ? "bench-latency"
                : mode && strcmp(mode, "start") == 0        ? "bench-start"
                                                            : "bench");
    if (window == 0)
        window = JOBS_ON_THE_WAY / batch < 8 ? 8 : JOBS_ON_THE_WAY / batch;
    if (window > MESSAGES_MAX)
        window = MESSAGES_MAX;
    b.payload = calloc(1, (size_t)payload_bytes + sizeof(uint64_t));
    b.shared =
        mmap(NULL, sizeof *b.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!b.payload || b.shared == MAP_FAILED)
        abort();
    int rc = run_mode(&b);
    if (b.worker > 0) {
        (void)kill(b.worker, SIGKILL);
        (void)join_worker(&b);
    }
    (void)munmap(b.shared, sizeof *b.shared);
    free(b.payload);
    return rc;
}

const struct verb verb_bench = {"bench", "[OPTION...]",
    "measure a running broker: rates and latencies", options, run, VERB_TAKES_NOTHING};
