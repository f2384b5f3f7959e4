/*
 * Resumption: who goes on with what, and who must not. And contexts that many threads use.
 */
#ifdef TUSK_HAVE_OPENSSL
#include "io/tls_stage.h"

#include <pthread.h>

#include "io/tls/context.h"

/* One connection, with a few bytes for the tickets to come along: 1 if it was resumed, 0, or an error. */
static int connect_once(tusk_tls_context *client, tusk_tls_context *server, const char *hostname)
{
    struct pair pair;
    int reused;

    tusk_try(pair_open(&pair));
    tusk_try(pair_start_tls(&pair, client, server, hostname));
    tusk_try(pass_both_ways(&pair));
    reused = fact_int(pair.left, "session_reused");
    expect_int(fact_int(pair.right, "session_reused"), reused);
    tusk_try(pair_say_goodbye(&pair));
    return reused;
}

static int resume_with(enum tusk_tls_version version)
{
    tusk_tls_context *client = tusk_tls_context_create(.ca_file = pem("ca.pem"), .max_version = version);
    tusk_tls_context *other = tusk_tls_context_create(.ca_file = pem("ca.pem"), .max_version = version);
    tusk_tls_context *server = new_server();

    expect_int(connect_once(client, server, "localhost"), 0);
    expect_int(connect_once(client, server, "localhost"), 1);
    expect_int(connect_once(client, server, "localhost"), 1);
    /* Another name, another context, no name. */
    expect_int(connect_once(client, server, "two.example"), 0);
    expect_int(connect_once(other, server, "localhost"), 0);
    expect_int(connect_once(other, server, ""), 0);
    expect_int(connect_once(other, server, ""), 0);
    tusk_tls_context_release(server);
    /* Another server cannot read the ticket. */
    server = new_server();
    expect_int(connect_once(client, server, "localhost"), 0);
    expect_int(connect_once(client, server, "localhost"), 1);
    tusk_tls_context_release(client);
    tusk_tls_context_release(other);
    tusk_tls_context_release(server);
    return 0;
}

static int resume(void *arg)
{
    (void)arg;
    tusk_try(resume_with(TUSK_TLS_1_2));
    return resume_with(TUSK_TLS_1_3);
}

static void test_resume(void **state)
{
    (void)state;
    play_quietly(resume);
}

/* Either side may be against it. */
static int no_sessions(void *arg)
{
    tusk_tls_context *client = new_client();
    tusk_tls_context *server = new_server();
    tusk_tls_context *forgetful_client =
        tusk_tls_context_create(.ca_file = pem("ca.pem"), .no_sessions = true);
    tusk_tls_context *forgetful_server =
        tusk_tls_context_create(.server_side = true, .certificate_file = pem("server.pem"),
                                .no_sessions = true);

    (void)arg;
    for (int i = 0; i < 2; i++) {
        expect_int(connect_once(forgetful_client, server, "localhost"), 0);
        expect_int(connect_once(client, forgetful_server, "localhost"), 0);
    }
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    tusk_tls_context_release(forgetful_client);
    tusk_tls_context_release(forgetful_server);
    return 0;
}

static void test_no_sessions(void **state)
{
    (void)state;
    play_quietly(no_sessions);
}

/* A resumed connection is that of the certificate that was shown before. */
static int resume_with_certificates(void *arg)
{
    tusk_tls_context *client =
        tusk_tls_context_create(.ca_file = pem("ca.pem"), .certificate_file = pem("client.pem"));
    tusk_tls_context *server =
        tusk_tls_context_create(.server_side = true, .certificate_file = pem("server.pem"),
                                .ca_file = pem("ca.pem"), .verify = TUSK_CERT_REQUIRED);
    struct pair pair;
    char der[4096];
    size_t size = sizeof der;

    (void)arg;
    expect_int(connect_once(client, server, "localhost"), 0);
    tusk_try(pair_open(&pair));
    tusk_try(pair_start_tls(&pair, client, server, "localhost"));
    expect_int(fact_int(pair.left, "session_reused"), 1);
    expect_int(tusk_stream_get_extra_info(pair.right, "peercert", der, &size), 0);
    expect(memmem(der, size, "client.example", 14) != NULL);
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    return pair_say_goodbye(&pair);
}

