/*
 * Which number is which socket. The calls of a table know nothing but the number, and threads that read
 * files may make them too: so this is one list for the process, under a lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop/poll/simulated/socket.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tusk__sim_socket **table;
static size_t table_size;
/* Without any there is no table. */
static size_t used;

static int reserve(int fd)
{
    size_t size = table_size ? table_size : 64;
    struct tusk__sim_socket **larger;

    if ((size_t)fd < table_size)
        return 0;
    while (size <= (size_t)fd)
        size *= 2;
    larger = tusk__alloc_array(size, sizeof table[0]);
    if (!larger)
        return -ENOMEM;
    if (table)
        memcpy(larger, table, table_size * sizeof table[0]);
    tusk__free(table);
    table = larger;
    table_size = size;
    return 0;
}

static void release_if_unused(void)
{
    if (used > 0)
        return;
    tusk__free(table);
    table = NULL;
    table_size = 0;
}

static int enter(struct tusk__sim_socket *own, int fd)
{
    int rc;

    pthread_mutex_lock(&lock);
    rc = reserve(fd);
    if (rc == 0) {
        used++;
        table[fd] = own;
        own->fd = fd;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

/* What the number stands for; 0: nothing. */
static uint64_t identity(int fd)
{
    struct stat status;

    return fstat(fd, &status) < 0 ? 0 : (uint64_t)status.st_ino;
}

int tusk__sim_number_open(struct tusk__sim_socket *own)
{
    int fd = tusk__fail_now() ? -1 : socket(AF_UNIX, SOCK_STREAM, 0);
    int rc;

    if (fd < 0)
        return -EMFILE;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    own->identity = identity(fd);
    tusk__sim_number_check(fd);
    rc = enter(own, fd);
    if (rc < 0)
        close(fd);
    return rc;
}

void tusk__sim_number_check(int fd)
{
    struct tusk__sim_socket *other = tusk__sim_number_find(fd);

    if (other && other->identity != identity(fd))
        tusk__sim_socket_abandon(other);
}

void tusk__sim_number_forget(struct tusk__sim_socket *socket)
{
    if (socket->fd < 0)
        return;
    pthread_mutex_lock(&lock);
    table[socket->fd] = NULL;
    used--;
    socket->fd = -1;
    release_if_unused();
    pthread_mutex_unlock(&lock);
}

struct tusk__sim_socket *tusk__sim_number_find(int fd)
{
    struct tusk__sim_socket *socket;

    pthread_mutex_lock(&lock);
    socket = fd >= 0 && (size_t)fd < table_size ? table[fd] : NULL;
    pthread_mutex_unlock(&lock);
    return socket;
}
