/* A terminal's whole screen, by curses; without that library there is none. */
#ifndef SCREEN_H
#define SCREEN_H

#include <stdbool.h>

enum screen_key {
    SCREEN_NOTHING = -1, /* no key was pressed in time */
    SCREEN_UP = 0x10000, /* others are characters */
    SCREEN_DOWN,
    SCREEN_RESIZED,
};
enum screen_look { LOOK_PLAIN, LOOK_HEADING, LOOK_CHOSEN, LOOK_BAD };

/* False: standard output and input are no terminal that this can be done on. */
bool screen_begin(void);
void screen_end(void);
int screen_lines(void);
/* A line, cut at the edge; lines that do not fit are left out. */
void screen_put(int line, enum screen_look look, const char *text);
void screen_clear(void);
void screen_show(void);
/* A key, waiting for it at most so long. */
int screen_key(int timeout_ms);

#endif
