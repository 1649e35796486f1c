/* --load: makes a data directory from a dump, which is checked line by line, and as a whole before
 * it becomes the directory's. Nothing is brought to the disk before the end, as nothing is promised
 * before.
 */
#include "load.h"
#include "key_files.h"
#include "log.h"
#include "minder.h"
#include "store_lmdb.h"
#include "upkeep.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINE_BYTES_MAX = 64 << 20, /* two bodies of which each byte is written \u00xx, and more */
    COMMIT_LINES = 8192,
    COMMIT_BYTES = 8 << 20,
};

/* A line without its line feed; -1: there are no more, -2: it is too long or can't be read. */
static ssize_t
next_line(FILE *from, char **line, size_t *room)
{
    size_t used = 0;
    int c;
    while ((c = getc_unlocked(from)) != EOF && c != '\n') {
        if (used + 1 >= *room) {
            *room = *room ? 2 * *room : 4096;
            *line = *room <= 2 * (size_t)LINE_BYTES_MAX ? realloc(*line, *room) : NULL;
            if (!*line)
                return -2;
        }
        (*line)[used++] = (char)c;
    }
    if (c == EOF && (used == 0 || ferror(from)))
        return ferror(from) ? -2 : -1;
    return (ssize_t)used;
}

static int
say_wrong(const struct load *load, const char *name)
{
    return upkeep_refuse(load->newer ? EX_CONFIG : EX_DATAERR, "%s:%" PRIu64 ": %s", name,
        load->lines, load->line.why);
}

/* One line. Returns an exit code. */
static int
take(struct load *load, const struct options *o, const char *text, size_t size)
{
    const char *name = o->upkeep.load, *type = "", *unknown;
    struct load_line *l = &load->line;
    bool good = line_read(l, text, size), lenient = o->upkeep.ignore_unknown;
    if (good)
        type = line_must_text(l, "type", 64);
    if (good && !l->why[0] && !load_knows(type)) {
        if (!lenient)
            line_wrong(l, "%s is no type that this stintd knows; see --ignore-unknown", type);
    } else if (good && !l->why[0] && load_take(load, type)) {
        unknown = line_unknown(l);
        if (unknown && !lenient)
            line_wrong(l, "there is no field %.64s of a %s; see --ignore-unknown", unknown, type);
    }
    int rc = l->why[0] ? say_wrong(load, name) : EX_OK;
    line_done(l);
    return rc;
}

static int
commit(struct load *load)
{
    struct store *s = load->store;
    if (load->begun)
        book_flush(&load->book);
    if (s->ops->commit(s) != STINT_OK)
        return upkeep_refuse(EX_IOERR, "%s", s->ops->error(s));
    s->ops->begin(s);
    return EX_OK;
}

static int
take_all(struct load *load, const struct options *o, FILE *from)
{
    char *line = NULL;
    size_t room = 0, bytes = 0;
    ssize_t size;
    int rc = EX_OK;
    load->store->ops->begin(load->store);
    while (rc == EX_OK && (size = next_line(from, &line, &room)) >= 0) {
        load->lines++;
        rc = take(load, o, line, (size_t)size);
        bytes += (size_t)size;
        if (rc == EX_OK && (load->lines % COMMIT_LINES == 0 || bytes >= COMMIT_BYTES)) {
            rc = commit(load);
            bytes = 0;
        }
    }
    free(line);
    if (rc == EX_OK && size == -2)
        rc = upkeep_refuse(EX_DATAERR, "%s:%" PRIu64 ": the line can't be read, or is too long",
            o->upkeep.load, load->lines + 1);
    if (rc == EX_OK && !load->ended)
        rc = upkeep_refuse(EX_DATAERR, "%s:%" PRIu64 ": it is cut short: its end is missing",
            o->upkeep.load, load->lines);
    if (rc == EX_OK) {
        load_finish(load);
        rc = commit(load);
    }
    load->store->ops->abort(load->store);
    return rc;
}

