/* The thread that watches; the contract is in minder.h. */
#include "minder.h"
#include "upkeep.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_MS = 200 };

static struct {
    struct minder_options options;
    int file;
    uint64_t growth_bytes, begin_bytes;
    atomic_bool reads;
} minder;

static uint64_t
size_of(int file)
{
    struct stat st;
    return fstat(file, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static uint64_t
growth(void)
{
    uint64_t now = size_of(minder.file);
    return now > minder.begin_bytes ? now - minder.begin_bytes : 0;
}

_Noreturn static void
give_up(int exit_code)
{
    if (minder.options.fresh)
        fresh_abandon(minder.options.fresh);
    if (minder.options.drop)
        minder.options.drop(minder.options.context);
    _exit(exit_code);
}

static void *
watch(void *nothing)
{
    const struct minder_options *o = &minder.options;
    struct pollfd signals = {.fd = o->signals, .events = POLLIN};
    struct signalfd_siginfo info;
    (void)nothing;
    for (;;) {
        if (poll(&signals, 1, LOOK_MS) > 0 && read(o->signals, &info, sizeof info) == sizeof info)
            give_up(128 + (int)info.ssi_signo);
        if (!atomic_load(&minder.reads) || minder.growth_bytes == 0 ||
            growth() <= minder.growth_bytes)
            continue;
        (void)upkeep_refuse(EX_TEMPFAIL,
            "the data file grew by %" PRIu64 " bytes while it was read, which --growth-max does "
            "not allow; try when the broker has less to do, or write to a faster place",
            growth());
        give_up(EX_TEMPFAIL);
    }
    return NULL;
}

void
minder_start(const struct minder_options *options)
{
    pthread_t thread;
    minder.options = *options;
    if (pthread_create(&thread, NULL, watch, NULL) != 0)
        abort();
    (void)pthread_detach(thread);
}

void
minder_reads(int file, uint64_t growth_bytes)
{
    minder.file = file;
    minder.growth_bytes = growth_bytes;
    minder.begin_bytes = size_of(file);
    atomic_store(&minder.reads, true);
}

uint64_t
minder_done_reading(void)
{
    atomic_store(&minder.reads, false);
    return growth();
}
