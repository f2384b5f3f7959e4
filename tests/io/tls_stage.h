/*
 * Two streams that go over to TLS with each other, for the tests of TLS. The left one is the client.
 */
#ifndef TESTS_IO_TLS_STAGE_H
#define TESTS_IO_TLS_STAGE_H

#include "io/pair.h"

#include <netinet/in.h>

#include "io/certificates.h"

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

/* Both sides shake hands at the same time; what came of it stands in them. */
static STAGE_UNUSED int shake_hands(struct side *client, struct side *server)
{
    tusk_task *tasks[2];

    tasks[0] = tusk_create_task(side_start, client, .name = "client");
    tasks[1] = tusk_create_task(side_start, server, .name = "server");
    return tusk_await(tusk_gather(tasks, 2));
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

/* A pair inside of TLS, with contexts of its own that are released already. */
static STAGE_UNUSED int pair_open_tls(struct pair *pair)
{
    tusk_tls_context *client = new_client();
    tusk_tls_context *server = new_server();
    int rc = pair_open(pair);

    if (rc == 0)
        rc = pair_start_tls(pair, client, server, "localhost");
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    return rc;
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

/* The message has these words in it. */
#define expect_words(message, words)                                                                         \
    do {                                                                                                     \
        const char *stage_message = (message);                                                               \
        if (!stage_message || !strstr(stage_message, (words)))                                               \
            stage_text_failed(#message, stage_message, (words), __LINE__);                                   \
    } while (0)

#endif
