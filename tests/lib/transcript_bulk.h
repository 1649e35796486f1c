/* Filters and bulk operations, for transcript.c, which includes it where it may be used: what shows
 * the values, the elements and the messages.
 */
NAMES(bulk_action, "cancel", "retry", "delete", "promote", "move", "priority")
NAMES(bulk_state, "counting", "working", "done", "stopped")
NAMES(filter_field, "id", "queue", "state", "kind", "priority", "attempts", "failures", "error",
    "worker", "age", "due", "settled", "bytes", "submitted")
NAMES(operator, "is", "is_not", "contains", "less", "at_most", "more", "at_least", "begins",
    "begins_not")

/* The value of a filter's term. */
static void
show_value(struct showing *s)
{
    bool is_bin = pack_left(&s->r) > 0 && *s->r.at == 0xc4;
    if (is_bin)
        show_id(s);
    else if (pack_is_bytes(&s->r))
        show_text(s);
    else
        show_uint(s);
}

static void
show_bulk_number(struct showing *s)
{
    (void)fprintf(s->out, "%016" PRIx64, pack_uint(&s->r));
}

FIELDS(term, tuple, {0, "field", show_filter_field}, {0, "is", show_operator},
    {0, "value", show_value})
LIST(term)

FIELDS(bulk, map, {1, "bulk", show_bulk_number}, {2, "action", show_bulk_action},
    {3, "state", show_bulk_state}, {4, "filter", show_term_list}, {5, "queue", show_name},
    {6, "priority", show_uint}, {7, "dry", show_bool}, {8, "key", show_text},
    {9, "began", show_time}, {10, "ended", show_time}, {11, "counted", show_uint},
    {12, "done", show_uint}, {13, "refused", show_uint}, {14, "status", show_status},
    {15, "examples", show_id_list})
LIST(bulk)

#define BULK_MESSAGES \
    MESSAGE(BULK, NUMBER, {2, "bulk", show_bulk_number}, {3, "action", show_bulk_action}, \
        {4, "filter", show_term_list}, {5, "queue", show_name}, {6, "priority", show_uint}, \
        {7, "dry", show_bool}, {8, "all", show_bool}) \
    MESSAGE(BULKS, NUMBER, {2, "bulks", show_bulk_list}, {3, "cursor", show_cursor}) \
    MESSAGE(LIST_BULKS, NUMBER, {2, "bulk", show_bulk_number}, {3, "cursor", show_cursor}) \
    MESSAGE(STOP_BULK, NUMBER, {2, "bulk", show_bulk_number})
