/* stint key: makes keys, and says in the broker's directory of keys who may do what. It works on
 * files; the broker looks at them again by itself. No secret key leaves the file it was written to.
 */
#include "console.h"
#include "key_files.h"
#include "out.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS_USUAL "/var/lib/stintd/keys"

enum { PATH_BYTES = 4000 };

static char *role, *rights, *queues, *out, *name_given, *keys;
static int replace;

static struct poptOption options[] = {
    {"role", 0, POPT_ARG_STRING, &role, 0,
        "what it is for: client (submit, see), worker (run) or admin (all)", "ROLE"},
    {"rights", 0, POPT_ARG_STRING, &rights, 0,
        "instead of a role, a list of submit, run, see and control", "LIST"},
    {"queues", 0, POPT_ARG_STRING, &queues, 0,
        "only these: names, or how they begin and a star (mail.*); all of them, if not given",
        "LIST"},
    {"out", 0, POPT_ARG_STRING, &out, 0, "new: write the files there (.)", "DIR"},
    {"name", 0, POPT_ARG_STRING, &name_given, 0, "add: call the key so; as its file is called",
        "NAME"},
    {"replace", 0, POPT_ARG_NONE, &replace, 0, "add: in place of the key of this name", NULL},
    {"keys", 0, POPT_ARG_STRING, &keys, 0,
        "the broker's directory of keys (STINT_KEYS, then " KEYS_USUAL ")", "DIR"},
    POPT_TABLEEND};

/* ---- what was said ---- */

/* Which options a subcommand takes. */
enum { TAKES_GRANT = 1, TAKES_OUT = 2, TAKES_NAME = 4, TAKES_KEYS = 8 };

static int
check_taken(const struct cli *cli, const char *action, unsigned takes)
{
    const struct {
        bool given;
        unsigned of;
        const char *option;
    } all[] = {{role, TAKES_GRANT, "role"}, {rights, TAKES_GRANT, "rights"},
        {queues, TAKES_GRANT, "queues"}, {out, TAKES_OUT, "out"}, {name_given, TAKES_NAME, "name"},
        {replace, TAKES_NAME, "replace"}, {keys, TAKES_KEYS, "keys"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].given && !(takes & all[i].of))
            return cli_usage(cli, "--%s has no effect on %s", all[i].option, action);
    return EX_OK;
}

static bool
copy(char *to, size_t size, const char *from)
{
    if (strlen(from) >= size)
        return false;
    memcpy(to, from, strlen(from) + 1);
    return true;
}

/* Put the options of a grant into the file, each checked alone. */
static int
take_grant(const struct cli *cli, struct key_file *file)
{
    struct key_file r = {0}, q = {.role = "client", .says_queues = true};
    struct key_grant grant;
    char why[KEY_WHY_BYTES];
    if (role && rights)
        return cli_usage(cli, "--role or --rights, not both");
    if (role && (!copy(r.role, sizeof r.role, role) || !key_file_grants(&r, &grant, why)))
        return cli_usage(cli, "--role=%s: write client, worker or admin", role);
    if (rights && (!copy(r.rights, sizeof r.rights, rights) || !key_file_grants(&r, &grant, why)))
        return cli_usage(cli, "--rights=%s: write a list of submit, run, see and control", rights);
    if (queues && (!copy(q.queues, sizeof q.queues, queues) || !key_file_grants(&q, &grant, why)))
        return cli_usage(cli,
            "--queues=%s: write up to 64 names of queues, or how they begin and a star, as mail.*",
            queues);
    if (role || rights) {
        memcpy(file->role, r.role, sizeof r.role);
        memcpy(file->rights, r.rights, sizeof r.rights);
    }
    if (queues) {
        memcpy(file->queues, q.queues, sizeof q.queues);
        file->says_queues = true;
    }
    return EX_OK;
}

static int
check_name(const struct cli *cli, const char *name)
{
    if (key_name_is_valid(name))
        return EX_OK;
    return cli_usage(cli,
        "%s: a key's name is of letters, digits, '.', '_' and '-', and not local or broker", name);
}

static const char *
keys_directory(void)
{
    const char *told = getenv("STINT_KEYS");
    return keys ? keys : told && *told ? told : KEYS_USUAL;
}

