/* A map's joblog, in the columns of GNU parallel. The notice that a job is settled tells neither
 * who ran it nor when that began: with --joblog the broker is asked for it, job by job.
 */
#include "map.h"
#include "out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <utlist.h>

int
map_open_joblog(struct map *m)
{
    struct stat st;
    m->joblog = fopen(m->o.joblog, "ae");
    if (!m->joblog || fstat(fileno(m->joblog), &st) != 0) {
        cli_say(m->cli, "can't write to %s: %s", m->o.joblog, strerror(errno));
        return EX_CANTCREAT;
    }
    if (st.st_size == 0)
        fprintf(m->joblog,
            "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n");
    return EX_OK;
}

void
map_ask_runs(struct map *m, bool last)
{
    enum { WAIT_MS = 2000 };
    bool away = false;
    while (m->window.asked) {
        struct item *item = m->window.asked;
        const struct stint_job_info *info;
        enum stint_status status = away
            ? STINT_TIMEOUT
            : stint_get(m->cli->client, &item->info->id, STINT_ATTEMPTS, &info, WAIT_MS);
        away = status == STINT_TIMEOUT || status == STINT_UNREACHABLE;
        if (away && !last)
            return;
        if (status == STINT_OK && info->attempts_count > 0) {
            item->log.run = cli_allocate(sizeof *item->log.run);
            *item->log.run = info->attempts[info->attempts_count - 1];
        }
        DL_DELETE2(m->window.asked, item, log.prev, log.next);
        item->log.asked = false;
        map_ready(m, item);
    }
}

/* As `stint run` ends with it; -1 of what was not run to its end. */
static int
exit_value(const struct stint_job_info *info, int *signal)
{
    int code;
    if (out_exit_status(info, &code, signal))
        return out_lost_result(info) ? EX_IOERR : code;
    code = out_exit_code(info);
    return code == EXIT_JOB_FAILED ? -1 : code;
}

void
map_write_joblog(struct map *m, const struct item *item)
{
    const struct stint_job_info *i = item->info;
    const struct stint_attempt *run = item->log.run;
    int signal, code = exit_value(i, &signal);
    uint64_t ended_ms = run ? run->ended_ms : i->settled_ms;
    uint64_t begun_ms =
        run && run->started_ms && run->started_ms <= ended_ms ? run->started_ms : ended_ms;
    fprintf(m->joblog, "%llu\t%s\t%.3f\t%.3f\t0\t%llu\t%d\t%d\t", (unsigned long long)item->number,
        run && run->worker[0] ? run->worker : "-", (double)begun_ms / 1000,
        (double)(ended_ms - begun_ms) / 1000, (unsigned long long)i->result_bytes, code, signal);
    for (const char *c = item->log.command; c && *c; c++)
        fputc(*c == '\n' || *c == '\t' ? ' ' : *c, m->joblog);
    fputc('\n', m->joblog);
    if (fflush(m->joblog) != 0)
        map_output_trouble(m, m->o.joblog);
}
