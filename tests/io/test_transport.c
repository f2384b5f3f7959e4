/*
 * Transports and protocols: which function is called when.
 */
#include "task/stage.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A protocol that writes down what it is told. */
struct diary {
    tusk_transport *transport;
    char text[4096];
    size_t size;
    bool stays_open;
    bool lost;
    int error;
    /* Closes after this many bytes, unless 0. */
    size_t close_after;
    bool echoes;
};

static void note_made(void *self, tusk_transport *transport)
{
    struct diary *diary = self;

    diary->transport = transport;
    trace("made");
}

static void note_data(void *self, const void *data, size_t size)
{
    struct diary *diary = self;

    if (diary->size + size < sizeof diary->text)
        memcpy(diary->text + diary->size, data, size);
    diary->size += size;
    if (diary->echoes)
        expect_int(tusk_transport_write(diary->transport, data, size), 0);
    if (diary->close_after && diary->size >= diary->close_after)
        tusk_transport_close(diary->transport);
}

static bool note_eof(void *self)
{
    trace("eof");
    return ((struct diary *)self)->stays_open;
}

static void note_lost(void *self, int error)
{
    struct diary *diary = self;

    expect(!diary->lost);
    diary->lost = true;
    diary->error = error;
    trace("lost(%s)", error ? tusk_errorname(error) : "0");
}

static void note_pause(void *self)
{
    (void)self;
    trace("pause");
}

static void note_resume(void *self)
{
    (void)self;
    trace("resume");
}

static const struct tusk_protocol diary_protocol = {
    .connection_made = note_made,
    .data_received = note_data,
    .eof_received = note_eof,
    .connection_lost = note_lost,
    .pause_writing = note_pause,
    .resume_writing = note_resume,
};

/* Lets everything happen that can. */
static int settle(void)
{
    return tusk_sleep(1);
}

static int conversation(void *arg)
{
    struct diary diary = {.echoes = true};
    int fds[2];
    char buffer[16];

    (void)arg;
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    tusk_try(tusk_open_transport(fds[0], &diary_protocol, &diary, NULL));
    expect(diary.transport == NULL);
    tusk_try(tusk_sendall(fds[1], "hello", 5));
    expect_int(tusk_recv(fds[1], buffer, sizeof buffer, 0), 5);
    expect(memcmp(buffer, "hello", 5) == 0);
    expect(tusk_transport_get_protocol(diary.transport) == &diary);
    expect(tusk_transport_is_reading(diary.transport));
    tusk_close(fds[1]);
    tusk_try(settle());
    expect(diary.lost);
    return 0;
}

static void test_conversation(void **state)
{
    (void)state;
    play_trace(conversation, "made eof lost(0)");
}

static int half_closed(void *arg)
{
    struct diary diary = {.stays_open = true};
    int fds[2];
    char buffer[16];

    (void)arg;
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    tusk_try(tusk_open_transport(fds[0], &diary_protocol, &diary, NULL));
    expect_int(shutdown(fds[1], SHUT_WR), 0);
    tusk_try(settle());
    expect(!diary.lost);
    expect_int(tusk_transport_write(diary.transport, "still here", 10), 0);
    expect_int(tusk_recv(fds[1], buffer, sizeof buffer, 0), 10);
    expect_int(tusk_transport_write_eof(diary.transport), 0);
    expect_int(tusk_recv(fds[1], buffer, sizeof buffer, 0), 0);
    expect_int(tusk_transport_write(diary.transport, "x", 1), TUSK_INVALID_STATE);
    tusk_transport_close(diary.transport);
    expect(tusk_transport_is_closing(diary.transport));
    expect(!diary.lost);
    tusk_try(settle());
    tusk_close(fds[1]);
    return 0;
}

static void test_a_transport_that_stays_open_after_eof(void **state)
{
    (void)state;
    play_trace(half_closed, "made eof lost(0)");
}

