/* A program's settings: a ZPL file, and flags after it. Whatever they say, they are read or refused
 * with a sentence, and what was read is in its range. */
#include "fuzz.h"
#include "settings.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct taken {
    bool flag;
    const char *text;
    uint64_t number, duration, size;
    unsigned each;
};

static bool
add(void *to, const char *value, const char **why)
{
    struct taken *t = to;
    *why = "it is too long";
    t->each++;
    return strlen(value) < 64;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct taken t = {.text = ""};
    const struct setting table[] = {
        {"flag", 'f', SETTING_FLAG, &t.flag, 0, 0, NULL, "a flag", NULL},
        {"text", 't', SETTING_TEXT, &t.text, 0, 0, "TEXT", "a text", NULL},
        {"number", 'n', SETTING_NUMBER, &t.number, 5, 500, "N", "a number", NULL},
        {"duration", 'd', SETTING_DURATION, &t.duration, 0, 0, "TIME", "a duration", NULL},
        {"size", 's', SETTING_SIZE, &t.size, 0, 1 << 30, "SIZE", "a size", NULL},
        {"each", 'e', SETTING_EACH, &t, 0, 0, "VALUE", "several", add},
    };
    const struct program program = {"fuzz", "", "", table, sizeof table / sizeof *table};
    char path[64], value[256];
    int file = memfd_create("settings", MFD_CLOEXEC);
    MUST(file >= 0 && write(file, bytes, size) == (ssize_t)size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    (void)snprintf(
        value, sizeof value, "%.*s", (int)(size < 200 ? size : 200), (const char *)bytes);
    char *from_file[] = {"fuzz", "--config", path, NULL};
    if (settings_read(&program, 3, from_file) == SETTINGS_OK)
        MUST((t.number == 0 || (t.number >= 5 && t.number <= 500)) && t.size <= 1 << 30);
    static const char *const flags[] = {"--number", "--duration", "--size", "--text", "--each"};
    char *flag[] = {"fuzz", (char *)(uintptr_t)flags[size % 5], value, NULL};
    (void)settings_read(&program, 3, flag);
    close(file);
    return 0;
}
