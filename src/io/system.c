#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "io/system.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/sendfile.h>
#include <sys/syscall.h>
#endif

#include "base/error.h"
#include "base/mem.h"

int tusk__system_error(int error)
{
    return error == ECANCELED ? TUSK_CANCELED_BY_SYSTEM : -error;
}

/* Makes a call until no signal interrupts it; its result, or the code for errno. */
#define CALL(expression)                                                                                     \
    ({                                                                                                       \
        __typeof__(expression) call_rc;                                                                      \
        do                                                                                                   \
            call_rc = (expression);                                                                          \
        while (call_rc < 0 && errno == EINTR);                                                               \
        call_rc < 0 ? tusk__system_error(errno) : call_rc;                                                   \
    })

#if defined(MSG_NOSIGNAL)
enum { QUIET = MSG_NOSIGNAL };
#else
enum { QUIET = 0 };
#endif

/* ---- making and marking descriptors ---- */

/* For a new one. In a system where this takes two steps, a fork between them may see it open. */
__attribute__((unused)) static int mark(int fd)
{
    if (fd < 0)
        return -errno;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
#if defined(SO_NOSIGPIPE)
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
#endif
    return fd;
}

static int real_socket(int domain, int type, int protocol)
{
    if (tusk__fail_now())
        return -EMFILE;
#if defined(SOCK_NONBLOCK)
    return CALL(socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
#else
    return mark(socket(domain, type, protocol));
#endif
}

static int real_socketpair(int domain, int type, int protocol, int ret_fds[2])
{
    if (tusk__fail_now())
        return -EMFILE;
#if defined(SOCK_NONBLOCK)
    return CALL(socketpair(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol, ret_fds));
#else
    if (socketpair(domain, type, protocol, ret_fds) < 0)
        return -errno;
    mark(ret_fds[0]);
    mark(ret_fds[1]);
    return 0;
#endif
}

int tusk__system_pipe(int ret_ends[2])
{
    if (tusk__fail_now())
        return -EMFILE;
#if defined(__linux__)
    return CALL(pipe2(ret_ends, O_NONBLOCK | O_CLOEXEC));
#else
    if (pipe(ret_ends) < 0)
        return -errno;
    mark(ret_ends[0]);
    mark(ret_ends[1]);
    return 0;
#endif
}

int tusk__system_set_blocking(int fd, bool blocking)
{
    int flags = fcntl(fd, F_GETFL);
    int wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;

    if (flags < 0)
        return -errno;
    return wanted == flags || fcntl(fd, F_SETFL, wanted) == 0 ? 0 : -errno;
}

static int real_accept(int fd, struct sockaddr *ret_address, socklen_t *size)
{
    if (tusk__fail_now())
        return -EMFILE;
#if defined(SOCK_NONBLOCK)
    return CALL(accept4(fd, ret_address, size, SOCK_NONBLOCK | SOCK_CLOEXEC));
#else
    return mark(CALL(accept(fd, ret_address, size)));
#endif
}

/* ---- what a descriptor is ---- */

/* The number of Linux, where the headers may not know it. */
enum { PROTOCOL_MPTCP = 262 };

enum tusk__fd_kind tusk__system_kind_of_socket(int domain, int type, int protocol)
{
    /* The type may have flags in it. */
    if ((type & 0xf) != SOCK_STREAM)
        return TUSK__FD_MESSAGES;
    if (domain == AF_UNIX)
        return TUSK__FD_UNIX;
    /* SCTP, for one, has streams of messages. */
    if ((domain == AF_INET || domain == AF_INET6) &&
        (protocol == 0 || protocol == IPPROTO_TCP || protocol == PROTOCOL_MPTCP))
        return TUSK__FD_STREAM;
    return TUSK__FD_MESSAGES;
}

static int get_option(int fd, int option, int otherwise)
{
    int value = otherwise;
    socklen_t size = sizeof value;

    return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? otherwise : value;
}

static int domain_of(int fd)
{
#if defined(SO_DOMAIN)
    return get_option(fd, SO_DOMAIN, AF_UNSPEC);
#else
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof address;

    return getsockname(fd, (struct sockaddr *)&address, &size) < 0 ? AF_UNSPEC : address.ss_family;
#endif
}

static int protocol_of(int fd)
{
#if defined(SO_PROTOCOL)
    return get_option(fd, SO_PROTOCOL, 0);
#else
    (void)fd;
    return 0;
#endif
}

static enum tusk__fd_kind kind_of_socket(int fd)
{
    /* Sockets are rarely shared with other processes, and accept and connect know no other way. */
    tusk__system_set_blocking(fd, false);
#if defined(SO_NOSIGPIPE)
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
#endif
    return tusk__system_kind_of_socket(domain_of(fd), get_option(fd, SO_TYPE, SOCK_DGRAM), protocol_of(fd));
}

static int real_kind(int fd)
{
    struct stat status;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fstat(fd, &status) < 0)
        return -errno;
    if (S_ISSOCK(status.st_mode))
        return (int)kind_of_socket(fd);
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode))
        return TUSK__FD_FILE;
    if (!(flags & O_NONBLOCK))
        return TUSK__FD_BLOCKING;
    return S_ISFIFO(status.st_mode) ? TUSK__FD_FIFO : TUSK__FD_DEVICE;
}

