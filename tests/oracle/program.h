/*
 * A program of the oracle's language, as it is read from its text. README.md
 * describes the language; language.py checks it: what arrives here is well formed.
 *
 * All memory of a program comes from one arena, which is emptied after it.
 */
#ifndef TUSK_TESTS_ORACLE_PROGRAM_H
#define TUSK_TESTS_ORACLE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* How many of each kind of thing a program may have, and operands an operation. */
enum { SLOTS = 16, OPERANDS = 10 };

struct actor;
struct op;

/* What an operation does: its value, or a negative code. May write an outcome of its own to actor->outcome. */
typedef int op_function(struct actor *actor, const struct op *op);

struct op_kind {
    const char *name;
    op_function *run;
    /* Has operations inside, up to "end", and a second list after "then". */
    bool has_body;
    bool has_handler;
};

/* t3: kind 't', number 3. Plain numbers have the kind '#', errors 'E', flags '-'. */
struct operand {
    char kind;
    int number;
};

struct op {
    const struct op_kind *kind;
    struct op *next;
    struct op *body;
    struct op *handler;
    /* Its place in its task or callback. */
    int index;
    /* 0: nothing, 1: errors but not cancels, 2: both. */
    int catches;
    int count;
    struct operand operands[OPERANDS];
};

struct program {
    long seed;
    size_t task_count;
    size_t callback_count;
    struct op *tasks[SLOTS];
    struct op *callbacks[SLOTS];
};

/* The known operations, ended by one without a name (operations.c). */
extern const struct op_kind op_kinds[];

/* The number of an error's name: 0 cancelled, 1 to 9, 10 timeout, 11 invalid. */
enum { ERROR_CANCELLED = 0, ERROR_TIMEOUT = 10, ERROR_INVALID = 11 };

/* Zeroed memory that lives until the arena is emptied. Never NULL. */
void *arena_get(size_t size);
void arena_empty(void);

/*
 * Reads the next program. Returns 1, or 0 at the end of the file. Ends the
 * process when the text is not well formed.
 */
int program_read(FILE *file, struct program *ret_program);

#endif
