/*
 * From plain to TLS: when it can begin, what becomes of plain data, and what comes in between.
 */
#ifdef TUSK_HAVE_OPENSSL
#include "io/tls_stage.h"

#include <openssl/err.h>

/* ---- after plain text ---- */

/* What a server of mail does: a greeting, a command, and then TLS. */
static int serve_mail(void *arg)
{
    struct side *side = arg;
    const char *line;
    ssize_t length;

    tusk_try(send_text(side->stream, "220 welcome\r\n"));
    length = tusk_stream_readline(side->stream, &line);
    expect_lent(line, length, "STARTTLS\r\n");
    tusk_try(send_text(side->stream, "220 go on\r\n"));
    tusk_try(side_start(side));
    if (side->rc < 0)
        return side->rc;
    length = tusk_stream_readline(side->stream, &line);
    if (length < 0)
        return (int)length;
    expect_lent(line, length, "MAIL\r\n");
    return send_text(side->stream, "250 ok\r\n");
}

struct mail {
    struct pair pair;
    struct side server;
    tusk_tls_context *client;
    tusk_task *task;
};

static int mail_open(struct mail *mail)
{
    *mail = (struct mail){.server.context = new_server(), .client = new_client()};
    tusk_try(pair_open(&mail->pair));
    mail->server.stream = mail->pair.right;
    mail->task = tusk_create_task(serve_mail, &mail->server);
    return 0;
}

static void mail_close(struct mail *mail)
{
    tusk_tls_context_release(mail->client);
    tusk_tls_context_release(mail->server.context);
    pair_close(&mail->pair);
}

static void expect_line(tusk_stream *stream, const char *wanted)
{
    const char *line;
    ssize_t length = tusk_stream_readline(stream, &line);

    expect_lent(line, length, wanted);
}

static int after_plain_text(void *arg)
{
    struct mail mail;
    tusk_stream *client;

    (void)arg;
    tusk_try(mail_open(&mail));
    client = mail.pair.left;
    expect_line(client, "220 welcome\r\n");
    tusk_try(send_text(client, "STARTTLS\r\n"));
    expect_line(client, "220 go on\r\n");
    tusk_try(tusk_stream_start_tls(client, mail.client, .server_hostname = "localhost"));
    tusk_try(send_text(client, "MAIL\r\n"));
    expect_line(client, "250 ok\r\n");
    expect_int(tusk_await(mail.task), 0);
    mail_close(&mail);
    return 0;
}

static void test_after_plain_text(void **state)
{
    (void)state;
    play_quietly(after_plain_text);
}

/* A client that does not wait for the answer: its first flight lies in the server's buffer already. */
static int hurry(void *arg)
{
    struct mail mail;
    tusk_stream *client;
    struct side side;
    tusk_task *hand;
    char raw[2048];
    ssize_t size;

    (void)arg;
    tusk_try(mail_open(&mail));
    client = mail.pair.left;
    expect_line(client, "220 welcome\r\n");
    /* The beginning of a handshake, recorded from a pair of descriptors. */
    {
        struct pair other;

        tusk_try(pair_open(&other));
        side = (struct side){other.left, mail.client, {.server_hostname = "localhost"}, 0, ""};
        hand = tusk_create_task(side_start, &side);
        tusk_try(tusk_sleep(0.1));
        size = tusk_stream_read(other.right, raw, sizeof raw);
        expect(size > 100);
        tusk_stream_abort(other.right);
        tusk_try(tusk_await(hand));
        expect(side.rc < 0);
        pair_close(&other);
    }
    tusk_try(tusk_stream_writelines(client,
                                    (struct iovec[]){{(void *)"STARTTLS\r\n", 10}, {raw, (size_t)size}}, 2));
    expect_line(client, "220 go on\r\n");
    /* The server's first record is its answer to that flight: it took those bytes for TLS. */
    expect_int(tusk_stream_readexactly(client, raw, 6), 6);
    expect_int(raw[0], 22);
    expect_int(raw[5], 2);
    tusk_stream_abort(client);
    expect(tusk_await(mail.task) < 0);
    mail_close(&mail);
    return 0;
}

