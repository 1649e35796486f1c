/* What libstint's half that submits jobs knows of them, for the half that runs them: a run may ask
 * for new jobs that become real with its end. In client/submit.c.
 */
#ifndef SPECS_H
#define SPECS_H

#include "message.h"

enum { SPECS_WHY_BYTES = 512 };

/* Writes jobs as an outcome has them, see message_put_joint; what `why` gets is a sentence. Errors:
 * as stint_submit, but for what only a broker knows. */
enum stint_status specs_pack(
    const struct stint_job *jobs, size_t count, struct pack_buffer *b, char why[SPECS_WHY_BYTES]);
/* Would this broker take these jobs? Errors: STINT_UNSUPPORTED, STINT_TOO_LARGE, STINT_INVALID. */
enum stint_status specs_check(const struct welcome *broker, const struct job_spec *specs,
    size_t count, char why[SPECS_WHY_BYTES]);

#endif