/* The peer does not read: writes are kept, the protocol is told, and all arrives in the end. */
static int marks(void *arg)
{
    struct diary diary = {0};
    static char data[100000];
    int fds[2];
    size_t written = 0;
    size_t read = 0;
    char *buffer = malloc(sizeof data);
    ssize_t count;

    (void)arg;
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    tusk_try(tusk_open_transport(fds[0], &diary_protocol, &diary, NULL));
    tusk_try(settle());
    while (tusk_transport_get_write_buffer_size(diary.transport) < 300000) {
        expect_int(tusk_transport_write(diary.transport, data, sizeof data), 0);
        written += sizeof data;
    }
    tusk_transport_close(diary.transport);
    expect_int(tusk_transport_write(diary.transport, "x", 1), TUSK_STREAM_CLOSED);
    while ((count = tusk_recv(fds[1], buffer, sizeof data, 0)) > 0)
        read += (size_t)count;
    expect_int(count, 0);
    expect_int(read, written);
    tusk_try(settle());
    tusk_close(fds[1]);
    free(buffer);
    return 0;
}

static void test_marks(void **state)
{
    (void)state;
    play_trace(marks, "made pause resume lost(0)");
}

static int marks_of_lines(void *arg)
{
    static char data[1000];
    const struct iovec lines[] = {{data, sizeof data}, {data, 0}, {data, sizeof data}};
    struct diary diary = {0};
    int fds[2];

    (void)arg;
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    tusk_try(tusk_open_transport(fds[0], &diary_protocol, &diary, NULL));
    tusk_try(settle());
    for (int i = 0; i < 1000; i++)
        expect_int(tusk_transport_writelines(diary.transport, lines, 3), 0);
    tusk_transport_abort(diary.transport);
    tusk_try(settle());
    return tusk_close(fds[1]);
}

static void test_lines_obey_the_mark_too(void **state)
{
    (void)state;
    play_trace(marks_of_lines, "made pause lost(0)");
}

static int aborted(void *arg)
{
    struct diary diary = {0};
    static char data[1000000];
    int fds[2];

    (void)arg;
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    tusk_try(tusk_open_transport(fds[0], &diary_protocol, &diary, NULL));
    tusk_try(settle());
    expect_int(tusk_transport_write(diary.transport, data, sizeof data), 0);
    tusk_transport_abort(diary.transport);
    tusk_transport_abort(diary.transport);
    expect(!diary.lost);
    tusk_try(settle());
    tusk_close(fds[1]);
    return 0;
}

static void test_abort(void **state)
{
    (void)state;
    play_trace(aborted, "made pause lost(0)");
}

static int lost(void *arg)
{
    struct diary diary = {0};
    int fds[2];

    (void)arg;
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    tusk_try(tusk_open_transport(fds[0], &diary_protocol, &diary, NULL));
    tusk_try(settle());
    tusk_transport_pause_reading(diary.transport);
    tusk_close(fds[1]);
    expect_int(tusk_transport_write(diary.transport, "x", 1), -EPIPE);
    tusk_try(settle());
    return 0;
}

static void test_a_lost_connection(void **state)
{
    (void)state;
    play_trace(lost, "made lost(EPIPE)");
}

static int paused(void *arg)
{
    struct diary diary = {0};
    int fds[2];

    (void)arg;
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    tusk_try(tusk_open_transport(fds[0], &diary_protocol, &diary, NULL));
    tusk_try(settle());
    tusk_transport_pause_reading(diary.transport);
    tusk_transport_pause_reading(diary.transport);
    expect(!tusk_transport_is_reading(diary.transport));
    tusk_try(tusk_sendall(fds[1], "one", 3));
    tusk_try(settle());
    expect_int(diary.size, 0);
    tusk_transport_resume_reading(diary.transport);
    tusk_try(settle());
    expect_int(diary.size, 3);
    /* Paused when the data is already known to be there. */
    tusk_try(tusk_sendall(fds[1], "two", 3));
    tusk_transport_pause_reading(diary.transport);
    tusk_transport_resume_reading(diary.transport);
    tusk_transport_pause_reading(diary.transport);
    tusk_try(settle());
    expect_int(diary.size, 3);
    tusk_transport_resume_reading(diary.transport);
    tusk_try(settle());
    expect_int(diary.size, 6);
    tusk_transport_close(diary.transport);
    tusk_try(settle());
    tusk_close(fds[1]);
    return 0;
}

static void test_paused_reading(void **state)
{
    (void)state;
    play_trace(paused, "made lost(0)");
}

static int close_inside(void *arg)
{
    struct diary diary = {.close_after = 3};
    int fds[2];

    (void)arg;
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    tusk_try(tusk_open_transport(fds[0], &diary_protocol, &diary, NULL));
    tusk_try(tusk_sendall(fds[1], "more than that", 14));
    tusk_try(settle());
    expect_int(diary.size, 14);
    tusk_close(fds[1]);
    return 0;
}

