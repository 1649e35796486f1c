/* Answers to peers: refusals, statuses, and what is collected during a step or for a page of a
 * list, and cut so that no message gets too large.
 */
#include "reply.h"

enum {
    REFUSALS_NOTED_MS = 1000, /* one in so long is told in words, the others are counted */
};

/* A flood of refusals is not to become a flood of notes. */
static void
note_refusal(
    struct core *core, uint32_t number, const struct message *about, enum stint_status status)
{
    const struct peer *peer = fleet_peer(&core->fleet, number);
    if (core->refusals.noted_ms &&
        core->clocks.now_ms - core->refusals.noted_ms < REFUSALS_NOTED_MS) {
        core->refusals.untold++;
        return;
    }
    core_say(core, NOTE_INFO, "a message was refused",
        NOTE_TEXT("peer", peer ? peer->name : "unknown"),
        NOTE_TEXT("message", message_name(about->type)),
        NOTE_TEXT("status", stint_status_name(status)), NOTE_NUMBER("more", core->refusals.untold),
        NOTE_TEXT("key", grant_name(core->step.grant)));
    core->refusals.noted_ms = core->clocks.now_ms;
    core->refusals.untold = 0;
}

void
reply_refused(
    struct core *core, uint32_t number, const struct message *about, enum stint_status status)
{
    core->figures.refused++;
    if (status != STINT_HELLO_FIRST) /* which is how peers begin anew */
        note_refusal(core, number, about, status);
}

void
reply_refuse(struct core *core, uint32_t peer, const struct message *about,
    enum stint_status status, const char *detail)
{
    message_put_error(
        outbox_begin(core->step.out, peer), about->type, about->number, status, detail, NULL);
    outbox_end(core->step.out);
    reply_refused(core, peer, about, status);
}

void
reply_flush(struct core *core, struct peer *peer, enum message_type type,
    struct pack_buffer *answers, uint32_t *count)
{
    if (*count == 0)
        return;
    struct pack_buffer *b = outbox_begin(core->step.out, peer->number);
    message_put_elements(b, type, (struct slice){answers->data, answers->used}, *count);
    outbox_end(core->step.out);
    pack_buffer_empty(answers);
    *count = 0;
}

void
reply_statuses(
    struct core *core, struct peer *peer, uint64_t number, const uint32_t *statuses, uint32_t count)
{
    _Static_assert(
        LIMIT_JOBS * 5 + 100 < LIMIT_MESSAGE_BYTES / 8, "statuses of a message fit into one");
    struct pack_buffer *b = outbox_begin(core->step.out, peer->number);
    message_put_answers(b, number, statuses, count);
    outbox_end(core->step.out);
}

void
reply_page_begin(struct core *core)
{
    core->scratch.page.used = 0;
}

void
reply_page_send(struct core *core, struct peer *peer, enum message_type type, uint64_t number,
    uint32_t count, struct slice cursor)
{
    struct pack_buffer *b = outbox_begin(core->step.out, peer->number);
    message_put_numbered_elements(b, type, number,
        (struct slice){core->scratch.page.data, core->scratch.page.used}, count, cursor);
    outbox_end(core->step.out);
}
