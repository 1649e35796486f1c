/* The standard streams: no byte of output is lost in silence, whatever they are; and nothing that
 * came from elsewhere drives the terminal through what the command says.
 */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Standard output. A stream of our own over it: writing waits where the descriptor is non-blocking
 * and full, the progress line makes room for what goes to a terminal, and the first error is kept.
 */
FILE *console_out(void);
/* Text of somebody else's to it: what might drive a terminal is written as text, on one line. */
void console_text(const char *text);
/* The same as a text, allocated; `lines`: they stay. */
char *console_clean(const char *text, bool lines);
/* Copy a text into `size` bytes as a piece of one line: what might drive a terminal is `instead`,
 * what is too long is cut behind a whole character. */
void console_piece(char *to, size_t size, const char *from, char instead);
/* Has writing failed? Then the rest is dropped. */
bool console_failed(void);
/* Has whoever read our output gone? Asks the pipe, so that it is known before the next write. */
bool console_reader_gone(void);
/* Write what is left. Returns an exit code, after saying why it is not 0: 141 if the reader is gone
 * (without a word, as a program ended by SIGPIPE), EX_IOERR for any other failure. */
int console_end(const char *program);

/* A line on standard error: control characters in it become spaces, or \xNN. */
void console_say(const char *text);
/* Bytes of a program's standard error to ours: as they are, but not to a terminal. */
void console_error_bytes(const char *bytes, size_t size);
/* Show this line of progress, in place of the last; "" takes it away. Only for terminals. */
void console_progress(const char *text);
/* How wide is the terminal standard output goes to? 0: it is none. */
size_t console_width(void);
/* The same of standard error. */
size_t console_error_width(void);

#endif
