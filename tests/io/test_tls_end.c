/*
 * How TLS ends: goodbyes, connections that are cut off, peers that are stuck. And that what was
 * written before the end arrives, in whatever portions the socket takes it.
 */
#ifdef TUSK_HAVE_OPENSSL
#include "io/tls_stage.h"

#include <sys/socket.h>

#include "io/ends.h"
#include "io/ways.h"

static double now(void)
{
    return tusk_loop_time(tusk_get_running_loop());
}

/* ---- goodbyes ---- */

static int write_then_close(void *arg)
{
    struct pair pair;
    char data[64];

    (void)arg;
    tusk_try(pair_open_tls(&pair));
    tusk_try(send_text(pair.left, "the last words"));
    tusk_stream_close(pair.left);
    expect_int(tusk_stream_read(pair.left, data, 1), TUSK_STREAM_CLOSED);
    expect_int(tusk_stream_write(pair.left, data, 1), TUSK_STREAM_CLOSED);
    expect_int(tusk_stream_readexactly(pair.right, data, 14), 14);
    expect_int(tusk_stream_read(pair.right, data, sizeof data), 0);
    expect_int(tusk_stream_read(pair.right, data, sizeof data), 0);
    return pair_say_goodbye(&pair);
}

/*
 * The other side has not heard of the end yet, and still writes: that is thrown away, and the end is
 * clean.
 */
static int write_to_closing(void *arg)
{
    struct pair pair;
    static char data[200000];

    (void)arg;
    tusk_try(pair_open_tls(&pair));
    tusk_stream_close(pair.left);
    tusk_try(tusk_stream_write(pair.right, data, sizeof data));
    tusk_stream_close(pair.right);
    expect_int(tusk_stream_wait_closed(pair.left), 0);
    expect_int(tusk_stream_wait_closed(pair.right), 0);
    pair_close(&pair);
    return 0;
}

static int no_half_close(void *arg)
{
    struct pair pair;

    (void)arg;
    tusk_try(pair_open(&pair));
    expect(tusk_stream_can_write_eof(pair.left));
    pair_close(&pair);
    tusk_try(pair_open_tls(&pair));
    expect(!tusk_stream_can_write_eof(pair.left));
    expect_int(tusk_stream_write_eof(pair.left), -ENOTSUP);
    expect_words(tusk_message(), "half-closed");
    tusk_try(pass_both_ways(&pair));
    return pair_say_goodbye(&pair);
}

static void test_goodbyes(void **state)
{
    (void)state;
    play_quietly(write_then_close);
    play_quietly(write_to_closing);
    play_quietly(no_half_close);
}

/* ---- peers that are stuck ---- */

/*
 * A peer that never answers the goodbye: 30 seconds, or what was asked for. All was sent, so it is no
 * error.
 */
static int deaf_peer(void *arg)
{
    struct pair pair;
    double start;

    (void)arg;
    tusk_try(pair_open_tls(&pair));
    start = now();
    tusk_stream_close(pair.left);
    expect_int(tusk_stream_wait_closed(pair.left), 0);
    expect_int(now() - start + 0.5, 30);
    pair_close(&pair);
    return 0;
}

static int patience(void *arg)
{
    struct pair pair;
    tusk_tls_context *client = new_client();
    tusk_tls_context *server = new_server();
    struct side left = {.context = client,
                        .options = {.server_hostname = "localhost", .shutdown_timeout = 2.5}};
    struct side right = {.context = server};
    double start;

    (void)arg;
    tusk_try(pair_open(&pair));
    left.stream = pair.left;
    right.stream = pair.right;
    tusk_try(shake_hands(&left, &right));
    start = now();
    tusk_stream_close(pair.left);
    expect_int(tusk_stream_wait_closed(pair.left), 0);
    expect_int(2 * (now() - start) + 0.5, 5);
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    pair_close(&pair);
    return 0;
}

/* Fills the socket until a write waits: what is left will never go. */
static int fill_up(tusk_stream *stream)
{
    static char data[20000];
    tusk_timeout timeout;
    int rc = 0;

    tusk_try(tusk_stream_set_write_buffer_limits(stream, 0, 0));
    tusk_try(tusk_timeout_enter(&timeout, 1));
    while (rc == 0)
        rc = tusk_stream_write(stream, data, sizeof data);
    return tusk_timeout_exit(&timeout, rc);
}

