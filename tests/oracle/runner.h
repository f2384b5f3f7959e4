/*
 * A program while it runs: its things, and its trace.
 *
 * Everything that interpreter.py does has its counterpart here, under the same
 * names; where the two differ, a difference of the traces means nothing.
 *
 * Each slot holds one reference to its future; what takes a reference gets
 * another one.
 */
#ifndef TUSK_TESTS_ORACLE_RUNNER_H
#define TUSK_TESTS_ORACLE_RUNNER_H

#include <tusk.h>
#include <tusk/queue.h>
#include <tusk/sync.h>

#include "program.h"

enum { OUTCOME = 4096, LABEL = 16, TOKENS = 32 };

/* What tells in actor->outcome that there was nothing to work on. */
#define NOTHING "= none"

/* A gather, or a shield, and where its results go. Slots get others: these stay until the end. */
struct gathered {
    struct gathered *next;
    tusk_future *gather;
    size_t count;
    /* NULL for a shield of something that has one result. */
    const int *results;
    int values[OPERANDS];
};

/* What tasks wait for each other with. */
struct things {
    tusk_lock locks[SLOTS];
    tusk_event events[SLOTS];
    tusk_condition conditions[SLOTS];
    tusk_semaphore semaphores[SLOTS];
    tusk_bounded_semaphore bounded[SLOTS];
    tusk_barrier barriers[SLOTS];
    tusk_queue queues[SLOTS];
    /* What conditions wait for. */
    int counter;
};

struct runner {
    const struct program *program;
    tusk_loop *loop;
    FILE *out;
    /* Iterations count from the first line of the trace. */
    uint64_t first_iteration;
    bool begun;
    tusk_future *futures[SLOTS];
    tusk_task *tasks[SLOTS];
    tusk_future *gathers[SLOTS];
    struct gathered *gathered;
    /* Each task is made once. */
    bool claimed[SLOTS];
    /* A group's tasks are borrowed, and one that ends at once is gone: so each task keeps its own handle. */
    tusk_task *kept[SLOTS];
    tusk_handle handles[SLOTS];
    tusk_context *contexts[SLOTS];
    tusk_timeout *timeouts[SLOTS];
    tusk_task_group *groups[SLOTS];
    struct things *things;
    struct callback *callbacks;
};

/* One of the program's callbacks, as the arg of what the loop calls. */
struct callback {
    struct runner *runner;
    int number;
};

/* A task, or one call of a callback (then without task). */
struct actor {
    struct runner *runner;
    char label[LABEL];
    tusk_task *task;
    const struct op *ops;
    /* Its number among the tasks. */
    int number;
    /* It has met a "return": it ends with that value. */
    bool returned;
    int value;
    /* What an operation writes here stands in the trace instead of its value. */
    char outcome[OUTCOME];
    tusk_token tokens[SLOTS][TOKENS];
    int token_counts[SLOTS];
};

/* Runs a list of operations; 0, or the code of the error that came out of it. */
int run_ops(struct actor *actor, const struct op *ops);

/*
 * Makes the program's task of that number, once; in a group, or with NULL in none. Returns 1 if it was
 * made, 0 if there is none to make, or an error.
 */
int runner_spawn(struct runner *runner, int number, bool eager, tusk_context *context,
                 tusk_task_group *group);

/* A new record for a gather or a shield, and the record of one, or NULL. */
struct gathered *gathered_new(struct runner *runner);
const struct gathered *gathered_find(const struct runner *runner, const tusk_future *future);

/* The slot that an operand names, and its future: NULL if there is nothing in it. */
tusk_future **slot_of(struct runner *runner, struct operand operand);
tusk_future *future_of(struct actor *actor, const struct op *op, int position);

/* Who waits for a condition cannot be cancelled until its lock is free: release_all unlocks all. */
void things_open(struct things *things);
void things_release_all(struct things *things);
void things_close(struct things *things);

/* What the loop calls for a callback of the program. */
int on_call(void *arg);
int on_done(tusk_future *future, void *arg);

/* The program's context variables. */
extern tusk_context_var variables[SLOTS];

/* ---- errors ---- */

/* The code of the language's error of that number. */
int error_code(int number);

/* What the trace calls it. The text is static, or valid until the next call. */
const char *error_name(int code);

/* Raises a code with a message that may be NULL. */
int raise_error(int code, const char *message);

/* Raises it with all that is known of it, if that belongs to this code. */
int raise_again(int code, const tusk_exception *exception);

/* ---- the trace ---- */

/* Begins a line: iteration and time. */
void trace_place(struct runner *runner);
void trace_op(struct actor *actor, const struct op *op, int rc);
void trace_report(struct runner *runner, int code, const char *message);

/* Writes "! E3 m1". */
void write_error(char *text, size_t size, int code, const char *message);

/* The same with the errors of a group: "! group[E3 m1|timeout]". */
void write_exception(char *text, size_t size, int code, const tusk_exception *exception);

/* Writes how a future stands: "pending", "= 3", "cancelled ! cancelled m1". Counts as a look at its error. */
void write_outcome(const struct runner *runner, tusk_future *future, char *text, size_t size);

/* The results of a gather that succeeded, in text; false if the future is no gather of this program. */
bool write_results(const struct runner *runner, const tusk_future *future, char *text, size_t size);

#endif
