/*
 * The floor of echo servers on io_uring: what the kernel alone takes.
 *
 * One multishot accept, one multishot receive for each connection, and buffers of
 * a ring that the kernel picks from. A receive's buffer is sent as it is, and goes back into the
 * ring when the send is complete. A connection has one send under way at a time, the
 * next ones wait in its queue, for two at once could overtake each other.
 *
 * A receive ends early when the ring is out of buffers; the connection then
 * waits in the line of the starved until one comes back.
 */
#include <liburing.h>

#include "serve.h"

enum {
    ENTRIES = 4096,
    COMPLETIONS = 32 * 1024,
    BUFFERS = 2048, /* a power of two */
    GROUP = 0,
    NONE = -1,
};

enum kind { ACCEPT, RECEIVE, SEND };

struct connection {
    int fd;
    int first, last; /* buffers to be sent; the first is under way. NONE: none */
    bool receiving;  /* the kernel has a receive of it */
    bool broken;     /* to be freed when the kernel has nothing of it any more */
    bool is_starved;
    struct connection *next_starved;
};

static struct {
    size_t length, offset; /* received, and sent of it */
    int next;
} buffers[BUFFERS];

static struct io_uring ring;
static struct io_uring_buf_ring *free_buffers;
static char *memory;
static struct connection *starved;

static char *bytes_of(int buffer)
{
    return memory + (size_t)buffer * SERVE_BUFFER;
}

/* A place for a request; who it belongs to goes with its kind into the user data. */
static struct io_uring_sqe *request(void)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

    if (sqe == NULL) {
        io_uring_submit(&ring);
        sqe = io_uring_get_sqe(&ring);
    }
    if (sqe == NULL)
        bench_die("the submission queue is full");
    return sqe;
}

static void tag(struct io_uring_sqe *sqe, struct connection *connection, enum kind kind)
{
    io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)connection | (uint64_t)kind);
}

static void start_accept(int listener)
{
    struct io_uring_sqe *sqe = request();

    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    tag(sqe, NULL, ACCEPT);
}

