/* Words of a text; the contract is in words.h. */
#include "words.h"

#include <popt.h>
#include <stdbool.h>
#include <stdlib.h>

/* popt takes the end of the text for the end of a quote. */
static bool
quotes_are_closed(const char *text)
{
    char quote = '\0';
    for (; *text; text++)
        if (*text == '\\' && text[1])
            text++;
        else if (quote ? *text == quote : *text == '\'' || *text == '"')
            quote = quote ? '\0' : *text;
    return !quote;
}

const char *
words_cut(const char *text, int *count, const char ***words)
{
    *words = NULL;
    *count = 0;
    if (!quotes_are_closed(text))
        return "a quote in it is not closed";
    int rc = poptParseArgvString(text, count, words);
    if (rc == 0 && *count > 0)
        return NULL;
    free(*words);
    *words = NULL;
    return rc == POPT_ERROR_BADQUOTE ? "it ends with a backslash" : "there is no word in it";
}