/* A peer that does not read: the goodbye cannot even be sent. */
static int stuck_peer(void *arg)
{
    struct pair pair;
    double start;

    (void)arg;
    tusk_try(pair_open_tls(&pair));
    expect_int(fill_up(pair.left), -ETIMEDOUT);
    start = now();
    tusk_stream_close(pair.left);
    expect_int(tusk_stream_wait_closed(pair.left), -ETIMEDOUT);
    expect_int(now() - start + 0.5, 30);
    pair_close(&pair);
    return 0;
}

/* A peer that never stops sending: there is an end to what is thrown away. */
static int write_forever(void *arg)
{
    static char data[50000];
    int rc = 0;

    while (rc == 0)
        rc = tusk_stream_write(arg, data, sizeof data);
    return rc < 0 ? 1 : 0;
}

static int chatty_peer(void *arg)
{
    struct pair pair;
    tusk_task *task;

    (void)arg;
    tusk_try(pair_open_tls(&pair));
    task = tusk_create_task(write_forever, pair.right);
    tusk_stream_close(pair.left);
    expect_int(tusk_stream_wait_closed(pair.left), 0);
    expect_int(tusk_await(task), 1);
    pair_close(&pair);
    return 0;
}

/* Nobody waits for anybody who has aborted. */
static int abort_while_closing(void *arg)
{
    struct pair pair;
    double start;

    (void)arg;
    tusk_try(pair_open_tls(&pair));
    start = now();
    tusk_stream_close(pair.left);
    tusk_try(tusk_sleep(1));
    tusk_stream_abort(pair.left);
    expect_int(tusk_stream_wait_closed(pair.left), 0);
    expect_int(now() - start + 0.5, 1);
    pair_close(&pair);
    return 0;
}

static void test_stuck_peers(void **state)
{
    (void)state;
    play_quietly(deaf_peer);
    play_quietly(patience);
    play_quietly(stuck_peer);
    play_quietly(chatty_peer);
    play_quietly(abort_while_closing);
}

/* ---- cut off ---- */

/* A wire between two pairs, that passes so many bytes from right to left, and then is cut. */
struct wire {
    int from;
    int to;
    /* Counts down; negative: no limit. */
    long left;
    /* Which byte is changed on the way, counted down as well, and how; negative: none. */
    long change;
    unsigned char mask;
};

static int pass_on(void *arg)
{
    struct wire *wire = arg;
    unsigned char data[4096];
    ssize_t count = 1;

    while (count > 0 && wire->left != 0) {
        size_t room = wire->left < 0 || (size_t)wire->left > sizeof data ? sizeof data : (size_t)wire->left;

        count = tusk_read(wire->from, data, room);
        if (count > 0 && wire->change >= 0 && wire->change < count)
            data[wire->change] ^= wire->mask;
        if (count > 0) {
            wire->change -= count;
            wire->left -= wire->left > 0 ? count : 0;
            if (tusk_sendall(wire->to, data, (size_t)count) < 0)
                break;
        }
    }
    tusk_close(wire->from);
    tusk_close(wire->to);
    return 0;
}

/* The sockets of a pair, with wires in between: what the right side sends goes along `back`. */
struct wired {
    struct pair pair;
    struct wire forth;
    struct wire back;
    tusk_task *tasks[2];
};

static int wired_open(struct wired *wired)
{
    int left[2];
    int right[2];

    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, left));
    tusk_try(tusk_socketpair(AF_UNIX, SOCK_STREAM, 0, right));
    tusk_try(tusk_open_stream(left[0], &wired->pair.left));
    tusk_try(tusk_open_stream(right[0], &wired->pair.right));
    wired->forth.from = left[1];
    wired->forth.to = right[1];
    wired->back.from = right[1];
    wired->back.to = left[1];
    wired->tasks[0] = tusk_create_task(pass_on, &wired->forth);
    wired->tasks[1] = tusk_create_task(pass_on, &wired->back);
    return 0;
}

static int wired_close(struct wired *wired)
{
    pair_close(&wired->pair);
    return tusk_await(tusk_gather(wired->tasks, 2));
}

