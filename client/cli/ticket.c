/* Tickets and their sockets; the contract is in ticket.h. */
#include "ticket.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char prefix[] = "take-";

const char *
ticket_format(const struct ticket *ticket, char text[TICKET_BYTES])
{
    char id[STINT_ID_TEXT_BYTES];
    (void)snprintf(text, TICKET_BYTES, "%s/%u", stint_id_format(&ticket->id, id), ticket->attempt);
    return text;
}

bool
ticket_parse(const char *text, struct ticket *ticket)
{
    char id[STINT_ID_TEXT_BYTES];
    const char *slash = strchr(text, '/');
    size_t size = slash ? (size_t)(slash - text) : strlen(text);
    ticket->attempt = 0;
    if (size >= sizeof id)
        return false;
    memcpy(id, text, size);
    id[size] = '\0';
    if (slash) {
        char *end;
        errno = 0;
        unsigned long attempt = strtoul(slash + 1, &end, 10);
        if (slash[1] < '1' || slash[1] > '9' || *end || errno || attempt > UINT32_MAX)
            return false;
        ticket->attempt = (uint32_t)attempt;
    }
    return stint_id_parse(id, &ticket->id) == STINT_OK;
}

/* The user's own directory for what lives as long as a session, or one in /tmp. */
static void
name_directory(char path[TICKET_PATH_BYTES])
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime && runtime[0] == '/' && strlen(runtime) < 40)
        (void)snprintf(path, TICKET_PATH_BYTES, "%.40s/stint", runtime);
    else
        (void)snprintf(path, TICKET_PATH_BYTES, "/tmp/stint-%lu", (unsigned long)geteuid());
}

/* Is it a directory that nobody else can put things into? */
static bool
is_private(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
        (st.st_mode & 077) == 0;
}

static void
name_socket(const struct ticket *ticket, char path[TICKET_PATH_BYTES])
{
    char id[STINT_ID_TEXT_BYTES], directory[TICKET_PATH_BYTES];
    name_directory(directory);
    (void)snprintf(path, TICKET_PATH_BYTES, "%.50s/%s%s-%u", directory, prefix,
        stint_id_format(&ticket->id, id), ticket->attempt);
}

int
ticket_listen(const struct ticket *ticket, char path[TICKET_PATH_BYTES], char *why, size_t why_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char directory[TICKET_PATH_BYTES];
    name_directory(directory);
    name_socket(ticket, path);
    if ((mkdir(directory, 0700) != 0 && errno != EEXIST) || !is_private(directory)) {
        (void)snprintf(why, why_size,
            "%s has to be a directory of this user's alone; set XDG_RUNTIME_DIR", directory);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    (void)unlink(path); /* of a broker of the same number, and over: this lease is ours */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && fchmod(fd, 0600) == 0 &&
        bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 4) == 0)
        return fd;
    (void)snprintf(why, why_size, "can't listen at %s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

bool
ticket_is_ours(int fd)
{
    struct ucred user;
    socklen_t size = sizeof user;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &user, &size) == 0 &&
        (user.uid == geteuid() || user.uid == 0);
}

static int
connect_to(const struct ticket *ticket)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    name_socket(ticket, address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 && ticket_is_ours(fd))
        return fd;
    if (errno == ECONNREFUSED)
        (void)unlink(address.sun_path);
    (void)close(fd);
    return -1;
}

/* The attempt that somebody holds of this job. Of one job there is never more than one lease; what
 * an earlier one left behind answers nobody. */
static int
find_holder(const char *directory, struct ticket *ticket)
{
    char id[STINT_ID_TEXT_BYTES], start[TICKET_PATH_BYTES], *end;
    struct dirent *entry;
    DIR *d = opendir(directory);
    int fd = -1;
    (void)snprintf(start, sizeof start, "%s%s-", prefix, stint_id_format(&ticket->id, id));
    while (d && fd < 0 && (entry = readdir(d)) != NULL) {
        if (strncmp(entry->d_name, start, strlen(start)) != 0)
            continue;
        ticket->attempt = (uint32_t)strtoul(entry->d_name + strlen(start), &end, 10);
        fd = connect_to(ticket);
    }
    if (d)
        (void)closedir(d);
    return fd;
}

int
ticket_connect(struct ticket *ticket)
{
    char directory[TICKET_PATH_BYTES];
    name_directory(directory);
    if (!is_private(directory))
        return -1;
    return ticket->attempt ? connect_to(ticket) : find_holder(directory, ticket);
}

bool
ticket_send(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

bool
ticket_receive(int fd, void *bytes, size_t size)
{
    char *at = bytes;
    while (size > 0) {
        ssize_t n = recv(fd, at, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}
