/* Endpoints; the contract is in endpoint.h. */
#include "endpoint.h"

#include <string.h>

enum { IPC_PATH_BYTES = 107 /* what the kernel has room for */ };

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Names of hosts, IPv4 addresses, and, to bind, interfaces. */
static bool
is_name(const char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (!is_letter(at[i]) && !is_digit(at[i]) && !strchr("-._", at[i]))
            return false;
    return bytes > 0 && strchr("-.", at[0]) == NULL;
}

/* In brackets: an IPv6 address, maybe with its scope. */
static bool
is_bracketed(const char *at, size_t bytes)
{
    bool scope = false, colon = false;
    if (bytes < 4 || at[0] != '[' || at[bytes - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < bytes; i++) {
        char c = at[i];
        bool hex = is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (c == '%' && colon && !scope)
            scope = true;
        else if (scope ? !is_letter(c) && !is_digit(c) && !strchr("-._", c)
                       : !hex && c != ':' && c != '.')
            return false;
        colon |= c == ':';
    }
    return colon;
}

/* 1 to 65535 in digits alone; 0: it is none. */
static unsigned
read_port(const char *at)
{
    unsigned port = 0;
    if (*at == '0')
        return 0;
    for (; *at; at++) {
        if (!is_digit(*at) || port > 6553 || (port == 6553 && *at > '5'))
            return 0;
        port = 10 * port + (unsigned)(*at - '0');
    }
    return port;
}

/* What libzmq would take for several. */
static bool
is_one(const char *at, enum endpoint_use use, const char **why)
{
    size_t end = strcspn(at, ",;");
    if (at[end] == '\0')
        return true;
    if (use == ENDPOINT_BIND)
        *why = "one endpoint is one address; each has a --listen of its own, or a line of the file";
    else if (at[end] == ',')
        *why = "behind a comma there is another endpoint, which begins with tcp:// or ipc://";
    else
        *why = "several endpoints are parted by commas";
    return false;
}

static bool
parse_tcp(const char *at, enum endpoint_use use, struct endpoint *e, const char **why)
{
    const char *colon = strrchr(at, ':');
    *why = "write tcp://host:port";
    if (!is_one(at, use, why) || !colon)
        return false;
    e->host = at;
    e->host_bytes = (size_t)(colon - at);
    e->any_host = use == ENDPOINT_BIND && e->host_bytes == 1 && *at == '*';
    if (memchr(at, ':', e->host_bytes) && *at != '[') {
        *why = "write an IPv6 address in brackets: tcp://[::1]:port";
        return false;
    }
    if (!e->any_host && !is_name(at, e->host_bytes) && !is_bracketed(at, e->host_bytes)) {
        *why = use == ENDPOINT_BIND ? "the host is an address of this host, or '*' for all"
                                    : "the host is a name or an address";
        return false;
    }
    e->any_port = use == ENDPOINT_BIND && strcmp(colon + 1, "*") == 0;
    e->port = e->any_port ? 0 : read_port(colon + 1);
    *why = use == ENDPOINT_BIND ? "the port is a number from 1 to 65535, or '*' for any free one"
                                : "the port is a number from 1 to 65535";
    return e->any_port || e->port > 0;
}

static bool
parse_ipc(const char *at, struct endpoint *e, const char **why)
{
    e->ipc = true;
    e->host = at;
    e->host_bytes = strlen(at);
    e->abstract = *at == '@';
    *why = "write ipc://path";
    if (e->host_bytes == 0 || strcmp(at, "*") == 0 || strcmp(at, "@") == 0 ||
        at[e->host_bytes - 1] == '/')
        return false;
    *why = "the path of a socket has at most 107 bytes";
    return e->host_bytes <= IPC_PATH_BYTES;
}

bool
endpoint_parse(const char *text, enum endpoint_use use, struct endpoint *e, const char **why)
{
    *e = (struct endpoint){0};
    *why = "it is longer than 255 bytes";
    if (strlen(text) >= ENDPOINT_BYTES)
        return false;
    bool path = strncmp(text, "ipc://", 6) == 0; /* where a blank is a character like others */
    *why = path ? "it has control characters" : "it has blanks or control characters";
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < (path ? ' ' : ' ' + 1) || *c == 127)
            return false;
    if (strncmp(text, "tcp://", 6) == 0)
        return parse_tcp(text + 6, use, e, why);
    if (path)
        return parse_ipc(text + 6, e, why);
    *why = "write tcp://host:port or ipc://path";
    return false;
}

static bool
is_loopback(const char *at, size_t bytes)
{
    size_t dots = 0;
    if (bytes < 9 || memcmp(at, "127.", 4) != 0)
        return false; /* "127.evil.example" is a name, and so is "127.1.example" */
    for (size_t i = 0; i < bytes; i++) {
        dots += at[i] == '.';
        if (!is_digit(at[i]) && at[i] != '.')
            return false;
    }
    return dots == 3;
}

bool
endpoint_is_local(const struct endpoint *e)
{
    static const char *const local[] = {"localhost", "[::1]", "lo"};
    if (e->ipc)
        return true;
    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        if (e->host_bytes == strlen(local[i]) && memcmp(e->host, local[i], e->host_bytes) == 0)
            return true;
    return is_loopback(e->host, e->host_bytes);
}

bool
endpoint_text_is_local(const char *text, enum endpoint_use use)
{
    struct endpoint e;
    const char *why;
    return endpoint_parse(text, use, &e, &why) && endpoint_is_local(&e);
}

/* A comma may stand in a path; one that begins an endpoint parts two. */
size_t
endpoint_first(const char *list)
{
    const char *at = list;
    while ((at = strchr(at, ',')) != NULL && strncmp(at + 1, "tcp://", 6) != 0 &&
        strncmp(at + 1, "ipc://", 6) != 0)
        at++;
    return at ? (size_t)(at - list) : strlen(list);
}

bool
endpoint_list_is_local(const char *list)
{
    for (bool more = true; more; list++) {
        char one[ENDPOINT_BYTES];
        size_t size = endpoint_first(list);
        if (size >= sizeof one)
            return false;
        memcpy(one, list, size);
        one[size] = '\0';
        if (!endpoint_text_is_local(one, ENDPOINT_CONNECT))
            return false;
        list += size;
        more = *list == ',';
    }
    return true;
}