static void test_close_inside_of_data_received(void **state)
{
    (void)state;
    play_trace(close_inside, "made lost(0)");
}

/* Ends its transport, or uses it in other ways, inside of one of its own functions. */
struct meddler {
    struct diary diary;
    const char *where;
    void (*act)(tusk_transport *transport);
};

static void meddle(void *self, const char *where)
{
    struct meddler *meddler = self;

    if (strcmp(meddler->where, where) == 0)
        meddler->act(meddler->diary.transport);
}

static void meddle_made(void *self, tusk_transport *transport)
{
    ((struct meddler *)self)->diary.transport = transport;
    meddle(self, "made");
}

static void meddle_data(void *self, const void *data, size_t size)
{
    (void)data;
    (void)size;
    meddle(self, "data");
}

static bool meddle_eof(void *self)
{
    meddle(self, "eof");
    return true;
}

static void meddle_lost(void *self, int error)
{
    struct meddler *meddler = self;

    (void)error;
    expect(!meddler->diary.lost);
    meddler->diary.lost = true;
    meddle(self, "lost");
}

static void meddle_pause(void *self)
{
    meddle(self, "pause");
}

static void meddle_resume(void *self)
{
    meddle(self, "resume");
}

static const struct tusk_protocol meddler_protocol = {
    .connection_made = meddle_made,
    .data_received = meddle_data,
    .eof_received = meddle_eof,
    .connection_lost = meddle_lost,
    .pause_writing = meddle_pause,
    .resume_writing = meddle_resume,
};

/* Whatever a transport can be asked for. */
static void use_all(tusk_transport *transport)
{
    char large[100000];
    int fd;
    size_t size = sizeof fd;

    memset(large, 'x', sizeof large);
    tusk_transport_pause_reading(transport);
    tusk_transport_resume_reading(transport);
    tusk_transport_set_write_buffer_limits(transport, 5, 1);
    tusk_transport_write(transport, large, sizeof large);
    tusk_transport_get_extra_info(transport, "fd", &fd, &size);
    tusk_transport_write_eof(transport);
    tusk_transport_set_write_buffer_limits(transport, 1, 0);
    tusk_transport_pause_reading(transport);
    tusk_transport_resume_reading(transport);
}

static int meddle_everywhere(void *arg)
{
    static const char *const wheres[] = {"made", "data", "eof", "lost", "pause", "resume"};
    static void (*const acts[])(tusk_transport *) = {tusk_transport_close, tusk_transport_abort, use_all};
    static char large[400000];
    char *buffer = malloc(sizeof large);

    (void)arg;
    for (size_t i = 0; i < 18; i++) {
        struct meddler meddler = {.where = wheres[i / 3], .act = acts[i % 3]};
        int fds[2];

        tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
        tusk_try(tusk_open_transport(fds[0], &meddler_protocol, &meddler, NULL));
        tusk_try(tusk_sendall(fds[1], "x", 1));
        tusk_try(settle());
        if (!meddler.diary.lost)
            tusk_transport_write(meddler.diary.transport, large, sizeof large);
        while (tusk_recv(fds[1], buffer, sizeof large, MSG_DONTWAIT) > 0)
            tusk_try(settle());
        if (!meddler.diary.lost)
            tusk_transport_pause_reading(meddler.diary.transport);
        if (!meddler.diary.lost)
            tusk_transport_resume_reading(meddler.diary.transport);
        expect_int(shutdown(fds[1], SHUT_WR), 0);
        tusk_try(settle());
        if (!meddler.diary.lost)
            tusk_transport_abort(meddler.diary.transport);
        tusk_try(settle());
        expect(meddler.diary.lost);
        tusk_close(fds[1]);
    }
    free(buffer);
    return 0;
}

static void test_anything_inside_of_any_function(void **state)
{
    (void)state;
    play_quietly(meddle_everywhere);
}

/* Paused when the connection is lost: going on in connection_lost comes too late, and does no harm. */
static void resume_when_lost(void *self, int error)
{
    struct diary *diary = self;

    note_lost(self, error);
    tusk_transport_resume_reading(diary->transport);
    expect_int(tusk_transport_set_write_buffer_limits(diary->transport, 2, 1), 0);
}

