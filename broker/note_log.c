/* Notes into log lines; the contract is in note_log.h. A thousand jobs that die in a second are one
 * piece of news, and who reads it wants to see the rest of the log as well.
 */
#include "note_log.h"
#include "log.h"

#include <string.h>

static bool
is_about_a_job(const struct note *note)
{
    for (uint32_t i = 0; i < note->count; i++)
        if (strcmp(note->fields[i].key, "job") == 0)
            return true;
    return false;
}

/* Says what was left out, when the second is over. */
static void
begin_second(struct note_log *log, uint64_t now_ms)
{
    for (unsigned i = 0; i < NOTE_EVENTS && log->told[i].event; i++) {
        if (log->told[i].times > NOTE_JOBS_A_SECOND)
            log_event(LOG_LEVEL_WARN, "more of these were not logged",
                LOG_FIELDS(LOG_TEXT("of", log->told[i].event),
                    LOG_NUMBER("lines", log->told[i].times - NOTE_JOBS_A_SECOND)));
        log->told[i].event = NULL;
    }
    log->second_ms = now_ms;
}

static bool
is_one_too_many(struct note_log *log, const struct note *note)
{
    for (unsigned i = 0; i < NOTE_EVENTS; i++) {
        if (!log->told[i].event) {
            log->told[i].event = note->event;
            log->told[i].times = 0;
        }
        if (strcmp(log->told[i].event, note->event) == 0)
            return ++log->told[i].times > NOTE_JOBS_A_SECOND;
    }
    return false;
}

static void
tell(const struct note *note)
{
    static const enum log_level levels[] = {[NOTE_ERROR] = LOG_LEVEL_ERROR,
        [NOTE_WARN] = LOG_LEVEL_WARN,
        [NOTE_AUDIT] = LOG_LEVEL_INFO,
        [NOTE_INFO] = LOG_LEVEL_INFO,
        [NOTE_DEBUG] = LOG_LEVEL_DEBUG};
    struct log_field fields[NOTE_FIELDS + 1] = {{LOG_END, NULL, NULL, 0}};
    for (uint32_t i = 0; i < note->count; i++) {
        const struct note_field *f = &note->fields[i];
        fields[i] =
            (struct log_field){f->text ? LOG_IS_TEXT : LOG_IS_NUMBER, f->key, f->text, f->number};
    }
    log_event(levels[note->level], note->event, fields);
}

void
note_log_take(struct note_log *log, struct core *core, uint64_t now_ms)
{
    struct note note;
    if (now_ms - log->second_ms >= 1000)
        begin_second(log, now_ms);
    while (core_next_note(core, &note))
        if (!is_about_a_job(&note) || !is_one_too_many(log, &note))
            tell(&note);
}
