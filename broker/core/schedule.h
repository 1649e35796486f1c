/* Schedules, which make jobs by the clock. A tick is dealt with in one transaction: its job is
 * inserted, and the schedule's row says that ticks up to now are over. So whatever stops us, a tick
 * has its job and is over, or neither; and as a tick is later than what is over, a clock that is
 * set back has none again.
 *
 * An expression follows the wall clock as people are told it (clock_told), a period the broker's
 * time, which no clock that is set moves. Ticks that are due together (the broker was down, or
 * stood still, or could not make jobs, or the wall clock was set forward) are missed but for the
 * last one, if that is not over for more than a minute: LATE_MS. What is done of them the schedule
 * says.
 *
 * In memory a schedule is what is needed to know when it is due; its job is read when it is.
 */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "ids.h"
#include "state.h"

enum { LATE_MS = 60000 };

struct schedule {
    char name[STINT_NAME_BYTES]; /* with zeros to its end */
    char queue[STINT_NAME_BYTES], kind[STINT_NAME_BYTES];
    struct row_schedule row; /* without its texts and its job */
    char cron_text[CRON_TEXT_BYTES], zone_text[ZONE_NAME_BYTES];
    struct cron cron;
    const struct zone *zone; /* NULL: of a period; or it is not on this machine any more */
    uint64_t next_ms; /* UINT64_MAX: none */
    enum stint_status trouble; /* why what is due can't be made now */
    UT_hash_handle hh;
};

/* At start. False: a row is damaged. */
bool schedule_load(struct core *core);
void schedule_fini(struct core *core);

struct schedule *schedule_find(struct core *core, struct slice name);
/* Make one, or change the one of this name; its job's numbers are `spec`. NULL: `*status` and
 * `*why` say why not. */
struct schedule *schedule_set(struct core *core, const struct schedule_request *request,
    const struct job_spec *spec, bool *made, enum stint_status *status, const char **why);
void schedule_remove(struct core *core, struct schedule *s);
void schedule_pause(struct core *core, struct schedule *s);
/* From now on: what was due until now is over. */
void schedule_resume(struct core *core, struct schedule *s);
/* Make its job now. One with the number of the last one makes none. */
enum stint_status schedule_run(struct core *core, struct schedule *s, uint64_t run);
/* With so many ticks to come; and its job, borrowed until the next call about any, if wanted. */
void schedule_describe(struct core *core, const struct schedule *s, uint32_t next, bool with_job,
    struct schedule_item *item);

/* What is due is made, some of it a step. */
void schedule_sweep(struct core *core);
uint64_t schedule_due_in(const struct core *core);

#endif
