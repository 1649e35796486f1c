/* A text cut into words as a shell would, but nothing in it is expanded: quotes and backslashes, by
 * popt, and what popt lets pass is refused here.
 */
#ifndef WORDS_H
#define WORDS_H

/* Cut `text` into at least one word. The words, `*count` of them and a final NULL, are one
 * allocation, to be freed. Returns NULL if that went well, or else a constant sentence that says
 * why not; then `*words` is NULL. */
const char *words_cut(const char *text, int *count, const char ***words);

#endif