/* Sends a thousand bytes as a server, then the goodbye. */
static int serve_thousand(void *arg)
{
    struct side *side = arg;
    char data[1000];

    memset(data, 'x', sizeof data);
    tusk_try(side_start(side));
    if (side->rc == 0)
        side->rc = tusk_stream_write(side->stream, data, sizeof data);
    tusk_stream_close(side->stream);
    return 0;
}

/* Reads all there is. Returns how it ended; *ret_count is how much there was. */
static int read_all(tusk_stream *stream, size_t *ret_count)
{
    char data[333];
    ssize_t count;

    *ret_count = 0;
    while ((count = tusk_stream_read(stream, data, sizeof data)) > 0)
        *ret_count += (size_t)count;
    return (int)count;
}

static struct {
    tusk_tls_context *client;
    tusk_tls_context *server;
    /* What was found out: the length of all that the server sends. */
    long length;
    int endings;
} cut;

/* The wire from the server is cut after so many bytes: nothing but the whole may look like the whole. */
static int cut_after(long bytes)
{
    struct wired wired = {.forth = {.left = -1, .change = -1}, .back = {.left = bytes, .change = -1}};
    struct side left = {.context = cut.client, .options.server_hostname = "localhost"};
    struct side right = {.context = cut.server};
    tusk_task *server;
    size_t count = 0;

    tusk_try(wired_open(&wired));
    left.stream = wired.pair.left;
    right.stream = wired.pair.right;
    server = tusk_create_task(serve_thousand, &right);
    tusk_try(side_start(&left));
    if (left.rc == 0)
        left.rc = read_all(left.stream, &count);
    if (left.rc == 0)
        cut.endings++;
    /* Cut just before the client's last word of the handshake, that word is in vain. */
    expect(left.rc == 0 ? count == 1000 : left.rc == TUSK_TLS_EOF || left.rc == -EPIPE);
    expect(tusk_await(server) == 0);
    return wired_close(&wired);
}

static int cut_everywhere(void *arg)
{
    long step = (long)many(7, 61);

    (void)arg;
    cut.client = new_client();
    cut.server = new_server();
    cut.endings = 0;
    for (long bytes = 1; bytes < 4000 && cut.endings < 3; bytes += step)
        tusk_try(cut_after(bytes));
    expect_int(cut.endings, 3);
    tusk_tls_context_release(cut.client);
    tusk_tls_context_release(cut.server);
    return 0;
}

static void test_cut_off(void **state)
{
    (void)state;
    play_quietly(cut_everywhere);
}

/*
 * One byte is changed on its way, in either direction: it ends in an error or does not matter, and
 * never in wrong data.
 */
static int change_byte(long place, unsigned char mask, bool forth)
{
    struct wired wired = {.forth = {.left = -1, .change = forth ? place : -1, .mask = mask},
                          .back = {.left = -1, .change = forth ? -1 : place, .mask = mask}};
    struct side left = {.context = cut.client, .options = {.server_hostname = "localhost"}};
    struct side right = {.context = cut.server};
    tusk_task *server;
    size_t count = 0;

    tusk_try(wired_open(&wired));
    left.stream = wired.pair.left;
    right.stream = wired.pair.right;
    server = tusk_create_task(serve_thousand, &right);
    tusk_try(side_start(&left));
    if (left.rc == 0)
        left.rc = read_all(left.stream, &count);
    expect(left.rc < 0 || count == 1000);
    tusk_stream_close(left.stream);
    expect(tusk_await(server) == 0);
    return wired_close(&wired);
}

static int change_everywhere(void *arg)
{
    uint64_t seed = live_seed();
    int rounds = (int)many(300, 40);

    (void)arg;
    cut.client = new_client();
    cut.server = new_server();
    for (int i = 0; i < rounds; i++) {
        uint64_t random = live_random(&seed);

        tusk_try(change_byte((long)(random % 2600), (unsigned char)(1U << (random >> 61)), random >> 60 & 1));
    }
    tusk_tls_context_release(cut.client);
    tusk_tls_context_release(cut.server);
    return 0;
}

static void test_changed(void **state)
{
    (void)state;
    play_quietly(change_everywhere);
}

