/*
 * Scenes with servers, with connections that fail, and with messages.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/soak/soak.h"
#include "io/system.h"

/* ---- the server ---- */

enum part { ECHO, TAKE, GIVE, LEAVE, BREAK, PARTS };

struct wish {
    uint32_t part;
    uint32_t key;
    uint64_t total;
};

static int echo(tusk_stream *stream)
{
    char bytes[4000];
    ssize_t rc;

    while ((rc = count(tusk_stream_read(stream, bytes, some_size(sizeof bytes)))) > 0)
        tusk_try((int)count(tusk_stream_write(stream, bytes, (size_t)rc)));
    return (int)rc;
}

/* Reads everything, and says how much that was. */
static int take(tusk_stream *stream)
{
    char bytes[4000];
    uint64_t total = 0;
    ssize_t rc;

    while ((rc = count(tusk_stream_read(stream, bytes, some_size(sizeof bytes)))) > 0)
        total += (uint64_t)rc;
    return rc < 0 ? (int)rc : (int)count(tusk_stream_write(stream, &total, sizeof total));
}

/* Writes so much and returns: the rest goes out in the background. */
static int give(tusk_stream *stream, const struct wish *wish)
{
    for (uint64_t sent = 0; sent < wish->total;) {
        size_t left = (size_t)(wish->total - sent);
        size_t size = some_size(left < PIECE_MAX ? left : PIECE_MAX);

        tusk_try((int)count(tusk_stream_write(stream, noise_at(wish->key, sent), size)));
        sent += size;
    }
    return 0;
}

int serve(tusk_stream *stream, void *arg)
{
    struct wish wish;
    ssize_t rc = count(tusk_stream_readexactly(stream, &wish, sizeof wish));

    (void)arg;
    if (rc < 0)
        return 0;
    switch (wish.part) {
    case ECHO:
        rc = echo(stream);
        break;
    case TAKE:
        rc = take(stream);
        break;
    case GIVE:
        rc = give(stream, &wish);
        break;
    case BREAK:
        tusk_stream_abort(stream);
    }
    /* That clients leave is no news. */
    return rc == -ECANCELED ? -ECANCELED : 0;
}

/* ---- its clients ---- */

static int connect_to_server(tusk_stream **ret_stream)
{
    if (soak.path && chance(soak.is_real ? 80 : 40))
        return (int)count(tusk_open_unix_connection(soak.path, ret_stream));
    return (int)count(tusk_open_connection("127.0.0.1", soak.port, ret_stream));
}

static void read_anything(tusk_stream *stream)
{
    char bytes[5000];

    while (count(tusk_stream_read(stream, bytes, some_size(sizeof bytes))) > 0)
        ;
}

struct visit {
    tusk_stream *stream;
    struct wish wish;
};

static int send_all(void *arg)
{
    struct visit *visit = arg;

    tusk_try(give(visit->stream, &visit->wish));
    return (int)count(tusk_stream_write_eof(visit->stream));
}

/* Reads noise to the end: how much there was, or a code. */
static int64_t receive_all(struct visit *visit)
{
    char bytes[5000];
    uint64_t received = 0;
    ssize_t rc;

    while ((rc = count(tusk_stream_read(visit->stream, bytes, some_size(sizeof bytes)))) > 0) {
        if (memcmp(bytes, noise_at(visit->wish.key, received), (size_t)rc) != 0)
            complain("a server sent wrong bytes");
        received += (uint64_t)rc;
    }
    return rc < 0 ? rc : (int64_t)received;
}

static void expect_total(const struct visit *visit, int64_t rc)
{
    if (rc != (int64_t)visit->wish.total && !soak.has_resets)
        complain("part %u: %lld instead of %llu (%s)", visit->wish.part, (long long)rc,
                 (unsigned long long)visit->wish.total, rc < 0 ? tusk_strerror((int)rc) : "bytes");
}

static void check_echo(struct visit *visit)
{
    tusk_task *task = tusk_create_task(send_all, visit);

    expect_total(visit, receive_all(visit));
    count(tusk_await(task));
}

static void check_take(struct visit *visit)
{
    uint64_t total = 0;
    int rc = send_all(visit);

    if (rc == 0)
        rc = (int)count(tusk_stream_readexactly(visit->stream, &total, sizeof total));
    expect_total(visit, rc < 0 ? rc : (int64_t)total);
}

static void visit(struct visit *visit)
{
    if (count(tusk_stream_write(visit->stream, &visit->wish, sizeof visit->wish)) < 0) {
        if (!soak.has_resets)
            complain("a wish could not be written");
        return;
    }
    /* A client that leaves in the middle is the server's business alone. */
    if (chance(15))
        return;
    switch (visit->wish.part) {
    case ECHO:
        check_echo(visit);
        break;
    case TAKE:
        check_take(visit);
        break;
    case GIVE:
        expect_total(visit, receive_all(visit));
        break;
    default:
        receive_all(visit);
    }
}

void play_server(void)
{
    struct visit client = {.wish = {.part = (uint32_t)draw(PARTS), .key = (uint32_t)draw(100000)}};
    int rc = connect_to_server(&client.stream);

    if (rc < 0) {
        if (!soak.has_resets && rc != -EADDRNOTAVAIL)
            complain("cannot connect to the server: %s", tusk_strerror(rc));
        return;
    }
    client.wish.total = some_size(chance(90) ? 10000 : 500000);
    /* Nothing comes of these. */
    if (client.wish.part >= LEAVE)
        client.wish.total = 0;
    visit(&client);
    if (chance(10))
        tusk_stream_abort(client.stream);
    tusk_stream_release(client.stream);
}