static void test_hurry(void **state)
{
    (void)state;
    play_quietly(hurry);
}

/* Plain text that somebody put behind the command must never come out as data. */
static int injection(void *arg)
{
    struct mail mail;
    tusk_stream *client;
    char byte;

    (void)arg;
    tusk_try(mail_open(&mail));
    client = mail.pair.left;
    expect_line(client, "220 welcome\r\n");
    tusk_try(send_text(client, "STARTTLS\r\nMAIL\r\n"));
    expect_line(client, "220 go on\r\n");
    expect(tusk_stream_start_tls(client, mail.client, .server_hostname = "localhost") < 0);
    expect_int(tusk_await(mail.task), TUSK_TLS_FAILED);
    expect_words(mail.server.message, "TLS handshake: wrong version number");
    expect_int(tusk_stream_read(mail.pair.right, &byte, 1), TUSK_TLS_FAILED);
    mail_close(&mail);
    return 0;
}

static void test_injection(void **state)
{
    (void)state;
    play_quietly(injection);
}

/* The same from a server to its client, whose handshake must fail, and not the text be read after it. */
static int injection_to_client(void *arg)
{
    struct pair pair;
    tusk_tls_context *client = new_client();
    const char *line;
    ssize_t length;

    (void)arg;
    tusk_try(pair_open(&pair));
    tusk_try(send_text(pair.right, "220 go on\r\n250 all is well\r\n"));
    length = tusk_stream_readline(pair.left, &line);
    expect_lent(line, length, "220 go on\r\n");
    expect_int(tusk_stream_start_tls(pair.left, client, .server_hostname = "localhost"), TUSK_TLS_FAILED);
    expect_int(tusk_stream_readline(pair.left, &line), TUSK_TLS_FAILED);
    tusk_tls_context_release(client);
    pair_close(&pair);
    return 0;
}

static void test_injection_to_client(void **state)
{
    (void)state;
    play_quietly(injection_to_client);
}

/* ---- large plain data before, other tasks meanwhile ---- */

enum { LARGE = 300000 };

static int write_large(void *arg)
{
    static char data[LARGE];

    return tusk_stream_write(arg, data, sizeof data);
}

static int write_word(void *arg)
{
    return send_text(arg, "word");
}

static int read_plain_then_tls(void *arg)
{
    struct side *side = arg;
    static char data[LARGE];

    expect_int(tusk_stream_readexactly(side->stream, data, LARGE), LARGE);
    return side_start(side);
}

/*
 * What was written before goes in plain; what other tasks write after the call waits, and goes
 * inside. Also while the plain rest is on its way.
 */
static int writers_with(size_t high)
{
    struct pair pair;
    tusk_tls_context *client = new_client();
    tusk_tls_context *server = new_server();
    struct side right;
    tusk_task *tasks[3];
    char word[8] = "";

    tusk_try(pair_open(&pair));
    tusk_try(tusk_stream_set_write_buffer_limits(pair.left, high, high / 4));
    right = (struct side){.stream = pair.right, .context = server};
    tasks[0] = tusk_create_task(write_large, pair.left);
    tasks[1] = tusk_create_task(read_plain_then_tls, &right);
    tusk_try(tusk_sleep(0));
    tasks[2] = tusk_create_task(write_word, pair.left);
    expect_int(tusk_stream_start_tls(pair.left, client, .server_hostname = "localhost"), 0);
    tusk_try(tusk_await(tusk_gather(tasks, 3)));
    expect_int(right.rc, 0);
    expect_int(tusk_stream_readexactly(pair.right, word, 4), 4);
    expect_text(word, "word");
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    return pair_say_goodbye(&pair);
}

