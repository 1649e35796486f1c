/* Finds programs and makes their environment; the contract is in program.h. */
#include "program.h"
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VARIABLES = 9, VARIABLE_BYTES = 160 };

/* Which say where temporary files are to be; the first is ours, whatever a job says. */
static const char *const scratch_names[] = {"STINT_TMPDIR=", "TMPDIR=", "TMP=", "TEMP="};
enum { SCRATCH_NAMES = sizeof scratch_names / sizeof *scratch_names, SCRATCH_NAME_BYTES = 16 };

static const char control_name[] = "STINT_CONTROL=";
static const char needs_name[] = "STINT_NEEDS=";
/* What is said of the job is said by us alone. */
static const char *const told_names[] = {"STINT_JOB_",
    "STINT_CONTROL=", "STINT_AFTER=", "STINT_AT_END=", "STINT_BATCH=", "STINT_BATCH_",
    "STINT_GROUP=", "STINT_NEEDS="};

static char usual_path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
enum { PATH_NAME = sizeof "PATH=" - 1 };

/* As the one that the thread looks for files as, see identity.h. */
static bool
may_run(const char *path)
{
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

bool
program_check(const char *path)
{
    struct stat s;
    if (stat(path, &s) != 0)
        return false;
    if (!S_ISREG(s.st_mode)) {
        errno = EACCES; /* as execve says of a directory */
        return false;
    }
    return may_run(path);
}

static char *
join(const char *directory, const char *part, size_t part_bytes, const char *name)
{
    char *path = NULL;
    bool relative = directory && (part_bytes == 0 || *part != '/');
    if (asprintf(&path, "%s%s%.*s%s%s", relative ? directory : "", relative ? "/" : "",
            (int)part_bytes, part, part_bytes ? "/" : "", name) < 0)
        abort();
    return path;
}

/* The first program of that name. */
static char *
search(const char *at, const char *name, const char *directory)
{
    int error = ENOENT;
    for (;;) {
        size_t size = strcspn(at, ":");
        char *path = join(directory, at, size, name);
        if (program_check(path))
            return path;
        if (errno == EACCES)
            error = EACCES; /* there is one at least, but not for us */
        free(path);
        if (!at[size])
            break;
        at += size + 1;
    }
    errno = error;
    return NULL;
}

void
place_forget(struct place *place)
{
    free(place->name);
    free(place->path);
    free(place->searched);
    *place = (struct place){0};
}

/* Has it parts that mean another directory for each job? */
static bool
is_relative(const char *path)
{
    for (;;) {
        if (*path != '/')
            return true;
        path += strcspn(path, ":");
        if (!*path)
            return false;
        path++;
    }
}

const char *
place_find(struct place *place, const char *name, const char *path, char *const *environment,
    const char *directory)
{
    if (strchr(name, '/'))
        return name; /* execve looks, in the directory where the program is to run */
    for (; environment && *environment; environment++)
        if (strncmp(*environment, "PATH=", 5) == 0)
            path = *environment + 5;
    if (place->name && strcmp(place->name, name) == 0 && strcmp(place->searched, path) == 0 &&
        may_run(place->path))
        return place->path;
    place_forget(place);
    errno = ENOENT;
    place->path = *name ? search(path, name, directory) : NULL;
    if (place->path && !is_relative(path)) {
        place->name = strdup(name);
        place->searched = strdup(path);
        if (!place->name || !place->searched)
            abort();
    }
    return place->path;
}

/* Does `list` hold a variable of the same name? */
static bool
holds(char *const *list, const char *variable)
{
    size_t size = strcspn(variable, "=") + 1;
    for (; list && *list; list++)
        if (strncmp(*list, variable, size) == 0)
            return true;
    return false;
}

static size_t
length(char *const *list)
{
    size_t count = 0;
    while (list && list[count])
        count++;
    return count;
}

const char *
declared_check(const char *variable)
{
    if (*variable == '\0' || *variable == '=')
        return "write NAME or NAME=VALUE";
    return strncmp(variable, "STINT_", 6) == 0 ? "names that begin with STINT_ are stint's own"
                                               : NULL;
}

/* The worker's own variable of that name. */
static char *
inherited(const char *name)
{
    size_t size = strlen(name);
    for (char **e = environ; *e; e++)
        if (strncmp(*e, name, size) == 0 && (*e)[size] == '=')
            return *e;
    return NULL;
}

static bool
tells_of_scratch(const char *variable)
{
    for (size_t i = 0; i < SCRATCH_NAMES; i++)
        if (strncmp(variable, scratch_names[i], strlen(scratch_names[i])) == 0)
            return true;
    return false;
}

static char **
make_base(const struct declared *d)
{
    size_t count = 0, kept = 0;
    char **base = calloc(length(environ) + d->count + length(d->login) + 2, sizeof *base);
    if (!base)
        return NULL;
    for (uint32_t i = d->count; i-- > 0;) { /* the last one of a name counts */
        char *variable = (char *)(uintptr_t)d->variables[i];
        variable = strchr(variable, '=') ? variable : inherited(variable);
        if (variable && !holds(base, variable))
            base[count++] = variable;
    }
    for (char *const *v = d->login; v && *v; v++)
        if (!holds(base, *v))
            base[count++] = *v;
    for (char **e = environ; *e && !d->clean; e++) /* our own settings are not the programs' */
        if (strncmp(*e, "STINT_", 6) != 0 && !holds(base, *e))
            base[count++] = *e;
    if (d->clean && !holds(base, usual_path))
        base[count] = usual_path;
    for (char **v = base; *v && d->scratch; v++)
        if (!tells_of_scratch(*v))
            base[kept++] = *v;
    if (d->scratch)
        base[kept] = NULL;
    return base;
}

bool
surroundings_set(struct surroundings *s, const char *endpoint, const char *worker,
    const struct declared *declared)
{
    s->base = make_base(declared ? declared : &(struct declared){0});
    return s->base && asprintf(&s->endpoint, "STINT_ENDPOINT=%s", endpoint) > 0 &&
        asprintf(&s->worker, "STINT_JOB_WORKER=%s", worker) > 0;
}

const char *
surroundings_path(const struct surroundings *s)
{
    for (char **e = s->base; *e; e++)
        if (strncmp(*e, usual_path, PATH_NAME) == 0)
            return *e + PATH_NAME;
    return usual_path + PATH_NAME;
}

static char *
set_variable(char **at, const char *name, const char *value)
{
    char *text = *at;
    (void)snprintf(text, VARIABLE_BYTES, "STINT_JOB_%s=%s", name, value);
    *at += VARIABLE_BYTES;
    return text;
}

static char *
set_number(char **at, const char *name, unsigned long long number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", number);
    return set_variable(at, name, text);
}

/* Returns how many there are now. */
static size_t
tell_of_scratch(char **all, size_t count, char *text, const char *scratch, char *const *of_job)
{
    const size_t size = strlen(scratch);
    for (size_t i = 0; i < SCRATCH_NAMES; i++) {
        if (i > 0 && holds(of_job, scratch_names[i]))
            continue;
        all[count++] = text;
        text += snprintf(text, SCRATCH_NAME_BYTES + size, "%s%s", scratch_names[i], scratch) + 1;
    }
    return count;
}

static bool
is_told(const char *variable)
{
    for (size_t i = 0; i < sizeof told_names / sizeof *told_names; i++)
        if (strncmp(variable, told_names[i], strlen(told_names[i])) == 0)
            return true;
    return false;
}

char **
environment_make(const struct surroundings *s, const struct stint_task_info *job,
    char *const *of_job, const char *scratch, char *const *told)
{
    char id[STINT_ID_TEXT_BYTES];
    size_t most = length(s->base) + length(of_job) + length(told) + VARIABLES + 5, count = 0,
           scratch_bytes = 0;
    if (scratch) {
        most += SCRATCH_NAMES;
        scratch_bytes = SCRATCH_NAMES * (SCRATCH_NAME_BYTES + strlen(scratch));
    }
    size_t needs_bytes = job->needs ? sizeof needs_name + strlen(job->needs) : 0;
    char **all = malloc(
        most * sizeof *all + (size_t)VARIABLES * VARIABLE_BYTES + scratch_bytes + needs_bytes);
    if (!all)
        return NULL;
    char *text = (char *)(all + most);
    all[count++] = set_variable(&text, "ID", stint_id_format(&job->id, id));
    all[count++] = set_number(&text, "ATTEMPT", job->attempt);
    all[count++] = set_number(&text, "MAX_ATTEMPTS", job->max_attempts);
    all[count++] = set_variable(&text, "QUEUE", job->queue);
    all[count++] = set_variable(&text, "KIND", job->kind);
    all[count++] = set_number(&text, "PRIORITY", job->priority);
    all[count++] = set_number(&text, "SLOT", job->slot);
    all[count++] = job->deadline_ms ? set_number(&text, "DEADLINE", job->deadline_ms / 1000)
                                    : set_variable(&text, "DEADLINE", "");
    all[count++] = s->worker;
    (void)snprintf(text, VARIABLE_BYTES, "%s%d", control_name, CONTROL_FD);
    all[count++] = text;
    text += VARIABLE_BYTES;
    if (scratch)
        count = tell_of_scratch(all, count, text, scratch, of_job);
    text += scratch_bytes;
    if (job->needs) {
        (void)snprintf(text, needs_bytes, "%s%s", needs_name, job->needs);
        all[count++] = text;
    }
    for (size_t i = 0; told && told[i]; i++)
        all[count++] = told[i];
    if (!holds(of_job, s->endpoint))
        all[count++] = s->endpoint;
    for (size_t i = 0; of_job && of_job[i]; i++)
        if (!is_told(of_job[i]) &&
            !(scratch && strncmp(of_job[i], scratch_names[0], strlen(scratch_names[0])) == 0))
            all[count++] = of_job[i];
    for (char **e = s->base; *e; e++)
        if (!holds(of_job, *e))
            all[count++] = *e;
    all[count] = NULL;
    return all;
}
