/*
 * Messages that go along with error codes: a task keeps the last one that it
 * raised or received, and code outside of tasks has its thread's.
 */
#include <errno.h>

#include "base/error.h"
#include "task/task.h"

void tusk__receive_text(int code, struct tusk__text *text)
{
    struct tusk__task *task = tusk__running_task();

    if (task)
        tusk__text_put(&task->future.text, tusk__text_retain(text));
    else
        tusk__thread_message_set(code, text ? text->text : NULL);
}

int tusk_vraise(int code, const char *format, va_list args)
{
    struct tusk__text *text;

    if (code >= 0)
        code = -EINVAL;
    text = tusk__text_new(code, format, args);
    tusk__receive_text(code, text);
    tusk__text_release(text);
    return code;
}

int tusk_raise(int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    code = tusk_vraise(code, format, args);
    va_end(args);
    return code;
}

/* The last message, if it came with this code. */
static const char *message_of(int code)
{
    struct tusk__task *task = tusk__running_task();
    const struct tusk__text *text = task ? task->future.text : NULL;

    if (code >= 0)
        return NULL;
    if (!task)
        return tusk__thread_message(code);
    return text && text->code == code ? text->text : NULL;
}

const char *tusk_describe(int code)
{
    const char *message = message_of(code);

    return message && message[0] ? message : tusk_strerror(code);
}

const char *tusk_message(void)
{
    struct tusk__task *task = tusk__running_task();

    if (!task)
        return tusk__thread_message(0);
    return task->future.text ? task->future.text->text : NULL;
}
