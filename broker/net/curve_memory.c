/* What libzmq's handshakes (CURVE) take their memory from, in place of libsodium's functions of the
 * same names. Those give each piece pages of its own between guards, locked: a dozen system calls,
 * and interrupts for the other threads, several times a handshake. That was more than half of what
 * a stranger's handshake cost us. Here it is memory like any other, as the broker's own secret is,
 * and it is wiped when it is given back, too.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Before each piece: how long it is. */
union head {
    size_t bytes;
    max_align_t align;
};

#define IN_PLACE_OF_LIBSODIUM __attribute__((visibility("default"), used))

void *sodium_allocarray(size_t count, size_t size);
void sodium_free(void *piece);

/* NULL with errno set to ENOMEM if there is none. */
IN_PLACE_OF_LIBSODIUM void *
sodium_allocarray(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - sizeof(union head))
        bytes = SIZE_MAX - sizeof(union head); /* which nobody gets */
    union head *head = malloc(sizeof *head + bytes);
    if (!head)
        return NULL;
    head->bytes = bytes;
    return head + 1;
}

IN_PLACE_OF_LIBSODIUM void
sodium_free(void *piece)
{
    union head *head = piece;
    if (!piece)
        return;
    head--;
    explicit_bzero(head, sizeof *head + head->bytes);
    free(head);
}
