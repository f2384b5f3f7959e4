/*
 * TLS on system calls that are counted, or fail; and without memory.
 */
#ifdef TUSK_HAVE_OPENSSL
#include "io/tls_stage.h"

#include "loop/poll/simulated.h"

/* ---- system calls that are looked at ---- */

/* The loop's own calls. */
static struct tusk__system own;

static struct {
    int receives;
    int sends;
    /* Of both, those that came in vain. */
    int vain;
    /* Counts down to the call that fails; 0: none does. */
    long until_failure;
    bool failed;
} calls;

static ssize_t account(ssize_t rc)
{
    calls.vain += rc == -EAGAIN;
    return rc;
}

static bool fails_now(void)
{
    if (calls.until_failure == 0 || --calls.until_failure > 0)
        return false;
    calls.failed = true;
    return true;
}

static ssize_t counted_recv(int fd, void *buffer, size_t size, int flags)
{
    calls.receives++;
    return fails_now() ? -EIO : account(own.recv(fd, buffer, size, flags));
}

static ssize_t counted_send(int fd, const void *data, size_t size, int flags)
{
    calls.sends++;
    return fails_now() ? -EIO : account(own.send(fd, data, size, flags));
}

/* The running loop makes its calls by way of these from here on. */
static void look_at_calls(void)
{
    static struct tusk__system system;
    static struct tusk__poll_backend backend;
    struct tusk_loop *loop = tusk_get_running_loop();

    if (loop->poller.backend != &backend) {
        own = *tusk__system_of(loop);
        backend = *loop->poller.backend;
    }
    system = own;
    system.recv = counted_recv;
    system.send = counted_send;
    backend.system = &system;
    loop->poller.backend = &backend;
    memset(&calls, 0, sizeof calls);
}

enum { ROUNDS = 100 };

/* One call for what is sent, and one for what is received, and none in vain. */
static int economy(void *arg)
{
    struct pair pair;

    (void)arg;
    tusk_try(pair_open_tls_on(&pair, pair_open_tcp));
    tusk_try(pass_both_ways(&pair));
    look_at_calls();
    for (int i = 0; i < ROUNDS; i++)
        tusk_try(pass_both_ways(&pair));
    expect_int(calls.sends, 2 * ROUNDS);
    expect_int(calls.receives, 2 * ROUNDS);
    expect_int(calls.vain, 0);
    return pair_say_goodbye(&pair);
}

static int reply(void *arg)
{
    char byte;

    for (int i = 0; i < ROUNDS; i++) {
        tusk_try((int)tusk_stream_readexactly(arg, &byte, 1));
        tusk_try(tusk_stream_write(arg, &byte, 1));
    }
    return 0;
}

/* The same when both have to wait for each other. */
static int economy_of_waiting(void *arg)
{
    struct pair pair;
    tusk_task *task;
    char byte = 'x';

    (void)arg;
    tusk_try(pair_open_tls_on(&pair, pair_open_tcp));
    tusk_try(pass_both_ways(&pair));
    task = tusk_create_task(reply, pair.right);
    look_at_calls();
    for (int i = 0; i < ROUNDS; i++) {
        tusk_try(tusk_stream_write(pair.left, &byte, 1));
        expect_int(tusk_stream_readexactly(pair.left, &byte, 1), 1);
    }
    tusk_try(tusk_await(task));
    expect_int(calls.sends, 2 * ROUNDS);
    /* The poller may tell once of what was read before. */
    expect_int(calls.receives - calls.vain, 2 * ROUNDS);
    expect(calls.vain <= tusk_get_running_loop()->poller.backend->vague);
    return pair_say_goodbye(&pair);
}

/* The whole of a handshake: each flight is one call, and each of the two tickets of the server's. */
static int economy_of_handshakes(void *arg)
{
    struct pair pair;

    (void)arg;
    look_at_calls();
    tusk_try(pair_open_tls_on(&pair, pair_open_tcp));
    print_message("a handshake: %d sends, %d receives, %d in vain\n", calls.sends, calls.receives,
                  calls.vain);
    expect(calls.sends <= 5);
    expect(calls.receives <= 5);
    expect(calls.vain <= 2);
    return pair_say_goodbye(&pair);
}

static void test_economy(void **state)
{
    (void)state;
    play_quietly(economy);
    play_quietly(economy_of_waiting);
    play_quietly(economy_of_handshakes);
}

/* ---- system calls that fail ---- */

static bool is_end(int rc)
{
    return rc == -EIO || rc == TUSK_TLS_EOF || rc == -EPIPE || rc == -ECONNRESET || rc == TUSK_STREAM_CLOSED;
}

static int talk_till_failure(struct pair *pair)
{
    char word[8];

    struct iovec pieces[] = {{(void *)"wo", 2}, {(void *)"rd", 2}};

    for (int i = 0; i < 3; i++) {
        tusk_try(tusk_stream_writelines(pair->left, pieces, 2));
        tusk_try((int)tusk_stream_readexactly(pair->right, word, 4));
        tusk_try(send_text(pair->right, "word"));
        tusk_try((int)tusk_stream_readexactly(pair->left, word, 4));
    }
    return 0;
}

