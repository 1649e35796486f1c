/* Reading a feed for `stint events --feed`: what was recorded, from a position on, and the position
 * in a file so that the next call goes on there.
 */
#ifndef READING_H
#define READING_H

#include "cli.h"

struct reading {
    const char *feed;
    const char *from, *after, *cursor; /* as they were given; NULL: they were not */
    bool follow; /* go on with what happens */
    uint64_t limit; /* events; 0: none */
    const char *queue; /* of this queue alone; NULL: of all of the feed's */
    const struct stint_id *ids; /* of these jobs alone */
    size_t ids_count;
};

/* Looks at what was given, and reads the cursor's file. Returns an exit code, after saying what is
 * wrong. */
int reading_prepare(struct cli *cli, const struct reading *r, struct stint_feed_position *from);
/* Tells events until it is over; of a client that is connected. Returns an exit code. */
int reading_run(struct cli *cli, const struct reading *r, struct stint_feed_position from);

#endif
