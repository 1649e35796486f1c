/* The seal of backup files; the contract is in seal.h. */
#include "seal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { PIECE_BYTES = 1 << 20, CHECK_BYTES = 33 };

/* The check of the first `size` bytes of the file and of the text. False with errno set. */
static bool
check_of(int fd, uint64_t size, const char *text, size_t text_bytes, char check[CHECK_BYTES])
{
    uint8_t *piece = malloc(PIECE_BYTES);
    XXH3_state_t *state = XXH3_createState();
    if (!piece || !state)
        abort();
    (void)XXH3_128bits_reset(state);
    ssize_t n = 1;
    for (uint64_t at = 0; at < size && n > 0; at += (uint64_t)n) {
        uint64_t left = size - at;
        n = pread(fd, piece, left < PIECE_BYTES ? (size_t)left : PIECE_BYTES, (off_t)at);
        if (n > 0)
            (void)XXH3_128bits_update(state, piece, (size_t)n);
        else if (n == 0)
            errno = EIO; /* it was cut short while we read */
    }
    (void)XXH3_128bits_update(state, text, text_bytes);
    XXH128_hash_t hash = XXH3_128bits_digest(state);
    (void)snprintf(check, CHECK_BYTES, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64,
        (uint64_t)hash.low64);
    (void)XXH3_freeState(state);
    free(piece);
    return n > 0;
}

/* The text up to the check. */
static size_t
write_text(char text[SEAL_BYTES], const struct seal *s)
{
    return (size_t)snprintf(text, SEAL_BYTES,
        "stint-backup %d\nstint-data %d\nidentity %s\nbroker %d\nsize %" PRIu64 "\ntaken %" PRIu64
        "\ncheck ",
        s->version, s->format, s->identity, s->broker, s->size, s->taken_ms);
}

static void
finish_text(char text[SEAL_BYTES], size_t used, const char *check)
{
    memset(text + used, '\n', SEAL_BYTES - used);
    memcpy(text + used, check, CHECK_BYTES - 1);
}

bool
seal_write(int fd, const struct seal *seal)
{
    char text[SEAL_BYTES], check[CHECK_BYTES];
    size_t used = write_text(text, seal);
    if (!check_of(fd, seal->size, text, used, check))
        return false;
    finish_text(text, used, check);
    errno = ENOSPC; /* a short write has none */
    return pwrite(fd, text, SEAL_BYTES, (off_t)seal->size) == SEAL_BYTES;
}

/* What was read is written again and compared, so that every byte of it is understood. */
static enum seal_result
parse(const char text[SEAL_BYTES + 1], uint64_t size, struct seal *s, char check[CHECK_BYTES])
{
    char again[SEAL_BYTES];
    *s = (struct seal){.version = 0};
    if (strncmp(text, "stint-backup ", 13) != 0)
        return SEAL_NONE;
    int fields = sscanf(text,
        "stint-backup %d stint-data %d identity %32[0-9a-f] broker %d size %" SCNu64
        " taken %" SCNu64 " check %32[0-9a-f]",
        &s->version, &s->format, s->identity, &s->broker, &s->size, &s->taken_ms, check);
    if (fields >= 1 && s->version > SEAL_VERSION)
        return SEAL_NEWER;
    if (fields != 7 || s->version != SEAL_VERSION || strlen(check) != CHECK_BYTES - 1 ||
        s->broker < 0 || s->broker > UINT16_MAX || s->format < 1 || s->size != size)
        return SEAL_BROKEN;
    finish_text(again, write_text(again, s), check);
    return memcmp(text, again, SEAL_BYTES) == 0 ? SEAL_GOOD : SEAL_BROKEN;
}

enum seal_result
seal_read(int fd, bool whole, struct seal *seal)
{
    char text[SEAL_BYTES + 1] = "", check[CHECK_BYTES] = "", now[CHECK_BYTES];
    struct stat st;
    if (fstat(fd, &st) != 0)
        return SEAL_UNREAD;
    if (st.st_size < SEAL_BYTES)
        return SEAL_NONE;
    uint64_t size = (uint64_t)st.st_size - SEAL_BYTES;
    ssize_t n = pread(fd, text, SEAL_BYTES, (off_t)size);
    if (n != SEAL_BYTES)
        return n < 0 ? SEAL_UNREAD : SEAL_NONE;
    enum seal_result result = parse(text, size, seal, check);
    if (result != SEAL_GOOD || !whole)
        return result;
    char again[SEAL_BYTES];
    if (!check_of(fd, size, again, write_text(again, seal), now))
        return SEAL_UNREAD;
    return strcmp(check, now) == 0 ? SEAL_GOOD : SEAL_BROKEN;
}
