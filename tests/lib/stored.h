/* Looks a job up in a store as it lies there, with no help from the core. */
#ifndef STORED_H
#define STORED_H

#include "record.h"
#include "store.h"

/* Is its bit in the transit table set? */
bool stored_running(struct store *store, const struct stint_id *id);

/* The record of a job in whichever table it stands; its state is STINT_RUNNING if it runs, and its
 * attempt is then the one that runs. False: there is none, or it is damaged. Inside a transaction;
 * slices are borrowed from the store. */
bool stored_find(struct store *store, const struct stint_id *id, struct record *record);

#endif
