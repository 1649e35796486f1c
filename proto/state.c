/* Names of states, events, reasons and bulk operations, as the command line and JSON write them. */
#include "stint_job.h"

#include <string.h>

static const char *const states[STINT_STATES] = {"unknown", "ready", "scheduled", "running",
    "succeeded", "dead", "cancelled", "expired", "blocked"};

const char *
stint_state_name(enum stint_state state)
{
    return (unsigned)state < STINT_STATES ? states[state] : states[0];
}

enum stint_status
stint_state_parse(const char *name, enum stint_state *state)
{
    for (unsigned i = 1; i < STINT_STATES; i++)
        if (strcmp(name, states[i]) == 0) {
            *state = (enum stint_state)i;
            return STINT_OK;
        }
    return STINT_INVALID;
}

bool
stint_state_settled(enum stint_state state)
{
    return state >= STINT_SUCCEEDED && state <= STINT_EXPIRED;
}

const char *
stint_event_name(enum stint_event_type type)
{
    static const char *const names[] = {"unknown", "submitted", "started", "succeeded", "failed",
        "requeued", "dead", "cancelled", "lost", "changed", "expired"};
    return (unsigned)type < sizeof names / sizeof *names ? names[type] : names[0];
}

const char *
stint_count_name(enum stint_count count)
{
    static const char *const names[STINT_COUNTS] = {
        "submitted", "started", "succeeded", "failed", "dead", "cancelled", "expired"};
    return (unsigned)count < STINT_COUNTS ? names[count] : "unknown";
}

const char *
stint_attempt_end_name(enum stint_attempt_end end)
{
    static const char *const names[STINT_ATTEMPT_ENDS] = {
        "unknown", "succeeded", "failed", "lost", "snoozed", "unable", "overtime", "cancelled"};
    return (unsigned)end < STINT_ATTEMPT_ENDS ? names[end] : names[0];
}

const char *
stint_why_name(enum stint_why why)
{
    static const char *const names[STINT_WHYS] = {"unknown", "settled", "running", "held",
        "unclaimed", "cut_off", "retry", "snoozed", "due", "paused", "grace", "no_worker",
        "no_handler", "unable", "unwilling", "suspect", "busy", "next", "nothing", "limited",
        "rate", "after", "group_full", "group_rate", "group_line", "needs", "room", "varied"};
    return (unsigned)why < STINT_WHYS ? names[why] : names[0];
}

const char *
stint_bulk_action_name(enum stint_bulk_action action)
{
    static const char *const names[] = {
        "unknown", "cancel", "retry", "delete", "promote", "move", "priority"};
    return (unsigned)action < sizeof names / sizeof *names ? names[action] : names[0];
}

const char *
stint_bulk_state_name(enum stint_bulk_state state)
{
    static const char *const names[] = {"unknown", "counting", "working", "done", "stopped"};
    return (unsigned)state < sizeof names / sizeof *names ? names[state] : names[0];
}
