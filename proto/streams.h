/* The standard streams: descriptors 0 to 2 are always open in our programs. Where one is not, the
 * next file that is opened takes its number, and what is printed goes into a socket or a store.
 */
#ifndef STREAMS_H
#define STREAMS_H

/* To be called first in main. What is closed stays an error for whoever uses it: a closed input
 * can't be read and a closed output can't be written (EBADF), so that neither is taken for an
 * empty input or for an output that arrived. Ends the process if nothing can be opened at all. */
void standard_streams_open(void);

#endif