static int writers(void *arg)
{
    (void)arg;
    tusk_try(writers_with(65536));
    return writers_with(10 * LARGE);
}

static void test_writers(void **state)
{
    (void)state;
    play_quietly(writers);
}

/* ---- what cannot begin leaves the stream as it was ---- */

static int read_a_word(void *arg)
{
    char word[8] = "";

    expect_int(tusk_stream_readexactly(arg, word, 4), 4);
    expect_text(word, "word");
    return 0;
}

static const char *const bad_names[] = {
    ".example.org",
    "two words",
    "m\xc3\xbcller.example",
    "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
    "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
    "123456789012345678901234567890123456789012345678901234",
};

static void try_bad_names(tusk_stream *stream, tusk_tls_context *client)
{
    for (size_t i = 0; i < sizeof bad_names / sizeof bad_names[0]; i++) {
        expect_int(tusk_stream_start_tls(stream, client, .server_hostname = bad_names[i]), -EINVAL);
        expect_words(tusk_message(), "server_hostname");
    }
}

static int refusals(void *arg)
{
    struct pair pair;
    tusk_tls_context *client = new_client();
    tusk_tls_context *server = new_server();
    tusk_task *reader;

    (void)arg;
    tusk_try(pair_open(&pair));
    expect_int(tusk_stream_start_tls(NULL, client), -EINVAL);
    expect_int(tusk_stream_start_tls(pair.left, NULL), -EINVAL);
    expect_int((tusk_stream_start_tls)(pair.left, client, NULL), -EINVAL);
    expect_words(tusk_message(), "needs a server_hostname");
    expect_int(tusk_stream_start_tls(pair.left, server, .server_hostname = "localhost"), -EINVAL);
    expect_int(tusk_stream_start_tls(pair.left, server, .handshake_timeout = -1), -EINVAL);
    expect_int(tusk_stream_start_tls(pair.left, server, .shutdown_timeout = (double)NAN), -EINVAL);
    try_bad_names(pair.left, client);

    reader = tusk_create_task(read_a_word, pair.left);
    tusk_try(tusk_sleep(0));
    expect_int(tusk_stream_start_tls(pair.left, server), TUSK_INVALID_STATE);
    tusk_try(send_text(pair.right, "word"));
    tusk_try(tusk_await(reader));

    tusk_try(pass_both_ways(&pair));
    tusk_try(pair_start_tls(&pair, client, server, "localhost"));
    expect_int(tusk_stream_start_tls(pair.left, client, .server_hostname = "localhost"), TUSK_INVALID_STATE);
    tusk_try(pass_both_ways(&pair));
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    return pair_say_goodbye(&pair);
}

static void test_refusals(void **state)
{
    (void)state;
    play_quietly(refusals);
}

static int no_socket(void *arg)
{
    tusk_tls_context *server = new_server();
    tusk_stream *stream;
    struct pair pair;
    int ends[2];

    (void)arg;
    tusk_try(tusk_pipe(ends));
    tusk_try(tusk_open_stream(ends[0], &stream));
    expect_int(tusk_stream_start_tls(stream, server), -ENOTSUP);
    tusk_stream_release(stream);
    tusk_close(ends[1]);

    tusk_try(pair_open(&pair));
    tusk_try(tusk_stream_write_eof(pair.left));
    expect_int(tusk_stream_start_tls(pair.left, server), TUSK_INVALID_STATE);
    tusk_stream_close(pair.left);
    expect_int(tusk_stream_start_tls(pair.left, server), TUSK_STREAM_CLOSED);
    pair_close(&pair);
    tusk_tls_context_release(server);
    return 0;
}

static void test_no_socket(void **state)
{
    (void)state;
    play_quietly(no_socket);
}

static int no_client(tusk_stream *stream, void *arg)
{
    (void)stream;
    (void)arg;
    return 0;
}

