/*
 * Connections: how they are made, who plays on them, and what must have come of it.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/soak/soak.h"
#include "io/system.h"

/* After so many seconds a line that is not over never will be. */
enum { PATIENCE_REAL = 60, PATIENCE_VIRTUAL = 1000000 };

static const struct tusk__system *sys(void)
{
    return tusk__system_of(tusk_get_running_loop());
}

/* ---- connecting ---- */

struct address {
    struct sockaddr_storage any;
    socklen_t size;
};

static struct address local_address(int domain)
{
    static unsigned next;
    struct address address;
    struct sockaddr_un *name = (struct sockaddr_un *)&address.any;
    struct sockaddr_in *in = (struct sockaddr_in *)&address.any;

    memset(&address, 0, sizeof address);
    address.any.ss_family = (sa_family_t)domain;
    if (domain == AF_INET) {
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.size = sizeof *in;
    } else {
        int length = snprintf(name->sun_path + 1, sizeof name->sun_path - 1, "tusk-soak-%d-line-%u",
                              (int)getpid(), next++);

        address.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    }
    return address;
}

static int listen_somewhere(int domain, struct address *ret_address)
{
    int fd = tusk_socket(domain, SOCK_STREAM, 0);
    int rc;

    if (fd < 0)
        return fd;
    *ret_address = local_address(domain);
    rc = tusk_bind(fd, (struct sockaddr *)&ret_address->any, ret_address->size);
    if (rc == 0)
        rc = tusk_listen(fd, 1);
    ret_address->size = sizeof ret_address->any;
    if (rc == 0)
        rc = sys()->getsockname(fd, (struct sockaddr *)&ret_address->any, &ret_address->size);
    if (rc < 0)
        tusk_close(fd);
    return rc < 0 ? rc : fd;
}

static int accept_one(void *arg)
{
    return (int)count(tusk_accept(*(int *)arg, NULL, NULL));
}

/* 0, or a code. The descriptor of the other side comes from accept. */
static int connect_to(const struct address *address, int *ret_fd)
{
    int rc = *ret_fd = tusk_socket(address->any.ss_family, SOCK_STREAM, 0);

    if (rc < 0)
        return rc;
    rc = (int)count(tusk_connect(*ret_fd, (const struct sockaddr *)&address->any, address->size));
    if (rc < 0)
        tusk_close(*ret_fd);
    return rc;
}

static int connect_by(int domain, int fds[2])
{
    struct address address;
    tusk_task *task;
    int listener = listen_somewhere(domain, &address);
    int rc;

    if (listener < 0)
        return listener;
    task = tusk_create_task(accept_one, &listener);
    rc = connect_to(&address, &fds[0]);
    if (rc < 0)
        tusk_task_cancel(task);
    fds[1] = tusk_await(task);
    tusk_close(listener);
    if (rc == 0 && fds[1] < 0) {
        complain("accept: %s", tusk_strerror(fds[1]));
        tusk_close(fds[0]);
        return fds[1];
    }
    return rc;
}

/* ---- ends ---- */

