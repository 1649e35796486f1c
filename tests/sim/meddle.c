/* Questions and changes now and then; the contract is in meddle.h. */
#include "meddle.h"
#include "client.h"
#include "id.h"
#include "people.h"

/* Of a job that may be anybody's, or nobody's. */
static struct stint_id
guess(struct chance *chance)
{
    uint32_t queue = (uint32_t)chance_between(chance, 1, 3);
    return id_make(0, queue, DEFAULT_PRIORITY, chance_between(chance, 1, 40));
}

bool
meddle_with(struct stint_client *client, const struct grant *key, struct chance *chance,
    const struct stint_id *recent, unsigned known, unsigned queues)
{
    const struct stint_job_info *info;
    struct stint_stats stats;
    struct stint_reason reason;
    const struct stint_id *id = known ? &recent[chance_below(chance, known)] : NULL;
    struct stint_id guessed;
    if (key && chance_in_100(chance, 30)) {
        guessed = guess(chance);
        id = &guessed;
    }
    if (id && chance_in_100(chance, 40)) {
        (void)stint_why(client, id, 1, &reason, MEDDLE_PATIENCE_MS);
        return true;
    }
    switch (chance_below(chance, 15)) {
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
        people_list_jobs(client, chance_in_100(chance, 50) ? 20 : 0, MEDDLE_PATIENCE_MS);
        break;
    case 6:
    case 7:
        return false;
    case 8:
        people_list_fleet(client, MEDDLE_PATIENCE_MS);
        break;
    case 9:
        people_subscribe(client, MEDDLE_PATIENCE_MS);
        break;
    case 10:
    case 11:
        if (id)
            people_change(client, chance, id, queues);
        break;
    case 12:
        if (id && chance_in_100(chance, 30))
            (void)stint_delete(client, id, 1, NULL, MEDDLE_PATIENCE_MS);
        break;
    case 13:
        if (chance_in_100(chance, 40))
            people_bulk(client, chance, queues);
        break;
    default:
        (void)stint_get_stats(client, &stats, MEDDLE_PATIENCE_MS);
    }
    return true;
}