/* A context for the other side is told off before anything is sent. */
static int wrong_side(void *arg)
{
    tusk_tls_context *client = new_client();
    tusk_tls_context *of_server = new_server();
    tusk_stream *stream;
    tusk_server *server;

    (void)arg;
    expect_int(tusk_open_connection("127.0.0.1", 1, &stream, .tls = of_server), -EINVAL);
    expect_words(tusk_message(), "a TLS context for servers, where one for clients is needed");
    expect_int(tusk_start_server(no_client, NULL, "127.0.0.1", 0, &server, .tls = client), -EINVAL);
    expect_words(tusk_message(), "a TLS context for clients, where one for servers is needed");
    tusk_tls_context_release(client);
    tusk_tls_context_release(of_server);
    return 0;
}

static void test_wrong_side(void **state)
{
    (void)state;
    play_quietly(wrong_side);
}

/* A server that says goodbye in place of hello, which is no handshake. */
static int goodbye_peer(void *arg)
{
    struct pair pair;
    tusk_tls_context *client = new_client();

    (void)arg;
    tusk_try(pair_open(&pair));
    tusk_try(tusk_stream_write(pair.right, "\x15\x03\x03\x00\x02\x01\x00", 7));
    expect_int(tusk_stream_start_tls(pair.left, client, .server_hostname = "localhost"), TUSK_TLS_EOF);
    expect_text(tusk_message(), "TLS handshake: the peer said goodbye");
    expect_int(tusk_stream_write(pair.left, "x", 1), TUSK_TLS_EOF);
    tusk_tls_context_release(client);
    pair_close(&pair);
    return 0;
}

static void test_goodbye_peer(void **state)
{
    (void)state;
    play_quietly(goodbye_peer);
}

/* A peer that speaks something else. */
static int plain_peer(void *arg)
{
    static const struct {
        const char *text;
        const char *words;
    } peers[] = {
        {"GET / HTTP/1.0\r\n\r\n", "http request"},
        {"hello, how are you?", "wrong version number"},
    };
    tusk_tls_context *server = new_server();

    (void)arg;
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        struct pair pair;

        tusk_try(pair_open(&pair));
        tusk_try(send_text(pair.left, peers[i].text));
        expect_int(tusk_stream_start_tls(pair.right, server), TUSK_TLS_FAILED);
        expect_words(tusk_message(), peers[i].words);
        pair_close(&pair);
    }
    tusk_tls_context_release(server);
    return 0;
}

static void test_plain_peer(void **state)
{
    (void)state;
    play_quietly(plain_peer);
}

/* ---- peers that say nothing, leave, or are left ---- */

static int silent_peer(void *arg)
{
    struct pair pair;
    tusk_tls_context *server = new_server();
    double start = tusk_loop_time(tusk_get_running_loop());
    char byte;

    (void)arg;
    tusk_try(pair_open(&pair));
    expect_int(tusk_stream_start_tls(pair.right, server), -ETIMEDOUT);
    expect_text(tusk_message(), "the TLS handshake took longer than 60 seconds");
    expect_int(tusk_loop_time(tusk_get_running_loop()) - start + 0.5, 60);
    expect_int(tusk_stream_read(pair.right, &byte, 1), -ETIMEDOUT);
    expect_int(tusk_stream_read(pair.left, &byte, 1), 0);
    pair_close(&pair);

    tusk_try(pair_open(&pair));
    tusk_try(send_text(pair.left, "\x16\x03\x01\x02"));
    start = tusk_loop_time(tusk_get_running_loop());
    expect_int(tusk_stream_start_tls(pair.right, server, .handshake_timeout = 5), -ETIMEDOUT);
    expect_int(tusk_loop_time(tusk_get_running_loop()) - start + 0.5, 5);
    pair_close(&pair);
    tusk_tls_context_release(server);
    return 0;
}

static void test_silent_peer(void **state)
{
    (void)state;
    play_quietly(silent_peer);
}

