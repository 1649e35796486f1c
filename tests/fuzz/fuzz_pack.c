/* The msgpack checker against msgpack-c: what we take for one whole value, it does too. The other
 * way round we are stricter: no extension types, no numbers with a point, and a bounded depth. */
#include "fuzz.h"
#include "pack.h"

#include <msgpack.h>

static void
read_on(const uint8_t *bytes, size_t size)
{
    struct pack_reader r = pack_reader(bytes, size);
    while (pack_left(&r) > 0 && !r.bad) {
        const uint8_t *at = r.at;
        switch (*at % 6) {
        case 0:
            (void)pack_uint(&r);
            break;
        case 1:
            (void)pack_map(&r);
            break;
        case 2:
            (void)pack_array(&r);
            break;
        case 3:
            (void)pack_bytes(&r);
            break;
        case 4:
            (void)pack_bool(&r);
            break;
        default:
            pack_skip(&r);
        }
        MUST(r.bad || r.at > at);
        MUST(r.at <= r.end);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    read_on(bytes, size);
    if (size == 0 || !pack_check(bytes, size))
        return 0;
    msgpack_unpacked whole;
    size_t at = 0;
    msgpack_unpacked_init(&whole);
    enum { NEARLY = MSGPACK_UNPACK_EXTRA_BYTES };
    int result = msgpack_unpack_next(&whole, (const char *)bytes, size, &at);
    MUST((result == MSGPACK_UNPACK_SUCCESS || result == NEARLY) && at == size);
    msgpack_unpacked_destroy(&whole);
    return 0;
}