/* ---- servers that end ---- */

enum { VISITORS = 8 };

struct visitor {
    const char *path;
    bool begun;
};

/* Takes part in anything, and expects nothing. */
static int visit_anyhow(void *arg)
{
    struct visitor *visitor = arg;
    struct visit client = {.wish = {.part = (uint32_t)draw(PARTS), .total = some_size(200000)}};
    int rc;

    visitor->begun = true;
    rc = (int)count(tusk_open_unix_connection(visitor->path, &client.stream));
    if (rc < 0)
        return 0;
    rc = (int)count(tusk_stream_write(client.stream, &client.wish, sizeof client.wish));
    if (rc == 0 && chance(50))
        rc = send_all(&client);
    if (rc == 0 && chance(70))
        read_anything(client.stream);
    if (chance(30))
        tusk_stream_abort(client.stream);
    tusk_stream_release(client.stream);
    return 0;
}

static void end_server(tusk_server *server)
{
    int rc = 0;

    switch (draw(5)) {
    case 0:
        tusk_server_abort_clients(server);
        break;
    case 1:
        tusk_server_close_clients(server);
        break;
    case 2:
        tusk_server_close(server);
        tusk_server_abort_clients(server);
        rc = tusk_server_wait_closed(server);
        break;
    case 3:
        rc = tusk_server_drain(server, some_time());
        break;
    default:
        tusk_server_close(server);
    }
    if (rc < 0)
        complain("a server does not end: %s", tusk_strerror(rc));
    count(rc);
}

static void visit_all(tusk_server *server, const char *path)
{
    struct visitor visitors[VISITORS];
    tusk_task *tasks[VISITORS];

    for (int i = 0; i < VISITORS; i++) {
        visitors[i] = (struct visitor){.path = path};
        tasks[i] = tusk_create_task(visit_anyhow, &visitors[i]);
    }
    for (int i = (int)draw(4); i > 0; i--) {
        size_t chosen = (size_t)draw(VISITORS);

        count(nap());
        if (visitors[chosen].begun)
            tusk_task_cancel(tasks[chosen]);
    }
    count(nap());
    end_server(server);
    /* Clients that wait for the server to read, while it waits for them, are let go. */
    if (count(tusk_server_drain(server, soak.is_real ? 0.01 : 1)) < 0)
        complain("a server keeps clients");
    for (int i = 0; i < VISITORS; i++)
        count(tusk_await(tasks[i]));
}

/* It ends in some way while clients come, talk, are cancelled and go. */
void play_own_server(void)
{
    static unsigned next;
    char path[64];
    tusk_server *server;
    int rc;

    if (!soak.path)
        return;
    snprintf(path, sizeof path, "@tusk-soak-%d-own-%u", (int)getpid(), next++);
    rc = (int)count(tusk_start_unix_server(serve, NULL, path, &server));
    if (rc < 0) {
        complain("cannot start a server: %s", tusk_strerror(rc));
        return;
    }
    visit_all(server, path);
    tusk_server_release(server);
}

/* ---- connections that fail ---- */

static int connect_in_time(const struct sockaddr_in *address)
{
    tusk_timeout timeout;
    int fd = tusk_socket(AF_INET, SOCK_STREAM, 0);
    int rc;

    if (fd < 0)
        return fd;
    rc = tusk_timeout_enter(&timeout, some_time());
    if (rc == 0)
        rc = tusk_timeout_exit(&timeout, tusk_connect(fd, (const struct sockaddr *)address, sizeof *address));
    tusk_close(fd);
    return (int)count(rc);
}

/* To the server, and away again; to nobody; to where nobody ever answers. */
void play_connecting(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int rc;

    if (soak.is_real && !chance(10))
        return;
    address.sin_port = htons(chance(50) ? (uint16_t)soak.port : 1);
    if (!soak.is_real && chance(10))
        address.sin_addr.s_addr = inet_addr("192.0.2.1");
    rc = connect_in_time(&address);
    if (rc < 0 && !is_interrupted(rc) && rc != -ECONNREFUSED && rc != -EADDRNOTAVAIL)
        complain("connect: %s", tusk_strerror(rc));
}

/* ---- messages ---- */

enum { MESSAGES = 50 };

static int send_messages(void *arg)
{
    for (uint32_t i = 0; i < MESSAGES; i++) {
        ssize_t rc = count(tusk_send(*(int *)arg, noise_at(i, 0), i, 0));

        if (rc != (ssize_t)i)
            return rc < 0 ? (int)rc : -EIO;
    }
    return 0;
}

static int receive_messages(void *arg)
{
    char bytes[MESSAGES];

    for (uint32_t i = 0; i < MESSAGES; i++) {
        ssize_t rc = count(tusk_recv(*(int *)arg, bytes, sizeof bytes, 0));

        if (rc != (ssize_t)i || memcmp(bytes, noise_at(i, 0), i) != 0)
            complain("message %u: %zd", i, rc);
        if (rc < 0)
            return (int)rc;
    }
    return 0;
}

/* In the Unix domain none is lost. */
void play_messages(void)
{
    int fds[2];
    tusk_task *tasks[2];

    if (tusk_socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) < 0)
        return;
    tasks[0] = tusk_create_task(send_messages, &fds[0]);
    tasks[1] = tusk_create_task(receive_messages, &fds[1]);
    for (int i = 0; i < 2; i++)
        if (count(tusk_await(tasks[i])) < 0)
            complain("messages were lost");
    tusk_close(fds[0]);
    tusk_close(fds[1]);
}
