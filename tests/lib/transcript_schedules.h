/* The messages of schedules, for transcript.c and nobody else; transcript_feed.h brings them in. */

LIST(time)
FIELDS(schedule, map, {2, "name", show_name}, {4, "cron", show_text}, {5, "zone", show_text},
    {6, "every_ms", show_uint}, {7, "missed", show_uint}, {8, "most", show_uint},
    {9, "overlap", show_uint}, {10, "job", show_spec}, {11, "queue", show_name},
    {12, "kind", show_name}, {13, "paused", show_bool}, {14, "made", show_bool},
    {15, "trouble", show_status}, {16, "last_ms", show_time}, {17, "jobs", show_uint},
    {18, "skipped", show_uint}, {19, "last_id", show_id}, {20, "run_id", show_id},
    {21, "next", show_time_list})
LIST(schedule)

MESSAGE(SET_SCHEDULE, NUMBER, {2, "name", show_name}, {3, "action", show_uint},
    {4, "cron", show_text}, {5, "zone", show_text}, {6, "every_ms", show_uint},
    {7, "missed", show_uint}, {8, "most", show_uint}, {9, "overlap", show_uint},
    {10, "job", show_spec}, {11, "run", show_token})
MESSAGE(LIST_SCHEDULES, NUMBER, {2, "name", show_name}, {3, "cursor", show_cursor},
    {4, "next", show_uint})
MESSAGE(SCHEDULES, NUMBER, {2, "schedules", show_schedule_list}, {3, "cursor", show_cursor})
#include "transcript_batches.h"
