/* How a broker is reached; the contract is in reach.h. */
#include "reach.h"
#include "defaults.h"
#include "key_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static enum stint_status
refuse(char why[REACH_WHY_BYTES], enum stint_status status, const char *where, const char *what)
{
    (void)snprintf(why, REACH_WHY_BYTES, "%.240s: %.240s", where, what);
    return status;
}

static enum stint_status
take_endpoints(struct reach *r, const char *text, char why[REACH_WHY_BYTES])
{
    for (bool more = true; more; r->endpoints_count++) {
        struct endpoint e;
        const char *reason;
        size_t size = endpoint_first(text);
        if (r->endpoints_count == REACH_ENDPOINTS_MAX)
            return refuse(why, STINT_BAD_ENDPOINT, text, "there are 8 endpoints already");
        if (size >= ENDPOINT_BYTES)
            return refuse(why, STINT_BAD_ENDPOINT, text, "it is too long");
        memcpy(r->endpoints[r->endpoints_count], text, size);
        if (!endpoint_parse(r->endpoints[r->endpoints_count], ENDPOINT_CONNECT, &e, &reason))
            return refuse(why, STINT_BAD_ENDPOINT, r->endpoints[r->endpoints_count], reason);
        more = text[size] == ',';
        text += size + more;
    }
    return STINT_OK;
}

static enum stint_status
take_own(struct reach *r, const char *path, char why[REACH_WHY_BYTES])
{
    struct key_file file;
    char reason[KEY_WHY_BYTES];
    if (!key_files_load(path, &file, reason))
        return refuse(why, STINT_BAD_KEY, path, reason);
    bool pair = file.secret_key[0] != '\0';
    memcpy(r->public_key, file.public_key, sizeof r->public_key);
    memcpy(r->secret_key, file.secret_key, sizeof r->secret_key);
    explicit_bzero(&file, sizeof file);
    return pair ? STINT_OK : refuse(why, STINT_BAD_KEY, path, "it holds no secret key");
}

static enum stint_status
add_broker(struct reach *r, const char *text, size_t size, char why[REACH_WHY_BYTES])
{
    struct key_file file = {0};
    uint8_t bytes[KEY_BYTES];
    char path[PATH_BYTES], reason[KEY_WHY_BYTES];
    (void)snprintf(path, sizeof path, "%.*s", (int)(size < PATH_BYTES ? size : 0), text);
    if (r->brokers_count == REACH_BROKERS_MAX)
        return refuse(why, STINT_BAD_KEY, path, "there are 4 keys of the broker already");
    if (key_decode(text, size, bytes))
        memcpy(file.public_key, text, size);
    else if (!key_files_load(path, &file, reason))
        return refuse(why, STINT_BAD_KEY, path, reason);
    memcpy(r->brokers[r->brokers_count++], file.public_key, KEY_TEXT_BYTES);
    explicit_bzero(&file, sizeof file);
    return STINT_OK;
}

static enum stint_status
take_brokers(struct reach *r, const char *text, char why[REACH_WHY_BYTES])
{
    enum stint_status status = STINT_OK;
    for (bool more = true; more && status == STINT_OK;) {
        size_t size = strcspn(text, ",");
        status = add_broker(r, text, size, why);
        more = text[size] == ',';
        text += size + more;
    }
    return status;
}

static const char *
wanted(const char *wish, const char *variable)
{
    const char *value = wish ? wish : getenv(variable);
    return value && *value ? value : NULL;
}

/* What the service manager hands to us. An empty line stands for a file that it did not find. */
static bool
credential(const char *name, char path[PATH_BYTES])
{
    struct stat st;
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    if (!directory || *directory != '/')
        return false;
    (void)snprintf(path, PATH_BYTES, "%s/%s", directory, name);
    return stat(path, &st) == 0 && st.st_size > 1;
}

/* The file among the service's credentials, in the user's own directory, or else in the system's.
 * False: in none of them. */
