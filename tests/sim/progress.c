/* How far jobs are, in the simulator; the contract is in progress.h. A text names job, attempt and
 * worker, and the percentage rises: so what is told shows by itself whose it is.
 */
#include "progress.h"

#include "oracle_inside.h"

#include <stdio.h>
#include <string.h>

enum { STEPS_MAX = 4, SEEN_MAX = 4096 };

void
progress_wait(struct stint_task *task, struct process *p, bool (*ready)(void *context),
    void *context, uint64_t until_us)
{
    char text[STINT_PROGRESS_BYTES], id[STINT_ID_TEXT_BYTES];
    const struct stint_task_info *info = stint_task_info(task);
    uint64_t begun_us = world_us();
    unsigned steps =
        chance_in_100(&p->chance, 30) ? 1 + (unsigned)chance_below(&p->chance, STEPS_MAX) : 0;
    for (unsigned i = 0; i < steps && until_us > begun_us && !ready(context); i++) {
        (void)snprintf(
            text, sizeof text, "%s %u %s", stint_id_format(&info->id, id), info->attempt, p->name);
        if (stint_task_progress(task, 100 * i / STEPS_MAX, text) != STINT_OK)
            sim_broken("a worker can't tell how far a job is");
        actor_wait(ready, context, begun_us + (until_us - begun_us) * (i + 1) / (steps + 1));
    }
    actor_wait(ready, context, until_us);
}

/* The last that was told of a job; others may take its place. What a step tells is in no order. */
static struct seen {
    struct stint_id id;
    uint32_t attempt, percent;
    uint64_t at_us;
} seen[SEEN_MAX];

void
progress_begin(void)
{
    memset(seen, 0, sizeof seen);
}

static void
check(
    const struct stint_id *id, uint32_t attempt, const char *worker, const struct stint_progress *p)
{
    char text[STINT_ID_TEXT_BYTES], said[STINT_ID_TEXT_BYTES] = "", by[STINT_LABEL_BYTES] = "";
    unsigned said_attempt = 0;
    stint_id_format(id, text);
    if (p->text && strncmp(p->text, "it has ended, and waits until ", 30) == 0)
        return; /* the broker's own word */
    if (!p->text || sscanf(p->text, "%47s %u %127[^\n]", said, &said_attempt, by) != 3)
        sim_broken("nobody has told the progress of %s that the broker tells", text);
    if (strcmp(said, text) != 0 || said_attempt != attempt || (*worker && strcmp(by, worker) != 0))
        sim_broken("the progress of %s, attempt %u, is another one's: %s", text, attempt, p->text);
    struct seen *s = &seen[(id->bytes[15] | id->bytes[14] << 8) % SEEN_MAX];
    bool same = id_compare(&s->id, id) == 0 && s->attempt == attempt;
    if (same && s->at_us < world_us() && p->percent < s->percent)
        sim_broken("the progress of %s goes back", text);
    *s = (struct seen){*id, attempt, p->percent, world_us()};
}

/* What a client is told is what the oracle has seen on its way. */
void
progress_heard(void *context, const struct stint_job_info *info)
{
    (void)context;
    if (info->state != STINT_RUNNING || info->progress.ms_ago == 0)
        sim_broken("a client is told the progress of a job that does not run");
}

void
progress_told(const struct message *m, struct message_arrays *arrays)
{
    struct pack_reader before = arrays->items.r;
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->type == MESSAGE_RUNNING) {
            if (!message_next_running(arrays))
                break;
            const struct stint_running_info *r = &arrays->running_info;
            if (r->progress.ms_ago)
                check(&r->id, r->attempt, "", &r->progress);
            continue;
        }
        if (!message_next_job(arrays))
            break;
        const struct stint_job_info *info = &arrays->info;
        if (!info->progress.ms_ago)
            continue;
        if (info->state != STINT_RUNNING)
            sim_broken("the broker tells how far a job is that does not run");
        check(&info->id, info->attempt, info->worker, &info->progress);
    }
    arrays->items.r = before;
}