static void test_certificates(void **state)
{
    (void)state;
    play_quietly(resume_with_certificates);
}

/* A connection that was cut off is no reason not to resume. */
static int resume_after_abort(void *arg)
{
    tusk_tls_context *client = new_client();
    tusk_tls_context *server = new_server();
    struct pair pair;

    (void)arg;
    for (int i = 0; i < 3; i++) {
        tusk_try(pair_open(&pair));
        tusk_try(pair_start_tls(&pair, client, server, "localhost"));
        tusk_try(pass_both_ways(&pair));
        expect_int(fact_int(pair.left, "session_reused"), i > 0);
        tusk_stream_abort(pair.left);
        pair_close(&pair);
    }
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    return 0;
}

static void test_resume_after_abort(void **state)
{
    (void)state;
    play_quietly(resume_after_abort);
}

/* ---- a session of one name must not open another's door ---- */

static int choose_second(const char *server_name, tusk_tls_context **ret_context, void *arg)
{
    if (server_name && strcmp(server_name, "second.example") == 0)
        *ret_context = arg;
    return 0;
}

/* What a hostile client does: takes the session of one name to another. */
static void rename_sessions(tusk_tls_context *client, const char *from, const char *to)
{
    SSL_SESSION *session = tusk__tls_sessions_take(&client->sessions, from);

    expect(session != NULL);
    if (session) {
        SSL_SESSION_set1_hostname(session, NULL);
        tusk__tls_sessions_put(&client->sessions, to, session);
    }
    SSL_SESSION_free(session);
}

static int cross_names_with(enum tusk_tls_version version)
{
    /* The door that is open: anybody may come to localhost; and the one that is not. */
    tusk_tls_context *second =
        tusk_tls_context_create(.server_side = true, .certificate_file = pem("second.pem"),
                                .ca_file = pem("ca.pem"), .verify = TUSK_CERT_REQUIRED);
    tusk_tls_context *server =
        tusk_tls_context_create(.server_side = true, .certificate_file = pem("server.pem"),
                                .sni = choose_second, .sni_arg = second);
    tusk_tls_context *client = tusk_tls_context_create(.ca_file = pem("ca.pem"), .max_version = version);
    struct side left = {.context = client, .options.server_hostname = "second.example"};
    struct side right = {.context = server};
    struct pair pair;

    expect_int(connect_once(client, server, "localhost"), 0);
    rename_sessions(client, "localhost:0", "second.example:0");
    tusk_try(pair_open(&pair));
    left.stream = pair.left;
    right.stream = pair.right;
    tusk_try(shake_hands(&left, &right));
    /* In TLS 1.2 the session says for which name it is. It stays at that one's door. */
    if (right.rc == 0)
        expect_text(fact(pair.right, "server_name"), "localhost");
    else
        expect_int(right.rc, TUSK_TLS_CERTIFICATE);
    pair_close(&pair);
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    tusk_tls_context_release(second);
    return 0;
}

static int cross_names(void *arg)
{
    (void)arg;
    tusk_try(cross_names_with(TUSK_TLS_1_2));
    return cross_names_with(TUSK_TLS_1_3);
}

static void test_cross_names(void **state)
{
    (void)state;
    play_quietly(cross_names);
}

/* The contexts that a callback chooses resume too. */
static int resume_chosen(void *arg)
{
    tusk_tls_context *second =
        tusk_tls_context_create(.server_side = true, .certificate_file = pem("second.pem"),
                                .ca_file = pem("ca.pem"), .verify = TUSK_CERT_REQUIRED);
    tusk_tls_context *server =
        tusk_tls_context_create(.server_side = true, .certificate_file = pem("server.pem"),
                                .sni = choose_second, .sni_arg = second);
    tusk_tls_context *client =
        tusk_tls_context_create(.ca_file = pem("ca.pem"), .certificate_file = pem("client.pem"));

    (void)arg;
    expect_int(connect_once(client, server, "second.example"), 0);
    expect_int(connect_once(client, server, "second.example"), 1);
    expect_int(connect_once(client, server, "localhost"), 0);
    expect_int(connect_once(client, server, "localhost"), 1);
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    tusk_tls_context_release(second);
    return 0;
}

