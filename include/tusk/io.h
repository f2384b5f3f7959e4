/*
 * Descriptors: reading, writing and waiting, each as one call that looks as if it blocked.
 *
 *     static int copy(void *arg)
 *     {
 *         const int *fds = arg;
 *         char buffer[4096];
 *         ssize_t count;
 *
 *         while ((count = tusk_read(fds[0], buffer, sizeof buffer)) > 0)
 *             tusk_try(tusk_sendall(fds[1], buffer, (size_t)count));
 *         return (int)count;
 *     }
 *
 * While a task waits in such a call the others run. The calls are named after the system's, take
 * what these take, and return what these return, but for errors: a negative code instead of -1 and
 * errno. A call that need not wait does not suspend, but for one in 128, so that a fast peer
 * cannot keep a loop for itself.
 *
 * They take any descriptor: sockets, pipes, terminals, event and timer descriptors, and regular
 * files. Of a file, what is in memory is read at once; the rest is done by threads or the poller. A
 * cancel waits for these then, for the buffer is in use, and what they have read is lost. Sockets
 * that are read or written become non-blocking. Pipes and terminals stay in the mode they are in,
 * since other processes may share them; calls on them do not block all the same. The first time a
 * pipe or the like is used, or sendfile, SIGPIPE becomes ignored unless the program handles it: then
 * writing without a reader is -EPIPE.
 *
 * The loop remembers what it knows of a descriptor. So close it with tusk_close(), which also wakes
 * who waits for it, with -EBADF. (Debug mode reports it if somebody did otherwise.) What is only
 * watched, by tusk_poll_fd() and add_reader, stays as it is and may be closed in any way when nobody
 * watches it. A descriptor belongs to one loop at a time.
 *
 * Several tasks may read or write one descriptor; who gets what is not defined, but all of it goes
 * to somebody. Time-outs come from scopes (tusk/timeout.h): a cancel while waiting loses no data,
 * for either it comes before the system call or the result is delivered.
 *
 * All these functions: TUSK_NOT_IN_TASK outside of a task, -ECANCELED, -EBADF, -EINVAL, and what
 * the system call says. (ECANCELED of the system's own is TUSK_CANCELED_BY_SYSTEM.) Any task; the
 * descriptor belongs to the loop of this thread. All that are marked to be checked suspend, unless
 * they say that they do not.
 */
#ifndef TUSK_IO_H
#define TUSK_IO_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <tusk/task.h>

TUSK_BEGIN_DECLS

/* ---- reading and writing ---- */

/*
 * Reads up to size bytes: as soon as there are some, at least one. Returns how many; 0 at the end. Suspends.
 */
TUSK_API TUSK_MUST_CHECK ssize_t tusk_read(int fd, void *buffer, size_t size);
TUSK_API TUSK_MUST_CHECK ssize_t tusk_readv(int fd, const struct iovec *buffers, int count);

/* Writes up to size bytes; returns how many the system took, at least one. Suspends. */
TUSK_API TUSK_MUST_CHECK ssize_t tusk_write(int fd, const void *data, size_t size);
TUSK_API TUSK_MUST_CHECK ssize_t tusk_writev(int fd, const struct iovec *data, int count);

/*
 * Writes all of it. (loop.sock_sendall) Returns 0, or an error, and then nobody knows how much was
 * written. Any descriptor. Other writers may come in between. Suspends.
 */
TUSK_API TUSK_MUST_CHECK int tusk_sendall(int fd, const void *data, size_t size);

/*
 * The same as tusk_read() and tusk_write() at a place in a file, whose own position stays as it is.
 */
TUSK_API TUSK_MUST_CHECK ssize_t tusk_pread(int fd, void *buffer, size_t size, off_t offset);
TUSK_API TUSK_MUST_CHECK ssize_t tusk_pwrite(int fd, const void *data, size_t size, off_t offset);

/* ---- sockets ---- */

/*
 * As tusk_read() and tusk_write(), for sockets, with the system's flags (MSG_PEEK ...). With
 * MSG_DONTWAIT it is -EAGAIN instead of a wait. MSG_WAITALL has no effect. Suspend.
 */
TUSK_API TUSK_MUST_CHECK ssize_t tusk_recv(int fd, void *buffer, size_t size, int flags);
TUSK_API TUSK_MUST_CHECK ssize_t tusk_send(int fd, const void *data, size_t size, int flags);

/*
 * A message, and whose it is: *address_size is the room for the address and then its length. Both may be
 * NULL. A message that is longer than the buffer is cut. Suspends.
 */
TUSK_API TUSK_MUST_CHECK ssize_t tusk_recvfrom(int fd, void *buffer, size_t size, int flags,
                                               struct sockaddr *ret_address, socklen_t *address_size);
TUSK_API TUSK_MUST_CHECK ssize_t tusk_sendto(int fd, const void *data, size_t size, int flags,
                                             const struct sockaddr *address, socklen_t address_size);