static int
path_of(const struct cli *cli, const char *directory, const char *name, const char *end,
    char path[PATH_BYTES])
{
    if (snprintf(path, PATH_BYTES, "%s/%s%s", directory, name, end) < PATH_BYTES)
        return EX_OK;
    return cli_usage(cli, "the path of the directory is too long");
}

/* ---- new ---- */

static int
cannot_write(const struct cli *cli, const char *path)
{
    if (errno == EEXIST)
        cli_say(cli, "%s is there already, and is left as it is", path);
    else
        cli_say(cli, "can't write %s: %s", path, strerror(errno));
    return EX_CANTCREAT;
}

/* Both files or none. */
static int
write_pair(const struct cli *cli, const struct key_file *pair, const struct key_file *public,
    const char *secret_path, const char *public_path)
{
    struct stat st;
    errno = EEXIST;
    if (lstat(public_path, &st) == 0)
        return cannot_write(cli, public_path);
    if (!key_files_save(secret_path, pair, true, false))
        return cannot_write(cli, secret_path);
    if (key_files_save(public_path, public, false, false))
        return EX_OK;
    int rc = cannot_write(cli, public_path);
    (void)unlink(secret_path);
    return rc;
}

static int
draw_pair(const struct cli *cli, const struct key_file *public, const char *secret_path,
    const char *public_path)
{
    struct key_file pair = {0}, shown = *public;
    (void)prctl(PR_SET_DUMPABLE, 0); /* no core file with a secret in it */
    if (!key_files_draw(&pair)) {
        cli_say(cli, "libzmq has no CURVE here; nothing was made");
        return EX_UNAVAILABLE;
    }
    memcpy(shown.public_key, pair.public_key, sizeof shown.public_key);
    int rc = write_pair(cli, &pair, &shown, secret_path, public_path);
    explicit_bzero(&pair, sizeof pair);
    if (rc != EX_OK)
        return rc;
    if (!cli->json) {
        cli_say(cli, "wrote %s, which is to be kept secret, and %s", secret_path, public_path);
        return EX_OK;
    }
    struct key_grant grant;
    char why[KEY_WHY_BYTES];
    bool grants = key_file_grants(&shown, &grant, why);
    json_t *o = out_key(NULL, &shown, grants ? &grant : NULL);
    json_object_set_new(o, "key_file", out_text(secret_path, strlen(secret_path)));
    json_object_set_new(o, "pub_file", out_text(public_path, strlen(public_path)));
    return out_line(o) ? EX_OK : EX_IOERR;
}

static int
run_new(struct cli *cli, const char *name)
{
    struct key_file public = {0};
    char secret_path[PATH_BYTES], public_path[PATH_BYTES];
    const char *directory = out ? out : ".";
    int rc = check_name(cli, name);
    if (rc == EX_OK)
        rc = take_grant(cli, &public);
    if (rc == EX_OK)
        rc = path_of(cli, directory, name, ".key", secret_path);
    if (rc == EX_OK)
        rc = path_of(cli, directory, name, ".pub", public_path);
    return rc == EX_OK ? draw_pair(cli, &public, secret_path, public_path) : rc;
}

/* ---- add ---- */

/* A file with the public key, without the secret one. */
static int
load(const struct cli *cli, const char *path, struct key_file *file)
{
    char why[KEY_WHY_BYTES];
    (void)prctl(PR_SET_DUMPABLE, 0);
    bool good = key_files_load(path, file, why);
    explicit_bzero(file->secret_key, sizeof file->secret_key);
    if (good)
        return EX_OK;
    cli_say(cli, "%s: %s", path, why);
    return access(path, R_OK) == 0 ? EX_DATAERR : EX_NOINPUT;
}

/* What the file is called, without .pub or .key. */
static void
name_of(const char *path, char *name, size_t size)
{
    const char *slash = strrchr(path, '/');
    (void)snprintf(name, size, "%s", slash ? slash + 1 : path);
    size_t n = strlen(name);
    if (n > 4 && (strcmp(name + n - 4, ".pub") == 0 || strcmp(name + n - 4, ".key") == 0))
        name[n - 4] = '\0';
}

