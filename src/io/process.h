/*
 * Subprocesses from the inside.
 */
#ifndef TUSK__IO_PROCESS_H
#define TUSK__IO_PROCESS_H

#include <tusk/process.h>

#include "io/stream.h"

struct tusk_process {
    struct tusk__closable closable;
    struct tusk__io *io;
    /* Its owner's, one for each call that waits, and one as long as the program runs. */
    uint32_t references;
    pid_t pid;
    /* tusk__forks() of the parent. */
    unsigned forks;
    /* It leads a group, whose number is its own. */
    bool has_group;
    /* What becomes readable at the end; NULL: a thread waits, or it has ended. */
    struct tusk__descriptor *descriptor;
    struct tusk__io_waiter ear;
    bool ended;
    /* Its owner has given it back. */
    bool released;
    /* As asyncio's returncode. */
    int code;
    /* stdin, stdout, stderr; NULL: no pipe. */
    tusk_stream *streams[3];
    /* The tasks that wait for the end. */
    struct tusk__row waiters;
};

static inline struct tusk_process *tusk__process_retain(struct tusk_process *process)
{
    process->references++;
    return process;
}

void tusk__process_unref(struct tusk_process *process);

#endif
