/* --compact: a data file that has grown is replaced by a compact copy of itself. The copy is read
 * as a whole before it takes the old one's place, which one rename does: whatever stops us leaves
 * the old file or the new one. The manifest, which says how small the file may be, goes first.
 */
#include "fresh.h"
#include "log.h"
#include "minder.h"
#include "store_lmdb.h"
#include "upkeep.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static int
copy(const struct options *o, const struct data *data, struct fresh *f)
{
    struct store *store = NULL;
    int rc = upkeep_open(o, data->path, false, &store);
    if (rc)
        return rc;
    if (store_lmdb_copy(store, f->fd) != STINT_OK)
        rc = upkeep_refuse(
            EX_IOERR, "can't make the copy: %s; the old file stays", store->ops->error(store));
    store->ops->destroy(&store);
    return rc;
}

static int
replace(struct data *data, struct fresh *f, uint64_t *bytes)
{
    char text[1024];
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return upkeep_refuse(EX_IOERR, "can't look at the copy: %s", strerror(errno));
    *bytes = (uint64_t)st.st_size;
    int rc = data_shrink(data, *bytes, text);
    if (rc)
        return upkeep_refuse(rc, "%s; the old file stays", text);
    if (!fresh_keep(f, true))
        return upkeep_refuse(EX_IOERR, "can't replace %s: %s", data->path, strerror(errno));
    return EX_OK;
}

static int
open_data(const struct options *o, struct data *data)
{
    char text[1024];
    if (!data_exists(o->data))
        return upkeep_refuse(
            EX_NOINPUT, "%s is no data directory of stintd's; name one with --data", o->data);
    int rc = data_open(data, o->data, (uint16_t)o->broker, true, text);
    if (!rc)
        rc = data_hold(data, text);
    if (rc)
        return upkeep_refuse(rc, "%s", text);
    if (data->least_bytes == 0 || data->number < 0)
        rc = upkeep_refuse(EX_CONFIG, "%s has not been served yet; start stintd on it", o->data);
    return rc;
}

int
compact_run(const struct options *o, int signals)
{
    static struct fresh f = {.fd = -1};
    static struct data data = {.lock = -1, .held = -1, .file = -1, .readers = -1};
    struct verify_report report = {0};
    struct stat before;
    uint64_t bytes = 0;
    int rc = open_data(o, &data);
    if (!rc && (stat(data.path, &before) != 0 || !fresh_open(&f, data.path, true)))
        rc = upkeep_refuse(
            EX_CANTCREAT, "can't make a file beside %s: %s", data.path, strerror(errno));
    if (!rc) {
        struct seal seal = {.broker = data.number};
        memcpy(seal.identity, data.identity, sizeof seal.identity);
        minder_start(&(struct minder_options){.signals = signals, .fresh = &f});
        rc = copy(o, &data, &f);
        if (!rc)
            rc = upkeep_check(o, f.path, &seal, &report);
        if (!rc)
            rc = replace(&data, &f, &bytes);
    }
    fresh_drop(&f);
    data_close(&data);
    if (rc)
        return rc;
    log_event(LOG_LEVEL_INFO, "compacted",
        LOG_FIELDS(LOG_TEXT("data", o->data), LOG_NUMBER("jobs", upkeep_jobs(&report)),
            LOG_NUMBER("bytes_before", (uint64_t)before.st_size), LOG_NUMBER("bytes", bytes)));
    return EX_OK;
}
