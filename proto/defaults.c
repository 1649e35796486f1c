/* What a peer is called and whom it asks; the contract is in defaults.h. */
#include "defaults.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *
defaults_endpoint(const char *wanted)
{
    const char *variable = getenv("STINT_ENDPOINT");
    if (wanted)
        return wanted;
    return variable && *variable ? variable : STINT_DEFAULT_ENDPOINT;
}

const char *
defaults_name(const char *wanted, long process, char name[STINT_LABEL_BYTES])
{
    char host[65] = "";
    (void)gethostname(host, sizeof host - 1);
    if (wanted)
        (void)snprintf(name, STINT_LABEL_BYTES, "%s", wanted);
    else
        (void)snprintf(name, STINT_LABEL_BYTES, "%s:%ld", host, process);
    return name;
}
