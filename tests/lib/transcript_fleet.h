/* Workers and what they run, for transcript.c, which includes it where it may be used. */
FIELDS(worker, map, {1, "name", show_text}, {2, "software", show_text}, {3, "queues", show_text},
    {4, "slots", show_uint}, {5, "window", show_uint}, {6, "held", show_uint},
    {7, "seen_ms_ago", show_uint}, {8, "succeeded", show_uint}, {9, "failed", show_uint},
    {10, "kinds", show_text}, {11, "labels", show_text}, {12, "begun", show_uint},
    {13, "cores", show_uint}, {14, "load", show_uint}, {15, "state", show_uint},
    {16, "since_ms_ago", show_uint}, {17, "has", show_text}, {18, "taken", show_text})
LIST(worker)

FIELDS(running, map, {1, "id", show_id}, {2, "queue", show_name}, {3, "kind", show_name},
    {4, "attempt", show_uint}, {5, "begun", show_bool}, {6, "ms_ago", show_uint},
    {7, "progress_ms_ago", show_uint}, {8, "progress_percent", show_uint},
    {9, "progress_text", show_text})
LIST(running)
FIELDS(told, tuple, {0, "id", show_id}, {0, "attempt", show_uint}, {0, "text", show_text},
    {0, "percent", show_uint})
LIST(told)
