/*
 * What is known of an error: its text, seen from outside.
 */
#include <tusk/exception.h>

#include <errno.h>

#include "task/task.h"

const tusk_exception *tusk_exception_last(void)
{
    struct tusk__task *task = tusk__running_task();

    return task ? task->future.text : NULL;
}

const tusk_exception *tusk_exception_of(const tusk_future *future)
{
    return future && !tusk__future_pending(future) && future->state != TUSK__FREED ? future->text : NULL;
}

tusk_exception *tusk_exception_retain(const tusk_exception *exception)
{
    return tusk__text_retain((struct tusk__text *)exception);
}

void tusk_exception_release(tusk_exception *exception)
{
    tusk__text_release(exception);
}

int tusk_exception_raise(const tusk_exception *exception, int code)
{
    if (exception)
        code = exception->code;
    else if (code >= 0)
        code = -EINVAL;
    tusk__receive_text(code, (struct tusk__text *)exception);
    return code;
}

int tusk_exception_code(const tusk_exception *exception)
{
    return exception ? exception->code : 0;
}

const char *tusk_exception_message(const tusk_exception *exception)
{
    return exception ? exception->text : "";
}

size_t tusk_exception_count(const tusk_exception *exception)
{
    return exception ? exception->count : 0;
}

const tusk_exception *tusk_exception_child(const tusk_exception *exception, size_t index)
{
    return exception && index < exception->count ? exception->children[index] : NULL;
}
