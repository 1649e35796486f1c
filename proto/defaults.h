/* What a peer is called and which broker it asks, where nobody has said so. */
#ifndef DEFAULTS_H
#define DEFAULTS_H

#include "stint_job.h"

/* `wanted`, or else what STINT_ENDPOINT of the environment says, or STINT_DEFAULT_ENDPOINT. */
const char *defaults_endpoint(const char *wanted);

/* `wanted`, or else the host and the process. Cut to whole characters that fit
 * into what it is put into, which is returned. */
const char *defaults_name(const char *wanted, long process, char name[STINT_LABEL_BYTES]);

#endif
