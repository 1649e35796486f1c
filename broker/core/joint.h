/* What becomes real together with the end of an attempt: new jobs, and jobs that are cancelled. */
#ifndef JOINT_H
#define JOINT_H

#include "state.h"

/* With these it can't become real now, and may later; with others it never can. */
bool joint_passes(enum stint_status status);
/* May it become real, as a whole, if this peer says so? If not, and it never can, `text` is filled
 * with why, as the error of the attempt: for its worker's own words, which are the outcome's body,
 * there is what room is left. */
enum stint_status joint_may(struct core *core, const struct peer *peer, const struct outcome *o,
    uint8_t text[LIMIT_ERROR_BYTES], struct slice *error);
/* It may, and does: in the step that ends the attempt, after that. */
void joint_apply(struct core *core, struct peer *peer, const struct outcome *o);

#endif
