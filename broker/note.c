/* The core's notes; the contract is in note.h. */
#include "note.h"

#include <assert.h>
#include <string.h>

static void
copy_text(char to[NOTE_TEXT_BYTES], const char *from)
{
    size_t size = strlen(from);
    if (size >= NOTE_TEXT_BYTES) {
        size = NOTE_TEXT_BYTES - 1;
        while (size > 0 && ((unsigned char)from[size] & 0xc0) == 0x80) /* no half character */
            size--;
    }
    memcpy(to, from, size);
    to[size] = '\0';
}

void
notes_add(struct notes *notes, enum note_level level, const char *event,
    const struct note_field *fields, uint32_t count)
{
    assert(count <= NOTE_FIELDS);
    if (notes->count == NOTES_A_STEP) {
        notes->dropped++;
        return;
    }
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
    notes->count = notes->taken = 0;
    if (notes->dropped == 0)
        return false;
    struct note_field field = NOTE_NUMBER("count", notes->dropped);
    notes->dropped = 0;
    notes_add(notes, NOTE_WARN, "more was to be told than there was room for", &field, 1);
    return notes_take(notes, note);
}