/* A slow peer has the whole handshake for its time, not each step. */
static int trickle(void *arg)
{
    for (int i = 0; i < 100; i++) {
        tusk_try(tusk_stream_write(arg, i == 0 ? "\x16" : i == 3 ? "\x01" : "\x03", 1));
        tusk_try(tusk_sleep(1));
    }
    return 0;
}

static int slow_peer(void *arg)
{
    struct pair pair;
    tusk_tls_context *server = new_server();
    tusk_task *task;

    (void)arg;
    tusk_try(pair_open(&pair));
    task = tusk_create_task(trickle, pair.left);
    expect_int(tusk_stream_start_tls(pair.right, server, .handshake_timeout = 10), -ETIMEDOUT);
    tusk_task_cancel(task);
    expect(tusk_await(task) < 0);
    tusk_tls_context_release(server);
    pair_close(&pair);
    return 0;
}

static void test_slow_peer(void **state)
{
    (void)state;
    play_quietly(slow_peer);
}

/* The peer leaves at different points of the handshake: cut off, or reset. */
static int leaving_peer(void *arg)
{
    struct pair pair;
    tusk_tls_context *client = new_client();

    (void)arg;
    tusk_try(pair_open(&pair));
    tusk_stream_close(pair.right);
    expect_int(tusk_stream_start_tls(pair.left, client, .server_hostname = "localhost"), -EPIPE);
    pair_close(&pair);

    tusk_try(pair_open(&pair));
    tusk_try(tusk_stream_write_eof(pair.right));
    expect_int(tusk_stream_start_tls(pair.left, client, .server_hostname = "localhost"), TUSK_TLS_EOF);
    expect_text(tusk_message(), "TLS handshake: the peer cut the connection off");
    pair_close(&pair);
    tusk_tls_context_release(client);
    return 0;
}

static void test_leaving_peer(void **state)
{
    (void)state;
    play_quietly(leaving_peer);
}

/* What somebody does to the client's side while it waits in its handshake, and what comes of it. */
enum disturbance { CANCEL, CLOSE, ABORT, RELEASE, CLOSE_NUMBER, DISTURBANCES };

static int disturb(enum disturbance what)
{
    static const int wanted[] = {-ECANCELED, TUSK_STREAM_CLOSED, TUSK_STREAM_CLOSED, TUSK_STREAM_CLOSED,
                                 -EBADF};
    struct pair pair;
    tusk_tls_context *client = new_client();
    struct side side = {.context = client, .options.server_hostname = "localhost"};
    tusk_task *task;
    char hello[2048];
    int rc;

    tusk_try(pair_open(&pair));
    side.stream = pair.left;
    task = tusk_create_task(side_start, &side);
    tusk_try(tusk_sleep(0.1));
    expect(tusk_stream_read(pair.right, hello, sizeof hello) > 100);
    if (what == CANCEL)
        tusk_task_cancel(task);
    else if (what == CLOSE)
        tusk_stream_close(pair.left);
    else if (what == ABORT)
        tusk_stream_abort(pair.left);
    else if (what == RELEASE)
        tusk_stream_release(pair.left);
    else
        tusk_close(pair.fds[0]);
    rc = tusk_await(task);
    expect_int(side.rc, wanted[what]);
    expect_int(rc, 0);
    if (what != RELEASE) {
        expect(tusk_stream_is_closing(pair.left));
        expect(tusk_stream_write(pair.left, "x", 1) < 0);
        tusk_stream_release(pair.left);
    }
    /* The peer sees the end at once. */
    expect(tusk_stream_read(pair.right, hello, sizeof hello) <= 0);
    tusk_stream_release(pair.right);
    tusk_tls_context_release(client);
    return 0;
}

static int disturbances(void *arg)
{
    (void)arg;
    for (int what = 0; what < DISTURBANCES; what++)
        tusk_try(disturb((enum disturbance)what));
    return 0;
}

static void test_disturbances(void **state)
{
    (void)state;
    play_quietly(disturbances);
}

