/* Variables that tell of other jobs; the contract is in told.h. */
#include "told.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char after_name[] = "STINT_AFTER=", group_name[] = "STINT_GROUP=";
static const char batch_name[] = "STINT_BATCH="; /* and STINT_BATCH_..., which say more of it */
static char at_end[] = "STINT_AT_END=1"; /* something may be asked for with the run's end */

char *
after_variable(const struct stint_id *parents, size_t count)
{
    size_t used = sizeof after_name - 1;
    char *text = count > 0 ? malloc(sizeof after_name + count * STINT_ID_TEXT_BYTES) : NULL;
    if (!text)
        return NULL;
    memcpy(text, after_name, sizeof after_name);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            text[used++] = ' ';
        used += strlen(stint_id_format(&parents[i], text + used));
    }
    return text;
}

size_t
batch_variables(const struct stint_task_batch *b, char text[][BATCH_VARIABLE_BYTES], char **all)
{
    const struct stint_batch_counts *c = &b->counts;
    const struct {
        const char *name;
        uint64_t number;
    } counts[] = {{"JOBS", c->jobs}, {"SUCCEEDED", c->succeeded}, {"DEAD", c->dead},
        {"CANCELLED", c->cancelled}, {"EXPIRED", c->expired}};
    char number[STINT_BATCH_TEXT_BYTES];
    size_t count = 0;
    (void)snprintf(text[count], BATCH_VARIABLE_BYTES, "%s%s", batch_name,
        stint_batch_format(b->batch, number));
    all[count] = text[count];
    count++;
    for (size_t i = 0; c->known && i < sizeof counts / sizeof *counts; i++, count++) {
        (void)snprintf(text[count], BATCH_VARIABLE_BYTES, "STINT_BATCH_%s=%llu", counts[i].name,
            (unsigned long long)counts[i].number);
        all[count] = text[count];
    }
    return count;
}

static char *
group_variable(const char *group)
{
    size_t size = strlen(group) + 1;
    char *text = malloc(sizeof group_name - 1 + size);
    if (!text)
        return NULL;
    memcpy(text, group_name, sizeof group_name - 1);
    memcpy(text + sizeof group_name - 1, group, size);
    return text;
}

bool
told_make(struct told *told, const struct stint_task *task)
{
    size_t parents_count, count = 0;
    const struct stint_id *parents = stint_task_parents(task, &parents_count);
    const char *group = stint_task_group(task);
    struct stint_task_batch batch;
    *told = (struct told){.after = after_variable(parents, parents_count),
        .group = group ? group_variable(group) : NULL};
    if (told->after)
        told->all[count++] = told->after;
    if (told->group)
        told->all[count++] = told->group;
    if (stint_task_batch(task, &batch))
        count += batch_variables(&batch, told->batch, told->all + count);
    if (stint_task_may_ask(task))
        told->all[count++] = at_end;
    return (told->after || parents_count == 0) && (told->group || !group);
}

void
told_end(struct told *told)
{
    free(told->after);
    free(told->group);
}
