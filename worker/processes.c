/* Looks at processes through /proc; the contract is in processes.h. */
#include "processes.h"

#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int
children_open(void)
{
    char self[24] = "";
    /* A /proc of another pid namespace tells numbers that mean other processes here. */
    if (readlink("/proc/self", self, sizeof self - 1) <= 0 || strtol(self, NULL, 10) != getpid())
        return -1;
    return open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
}

size_t
children_read(int list, pid_t *pids)
{
    char text[CHILDREN_MAX * 8];
    size_t count = 0;
    ssize_t size = list < 0 ? 0 : pread(list, text, sizeof text - 1, 0);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    for (char *at = text; count < CHILDREN_MAX; count++) {
        char *end;
        long pid = strtol(at, &end, 10);
        if (end == at || !isspace((unsigned char)*end))
            break; /* the end, or a number that was cut */
        pids[count] = (pid_t)pid;
        at = end;
    }
    return count;
}

/* A small file as text. */
static bool
read_text(const char *path, char *text, size_t bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = read(fd, text, bytes - 1);
    close(fd);
    if (size <= 0)
        return false;
    text[size] = '\0';
    return true;
}

bool
process_look(pid_t pid, struct process *p)
{
    enum { STATE = 3, GROUP = 5, SESSION = 6, STARTED = 22 }; /* see proc(5) */
    char path[40], text[1024];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    if (!read_text(path, text, sizeof text))
        return false;
    char *at = strrchr(text, ')'); /* ends the name, which may hold anything */
    *p = (struct process){.group = -1};
    for (int field = STATE; at && (at = strchr(at, ' ')) && field <= STARTED; field++) {
        at++;
        if (field == STATE)
            p->dead = *at == 'Z' || *at == 'X';
        else if (field == GROUP)
            p->group = (pid_t)strtol(at, NULL, 10);
        else if (field == SESSION)
            p->session = (pid_t)strtol(at, NULL, 10);
        else if (field == STARTED)
            p->started_ticks = strtoull(at, NULL, 10);
    }
    return p->group >= 0;
}

bool
process_job(pid_t pid, struct stint_id *id, uint32_t *attempt)
{
    static const char id_name[] = "STINT_JOB_ID=", attempt_name[] = "STINT_JOB_ATTEMPT=";
    char path[40], *variable = NULL;
    size_t size = 0;
    bool found = false;
    *attempt = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/environ", (long)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    while (getdelim(&variable, &size, '\0', f) > 0) {
        if (strncmp(variable, id_name, sizeof id_name - 1) == 0)
            found = stint_id_parse(variable + sizeof id_name - 1, id) == STINT_OK;
        else if (strncmp(variable, attempt_name, sizeof attempt_name - 1) == 0)
            *attempt = (uint32_t)strtoul(variable + sizeof attempt_name - 1, NULL, 10);
    }
    free(variable);
    (void)fclose(f);
    return found && *attempt > 0;
}

void
process_kill(pid_t pid)
{
    pid_t group = getpgid(pid);
    if (group > 1 && group != getpgrp())
        (void)kill(-group, SIGKILL);
    (void)kill(pid, SIGKILL);
}

uint64_t
clock_ticks(void)
{
    struct timespec now;
    uint64_t each = (uint64_t)sysconf(_SC_CLK_TCK);
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * each + (uint64_t)now.tv_nsec / (1000000000 / each);
}

void
clock_pause(unsigned ms)
{
    (void)poll(NULL, 0, (int)ms);
}