/* Not what it receives into: TCP of Linux goes on by second-long probes when its window is smaller than a segment. */
static void make_small(int fd)
{
    const int size = 4096;

    sys()->setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static void make_stream(struct end *end)
{
    end->limit = chance(50) ? 65536 : some_size(100000);
    if (tusk_open_stream(end->fd, &end->stream, .limit = end->limit) < 0) {
        end->stream = NULL;
        return;
    }
    if (!chance(30))
        return;
    end->high = some_size(100000);
    tusk_stream_set_write_buffer_limits(end->stream, end->high, (size_t)draw(end->high + 1));
}

static void end_open(struct line *line, int i, int fd)
{
    struct end *end = &line->ends[i];

    end->line = line;
    end->fd = fd;
    end->high = 65536;
    end->out = &line->ways[i];
    end->in = &line->ways[1 - i];
    if (chance(20))
        make_small(fd);
    if (!(line->is_mirrored && i == 0) && chance(60))
        make_stream(end);
}

int line_open(struct line *line)
{
    int fds[2];
    int rc;

    switch (draw(soak.is_real ? 8 : 3)) {
    case 0:
        rc = connect_by(AF_INET, fds);
        break;
    case 1:
        rc = connect_by(AF_UNIX, fds);
        break;
    default:
        rc = (int)count(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    }
    /* Ports of connections that have ended are not free for a minute. */
    if (rc < 0 && !soak.has_resets && rc != -EADDRNOTAVAIL)
        complain("cannot connect: %s", tusk_strerror(rc));
    if (rc < 0)
        return rc;
    for (int i = 0; i < 2; i++) {
        line->ways[i].key = (uint32_t)draw(100000);
        line->ways[i].total = some_size(chance(90) ? 20000 : 2000000);
        end_open(line, i, fds[i]);
    }
    return 0;
}

void line_close(struct line *line)
{
    for (int i = 0; i < 2; i++) {
        struct end *end = &line->ends[i];

        end_close(end);
        tusk_stream_release(end->stream);
        end->stream = NULL;
    }
}

/* ---- players ---- */

static void rest(void)
{
    int rc = chance(5) ? nap() : 0;

    (void)rc;
}

/* Whether to go on after this code. */
static bool goes_on(const struct end *end, ssize_t rc)
{
    if (!is_interrupted(rc) || end->line->stops)
        return false;
    if (rc == -ECANCELED)
        tusk_task_uncancel(tusk_current_task());
    return true;
}

static size_t place(const struct end *end, bool reads)
{
    return 2 * (size_t)(end - end->line->ends) + reads;
}

int write_everything(void *arg)
{
    struct end *end = arg;
    struct way *way = end->out;
    ssize_t rc = 0;

    end->line->begun[place(end, false)] = true;
    while (way->sent < way->total) {
        rc = end_write(end);
        if (rc < 0 && (way->torn || !goes_on(end, rc)))
            break;
        rest();
    }
    if (way->torn)
        end_abort(end);
    else if (way->sent == way->total && end->line->half_closes)
        rc = end_shut_down(end);
    return rc < 0 ? (int)rc : 0;
}

int read_everything(void *arg)
{
    struct end *end = arg;
    ssize_t rc;

    end->line->begun[place(end, true)] = true;
    do {
        if (end->line->knows_totals && end->in->received == end->in->total)
            return 0;
        rc = end_read(end);
        rest();
    } while (rc > 0 || goes_on(end, rc));
    return rc > 0 ? 0 : (int)rc;
}

static void start(struct line *line, int i, bool reads)
{
    struct end *end = &line->ends[i];

    line->players[place(end, reads)] = tusk_create_task(reads ? read_everything : write_everything, end);
}

void line_start(struct line *line, unsigned directions)
{
    for (int i = 0; i < 2; i++)
        if (directions & (1U << i)) {
            start(line, i, false);
            start(line, 1 - i, true);
        }
}

void line_start_end(struct end *end)
{
    int i = (int)(end - end->line->ends);

    start(end->line, i, false);
    start(end->line, i, true);
}

static bool is_playing(const struct line *line, int i)
{
    return line->players[i] && !tusk_future_done(line->players[i]);
}

/* What the line looked like when it did not get on. */
static void describe(const struct line *line)
{
    for (int i = 0; i < 2; i++) {
        const struct way *way = &line->ways[i];
        const struct end *end = &line->ends[i];

        complain(
            "players %s%s; way %d: %zu of %zu sent, %zu received%s; its writer is a %s%s, its descriptor %d",
            is_playing(line, 2 * i) ? "write " : "", is_playing(line, 2 * i + 1) ? "read" : "", i, way->sent,
            way->total, way->received, way->torn ? ", torn" : "", end->stream ? "stream" : "descriptor",
            end->closed ? " that is closed" : "", end->fd);
    }
}

static size_t players_of(const struct line *line, tusk_task *players[PLAYERS])
{
    size_t count = 0;

    for (int i = 0; i < PLAYERS; i++)
        if (line->players[i])
            players[count++] = line->players[i];
    return count;
}

void line_wait(struct line *line)
{
    tusk_task *players[PLAYERS];
    size_t total = players_of(line, players);
    int done = total == 0
                   ? 0
                   : tusk_wait(players, total, .timeout = soak.is_real ? PATIENCE_REAL : PATIENCE_VIRTUAL);

    if (done < 0)
        complain("wait: %s", tusk_strerror(done));
    if (done != (int)total) {
        complain("a line hangs");
        describe(line);
        /* Who waits for what. */
        tusk_get_running_loop()->hooks->deadlock(tusk_get_running_loop());
        line->stops = true;
        end_abort(&line->ends[0]);
        end_abort(&line->ends[1]);
    }
    line->over = true;
    for (int i = 0; i < PLAYERS; i++)
        if (line->players[i])
            line->codes[i] = (int)count(tusk_await(line->players[i]));
}

static tusk_task *some_player(const struct line *line)
{
    size_t i = (size_t)draw(PLAYERS);

    return line->players[i] && line->begun[i] && !tusk_future_done(line->players[i]) ? line->players[i]
                                                                                     : NULL;
}

int line_disturb(void *arg)
{
    struct line *line = arg;

    for (int i = 0; i < 20 && !line->over; i++) {
        tusk_task *player;
        int rc = nap();

        if (rc < 0)
            return rc;
        player = line->over ? NULL : some_player(line);
        if (player)
            tusk_task_cancel(player);
    }
    return 0;
}

void line_check(const struct line *line, int direction)
{
    const struct way *way = &line->ways[direction];
    int written = line->codes[2 * direction];
    int read = line->codes[2 * (1 - direction) + 1];

    if (soak.has_resets || line->ways[0].torn || line->ways[1].torn)
        return;
    if (written == 0 && read == 0 && way->sent == way->total && way->received == way->sent)
        return;
    complain("lost: writer said %s, reader %s", tusk_strerror(written), tusk_strerror(read));
    describe(line);
}
