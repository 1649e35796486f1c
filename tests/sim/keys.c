/* Keys of the simulated world; the contract is in keys.h. */
#include "keys.h"

const char *const keys_queues[KEYS_QUEUES] = {"alpha", "beta", "gamma"};

void
keys_make(struct grant *key, const char *name, uint32_t rights, unsigned first, unsigned count,
    unsigned queues)
{
    *key = (struct grant){.rights = rights};
    (void)snprintf(key->name, sizeof key->name, "%s", name);
    if (count == queues)
        return;
    key->patterns_count = count;
    for (unsigned i = 0; i < count; i++) { /* as a prefix, now and then */
        const char *queue = keys_queues[(first + i) % queues];
        (void)snprintf(key->patterns[i], sizeof key->patterns[i], "%.*s%s", i % 2 ? 2 : 64, queue,
            i % 2 ? "*" : "");
    }
}

bool
keys_restrict(const struct grant *key)
{
    return key && key->patterns_count > 0;
}

bool
keys_allow(const struct grant *key, uint32_t rights, const char *queue)
{
    bool covered = !keys_restrict(key);
    for (uint32_t i = 0; !covered && i < key->patterns_count; i++) {
        size_t size = strlen(key->patterns[i]);
        bool prefix = key->patterns[i][size - 1] == '*';
        covered = prefix ? strncmp(key->patterns[i], queue, size - 1) == 0
                         : strcmp(key->patterns[i], queue) == 0;
    }
    return covered && (!key || (key->rights & rights) != 0);
}

unsigned
keys_index(struct slice queue)
{
    unsigned i = 0;
    while (i < KEYS_QUEUES &&
        (strlen(keys_queues[i]) != queue.size ||
            memcmp(keys_queues[i], queue.data, queue.size) != 0))
        i++;
    return i;
}