/* Keys are files NAME.pub; what the broker shows to others lies among them. */
static int
is_key(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 4 && strcmp(entry->d_name + n - 4, ".pub") == 0 &&
        strcmp(entry->d_name, "broker.pub") != 0 && entry->d_name[0] != '.';
}

/* Has somebody this key already, under another name? Then what it may do would be in doubt. */
static int
check_unique(const struct cli *cli, const char *name, const struct key_file *file)
{
    struct dirent **found = NULL;
    int count = scandir(keys_directory(), &found, is_key, NULL), rc = EX_OK;
    for (int i = 0; i < count; i++) {
        struct key_file other;
        char path[PATH_BYTES], is[sizeof found[i]->d_name], why[KEY_WHY_BYTES];
        name_of(found[i]->d_name, is, sizeof is);
        if (rc == EX_OK && strcmp(is, name) != 0 &&
            path_of(cli, keys_directory(), is, ".pub", path) == EX_OK &&
            key_files_load(path, &other, why) && strcmp(other.public_key, file->public_key) == 0) {
            cli_say(cli, "this key is there already, as %s", is);
            rc = EX_DATAERR;
        }
        free(found[i]);
    }
    free(found);
    return rc;
}

static int
add(const struct cli *cli, const char *name, const struct key_file *file, const char *path)
{
    struct key_grant grant;
    char why[KEY_WHY_BYTES];
    if (!key_file_grants(file, &grant, why)) {
        cli_say(cli, "%s: %s; see --role, --rights and --queues", name, why);
        return EX_DATAERR;
    }
    int rc = check_unique(cli, name, file);
    if (rc != EX_OK)
        return rc;
    if (!key_files_save(path, file, false, replace != 0)) {
        bool there = errno == EEXIST;
        rc = cannot_write(cli, path);
        if (there)
            cli_say(cli, "--replace replaces it");
        return rc;
    }
    if (cli->json)
        return out_line(out_key(name, file, &grant)) ? EX_OK : EX_IOERR;
    char text[KEY_WORD_BYTES];
    key_rights_text(grant.rights, text);
    cli_say(
        cli, "%s may now: %s; queues: %s", name, text, grant.patterns_count ? file->queues : "all");
    return EX_OK;
}

static int
run_add(struct cli *cli, const char *from)
{
    struct key_file file;
    char path[PATH_BYTES], name[PATH_BYTES];
    int rc = load(cli, from, &file);
    if (rc != EX_OK)
        return rc;
    name_of(from, name, sizeof name);
    if (name_given)
        (void)snprintf(name, sizeof name, "%s", name_given);
    rc = check_name(cli, name);
    if (rc == EX_OK)
        rc = take_grant(cli, &file);
    if (rc == EX_OK)
        rc = path_of(cli, keys_directory(), name, ".pub", path);
    return rc == EX_OK ? add(cli, name, &file, path) : rc;
}

/* ---- list, show, revoke ---- */

static const struct out_column columns[] = {{"NAME", "name", OUT_LEFT, 0},
    {"RIGHTS", "rights", OUT_LEFT, 0}, {"QUEUES", "queues", OUT_LONG, 60},
    {"PUBLIC KEY", "public_key", OUT_LEFT, 120}};

/* A row of the list. False: the file is broken. */
static bool
list_one(const struct cli *cli, const char *file_name, struct out_table *table)
{
    struct key_file file = {0};
    struct key_grant grant;
    char path[PATH_BYTES], name[PATH_BYTES], why[KEY_WHY_BYTES] = "its path is too long";
    name_of(file_name, name, sizeof name);
    bool good = snprintf(path, sizeof path, "%s/%s", keys_directory(), file_name) < PATH_BYTES;
    good = good && key_files_load(path, &file, why) && key_file_grants(&file, &grant, why);
    explicit_bzero(file.secret_key, sizeof file.secret_key);
    if (good && !key_name_is_valid(name)) {
        good = false;
        (void)snprintf(why, sizeof why, "no key may be called so");
    }
    json_t *o = out_key(name, &file, good ? &grant : NULL);
    if (!good)
        json_object_set_new(o, "problem", json_string(why));
    if (!good && !cli->json)
        cli_say(cli, "%s: %s", path, why);
    if (cli->json)
        (void)out_line(o);
    else
        out_table_add(table, o);
    return good;
}

