/* Time zones of this machine, as tzdata installs them. */
#ifndef ZONE_FILES_H
#define ZONE_FILES_H

#include "zone.h"

/* The zone of this name, such as "Europe/Berlin"; "UTC" is always there. NULL: there is no such
 * zone, or it can't be read. Free it with free(). */
struct zone *zone_of_machine(const char *name);

#endif