/* Somebody else reads and writes meanwhile: he is told off, or waits, and the handshake goes on. */
static int bystander(void *arg)
{
    struct pair pair;
    tusk_tls_context *client = new_client();
    tusk_tls_context *server = new_server();
    struct side left = {.context = client, .options.server_hostname = "localhost"};
    struct side right = {.context = server};
    tusk_task *tasks[3];
    char word[8] = "";
    char byte;

    (void)arg;
    tusk_try(pair_open(&pair));
    left.stream = pair.left;
    right.stream = pair.right;
    tasks[0] = tusk_create_task(side_start, &left);
    tusk_try(tusk_sleep(0.1));
    tasks[2] = tusk_create_task(write_word, pair.left);
    tusk_try(tusk_sleep(0.1));
    expect(!tusk_future_done(tasks[2]));
    expect_int(tusk_stream_get_write_buffer_size(pair.left), 0);
    expect_int(tusk_stream_read(pair.left, &byte, 1), TUSK_INVALID_STATE);
    expect_int(tusk_stream_start_tls(pair.left, client, .server_hostname = "localhost"), TUSK_INVALID_STATE);
    expect_int(fact_int(pair.left, "session_reused"), -1);
    tasks[1] = tusk_create_task(side_start, &right);
    tusk_try(tusk_await(tusk_gather(tasks, 3)));
    expect_int(left.rc, 0);
    expect_int(right.rc, 0);
    expect_int(tusk_stream_readexactly(pair.right, word, 4), 4);
    expect_text(word, "word");
    tusk_try(pass_both_ways(&pair));
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    return pair_say_goodbye(&pair);
}

static void test_bystander(void **state)
{
    (void)state;
    play_quietly(bystander);
}

/* ---- server names ---- */

struct names {
    tusk_tls_context *second;
    tusk_stream *victim;
    int calls;
    char last[64];
};

static int read_a_byte(void *arg)
{
    char byte;

    return (int)tusk_stream_read(arg, &byte, 1);
}

static int choose(const char *server_name, tusk_tls_context **ret_context, void *arg)
{
    struct names *names = arg;

    names->calls++;
    snprintf(names->last, sizeof names->last, "%s", server_name ? server_name : "NULL");
    if (!server_name)
        return 0;
    if (strcmp(server_name, "second.example") == 0)
        *ret_context = names->second;
    /* Meanwhile another task tries to read, and OpenSSL's queue fills with errors of something else. */
    if (strcmp(server_name, "localhost") == 0) {
        tusk_task *task = tusk_create_task(read_a_byte, names->victim);

        tusk_try(tusk_sleep(1));
        expect_int(tusk_await(task), TUSK_INVALID_STATE);
        ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
    }
    if (strcmp(server_name, "abort.example") == 0) {
        tusk_try(tusk_sleep(1));
        tusk_stream_abort(names->victim);
    }
    if (strcmp(server_name, "close.example") == 0)
        tusk_stream_close(names->victim);
    if (strcmp(server_name, "null.example") == 0)
        *ret_context = NULL;
    return strcmp(server_name, "refused.example") == 0 ? tusk_raise(-EACCES, "not this one") : 0;
}

static const struct {
    const char *hostname;
    int client;
    int server;
    const char *last;
} named[] = {
    {"localhost", 0, 0, "localhost"},
    {"second.example", 0, 0, "second.example"},
    {"127.0.0.1", 0, 0, "NULL"},
    {"close.example", TUSK_TLS_CERTIFICATE, TUSK_STREAM_CLOSED, "close.example"},
    {"wrong.example", TUSK_TLS_CERTIFICATE, TUSK_TLS_FAILED, "wrong.example"},
    {"refused.example", TUSK_TLS_FAILED, -EACCES, "refused.example"},
    {"null.example", TUSK_TLS_FAILED, -EINVAL, "null.example"},
    {"abort.example", TUSK_TLS_EOF, TUSK_STREAM_CLOSED, "abort.example"},
};

