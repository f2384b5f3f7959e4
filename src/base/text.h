/*
 * A message that goes along with an error code, from the task that raised it to
 * all who await it. Counted by references; belongs to one thread. NULL is "no
 * message" everywhere.
 */
#ifndef TUSK__BASE_TEXT_H
#define TUSK__BASE_TEXT_H

#include <stdarg.h>
#include <stddef.h>

struct tusk__text {
    int references;
    int code;
    /* A group's errors, each with a reference. */
    struct tusk__text **children;
    size_t count;
    char text[];
};

/* A new text with one reference; NULL without memory or without a format. */
struct tusk__text *tusk__text_new(int code, const char *format, va_list args);
struct tusk__text *tusk__text_copy(int code, const char *message);

/* A text of a group of errors, with room for that many; the caller fills it in. */
struct tusk__text *tusk__text_group(int code, const char *message, size_t count);

/* One more reference; returns the text. */
static inline struct tusk__text *tusk__text_retain(struct tusk__text *text)
{
    if (text)
        text->references++;
    return text;
}

void tusk__text_release(struct tusk__text *text);

/* Puts a text (whose reference it takes) into a slot, instead of the one there. */
static inline void tusk__text_put(struct tusk__text **slot, struct tusk__text *text)
{
    struct tusk__text *old = *slot;

    *slot = text;
    if (old)
        tusk__text_release(old);
}

#endif
