/*
 * Reading programs. Each line is an operation, or the end of a list.
 */
#include "program.h"

#include <stdlib.h>
#include <string.h>

enum { LINE = 512, ARENA = 64 << 20 };

static _Alignas(max_align_t) char arena[ARENA];
static size_t arena_used;

/* A line that was read and not used: the first one of the next program. */
static char line[LINE];
static bool line_waits;

static void fail(const char *problem)
{
    fprintf(stderr, "oracle: %s: %s\n", problem, line);
    exit(2);
}

void *arena_get(size_t size)
{
    void *memory = arena + arena_used;

    arena_used += (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    if (arena_used > ARENA)
        fail("the program is too large");
    return memory;
}

void arena_empty(void)
{
    memset(arena, 0, arena_used);
    arena_used = 0;
}

/* The next line without indentation; false at the end of the file. */
static bool next_line(FILE *file)
{
    if (line_waits) {
        line_waits = false;
        return true;
    }
    while (fgets(line, sizeof line, file)) {
        size_t indent = strspn(line, " ");

        line[strcspn(line, "\n")] = '\0';
        memmove(line, line + indent, strlen(line + indent) + 1);
        if (line[0] != '\0' && line[0] != '#')
            return true;
    }
    return false;
}

static const struct op_kind *kind_of(const char *name)
{
    const struct op_kind *kind = op_kinds;

    while (kind->name && strcmp(kind->name, name) != 0)
        kind++;
    if (!kind->name)
        fail("no such operation");
    return kind;
}

static struct operand operand_of(const char *word)
{
    bool is_number = strchr("-0123456789", word[0]) != NULL;

    if (strcmp(word, "cancelled") == 0)
        return (struct operand){'E', ERROR_CANCELLED};
    if (strcmp(word, "timeout") == 0)
        return (struct operand){'E', ERROR_TIMEOUT};
    if (strcmp(word, "invalid") == 0)
        return (struct operand){'E', ERROR_INVALID};
    if (is_number)
        return (struct operand){'#', atoi(word)};
    if (strchr("0123456789", word[1]) == NULL)
        return (struct operand){'-', word[0]};
    return (struct operand){word[0], atoi(word + 1)};
}

static struct op *read_list(FILE *file, const char *end, int *index);

static struct op *read_op(FILE *file, int *index)
{
    struct op *op = arena_get(sizeof *op);
    size_t marks = strspn(line, "?");
    char *rest = NULL;

    op->index = (*index)++;
    op->catches = (int)marks;
    op->kind = kind_of(strtok_r(line + marks, " ", &rest));
    for (char *word; (word = strtok_r(NULL, " ", &rest)) != NULL;) {
        if (op->count == OPERANDS)
            fail("too many operands");
        op->operands[op->count++] = operand_of(word);
    }
    if (op->kind->has_body)
        op->body = read_list(file, op->kind->has_handler ? "then" : "end", index);
    if (op->kind->has_handler)
        op->handler = read_list(file, "end", index);
    return op;
}

static struct op *read_list(FILE *file, const char *end, int *index)
{
    struct op *first = NULL;
    struct op **link = &first;

    while (next_line(file)) {
        if (strcmp(line, end) == 0)
            return first;
        *link = read_op(file, index);
        link = &(*link)->next;
    }
    fail("the end of a list is missing");
    return NULL;
}

static void read_lists(FILE *file, struct program *program)
{
    while (next_line(file)) {
        bool is_task = strncmp(line, "task ", 5) == 0;
        size_t *count = is_task ? &program->task_count : &program->callback_count;
        int index = 0;

        if (strncmp(line, "program ", 8) == 0) {
            line_waits = true;
            return;
        }
        if ((!is_task && strncmp(line, "callback ", 9) != 0) || *count == SLOTS)
            fail("neither a task nor a callback");
        (is_task ? program->tasks : program->callbacks)[(*count)++] = read_list(file, "end", &index);
    }
}

int program_read(FILE *file, struct program *ret_program)
{
    *ret_program = (struct program){0};
    if (!next_line(file))
        return 0;
    if (strncmp(line, "program ", 8) == 0)
        ret_program->seed = atol(line + 8);
    else
        fail("expected a program");
    read_lists(file, ret_program);
    return 1;
}
