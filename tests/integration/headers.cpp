// The public headers as C++ sees them, from C++11 on: it only has to compile, without a warning.
#include "stint.h"
#include "stint_embed.h"
#include "stint_objects.h"
#include "stint_worker.h"

#include <cstring>

namespace {

void
settled(void *context, const stint_job_info *info)
{
    *static_cast<bool *>(context) = stint_state_settled(info->state);
}

void
done(void *, enum stint_status, const stint_id *, size_t)
{
}

void
happened(void *, const stint_event *)
{
}

bool
each(void *, const stint_job_info *)
{
    return true;
}

void
log_line(void *, enum stint_embed_level, const char *)
{
}

void
failed(void *, enum stint_status, const char *)
{
}

} // namespace

int
main()
{
    struct stint_job job = STINT_JOB_INIT;
    struct stint_job jobs[2] = {STINT_JOB_INIT, STINT_JOB_INIT};
    stint_client_options options{};
    stint_filter filter{};
    stint_subscription subscription{};
    stint_client *client;
    const stint_job_info *info;
    stint_id id;
    size_t stored;
    bool over = false;
    job.queue = "mail";
    job.payload = "hello";
    job.payload_bytes = std::strlen("hello");
    filter.states = STINT_STATE_BIT(STINT_DEAD) | STINT_STATE_BIT(STINT_READY);
    subscription.events = 1U << STINT_EVENT_DEAD;
    if (stint_client_new(&options, &client) != STINT_OK)
        return 1;
    stint_submit(client, &job, 1, &id, STINT_TIMEOUT_DEFAULT);
    stint_submit_some(client, jobs, 2, nullptr, &stored, STINT_TIMEOUT_DEFAULT);
    stint_submit_async(client, &job, 1, done, nullptr);
    stint_wait(client, &id, 1, true, settled, &over, STINT_TIMEOUT_DEFAULT);
    stint_get(client, &id, STINT_PAYLOAD | STINT_RESULT, &info, STINT_TIMEOUT_DEFAULT);
    stint_list(client, &filter, each, nullptr, STINT_TIMEOUT_DEFAULT);
    stint_subscribe(client, &subscription, happened, nullptr, STINT_TIMEOUT_DEFAULT);
    stint_unsubscribe(client, happened, nullptr);
    stint_client_destroy(&client);
    stint_embed_options how{};
    stint_embed *embed;
    const char *why;
    how.log = log_line;
    how.log_level = STINT_EMBED_WARN;
    how.failed = failed;
    if (stint_embed_open("queue", &how, &embed) == STINT_OK)
        stint_embed_status(embed, &why);
    stint_embed_close(&embed);
    void *msgpack;
    char *json;
    if (stint_json_to_msgpack("{}", 2, &msgpack, &stored) == STINT_OK)
        stint_msgpack_to_json(msgpack, stored, &json);
    return over ? 0 : 1;
}
