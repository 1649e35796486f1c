/* Loading of dumps: whatever the lines are, those that are taken make a store that fits together,
 * and what is dumped of it and loaded again is the same. A line that is refused leaves nothing. */
#include "core.h"
#include "dump.h"
#include "fuzz.h"
#include "load.h"
#include "store_model.h"

#include <string.h>

/* One line. Was it taken? */
static bool
take(struct load *load, const uint8_t *text, size_t size)
{
    struct load_line *l = &load->line;
    bool good = line_read(l, (const char *)text, size) &&
        load_take(load, line_must_text(l, "type", 64)) && !l->why[0];
    if (good)
        (void)line_unknown(l);
    line_done(l);
    return good;
}

/* All lines. How many were refused? */
static size_t
load_all(struct load *load, const uint8_t *bytes, size_t size)
{
    size_t refused = 0;
    *load = (struct load){.store = store_model_new()};
    load->store->ops->begin(load->store);
    while (size > 0) {
        const uint8_t *end = memchr(bytes, '\n', size);
        size_t line = end ? (size_t)(end - bytes) : size;
        refused += !take(load, bytes, line);
        bytes += line;
        size -= line;
        if (size > 0) {
            bytes++;
            size--;
        }
    }
    if (load->begun)
        load_finish(load);
    MUST(load->store->ops->commit(load->store) == STINT_OK);
    return refused;
}

static void
done(struct load *load)
{
    if (load->begun)
        book_fini(&load->book);
    free(load->keys);
    load->store->ops->destroy(&load->store);
}

static void
must_be_the_same(struct load *first)
{
    struct load second;
    char *text = NULL;
    size_t size = 0;
    struct dump d = {.store = first->store, .to = open_memstream(&text, &size)};
    MUST(d.to);
    d.store->ops->begin(d.store);
    dump_header(&d, &first->seal);
    dump_store(&d);
    d.store->ops->abort(d.store);
    MUST(d.damaged == 0 && fclose(d.to) == 0);
    MUST(load_all(&second, (const uint8_t *)text, size) == 0);
    MUST(store_model_equal(first->store, second.store));
    done(&second);
    pack_buffer_free(&d.body);
    pack_buffer_free(&d.line);
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct load load;
    struct verify_report report = {.problem = NULL};
    (void)load_all(&load, bytes, size);
    if (load.begun) {
        core_verify(load.store, (uint16_t)load.seal.broker, &report);
        MUST(report.problems == 0);
        must_be_the_same(&load);
    }
    done(&load);
    return 0;
}
