/* The file TERM; the contract is in term_file.h. */
#include "term_file.h"
#include "small_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 192, PATH_BYTES = 4096 };

static int
make_text(char text[TEXT_BYTES], const char *identity, unsigned node, uint64_t term)
{
    return snprintf(text, TEXT_BYTES,
        "stint-term 1\nidentity %s\nnode %u\nterm %" PRIu64 "\nvote none\n", identity, node, term);
}

/* What was read is written again and compared, so that every byte of it is understood. */
static bool
parse(const char *text, const char *identity, uint64_t *term)
{
    char again[TEXT_BYTES], whose[33] = "";
    unsigned node;
    if (sscanf(text, "stint-term 1 identity %32[0-9a-f] node %u term %" SCNu64, whose, &node,
            term) != 3)
        return false;
    make_text(again, identity, node, *term);
    return strcmp(text, again) == 0;
}

bool
term_file_read(const char *directory, const char *identity, uint64_t *term, char *error)
{
    char path[PATH_BYTES], text[TEXT_BYTES] = "";
    (void)snprintf(path, sizeof path, "%.4000s/TERM", directory);
    *term = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return true;
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    int problem = errno;
    if (fd >= 0)
        close(fd);
    if (n >= 0 && parse(text, identity, term))
        return true;
    (void)snprintf(error, 512,
        n < 0 ? "can't read %.300s: %s"
              : "%.300s is damaged, or of another data directory; restore it",
        path, strerror(problem));
    errno = n < 0 ? problem : 0;
    return false;
}

bool
term_file_write(
    const char *directory, const char *identity, uint16_t node, uint64_t term, char *error)
{
    char text[TEXT_BYTES];
    int n = make_text(text, identity, node, term);
    if (small_file_replace(directory, "TERM", text, (size_t)n))
        return true;
    int problem = errno;
    (void)snprintf(error, 512, "can't write %.300s/TERM: %s", directory, strerror(problem));
    errno = problem;
    return false;
}
