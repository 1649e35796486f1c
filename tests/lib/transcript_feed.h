/* The messages of feeds, for transcript.c and nobody else. */

FIELDS(feed, map, {1, "name", show_name}, {2, "queues", show_text}, {3, "events", show_event_types},
    {4, "keep_ms", show_uint}, {5, "max_events", show_uint}, {6, "max_bytes", show_uint},
    {7, "life", show_token}, {8, "first", show_uint}, {9, "next", show_uint},
    {10, "bytes", show_uint}, {11, "made", show_bool})
LIST(feed)

MESSAGE(SET_FEED, NUMBER, {2, "name", show_name}, {3, "action", show_uint},
    {4, "queues", show_text}, {5, "events", show_event_types}, {6, "keep_ms", show_uint},
    {7, "max_events", show_uint}, {8, "max_bytes", show_uint})
MESSAGE(LIST_FEEDS, NUMBER)
MESSAGE(FEEDS, NUMBER, {2, "feeds", show_feed_list}, {3, "cursor", show_cursor})
MESSAGE(READ_FEED, NUMBER, {2, "name", show_name}, {3, "from", show_uint}, {4, "wait", show_bool},
    {5, "life", show_token})
MESSAGE(FEED_EVENTS, NUMBER, {2, "events", show_told_event_list}, {3, "first", show_uint},
    {4, "next", show_uint}, {5, "life", show_token})
#include "transcript_schedules.h"
