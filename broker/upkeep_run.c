/* Which of them is asked for; and --verify of what no broker serves. */
#include "upkeep_run.h"
#include "journaled.h"
#include "minder.h"
#include "service.h"
#include "store_lmdb.h"
#include "upkeep.h"

#include <errno.h>
#include <string.h>

static int
verify_file(const struct options *o, int signals)
{
    struct source s;
    struct verify_report report = {0};
    minder_start(&(struct minder_options){.signals = signals});
    int rc = source_open(&s, o, o->data, false);
    if (rc)
        return rc;
    upkeep_verify(s.store, (uint16_t)s.seal.broker, &report);
    source_close(&s);
    return upkeep_tell(&report);
}

/* The data file as it is cannot take in what the journal has: a copy can, which nobody is to see.
 */
static int
copy_aside(struct source *s, const struct options *o, struct fresh *f)
{
    const char *directory = upkeep_directory_for_copies();
    if (!fresh_open(f, directory, false))
        return upkeep_refuse(
            EX_CANTCREAT, "can't make a file in %s: %s", directory, strerror(errno));
    if (store_lmdb_copy(s->store, f->fd) != STINT_OK)
        return upkeep_refuse(EX_IOERR,
            "can't copy the data file, which its journal is to be added "
            "to, to %s: %s",
            directory, s->store->ops->error(s->store));
    s->store->ops->destroy(&s->store);
    return upkeep_open(o, f->path, true, &s->store);
}

/* To read what the journal has as well. */
static int
open_journal(struct source *s, const struct options *o, struct fresh *f)
{
    char text[512];
    uint64_t index = 0;
    const struct journaled_options options = {.directory = s->data.directory,
        .identity = s->data.identity,
        .number = (uint16_t)s->data.number,
        .look = true};
    enum stint_status status = journaled_is_current(&options, s->store, &index, text);
    int rc = status == STINT_IN_USE ? copy_aside(s, o, f) : EX_OK;
    if (rc)
        return rc;
    if (status == STINT_OK || status == STINT_IN_USE)
        status = journaled_open(&options, &s->store, text);
    return status == STINT_OK ? EX_OK : upkeep_refuse(service_exit_code(status), "%s", text);
}

/* A directory that can't be written to, as on a disk that is read only, or another user's. */
static int
verify_unwritable(const struct options *o, int signals)
{
    static struct fresh f = {.fd = -1};
    struct source s;
    struct verify_report report = {0};
    minder_start(&(struct minder_options){.signals = signals, .fresh = &f});
    int rc = source_look_alone(&s, o, o->data);
    if (rc)
        return rc;
    rc = open_journal(&s, o, &f);
    if (!rc)
        upkeep_verify(s.store, (uint16_t)s.data.number, &report);
    source_close(&s);
    fresh_drop(&f);
    return rc ? rc : upkeep_tell(&report);
}

static bool
is_unwritable(const char *path)
{
    return data_exists(path) && !data_is_writable(path);
}

bool
upkeep_wanted(const struct options *o)
{
    const struct option_upkeep *u = &o->upkeep;
    return u->backup || u->restore || u->compact || u->dump || u->load ||
        (o->verify && (source_is_file(o->data) || is_unwritable(o->data)));
}

int
upkeep_run(const struct options *o, int signals)
{
    const struct option_upkeep *u = &o->upkeep;
    if (u->backup)
        return backup_run(o, signals);
    if (u->restore)
        return restore_run(o, signals);
    if (u->compact)
        return compact_run(o, signals);
    if (u->dump)
        return dump_run(o, signals);
    if (u->load)
        return load_run(o, signals);
    return source_is_file(o->data) ? verify_file(o, signals) : verify_unwritable(o, signals);
}
