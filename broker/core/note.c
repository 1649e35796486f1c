/* The core's notes; the contract is in note.h. */
#include "note.h"
#include "message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void
copy_text(char to[NOTE_TEXT_BYTES], const char *from)
{
    struct slice head =
        text_head((struct slice){(const uint8_t *)from, strlen(from)}, NOTE_TEXT_BYTES - 1);
    memcpy(to, head.data, head.size);
    to[head.size] = '\0';
}

void
notes_free(struct notes *notes)
{
    free(notes->all);
    *notes = (struct notes){0};
}

static void
grow(struct notes *notes)
{
    notes->size = notes->size ? 2 * notes->size : 16;
    notes->all = realloc(notes->all, notes->size * sizeof *notes->all);
    if (!notes->all)
        abort();
}

void
notes_add(struct notes *notes, enum note_level level, const char *event,
    const struct note_field *fields, uint32_t count)
{
    bool minor = level > NOTE_AUDIT;
    assert(count <= NOTE_FIELDS);
    if ((minor && notes->minor >= NOTES_A_STEP) || notes->count == NOTES_MAX) {
        notes->dropped++;
        return;
    }
    notes->minor += minor;
    if (notes->count == notes->size)
        grow(notes);
    struct note *n = &notes->all[notes->count++];
    n->level = level;
    n->event = event;
    n->count = count;
    for (uint32_t i = 0; i < count; i++) {
        n->fields[i] = fields[i];
        if (!fields[i].text)
            continue;
        copy_text(n->texts[i], fields[i].text);
        n->fields[i].text = n->texts[i];
    }
}

bool
notes_take(struct notes *notes, struct note *note)
{
    if (notes->taken < notes->count) {
        *note = notes->all[notes->taken++];
        for (uint32_t i = 0; i < note->count; i++)
            if (note->fields[i].text)
                note->fields[i].text = note->texts[i];
        return true;
    }
    uint64_t dropped = notes->dropped;
    if (notes->size > 2 * NOTES_A_STEP) /* what a bad moment needed is not kept for ever */
        notes_free(notes);
    notes->count = notes->taken = notes->minor = 0;
    notes->dropped = 0;
    if (dropped == 0)
        return false;
    struct note_field field = NOTE_NUMBER("count", dropped);
    notes_add(notes, NOTE_WARN, "more was to be told than there was room for", &field, 1);
    return notes_take(notes, note);
}
