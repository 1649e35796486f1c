/* The texts of the status codes, from the one table in stint_status.h. */
#include "stint_status.h"

#include <stddef.h>

struct status_row {
    enum stint_status status;
    const char *name, *text, *hint;
};

#define ROW(code, name, text, hint) {STINT_##name, #name, text, hint},
static const struct status_row rows[] = {STINT_STATUS_MAP(ROW)};
#undef ROW

static const struct status_row *
find(enum stint_status status)
{
    static const struct status_row unknown = {
        STINT_SYSTEM, "UNKNOWN", "a status that this version does not know", "upgrade this side"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == status)
            return &rows[i];
    return &unknown;
}

const char *
stint_status_name(enum stint_status status)
{
    return find(status)->name;
}

const char *
stint_status_text(enum stint_status status)
{
    return find(status)->text;
}

const char *
stint_status_hint(enum stint_status status)
{
    return find(status)->hint;
}