/* ---- reset ---- */

static int reset(void *arg)
{
    struct pair pair;
    char byte;

    (void)arg;
    tusk_try(pair_open_tls_on(&pair, pair_open_tcp));
    tusk_stream_abort(pair.right);
    expect_int(tusk_stream_read(pair.left, &byte, 1), -ECONNRESET);
    expect_int(tusk_stream_read(pair.left, &byte, 1), -ECONNRESET);
    expect_int(tusk_stream_write(pair.left, &byte, 1), -ECONNRESET);
    expect_int(tusk_stream_wait_closed(pair.left), -ECONNRESET);
    pair_close(&pair);
    return 0;
}

static void test_reset(void **state)
{
    (void)state;
    play_quietly(reset);
}

/* Who can no longer write still reads what the peer has said before it went. */
static int last_answer(void *arg)
{
    static char data[100000];
    struct pair pair;
    char answer[16] = "";

    (void)arg;
    tusk_try(pair_open_tls(&pair));
    tusk_try(pass_both_ways(&pair));
    tusk_try(send_text(pair.right, "go away"));
    tusk_try(tusk_sleep(1));
    tusk_stream_abort(pair.right);
    tusk_try(tusk_sleep(1));
    expect(tusk_stream_write(pair.left, data, sizeof data) < 0);
    expect_int(tusk_stream_read(pair.left, answer, sizeof answer), 7);
    expect_text(answer, "go away");
    expect(tusk_stream_read(pair.left, answer, sizeof answer) < 0);
    pair_close(&pair);
    return 0;
}

static void test_last_answer(void **state)
{
    (void)state;
    play_quietly(last_answer);
}

/* ---- small sockets, and writers that give up ---- */

struct chatter {
    tusk_stream *stream;
    uint64_t seed;
    int messages;
};

/* Numbered messages of random sizes: "number:size:xxxx". Each write has little time. */
static int write_messages(void *arg)
{
    struct chatter *chatter = arg;
    static char text[40000];

    tusk_try(tusk_stream_set_write_buffer_limits(chatter->stream, sizeof text, 100));
    for (int i = 0; i < chatter->messages; i++) {
        size_t body = live_random(&chatter->seed) % (i % 7 == 0 ? 30000 : 300);
        int head = snprintf(text, sizeof text, "%d:%zu:|", i, body);
        tusk_timeout timeout;
        int rc;

        memset(text + head, 'x', body);
        tusk_try(tusk_timeout_enter(&timeout, (double)(live_random(&chatter->seed) % 3) / 10));
        rc = tusk_timeout_exit(&timeout, tusk_stream_write(chatter->stream, text, (size_t)head + body));
        if (rc < 0 && rc != -ETIMEDOUT)
            return rc;
    }
    tusk_stream_close(chatter->stream);
    return 0;
}

/* Each message that begins is whole, whatever became of the others. */
static int read_messages(tusk_stream *stream)
{
    static char body[40000];
    const char *head;
    ssize_t length;
    int last = -1;

    while ((length = tusk_stream_readuntil(stream, "|", &head)) > 0) {
        char text[32] = "";
        int number = 0;
        int size = -1;

        expect(length < (ssize_t)sizeof text);
        memcpy(text, head, (size_t)length < sizeof text ? (size_t)length : 0);
        expect_int(sscanf(text, "%d:%d:|", &number, &size), 2);
        expect(number > last);
        last = number;
        expect_int(tusk_stream_readexactly(stream, body, (size_t)size), size);
        for (int i = 0; i < size; i++)
            if (body[i] != 'x')
                return tusk_raise(-EIO, "message %d is broken at %d", number, i);
        /* Slower than the writer, but fast enough for its patience at the end. */
        tusk_try(tusk_sleep(0.1));
    }
    expect_int(length, TUSK_INCOMPLETE_READ);
    expect_int(tusk_stream_partial(stream), 0);
    return 0;
}