static int resumed_at_the_end(void *arg)
{
    static const struct tusk_protocol protocol = {.connection_made = note_made,
                                                  .connection_lost = resume_when_lost};
    struct diary diary = {0};
    int fds[2];

    (void)arg;
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    tusk_try(tusk_open_transport(fds[0], &protocol, &diary, NULL));
    tusk_try(settle());
    tusk_transport_pause_reading(diary.transport);
    tusk_transport_abort(diary.transport);
    tusk_try(settle());
    tusk_close(fds[1]);
    return 0;
}

static void test_resumed_at_the_end(void **state)
{
    (void)state;
    play_trace(resumed_at_the_end, "made lost(0)");
}

/* The writing end of a pipe: nothing to read, but it hears that its reader has gone. */
static int write_pipe(void *arg)
{
    static char large[1000000];
    struct diary diary = {0};
    bool is_full = arg != NULL;
    int ends[2];
    char byte;

    tusk_try(tusk_pipe(ends));
    tusk_try(tusk_open_transport(ends[1], &diary_protocol, &diary, NULL));
    tusk_try(settle());
    expect(!diary.lost);
    expect_int(tusk_transport_write(diary.transport, "x", 1), 0);
    expect_int(tusk_read(ends[0], &byte, 1), 1);
    tusk_transport_pause_reading(diary.transport);
    tusk_transport_resume_reading(diary.transport);
    tusk_try(settle());
    expect(!diary.lost);
    if (is_full)
        expect_int(tusk_transport_write(diary.transport, large, sizeof large), 0);
    tusk_close(ends[0]);
    tusk_try(settle());
    return 0;
}

static void test_the_writing_end_of_a_pipe(void **state)
{
    static int full;

    (void)state;
    play_trace(write_pipe, "made lost(0)");
    assert_int_equal(play_with(write_pipe, &full, false), 0);
    assert_string_equal(stage_trace, "made pause lost(EPIPE)");
}

static int read_pipe(void *arg)
{
    struct diary diary = {0};
    int ends[2];

    (void)arg;
    tusk_try(tusk_pipe(ends));
    tusk_try(tusk_open_transport(ends[0], &diary_protocol, &diary, NULL));
    expect_int(tusk_write(ends[1], "abc", 3), 3);
    tusk_try(settle());
    expect_int(diary.size, 3);
    tusk_close(ends[1]);
    tusk_try(settle());
    return 0;
}

static void test_the_reading_end_of_a_pipe(void **state)
{
    (void)state;
    play_trace(read_pipe, "made eof lost(0)");
}

/* ---- protocols with buffers of their own ---- */

struct bucket {
    struct diary diary;
    char memory[4];
};

static void *get_buffer(void *self, size_t size_hint, size_t *ret_size)
{
    struct bucket *bucket = self;

    expect(size_hint > 0);
    *ret_size = bucket->diary.size < 8 ? sizeof bucket->memory : 0;
    return bucket->memory;
}

static void buffer_updated(void *self, size_t size)
{
    struct bucket *bucket = self;

    expect(size > 0 && size <= sizeof bucket->memory);
    note_data(&bucket->diary, bucket->memory, size);
}

static const struct tusk_protocol bucket_protocol = {
    .connection_made = note_made,
    .get_buffer = get_buffer,
    .buffer_updated = buffer_updated,
    .connection_lost = note_lost,
};

static int buckets(void *arg)
{
    struct bucket bucket = {0};
    int fds[2];

    (void)arg;
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    tusk_try(tusk_open_transport(fds[0], &bucket_protocol, &bucket, NULL));
    tusk_try(tusk_sendall(fds[1], "12345678", 8));
    tusk_try(settle());
    expect_int(bucket.diary.size, 8);
    expect(memcmp(bucket.diary.text, "12345678", 8) == 0);
    expect(bucket.diary.lost);
    tusk_close(fds[1]);
    return 0;
}

static void test_buffers_of_the_protocol(void **state)
{
    (void)state;
    play_trace(buckets, "made lost(EINVAL)");
}

