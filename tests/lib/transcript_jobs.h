/* What a job is, as it is submitted and as it is told of; for transcript.c and nobody else. */

FIELDS(spec, map, {1, "queue", show_name}, {2, "kind", show_name}, {3, "payload", show_bytes},
    {4, "priority", show_uint}, {5, "max_attempts", show_uint}, {6, "keep_ms", show_uint},
    {7, "time_to_run_ms", show_uint}, {8, "backoff_base_ms", show_uint},
    {9, "backoff_cap_ms", show_uint}, {10, "delay_ms", show_uint}, {11, "due_ms", show_uint},
    {12, "expires_in_ms", show_uint}, {13, "expires_at_ms", show_uint},
    {15, "unique_flags", show_uint}, {16, "unique_for_ms", show_uint}, {17, "unique", show_text},
    {18, "after", show_ref_list}, {19, "after_flags", show_uint}, {20, "total_ms", show_uint},
    {26, "needs", show_text})

FIELDS(info, map, {1, "id", show_id}, {2, "state", show_state}, {3, "queue", show_name},
    {4, "kind", show_name}, {5, "attempt", show_uint}, {6, "failures", show_uint},
    {7, "max_attempts", show_uint}, {8, "submitted", show_time}, {9, "due", show_time},
    {10, "started", show_time}, {11, "settled", show_time}, {12, "keep_ms", show_uint},
    {13, "time_to_run_ms", show_uint}, {14, "payload_bytes", show_uint},
    {15, "result_bytes", show_uint}, {16, "payload", show_bytes}, {17, "result", show_bytes},
    {18, "worker", show_text}, {19, "error", show_bytes}, {20, "backoff_base_ms", show_uint},
    {21, "backoff_cap_ms", show_uint}, {22, "priority", show_uint}, {23, "unique", show_text},
    {24, "unique_flags", show_uint}, {25, "unique_for_ms", show_uint}, {26, "until", show_time},
    {27, "after", show_uint}, {28, "after_flags", show_uint}, {29, "schedule", show_name},
    {30, "total_ms", show_uint}, {31, "spent_ms", show_uint}, {32, "attempts", show_ended_list},
    {39, "needs", show_text}, {40, "progress_ms_ago", show_uint},
    {41, "progress_percent", show_uint}, {42, "progress_text", show_text})
