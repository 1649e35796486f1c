/* Log lines as name=value pairs; the contract is in log_pairs.h. */
#include "log_pairs.h"

#include <string.h>

/* Bytes of the character that stands there, if it is UTF-8 and shows: no control, neither of ASCII
 * nor of the second kind (U+0080 to U+009F), which terminals obey too. Else 0. */
static size_t
character(const unsigned char *c, size_t left)
{
    size_t bytes = c[0] < 0x80 ? 1 : c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2;
    uint32_t code = bytes == 1 ? c[0] : c[0] & (0x7fU >> bytes);
    static const uint32_t least[] = {0, 0, 0xa0, 0x800, 0x10000};
    if (bytes > left || (c[0] >= 0x80 && c[0] < 0xc2) || c[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < bytes; i++) {
        if ((c[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (c[i] & 0x3f);
    }
    bool wrong = code < least[bytes] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ||
        code < ' ' || code == 127;
    return wrong ? 0 : bytes;
}

/* How much of a text is shown: whole characters. */
size_t
log_shown(const char *text, size_t bytes)
{
    if (bytes <= LOG_TEXT_MAX)
        return bytes;
    size_t end = LOG_TEXT_MAX;
    while (end > LOG_TEXT_MAX - 4 && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    return end;
}

/* A value is quoted if it is not one plain word. */
static void
put_value(FILE *out, const char *value, size_t size)
{
    const unsigned char *c = (const unsigned char *)value, *end = c + log_shown(value, size);
    bool plain = size > 0 && size <= LOG_TEXT_MAX;
    for (const unsigned char *p = c; p < end && plain; p++)
        plain = *p > ' ' && *p < 127 && *p != '"' && *p != '=' && *p != '\\';
    if (plain) {
        (void)fwrite(c, 1, size, out);
        return;
    }
    fputc('"', out);
    while (c < end) {
        size_t bytes = character(c, (size_t)(end - c));
        if (bytes == 0)
            fprintf(out, "\\x%02x", *c);
        else if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else
            (void)fwrite(c, 1, bytes, out);
        c += bytes ? bytes : 1;
    }
    fputs(size > LOG_TEXT_MAX ? "...\"" : "\"", out);
}

void
log_pairs_put(FILE *out, const char *event, const struct log_field *fields)
{
    put_value(out, event, strlen(event));
    for (const struct log_field *f = fields; f && f->type != LOG_END; f++) {
        if (f->type == LOG_IS_NUMBER) {
            fprintf(out, " %s=%llu", f->name, (unsigned long long)f->number);
        } else if (f->text) {
            fprintf(out, " %s=", f->name);
            put_value(out, f->text, strlen(f->text));
        }
    }
}
