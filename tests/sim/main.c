/* The simulator's command: run seeds, replay one, make a failing one small. */
#include "batcher.h"
#include "broker.h"
#include "oracle.h"
#include "plan.h"
#include "ticker.h"

#include <getopt.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS_MAX = 64, SETTLE_MINUTES = 30 };

struct options {
    uint64_t seed, seeds;
    unsigned jobs, submissions; /* submissions: 0: as the seed says */
    bool on_disk, one, only, as_it_is; /* as_it_is: a failing plan is not made small */
    uint64_t kept; /* with `only`: a bit for each fault that happens */
};

/* Between the processes that run seeds at the same time. */
struct shared {
    struct sim_figures figures[JOBS_MAX];
    uint64_t seed[JOBS_MAX]; /* that each of them runs */
};

static char directory[64];

/* Lets the world go on until `what` holds. */
static bool
run_until(bool (*what)(void), unsigned seconds)
{
    for (unsigned i = 0; i < seconds && !what(); i++)
        world_run(world_us() + US_A_SECOND);
    return what();
}

static bool
all_well(void)
{
    return peers_content() && ticker_content() && batcher_content() && oracle_all_settled();
}

static void
end_world(void)
{
    peers_stop();
    ticker_stop();
    batcher_stop();
    world_run(world_us() + 200ULL * US_A_SECOND);
    broker_stop();
    world_run(world_us() + 100ULL * US_A_SECOND);
    world_end();
    network_end();
    broker_end();
    oracle_end();
}

static void
run_seed(const struct options *o, uint64_t seed)
{
    struct plan plan;
    plan_make(&plan, seed);
    if (o->submissions)
        plan.load.submissions = o->submissions;
    world_begin(chance_of(seed, 3));
    oracle_begin(&plan.options);
    broker_begin(&plan.options, chance_of(seed, 4), o->on_disk ? directory : NULL);
    peers_begin(&plan.load, seed);
    ticker_begin(seed, plan.load.ticks);
    batcher_begin(seed, plan.load.batched > 0);
    for (unsigned i = 0; i < plan.count; i++) {
        if (o->only && !(o->kept >> i & 1))
            continue;
        world_run(plan.faults[i].at_us);
        plan_apply(&plan.faults[i]);
    }
    world_run(plan.end_us);
    plan_heal(&plan);
    ticker_calm();
    batcher_calm();
    if (!run_until(all_well, SETTLE_MINUTES * 60))
        sim_broken("faults stopped half an hour ago, and not all is settled: %s", peers_wants());
    oracle_check_end();
    if (plan.load.brief && !run_until(oracle_all_gone, 300))
        sim_broken("outcomes are kept for longer than they should be");
    figures.seeds++;
    figures.virtual_us += world_us();
    end_world();
}

static void
make_directory(void)
{
    (void)snprintf(directory, sizeof directory, "/dev/shm/stint-sim-%ld", (long)getpid());
    if (mkdir(directory, 0700) != 0)
        perror(directory);
}

static void
remove_directory(void)
{
    char path[96];
    static const char *const files[] = {"jobs.lmdb", "jobs.lmdb-lock"};
    for (unsigned i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(directory);
}

static int
run_share(const struct options *o, struct shared *shared, unsigned job)
{
    if (o->on_disk)
        make_directory();
    for (uint64_t n = job; n < o->seeds; n += o->jobs) {
        shared->seed[job] = o->seed + n;
        run_seed(o, o->seed + n);
        shared->figures[job] = figures;
    }
    if (o->on_disk)
        remove_directory();
    return 0;
}

/* Does it break? In a process of its own, in silence. */
static bool
breaks(const struct options *o)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout))
            _exit(2);
        if (o->on_disk)
            make_directory();
        run_seed(o, o->seed);
        if (o->on_disk)
            remove_directory();
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status != 0;
}

/* Leaves out what is not needed for it to break. */
static void
shrink(struct options *o)
{
    struct plan plan;
    plan_make(&plan, o->seed);
    o->only = true;
    o->kept = UINT64_MAX >> (64 - (plan.count ? plan.count : 1));
    for (bool smaller = true; smaller;) {
        smaller = false;
        for (unsigned i = 0; i < plan.count; i++) {
            struct options less = *o;
            less.kept &= ~(1ULL << i);
            if (less.kept != o->kept && breaks(&less)) {
                *o = less;
                smaller = true;
            }
        }
    }
    for (unsigned n = 1; n < plan.load.submissions; n++) {
        struct options less = *o;
        less.submissions = n;
        if (breaks(&less)) {
            *o = less;
            break;
        }
    }
}

