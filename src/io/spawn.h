/*
 * Starting programs: what happens between fork and exec.
 */
#ifndef TUSK__IO_SPAWN_H
#define TUSK__IO_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

struct tusk__spawn {
    const char *const *argv;
    /* NULL: the parent's. */
    const char *const *env;
    const char *cwd;
    /* What become 0, 1 and 2: any descriptors of the parent; -1: what the child has there, or has not. */
    int fds[3];
    bool new_session;
    bool new_group;
};

/*
 * Starts the program: its number, or a negative code. *ret_in_cwd: it was the change of
 * directory that failed. All signals are blocked meanwhile, so that no handler of the parent runs in the child.
 */
pid_t tusk__spawn(const struct tusk__spawn *spawn, bool *ret_in_cwd);

/*
 * Gives descriptors that were made just now numbers beyond the standard ones, which are free if the parent has
 * closed its own: what has such a number would be taken for the child's. 0, or -EMFILE, and all are closed.
 */
int tusk__spawn_lift(int fds[], int count);

/*
 * Takes the state of an ended child: 0, with *ret_code its exit status, or -n for signal n; -EAGAIN if it
 * still runs (only without `block`); -ECHILD if somebody else has taken it.
 */
int tusk__spawn_reap(pid_t pid, bool block, int *ret_code);

/* Blocks the thread until the child has ended, and leaves its state to be taken. */
void tusk__spawn_wait(pid_t pid);

#endif
