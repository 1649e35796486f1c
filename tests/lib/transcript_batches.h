/* The messages of batches, for transcript.c and nobody else; transcript_schedules.h brings them in.
 */

FIELDS(batch, map, {1, "batch", show_uint}, {2, "state", show_uint}, {3, "title", show_text},
    {4, "queue", show_name}, {5, "cancelled", show_bool}, {6, "began", show_time},
    {7, "settled", show_time}, {8, "keep_ms", show_uint}, {9, "counts", show_uint_list},
    {10, "makes", show_uint}, {11, "success_id", show_id}, {12, "always_id", show_id},
    {13, "trouble", show_status})
LIST(batch)

MESSAGE(SET_BATCH, NUMBER, {2, "batch", show_uint}, {3, "action", show_uint},
    {4, "title", show_text}, {5, "queue", show_name}, {6, "keep_ms", show_uint},
    {7, "success", show_spec}, {8, "always", show_spec})
MESSAGE(LIST_BATCHES, NUMBER, {2, "batch", show_uint}, {3, "cursor", show_cursor})
MESSAGE(BATCHES, NUMBER, {2, "batches", show_batch_list}, {3, "cursor", show_cursor})
MESSAGE(WAIT_BATCH, NUMBER, {2, "batch", show_uint})
