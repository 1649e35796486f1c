/* Where hashes of names begin; ids.h says why. Whoever serves strangers draws it before anything
 * else runs; nobody else needs to. */
#include "ids.h"

uint64_t ids_seed;