static bool
usual_file(const char *name, char path[PATH_BYTES])
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (credential(name, path))
        return true;
    if (config && *config == '/')
        (void)snprintf(path, PATH_BYTES, "%s/stint/%s", config, name);
    else
        (void)snprintf(path, PATH_BYTES, "%s/.config/stint/%s", home ? home : "", name);
    if ((home || config) && access(path, F_OK) == 0)
        return true;
    (void)snprintf(path, PATH_BYTES, "/etc/stint/%s", name);
    return access(path, F_OK) == 0;
}

/* Both, or neither: then the broker asks for none. */
static enum stint_status
find_usual(struct reach *r, const char *name, char why[REACH_WHY_BYTES])
{
    static const char *const names[] = {"broker.pub", "broker-next.pub"};
    char path[PATH_BYTES];
    enum stint_status status = STINT_OK;
    bool own = r->secret_key[0] != '\0', found = own || usual_file(name, path);
    if (found && !own)
        status = take_own(r, path, why);
    for (unsigned i = 0; found && r->brokers_count <= i && status == STINT_OK && i < 2; i++)
        if (usual_file(names[i], path))
            status = add_broker(r, path, strlen(path), why);
    return status;
}

static enum stint_status
find_keys(struct reach *r, const struct reach_wish *wish, char why[REACH_WHY_BYTES])
{
    const char *key = wanted(wish->key, "STINT_KEY");
    const char *broker = wanted(wish->broker_key, "STINT_BROKER_KEY");
    enum stint_status status = STINT_OK;
    bool far = false;
    for (unsigned i = 0; i < r->endpoints_count; i++)
        far |= !endpoint_text_is_local(r->endpoints[i], ENDPOINT_CONNECT);
    r->everywhere = key || broker;
    if (!r->everywhere && !far)
        return STINT_OK;
    if (key)
        status = take_own(r, key, why);
    if (broker && status == STINT_OK)
        status = take_brokers(r, broker, why);
    if (status == STINT_OK && (!key || !broker))
        status = broker && !key && !usual_file(wish->file, (char[PATH_BYTES]){0})
            ? refuse(why, STINT_BAD_KEY, wish->file,
                  "a key of the broker is given, and none of ours: say --key or STINT_KEY")
            : find_usual(r, wish->file, why);
    if (status == STINT_OK && r->secret_key[0] && r->brokers_count == 0)
        return refuse(why, STINT_BAD_KEY, "broker.pub",
            "the broker's key is missing: say --broker-key or STINT_BROKER_KEY");
    return status;
}

enum stint_status
reach_find(const struct reach_wish *wish, struct reach *r, char why[REACH_WHY_BYTES])
{
    *r = (struct reach){0};
    *why = '\0';
    enum stint_status status = take_endpoints(r, defaults_endpoint(wish->endpoint), why);
    if (status == STINT_OK)
        status = find_keys(r, wish, why);
    if (status != STINT_OK)
        reach_forget(r);
    return status;
}

void
reach_forget(struct reach *r)
{
    explicit_bzero(r, sizeof *r);
}

/* Each endpoint is tried with each key of the broker, the endpoints in the inner turn. */
struct wire_target
reach_target(const struct reach *r)
{
    struct wire_target t = {.endpoint = r->endpoints[r->at % r->endpoints_count]};
    if (r->brokers_count > 0 &&
        (r->everywhere || !endpoint_text_is_local(t.endpoint, ENDPOINT_CONNECT))) {
        t.broker_key = r->brokers[r->at / r->endpoints_count % r->brokers_count];
        t.public_key = r->public_key;
        t.secret_key = r->secret_key;
    }
    return t;
}

unsigned
reach_targets(const struct reach *r)
{
    return r->endpoints_count * (r->brokers_count ? r->brokers_count : 1);
}

void
reach_next(struct reach *r)
{
    r->at = (r->at + 1) % reach_targets(r);
}

bool
reach_move(struct reach *r, const char *endpoint)
{
    struct endpoint e;
    const char *why;
    if (strlen(endpoint) >= ENDPOINT_BYTES || !endpoint_parse(endpoint, ENDPOINT_CONNECT, &e, &why))
        return false;
    memcpy(r->endpoints[0], endpoint, strlen(endpoint) + 1);
    r->endpoints_count = 1;
    r->at = 0;
    return true;
}
