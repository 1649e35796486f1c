/* Messages with random fields, one function for each row of message.def: it writes the message into
 * `frame`, has it heard, and compares each field. What a function says is good until the next. */
#ifndef SAYINGS_H
#define SAYINGS_H

#include "world.h"

#define X(number, name, sender, decoder) void say_##name(uint64_t number_of_request);
#include "message.def"
#undef X

extern struct message_arrays *arrays;
extern struct pack_buffer frame;
extern struct message heard; /* what `frame` was read as */

/* Read `frame`, which was just written, into `heard`; and see that nothing of it can be missing. */
void hear(enum message_type type, uint64_t number);

uint64_t random_number(void);
uint64_t below(uint64_t end);
bool chance(void);
/* A number from 0 to `max`, of any width as likely as of any other. */
uint64_t upto(uint64_t max);
struct slice letters(size_t least, size_t most);
struct slice name(void);
struct slice bytes(void);
void text(char *to, size_t size);
struct stint_id id(void);
uint32_t window(void); /* of a worker, or that it stays as it was */

/* How far a run is, if it tells that; good until there are eight more. */
struct stint_progress progress(void);
void assert_progress(const struct stint_progress *a, const struct stint_progress *b);

void assert_same(struct slice a, struct slice b);
void assert_number(uint64_t a, uint64_t b);
#define ASSERT_FIELD(a, b, field) assert_memory_equal(&(a)->field, &(b)->field, sizeof(a)->field)

#endif
