/* Payloads between JSON and msgpack: the bytes are taken for either. What is taken comes back the
 * same, however often it is turned over. */
#include "fuzz.h"
#include "stint_objects.h"

#include <string.h>

static void
from_msgpack(const uint8_t *bytes, size_t size)
{
    char *json, *again;
    void *msgpack;
    size_t msgpack_bytes;
    enum stint_status status = stint_msgpack_to_json(bytes, size, &json);
    MUST(status == STINT_OK || !stint_is_object(bytes, size));
    if (status != STINT_OK)
        return;
    MUST(stint_json_to_msgpack(json, strlen(json), &msgpack, &msgpack_bytes) == STINT_OK);
    MUST(stint_msgpack_to_json(msgpack, msgpack_bytes, &again) == STINT_OK);
    MUST(strcmp(json, again) == 0);
    free(json);
    free(again);
    free(msgpack);
}

static void
from_json(const uint8_t *bytes, size_t size)
{
    void *msgpack, *again;
    size_t msgpack_bytes, again_bytes;
    char *json;
    if (stint_json_to_msgpack((const char *)bytes, size, &msgpack, &msgpack_bytes) != STINT_OK)
        return;
    uint8_t first = *(const uint8_t *)msgpack;
    bool many = (first >= 0x80 && first < 0xa0) || (first >= 0xdc && first < 0xe0);
    MUST(stint_is_object(msgpack, msgpack_bytes) == many);
    MUST(stint_msgpack_to_json(msgpack, msgpack_bytes, &json) == STINT_OK);
    MUST(stint_json_to_msgpack(json, strlen(json), &again, &again_bytes) == STINT_OK);
    MUST(again_bytes == msgpack_bytes && memcmp(again, msgpack, again_bytes) == 0);
    free(msgpack);
    free(again);
    free(json);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    from_msgpack(bytes, size);
    from_json(bytes, size);
    return 0;
}
