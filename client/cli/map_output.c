/* What a map writes: results in their turn, failures, the joblog, progress, and the sum of it. */
#include "console.h"
#include "map.h"
#include "out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The directory, made if it is not there. Returns an errno; 0: it can be used. */
static int
open_results(const char *path)
{
    struct stat st;
    if (mkdir(path, 0777) == 0)
        return 0;
    if (errno != EEXIST || stat(path, &st) != 0)
        return errno;
    if (!S_ISDIR(st.st_mode))
        return ENOTDIR;
    return access(path, W_OK | X_OK) == 0 ? 0 : errno;
}

int
map_open_outputs(struct map *m)
{
    int why = m->o.results ? open_results(m->o.results) : 0;
    if (why) {
        cli_say(m->cli, "can't use %s: %s", m->o.results, strerror(why));
        return EX_CANTCREAT;
    }
    return m->o.joblog ? map_open_joblog(m) : EX_OK;
}

void
map_output_trouble(struct map *m, const char *path)
{
    if (m->rc == EX_OK)
        cli_say(m->cli, "can't write to %s: %s", path, strerror(errno));
    m->rc = EX_IOERR;
}

void
map_close_outputs(struct map *m)
{
    if (m->joblog && fclose(m->joblog) != 0)
        map_output_trouble(m, m->o.joblog);
    m->joblog = NULL;
}

/* Its standard error, as far as it is kept. */
static const char *
error_output(const struct stint_job_info *info)
{
    if (info->state == STINT_SUCCEEDED)
        return info->error;
    const char *rest = strchr(info->error, '\n');
    return rest ? rest + 1 : "";
}

/* Has a map before us, whose input was another, put another line's results there? */
static bool
holds_another(const char *directory, const struct item *item)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/line", directory);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    char *bytes = cli_allocate(item->line_bytes + 1);
    size_t size = fread(bytes, 1, item->line_bytes + 1, f);
    bool same = size == item->line_bytes && memcmp(bytes, item->line, size) == 0;
    free(bytes);
    fclose(f);
    return !same;
}

/* DIR/NUMBER; if a map that went on before this one has used the number, DIR/NUMBER.2 and so on. */
static void
results_directory(struct map *m, const struct item *item, char path[4000])
{
    int size = snprintf(path, 4000, "%s/%llu", m->o.results, (unsigned long long)item->number);
    for (unsigned n = 2; m->state && size < 3980 && holds_another(path, item); n++)
        (void)snprintf(path + size, 4000U - (size_t)size, ".%u", n);
}

static void
write_file(struct map *m, const char *directory, const char *name, const void *bytes, size_t size)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *f = fopen(path, "we");
    bool good = f && (size == 0 || fwrite(bytes, 1, size, f) == size);
    if ((f && fclose(f) != 0) || !good)
        map_output_trouble(m, path);
}

static void
write_results(struct map *m, const struct item *item)
{
    char path[4000];
    const char *errors = error_output(item->info);
    results_directory(m, item, path);
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        map_output_trouble(m, path);
        return;
    }
    write_file(m, path, "line", item->line, item->line_bytes);
    write_file(m, path, "stdout", item->result, map_result_bytes(item));
    write_file(m, path, "stderr", errors, strlen(errors));
}

/* Each line with the line of input before it. */
static void
write_tagged(const struct item *item)
{
    const char *at = item->result, *end = at + item->info->result_bytes;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop + 1 : end;
        out_bytes(item->line, item->line_bytes);
        out_bytes("\t", 1);
        out_bytes(at, (size_t)(stop - at));
        at = stop;
    }
    if (end > (const char *)item->result && end[-1] != '\n')
        out_bytes("\n", 1);
}

static void
write_json(const struct item *item)
{
    json_t *o = out_job(item->info);
    json_object_set_new(o, "number", json_integer((json_int_t)item->number));
    json_object_set_new(o, "line", out_text(item->line, item->line_bytes));
    (void)out_line(o);
}

/* One line that says which failed, how, and the last thing it said. */
static void
say_failure(struct map *m, const struct item *item, const char *lost)
{
    const struct stint_job_info *i = item->info;
    const char *error = lost ? lost : i->error;
    if (++m->counts.told > FAILURES_TOLD)
        return;
    if (!*error)
        error = i->state == STINT_UNKNOWN ? "its outcome is not kept any more"
                                          : stint_state_name(i->state);
    size_t first = strcspn(error, "\n"), end = strlen(error);
    while (end > first && (error[end - 1] == '\n' || error[end - 1] == ' '))
        end--;
    size_t from = end;
    while (from > first && error[from - 1] != '\n')
        from--;
    bool more = from > first && end > from;
    int line = item->line_bytes > 200 ? 200 : (int)item->line_bytes;
    while (item->line_bytes > 200 && line > 0 && (item->line[line] & 0xc0) == 0x80)
        line--; /* no half character */
    cli_say(m->cli, "%.*s%s: %.*s%s%.*s", line, item->line, item->line_bytes > 200 ? "..." : "",
        (int)first, error, more ? ": " : "", more ? (int)(end - from) : 0, error + from);
}

