/* How what jobs are after is shown; a part of transcript.c. */

/* An id, or a place in the message. */
static void
show_ref(struct showing *s)
{
    if (pack_is_bytes(&s->r))
        show_id(s);
    else
        show_uint(s);
}
LIST(ref)

/* Ids, one behind the other. */
static void
show_joined_ids(struct showing *s)
{
    char text[STINT_ID_TEXT_BYTES];
    struct slice ids = pack_bytes(&s->r);
    for (size_t at = 0; at + STINT_ID_BYTES <= ids.size; at += STINT_ID_BYTES) {
        struct stint_id id;
        memcpy(id.bytes, ids.data + at, STINT_ID_BYTES);
        (void)fprintf(s->out, "%s%s", at > 0 ? "+" : "", stint_id_format(&id, text));
    }
}
