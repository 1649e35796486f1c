/* Tables and lists of fields, rendered from JSON objects; the contract is in out.h. */
#include "console.h"
#include "json_bytes.h"
#include "out.h"

#include <libsmartcols.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS_AT_ONCE = 1000, TEXT_BYTES = 400 };

struct out_table {
    struct libscols_table *table;
    const struct out_column *columns;
    size_t count;
    size_t width; /* of the terminal; 0: it is none */
    size_t rows;
    bool shown; /* a first piece: no headings again */
};

static bool
is_shown(const struct out_table *t, const struct out_column *c)
{
    return t->width == 0 || t->width >= c->min_width;
}

/* Only a terminal has a width that things must fit into; whoever reads a pipe gets all. */
static void
begin_piece(struct out_table *t)
{
    t->table = scols_new_table();
    scols_table_set_stream(t->table, console_out());
    scols_table_enable_noheadings(t->table, t->shown);
    scols_table_set_termforce(t->table, t->width ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
    if (t->width)
        scols_table_set_termwidth(t->table, t->width);
    for (size_t i = 0; i < t->count; i++) {
        const struct out_column *c = &t->columns[i];
        int flags = c->kind == OUT_RIGHT ? SCOLS_FL_RIGHT : 0;
        if (t->width && c->kind == OUT_LONG)
            flags |= SCOLS_FL_TRUNC;
        if (is_shown(t, c))
            scols_table_new_column(t->table, c->title, 0, flags);
    }
}

struct out_table *
out_table_new(const struct out_column *columns, size_t count)
{
    struct out_table *t = cli_allocate(sizeof *t);
    scols_init_debug(0);
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* else what is not ASCII is shown in codes */
    t->columns = columns;
    t->count = count;
    t->width = console_width();
    begin_piece(t);
    return t;
}

/* A span of time: "3m". */
static void
span_text(long long seconds, char *text, size_t size)
{
    static const struct {
        long long seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
    size_t i = 0;
    while (i < 3 && seconds < units[i].seconds)
        i++;
    (void)snprintf(
        text, size, "%lld%s", seconds > 0 ? seconds / units[i].seconds : 0, units[i].unit);
}

/* How long ago a point in time was. */
static void
ago_text(const char *at, char *text, size_t size)
{
    struct tm utc = {0};
    if (at && strptime(at, "%Y-%m-%dT%H:%M:%S", &utc))
        span_text((long long)(time(NULL) - timegm(&utc)), text, size);
}

char *
out_bytes_of(const json_t *object, const char *field)
{
    size_t size;
    uint8_t *bytes = json_bytes_read(json_object_get(object, field), &size);
    char *text = bytes ? cli_copy(bytes, size) : NULL;
    free(bytes);
    return text;
}

/* What is not UTF-8, such as an error; NULL: all others. A payload or a result may be an object
 * that looks so. */
static char *
raw_text(const json_t *object, const char *field)
{
    bool body = strcmp(field, "payload") == 0 || strcmp(field, "result") == 0;
    bool may_be = !body && json_is_object(json_object_get(object, field));
    return may_be ? out_bytes_of(object, field) : NULL;
}

/* A field as people read it; control characters do not reach the terminal. What is not UTF-8 stays
 * for the table, which writes it as \xNN. */
static void
field_text(const json_t *object, const char *field, char *text, size_t size)
{
    bool ago = strncmp(field, "ago:", 4) == 0, age = strncmp(field, "age:", 4) == 0;
    const json_t *v = json_object_get(object, ago || age ? field + 4 : field);
    char *dump = NULL;
    const char *from = "";
    (void)snprintf(text, size, "%s", "");
    if (ago)
        ago_text(json_string_value(v), text, size);
    else if (age && v)
        span_text((long long)json_integer_value(v) / 1000, text, size);
    else if (json_is_integer(v))
        (void)snprintf(text, size, "%lld", (long long)json_integer_value(v));
    else if (json_is_string(v))
        from = json_string_value(v);
    else if (v && (dump = raw_text(object, field)) != NULL)
        from = dump;
    else if (v)
        from = dump = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    if (*from)
        console_piece(text, size, from, ' ');
    free(dump);
}

static bool
show_piece(struct out_table *t)
{
    bool any = scols_table_get_nlines(t->table) > 0;
    if (any)
        scols_print_table(t->table);
    t->shown |= any;
    scols_unref_table(t->table);
    t->table = NULL;
    return any;
}

void
out_table_add(struct out_table *t, json_t *object)
{
    struct libscols_line *line = scols_table_new_line(t->table, NULL);
    size_t column = 0;
    for (size_t i = 0; i < t->count; i++) {
        char text[TEXT_BYTES];
        if (!is_shown(t, &t->columns[i]))
            continue;
        field_text(object, t->columns[i].field, text, sizeof text);
        scols_line_set_data(line, column++, text);
    }
    json_decref(object);
    if (++t->rows % ROWS_AT_ONCE == 0) { /* memory stays bounded */
        (void)show_piece(t);
        begin_piece(t);
    }
}

bool
out_table_show(struct out_table **table)
{
    (void)show_piece(*table);
    bool any = (*table)->shown;
    free(*table);
    *table = NULL;
    return any;
}

void
out_fields(json_t *object)
{
    const char *field;
    json_t *value;
    int width = 14;
    json_object_foreach(object, field, value)
    {
        if (strcmp(field, "schema") != 0 && (int)strlen(field) > width)
            width = (int)strlen(field);
    }
    json_object_foreach(object, field, value)
    {
        char text[4096];
        bool tty = console_width() > 0;
        if (strcmp(field, "schema") == 0)
            continue;
        field_text(object, field, text, sizeof text);
        bool whole = !tty && json_is_string(value);
        char *raw = raw_text(object, field), *plain = raw ? console_clean(raw, !tty) : NULL;
        fprintf(console_out(), "%-*s  %s\n", width, field,
            plain       ? plain
                : whole ? json_string_value(value)
                        : text);
        free(plain);
        free(raw);
    }
    json_decref(object);
}
