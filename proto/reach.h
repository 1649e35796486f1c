/* How a peer reaches its broker: one endpoint or several, and the keys that both sides show each
 * other. An endpoint of this host needs no key; for any other, keys are looked for where they are
 * usually kept. Several endpoints, and several keys of the broker (while it gets a new one), are
 * tried in turn until one answers.
 */
#ifndef REACH_H
#define REACH_H

#include "endpoint.h"
#include "key.h"
#include "wire.h"

enum { REACH_ENDPOINTS_MAX = 8, REACH_BROKERS_MAX = 4, REACH_WHY_BYTES = 512 };

/* What was asked for; NULL is the environment's STINT_ENDPOINT, STINT_KEY and STINT_BROKER_KEY, and
 * then what is usual. */
struct reach_wish {
    const char *endpoint; /* several: "tcp://a:5670,tcp://b:5670" */
    const char *key; /* path of a file */
    const char *broker_key; /* a public key, or the path of a file; several, with commas between */
    const char *file; /* name of our key's file where it is usually kept: "client.key" */
};

struct reach {
    char endpoints[REACH_ENDPOINTS_MAX][ENDPOINT_BYTES];
    char brokers[REACH_BROKERS_MAX][KEY_TEXT_BYTES];
    char public_key[KEY_TEXT_BYTES], secret_key[KEY_TEXT_BYTES];
    unsigned endpoints_count, brokers_count;
    bool everywhere; /* keys were asked for: they are shown to a broker on this host too */
    unsigned at; /* what is tried now */
};

/* Find out. On an error `why` says what is wrong, where. Errors: STINT_BAD_ENDPOINT, STINT_BAD_KEY.
 */
enum stint_status
reach_find(const struct reach_wish *wish, struct reach *reach, char why[REACH_WHY_BYTES]);
/* The secret goes. */
void reach_forget(struct reach *reach);

/* What is to be tried now; borrowed. */
struct wire_target reach_target(const struct reach *reach);
/* How many there are to try. */
unsigned reach_targets(const struct reach *reach);
/* That came to nothing: the next one. */
void reach_next(struct reach *reach);
/* Another broker is to be asked, by the same keys. False: the endpoint can't be used. */
bool reach_move(struct reach *reach, const char *endpoint);

#endif
