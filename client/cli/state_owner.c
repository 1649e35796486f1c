/* Whose a state directory is; the contract is in state_owner.h. */
#include "state_owner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT "stint map 2\n"

void
owner_file(const struct owner *o, const char *name, char path[4096])
{
    (void)snprintf(path, 4096, "%s/%s", o->directory, name);
}

static bool
exists(const struct owner *o, const char *name)
{
    char path[4096];
    owner_file(o, name, path);
    return access(path, F_OK) == 0;
}

static void
forget(const struct owner *o)
{
    /* What says that all was done goes last: without it, half of this would pass for a map that
     * was stopped, with its lines done. */
    static const char *const names[] = {"log", "lines", "map", "complete"};
    char path[4096];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        owner_file(o, names[i], path);
        (void)unlink(path);
    }
}

static int
make_map(struct owner *o, const char *command)
{
    char path[4096], made[4096];
    if (getrandom(o->session, sizeof o->session, 0) != sizeof o->session)
        return EX_OSERR;
    owner_file(o, "map", path);
    owner_file(o, "map.new", made);
    FILE *f = fopen(made, "we");
    if (!f)
        return EX_CANTCREAT;
    fputs(FORMAT, f);
    for (unsigned i = 0; i < sizeof o->session; i++)
        fprintf(f, "%02x", o->session[i]);
    fprintf(f, "\n%s\n", command);
    bool good = fflush(f) == 0 && fsync(fileno(f)) == 0;
    return fclose(f) == 0 && good && rename(made, path) == 0 ? EX_OK : EX_IOERR;
}

/* Reads the map file. `*command` is what it belongs to, allocated; NULL if it is not one of ours.
 */
static int
read_map(struct owner *o, char **command)
{
    char path[4096], format[sizeof FORMAT] = "";
    size_t size = 0;
    *command = NULL;
    owner_file(o, "map", path);
    FILE *f = fopen(path, "re");
    if (!f)
        return errno == ENOENT ? EX_OK : EX_NOINPUT;
    bool good = fgets(format, sizeof format, f) && strcmp(format, FORMAT) == 0;
    for (unsigned i = 0; good && i < sizeof o->session; i++) {
        unsigned byte;
        good = fscanf(f, "%2x", &byte) == 1;
        o->session[i] = (uint8_t)byte;
    }
    good = good && fgetc(f) == '\n';
    ssize_t n = good ? getdelim(command, &size, '\0', f) : 0;
    if (n > 0 && (*command)[n - 1] == '\n')
        (*command)[n - 1] = '\0';
    fclose(f);
    return good && n > 0 ? EX_OK : EX_CONFIG;
}

/* Has no line of it ever been submitted? */
static bool
is_untouched(const struct owner *o)
{
    static const char *const names[] = {"lines", "log"};
    static const off_t heads[] = {OWNER_LINES_HEAD, 0};
    char path[4096];
    struct stat st;
    for (size_t i = 0; i < 2; i++) {
        owner_file(o, names[i], path);
        if (stat(path, &st) == 0 ? st.st_size > heads[i] : errno != ENOENT)
            return false;
    }
    return true;
}

int
owner_settle(
    struct cli *cli, struct owner *o, const char *called, const char *command, bool failed_again)
{
    char *was, path[4096];
    bool complete = exists(o, "complete");
    int rc = read_map(o, &was);
    bool ours = was && strcmp(was, command) == 0, empty = rc == EX_OK && !was;
    if (rc == EX_OK && was && !ours)
        complete |= is_untouched(o);
    if (rc == EX_CONFIG || (empty && (exists(o, "lines") || exists(o, "log")))) {
        cli_say(cli, "%s holds other files, or what an older stint left; choose another directory",
            called);
        rc = EX_CONFIG;
    } else if (rc == EX_OK && !empty && !ours && !complete) {
        cli_say(cli,
            "%s belongs to another command, or to this one with another --wd (or directory), --env "
            "or --stdin; finish that one, remove the directory, or choose another",
            called);
        rc = EX_CONFIG;
    } else if (rc == EX_OK && failed_again && !ours) {
        cli_say(cli, "--retry-failed: nothing is known of this command in %s", called);
        rc = EX_NOINPUT;
    } else if (rc == EX_OK && complete && failed_again) {
        owner_file(o, "complete", path);
        (void)unlink(path);
    } else if (rc == EX_OK && (empty || complete)) {
        forget(o);
        rc = make_map(o, command);
    }
    free(was);
    return rc;
}

bool
owner_renew(struct owner *o)
{
    char *command;
    int rc = read_map(o, &command);
    if (rc == EX_OK)
        rc = command ? make_map(o, command) : EX_IOERR;
    free(command);
    return rc == EX_OK;
}
