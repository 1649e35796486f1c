/* A map's state directory: `map` (command and session), `ids` (16 bytes a job, in the order of
 * input), `shown` (a byte a job: 0 no, 1 yes, 2 yes and it had failed).
 */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

struct state {
    char directory[4000];
    uint8_t session[STINT_SESSION_BYTES];
    int ids_fd, shown_fd;
    uint64_t ids, failed;
    uint8_t *shown;
    uint64_t shown_size;
};

static void
file(const struct state *s, const char *name, char path[4096])
{
    (void)snprintf(path, 4096, "%s/%s", s->directory, name);
}

static int
make_map(struct state *s, const char *command)
{
    char path[4096];
    if (getrandom(s->session, sizeof s->session, 0) != sizeof s->session)
        return EX_OSERR;
    file(s, "map", path);
    FILE *f = fopen(path, "we");
    if (!f)
        return EX_CANTCREAT;
    for (unsigned i = 0; i < sizeof s->session; i++)
        fprintf(f, "%02x", s->session[i]);
    fprintf(f, "\n%s\n", command);
    bool good = fflush(f) == 0 && fsync(fileno(f)) == 0;
    return fclose(f) == 0 && good ? EX_OK : EX_IOERR;
}

static int
read_map(struct state *s, const char *command)
{
    char path[4096], *was = NULL;
    size_t size = 0;
    int rc = EX_OK;
    file(s, "map", path);
    FILE *f = fopen(path, "re");
    if (!f)
        return errno == ENOENT ? make_map(s, command) : EX_NOINPUT;
    for (unsigned i = 0; i < sizeof s->session; i++) {
        unsigned byte;
        if (fscanf(f, "%2x", &byte) != 1)
            rc = EX_CONFIG;
        s->session[i] = (uint8_t)byte;
    }
    (void)fgetc(f);
    ssize_t n = getdelim(&was, &size, '\0', f);
    if (n <= 0 || strncmp(was, command, strlen(command)) != 0 ||
        strcmp(was + strlen(command), "\n") != 0)
        rc = EX_CONFIG;
    free(was);
    fclose(f);
    return rc;
}

static bool
open_files(struct state *s)
{
    char path[4096];
    struct stat st;
    file(s, "ids", path);
    s->ids_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    file(s, "shown", path);
    s->shown_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->ids_fd < 0 || s->shown_fd < 0 || fstat(s->ids_fd, &st) != 0)
        return false;
    s->ids = (uint64_t)st.st_size / STINT_ID_BYTES;
    if (fstat(s->shown_fd, &st) != 0)
        return false;
    s->shown_size = (uint64_t)st.st_size;
    s->shown = calloc(s->shown_size + 1, 1);
    if (!s->shown || pread(s->shown_fd, s->shown, s->shown_size, 0) != (ssize_t)s->shown_size)
        return false;
    for (uint64_t i = 0; i < s->shown_size; i++)
        s->failed += s->shown[i] == 2;
    return true;
}

int
state_open(struct cli *cli, const char *directory, const char *command, struct state **state)
{
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->ids_fd = s->shown_fd = -1;
    (void)snprintf(s->directory, sizeof s->directory, "%s", directory);
    int rc = mkdir(directory, 0700) != 0 && errno != EEXIST ? EX_CANTCREAT : read_map(s, command);
    if (rc == EX_CONFIG)
        cli_say(cli, "%s belongs to another command; finish that one, or choose another directory",
            directory);
    else if (rc == EX_OK && !open_files(s))
        rc = EX_IOERR;
    if (rc != EX_OK && rc != EX_CONFIG)
        cli_say(cli, "can't use %s: %s", directory, strerror(errno));
    if (rc != EX_OK)
        state_close(&s);
    *state = s;
    return rc;
}

void
state_close(struct state **state)
{
    struct state *s = *state;
    if (!s)
        return;
    if (s->ids_fd >= 0)
        close(s->ids_fd);
    if (s->shown_fd >= 0)
        close(s->shown_fd);
    free(s->shown);
    free(s);
    *state = NULL;
}

const uint8_t *
state_session(const struct state *s)
{
    return s->session;
}

uint64_t
state_ids(const struct state *s)
{
    return s->ids;
}

bool
state_id(struct state *s, uint64_t index, struct stint_id *id)
{
    return pread(s->ids_fd, id->bytes, STINT_ID_BYTES, (off_t)(index * STINT_ID_BYTES)) ==
        STINT_ID_BYTES;
}

bool
state_add_ids(struct state *s, const struct stint_id *ids, size_t count)
{
    size_t bytes = count * STINT_ID_BYTES;
    if (pwrite(s->ids_fd, ids, bytes, (off_t)(s->ids * STINT_ID_BYTES)) != (ssize_t)bytes ||
        fdatasync(s->ids_fd) != 0)
        return false;
    s->ids += count;
    return true;
}

bool
state_shown(const struct state *s, uint64_t index)
{
    return index < s->shown_size && s->shown[index] != 0;
}

bool
state_show(struct state *s, uint64_t index, bool failed)
{
    uint8_t mark = failed ? 2 : 1;
    s->failed += failed;
    return pwrite(s->shown_fd, &mark, 1, (off_t)index) == 1;
}

uint64_t
state_failed(const struct state *s)
{
    return s->failed;
}

void
state_finish(struct state *s)
{
    static const char *const names[] = {"ids", "shown", "map"};
    char path[4096];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        file(s, names[i], path);
        (void)unlink(path);
    }
}
