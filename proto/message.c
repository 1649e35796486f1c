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

/* No overlong forms, no surrogates, nothing beyond U+10FFFF. */
bool
text_is_utf8(struct slice text)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    for (size_t i = 0; i < text.size;) {
        uint32_t c = text.data[i++];
        unsigned more = c < 0x80 ? 0 : c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 : c >> 3 == 30 ? 3 : 4;
        if (more == 4 || text.size - i < more)
            return false;
        c = more ? c & 0x3fU >> more : c;
        for (unsigned n = 0; n < more; n++, i++) {
            if ((text.data[i] & 0xc0) != 0x80)
                return false;
            c = c << 6 | (text.data[i] & 0x3fU);
        }
        if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return false;
    }
    return true;
}