static int another_protocol(void *arg)
{
    struct diary first = {0};
    struct diary second = {0};
    int fds[2];

    (void)arg;
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    tusk_try(tusk_open_transport(fds[0], &diary_protocol, &first, NULL));
    tusk_try(settle());
    expect_int(tusk_transport_set_protocol(first.transport, NULL, NULL), -EINVAL);
    expect_int(tusk_transport_set_protocol(first.transport, &diary_protocol, &second), 0);
    tusk_try(tusk_sendall(fds[1], "x", 1));
    tusk_try(settle());
    expect_int(first.size, 0);
    expect_int(second.size, 1);
    tusk_close(fds[1]);
    tusk_try(settle());
    expect(second.lost && !first.lost);
    return 0;
}

static void test_another_protocol(void **state)
{
    (void)state;
    play_trace(another_protocol, "made eof lost(0)");
}

/* ---- servers ---- */

static int choose_echo(void *arg, const struct tusk_protocol **ret_protocol, void **ret_self)
{
    struct diary *diary = arg;

    if (diary->echoes) {
        *ret_protocol = &diary_protocol;
        *ret_self = diary;
        return 0;
    }
    diary->echoes = true;
    return tusk_raise(-EPERM, "not today");
}

static int serve(void *arg)
{
    struct diary diary = {.echoes = false};
    struct diary client = {0};
    tusk_server *server;
    tusk_stream *stream;
    tusk_transport *transport;
    char byte;
    char buffer[8];

    (void)arg;
    tusk_try(tusk_create_server(choose_echo, &diary, "127.0.0.1", 0, &server));
    /* The first one is refused by the factory. */
    tusk_try(tusk_open_connection("127.0.0.1", tusk_server_port(server), &stream));
    expect_int(tusk_stream_read(stream, &byte, 1), 0);
    tusk_stream_release(stream);
    tusk_try(tusk_open_connection("127.0.0.1", tusk_server_port(server), &stream));
    tusk_try(tusk_stream_write(stream, "echo", 4));
    expect_int(tusk_stream_readexactly(stream, buffer, 4), 4);
    expect_int(tusk_server_client_count(server), 1);
    tusk_stream_release(stream);
    tusk_try(settle());
    expect_int(tusk_server_client_count(server), 0);
    expect(diary.lost);
    /* And one with a transport at both ends, that the server ends. */
    diary.lost = false;
    tusk_try(
        tusk_create_connection(&diary_protocol, &client, "127.0.0.1", tusk_server_port(server), &transport));
    expect(client.transport == transport);
    expect_int(tusk_transport_write(transport, "ping", 4), 0);
    tusk_try(settle());
    expect_int(client.size, 4);
    tusk_server_close(server);
    tusk_server_close_clients(server);
    tusk_try(tusk_server_wait_closed(server));
    tusk_try(settle());
    expect(diary.lost && client.lost);
    tusk_server_release(server);
    return 0;
}

static void test_servers(void **state)
{
    int rc = play(serve);

    (void)state;
    assert_int_equal(rc, 0);
    assert_non_null(strstr(stage_reports, "not today"));
}

/* ---- the end of the loop ---- */

static struct diary left_open;

static int leave_open(void *arg)
{
    int fds[2];

    (void)arg;
    memset(&left_open, 0, sizeof left_open);
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    tusk_try(tusk_open_transport(fds[0], &diary_protocol, &left_open, NULL));
    tusk_try(settle());
    /* One more whose letter is still in the queue. */
    tusk_try(tusk_open_transport(fds[1], &diary_protocol, &left_open, NULL));
    return 0;
}

static void test_the_end_of_the_loop(void **state)
{
    (void)state;
    play_quietly(leave_open);
}

/* ---- datagrams ---- */

struct post {
    tusk_datagram_transport *transport;
    int received;
    char last[64];
    int error;
    bool lost;
};

static void post_made(void *self, tusk_datagram_transport *transport)
{
    ((struct post *)self)->transport = transport;
}

static void post_received(void *self, const void *data, size_t size, const struct sockaddr *address,
                          socklen_t length)
{
    struct post *post = self;

    post->received++;
    snprintf(post->last, sizeof post->last, "%.*s", (int)size, (const char *)data);
    if (post->last[0] == '?')
        expect_int(tusk_datagram_transport_sendto(post->transport, "!", 1, address, length), 0);
}

static void post_error(void *self, int error)
{
    ((struct post *)self)->error = error;
}

static void post_lost(void *self, int error)
{
    struct post *post = self;

    expect(!post->lost);
    expect_int(error, 0);
    post->lost = true;
}

static const struct tusk_datagram_protocol post_protocol = {
    .connection_made = post_made,
    .datagram_received = post_received,
    .error_received = post_error,
    .connection_lost = post_lost,
};

