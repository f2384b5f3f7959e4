/*
 * Two streams that go over to TLS with each other, for the tests of TLS. The left one is the client.
 */
#ifndef TESTS_IO_TLS_STAGE_H
#define TESTS_IO_TLS_STAGE_H

#include "io/pair.h"

#include <netinet/in.h>

#include "io/certificates.h"
#include "io/system.h"
#include "support/live.h"

/* One side's part of a handshake. */
struct side {
    tusk_stream *stream;
    tusk_tls_context *context;
    struct tusk_start_tls_options options;
    /* What start_tls returned, and the message that came with it. */
    int rc;
    char message[160];
};

static STAGE_UNUSED int side_start(void *arg)
{
    struct side *side = arg;

    side->rc = (tusk_stream_start_tls)(side->stream, side->context, &side->options);
    side->message[0] = '\0';
    if (side->rc < 0 && tusk_message())
        snprintf(side->message, sizeof side->message, "%s", tusk_message());
    return 0;
}

/*
 * Both sides shake hands at the same time; what came of it stands in them. Both have ended when it
 * returns.
 */
static STAGE_UNUSED int shake_hands(struct side *client, struct side *server)
{
    tusk_task *task = tusk_create_task(side_start, server, .name = "server");
    int rc;

    side_start(client);
    rc = tusk_await(task);
    return rc;
}

/* Handshakes of a pair with these contexts, for this host. 0, or the first error of both. */
static STAGE_UNUSED int pair_start_tls(struct pair *pair, tusk_tls_context *client, tusk_tls_context *server,
                                       const char *hostname)
{
    struct side left = {.stream = pair->left, .context = client, .options.server_hostname = hostname};
    struct side right = {.stream = pair->right, .context = server};

    tusk_try(shake_hands(&left, &right));
    return left.rc < 0 ? left.rc : right.rc;
}

/* The contexts that most tests use. */
static STAGE_UNUSED tusk_tls_context *new_client(void)
{
    return tusk_tls_context_create(.ca_file = pem("ca.pem"));
}

static STAGE_UNUSED tusk_tls_context *new_server(void)
{
    return tusk_tls_context_create(.server_side = true, .certificate_file = pem("server.pem"));
}

/* A pair whose ends are connected by TCP. */
static STAGE_UNUSED int pair_open_tcp(struct pair *pair)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *generic = (struct sockaddr *)&address;
    socklen_t size = sizeof address;
    int listener = tusk_socket(AF_INET, SOCK_STREAM, 0);

    tusk_try(tusk_bind(listener, generic, size));
    tusk_try(tusk_listen(listener, 0));
    tusk_try(tusk__system_of(tusk_get_running_loop())->getsockname(listener, generic, &size));
    pair->fds[0] = tusk_socket(AF_INET, SOCK_STREAM, 0);
    tusk_try(tusk_connect(pair->fds[0], generic, size));
    pair->fds[1] = tusk_accept(listener, NULL, NULL);
    tusk_close(listener);
    tusk_try(tusk_open_stream(pair->fds[0], &pair->left));
    return tusk_open_stream(pair->fds[1], &pair->right);
}

/* A pair inside of TLS, with contexts of its own that are released already. */
static STAGE_UNUSED int pair_open_tls_on(struct pair *pair, int (*open)(struct pair *pair))
{
    tusk_tls_context *client = new_client();
    tusk_tls_context *server = new_server();
    int rc = open(pair);

    if (rc == 0)
        rc = pair_start_tls(pair, client, server, "localhost");
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    return rc;
}

static STAGE_UNUSED int pair_open_tls(struct pair *pair)
{
    return pair_open_tls_on(pair, pair_open);
}

/* Both sides close, and wait until it is done: the first error of both. */
static STAGE_UNUSED int pair_say_goodbye(struct pair *pair)
{
    int left;
    int right;

    tusk_stream_close(pair->left);
    tusk_stream_close(pair->right);
    left = tusk_stream_wait_closed(pair->left);
    right = tusk_stream_wait_closed(pair->right);
    pair_close(pair);
    return left < 0 ? left : right;
}

