/*
 * The exception handler: where errors go that nobody can return to anyone.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/symbol.h"
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
    if (context->error_message && strcmp(context->error_message, tusk_strerror(context->error)) != 0)
        fprintf(stderr, ": %s", context->error_message);
    if (context->where)
        fprintf(stderr, "; made at %s", context->where);
    fputc('\n', stderr);
    if (context->backtrace)
        fputs(context->backtrace, stderr);
    funlockfile(stderr);
}

/*
 * Calls the program's handler. A light handle that reports has no context, so the
 * thread's is current meanwhile.
 */
static int call_handler(struct tusk_loop *loop, const struct tusk_exception_context *context)
{
    struct tusk_loop *running = tusk__running_loop;
    struct tusk__handle *current = running ? running->current : NULL;
    int rc;

    if (!current || !tusk__handle_is_light(current))
        return loop->exception_handler(loop, context, loop->exception_handler_arg);
    running->current = NULL;
    rc = loop->exception_handler(loop, context, loop->exception_handler_arg);
    running->current = current;
    return rc;
}

void tusk__loop_report(struct tusk_loop *loop, const struct tusk_exception_context *context)
{
    struct tusk_exception_context failed = {.message = "Unhandled error in exception handler"};

    if (!loop->exception_handler) {
        tusk_loop_default_exception_handler(loop, context);
        return;
    }
    failed.error = call_handler(loop, context);
    if (failed.error >= 0)
        return;
    tusk_loop_default_exception_handler(loop, &failed);
    tusk_loop_default_exception_handler(loop, context);
}

/* The function's name, or where it stands in its file, for a file without names. */
static void name_function(uintptr_t address, char *text, size_t size)
{
    struct tusk__symbol symbol;
    const char *file;

    if (!tusk__symbol_find(address, &symbol)) {
        snprintf(text, size, "0x%zx", (size_t)address);
        return;
    }
    file = strrchr(symbol.module, '/');
    if (symbol.function[0])
        snprintf(text, size, "%s", symbol.function);
    else
        snprintf(text, size, "%.100s+0x%zx", file ? file + 1 : symbol.module, (size_t)symbol.offset);
}

/* A callback that fails again and again is looked up once: that reads tables of its file. */
static const char *name_of_callback(struct tusk_loop *loop, uintptr_t callback)
{
    if (loop->failed_callback != callback)
        name_function(callback, loop->failed_name, sizeof loop->failed_name);
    loop->failed_callback = callback;
    return loop->failed_name;
}

TUSK__COLD void tusk__report_callback(struct tusk_loop *loop, uintptr_t callback, struct tusk_future *future,
                                      int rc, unsigned messages)
{
    char message[160];
    struct tusk_exception_context context = {
        .message = message,
        .error = rc,
        /* One that was there before belongs to another error. */
        .error_message = tusk__thread_messages != messages ? tusk__thread_message(rc) : NULL,
        .future = future,
    };

    snprintf(message, sizeof message, "Exception in callback %s", name_of_callback(loop, callback));
    tusk__loop_report(loop, &context);
}

void tusk_loop_call_exception_handler(tusk_loop *loop, const struct tusk_exception_context *context)
{
    if (loop && context)
        tusk__loop_report(loop, context);
}
