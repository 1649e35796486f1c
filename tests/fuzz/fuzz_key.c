/* Key files: whatever stands in one, it is read or refused in words, and what was read is written
 * and read back the same. */
#include "fuzz.h"
#include "key.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct key_file file, back;
    struct key_grant grant;
    char why[KEY_WHY_BYTES], text[KEY_FILE_BYTES];
    if (!key_file_read((const char *)bytes, size, &file, why)) {
        MUST(why[0] && !file.public_key[0] && !file.secret_key[0]);
        return 0;
    }
    MUST(strlen(file.public_key) == KEY_TEXT_BYTES - 1);
    size_t written = key_file_write(&file, file.secret_key[0] != '\0', text);
    if (!strpbrk(file.role, "\"") && !strpbrk(file.rights, "\"") && !strpbrk(file.queues, "\"")) {
        MUST(key_file_read(text, written, &back, why));
        MUST(memcmp(&back, &file, sizeof file) == 0);
    }
    if (key_file_grants(&file, &grant, why))
        MUST(grant.rights > 0 && grant.rights < 16 && grant.patterns_count <= KEY_PATTERNS_MAX);
    return 0;
}