/* The calls behind all others: several buffers, control data (descriptors to be passed on). Suspend. */
TUSK_API TUSK_MUST_CHECK ssize_t tusk_recvmsg(int fd, struct msghdr *message, int flags);
TUSK_API TUSK_MUST_CHECK ssize_t tusk_sendmsg(int fd, const struct msghdr *message, int flags);

/*
 * The next connection of a listening socket, as a descriptor that is yours, non-blocking and closed
 * by exec. *address_size is the room for the address and then its length; both may be NULL. -EMFILE and the
 * like come at once, and the connection stays in the queue: wait before you try again. Suspends.
 */
TUSK_API TUSK_MUST_CHECK int tusk_accept(int fd, struct sockaddr *ret_address, socklen_t *address_size);

/* Connects; returns 0 when it is done. After an error or a cancel only tusk_close() is left. Suspends. */
TUSK_API TUSK_MUST_CHECK int tusk_connect(int fd, const struct sockaddr *address, socklen_t size);

/*
 * Sends count bytes of a file from offset on (0: all that follow) without copying them where the
 * system can do that, else by reading and writing. What is not in memory the system reads in this
 * thread. Returns how many were sent, less than count only at the file's end; after an error nobody
 * knows. Suspends.
 */
TUSK_API TUSK_MUST_CHECK int64_t tusk_sendfile(int socket, int file, off_t offset, size_t count);

/*
 * New sockets and pipes, non-blocking and closed by exec, as the loop likes them best. Return the
 * descriptor, or 0; or a negative code (-EMFILE, -EAFNOSUPPORT ...). Do not suspend.
 */
TUSK_API TUSK_MUST_CHECK int tusk_socket(int domain, int type, int protocol);
TUSK_API TUSK_MUST_CHECK int tusk_socketpair(int domain, int type, int protocol, int ret_fds[2]);
TUSK_API TUSK_MUST_CHECK int tusk_pipe(int ret_ends[2]);

/* bind(2) and listen(2), with a negative code for an error. backlog 0: 128. Do not suspend. */
TUSK_API TUSK_MUST_CHECK int tusk_bind(int fd, const struct sockaddr *address, socklen_t size);
TUSK_API TUSK_MUST_CHECK int tusk_listen(int fd, int backlog);

/* ---- waiting and closing ---- */

/*
 * Waits until the descriptor is ready for one of events (POLLIN, POLLOUT of poll(2)), and returns
 * those it is ready for, with POLLERR and POLLHUP if they apply. For descriptors that other code reads and
 * writes, and whose mode does not change. Regular files are always ready. Suspends, unless it is ready.
 */
TUSK_API TUSK_MUST_CHECK int tusk_poll_fd(int fd, int events);

/*
 * Closes the descriptor. Tasks that wait for it get -EBADF, callbacks of add_reader and add_writer
 * are removed. Returns 0 or what close(2) said; the descriptor is closed in any case, but if a file is being
 * read or written, only when that has ended: until then nobody else gets its number. Does not suspend.
 * Also outside of tasks, where it is just close(2).
 */
TUSK_API int tusk_close(int fd);

/*
 * The loop forgets what it knows of a descriptor that goes on elsewhere: to another loop, or to code
 * that will close it. As tusk_close() but for the closing. Returns 0 or -EBADF. Does not suspend.
 */
TUSK_API int tusk_detach(int fd);

/* ---- callbacks ---- */

/*
 * Calls callback(arg) in each iteration in which the descriptor is readable (or writable), until it
 * is removed; it replaces the one that was there. Works while other tasks read the same descriptor. -EPERM for
 * what cannot be watched, such as regular files; -EBADF, -EINVAL, -ENOMEM. Does not suspend.
 */
TUSK_API int tusk_loop_add_reader(tusk_loop *loop, int fd, tusk_callback *callback, void *arg);
TUSK_API int tusk_loop_add_writer(tusk_loop *loop, int fd, tusk_callback *callback, void *arg);

/*
 * Removes the callback that tusk_loop_add_reader(), or tusk_loop_add_writer(), has registered. False
 * if there was none. Remove before you close a descriptor by other means than tusk_close(). Does not
 * suspend.
 */
TUSK_API bool tusk_loop_remove_reader(tusk_loop *loop, int fd);
TUSK_API bool tusk_loop_remove_writer(tusk_loop *loop, int fd);

/*
 * The same as tusk_loop_add_reader(), tusk_loop_remove_reader() and their kin, of the running loop.
 * Adding returns TUSK_NO_RUNNING_LOOP without one, removing false.
 */
TUSK_API int tusk_add_reader(int fd, tusk_callback *callback, void *arg);
TUSK_API int tusk_add_writer(int fd, tusk_callback *callback, void *arg);
TUSK_API bool tusk_remove_reader(int fd);
TUSK_API bool tusk_remove_writer(int fd);

TUSK_END_DECLS

#endif