/* The nth call fails, and so does what made it; nothing hangs, nothing is left. */
static int fail_call(void *arg)
{
    long n = *(const long *)arg;
    struct pair pair;
    tusk_tls_context *client = new_client();
    tusk_tls_context *server = new_server();
    struct side left = {.context = client, .options.server_hostname = "localhost"};
    struct side right = {.context = server};
    int rc = 0;

    tusk_try(pair_open(&pair));
    left.stream = pair.left;
    right.stream = pair.right;
    look_at_calls();
    calls.until_failure = n;
    tusk_try(shake_hands(&left, &right));
    if (left.rc < 0 || right.rc < 0) {
        expect(left.rc == 0 || is_end(left.rc));
        expect(right.rc == 0 || is_end(right.rc));
        expect(left.rc == -EIO || right.rc == -EIO);
    } else {
        rc = talk_till_failure(&pair);
        expect(rc == 0 || rc == -EIO);
    }
    tusk_stream_close(pair.left);
    tusk_stream_close(pair.right);
    expect(tusk_stream_wait_closed(pair.left) <= 0);
    expect(tusk_stream_wait_closed(pair.right) <= 0);
    pair_close(&pair);
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    return calls.failed;
}

static void test_failing_calls(void **state)
{
    long n = 1;

    (void)state;
    while (play_with(fail_call, &n, false) == 1)
        assert_true(++n < 1000);
    print_message("%ld calls\n", n - 1);
    assert_true(n > 15);
}

/* ---- any network ---- */

/* Sockets that take and give what they like, when they like; and are reset now and then. */
struct weather {
    uint64_t seed;
    int resets;
};

static int bulk_in(void *arg)
{
    const struct weather *weather = arg;
    struct tusk__simulated_options options = tusk__simulated_defaults(weather->seed);
    struct pair pair;

    options.resets = weather->resets;
    tusk_try(tusk__simulated_configure(&tusk_get_running_loop()->poller, &options));
    tusk_try(pair_open_tls_on(&pair, pair_open));
    tusk_try(bulk_both_ways(&pair, 100000, weather->seed));
    tusk_stream_close(pair.left);
    tusk_stream_close(pair.right);
    tusk_try(tusk_stream_wait_closed(pair.left));
    tusk_try(tusk_stream_wait_closed(pair.right));
    pair_close(&pair);
    return 0;
}

static void test_any_network(void **state)
{
    uint64_t seed = live_seed();

    (void)state;
    stage_clean();
    for (size_t i = 0; i < many(400, 20); i++) {
        struct weather weather = {live_random(&seed) | 1, i % 4 == 3 ? 5 : 0};
        size_t live = tusk__live();
        int rc = tusk_run(bulk_in, &weather, .clock = TUSK_CLOCK_VIRTUAL, .poller = "simulated",
                          .schedule_seed = weather.seed);

        if (rc < 0 && !(weather.resets && is_end(rc)))
            fail_msg("%s in network %llu", tusk_errorname(rc), (unsigned long long)weather.seed);
        assert_int_equal(tusk__live(), live);
    }
}

/* ---- no memory ---- */

/* Without a task for one side, the other waits for it in vain. */
static bool is_for_lack_of_memory(int rc)
{
    return rc >= 0 || rc == -ETIMEDOUT || rc == -ENOMEM || rc == -EMFILE || rc == -ENOSPC || is_end(rc);
}

static int one_connection(void *arg)
{
    struct pair pair = {0};
    tusk_tls_context *client = tusk_tls_context_create(.ca_file = pem("ca.pem"), .alpn = "h2");
    tusk_tls_context *server =
        tusk_tls_context_create(.server_side = true, .certificate_file = pem("server.pem"), .alpn = "h2");
    int rc = client && server ? pair_open(&pair) : tusk_last_error();

    (void)arg;
    if (rc == 0)
        rc = pair_start_tls(&pair, client, server, "localhost");
    if (rc == 0)
        rc = talk_till_failure(&pair);
    if (!is_for_lack_of_memory(rc))
        stage_failed("the result", rc, -ENOMEM, __LINE__);
    if (!pair.left && pair.fds[0] > 0)
        tusk_close(pair.fds[0]);
    if (!pair.right && pair.fds[1] > 0)
        tusk_close(pair.fds[1]);
    pair_close(&pair);
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    return 0;
}

static void test_no_memory(void **state)
{
    long n;

    (void)state;
    stage_clean();
    for (n = 1; n < 1000; n++) {
        size_t live = tusk__live();
        size_t descriptors = open_descriptors();
        bool reached;
        int rc;

        tusk__fail_after(n);
        rc = tusk_run(one_connection, NULL, .clock = TUSK_CLOCK_VIRTUAL);
        reached = atomic_load(&tusk__fail_countdown) == 0;
        tusk__fail_after(0);
        if (!is_for_lack_of_memory(rc) && rc != -ECANCELED)
            fail_msg("the failure of operation %ld gave %s", n, tusk_errorname(rc));
        if (tusk__live() != live || open_descriptors() != descriptors)
            fail_msg("something is left after the failure of operation %ld", n);
        assert_int_equal(stage_failures, 0);
        if (!reached)
            break;
    }
    print_message("%ld operations\n", n - 1);
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_economy),
        cmocka_unit_test(test_failing_calls),
        cmocka_unit_test(test_any_network),
        cmocka_unit_test(test_no_memory),
    };

    make_certificates();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
#include "io/no_tls.h"
#endif
