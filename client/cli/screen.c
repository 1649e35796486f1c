/* The screen; the contract is in screen.h. */
#include "screen.h"

#ifdef STINT_CURSES
#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

/* The user's own characters where the terminal has UTF-8; else what is not ASCII would be cut into
 * bytes. */
static void
choose_characters(void)
{
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        (void)setlocale(LC_CTYPE, "C.UTF-8");
}

bool
screen_begin(void)
{
    const char *name = getenv("TERM");
    SCREEN *screen;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !name || !*name)
        return false;
    choose_characters();
    screen = newterm(NULL, stdout, stdin); /* which, other than initscr, does not end us */
    if (!screen)
        return false;
    (void)set_term(screen);
    (void)cbreak();
    (void)noecho();
    (void)keypad(stdscr, TRUE);
    (void)curs_set(0);
    (void)set_escdelay(50);
    if (has_colors() && !getenv("NO_COLOR")) {
        (void)start_color();
        (void)use_default_colors();
        (void)init_pair(1, COLOR_RED, -1);
    }
    return true;
}

void
screen_end(void)
{
    (void)endwin();
}

int
screen_lines(void)
{
    return LINES;
}

/* As many characters as the screen is wide. */
static void
put_cut(int line, const char *text)
{
    wchar_t cell[2] = {0};
    mbstate_t state = {0};
    int column = 0;
    for (size_t n; *text; text += n) {
        n = mbrtowc(cell, text, MB_CUR_MAX, &state);
        if (n == (size_t)-1 || n == (size_t)-2 || n == 0) { /* no character: one byte of none */
            n = 1;
            cell[0] = L'?';
            state = (mbstate_t){0};
        }
        int width = wcwidth(cell[0]);
        if (width < 0) {
            cell[0] = L'?';
            width = 1;
        }
        if (column + width > COLS)
            return;
        (void)mvaddnwstr(line, column, cell, 1);
        column += width;
    }
}

void
screen_put(int line, enum screen_look look, const char *text)
{
    attr_t bad = has_colors() && !getenv("NO_COLOR") ? (attr_t)COLOR_PAIR(1) : A_BOLD;
    attr_t looks[] = {[LOOK_PLAIN] = A_NORMAL,
        [LOOK_HEADING] = A_BOLD,
        [LOOK_CHOSEN] = A_REVERSE,
        [LOOK_BAD] = bad};
    if (line < 0 || line >= LINES)
        return;
    (void)attrset((int)looks[look]);
    put_cut(line, text);
    (void)attrset(A_NORMAL);
}

void
screen_clear(void)
{
    (void)erase();
}

void
screen_show(void)
{
    (void)refresh();
}

int
screen_key(int timeout_ms)
{
    timeout(timeout_ms);
    int key = getch();
    switch (key) {
    case ERR:
        return SCREEN_NOTHING;
    case KEY_UP:
        return SCREEN_UP;
    case KEY_DOWN:
        return SCREEN_DOWN;
    case KEY_RESIZE:
        return SCREEN_RESIZED;
    default:
        return key;
    }
}

#else

bool
screen_begin(void)
{
    return false;
}

void
screen_end(void)
{
}

int
screen_lines(void)
{
    return 0;
}

void
screen_put(int line, enum screen_look look, const char *text)
{
    (void)line;
    (void)look;
    (void)text;
}

void
screen_clear(void)
{
}

void
screen_show(void)
{
}

int
screen_key(int timeout_ms)
{
    (void)timeout_ms;
    return SCREEN_NOTHING;
}
#endif
