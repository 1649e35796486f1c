/* Answers libzmq when it asks who may connect (ZAP, rfc.zeromq.org/spec/27), on a thread of its
 * own: a handshake waits for nobody's turn. Keys are looked up by whoever has them. There must be
 * one before anything is bound with ZMQ_CURVE_SERVER: without it libzmq lets every key in.
 *
 * What it says of a connection comes with each frame of a message's body as its User-Id. A peer may
 * send a property of that name, but ours goes before it; so every socket that is bound has one of
 * the two domains, those that ask for no key, too.
 */
#ifndef ZAP_H
#define ZAP_H

#include "key.h"

#define ZAP_DOMAIN_KEYS "stint" /* ZMQ_ZAP_DOMAIN of what asks for a key */
#define ZAP_DOMAIN_LOCAL "local" /* and of what does not */

/* For each ROUTER, before it is bound: if nobody answers, nobody is let in. 4.3.4 has the option,
 * but names it in its header for drafts only. */
#define ZAP_ENFORCE_DOMAIN 93

struct zap;

/* Which key is it? A number above 0, or 0: nobody's. On the thread of the handler. */
typedef uint64_t zap_find_fn(void *context, const uint8_t key[KEY_BYTES]);

/* Begin to answer. NULL: it can't; errno (of libzmq) says why. `find` and its context are used
 * until zap_destroy. */
struct zap *zap_new(void *zmq_context, zap_find_fn *find, void *find_context);
/* Nobody is let in from here on, if the sockets have ZAP_ENFORCE_DOMAIN. Before the context
 * ends. */
void zap_destroy(struct zap **zap);

/* The User-Id of a message's body (NULL: it has none). True: `number` is the key's, or 0 for a
 * connection that was asked for none. False: nobody that was let in. */
bool zap_user(const char *user_id, uint64_t *number);

#endif