static void
print_command(const struct options *o)
{
    struct plan plan;
    const char *comma = "";
    plan_make(&plan, o->seed);
    printf("replay it: ./dev sim --seed %llu", (unsigned long long)o->seed);
    if (o->on_disk)
        printf(" --lmdb");
    if (o->only) {
        printf(" --only ");
        for (unsigned i = 0; i < plan.count; i++)
            if (o->kept >> i & 1) {
                printf("%s%u", comma, i);
                comma = ",";
            }
        if (!*comma)
            printf("none");
    }
    if (o->submissions)
        printf(" --submissions %u", o->submissions);
    printf(" --trace\n");
    for (unsigned i = 0; i < plan.count; i++)
        if (!o->only || o->kept >> i & 1)
            printf("  fault %u: %s\n", i, plan_text(&plan.faults[i]));
}

static void
add_up(struct sim_figures *sum, const struct sim_figures *f)
{
    const uint64_t *from = (const uint64_t *)f;
    uint64_t *to = (uint64_t *)sum;
    for (size_t i = 0; i < sizeof *f / sizeof *from; i++)
        to[i] += from[i];
}

static void
print_figures(const struct sim_figures *f, double seconds)
{
    printf("%llu seeds passed in %.1f s (%.1f a second): %.1f simulated hours, %llu faults, "
           "%llu starts of the broker, %llu kills of workers and %llu of clients, %llu steps, "
           "%llu frames, %llu jobs, %llu runs\n",
        (unsigned long long)f->seeds, seconds, (double)f->seeds / seconds,
        (double)f->virtual_us / 3.6e9, (unsigned long long)f->faults,
        (unsigned long long)f->restarts, (unsigned long long)f->worker_kills,
        (unsigned long long)f->client_kills, (unsigned long long)f->steps,
        (unsigned long long)f->frames, (unsigned long long)f->jobs, (unsigned long long)f->runs);
}

static double
now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Runs all seeds on several cores. */
static int
run_all(struct options *o)
{
    struct sim_figures sum = {0};
    pid_t children[JOBS_MAX];
    unsigned failed = 0;
    double from = now_s();
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        abort();
    for (unsigned i = 0; i < o->jobs; i++) {
        children[i] = fork();
        if (children[i] == 0)
            exit(run_share(o, shared, i));
    }
    for (unsigned i = 0; i < o->jobs; i++) {
        int status;
        if (waitpid(children[i], &status, 0) == children[i] && status == 0) {
            add_up(&sum, &shared->figures[i]);
            continue;
        }
        struct options small = *o;
        small.seed = shared->seed[i];
        printf("seed %llu broke a promise\n", (unsigned long long)small.seed);
        print_command(&small);
        fflush(stdout);
        failed++;
        if (o->as_it_is)
            continue;
        shrink(&small);
        printf("made small:\n");
        print_command(&small);
    }
    if (!failed)
        print_figures(&sum, now_s() - from);
    return failed ? 1 : 0;
}

static void
read_only(struct options *o, const char *list)
{
    o->only = true;
    for (char *at = (char *)(uintptr_t)list; *at >= '0' && *at <= '9';) {
        o->kept |= 1ULL << strtoul(at, &at, 10);
        if (*at == ',')
            at++;
    }
}

static int
usage(void)
{
    fprintf(stderr,
        "usage: stint_sim [--seeds N] [--from SEED] [--jobs N] [--lmdb] [--no-shrink]\n"
        "       stint_sim --seed SEED [--only FAULT,...] [--submissions N] [--lmdb] [--trace]\n");
    return 64;
}

int
main(int argc, char **argv)
{
    static const struct option names[] = {{"seeds", 1, NULL, 'n'}, {"from", 1, NULL, 'f'},
        {"seed", 1, NULL, 's'}, {"jobs", 1, NULL, 'j'}, {"only", 1, NULL, 'o'},
        {"submissions", 1, NULL, 'u'}, {"lmdb", 0, NULL, 'l'}, {"trace", 0, NULL, 't'},
        {"no-shrink", 0, NULL, 'k'}, {NULL, 0, NULL, 0}};
    struct options o = {.seed = 1, .seeds = 200, .jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN)};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'n':
            o.seeds = strtoull(optarg, NULL, 10);
            break;
        case 's':
            o.one = true;
            o.seed = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            o.seed = strtoull(optarg, NULL, 10);
            break;
        case 'j':
            o.jobs = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'o':
            read_only(&o, optarg);
            break;
        case 'u':
            o.submissions = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'l':
            o.on_disk = true;
            break;
        case 'k':
            o.as_it_is = true;
            break;
        case 't':
            sim_traced = true;
            break;
        default:
            return usage();
        }
    }
    if (optind < argc || o.jobs == 0 || o.jobs > JOBS_MAX)
        return usage();
    if (!o.one)
        return run_all(&o);
    double from = now_s();
    if (o.on_disk)
        make_directory();
    run_seed(&o, o.seed);
    if (o.on_disk)
        remove_directory();
    print_figures(&figures, now_s() - from);
    return 0;
}
