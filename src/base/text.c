/*
 * Messages of errors: one block each, made once, never changed.
 */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static struct tusk__text *allocate(int code, size_t length)
{
    struct tusk__text *text = tusk__alloc(sizeof *text + length + 1);

    if (text) {
        text->references = 1;
        text->code = code;
    }
    return text;
}

struct tusk__text *tusk__text_new(int code, const char *format, va_list args)
{
    struct tusk__text *text;
    va_list measured;
    int length;

    if (!format)
        return NULL;
    va_copy(measured, args);
    length = vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    text = length < 0 ? NULL : allocate(code, (size_t)length);
    if (text)
        vsnprintf(text->text, (size_t)length + 1, format, args);
    return text;
}

struct tusk__text *tusk__text_copy(int code, const char *message)
{
    struct tusk__text *text;
    size_t length;

    if (!message)
        return NULL;
    length = strlen(message);
    text = allocate(code, length);
    if (text)
        memcpy(text->text, message, length + 1);
    return text;
}

struct tusk__text *tusk__text_group(int code, const char *message, size_t count)
{
    struct tusk__text *text = tusk__text_copy(code, message);

    if (!text)
        return NULL;
    text->children = tusk__alloc_array(count ? count : 1, sizeof text->children[0]);
    if (!text->children) {
        tusk__free(text);
        return NULL;
    }
    text->count = count;
    return text;
}

void tusk__text_release(struct tusk__text *text)
{
    if (!text || --text->references > 0)
        return;
    for (size_t i = 0; i < text->count; i++)
        tusk__text_release(text->children[i]);
    tusk__free(text->children);
    tusk__free(text);
}
