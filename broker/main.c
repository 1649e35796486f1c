/* stintd: a broker in a process of its own: settings, signals, limits, and what is said at start
 * and end. What a broker consists of is service.c's.
 */
#include "init.h"
#include "log.h"
#include "minder.h"
#include "notify.h"
#include "service.h"
#include "streams.h"
#include "upkeep.h"
#include "upkeep_run.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

_Noreturn static void
stop_at_once(const char *text, int exit_code)
{
    log_last_words(text); /* NOLINT: it calls what may be called, poll, send and write */
    _exit(exit_code);
}

/* A page of the data file that can't be read, or that points to nowhere, kills whoever touches it.
 * Say so, and stop. */
static void
on_memory_fault(int signal)
{
    if (signal == SIGBUS)
        stop_at_once("stintd: a page of the data file can't be read (SIGBUS): the file was cut "
                     "short or the disk failed; nothing unsaved was answered\n",
            EX_IOERR);
    stop_at_once(
        "stintd: stopped by a fault in its memory: the data file is damaged (try --verify), or "
        "this is a bug; nothing unsaved was answered\n",
        EX_IOERR);
}

static void
on_damaged_store(const char *what)
{
    char text[512];
    (void)snprintf(text, sizeof text,
        "stintd: the data file is damaged (%.200s); nothing unsaved was answered; restore it from "
        "a backup\n",
        what);
    stop_at_once(text, EX_DATAERR);
}

/* As many connections as the system lets us have. A file that may not grow any further is to be an
 * error, as any other, and not a signal. */
static void
raise_limits(void)
{
    struct rlimit files;
    (void)signal(SIGXFSZ, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

struct process {
    struct service service;
    int signals; /* they come through this descriptor */
};

/* The signals that are waited for are blocked, before any thread is started. */
static int
block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* The signal that is waiting, or 0. */
static int
next_signal(int fd)
{
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

/* Nothing is kept open that could be opened again: logs go to standard error. */
static void
look_again(struct service *b)
{
    log_event(LOG_LEVEL_INFO, "hangup", NULL);
    router_look_at_keys(b->router);
}

static bool
take_signals(void *context)
{
    struct process *p = context;
    bool closing = false;
    for (int signal; (signal = next_signal(p->signals)) != 0;) {
        if (signal == SIGHUP)
            look_again(&p->service);
        else
            closing = true;
    }
    return closing;
}

static void
tell_ready(void *context)
{
    (void)context;
    notify("READY=1");
}

static void
tell_alive(void *context)
{
    (void)context;
    notify_alive();
}

static int
run(struct service *b)
{
    int rc = service_open(b);
    if (rc)
        return rc;
    rc = service_serve(b);
    notify("STOPPING=1");
    if (rc == EX_OK)
        log_event(LOG_LEVEL_INFO, "stopped", NULL);
    return rc;
}

/* Reads all that is stored and says whether it fits together. */
static int
verify(struct service *b)
{
    struct verify_report report = {0};
    if (!data_exists(b->options.data)) {
        char text[512];
        (void)snprintf(text, sizeof text,
            "%.300s is no data directory of stintd's; name one with --data", b->options.data);
        log_refusal(text);
        return EX_NOINPUT;
    }
    minder_start(&(struct minder_options){.signals = b->host.fd});
    int rc = service_open_store(b);
    if (rc)
        return rc;
    upkeep_verify(b->store, (uint16_t)b->options.broker, &report);
    return upkeep_tell(&report);
}

int
main(int argc, char **argv)
{
    static struct process p; /* static: its settings live as long as we do */
    struct service *b = &p.service;
    int rc = EX_OK;
    standard_streams_open();
    service_init(b);
    if (!options_read(&b->options, argc, argv, &rc))
        return rc;
    p.signals = block_signals(); /* until now they end us, whatever settings are read from */
    b->host = (struct service_host){.context = &p,
        .fd = p.signals,
        .woken = take_signals,
        .ready = tell_ready,
        .alive = tell_alive,
        .on_damage = on_damaged_store};
    if (b->options.check_config) {
        printf("stintd: the settings are good\n");
        return upkeep_printed();
    }
    (void)umask(0077);
    if (b->options.init) {
        rc = init_run(&b->options);
        return rc ? rc : upkeep_printed();
    }
    (void)signal(SIGBUS, on_memory_fault);
    (void)signal(SIGSEGV, on_memory_fault);
    (void)signal(SIGABRT, on_memory_fault); /* so that whoever starts us again sees an exit code */
    (void)signal(SIGPIPE, SIG_IGN);
    raise_limits();
    if (upkeep_wanted(&b->options))
        return upkeep_run(&b->options, p.signals);
    rc = b->options.verify ? verify(b) : run(b);
    service_close(b);
    return rc;
}
