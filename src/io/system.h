/*
 * The real system calls: see loop/poll/system.h. system.c is the one file of src/io that knows
 * which system this is.
 */
#ifndef TUSK__IO_SYSTEM_H
#define TUSK__IO_SYSTEM_H

#include "loop/loop.h"

/* The code for an errno. ECANCELED of the system's is no cancel of a task: TUSK_CANCELED_BY_SYSTEM. */
int tusk__system_error(int error);

extern const struct tusk__system tusk__system_real;

/* The table that a loop uses. */
static inline const struct tusk__system *tusk__system_of(const struct tusk_loop *loop)
{
    const struct tusk__system *system = loop->poller.backend->system;

    return system ? system : &tusk__system_real;
}

/*
 * A write to a pipe without a reader raises SIGPIPE, which ends the process unless
 * somebody cares. Ignores the signal from here on if nobody does. (Sockets have a flag for it.)
 */
void tusk__system_ignore_sigpipe(void);

/* Both ends non-blocking and closed by exec. */
int tusk__system_pipe(int ret_ends[2]);

/* What a socket is that was made by socket(domain, type, protocol). */
enum tusk__fd_kind tusk__system_kind_of_socket(int domain, int type, int protocol);

/* Which open file has the number, as far as one can tell; 0: none. */
uint64_t tusk__system_identity(int fd);

/*
 * Opens a terminal once more, non-blocking and closed by exec. For a write to a terminal in
 * blocking mode waits until all of it has gone, whatever poll() said before; and the mode cannot be
 * changed, for others share it. The new descriptor, or a negative code: no terminal, or not possible.
 */
int tusk__system_reopen_terminal(int fd);

/* Flags of receiving calls for what has its own place beside the data: readiness says nothing of it. */
#if defined(MSG_ERRQUEUE)
enum { TUSK__MSG_ASIDE = MSG_OOB | MSG_ERRQUEUE };
#else
enum { TUSK__MSG_ASIDE = MSG_OOB };
#endif

/* What the system says of a blocking reader or writer: O_NONBLOCK on or off. */
int tusk__system_set_blocking(int fd, bool blocking);

/*
 * A descriptor that becomes readable when the child ends, and signals by way of it, which reach nobody else. -ENOSYS:
 * this system has none.
 */
int tusk__system_pidfd(pid_t pid);
/* For tests: pretends that there are none. */
void tusk__system_forget_pidfd(bool forget);
int tusk__system_pidfd_send_signal(int pidfd, int signum);

/*
 * Forks; where the child may share the parent's memory until it begins its program, it does. A macro: the
 * function that calls it must not return in the child.
 */
#if defined(__linux__)
#define TUSK__SYSTEM_FORK() vfork()
#else
#define TUSK__SYSTEM_FORK() fork()
#endif

/* For a new child: closes all descriptors from this one on; begins a program (returns only if that fails). */
void tusk__system_close_from(int first);
void tusk__system_exec(const char *path, const char *const argv[], const char *const env[]);

#endif
