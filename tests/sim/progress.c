/* How far jobs are, in the simulator; the contract is in progress.h. A text names job, attempt and
 * worker, and the percentage rises: so what is told shows by itself whose it is.
 */
#include "progress.h"

#include "oracle_inside.h"
#include "peers.h"

#include <stdio.h>
#include <string.h>

enum { STEPS_MAX = 4, SEEN_MAX = 4096 };

/* Of what a run writes, the byte that stands there. */
static char
byte_at(const struct stint_id *id, uint32_t attempt, uint64_t at)
{
    return (char)('a' + (id->bytes[15] + 7ULL * attempt + at + at / 26) % 26);
}

/* A run writes something: little, or more than is kept. */
static void
write_some(struct stint_task *task, struct process *p, uint64_t *written)
{
    char text[20000];
    const struct stint_task_info *info = stint_task_info(task);
    size_t size = (size_t)chance_skewed(&p->chance, sizeof text - 1);
    for (size_t i = 0; i < size; i++)
        text[i] = byte_at(&info->id, info->attempt, *written + i);
    *written += size;
    stint_task_wrote(task, text, size);
}

/* What each client has heard of runs last, by a hash of their jobs. */
static struct heard_output {
    struct stint_id id;
    uint32_t attempt;
    uint64_t at;
} outputs[CLIENTS_MAX][SEEN_MAX];

static struct heard_output *
heard_of(struct heard_output *all, const struct stint_id *id)
{
    static const struct stint_id none;
    uint32_t at = record_check(id->bytes, STINT_ID_BYTES, 0) % SEEN_MAX;
    while (id_compare(&all[at].id, id) != 0 && id_compare(&all[at].id, &none) != 0)
        at = (at + 1) % SEEN_MAX;
    return &all[at];
}

static bool
is_text_at(const struct stint_output *o, uint64_t at)
{
    const char *text = o->text;
    size_t i = 0;
    while (i < o->bytes && text[i] == byte_at(&o->id, o->attempt, at + i))
        i++;
    return i == o->bytes;
}

/* What a run writes says which job's it is, which attempt's, and where each byte stands. A client
 * that has let go of a job and watches it again begins anew. */
static void
wrote(void *context, const struct stint_output *o)
{
    char id[STINT_ID_TEXT_BYTES];
    struct heard_output *h = heard_of(context, &o->id);
    bool goes_on = id_compare(&h->id, &o->id) == 0 && o->attempt == h->attempt;
    uint64_t at = o->left_out;
    if (goes_on && is_text_at(o, h->at + at))
        at += h->at;
    else if (!is_text_at(o, at))
        sim_broken(
            "of %s another text is heard than its run has written", stint_id_format(&o->id, id));
    *h = (struct heard_output){o->id, o->attempt, at + o->bytes};
}

void
progress_wait(struct stint_task *task, struct process *p, bool (*ready)(void *context),
    void *context, uint64_t until_us)
{
    char text[STINT_PROGRESS_BYTES], id[STINT_ID_TEXT_BYTES];
    const struct stint_task_info *info = stint_task_info(task);
    uint64_t begun_us = world_us();
    uint64_t written = 0;
    unsigned steps =
        chance_in_100(&p->chance, 30) ? 1 + (unsigned)chance_below(&p->chance, STEPS_MAX) : 0;
    for (unsigned i = 0; i < steps && until_us > begun_us && !ready(context); i++) {
        (void)snprintf(
            text, sizeof text, "%s %u %s", stint_id_format(&info->id, id), info->attempt, p->name);
        if (stint_task_progress(task, 100 * i / STEPS_MAX, text) != STINT_OK)
            sim_broken("a worker can't tell how far a job is");
        write_some(task, p, &written);
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
static void
heard(void *context, const struct stint_job_info *info)
{
    (void)context;
    if (info->state != STINT_RUNNING || info->progress.ms_ago == 0)
        sim_broken("a client is told the progress of a job that does not run");
}

void
progress_listen(struct stint_client *client, struct chance *chance, unsigned index)
{
    stint_watch_progress(client, heard, NULL);
    memset(outputs[index], 0, sizeof outputs[index]);
    if (chance_in_100(chance, 30))
        (void)stint_watch_output(client, wrote, outputs[index]);
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
