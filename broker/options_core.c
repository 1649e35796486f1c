/* What holds where nobody has said anything, and what the core is told of the settings. */
#include "journaled.h"
#include "options.h"
#include "zone_files.h"

void
options_init(struct options *o)
{
    struct core_options core;
    core_options_init(&core);
    *o = (struct options){.data = "stint-data",
        .log_level = "info",
        .log_format = "text",
        .store_size = 1ULL << 40,
        .journal_size = JOURNAL_BYTES_DEFAULT,
        .disk_free = 256 << 20,
        .disk_reserve = 32 << 20,
        .upkeep.growth_bytes = 1 << 30,
        .times.heartbeat_ms = core.heartbeat_ms,
        .times.lost_ms = core.lost_ms,
        .times.grace_ms = core.grace_ms,
        .times.keep_ms = core.keep_ms,
        .times.keep_dead_ms = core.keep_dead_ms,
        .times.session_keep_ms = core.session_keep_ms,
        .max.payload_bytes = core.payload_bytes,
        .max.result_bytes = core.result_bytes,
        .max.queues = core.max.queues,
        .max.peers = core.max.peers,
        .max.sessions = core.max.sessions};
}

void
options_to_core(const struct options *o, struct core_options *core)
{
    core_options_init(core);
    core->broker = (uint16_t)o->broker;
    core->heartbeat_ms = (uint32_t)o->times.heartbeat_ms;
    core->lost_ms = (uint32_t)o->times.lost_ms;
    core->grace_ms = (uint32_t)o->times.grace_ms;
    core->keep_ms = o->times.keep_ms;
    core->keep_dead_ms = o->times.keep_dead_ms;
    core->session_keep_ms = o->times.session_keep_ms;
    core->payload_bytes = o->max.payload_bytes;
    core->result_bytes = o->max.result_bytes;
    core->max.backlog = o->max.backlog;
    core->max.queue_backlog = o->max.queue_backlog;
    core->max.queues = (uint32_t)o->max.queues;
    core->max.peers = (uint32_t)o->max.peers;
    core->max.sessions = (uint32_t)o->max.sessions;
    core->zone = zone_of_machine;
}
