/* The record decoder. The check in a record's head would keep a fuzzer out, so it is put right
 * first; what then is a record must be the same after it was written and read again. */
#include "fuzz.h"
#include "id.h"
#include "record.h"

int
LLVMFuzzerTestOneInput(const uint8_t *given, size_t size)
{
    static uint8_t bytes[RECORD_HEAD_MAX + 65536], again[RECORD_HEAD_MAX + 65536];
    struct stint_id id = id_make(0, 1, 100, 7);
    struct record r, second;
    if (size > sizeof bytes)
        return 0;
    (void)record_decode(&r, &id, (struct slice){given, size});
    if (size < RECORD_FIXED_BYTES)
        return 0;
    memcpy(bytes, given, size);
    uint64_t check = record_check(bytes + 8, size - 8, id_sequence(&id));
    memcpy(bytes, &check, sizeof check); /* little-endian, as everything in a record */
    if (!record_decode(&r, &id, (struct slice){bytes, size}))
        return 0;
    MUST(r.error.size <= LIMIT_ERROR_BYTES && r.kind.size <= LIMIT_NAME_BYTES);
    size_t head = record_encode(&r, &id, again);
    MUST(head + r.body.size <= sizeof again);
    if (r.body.size)
        memcpy(again + head, r.body.data, r.body.size);
    MUST(record_decode(&second, &id, (struct slice){again, head + r.body.size}));
    MUST(second.state == r.state && second.attempt == r.attempt && second.fields == r.fields);
    MUST(second.body.size == r.body.size && second.kind.size == r.kind.size);
    return 0;
}
