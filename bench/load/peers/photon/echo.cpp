/*
 * An echo server with Photon on epoll: a thread of theirs for each connection.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <netinet/tcp.h>

#include <photon/common/alog.h>
#include <photon/net/socket.h>
#include <photon/photon.h>
#include <photon/thread/thread.h>

static const size_t BUFFER = 32 * 1024;

static int echo(void *, photon::net::ISocketStream *connection)
{
    char buffer[BUFFER];
    ssize_t got;

    connection->setsockopt<int>(IPPROTO_TCP, TCP_NODELAY, 1);
    while ((got = connection->recv(buffer, sizeof buffer)) > 0)
        if (connection->write(buffer, (size_t)got) != got)
            break;
    return 0;
}

static int usage(const char *program, int status)
{
    fprintf(status == 0 ? stdout : stderr,
            "usage: %s --port PORT\n\nAn echo server with Photon.\n"
            "Listens on 127.0.0.1 and echoes until it is killed.\n",
            program);
    return status;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(argv[0], 0);
    if (argc != 3 || strcmp(argv[1], "--port") != 0)
        return usage(argv[0], 1);
    log_output = log_output_null;
    if (photon::init(photon::INIT_EVENT_EPOLL, photon::INIT_IO_NONE) != 0)
        return fprintf(stderr, "Photon does not start\n"), 1;
    std::unique_ptr<photon::net::ISocketServer> server(photon::net::new_tcp_socket_server());
    server->set_handler({nullptr, &echo});
    if (server->bind_v4localhost((uint16_t)atoi(argv[2])) != 0 || server->listen(4096) != 0)
        return fprintf(stderr, "port %s: %s\n", argv[2], strerror(errno)), 1;
    return server->start_loop(true);
}
