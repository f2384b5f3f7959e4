/*
 * Runs programs of the oracle's language on tusk, and writes their traces.
 *
 *     interpreter PROGRAMS TRACES
 *
 * Reads all programs of the first file; each gets a loop of its own. The
 * output is flushed after each trace, so that what crashes can be told by what
 * is missing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "runner.h"

/* Rounds of cancelling what is left when nothing can happen any more. */
enum { ROUNDS = 50 };

tusk_context_var variables[SLOTS];

/* ---- things ---- */

tusk_future **slot_of(struct runner *runner, struct operand operand)
{
    switch (operand.kind) {
    case 't':
        return &runner->tasks[operand.number];
    case 'g':
        return &runner->gathers[operand.number];
    default:
        return &runner->futures[operand.number];
    }
}

tusk_future *future_of(struct actor *actor, const struct op *op, int position)
{
    return *slot_of(actor->runner, op->operands[position]);
}

static struct actor *actor_new(struct runner *runner, char kind, int number, const struct op *ops)
{
    struct actor *actor = arena_get(sizeof *actor);

    actor->runner = runner;
    actor->ops = ops;
    snprintf(actor->label, sizeof actor->label, "%c%d", kind, number);
    return actor;
}

/* ---- tasks ---- */

static void trace_end(struct actor *actor, int rc)
{
    char text[OUTCOME];

    if (rc < 0)
        write_exception(text, sizeof text, rc, tusk_exception_last());
    else
        snprintf(text, sizeof text, "= %d", rc);
    trace_place(actor->runner);
    fprintf(actor->runner->out, "%s end %s %d\n", actor->label, text, tusk_task_cancelling(actor->task));
}

static int run_task(void *arg)
{
    struct actor *actor = arg;
    int rc;

    actor->task = tusk_current_task();
    actor->runner->kept[actor->number] = tusk_retain(actor->task);
    trace_place(actor->runner);
    fprintf(actor->runner->out, "%s start %d %d\n", actor->label,
            (int)(intptr_t)tusk_context_var_get(&variables[0]),
            (int)(intptr_t)tusk_context_var_get(&variables[1]));
    rc = run_ops(actor, actor->ops);
    if (rc >= 0 && actor->returned)
        rc = actor->value;
    trace_end(actor, rc);
    return rc;
}

/* One reference to the task: it is ours, or the group's. */
static tusk_task *make_task(struct actor *actor, bool eager, tusk_context *context, tusk_task_group *group)
{
    tusk_task *task;

    if (!group)
        return tusk_loop_create_task(actor->runner->loop, run_task, actor, .eager_start = eager,
                                     .context = context);
    task = tusk_task_group_create_task(group, run_task, actor, .eager_start = eager);
    if (!task)
        return NULL;
    return tusk_retain(eager ? actor->runner->kept[actor->number] : task);
}

int runner_spawn(struct runner *runner, int number, bool eager, tusk_context *context, tusk_task_group *group)
{
    struct actor *actor;

    if ((size_t)number >= runner->program->task_count || runner->claimed[number])
        return 0;
    runner->claimed[number] = true;
    actor = actor_new(runner, 't', number, runner->program->tasks[number]);
    actor->number = number;
    runner->tasks[number] = make_task(actor, eager, context, group);
    if (runner->tasks[number])
        return 1;
    runner->claimed[number] = false;
    return raise_error(tusk_last_error(), NULL);
}

/* ---- callbacks ---- */

static int run_callback(struct callback *callback, tusk_future *future)
{
    const struct program *program = callback->runner->program;
    size_t number = (size_t)callback->number;
    struct actor *actor = actor_new(callback->runner, 'c', callback->number, NULL);
    char text[OUTCOME] = "";

    if (future) {
        strcpy(text, " ");
        write_outcome(callback->runner, future, text + 1, sizeof text - 1);
    }
    trace_place(callback->runner);
    fprintf(callback->runner->out, "%s start%s\n", actor->label, text);
    return number < program->callback_count ? run_ops(actor, program->callbacks[number]) : 0;
}

int on_call(void *arg)
{
    return run_callback(arg, NULL);
}

int on_done(tusk_future *future, void *arg)
{
    return run_callback(arg, future);
}

