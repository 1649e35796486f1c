/* What stands at an endpoint says of itself before any handshake: whether it speaks by keys. libzmq
 * tells only that a handshake failed if the other side has closed the connection before its whole
 * greeting had come, and when two sides differ in this, either may be the first to close it. Here
 * we say so little that the other side has nothing to refuse.
 */
#ifndef GREETING_H
#define GREETING_H

#include <stdbool.h>

struct greeting;

enum greeting_said {
    GREETING_NOTHING, /* so far */
    GREETING_OPEN, /* it speaks by no keys */
    GREETING_KEYS, /* by keys */
    GREETING_OTHER, /* it does not speak ZMTP as we do, or has ended without a word */
};

/* Asks, in the background. NULL: that can't be done. */
struct greeting *greeting_ask(void *context, const char *endpoint);
/* A libzmq socket, readable when there may be news. */
void *greeting_socket(const struct greeting *greeting);
enum greeting_said greeting_look(struct greeting *greeting);
void greeting_end(struct greeting **greeting);

#endif