static int port_of(tusk_datagram_transport *transport)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;

    expect_int(getsockname(tusk_datagram_transport_fileno(transport), (struct sockaddr *)&address, &length),
               0);
    return (address.sin_port >> 8) | (address.sin_port & 0xff) << 8;
}

static int datagrams(void *arg)
{
    struct post server = {0};
    struct post client = {0};
    static char large[100000];
    tusk_datagram_transport *transport;
    int port;

    (void)arg;
    tusk_try(tusk_create_datagram_endpoint(&post_protocol, &server, &transport, .local_host = "127.0.0.1"));
    port = port_of(transport);
    tusk_try(tusk_create_datagram_endpoint(&post_protocol, &client, NULL, .remote_host = "127.0.0.1",
                                           .remote_port = port));
    tusk_try(settle());
    expect_int(tusk_datagram_transport_sendto(client.transport, "?hello", 6, NULL, 0), 0);
    tusk_try(settle());
    expect_text(server.last, "?hello");
    expect_text(client.last, "!");
    expect_int(tusk_datagram_transport_sendto(client.transport, NULL, 0, NULL, 0), 0);
    tusk_try(settle());
    expect_int(server.received, 2);
    expect_int(tusk_datagram_transport_sendto(client.transport, large, sizeof large, NULL, 0), -EMSGSIZE);
    expect_int(tusk_datagram_transport_sendto(server.transport, "x", 1, NULL, 0), -EINVAL);
    for (int i = 0; i < 100; i++)
        expect_int(tusk_datagram_transport_sendto(client.transport, "many", 4, NULL, 0), 0);
    tusk_try(settle());
    expect_int(server.received, 102);
    /* Nobody is there any more: the system tells the next sender. */
    tusk_datagram_transport_close(server.transport);
    tusk_try(settle());
    expect(server.lost);
    expect_int(tusk_datagram_transport_sendto(client.transport, "x", 1, NULL, 0), 0);
    tusk_try(settle());
    expect_int(client.error, -ECONNREFUSED);
    tusk_datagram_transport_abort(client.transport);
    expect_int(tusk_datagram_transport_sendto(client.transport, "x", 1, NULL, 0), TUSK_STREAM_CLOSED);
    tusk_try(settle());
    expect(client.lost);
    return 0;
}

static void test_datagrams(void **state)
{
    (void)state;
    play_quietly(datagrams);
}

/* A full queue: what does not fit waits, in order. */
static int full_queue(void *arg)
{
    enum { COUNT = 2000 };
    struct post client = {0};
    char buffer[64], name[64];
    int fd;

    (void)arg;
    snprintf(name, sizeof name, "@tusk-test-datagrams-%d", (int)getpid());
    fd = tusk_open_datagram(.local_path = name);
    if (fd < 0)
        return fd;
    tusk_try(tusk_create_datagram_endpoint(&post_protocol, &client, NULL, .remote_path = name));
    tusk_try(settle());
    for (int i = 0; i < COUNT; i++) {
        snprintf(buffer, sizeof buffer, "%040d", i);
        expect_int(tusk_datagram_transport_sendto(client.transport, buffer, 40, NULL, 0), 0);
    }
    expect(tusk_datagram_transport_get_write_buffer_size(client.transport) > 0);
    tusk_datagram_transport_close(client.transport);
    for (int i = 0; i < COUNT; i++) {
        expect_int(tusk_recvfrom(fd, buffer, sizeof buffer, 0, NULL, NULL), 40);
        expect_int(atoi(buffer), i);
    }
    tusk_try(settle());
    expect(client.lost);
    tusk_close(fd);
    return 0;
}

static void test_a_full_queue(void **state)
{
    (void)state;
    play_quietly(full_queue);
}

/* A receiver that does not read, and a sender without a peer of its own. */
struct blocked {
    struct post post;
    tusk_datagram_transport *sender;
    int receiver;
    struct sockaddr_un address;
    socklen_t length;
};

