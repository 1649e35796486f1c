/* What a worker has; the contract is in stock.h. */
#include "stock.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

struct stock
stock_of_machine(void)
{
    cpu_set_t allowed;
    long online = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    int cores = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 0;
    if (cores < 1) /* more than a set has room for */
        cores = online < 1 ? 1 : (int)online;
    struct stock s = {.cpus = (uint64_t)cores * NEEDS_ONE};
    if (pages > 0 && page > 0)
        s.memory_bytes = (uint64_t)pages * (uint64_t)page;
    stock_limit(&s, "/proc/self/cgroup", "/sys/fs/cgroup");
    return s;
}

/* Numbers of a file: how many there are, up to two; "max" is none. */
static int
read_numbers(const char *directory, const char *name, unsigned long long numbers[2])
{
    char path[PATH_MAX + 32];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    int count = fscanf(f, "%llu %llu", &numbers[0], &numbers[1]);
    (void)fclose(f);
    return count < 0 ? 0 : count;
}

static void
limit_by(struct stock *s, const char *directory)
{
    unsigned long long n[2];
    if (read_numbers(directory, "memory.max", n) >= 1 && n[0] < s->memory_bytes)
        s->memory_bytes = n[0];
    if (read_numbers(directory, "cpu.max", n) == 2 && n[1] > 0 && n[0] < UINT64_MAX / NEEDS_ONE &&
        n[0] * NEEDS_ONE / n[1] < s->cpus)
        s->cpus = n[0] * NEEDS_ONE / n[1];
}

void
stock_limit(struct stock *s, const char *members, const char *mount)
{
    char line[PATH_MAX], directory[2 * PATH_MAX];
    FILE *f = fopen(members, "re");
    if (!f)
        return;
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "0::/", 4) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        (void)snprintf(directory, sizeof directory, "%s%s", mount, line + 3);
        for (size_t end = strlen(directory); end > strlen(mount); directory[end] = '\0') {
            limit_by(s, directory);
            while (end > 0 && directory[--end] != '/')
                ;
        }
        limit_by(s, mount);
    }
    (void)fclose(f);
    if (s->cpus == 0)
        s->cpus = 1;
}

static bool
says(const char *text, const char *name)
{
    struct slice rest = {(const uint8_t *)text, strlen(text)};
    struct needs_word word;
    while (needs_next(&rest, &word))
        if (word.is_amount && word.name.size == strlen(name) &&
            memcmp(word.name.data, name, word.name.size) == 0)
            return true;
    return false;
}

const char *
stock_write(const struct stock *s, const char *said, char text[LIMIT_HAS_BYTES + 1])
{
    char all[2 * LIMIT_HAS_BYTES];
    size_t size = 0, used;
    text[0] = '\0';
    if (said) {
        const char *why = needs_write(
            NEEDS_OF_WORKER, (struct slice){(const uint8_t *)said, strlen(said)}, text, &size);
        if (why)
            return why;
    }
    memcpy(all, text, size + 1);
    used = size;
    const struct needs_word cpus = {{(const uint8_t *)"cpus", 4}, s->cpus, true};
    const struct needs_word mem = {
        {(const uint8_t *)"mem", 3}, s->memory_bytes / MIB * MIB * NEEDS_ONE, true};
    if (!says(text, "cpus"))
        used = needs_add(all, sizeof all, used, &cpus);
    if (!says(text, "mem") && mem.amount > 0 && mem.amount <= NEEDS_AMOUNT_MAX)
        used = needs_add(all, sizeof all, used, &mem);
    /* What was said is good by itself, so it can only be too much. */
    return needs_write(NEEDS_OF_WORKER, (struct slice){(const uint8_t *)all, used}, text, &size)
        ? "a worker has at most 32 labels and amounts, of 511 bytes, with cpus and mem, which are "
          "added if they are not said"
        : NULL;
}
