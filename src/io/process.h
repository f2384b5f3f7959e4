/*
 * Subprocesses from the inside.
 */
#ifndef TUSK__IO_PROCESS_H
#define TUSK__IO_PROCESS_H

#include <tusk/process.h>

#include "io/stream.h"

/* A task that waits for the end. */
struct tusk__process_waiter {
    struct tusk__waiter waiter;
    struct tusk__link link;
    struct tusk_process *process;
};

struct tusk_process {
    struct tusk__closable closable;
    struct tusk__io *io;
    /* Its owner's, each waiting task's, and one as long as the program runs. */
    uint32_t references;
    pid_t pid;
    /* What becomes readable at the end; NULL: a thread waits, or it has ended. */
    struct tusk__descriptor *descriptor;
    struct tusk__io_waiter ear;
    bool ended;
    /* As asyncio's returncode. */
    int code;
    /* stdin, stdout, stderr; NULL: no pipe. */
    tusk_stream *streams[3];
    struct tusk__link *waiters;
};

#endif
