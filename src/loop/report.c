/*
 * The exception handler: where errors go that nobody can return to anyone.
 */
#include <stdio.h>

#include "loop/loop.h"

void tusk_loop_set_exception_handler(tusk_loop *loop, tusk_exception_handler *handler, void *arg)
{
    loop->exception_handler = handler;
    loop->exception_handler_arg = arg;
}

void tusk_loop_default_exception_handler(tusk_loop *loop, const struct tusk_exception_context *context)
{
    (void)loop;
    flockfile(stderr);
    fprintf(stderr, "tusk: %s", context->message ? context->message : "Unhandled exception in event loop");
    if (context->task_name)
        fprintf(stderr, ": task '%s'", context->task_name);
    if (context->error < 0)
        fprintf(stderr, ": %s (%s)", tusk_errorname(context->error), tusk_strerror(context->error));
    if (context->error_message)
        fprintf(stderr, ": %s", context->error_message);
    fputc('\n', stderr);
    funlockfile(stderr);
}

void tusk__loop_report(struct tusk_loop *loop, const struct tusk_exception_context *context)
{
    struct tusk_exception_context failed = {.message = "Unhandled error in exception handler"};

    if (!loop->exception_handler) {
        tusk_loop_default_exception_handler(loop, context);
        return;
    }
    failed.error = loop->exception_handler(loop, context, loop->exception_handler_arg);
    if (failed.error >= 0)
        return;
    tusk_loop_default_exception_handler(loop, &failed);
    tusk_loop_default_exception_handler(loop, context);
}

void tusk_loop_call_exception_handler(tusk_loop *loop, const struct tusk_exception_context *context)
{
    if (loop && context)
        tusk__loop_report(loop, context);
}
