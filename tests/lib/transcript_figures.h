/* Fields of reasons, and of the figures of queues; part of transcript.c. */

/* clang-format off */
FIELDS(reason, map,
    {1, "why", show_why}, {2, "id", show_id}, {3, "queue", show_name}, {4, "kind", show_name},
    {5, "state", show_state}, {6, "closed", show_bool}, {7, "full", show_bool},
    {8, "about", show_bool}, {9, "workers", show_uint}, {10, "paused", show_uint},
    {11, "leaving", show_uint}, {12, "away", show_uint}, {13, "slots", show_uint},
    {14, "before", show_uint}, {15, "due", show_time}, {16, "worker", show_text},
    {17, "error", show_bytes}, {18, "needs", show_text})
LIST(reason)

LIST(uint_list)

FIELDS(kind_figures, tuple,
    {0, "kind", show_name}, {0, "wait", show_uint_list}, {0, "run", show_uint_list})
LIST(kind_figures)

FIELDS(priority_figures, tuple, {0, "priority", show_uint}, {0, "jobs", show_uint_list})
LIST(priority_figures)

FIELDS(figures, map,
    {1, "queue", show_name}, {2, "totals", show_uint_list}, {3, "rates", show_uint_list_list},
    {4, "jobs", show_uint_list}, {5, "workers", show_uint}, {6, "oldest_ready_ms", show_uint},
    {7, "paused", show_bool}, {8, "closed", show_bool}, {9, "kinds", show_kind_figures_list},
    {10, "priorities", show_priority_figures_list}, {11, "wait", show_uint_list},
    {12, "run", show_uint_list})
LIST(figures)
/* clang-format on */