static int
run_list(struct cli *cli, const char *none)
{
    struct dirent **found = NULL;
    int count = scandir(keys_directory(), &found, is_key, alphasort), rc = EX_OK;
    (void)none;
    if (count < 0) {
        cli_say(cli, "can't read %s: %s; --keys names the broker's directory of keys",
            keys_directory(), strerror(errno));
        return EX_NOINPUT;
    }
    struct out_table *table = out_table_new(columns, sizeof columns / sizeof *columns);
    for (int i = 0; i < count; i++) {
        if (!list_one(cli, found[i]->d_name, table))
            rc = EX_DATAERR;
        free(found[i]);
    }
    free(found);
    (void)out_table_show(&table);
    if (count == 0 && !cli->json)
        cli_say(cli, "there is no key in %s", keys_directory());
    return rc;
}

static int
run_show(struct cli *cli, const char *path)
{
    struct key_file file;
    struct key_grant grant;
    char why[KEY_WHY_BYTES];
    int rc = load(cli, path, &file);
    if (rc != EX_OK)
        return rc;
    bool says = file.role[0] || file.rights[0];
    bool grants = key_file_grants(&file, &grant, why);
    json_t *o = out_key(NULL, &file, grants ? &grant : NULL);
    if (cli->json)
        (void)out_line(o);
    else
        out_fields(o);
    if (grants || !says)
        return EX_OK;
    cli_say(cli, "%s: %s", path, why);
    return EX_DATAERR;
}

static int
run_revoke(struct cli *cli, const char *name)
{
    char path[PATH_BYTES];
    int rc = check_name(cli, name);
    if (rc == EX_OK)
        rc = path_of(cli, keys_directory(), name, ".pub", path);
    if (rc != EX_OK)
        return rc;
    if (!key_files_remove(path)) {
        int error = errno;
        cli_say(cli, "can't remove %s: %s", path, strerror(error));
        return error == ENOENT || error == ENOTDIR ? EX_NOINPUT
            : error == EACCES || error == EPERM    ? EX_NOPERM
                                                   : EX_IOERR;
    }
    if (cli->json)
        return out_line(
                   json_pack("{ss ss sb}", "schema", "stint.key/1", "name", name, "revoked", 1))
            ? EX_OK
            : EX_IOERR;
    cli_say(cli, "%s is revoked", name);
    return EX_OK;
}

/* ---- all ---- */

static const struct action {
    const char *name;
    int (*run)(struct cli *cli, const char *argument);
    unsigned takes;
    const char *argument; /* what is asked for where it is missing; NULL: it takes none */
} actions[] = {{"new", run_new, TAKES_GRANT | TAKES_OUT, "which name?"},
    {"add", run_add, TAKES_GRANT | TAKES_NAME | TAKES_KEYS, "which file?"},
    {"list", run_list, TAKES_KEYS, NULL}, {"show", run_show, 0, "which file?"},
    {"revoke", run_revoke, TAKES_KEYS, "which name?"}};

static int
run_action(struct cli *cli, const struct action *action, const char **args)
{
    int rc = check_taken(cli, action->name, action->takes);
    if (rc != EX_OK)
        return rc;
    if (action->argument && !args[0])
        return cli_usage(cli, "%s", action->argument);
    const char *more = args[action->argument ? 1 : 0];
    if (more)
        return cli_usage(cli, "what is %s?", more);
    return action->run(cli, args[0]);
}

static int
run(struct cli *cli, const char **args)
{
    if (!args || !args[0])
        return cli_usage(cli, "what about it? new, add, list, show or revoke");
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(actions[i].name, args[0]) == 0)
            return run_action(cli, &actions[i], args + 1);
    return cli_usage(cli, "%s: write new, add, list, show or revoke", args[0]);
}

const struct verb verb_key = {"key", "[OPTION...] new|add|list|show|revoke [NAME|FILE]",
    "make keys, and say what each may do", options, run, VERB_TAKES_ARGUMENTS};