/* ---- keys ---- */

static void
key_path(const struct options *o, const struct loaded_key *key, char path[4096])
{
    (void)snprintf(path, 4096, "%s/%s.pub", o->keys, key->name);
}

/* Those that are there already are to be the same. */
static int
put_keys(const struct options *o, const struct load *load, size_t *made)
{
    char path[4096];
    if (load->keys_count > 0 && mkdir(o->keys, 0700) != 0 && errno != EEXIST)
        return upkeep_refuse(EX_CANTCREAT, "can't make %s: %s", o->keys, strerror(errno));
    for (*made = 0; *made < load->keys_count; ++*made) {
        key_path(o, &load->keys[*made], path);
        if (!key_files_save(path, &load->keys[*made].file, false, false))
            return upkeep_refuse(
                EX_CANTCREAT, "can't write %s: %s; nothing was loaded", path, strerror(errno));
    }
    return EX_OK;
}

static void
take_keys_away(const struct options *o, const struct load *load, size_t made)
{
    char path[4096];
    while (made > 0) {
        key_path(o, &load->keys[--made], path);
        (void)unlink(path);
    }
    if (load->keys_count > 0)
        (void)rmdir(o->keys); /* if nothing else is in it */
}

/* ---- all ---- */

static void
unmake(void *context)
{
    data_unmake(context);
}

/* The lines into a store of their own, which is checked as a whole. */
static int
fill(struct load *load, const struct options *o, const char *path, FILE *from)
{
    struct verify_report report = {0};
    int rc = upkeep_open(o, path, true, &load->store);
    if (rc)
        return rc;
    rc = take_all(load, o, from);
    if (!rc)
        rc = upkeep_check_number(o, o->upkeep.load, load->seal.broker);
    if (!rc && store_lmdb_sync(load->store) != STINT_OK)
        rc = upkeep_refuse(EX_IOERR, "%s", load->store->ops->error(load->store));
    if (load->begun)
        book_fini(&load->book);
    load->store->ops->destroy(&load->store);
    return rc ? rc : upkeep_check(o, path, &load->seal, &report);
}

static int
make(struct load *load, const struct options *o, FILE *from, struct data *data, struct fresh *f)
{
    size_t keys = 0;
    if (!fresh_open(f, data->path, true))
        return upkeep_refuse(
            EX_CANTCREAT, "can't make a file for %s: %s", data->path, strerror(errno));
    int rc = fill(load, o, f->path, from);
    if (!rc) {
        rc = put_keys(o, load, &keys);
        if (!rc)
            rc = upkeep_settle_in(data, f, &load->seal);
        if (rc)
            take_keys_away(o, load, keys);
    }
    return rc;
}

int
load_run(const struct options *o, int signals)
{
    static struct fresh f = {.fd = -1};
    static struct data data;
    static struct load load;
    const char *name = o->upkeep.load;
    char text[1024];
    FILE *from = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
    if (!from)
        return upkeep_refuse(EX_NOINPUT, "can't open %s: %s", name, strerror(errno));
    int rc = data_make(&data, o->data, text);
    if (rc)
        return upkeep_refuse(rc, "%s", text);
    minder_start(&(struct minder_options){
        .signals = signals, .fresh = &f, .drop = unmake, .context = &data});
    rc = make(&load, o, from, &data, &f);
    fresh_drop(&f);
    free(load.keys);
    if (from != stdin)
        (void)fclose(from);
    if (rc) {
        data_unmake(&data);
        return rc;
    }
    log_event(LOG_LEVEL_INFO, "loaded",
        LOG_FIELDS(LOG_TEXT("data", data.directory), LOG_NUMBER("jobs", load.jobs),
            LOG_NUMBER("lines", load.lines), LOG_NUMBER("keys", load.keys_count),
            LOG_NUMBER("set_aside", load.damaged)));
    data_close(&data);
    return EX_OK;
}