/* By names of their own, for a poller may keep closed sockets a little. */
static int open_blocked(struct blocked *blocked)
{
    static int number;
    char names[2][64];
    size_t size;

    number++;
    snprintf(names[0], sizeof names[0], "@tusk-test-%d-receiver-%d", (int)getpid(), number);
    snprintf(names[1], sizeof names[1], "@tusk-test-%d-sender-%d", (int)getpid(), number);
    *blocked = (struct blocked){.address = {.sun_family = AF_UNIX}};
    size = strlen(names[0]);
    memcpy(blocked->address.sun_path + 1, names[0] + 1, size - 1);
    blocked->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    blocked->receiver = tusk_open_datagram(.local_path = names[0]);
    if (blocked->receiver < 0)
        return blocked->receiver;
    return tusk_create_datagram_endpoint(&post_protocol, &blocked->post, &blocked->sender,
                                         .local_path = names[1]);
}

static int send_to_blocked(const struct blocked *blocked, const char *data, size_t size)
{
    return tusk_datagram_transport_sendto(blocked->sender, data, size,
                                          (const struct sockaddr *)&blocked->address, blocked->length);
}

/* Nothing may tell when another's queue has room again. */
static int full_queue_of_another(void *arg)
{
    enum { COUNT = 500 };
    struct blocked blocked;
    tusk_timeout timeout;
    char buffer[64];
    int rc = 0;

    (void)arg;
    tusk_try(open_blocked(&blocked));
    for (int i = 0; i < COUNT; i++) {
        snprintf(buffer, sizeof buffer, "%040d", i);
        expect_int(send_to_blocked(&blocked, buffer, 40), 0);
    }
    expect(tusk_datagram_transport_get_write_buffer_size(blocked.sender) > 0);
    tusk_datagram_transport_close(blocked.sender);
    tusk_try(tusk_timeout_enter(&timeout, 3600));
    for (int i = 0; i < COUNT && rc >= 0; i++) {
        rc = (int)tusk_recvfrom(blocked.receiver, buffer, sizeof buffer, 0, NULL, NULL);
        expect(rc < 0 || atoi(buffer) == i);
    }
    expect_int(tusk_timeout_exit(&timeout, rc), 40);
    tusk_try(settle());
    expect(blocked.post.lost);
    tusk_close(blocked.receiver);
    return 0;
}

static void test_a_full_queue_of_another_socket(void **state)
{
    (void)state;
    play_quietly(full_queue_of_another);
}

/* Aborted, or left to the loop's end, while it waits to try again. Empty messages count too. */
static int end_with_full_queue(void *arg)
{
    struct blocked blocked;

    tusk_try(open_blocked(&blocked));
    tusk_try(settle());
    for (int i = 0; i < 500; i++)
        expect_int(send_to_blocked(&blocked, NULL, 0), 0);
    expect(tusk_datagram_transport_get_write_buffer_size(blocked.sender) > 0);
    if (arg) {
        tusk_datagram_transport_abort(blocked.sender);
        tusk_try(settle());
        expect(blocked.post.lost);
    }
    tusk_close(blocked.receiver);
    return 0;
}

static void test_the_end_while_a_queue_is_full(void **state)
{
    static int abort_it;

    (void)state;
    assert_int_equal(play_with(end_with_full_queue, &abort_it, false), 0);
    assert_int_equal(play_with(end_with_full_queue, NULL, false), 0);
}

static size_t longest;

static void measure(void *self, const void *data, size_t size, const struct sockaddr *address,
                    socklen_t length)
{
    (void)self;
    (void)data;
    (void)address;
    (void)length;
    longest = size > longest ? size : longest;
}