/* A fact about a stream as text; "-" if it has none. Valid until the fourth call after this one. */
static STAGE_UNUSED const char *fact(const tusk_stream *stream, const char *name)
{
    static char texts[4][256];
    static int next;
    char *text = texts[next++ % 4];
    size_t size = sizeof texts[0];

    return tusk_stream_get_extra_info(stream, name, text, &size) == 0 ? text : "-";
}

static STAGE_UNUSED int fact_int(const tusk_stream *stream, const char *name)
{
    int number = -1;
    size_t size = sizeof number;

    return tusk_stream_get_extra_info(stream, name, &number, &size) == 0 ? number : -1;
}

/* Sends a text one way, and expects it at the other end. */
static STAGE_UNUSED int pass_text(tusk_stream *from, tusk_stream *to, const char *text)
{
    char buffer[64] = "";
    size_t length = strlen(text);

    tusk_try(send_text(from, text));
    expect_int(tusk_stream_readexactly(to, buffer, length), length);
    expect_text(buffer, text);
    return 0;
}

static STAGE_UNUSED int pass_both_ways(struct pair *pair)
{
    tusk_try(pass_text(pair->left, pair->right, "from the client"));
    return pass_text(pair->right, pair->left, "from the server");
}

/* Much data both ways at once, in pieces of random sizes. */
struct bulk {
    tusk_stream *stream;
    size_t total;
    uint64_t seed;
};

/* Bytes that both sides know, by their place. */
static STAGE_UNUSED char byte_at(size_t place)
{
    return (char)((place * 2654435761U) >> 13);
}

static STAGE_UNUSED int send_bulk(void *arg)
{
    struct bulk *bulk = arg;
    static char data[2][300000];
    char *mine = data[bulk->seed & 1];
    uint64_t seed = bulk->seed;
    size_t done = 0;

    while (done < bulk->total) {
        size_t most = live_random(&seed) % 4 == 0 ? sizeof data[0] : 2000;
        size_t size = 1 + live_random(&seed) % most;

        size = size < bulk->total - done ? size : bulk->total - done;
        for (size_t i = 0; i < size; i++)
            mine[i] = byte_at(done + i);
        tusk_try(tusk_stream_write(bulk->stream, mine, size));
        done += size;
    }
    return 0;
}

static STAGE_UNUSED int receive_bulk(void *arg)
{
    struct bulk *bulk = arg;
    char buffer[40000];
    uint64_t seed = bulk->seed + 77;
    size_t done = 0;

    while (done < bulk->total) {
        ssize_t count = tusk_stream_read(bulk->stream, buffer, 1 + live_random(&seed) % sizeof buffer);

        if (count <= 0)
            return tusk_raise(-EIO, "read returned %zd after %zu bytes", count, done);
        for (ssize_t i = 0; i < count; i++)
            if (buffer[i] != byte_at(done + (size_t)i))
                return tusk_raise(-EIO, "a wrong byte at %zu", done + (size_t)i);
        done += (size_t)count;
    }
    return 0;
}

static STAGE_UNUSED int bulk_both_ways(struct pair *pair, size_t total, uint64_t seed)
{
    struct bulk jobs[4] = {{pair->left, total, seed & ~(uint64_t)1},
                           {pair->left, total, seed},
                           {pair->right, total, seed | 1},
                           {pair->right, total, seed}};
    tusk_task *tasks[4];

    for (int i = 0; i < 4; i++)
        tasks[i] = tusk_create_task(i % 2 ? receive_bulk : send_bulk, &jobs[i]);
    return tusk_await(tusk_gather(tasks, 4));
}

/* The message has these words in it. */
#define expect_words(message, words)                                                                         \
    do {                                                                                                     \
        const char *stage_message = (message);                                                               \
        if (!stage_message || !strstr(stage_message, (words)))                                               \
            stage_text_failed(#message, stage_message, (words), __LINE__);                                   \
    } while (0)

#endif
