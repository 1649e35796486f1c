/* What the ways of keeping a data directory have in common; the contract is in upkeep.h. */
#include "upkeep.h"
#include "id.h"
#include "journaled.h"
#include "log.h"
#include "rows.h"
#include "service.h"
#include "store_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

int
upkeep_refuse(int exit_code, const char *format, ...)
{
    char text[4096 + 512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log_refusal(text);
    return exit_code;
}

int
upkeep_check_number(const struct options *o, const char *path, int number)
{
    if (!o->upkeep.of_broker || o->broker == (uint64_t)number)
        return EX_OK;
    return upkeep_refuse(EX_CONFIG,
        "%s belongs to broker number %d; give --broker-number %d, or leave it out", path, number,
        number);
}

void
upkeep_on_damage(const char *what)
{
    char text[512];
    (void)snprintf(text, sizeof text, "stintd: the data file is damaged (%.200s)\n", what);
    log_last_words(text);
    _exit(EX_DATAERR);
}

int
upkeep_printed(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EX_OK;
    return upkeep_refuse(EX_IOERR, "can't write to standard output");
}

const char *
upkeep_directory_for_copies(void)
{
    const char *directory = getenv("TMPDIR");
    return directory && *directory ? directory : "/var/tmp";
}

static int
open_store(const struct store_lmdb_options *o, struct store **store)
{
    const char *why = "";
    enum stint_status status = store_lmdb_new(o, store, &why);
    if (status == STINT_OK)
        return EX_OK;
    return upkeep_refuse(service_exit_code(status), "%s", why);
}

static uint64_t
store_bytes(const struct options *o)
{
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    return o->store_size / page_bytes * page_bytes;
}

int
upkeep_open(const struct options *o, const char *path, bool unsynced, struct store **store)
{
    const struct store_lmdb_options options = {.path = path,
        .size_bytes = store_bytes(o),
        .alone = true,
        .unsynced = unsynced,
        .on_damage = upkeep_on_damage};
    return open_store(&options, store);
}

static bool
has_identity(struct store *store, const char *identity)
{
    struct slice value;
    store->ops->begin(store);
    bool same = store_get(store, STORE_META, meta_key(META_IDENTITY), &value) &&
        value.size == strlen(identity) && memcmp(value.data, identity, value.size) == 0;
    store->ops->abort(store);
    return same;
}

static void
print_problem(void *context, const char *what, const char *id)
{
    (void)context;
    (void)upkeep_refuse(0, "%s%s%s", what, *id ? ": job " : "", id);
}

void
upkeep_verify(struct store *store, uint16_t number, struct verify_report *report)
{
    report->problem = print_problem;
    core_verify(store, number, report);
}

int
upkeep_check(const struct options *o, const char *path, const struct seal *seal,
    struct verify_report *report)
{
    struct store *store = NULL;
    int rc = upkeep_open(o, path, false, &store);
    if (rc)
        return rc;
    if (!has_identity(store, seal->identity))
        rc = upkeep_refuse(EX_DATAERR, "the data file does not belong to what is said of it");
    else
        upkeep_verify(store, (uint16_t)seal->broker, report);
    store->ops->destroy(&store);
    if (!rc && report->problems > 0)
        rc = upkeep_refuse(EX_DATAERR, "%" PRIu64 " problems; it is not used", report->problems);
    return rc;
}

int
upkeep_settle_in(struct data *data, struct fresh *f, const struct seal *seal)
{
    char text[1024];
    if (!fresh_keep(f, false))
        return upkeep_refuse(EX_IOERR, "can't write %s: %s", data->path, strerror(errno));
    int rc = data_adopt(data, seal->format, seal->identity, (uint16_t)seal->broker, text);
    if (rc)
        (void)unlink(data->path); /* it is ours, and would stand in the way of the next try */
    return rc ? upkeep_refuse(rc, "%s", text) : EX_OK;
}

uint64_t
upkeep_jobs(const struct verify_report *report)
{
    uint64_t jobs = 0;
    for (unsigned s = 0; s < STINT_STATES; s++)
        jobs += report->jobs[s];
    return jobs;
}

int
upkeep_tell(const struct verify_report *r)
{
    for (enum stint_state s = STINT_READY; s < STINT_STATES; s++)
        printf("%-10s %" PRIu64 "\n", stint_state_name(s), r->jobs[s]);
    printf("%-10s %" PRIu64 "\n%-10s %" PRIu64 "\n%-10s %" PRIu64 "\n%-10s %" PRIu64 "\n",
        "sessions", r->sessions, "answers", r->answers, "set aside", r->damaged, "problems",
        r->problems);
    int rc = upkeep_printed();
    return rc || !r->problems ? rc : EX_DATAERR;
}

uint64_t
feed_life(void)
{
    uint64_t life;
    if (getrandom(&life, sizeof life, 0) != sizeof life)
        abort();
    return life >> 1 | 1; /* a number that JSON has room for */
}

/* ---- sources ---- */

bool
source_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int
source_judge(enum seal_result result, const char *path, const struct seal *seal)
{
    switch (result) {
    case SEAL_GOOD:
        break;
    case SEAL_NONE:
        return upkeep_refuse(EX_DATAERR, "%s is no backup of stintd's, or it is cut short", path);
    case SEAL_NEWER:
        return upkeep_refuse(EX_CONFIG,
            "%s is a backup of version %d and this stintd knows up to %d; use a newer stintd", path,
            seal->version, SEAL_VERSION);
    case SEAL_BROKEN:
        return upkeep_refuse(EX_DATAERR, "%s is damaged: it is not what was written", path);
    case SEAL_UNREAD:
        return upkeep_refuse(EX_IOERR, "can't read %s: %s", path, strerror(errno));
    }
    if (seal->format > DATA_FORMAT)
        return upkeep_refuse(EX_CONFIG,
            "%s has format %d and this stintd knows up to %d; use a newer stintd", path,
            seal->format, DATA_FORMAT);
    return EX_OK;
}

int
source_open_file(const char *path, int *file, struct seal *seal)
{
    *file = open(path, O_RDONLY | O_CLOEXEC);
    if (*file < 0)
        return upkeep_refuse(EX_NOINPUT, "can't open %s: %s", path, strerror(errno));
    return source_judge(seal_read(*file, true, seal), path, seal);
}

static void
read_manifest(struct source *s)
{
    s->seal =
        (struct seal){.version = SEAL_VERSION, .format = s->data.format, .broker = s->data.number};
    memcpy(s->seal.identity, s->data.identity, sizeof s->seal.identity);
}

static int
open_directory(struct source *s, const char *path)
{
    char text[1024];
    int rc = data_look(&s->data, path, text);
    if (rc)
        return upkeep_refuse(rc, "%s", text);
    read_manifest(s);
    return EX_OK;
}

/* Of an older format the tables are not all there, and a reader can't make them. */
static int
refuse_old(const struct source *s, const char *path)
{
    if (s->seal.format == DATA_FORMAT)
        return EX_OK;
    return upkeep_refuse(EX_CONFIG,
        "%s has format %d, and is of format %d once stintd was started "
        "on it%s",
        path, s->seal.format, DATA_FORMAT, s->file >= 0 ? " (--restore it first)" : "");
}

static int
open_source(struct source *s, const char *path)
{
    const struct store_lmdb_options options = {.path = s->file >= 0 ? path : s->data.path,
        .read_only = true,
        .alone = s->file >= 0 || s->data.alone,
        .on_damage = upkeep_on_damage};
    int rc = open_store(&options, &s->store);
    if (!rc && !has_identity(s->store, s->seal.identity))
        rc = upkeep_refuse(EX_DATAERR,
            "the data file does not belong to the MANIFEST beside it; restore both together");
    return rc;
}

/* Nobody serves the directory: what the journal has goes into the data file, as at a start. */
static int
apply_journal(struct source *s, const struct options *o, const struct journaled_options *options)
{
    char text[512];
    struct store *store = NULL;
    const struct store_lmdb_options lmdb = {.path = s->data.path,
        .size_bytes = store_bytes(o),
        .alone = s->data.alone, /* others may read it as we do */
        .on_damage = upkeep_on_damage};
    s->store->ops->destroy(&s->store); /* a process opens an LMDB file once */
    int rc = open_store(&lmdb, &store);
    if (rc)
        return rc;
    enum stint_status status = journaled_open(options, &store, text);
    if (status == STINT_OK && (status = store_journal_checkpoint(store)) != STINT_OK)
        (void)snprintf(text, sizeof text, "%s", store->ops->error(store));
    store->ops->destroy(&store);
    return status == STINT_OK ? EX_OK : upkeep_refuse(service_exit_code(status), "%s", text);
}

/* The broker may have written while we looked, and have ended since: look again. */
static int
catch_up_alone(
    struct source *s, const struct options *o, const char *path, struct journaled_options *options)
{
    char text[512];
    uint64_t index = 0;
    enum stint_status status = journaled_is_current(options, s->store, &index, text);
    if (status == STINT_OK)
        return EX_OK;
    if (status != STINT_IN_USE)
        return upkeep_refuse(service_exit_code(status), "%s", text);
    options->look = false;
    int rc = apply_journal(s, o, options);
    return rc ? rc : open_source(s, path);
}

/* A broker that runs brings what its journal has into the data file within a second or so, and at
 * once when it stops. What it had when we came is what we wait for. */
static int
catch_up(struct source *s, const struct options *o, const char *path)
{
    enum { POLL_MS = 10, POLLS_MAX = 3000 };
    char text[512];
    uint64_t index = 0;
    int rc;
    struct journaled_options options = {.directory = s->data.directory,
        .identity = s->data.identity,
        .number = (uint16_t)s->data.number,
        .look = true};
    enum stint_status status = STINT_IN_USE;
    for (unsigned polls = 0; polls < POLLS_MAX; polls++) {
        status = journaled_is_current(&options, s->store, &index, text);
        if (status == STINT_OK)
            return EX_OK;
        if (data_take(&s->data)) {
            rc = catch_up_alone(s, o, path, &options);
            data_give_back(&s->data);
            return rc;
        }
        (void)poll(NULL, 0, POLL_MS);
    }
    return status == STINT_IN_USE
        ? upkeep_refuse(EX_TEMPFAIL, "stintd is too busy to bring %s up to date; try again", path)
        : upkeep_refuse(service_exit_code(status), "%s", text);
}

int
source_open(struct source *s, const struct options *o, const char *path, bool any_format)
{
    *s = (struct source){.data = DATA_CLOSED, .file = -1};
    bool file = source_is_file(path);
    int rc = file ? source_open_file(path, &s->file, &s->seal) : open_directory(s, path);
    if (!rc)
        rc = upkeep_check_number(o, path, s->seal.broker);
    if (!rc && !any_format)
        rc = refuse_old(s, path);
    if (!rc)
        rc = open_source(s, path);
    if (!rc && !file)
        rc = catch_up(s, o, path);
    if (rc)
        source_close(s);
    return rc;
}

int
source_look_alone(struct source *s, const struct options *o, const char *path)
{
    char text[1024];
    *s = (struct source){.data = DATA_CLOSED, .file = -1};
    int rc = data_look_alone(&s->data, path, (uint16_t)o->broker, text);
    if (rc)
        return upkeep_refuse(rc, "%s", text);
    read_manifest(s);
    rc = open_source(s, path);
    if (rc)
        source_close(s);
    return rc;
}

void
source_close(struct source *s)
{
    if (s->store)
        s->store->ops->destroy(&s->store);
    if (s->file >= 0)
        close(s->file);
    s->file = -1;
    data_close(&s->data);
}