/* Whole or not at all. */
static int long_messages(void *arg)
{
    static const struct tusk_datagram_protocol protocol = {
        .connection_made = post_made, .datagram_received = measure, .error_received = post_error};
    static char large[300000];
    struct post server = {0};
    tusk_datagram_transport *transport;
    int room = 400000;
    char name[64];
    int fd;

    (void)arg;
    longest = 0;
    snprintf(name, sizeof name, "@tusk-test-long-%d", (int)getpid());
    tusk_try(tusk_create_datagram_endpoint(&protocol, &server, &transport, .local_path = name));
    fd = tusk_open_datagram(.remote_path = name);
    if (fd < 0)
        return fd;
    expect_int(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    expect_int(tusk_send(fd, large, 100000, 0), 100000);
    tusk_try(settle());
    expect_int(longest, 100000);
    /* Systems allow different lengths. */
    if (tusk_send(fd, large, sizeof large, 0) > 0) {
        tusk_try(settle());
        expect_int(longest, 100000);
        expect_int(server.error, -EMSGSIZE);
    }
    tusk_datagram_transport_abort(transport);
    tusk_try(settle());
    tusk_close(fd);
    return 0;
}

static void test_long_messages(void **state)
{
    (void)state;
    play_quietly(long_messages);
}

/* Somebody closes its number while it has things to do. */
static int stolen_number(void *arg)
{
    static const struct tusk_datagram_protocol protocol = {.connection_made = post_made};
    struct post post = {0};
    tusk_datagram_transport *transport;

    (void)arg;
    tusk_try(tusk_create_datagram_endpoint(&protocol, &post, &transport, .local_host = "127.0.0.1"));
    expect_int(tusk_close(tusk_datagram_transport_fileno(transport)), 0);
    tusk_try(settle());
    return 0;
}

static void test_a_stolen_number(void **state)
{
    (void)state;
    play_quietly(stolen_number);
}

/* Each allocation fails once. */
static int some_of_everything(void *arg)
{
    struct diary diary = {.echoes = false};
    struct post post = {0};
    static const char data[1000];
    int fds[2];
    int rc;

    (void)arg;
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    rc = tusk_open_transport(fds[0], &diary_protocol, &diary, NULL);
    if (rc < 0)
        tusk_close(fds[0]);
    if (rc == 0)
        rc = tusk_sendall(fds[1], "hello", 5);
    if (rc == 0)
        rc = settle();
    while (rc == 0 && !diary.lost && tusk_transport_get_write_buffer_size(diary.transport) < 5000)
        rc = tusk_transport_write(diary.transport, data, sizeof data);
    tusk_close(fds[1]);
    if (rc == 0)
        rc = tusk_create_datagram_endpoint(&post_protocol, &post, NULL, .local_host = "127.0.0.1");
    if (rc == 0)
        rc = settle();
    if (post.transport)
        tusk_datagram_transport_abort(post.transport);
    if (settle() < 0)
        return -EIO;
    return rc == 0 && diary.size < 5 ? diary.error : rc;
}

static void test_without_memory(void **state)
{
    int rc = -1;

    (void)state;
    for (long n = 1; rc < 0 && n < 1000; n++) {
        tusk__fail_after(n);
        rc = play(some_of_everything);
        tusk__fail_after(0);
        if (rc != 0 && rc != -ENOMEM && rc != -EMFILE && rc != -ENOSPC)
            fail_msg("operation %ld fails with %s", n, tusk_strerror(rc));
    }
    assert_int_equal(rc, 0);
}

static int bad_addresses(void *arg)
{
    (void)arg;
    expect_int(tusk_open_datagram(.remote_port = 5), -EINVAL);
    expect_int(tusk_open_datagram(.local_path = "/x", .remote_host = "127.0.0.1"), -EINVAL);
    expect_int(tusk_open_datagram(.local_host = "127.0.0.1", .local_port = 70000), -EINVAL);
    expect_int(tusk_open_datagram(.local_host = "127.0.0.1", .remote_host = "::1", .remote_port = 9),
               -EADDRNOTAVAIL);
    expect_int(tusk_open_datagram(.remote_path = "/nonexistent/socket"), -ENOENT);
    return 0;
}

static void test_bad_addresses(void **state)
{
    (void)state;
    play_quietly(bad_addresses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversation),
        cmocka_unit_test(test_a_transport_that_stays_open_after_eof),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_lines_obey_the_mark_too),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_a_lost_connection),
        cmocka_unit_test(test_paused_reading),
        cmocka_unit_test(test_close_inside_of_data_received),
        cmocka_unit_test(test_anything_inside_of_any_function),
        cmocka_unit_test(test_resumed_at_the_end),
        cmocka_unit_test(test_the_writing_end_of_a_pipe),
        cmocka_unit_test(test_the_reading_end_of_a_pipe),
        cmocka_unit_test(test_buffers_of_the_protocol),
        cmocka_unit_test(test_another_protocol),
        cmocka_unit_test(test_servers),
        cmocka_unit_test(test_the_end_of_the_loop),
        cmocka_unit_test(test_datagrams),
        cmocka_unit_test(test_a_full_queue),
        cmocka_unit_test(test_a_full_queue_of_another_socket),
        cmocka_unit_test(test_the_end_while_a_queue_is_full),
        cmocka_unit_test(test_long_messages),
        cmocka_unit_test(test_a_stolen_number),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_bad_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
