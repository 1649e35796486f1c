/* Tests that can't run everywhere say what they lack before they are skipped. Include it after
 * cmocka.h. */
#ifndef SKIPPING_H
#define SKIPPING_H

#include <unistd.h>

#define SKIP_BECAUSE(why) \
    do { \
        print_message("skipped: %s\n", why); \
        skip(); \
    } while (0)

/* Becoming another user, and files of one, take root. */
#define SKIP_UNLESS_ROOT() \
    do { \
        if (getuid() != 0) \
            SKIP_BECAUSE("it takes root to act as another user"); \
    } while (0)

#endif