uint64_t tusk__system_identity(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return 0;
    return (uint64_t)status.st_ino * 0x9e3779b97f4a7c15U + (uint64_t)status.st_dev + 1;
}

#if defined(__linux__)
int tusk__system_reopen_terminal(int fd)
{
    char path[32];
    int flags = fcntl(fd, F_GETFL);
    unsigned int number;
    int rc;

    /* To open the master of a pseudo-terminal would make another one. */
    if (flags < 0 || !isatty(fd) || ioctl(fd, TIOCGPTN, &number) == 0)
        return -ENOTTY;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    rc = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return rc < 0 ? -errno : rc;
}
#else
int tusk__system_reopen_terminal(int fd)
{
    (void)fd;
    return -ENOTTY;
}
#endif

void tusk__system_ignore_sigpipe(void)
{
    struct sigaction action;

    if (sigaction(SIGPIPE, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) &&
        action.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

/* ---- sockets ---- */

static int real_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    return CALL(bind(fd, address, size));
}

static int real_listen(int fd, int backlog)
{
    return CALL(listen(fd, backlog));
}

/* Interrupted, it goes on by itself, and a second call would be an error. */
static int real_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    if (connect(fd, address, size) == 0)
        return 0;
    return errno == EINTR ? -EINPROGRESS : -errno;
}

static int real_getsockname(int fd, struct sockaddr *ret_address, socklen_t *size)
{
    return CALL(getsockname(fd, ret_address, size));
}

static int real_getpeername(int fd, struct sockaddr *ret_address, socklen_t *size)
{
    return CALL(getpeername(fd, ret_address, size));
}

static int real_getsockopt(int fd, int level, int option, void *ret_value, socklen_t *size)
{
    return CALL(getsockopt(fd, level, option, ret_value, size));
}

static int real_setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    return CALL(setsockopt(fd, level, option, value, size));
}

static int real_shutdown(int fd, int how)
{
    return CALL(shutdown(fd, how));
}

/* ---- reading and writing ---- */

static ssize_t real_recv(int fd, void *buffer, size_t size, int flags)
{
    return CALL(recv(fd, buffer, size, flags | MSG_DONTWAIT));
}

static ssize_t real_send(int fd, const void *data, size_t size, int flags)
{
    return CALL(send(fd, data, size, flags | MSG_DONTWAIT | QUIET));
}

static ssize_t real_recvmsg(int fd, struct msghdr *message, int flags)
{
    return CALL(recvmsg(fd, message, flags | MSG_DONTWAIT));
}

static ssize_t real_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return CALL(sendmsg(fd, message, flags | MSG_DONTWAIT | QUIET));
}

static ssize_t real_readv(int fd, const struct iovec *buffers, int count)
{
    return CALL(readv(fd, buffers, count));
}

static ssize_t real_writev(int fd, const struct iovec *data, int count)
{
    return CALL(writev(fd, data, count));
}

#if defined(RWF_NOWAIT)
/* What the calls say when the system or the file does not know the flag. */
static ssize_t now_or_unknown(ssize_t rc)
{
    return rc == -EOPNOTSUPP || rc == -ENOSYS || rc == -EINVAL ? -ENOTSUP : rc;
}

/* Linux 5.9 and 5.10 say 0 also where a file goes on with what is not in memory. */
static bool goes_on(int fd, off_t offset)
{
    off_t position = offset < 0 ? lseek(fd, 0, SEEK_CUR) : offset;
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && position < status.st_size;
}

