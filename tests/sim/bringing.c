/* Runs that ask for something with their end; the contract is in bringing.h. */
#include "bringing.h"
#include "oracle.h"
#include "stint_worker.h"
#include "wishes.h"

#include <stdlib.h>

enum { MOST = 3, RECENT = 16 };

/* Jobs that have run lately: they run still, or are over, or wait to be run again. */
static struct stint_id recent[RECENT];
static unsigned recent_count;

void
bringing_begin(void)
{
    recent_count = 0;
}

/* A graph of a few jobs, which bring nothing themselves. */
static void
ask_for_jobs(
    struct stint_task *task, uint32_t parent, const struct load *load, struct chance *chance)
{
    struct stint_job jobs[MOST];
    struct stint_id parents[MOST][2];
    bool itself = false;
    uint32_t count = (uint32_t)chance_between(chance, 1, MOST), first = 0;
    if (!oracle_has_room(count))
        return;
    for (uint32_t i = 0; i < count; i++) {
        struct wish w = wishes_make(load, NULL, chance);
        w.unique = NULL;
        w.expires_in_ms = w.batch = 0;
        w.kills = w.picky = false;
        if (i > 0)
            wishes_wait(&w, load, NULL, first, i, chance);
        uint32_t job = oracle_brought(&w, parent, stint_task_info(task)->attempt);
        first = i == 0 ? job : first;
        for (unsigned n = 0; n < w.after.count; n++)
            itself |= w.after.jobs[n] == parent;
    }
    for (uint32_t i = 0; i < count; i++) {
        jobs[i] = wishes_job(oracle_wish_of(first + i), first, parents[i]);
        jobs[i].payload = oracle_payload(first + i);
    }
    enum stint_status status = stint_task_submit(task, jobs, count);
    /* After itself it may ask for nothing, nor when it was snoozed. */
    if (status != (itself ? STINT_INVALID : STINT_OK) && status != STINT_WRONG_STATE)
        sim_broken("a run can't ask for jobs: %s", stint_task_error(task));
    for (uint32_t i = 0; i < count; i++)
        free((void *)(uintptr_t)jobs[i].payload);
}

void
bringing_ask(struct stint_task *task, uint32_t job, const struct load *load, struct chance *chance)
{
    unsigned known = recent_count < RECENT ? recent_count : RECENT;
    recent[recent_count++ % RECENT] = stint_task_info(task)->id;
    if (!load->bringing || oracle_was_brought(job))
        return;
    if (chance_in_100(chance, load->bringing))
        ask_for_jobs(task, job, load, chance);
    if (known == 0 || !chance_in_100(chance, load->bringing / 3))
        return;
    enum stint_status status = stint_task_cancel(task, &recent[chance_below(chance, known)]);
    if (status != STINT_OK && status != STINT_WRONG_STATE)
        sim_broken("a run can't have a job cancelled: %s", stint_task_error(task));
}
