/*
 * The trace: what it calls things, and how its lines look.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "loop/loop.h"
#include "runner.h"

int error_code(int number)
{
    switch (number) {
    case ERROR_CANCELLED:
        return -ECANCELED;
    case ERROR_TIMEOUT:
        return -ETIMEDOUT;
    case ERROR_INVALID:
        return -EINVAL;
    default:
        return -200 - number;
    }
}

/* E1 to E9: codes that errno does not have. */
static bool is_custom(int code)
{
    return code < -200 && code > -210;
}

const char *error_name(int code)
{
    static char name[32];

    if (is_custom(code))
        snprintf(name, sizeof name, "E%d", -200 - code);
    else if (code == -ECANCELED)
        return "cancelled";
    else if (code == -ETIMEDOUT)
        return "timeout";
    else if (code == -EINVAL)
        return "invalid";
    else if (code == TUSK_INVALID_STATE)
        return "state";
    else if (code == TUSK_BROKEN_BARRIER)
        return "broken";
    else if (code == TUSK_QUEUE_EMPTY)
        return "empty";
    else if (code == TUSK_QUEUE_FULL)
        return "full";
    else if (code == TUSK_QUEUE_SHUT_DOWN)
        return "shutdown";
    else if (code == TUSK_EXCEPTION_GROUP)
        return "group";
    else if (code == TUSK_AWAITED_ITSELF)
        return "itself";
    else
        snprintf(name, sizeof name, "%s", tusk_errorname(code));
    return name;
}

/* A call with a format that may be NULL, which tusk_raise's own declaration does not like. */
static int raise_formatted(int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    code = tusk_vraise(code, format, args);
    va_end(args);
    return code;
}

int raise_error(int code, const char *message)
{
    return raise_formatted(code, message ? "%s" : NULL, message);
}

int raise_again(int code, const tusk_exception *exception)
{
    return tusk_exception_raise(tusk_exception_code(exception) == code ? exception : NULL, code);
}

void write_error(char *text, size_t size, int code, const char *message)
{
    bool has_message = is_custom(code) || code == -ECANCELED;

    if (has_message)
        snprintf(text, size, "! %s %s", error_name(code), message && *message ? message : "-");
    else
        snprintf(text, size, "! %s", error_name(code));
}

void write_exception(char *text, size_t size, int code, const tusk_exception *exception)
{
    size_t length = 0;

    if (tusk_exception_code(exception) != code)
        exception = NULL;
    if (code != TUSK_EXCEPTION_GROUP) {
        write_error(text, size, code, exception ? tusk_exception_message(exception) : NULL);
        return;
    }
    length += (size_t)snprintf(text, size, "! group[");
    for (size_t i = 0; i < tusk_exception_count(exception) && length + 2 < size; i++) {
        const tusk_exception *child = tusk_exception_child(exception, i);
        size_t start = length;

        write_exception(text + length, size - length, tusk_exception_code(child), child);
        length += strlen(text + length);
        /* The first in the list loses its "! "; the others give it for a "|". */
        memmove(text + start + (i > 0), text + start + 2, length - start - 1);
        if (i > 0)
            text[start] = '|';
        length = strlen(text);
    }
    snprintf(text + length, size - length, "]");
}

struct gathered *gathered_new(struct runner *runner)
{
    struct gathered *gathered = arena_get(sizeof *gathered);

    gathered->next = runner->gathered;
    runner->gathered = gathered;
    return gathered;
}

const struct gathered *gathered_find(const struct runner *runner, const tusk_future *future)
{
    const struct gathered *at = runner->gathered;

    while (at && at->gather != future)
        at = at->next;
    return at;
}

bool write_results(const struct runner *runner, const tusk_future *future, char *text, size_t size)
{
    const struct gathered *results = gathered_find(runner, future);
    size_t length;

    if (!results || !results->results)
        return false;
    length = (size_t)snprintf(text, size, "= [");
    for (size_t i = 0; i < results->count; i++) {
        int value = results->results[i];
        const char *comma = i > 0 ? "," : "";

        if (value < 0)
            length += (size_t)snprintf(text + length, size - length, "%s%s", comma, error_name(value));
        else
            length += (size_t)snprintf(text + length, size - length, "%s%d", comma, value);
    }
    snprintf(text + length, size - length, "]");
    return true;
}

void write_outcome(const struct runner *runner, tusk_future *future, char *text, size_t size)
{
    const char *prefix = tusk_future_cancelled(future) ? "cancelled " : "";
    int rc = tusk_future_result(future);

    if (!tusk_future_done(future)) {
        snprintf(text, size, "pending");
    } else if (rc < 0) {
        snprintf(text, size, "%s", prefix);
        write_exception(text + strlen(prefix), size - strlen(prefix), rc, tusk_exception_of(future));
    } else if (!write_results(runner, future, text, size)) {
        snprintf(text, size, "= %d", rc);
    }
}

void trace_place(struct runner *runner)
{
    uint64_t iteration = runner->loop->iteration;

    if (!runner->begun)
        runner->first_iteration = iteration;
    runner->begun = true;
    fprintf(runner->out, "%" PRIu64 " %ld ", iteration - runner->first_iteration,
            lround(tusk_loop_time(runner->loop) * 8));
}

void trace_op(struct actor *actor, const struct op *op, int rc)
{
    FILE *out = actor->runner->out;

    if (rc < 0 && actor->task)
        write_exception(actor->outcome, sizeof actor->outcome, rc, tusk_exception_last());
    else if (rc < 0)
        write_error(actor->outcome, sizeof actor->outcome, rc, tusk_message());
    else if (actor->outcome[0] == '\0')
        snprintf(actor->outcome, sizeof actor->outcome, "= %d", rc);
    trace_place(actor->runner);
    fprintf(out, "%s.%d %s %s ", actor->label, op->index, op->kind->name, actor->outcome);
    if (actor->task)
        fprintf(out, "%d\n", tusk_task_cancelling(actor->task));
    else
        fprintf(out, "-\n");
}

void trace_report(struct runner *runner, int code, const char *message)
{
    char text[OUTCOME];

    write_error(text, sizeof text, code, message);
    trace_place(runner);
    fprintf(runner->out, "report %s\n", text);
}
