/*
 * An echo server with libdill: a coroutine for each connection.
 *
 * libdill's own brecv() waits until the buffer is full, and so cannot echo what it does
 * not know the length of. This reads and writes by itself, and waits by fdin() and fdout().
 */
#define DILL_DISABLE_RAW_NAMES
#include <libdill.h>

#include "../../serve.h"

static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t wrote = write(fd, bytes, length);
        if (wrote < 0 && (errno != EAGAIN || dill_fdout(fd, -1) != 0))
            return false;
        if (wrote > 0) {
            bytes += wrote;
            length -= (size_t)wrote;
        }
    }
    return true;
}

dill_coroutine static void serve(int fd)
{
    char buffer[SERVE_BUFFER];
    ssize_t got = 1;

    while (got > 0 && dill_fdin(fd, -1) == 0) {
        got = read(fd, buffer, sizeof buffer);
        if (got > 0 && !write_all(fd, buffer, (size_t)got))
            break;
        if (got < 0 && errno == EAGAIN)
            got = 1;
    }
    (void)dill_fdclean(fd);
    close(fd);
}

int main(int argc, char **argv)
{
    int listener = serve_listen(serve_port(argc, argv, "An echo server with libdill."), SOCK_NONBLOCK);
    int bundle = dill_bundle();

    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno != EAGAIN || dill_fdin(listener, -1) != 0))
            bench_die("accept: %s", strerror(errno));
        if (fd < 0)
            continue;
        serve_no_delay(fd);
        if (dill_bundle_go(bundle, serve(fd)) != 0)
            bench_die("no coroutine: %s", strerror(errno));
    }
}