static ssize_t real_readv_now(int fd, const struct iovec *buffers, int count, off_t offset)
{
    ssize_t rc = now_or_unknown(CALL(preadv2(fd, buffers, count, offset, RWF_NOWAIT)));

    return rc == 0 && goes_on(fd, offset) ? -EAGAIN : rc;
}

static ssize_t real_writev_now(int fd, const struct iovec *data, int count, off_t offset)
{
    return now_or_unknown(CALL(pwritev2(fd, data, count, offset, RWF_NOWAIT)));
}
#else
static ssize_t real_readv_now(int fd, const struct iovec *buffers, int count, off_t offset)
{
    (void)fd;
    (void)buffers;
    (void)count;
    (void)offset;
    return -ENOTSUP;
}

#define real_writev_now real_readv_now
#endif

static ssize_t real_pread(int fd, void *buffer, size_t size, off_t offset)
{
    return CALL(pread(fd, buffer, size, offset));
}

static ssize_t real_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return CALL(pwrite(fd, data, size, offset));
}

static ssize_t real_sendfile(int out, int in, off_t *offset, size_t count)
{
#if defined(__linux__)
    ssize_t rc = CALL(sendfile(out, in, offset, count));

    return rc == -EINVAL || rc == -ENOSYS ? -ENOTSUP : rc;
#elif defined(__APPLE__)
    off_t sent = (off_t)count;
    int rc = sendfile(in, out, *offset, &sent, NULL, 0);

    if (rc < 0 && sent == 0)
        return errno == ENOTSOCK || errno == EOPNOTSUPP ? -ENOTSUP : -errno;
    *offset += sent;
    return (ssize_t)sent;
#else
    (void)out;
    (void)in;
    (void)offset;
    (void)count;
    return -ENOTSUP;
#endif
}

static int real_poll(int fd, int events)
{
    struct pollfd look = {.fd = fd, .events = (short)events};
    int rc = CALL(poll(&look, 1, 0));

    return rc < 0 ? rc : look.revents;
}

/* Never again after EINTR: the number may be somebody else's by then. */
static int real_close(int fd)
{
    return close(fd) == 0 || errno == EINTR ? 0 : -errno;
}

/* ---- processes ---- */

static bool without_pidfd;

void tusk__system_forget_pidfd(bool forget)
{
    without_pidfd = forget;
}

int tusk__system_pidfd(pid_t pid)
{
    if (tusk__fail_now())
        return -EMFILE;
    if (without_pidfd)
        return -ENOSYS;
#if defined(__linux__) && defined(SYS_pidfd_open)
    return CALL((int)syscall(SYS_pidfd_open, pid, 0));
#else
    (void)pid;
    return -ENOSYS;
#endif
}

int tusk__system_pidfd_send_signal(int pidfd, int signum)
{
#if defined(__linux__) && defined(SYS_pidfd_send_signal)
    return CALL((int)syscall(SYS_pidfd_send_signal, pidfd, signum, NULL, 0));
#else
    (void)pidfd;
    (void)signum;
    return -ENOSYS;
#endif
}

void tusk__system_close_from(int first)
{
    long limit;

#if defined(__linux__) && defined(SYS_close_range)
    if (syscall(SYS_close_range, first, ~0U, 0) == 0)
        return;
#endif
    limit = sysconf(_SC_OPEN_MAX);
    for (int fd = first; fd < (limit > 0 && limit < 65536 ? limit : 65536); fd++)
        close(fd);
}

#if !defined(__linux__)
extern char **environ;
#endif

void tusk__system_exec(const char *path, const char *const argv[], const char *const env[])
{
    execve(path, (char *const *)argv, env ? (char *const *)env : environ);
}

const struct tusk__system tusk__system_real = {
    .kind = real_kind,
    .socket = real_socket,
    .socketpair = real_socketpair,
    .bind = real_bind,
    .listen = real_listen,
    .accept = real_accept,
    .connect = real_connect,
    .getsockname = real_getsockname,
    .getpeername = real_getpeername,
    .getsockopt = real_getsockopt,
    .setsockopt = real_setsockopt,
    .recv = real_recv,
    .send = real_send,
    .recvmsg = real_recvmsg,
    .sendmsg = real_sendmsg,
    .readv = real_readv,
    .writev = real_writev,
    .readv_now = real_readv_now,
    .writev_now = real_writev_now,
    .pread = real_pread,
    .pwrite = real_pwrite,
    .sendfile = real_sendfile,
    .shutdown = real_shutdown,
    .poll = real_poll,
    .close = real_close,
};