static void
write_text(struct map *m, const struct item *item, const char *lost)
{
    if (lost) {
        (void)fflush(console_out());
        say_failure(m, item, lost);
        return;
    }
    if (m->o.tag)
        write_tagged(item);
    else
        out_bytes(item->result, item->info->result_bytes);
    bool failed = item->info->state != STINT_SUCCEEDED;
    if (failed || item->info->error[0])
        (void)fflush(console_out()); /* where both are one, this comes behind its output */
    if (failed)
        say_failure(m, item, lost);
    else if (item->info->error[0])
        console_error_bytes(item->info->error, strlen(item->info->error));
}

void
map_write(struct map *m, struct item *item)
{
    const char *lost = out_lost_result(item->info);
    if (item->not_run) {
        if (item->recorded)
            (void)state_mark(m->state, item->record, STATE_DROPPED);
        return;
    }
    if (m->joblog)
        map_write_joblog(m, item);
    if (m->o.results)
        write_results(m, item);
    if (m->cli->json)
        write_json(item);
    else
        write_text(m, item, lost);
    bool written = !m->state || (fflush(console_out()) == 0 && !console_failed());
    if (written && item->recorded &&
        !state_mark(m->state, item->record, item->failed ? STATE_FAILED : STATE_SHOWN))
        map_output_trouble(m, "the state directory");
}

static void
put_eta(char *text, size_t size, double seconds)
{
    unsigned long s = seconds < 1e7 ? (unsigned long)seconds : 9999999;
    if (s >= 3600)
        (void)snprintf(text, size, "  ETA %luh%02lum", s / 3600, s / 60 % 60);
    else if (s >= 60)
        (void)snprintf(text, size, "  ETA %lum%02lus", s / 60, s % 60);
    else
        (void)snprintf(text, size, "  ETA %lus", s);
}

void
map_show_progress(struct map *m, bool last)
{
    enum { WIDTH = 30, WITH_BAR = 80, EVERY_MS = 100, PLAIN_MS = 1000 };
    static uint64_t begun_ms, shown_ms, begun_done;
    uint64_t now_ms = clock_ms();
    char bar[WIDTH + 1], text[200], eta[40] = "";
    bool tty = isatty(STDERR_FILENO);
    if (!tty && !m->o.progress)
        return;
    if (!begun_ms) {
        begun_ms = now_ms;
        begun_done = m->counts.done;
        m->counts.total = input_total(m->input);
    }
    uint64_t all_ms = now_ms - begun_ms;
    /* Short work needs no bar. */
    if ((!m->o.progress && all_ms < 1000) ||
        (!last && now_ms - shown_ms < (tty ? EVERY_MS : PLAIN_MS)))
        return;
    shown_ms = now_ms;
    uint64_t read = m->counts.done + m->window.open,
             total = m->counts.total > read || m->over ? m->counts.total : 0;
    total = m->over || total < read ? read : total;
    size_t full = total ? (size_t)(m->counts.done * WIDTH / total) : 0;
    memset(bar, '.', WIDTH);
    memset(bar, '#', full < WIDTH ? full : WIDTH);
    bar[WIDTH] = '\0';
    double rate = all_ms ? (double)(m->counts.done - begun_done) * 1000 / (double)all_ms : 0;
    bool bar_fits = !tty || console_error_width() >= WITH_BAR; /* the numbers matter more */
    if (rate > 0 && (m->over || m->counts.total) && m->counts.done < total)
        put_eta(eta, sizeof eta, (double)(total - m->counts.done) / rate);
    (void)snprintf(text, sizeof text, "%s%s%s%llu/%llu%s  %llu failed  %.0f/s%s",
        bar_fits ? "[" : "", bar_fits ? bar : "", bar_fits ? "] " : "",
        (unsigned long long)m->counts.done, (unsigned long long)total,
        m->over || m->counts.total ? "" : "+", (unsigned long long)m->counts.failed, rate, eta);
    if (tty && !last)
        console_progress(text);
    else if (!tty || m->o.progress)
        console_say(text);
    else
        console_progress("");
}

void
map_summary(struct map *m)
{
    if (m->counts.skipped + m->counts.skipped_failed + m->counts.taken_up + m->counts.not_kept > 0)
        cli_say(m->cli,
            "resumed: %llu lines done before and skipped, %llu still on their way, %llu new",
            (unsigned long long)m->counts.skipped + m->counts.skipped_failed,
            (unsigned long long)m->counts.taken_up, (unsigned long long)m->counts.fresh);
    if (m->counts.not_kept > 0)
        cli_say(m->cli,
            "%llu outcomes were not kept (see --keep); these lines, which may have run before, "
            "were "
            "run again",
            (unsigned long long)m->counts.not_kept);
    if (m->counts.skipped_failed > 0)
        cli_say(m->cli, "%llu of the skipped lines had failed; --retry-failed runs them again",
            (unsigned long long)m->counts.skipped_failed);
    if (m->state && m->over && !m->stopping && state_left(m->state) > 0)
        cli_say(m->cli,
            "%llu lines of the input before are not in this one; nothing is shown of "
            "them",
            (unsigned long long)state_left(m->state));
    if (m->counts.told > FAILURES_TOLD)
        cli_say(m->cli, "%llu of %llu failed; %d are told here, --joblog FILE or --json tells all",
            (unsigned long long)m->counts.failed,
            (unsigned long long)m->counts.failed + m->counts.succeeded, FAILURES_TOLD);
    else if (m->counts.failed > 1)
        cli_say(m->cli, "%llu of %llu failed", (unsigned long long)m->counts.failed,
            (unsigned long long)m->counts.failed + m->counts.succeeded);
}