/* Only what asyncio reports at the same moment too: not what depends on when it collects garbage. */
static int on_report(tusk_loop *loop, const struct tusk_exception_context *context, void *arg)
{
    static const char callback[] = "Exception in callback ";

    (void)loop;
    if (strncmp(context->message, callback, sizeof callback - 1) == 0)
        trace_report(arg, context->error, context->error_message);
    return 0;
}

/* ---- a program ---- */

static void open_runner(struct runner *runner)
{
    runner->loop = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL);
    if (!runner->loop) {
        fprintf(stderr, "oracle: no loop: %s\n", tusk_strerror(tusk_last_error()));
        exit(2);
    }
    tusk_loop_set_exception_handler(runner->loop, on_report, runner);
    runner->things = arena_get(sizeof *runner->things);
    things_open(runner->things);
    runner->callbacks = arena_get(sizeof(struct callback) * SLOTS);
    for (int i = 0; i < SLOTS; i++) {
        runner->futures[i] = tusk_loop_create_future(runner->loop);
        runner->callbacks[i] = (struct callback){runner, i};
    }
}

static void close_runner(struct runner *runner)
{
    for (int i = 0; i < SLOTS; i++) {
        tusk_release(runner->futures[i]);
        tusk_release(runner->tasks[i]);
        tusk_release(runner->kept[i]);
        tusk_context_release(runner->contexts[i]);
    }
    for (struct gathered *at = runner->gathered; at; at = at->next)
        tusk_release(at->gather);
    tusk_loop_close(runner->loop);
    things_close(runner->things);
}

static void run_until_stuck(struct runner *runner)
{
    int rc = tusk_loop_run_forever(runner->loop);

    if (rc != -EDEADLK)
        fprintf(runner->out, "the loop ended with %s\n", tusk_errorname(rc));
}

static int count_pending(const struct runner *runner)
{
    int count = 0;

    for (int i = 0; i < SLOTS; i++)
        count += !tusk_future_done(runner->tasks[i]);
    return count;
}

static void cancel_pending(struct runner *runner)
{
    trace_place(runner);
    fprintf(runner->out, "stuck %d\n", count_pending(runner));
    things_release_all(runner->things);
    for (int i = 0; i < SLOTS; i++)
        tusk_task_cancel(runner->tasks[i]);
}

static void write_finals(struct runner *runner, char kind, tusk_future **futures)
{
    for (int i = 0; i < SLOTS; i++) {
        char text[OUTCOME];

        if (!futures[i] || (kind == 'f' && !tusk_future_done(futures[i])))
            continue;
        write_outcome(runner, futures[i], text, sizeof text);
        fprintf(runner->out, "final %c%d %s", kind, i, text);
        if (kind == 't')
            fprintf(runner->out, " %d", tusk_task_cancelling(futures[i]));
        fputc('\n', runner->out);
    }
}

static void run_program(const struct program *program, FILE *out)
{
    struct runner runner = {.program = program, .out = out};
    size_t live = tusk__live();

    fprintf(out, "program %ld\n", program->seed);
    open_runner(&runner);
    runner_spawn(&runner, 0, false, NULL, NULL);
    run_until_stuck(&runner);
    for (int round = 0; round < ROUNDS && count_pending(&runner) > 0; round++) {
        cancel_pending(&runner);
        run_until_stuck(&runner);
    }
    write_finals(&runner, 't', runner.tasks);
    write_finals(&runner, 'f', runner.futures);
    write_finals(&runner, 'g', runner.gathers);
    close_runner(&runner);
    if (tusk__live() != live)
        fprintf(out, "leaked %ld blocks\n", (long)tusk__live() - (long)live);
}

static void open_variables(void)
{
    static char names[SLOTS][LABEL];

    for (int i = 0; i < SLOTS; i++) {
        snprintf(names[i], LABEL, "v%d", i);
        variables[i].name = names[i];
    }
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);

    if (!file) {
        perror(path);
        exit(2);
    }
    return file;
}

int main(int argc, char **argv)
{
    struct program program;
    FILE *in;
    FILE *out;

    if (argc != 3) {
        fprintf(stderr, "usage: %s PROGRAMS TRACES\n", argv[0]);
        return 2;
    }
    in = open_file(argv[1], "r");
    out = open_file(argv[2], "w");
    open_variables();
    while (program_read(in, &program)) {
        run_program(&program, out);
        fflush(out);
        arena_empty();
    }
    fclose(in);
    return fclose(out) == 0 ? 0 : 2;
}
