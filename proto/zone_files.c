/* Time zones of this machine; the contract is in zone_files.h. */
#include "zone_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char directory[] = "/usr/share/zoneinfo";

/* Up to `most` bytes; -1: they can't be read. */
static ssize_t
read_all(int fd, uint8_t *to, size_t most)
{
    size_t used = 0;
    ssize_t n = 1;
    while (used < most && (n = read(fd, to + used, most - used)) > 0)
        used += (size_t)n;
    return n < 0 ? -1 : (ssize_t)used;
}

struct zone *
zone_of_machine(const char *name)
{
    char path[sizeof directory + ZONE_NAME_BYTES + 1];
    struct stat what;
    struct zone *zone = NULL;
    if (!zone_name_is_valid(name))
        return NULL;
    if (strcmp(name, "UTC") == 0)
        return zone_from_rule("UTC0");
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &what) == 0 && S_ISREG(what.st_mode) && what.st_size < ZONE_FILE_BYTES) {
        uint8_t *bytes = malloc(ZONE_FILE_BYTES);
        if (!bytes)
            abort();
        ssize_t size = read_all(fd, bytes, ZONE_FILE_BYTES);
        if (size > 0)
            zone = zone_from_file(bytes, (size_t)size);
        free(bytes);
    }
    (void)close(fd);
    return zone;
}
