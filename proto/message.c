/* What is known of each message type, and which names are allowed. */
#include "message.h"

const char *
message_name(enum message_type type)
{
    switch (type) {
#define X(number, name, sender, decoder) \
    case MESSAGE_##name: \
        return #name;
#include "message.def"
#undef X
    case MESSAGE_NONE:
        break;
    }
    return "UNKNOWN";
}

bool
message_allowed(enum message_type type, enum message_role role)
{
    enum { P = 3, C = 1, W = 2, B = 0, A = 3 };
    switch (type) {
#define X(number, name, sender, decoder) \
    case MESSAGE_##name: \
        return ((sender) & (int)role) != 0;
#include "message.def"
#undef X
    case MESSAGE_NONE:
        break;
    }
    return false;
}

static bool
is_letter_or_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool
name_is_valid(struct slice name)
{
    if (name.size == 0 || name.size > LIMIT_NAME_BYTES || !is_letter_or_digit(name.data[0]))
        return false;
    for (size_t i = 1; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (!is_letter_or_digit(c) && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}