static int try_name(struct names *names, tusk_tls_context *server, size_t i)
{
    struct pair pair;
    tusk_tls_context *client = new_client();
    struct side left = {.context = client, .options.server_hostname = named[i].hostname};
    struct side right = {.context = server};

    tusk_try(pair_open(&pair));
    left.stream = pair.left;
    right.stream = names->victim = pair.right;
    tusk_try(shake_hands(&left, &right));
    tusk_tls_context_release(client);
    expect_int(left.rc, named[i].client);
    expect_text(names->last, named[i].last);
    expect_int(right.rc, named[i].server);
    if (named[i].server == -EACCES)
        expect_text(right.message, "not this one");
    if (left.rc == 0 && right.rc == 0) {
        tusk_try(pass_both_ways(&pair));
        return pair_say_goodbye(&pair);
    }
    pair_close(&pair);
    return 0;
}

static int try_names(void *arg)
{
    struct names names = {0};
    tusk_tls_context *server =
        tusk_tls_context_create(.server_side = true, .certificate_file = pem("server.pem"), .sni = choose,
                                .sni_arg = &names);

    (void)arg;
    names.second =
        tusk_tls_context_create(.server_side = true, .certificate_file = pem("second.pem"), .alpn = "h2");
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
        tusk_try(try_name(&names, server, i));
    expect_int(names.calls, sizeof named / sizeof named[0]);
    tusk_tls_context_release(names.second);
    tusk_tls_context_release(server);
    expect(tusk_tls_context_create(.sni = choose) == NULL);
    return 0;
}

static void test_names(void **state)
{
    (void)state;
    play_quietly(try_names);
}

/* ---- ends of runs ---- */

/* Whatever state a stream is in when its loop closes, nothing is left of it. */
static int leave_open(void *arg)
{
    struct pair *pair = arg;

    tusk_try(pair_open_tls(&pair[0]));
    tusk_try(pass_both_ways(&pair[0]));
    /* One that waits for its peer's goodbye. */
    tusk_try(pair_open_tls(&pair[1]));
    tusk_stream_close(pair[1].left);
    /* One with more to send than the peer takes. */
    tusk_try(pair_open_tls(&pair[2]));
    for (int i = 0; i < 40; i++)
        tusk_try(tusk_stream_write(pair[2].left, pem("x"), 160));
    return 0;
}

static int leave_handshake(void *arg)
{
    static struct side side;
    struct pair *pair = arg;

    tusk_try(leave_open(arg));
    tusk_try(pair_open(&pair[3]));
    side = (struct side){pair[3].left, new_client(), {.server_hostname = "localhost"}, 0, ""};
    tusk_release(tusk_create_task(side_start, &side));
    tusk_try(tusk_sleep(0.1));
    tusk_tls_context_release(side.context);
    return 0;
}

static void test_leave_open(void **state)
{
    struct pair pairs[4];

    (void)state;
    assert_int_equal(play_with(leave_open, pairs, false), 0);
    assert_int_equal(play_with(leave_handshake, pairs, false), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_after_plain_text), cmocka_unit_test(test_hurry),
        cmocka_unit_test(test_injection),        cmocka_unit_test(test_injection_to_client),
        cmocka_unit_test(test_writers),          cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_socket),        cmocka_unit_test(test_plain_peer),
        cmocka_unit_test(test_wrong_side),       cmocka_unit_test(test_goodbye_peer),
        cmocka_unit_test(test_silent_peer),      cmocka_unit_test(test_slow_peer),
        cmocka_unit_test(test_leaving_peer),     cmocka_unit_test(test_disturbances),
        cmocka_unit_test(test_bystander),        cmocka_unit_test(test_names),
        cmocka_unit_test(test_leave_open),
    };

    make_certificates();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
#include "io/no_tls.h"
#endif