static int small_socket(void *arg)
{
    struct pair pair;
    struct chatter chatter = {.seed = live_seed(), .messages = (int)many(500, 60)};
    int size = 4096;
    tusk_task *writer;

    (void)arg;
    tusk_try(pair_open_tls(&pair));
    tusk__system_of(tusk_get_running_loop())
        ->setsockopt(pair.fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    chatter.stream = pair.left;
    writer = tusk_create_task(write_messages, &chatter);
    tusk_try(read_messages(pair.right));
    expect_int(tusk_await(writer), 0);
    return pair_say_goodbye(&pair);
}

static void test_small_socket(void **state)
{
    (void)state;
    play_quietly(small_socket);
}

/*
 * A writer of large data gives up in the middle, and another one goes on: what was begun stays as it
 * is, and what follows is whole. For OpenSSL alone that would be an error.
 */
static int change_of_mind(void *arg)
{
    static char data[400000];
    struct pair pair;
    tusk_timeout timeout;
    const char *line;
    ssize_t length;

    (void)arg;
    memset(data, 'x', sizeof data);
    tusk_try(pair_open_tls(&pair));
    tusk_try(tusk_timeout_enter(&timeout, 1));
    expect_int(tusk_timeout_exit(&timeout, tusk_stream_write(pair.left, data, sizeof data)), -ETIMEDOUT);
    tusk_try(send_text(pair.left, "the end\n"));
    tusk_stream_close(pair.left);
    while ((length = tusk_stream_readuntil(pair.right, "x", &line)) == 1)
        ;
    expect_int(length, TUSK_INCOMPLETE_READ);
    expect_lent(line, (ssize_t)tusk_stream_partial(pair.right), "the end\n");
    return pair_say_goodbye(&pair);
}

static void test_change_of_mind(void **state)
{
    (void)state;
    play_quietly(change_of_mind);
}

/* ---- doing nothing ---- */

static int every_way(void *arg)
{
    (void)arg;
    return ways_wait(pair_open_tls);
}

static void test_every_way_of_writing_obeys_the_mark(void **state)
{
    (void)state;
    play_quietly(every_way);
}

static int read_a_byte(void *arg)
{
    char byte;

    return (int)tusk_stream_read(arg, &byte, 1);
}

/* Both read, and could write at any time. */
static int idle_readers(void *arg)
{
    struct pair pair;
    tusk_task *left;
    tusk_task *right;

    (void)arg;
    tusk_try(pair_open_tls(&pair));
    tusk_try(pass_both_ways(&pair));
    left = tusk_create_task(read_a_byte, pair.left);
    right = tusk_create_task(read_a_byte, pair.right);
    tusk_try(tusk_sleep(1));
    mark();
    tusk_try(tusk_sleep(1000));
    expect(iterations() < 10);
    tusk_try(send_text(pair.left, "x"));
    tusk_try(send_text(pair.right, "x"));
    expect_int(tusk_await(left), 1);
    expect_int(tusk_await(right), 1);
    return pair_say_goodbye(&pair);
}

static void test_idle_readers_do_not_spin(void **state)
{
    (void)state;
    play_quietly(idle_readers);
}

/* A pair, one side of which waits for room, lets its loop sleep. */
static int idle(void *arg)
{
    struct pair pair;
    tusk_task *reader;
    uint64_t before;
    char byte;

    (void)arg;
    (void)byte;
    tusk_try(pair_open_tls(&pair));
    tusk_try(pass_both_ways(&pair));
    reader = tusk_create_task(write_forever, pair.left);
    tusk_try(tusk_sleep(1));
    before = tusk_get_running_loop()->iteration;
    tusk_try(tusk_sleep(1000));
    expect(tusk_get_running_loop()->iteration - before < 10);
    tusk_task_cancel(reader);
    expect_int(tusk_await(reader), 1);
    tusk_stream_abort(pair.left);
    pair_close(&pair);
    return 0;
}

static void test_idle(void **state)
{
    (void)state;
    play_quietly(idle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goodbyes),
        cmocka_unit_test(test_stuck_peers),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_last_answer),
        cmocka_unit_test(test_small_socket),
        cmocka_unit_test(test_change_of_mind),
        cmocka_unit_test(test_every_way_of_writing_obeys_the_mark),
        cmocka_unit_test(test_idle_readers_do_not_spin),
        cmocka_unit_test(test_idle),
    };

    make_certificates();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
#include "io/no_tls.h"
#endif
