/* Questions and changes now and then; the contract is in meddle.h. */
#include "meddle.h"
#include "client.h"
#include "id.h"

static bool
list_one(void *context, const struct stint_job_info *info)
{
    (void)context;
    return info->state != STINT_UNKNOWN;
}

static bool
each_queue(void *context, const struct stint_queue_info *info)
{
    (void)context;
    return info->name[0] != '\0';
}

static bool
each_worker(void *context, const struct stint_worker_info *info)
{
    (void)context;
    return info->slots > 0;
}

/* Of a job that may be anybody's, or nobody's. */
static struct stint_id
guess(struct chance *chance)
{
    uint32_t queue = (uint32_t)chance_between(chance, 1, 3);
    return id_make(0, queue, DEFAULT_PRIORITY, chance_between(chance, 1, 40));
}

bool
meddle_with(struct stint_client *client, const struct grant *key, struct chance *chance,
    const struct stint_id *recent, unsigned known)
{
    const struct stint_job_info *info;
    struct stint_stats stats;
    struct stint_filter filter = {.limit = chance_in_100(chance, 50) ? 20 : 0};
    const struct stint_id *id = known ? &recent[chance_below(chance, known)] : NULL;
    struct stint_id guessed;
    if (key && chance_in_100(chance, 30)) {
        guessed = guess(chance);
        id = &guessed;
    }
    switch (chance_below(chance, 10)) {
    case 0:
    case 1:
        if (id)
            (void)stint_cancel(client, id, 1, NULL, MEDDLE_PATIENCE_MS);
        break;
    case 2:
    case 3:
        if (id)
            (void)stint_retry(client, id, 1, NULL, MEDDLE_PATIENCE_MS);
        break;
    case 4:
        if (id)
            (void)stint_get(client, id, STINT_PAYLOAD, &info, MEDDLE_PATIENCE_MS);
        break;
    case 5:
        (void)stint_list(client, &filter, list_one, NULL, MEDDLE_PATIENCE_MS);
        break;
    case 6:
    case 7:
        return false;
    case 8:
        (void)stint_workers(client, each_worker, NULL, MEDDLE_PATIENCE_MS);
        (void)stint_queues(client, each_queue, NULL, MEDDLE_PATIENCE_MS);
        break;
    default:
        (void)stint_get_stats(client, &stats, MEDDLE_PATIENCE_MS);
    }
    return true;
}
