/* People of the simulated world: they look at the broker's lists, and tell workers what to do. */
#ifndef PEOPLE_H
#define PEOPLE_H

#include "sim.h"
#include "stint.h"

struct stint_worker;

/* Read a list: of jobs, at most `limit` (0: all), or of workers and queues, and what one runs. */
/* Changes where the job stands, among so many queues, or when it is due. */
/* Something is done to all jobs of a queue, or of all, and sometimes it is stopped. */
void people_bulk(struct stint_client *client, struct chance *chance, unsigned queues);
void people_change(
    struct stint_client *client, struct chance *chance, const struct stint_id *id, unsigned queues);
void people_list_jobs(struct stint_client *client, uint64_t limit, uint32_t patience_ms);
void people_list_fleet(struct stint_client *client, uint32_t patience_ms);

/* Hear of everything that happens, as far as it may be heard of; until the client ends. */
void people_subscribe(struct stint_client *client, uint32_t patience_ms);

/* Resize, pause, resume, drain or stop some of `workers`, or set the fleet's size. Whether that
 * reaches the broker is part of the world. */
void people_meddle(struct stint_client *client, struct chance *chance, unsigned workers);
/* Pause, resume, close, open or remove one of the first queues. */
void people_set_queue(struct stint_client *client, struct chance *chance, unsigned queues);
/* Take back all that may be set for them and for queues. False: not all was answered, so try again.
 */
bool people_relent(struct stint_client *client, unsigned workers, unsigned queues);

/* A job begins in this worker now: may it? */
void people_judge(const struct stint_worker *worker, const char *name);

#endif
