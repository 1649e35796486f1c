/* The frame decoder: any bytes are a message or none, and every part of it can be read to its end.
 */
#include "fuzz.h"
#include "message.h"

static struct message_arrays arrays;

static void
touch(struct slice s, const uint8_t *bytes, size_t size)
{
    MUST(s.size == 0 || (s.data >= bytes && s.data + s.size <= bytes + size));
}

static void
read_elements(const struct message *m, const uint8_t *bytes, size_t size)
{
    uint32_t n, index;
    struct stint_id id;
    enum stint_status status;
    for (uint32_t i = 0; i < m->count; i++) {
        switch (m->type) {
        case MESSAGE_SUBMIT:
            touch(arrays.specs[i].payload, bytes, size);
            MUST(name_is_valid(arrays.specs[i].queue) && name_is_valid(arrays.specs[i].kind));
            MUST(
                arrays.specs[i].max_attempts > 0 && arrays.specs[i].max_attempts <= LIMIT_ATTEMPTS);
            break;
        case MESSAGE_DISPATCH:
            touch(arrays.dispatched[i].payload, bytes, size);
            break;
        case MESSAGE_SETTLE:
            touch(arrays.outcomes[i].body, bytes, size);
            MUST(arrays.outcomes[i].type >= OUTCOME_SUCCEEDED &&
                arrays.outcomes[i].type <= OUTCOME_RETURNED);
            break;
        case MESSAGE_SUBMITTED:
            for (n = 0; n < arrays.answers[i].count; n++)
                if (!message_next_run(&arrays.answers[i], &id, &index))
                    break;
            break;
        case MESSAGE_SETTLED:
            for (n = 0; n < arrays.answers[i].count; n++)
                if (!message_next_exception(&arrays.answers[i], &index, &status))
                    break;
            break;
        case MESSAGE_JOBS:
        case MESSAGE_OUTCOMES:
            if (!message_next_job(&arrays))
                return;
            break;
        case MESSAGE_QUEUES:
            if (!message_next_queue(&arrays))
                return;
            break;
        case MESSAGE_WORKERS:
            if (!message_next_worker(&arrays))
                return;
            break;
        default:
            return;
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct message m;
    const char *why = NULL;
    enum stint_status status = message_decode(bytes, size, &m, &arrays, &why);
    if (status != STINT_OK) {
        MUST(why && (*why || status == STINT_UNKNOWN_TYPE));
        return 0;
    }
    MUST(m.type != MESSAGE_NONE && message_name(m.type));
    (void)message_allowed(m.type, ROLE_CLIENT);
    (void)message_allowed(m.type, ROLE_WORKER);
    MUST(m.count <= LIMIT_JOBS || m.type == MESSAGE_RECALL);
    read_elements(&m, bytes, size);
    return 0;
}
