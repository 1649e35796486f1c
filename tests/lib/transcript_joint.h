/* How what comes with an end is shown, and what runs write; a part of transcript.c. */

/* As in SUBMIT: a payload, or all of it. */
static void
show_joint_job(struct showing *s)
{
    if (pack_is_bytes(&s->r))
        show_bytes(s);
    else
        show_spec(s);
}
LIST(joint_job)

FIELDS(joint, tuple, {0, "jobs", show_joint_job_list}, {0, "cancelled", show_id_list},
    {0, "flags", show_uint})

/* What runs write while they run. */
FIELDS(shown, tuple, {0, "id", show_id}, {0, "attempt", show_uint}, {0, "on", show_uint})
LIST(shown)
FIELDS(piece, tuple, {0, "id", show_id}, {0, "attempt", show_uint}, {0, "at", show_uint},
    {0, "text", show_bytes})
LIST(piece)
