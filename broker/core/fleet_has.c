/* What workers have; the contract is in fleet_has.h. */
#include "fleet_has.h"

void
fleet_worker_has(struct worker *worker, struct slice text)
{
    free(worker->control.has);
    worker->control.has = has_new(text);
    worker->control.told++;
    for (const struct lease *l = worker->leases; l && worker->control.has; l = l->next)
        if (l->leased.needs)
            has_take(worker->control.has, l->leased.needs);
}

bool
fleet_worker_could(const struct worker *w, const struct needs *n)
{
    if (!has_enough(w->control.has, n))
        return false;
    for (uint32_t i = 0; i < n->labels_count; i++)
        if (!has_label(w->control.has, n->labels[i]) && !fleet_worker_has_label(w, n->labels[i]))
            return false;
    return true;
}

void
fleet_lease_need(struct lease *l, struct needs *needs)
{
    assert(!l->leased.needs);
    l->leased.needs = needs;
    if (l->worker)
        has_take(l->worker->control.has, needs);
}