static void test_resume_chosen(void **state)
{
    (void)state;
    play_quietly(resume_chosen);
}

/* ---- the list of sessions ---- */

static void put(struct tusk__tls_sessions *sessions, const char *key, int version)
{
    SSL_SESSION *session = SSL_SESSION_new();

    SSL_SESSION_set_protocol_version(session, version);
    SSL_SESSION_set1_id(session, (const unsigned char *)key, (unsigned)strlen(key));
    tusk__tls_sessions_put(sessions, key, session);
    SSL_SESSION_free(session);
}

/* True if there is one, and it is the right one. */
static bool take(struct tusk__tls_sessions *sessions, const char *key)
{
    SSL_SESSION *session = tusk__tls_sessions_take(sessions, key);
    unsigned length = 0;
    const unsigned char *id = session ? SSL_SESSION_get_id(session, &length) : NULL;
    bool right = length == strlen(key) && memcmp(id, key, length) == 0;

    SSL_SESSION_free(session);
    return right;
}

static void test_list(void **state)
{
    struct tusk__tls_sessions sessions = {0};
    size_t live = tusk__live();
    char key[32];

    (void)state;
    tusk__tls_sessions_init(&sessions);
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "host%d:443", i);
        put(&sessions, key, TLS1_3_VERSION);
    }
    assert_int_equal(sessions.count, 256);
    assert_int_equal(tusk__live(), live + 256);
    assert_false(take(&sessions, "host0:443"));
    assert_false(take(&sessions, "host743:443"));
    assert_true(take(&sessions, "host744:443"));
    assert_false(take(&sessions, "host744:443"));
    assert_true(take(&sessions, "host999:443"));
    assert_int_equal(sessions.count, 254);
    put(&sessions, "old:443", TLS1_2_VERSION);
    assert_true(take(&sessions, "old:443"));
    assert_true(take(&sessions, "old:443"));
    assert_int_equal(sessions.count, 255);
    tusk__tls_sessions_close(&sessions);
    assert_int_equal(tusk__live(), live);
}

/* ---- threads ---- */

enum { THREADS = 4 };

static struct {
    tusk_tls_context *client;
    tusk_tls_context *server;
    int rounds;
} shared;

static int connect_often(void *arg)
{
    int resumed = 0;

    (void)arg;
    for (int i = 0; i < shared.rounds; i++) {
        int rc = connect_once(shared.client, shared.server, "localhost");

        if (rc < 0)
            return rc;
        resumed += rc;
    }
    return resumed;
}

static void *run_loop(void *arg)
{
    *(int *)arg = tusk_run(connect_often, NULL);
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[THREADS];
    int resumed[THREADS];
    int total = 0;
    size_t live = tusk__live();

    (void)state;
    stage_clean();
    shared.client = new_client();
    shared.server = new_server();
    shared.rounds = (int)many(50, 10);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_loop, &resumed[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(resumed[i] >= 0);
        total += resumed[i];
    }
    /* The first of each thread may have found nothing. */
    assert_true(total >= THREADS * (shared.rounds - 1));
    tusk_tls_context_release(shared.client);
    tusk_tls_context_release(shared.server);
    assert_int_equal(stage_failures, 0);
    assert_int_equal(tusk__live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume),       cmocka_unit_test(test_no_sessions),
        cmocka_unit_test(test_certificates), cmocka_unit_test(test_resume_after_abort),
        cmocka_unit_test(test_cross_names),  cmocka_unit_test(test_resume_chosen),
        cmocka_unit_test(test_list),         cmocka_unit_test(test_threads),
    };

    make_certificates();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
#include "io/no_tls.h"
#endif