static void start_receive(struct connection *connection)
{
    struct io_uring_sqe *sqe = request();

    io_uring_prep_recv_multishot(sqe, connection->fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
    tag(sqe, connection, RECEIVE);
    connection->receiving = true;
}

static void start_send(struct connection *connection)
{
    struct io_uring_sqe *sqe = request();
    int buffer = connection->first;

    io_uring_prep_send(sqe, connection->fd, bytes_of(buffer) + buffers[buffer].offset,
                       buffers[buffer].length - buffers[buffer].offset, MSG_NOSIGNAL);
    tag(sqe, connection, SEND);
}

static void put_buffer(int buffer)
{
    io_uring_buf_ring_add(free_buffers, bytes_of(buffer), SERVE_BUFFER, (unsigned short)buffer,
                          io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(free_buffers, 1);
}

static void starve(struct connection *connection)
{
    connection->is_starved = true;
    connection->next_starved = starved;
    starved = connection;
}

static void feed_one(void)
{
    struct connection *connection = starved;

    if (connection == NULL)
        return;
    starved = connection->next_starved;
    connection->is_starved = false;
    start_receive(connection);
}

static void free_if_done(struct connection *connection)
{
    if (!connection->broken || connection->receiving || connection->is_starved || connection->first != NONE)
        return;
    close(connection->fd);
    free(connection);
}

/* The first buffer is sent, or never will be. */
static void take_first(struct connection *connection)
{
    int buffer = connection->first;

    connection->first = buffers[buffer].next;
    put_buffer(buffer);
    feed_one();
}

static void on_accept(int listener, const struct io_uring_cqe *cqe)
{
    struct connection *connection;

    if ((cqe->flags & IORING_CQE_F_MORE) == 0)
        start_accept(listener);
    if (cqe->res == -ECONNABORTED)
        return;
    if (cqe->res < 0)
        bench_die("accept: %s", strerror(-cqe->res));
    connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        bench_die("out of memory");
    connection->fd = cqe->res;
    connection->first = NONE;
    serve_no_delay(connection->fd);
    start_receive(connection);
}

static void enqueue(struct connection *connection, int buffer, size_t length)
{
    buffers[buffer].length = length;
    buffers[buffer].offset = 0;
    buffers[buffer].next = NONE;
    if (connection->first == NONE) {
        connection->first = buffer;
        start_send(connection);
    } else {
        buffers[connection->last].next = buffer;
    }
    connection->last = buffer;
}

static void on_receive(struct connection *connection, const struct io_uring_cqe *cqe)
{
    connection->receiving = (cqe->flags & IORING_CQE_F_MORE) != 0;
    if (cqe->res > 0)
        enqueue(connection, (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT), (size_t)cqe->res);
    else if (cqe->res != -ENOBUFS)
        connection->broken = true;
    if (!connection->receiving && !connection->broken) {
        if (cqe->res == -ENOBUFS)
            starve(connection);
        else
            start_receive(connection);
    }
    free_if_done(connection);
}

static void on_send(struct connection *connection, const struct io_uring_cqe *cqe)
{
    int buffer = connection->first;

    if (cqe->res < 0)
        connection->broken = true;
    else
        buffers[buffer].offset += (size_t)cqe->res;
    if (connection->broken)
        while (connection->first != NONE)
            take_first(connection);
    else if (buffers[buffer].offset == buffers[buffer].length)
        take_first(connection);
    if (connection->first != NONE)
        start_send(connection);
    free_if_done(connection);
}

static void handle(int listener, const struct io_uring_cqe *cqe)
{
    uint64_t data = io_uring_cqe_get_data64(cqe);
    struct connection *connection = (struct connection *)(uintptr_t)(data & ~(uint64_t)3);

    switch ((enum kind)(data & 3)) {
    case ACCEPT:
        on_accept(listener, cqe);
        return;
    case RECEIVE:
        on_receive(connection, cqe);
        return;
    case SEND:
        on_send(connection, cqe);
        return;
    }
}

static int set_up(unsigned flags)
{
    struct io_uring_params params = {.flags = flags | IORING_SETUP_CQSIZE, .cq_entries = COMPLETIONS};

    return io_uring_queue_init_params(ENTRIES, &ring, &params);
}

static void set_up_buffers(void)
{
    struct io_uring_buf_reg registration = {.ring_entries = BUFFERS, .bgid = GROUP};
    void *entries = NULL;
    int rc;

    if (posix_memalign(&entries, 4096, BUFFERS * sizeof(struct io_uring_buf)) != 0 ||
        posix_memalign((void **)&memory, 4096, (size_t)BUFFERS * SERVE_BUFFER) != 0)
        bench_die("out of memory");
    free_buffers = entries;
    registration.ring_addr = (uint64_t)(uintptr_t)entries;
    rc = io_uring_register_buf_ring(&ring, &registration, 0);
    if (rc < 0)
        bench_die("io_uring cannot pick buffers: %s", strerror(-rc));
    io_uring_buf_ring_init(free_buffers);
    for (int i = 0; i < BUFFERS; i++)
        put_buffer(i);
}

int main(int argc, char **argv)
{
    int listener = serve_listen(serve_port(argc, argv, "An echo server: a bare loop on io_uring."), 0);
    int rc = set_up(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);

    if (rc == -EINVAL)
        rc = set_up(0); /* before Linux 6.1 */
    if (rc < 0)
        bench_die("io_uring: %s", strerror(-rc));
    set_up_buffers();
    start_accept(listener);
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;

        rc = io_uring_submit_and_wait(&ring, 1);
        if (rc < 0 && rc != -EINTR)
            bench_die("io_uring_enter: %s", strerror(-rc));
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            handle(listener, cqe);
            count++;
        }
        io_uring_cq_advance(&ring, count);
    }
}
