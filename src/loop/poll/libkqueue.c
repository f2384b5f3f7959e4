#include "loop/poll/libkqueue.h"

#if defined(TUSK_HAVE_LIBKQUEUE)

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

/* Those of higher numbers are not kept: it is for tests. */
enum { NUMBERS = 4096 };

static atomic_int errors[NUMBERS];

static bool is_kept(int fd)
{
    return fd >= 0 && fd < NUMBERS;
}

void tusk__libkqueue_keep_error(int fd, int error)
{
    int type = 0;
    socklen_t size = sizeof type;

    /* Of what is no socket it says EIO. */
    if (is_kept(fd) && (error == 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0))
        atomic_store(&errors[fd], error);
}

/* The error that was kept, or 0. */
static int take(int fd)
{
    return is_kept(fd) && atomic_load(&errors[fd]) != 0 ? atomic_exchange(&errors[fd], 0) : 0;
}

/* ---- calls ---- */

static const struct tusk__system *rest;
struct tusk__system tusk__system_libkqueue;

static int get_option(int fd, int level, int option, void *ret_value, socklen_t *size)
{
    int rc = rest->getsockopt(fd, level, option, ret_value, size);
    int *value = ret_value;

    if (rc == 0 && level == SOL_SOCKET && option == SO_ERROR && *value == 0)
        *value = take(fd);
    return rc;
}

/* A read found nothing, or the end. */
static ssize_t after_read(int fd, ssize_t rc)
{
    int error = rc == 0 || rc == -EAGAIN ? take(fd) : 0;

    return error != 0 ? -error : rc;
}

static ssize_t receive(int fd, void *buffer, size_t size, int flags)
{
    return after_read(fd, rest->recv(fd, buffer, size, flags));
}

static ssize_t receive_message(int fd, struct msghdr *message, int flags)
{
    return after_read(fd, rest->recvmsg(fd, message, flags));
}

static ssize_t read_buffers(int fd, const struct iovec *buffers, int count)
{
    return after_read(fd, rest->readv(fd, buffers, count));
}

static ssize_t send_bytes(int fd, const void *data, size_t size, int flags)
{
    int error = take(fd);

    return error != 0 ? -error : rest->send(fd, data, size, flags);
}

static ssize_t send_message(int fd, const struct msghdr *message, int flags)
{
    int error = take(fd);

    return error != 0 ? -error : rest->sendmsg(fd, message, flags);
}

static ssize_t write_buffers(int fd, const struct iovec *data, int count)
{
    int error = take(fd);

    return error != 0 ? -error : rest->writev(fd, data, count);
}

static int close_number(int fd)
{
    tusk__libkqueue_keep_error(fd, 0);
    return rest->close(fd);
}

static void make_table(void)
{
    struct tusk__system table = *rest;

    table.getsockopt = get_option;
    table.recv = receive;
    table.recvmsg = receive_message;
    table.readv = read_buffers;
    table.send = send_bytes;
    table.sendmsg = send_message;
    table.writev = write_buffers;
    table.close = close_number;
    tusk__system_libkqueue = table;
}

/* It is the same for all loops. */
void tusk__libkqueue_rest_on(const struct tusk__system *system)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

    pthread_mutex_lock(&mutex);
    if (!rest) {
        rest = system;
        make_table();
    }
    pthread_mutex_unlock(&mutex);
}

#endif
