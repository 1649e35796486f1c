/* Small texts that people write: ids, durations, sizes, names of states. What was read comes back
 * the same from what is printed. */
#include "fuzz.h"
#include "stint_job.h"
#include "units.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = malloc(size + 1), printed[STINT_ID_TEXT_BYTES];
    struct stint_id id, again;
    enum stint_state state;
    uint64_t n;
    MUST(text);
    if (size)
        memcpy(text, bytes, size);
    text[size] = '\0';
    if (stint_id_parse(text, &id) == STINT_OK) {
        MUST(stint_id_parse(stint_id_format(&id, printed), &again) == STINT_OK);
        MUST(memcmp(&id, &again, sizeof id) == 0);
    }
    if (stint_state_parse(text, &state) == STINT_OK)
        MUST(strcmp(stint_state_name(state), text) == 0);
    (void)units_read_duration(text, &n);
    (void)units_read_size(text, &n);
    free(text);
    return 0;
}
