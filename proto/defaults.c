/* What a peer is called and whom it asks; the contract is in defaults.h. */
#include "defaults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *
defaults_endpoint(const char *wanted)
{
    const char *variable = getenv("STINT_ENDPOINT");
    if (wanted)
        return wanted;
    return variable && *variable ? variable : STINT_DEFAULT_ENDPOINT;
}

/* How much of a text fits: whole characters, as the broker takes UTF-8 alone. */
static int
fitting(const char *text)
{
    size_t size = strnlen(text, STINT_LABEL_BYTES);
    if (size == STINT_LABEL_BYTES) {
        size--;
        for (unsigned i = 0; i < 3 && ((unsigned char)text[size] & 0xc0) == 0x80; i++)
            size--;
    }
    return (int)size;
}

const char *
defaults_name(const char *wanted, long process, char name[STINT_LABEL_BYTES])
{
    char host[65] = "";
    (void)gethostname(host, sizeof host - 1);
    if (wanted)
        (void)snprintf(name, STINT_LABEL_BYTES, "%.*s", fitting(wanted), wanted);
    else
        (void)snprintf(name, STINT_LABEL_BYTES, "%s:%ld", host, process);
    return name;
}
