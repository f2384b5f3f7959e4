/* Some bytes that stand somewhere, with no zero byte at the end. */
#ifndef EXAMPLES_TEXT_H
#define EXAMPLES_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct text {
    const char *data;
    size_t size;
};

/* The same word, whatever its case. */
static inline bool text_is(struct text text, const char *word)
{
    return text.size == strlen(word) && strncasecmp(text.data, word, text.size) == 0;
}

#endif
