/* The messages about queues, for transcript.c and nobody else. */

NAMES(queue_action, "pause", "resume", "close", "open", "remove", "oldest first", "newest first",
    "highest first", "lowest first", "limit", "tune", "set groups")

FIELDS(queue, map, {1, "name", show_name}, {2, "number", show_uint}, {3, "jobs", show_uint_list},
    {4, "workers", show_uint}, {5, "unserved", show_name}, {6, "oldest_ready_ms", show_uint},
    {7, "paused", show_bool}, {8, "closed", show_bool}, {9, "lifo", show_bool},
    {10, "low_first", show_bool}, {11, "running", show_uint}, {12, "rate", show_uint},
    {13, "weight", show_uint}, {14, "backlog_max", show_uint}, {15, "keep_ms", show_uint},
    {16, "time_to_run_ms", show_uint}, {17, "group_running", show_uint},
    {18, "group_rate", show_uint}, {19, "group_weights", show_uint})
LIST(queue)

FIELDS(group_weight, tuple, {0, "name", show_text}, {0, "weight", show_uint})
LIST(group_weight)

FIELDS(group, map, {1, "name", show_text}, {2, "ready", show_uint}, {3, "running", show_uint},
    {4, "weight", show_uint}, {5, "wait_ms", show_uint})
LIST(group)

MESSAGE(LIST_GROUPS, NUMBER, {2, "queue", show_name}, {3, "cursor", show_cursor},
    {4, "name", show_text})
MESSAGE(GROUPS, NUMBER, {2, "groups", show_group_list}, {3, "cursor", show_cursor})

MESSAGE(LIST_QUEUES, NUMBER, {2, "cursor", show_cursor})
MESSAGE(QUEUES, NUMBER, {2, "queues", show_queue_list}, {3, "cursor", show_cursor})
MESSAGE(SET_QUEUE, NUMBER, {2, "queue", show_name}, {3, "action", show_queue_action},
    {4, "running", show_uint}, {5, "rate", show_uint}, {6, "weight", show_uint},
    {7, "backlog_max", show_uint}, {8, "keep_ms", show_uint}, {9, "time_to_run_ms", show_uint},
    {10, "group_running", show_uint}, {11, "group_rate", show_uint},
    {12, "group_weights", show_group_weight_list})
MESSAGE(QUEUE, NUMBER, {2, "paused", show_bool}, {3, "closed", show_bool}, {4, "made", show_bool},
    {5, "lifo", show_bool}, {6, "low_first", show_bool}, {7, "running", show_uint},
    {8, "rate", show_uint}, {9, "weight", show_uint}, {10, "backlog_max", show_uint},
    {11, "keep_ms", show_uint}, {12, "time_to_run_ms", show_uint}, {13, "group_running", show_uint},
    {14, "group_rate", show_uint}, {15, "group_weights", show_uint})
