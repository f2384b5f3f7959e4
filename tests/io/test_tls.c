/*
 * TLS: what goes through it, whom it lets in, and what is known of it.
 */
#ifdef TUSK_HAVE_OPENSSL
#include "io/tls_stage.h"

/* ---- data ---- */

static int talk(void *arg)
{
    struct pair pair;
    char byte;

    (void)arg;
    tusk_try(pair_open_tls(&pair));
    tusk_try(pass_both_ways(&pair));
    tusk_try(pass_text(pair.left, pair.right, "and once more"));
    tusk_stream_close(pair.left);
    expect_int(tusk_stream_read(pair.right, &byte, 1), 0);
    expect(tusk_stream_at_eof(pair.right));
    return pair_say_goodbye(&pair);
}

static void test_talk(void **state)
{
    (void)state;
    play_quietly(talk);
}

static int talk_lines(void *arg)
{
    struct pair pair;
    const char *line;
    ssize_t length;
    struct iovec pieces[] = {{(void *)"o", 1}, {(void *)"", 0}, {(void *)"ne\ntw", 5}, {(void *)"o\n", 2}};

    (void)arg;
    tusk_try(pair_open_tls(&pair));
    tusk_try(tusk_stream_writelines(pair.left, pieces, 4));
    tusk_try(tusk_stream_print(pair.left, "%s\n", "three"));
    length = tusk_stream_readline(pair.right, &line);
    expect_lent(line, length, "one\n");
    length = tusk_stream_readline(pair.right, &line);
    expect_lent(line, length, "two\n");
    length = tusk_stream_readline(pair.right, &line);
    expect_lent(line, length, "three\n");
    return pair_say_goodbye(&pair);
}

static void test_lines(void **state)
{
    (void)state;
    play_quietly(talk_lines);
}

/* A byte at a time, from a record that was read whole. */
static int read_bytes(void *arg)
{
    struct pair pair;
    char byte;

    (void)arg;
    tusk_try(pair_open_tls(&pair));
    tusk_try(send_text(pair.left, "abc"));
    for (const char *at = "abc"; *at; at++) {
        expect_int(tusk_stream_read(pair.right, &byte, 1), 1);
        expect_int(byte, *at);
    }
    return pair_say_goodbye(&pair);
}

static void test_bytes(void **state)
{
    (void)state;
    play_quietly(read_bytes);
}

/* ---- much data, both ways at once ---- */

static int bulk(void *arg)
{
    struct pair pair;

    (void)arg;
    tusk_try(pair_open_tls(&pair));
    tusk_try(bulk_both_ways(&pair, many(10000000, 1000000), live_seed()));
    return pair_say_goodbye(&pair);
}

static void test_bulk(void **state)
{
    (void)state;
    play_quietly(bulk);
}

/*
 * Asks for the kernel's TLS, on TCP: has it, or goes on without; the data is the same. With TLS 1.2 it both sends and
 * receives, with 1.3 and an older OpenSSL only the one.
 */
static int pair_open_ktls(struct pair *pair, enum tusk_tls_version version)
{
    tusk_tls_context *client =
        tusk_tls_context_create(.ca_file = pem("ca.pem"), .ktls = true, .max_version = version);
    tusk_tls_context *server =
        tusk_tls_context_create(.server_side = true, .certificate_file = pem("server.pem"), .ktls = true);

    tusk_try(pair_open_tcp(pair));
    tusk_try(pair_start_tls(pair, client, server, "localhost"));
    print_message("%s, ktls: client %d, server %d\n", fact(pair->left, "tls_version"),
                  fact_int(pair->left, "ktls"), fact_int(pair->right, "ktls"));
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    return 0;
}

static int bulk_by_kernel(void *arg)
{
    static const enum tusk_tls_version versions[] = {TUSK_TLS_1_2, TUSK_TLS_1_3};
    struct pair pair;

    (void)arg;
    for (int i = 0; i < 2; i++) {
        tusk_try(pair_open_ktls(&pair, versions[i]));
        tusk_try(pass_both_ways(&pair));
        tusk_try(bulk_both_ways(&pair, many(3000000, 500000), live_seed()));
        tusk_try(pair_say_goodbye(&pair));
    }
    return 0;
}

static void test_kernel(void **state)
{
    (void)state;
    play_quietly(bulk_by_kernel);
}

/* ---- files ---- */

enum { FILE_SIZE = 1000000 };

static int send_file(void *arg)
{
    const struct bulk *bulk = arg;

    return (int)tusk_stream_sendfile(bulk->stream, (int)bulk->seed, 0, bulk->total);
}

static int new_file(void)
{
    char path[] = "/tmp/tusk-file-XXXXXX";
    int fd = mkstemp(path);
    char block[1000];

    expect(fd >= 0);
    unlink(path);
    for (size_t at = 0; at < FILE_SIZE; at += sizeof block) {
        for (size_t i = 0; i < sizeof block; i++)
            block[i] = byte_at(at + i);
        expect_int(pwrite(fd, block, sizeof block, (off_t)at), sizeof block);
    }
    return fd;
}

/* A file among other things that are written, to a peer that is slow at first. */
static int pass_file(struct pair *pair)
{
    int file = new_file();
    struct bulk sending = {pair->left, FILE_SIZE, (uint64_t)file};
    struct bulk receiving = {pair->right, FILE_SIZE, 1};
    tusk_task *task;

    tusk_try(pass_text(pair->left, pair->right, "before"));
    task = tusk_create_task(send_file, &sending);
    tusk_try(tusk_sleep(0));
    tusk_try(receive_bulk(&receiving));
    expect_int(tusk_await(task), FILE_SIZE);
    tusk_try(pass_text(pair->left, pair->right, "after"));
    tusk_try(pass_text(pair->right, pair->left, "thanks"));
    expect_int(tusk_stream_sendfile(pair->left, file, FILE_SIZE - 10, 100), 10);
    expect_int(tusk_stream_sendfile(pair->left, -1, 0, 0), -EBADF);
    for (size_t i = 0; i < 10; i++) {
        char byte;

        expect_int(tusk_stream_readexactly(pair->right, &byte, 1), 1);
        expect_int(byte, byte_at(FILE_SIZE - 10 + i));
    }
    return tusk_close(file);
}

static int files(void *arg)
{
    struct pair pair;

    (void)arg;
    tusk_try(pair_open_tls(&pair));
    tusk_try(pass_file(&pair));
    tusk_try(pair_say_goodbye(&pair));
    tusk_try(pair_open_ktls(&pair, TUSK_TLS_1_2));
    tusk_try(pass_file(&pair));
    tusk_try(pair_say_goodbye(&pair));
    tusk_try(pair_open_ktls(&pair, TUSK_TLS_1_3));
    tusk_try(pass_file(&pair));
    return pair_say_goodbye(&pair);
}

static void test_files(void **state)
{
    (void)state;
    play_quietly(files);
}

/* ---- whom a client lets in ---- */

static const struct {
    const char *certificate;
    const char *ca;
    const char *hostname;
    int wanted;
    const char *words;
} servers[] = {
    {"server.pem", "ca.pem", "localhost", 0, ""},
    {"server.pem", "ca.pem", "localhost.", 0, ""},
    {"server.pem", "ca.pem", "LocalHost", 0, ""},
    {"server.pem", "ca.pem", "two.example", 0, ""},
    {"server.pem", "ca.pem", "127.0.0.1", 0, ""},
    {"server.pem", "ca.pem", "::1", 0, ""},
    {"server.pem", "ca.pem", "::1%lo", 0, ""},
    {"server.pem", "ca.pem", "", 0, ""},
    {"server.pem", "ca.pem", "three.example", TUSK_TLS_CERTIFICATE, "hostname mismatch"},
    {"server.pem", "ca.pem", "sub.localhost", TUSK_TLS_CERTIFICATE, "hostname mismatch"},
    {"server.pem", "ca.pem", "server", TUSK_TLS_CERTIFICATE, "hostname mismatch"},
    {"server.pem", "ca.pem", "127.0.0.2", TUSK_TLS_CERTIFICATE, "IP address mismatch"},
    {"common.pem", "ca.pem", "common.example", TUSK_TLS_CERTIFICATE, "hostname mismatch"},
    {"wildcard.pem", "ca.pem", "a.wild.example", 0, ""},
    {"wildcard.pem", "ca.pem", "wild.example", TUSK_TLS_CERTIFICATE, "hostname mismatch"},
    {"wildcard.pem", "ca.pem", "a.b.wild.example", TUSK_TLS_CERTIFICATE, "hostname mismatch"},
    {"wildcard.pem", "ca.pem", "www.part.example", TUSK_TLS_CERTIFICATE, "hostname mismatch"},
    {"expired.pem", "ca.pem", "localhost", TUSK_TLS_CERTIFICATE, "certificate has expired"},
    {"expired.pem", "ca.pem", "", TUSK_TLS_CERTIFICATE, "certificate has expired"},
    {"early.pem", "ca.pem", "localhost", TUSK_TLS_CERTIFICATE, "not yet valid"},
    {"self.pem", "ca.pem", "localhost", TUSK_TLS_CERTIFICATE, "self-signed certificate"},
    {"self.pem", "self.pem", "localhost", 0, ""},
    {"server.pem", "server.pem", "localhost", 0, ""},
    {"stranger.pem", "ca.pem", "localhost", TUSK_TLS_CERTIFICATE, "issuer certificate"},
    {"stranger.pem", "other-ca.pem", "localhost", 0, ""},
    {"server.pem", NULL, "localhost", TUSK_TLS_CERTIFICATE, "issuer certificate"},
};

static int try_server(size_t i)
{
    struct pair pair;
    tusk_tls_context *client = tusk_tls_context_create(.ca_file = servers[i].ca ? pem(servers[i].ca) : NULL);
    tusk_tls_context *server =
        tusk_tls_context_create(.server_side = true, .certificate_file = pem(servers[i].certificate));
    struct side left = {.context = client, .options.server_hostname = servers[i].hostname};
    struct side right = {.context = server};
    char byte;

    tusk_try(pair_open(&pair));
    left.stream = pair.left;
    right.stream = pair.right;
    tusk_try(shake_hands(&left, &right));
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    if (left.rc != servers[i].wanted)
        print_error("case %zu, %s: %s\n", i, servers[i].certificate, left.message);
    expect_int(left.rc, servers[i].wanted);
    expect_words(left.message, servers[i].words);
    if (left.rc == 0)
        return pair_say_goodbye(&pair);
    expect_int(tusk_stream_read(pair.left, &byte, 1), left.rc);
    expect_int(tusk_stream_write(pair.left, "x", 1), left.rc);
    expect_int(right.rc, TUSK_TLS_FAILED);
    expect_words(right.message, "alert");
    pair_close(&pair);
    return 0;
}

static int try_servers(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++)
        tusk_try(try_server(i));
    return 0;
}

static void test_servers(void **state)
{
    (void)state;
    play_quietly(try_servers);
}

/* Who does not verify is let in, and told what was wrong. */
static int verify_nothing(void *arg)
{
    struct pair pair;
    tusk_tls_context *client = tusk_tls_context_create(.verify = TUSK_CERT_NONE);
    tusk_tls_context *server =
        tusk_tls_context_create(.server_side = true, .certificate_file = pem("self.pem"));

    (void)arg;
    tusk_try(pair_open(&pair));
    tusk_try(pair_start_tls(&pair, client, server, NULL));
    expect_text(fact(pair.left, "verify_error"), "self-signed certificate");
    expect_text(fact(pair.right, "verify_error"), "-");
    tusk_try(pass_both_ways(&pair));
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    return pair_say_goodbye(&pair);
}

static void test_verify_nothing(void **state)
{
    (void)state;
    play_quietly(verify_nothing);
}

/* ---- whom a server lets in ---- */

static const struct {
    enum tusk_cert verify;
    const char *certificate;
    int wanted;
    const char *words;
} clients[] = {
    {TUSK_CERT_DEFAULT, NULL, 0, ""},
    {TUSK_CERT_NONE, "client.pem", 0, ""},
    {TUSK_CERT_OPTIONAL, NULL, 0, ""},
    {TUSK_CERT_OPTIONAL, "client.pem", 0, ""},
    {TUSK_CERT_OPTIONAL, "stranger.pem", TUSK_TLS_CERTIFICATE, "issuer certificate"},
    {TUSK_CERT_REQUIRED, "client.pem", 0, ""},
    {TUSK_CERT_REQUIRED, "expired.pem", TUSK_TLS_CERTIFICATE, "certificate has expired"},
    {TUSK_CERT_REQUIRED, "stranger.pem", TUSK_TLS_CERTIFICATE, "issuer certificate"},
    {TUSK_CERT_REQUIRED, NULL, TUSK_TLS_CERTIFICATE, "no certificate"},
};

static bool has_peercert(const tusk_stream *stream)
{
    unsigned char der[4096];
    const unsigned char *at = der;
    size_t size = sizeof der;
    X509 *certificate;

    if (tusk_stream_get_extra_info(stream, "peercert", der, &size) < 0)
        return false;
    certificate = d2i_X509(NULL, &at, (long)size);
    expect(certificate != NULL);
    X509_free(certificate);
    size = 10;
    expect_int(tusk_stream_get_extra_info(stream, "peercert", der, &size), -EINVAL);
    return true;
}

static int try_client(size_t i, enum tusk_tls_version version)
{
    struct pair pair;
    const char *certificate = clients[i].certificate;
    tusk_tls_context *client =
        tusk_tls_context_create(.ca_file = pem("ca.pem"), .max_version = version,
                                .certificate_file = certificate ? pem(certificate) : NULL);
    tusk_tls_context *server =
        tusk_tls_context_create(.server_side = true, .certificate_file = pem("server.pem"),
                                .ca_file = pem("ca.pem"), .verify = clients[i].verify);
    struct side left = {.context = client, .options.server_hostname = "localhost"};
    struct side right = {.context = server};
    char byte;

    tusk_try(pair_open(&pair));
    left.stream = pair.left;
    right.stream = pair.right;
    tusk_try(shake_hands(&left, &right));
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    expect_int(right.rc, clients[i].wanted);
    expect_words(right.message, clients[i].words);
    if (right.rc == 0) {
        expect_int(has_peercert(pair.right), certificate && clients[i].verify >= TUSK_CERT_OPTIONAL);
        expect(has_peercert(pair.left));
        return pair_say_goodbye(&pair);
    }
    if (left.rc == 0)
        left.rc = (int)tusk_stream_read(pair.left, &byte, 1);
    expect_int(left.rc, TUSK_TLS_FAILED);
    pair_close(&pair);
    return 0;
}

static int try_clients(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        tusk_try(try_client(i, TUSK_TLS_1_2));
        tusk_try(try_client(i, TUSK_TLS_1_3));
    }
    return 0;
}

static void test_clients(void **state)
{
    (void)state;
    play_quietly(try_clients);
}

/* ---- versions, protocols, facts ---- */

static const struct {
    enum tusk_tls_version client_max;
    enum tusk_tls_version server_min;
    int wanted;
    const char *version;
} versions[] = {
    {0, 0, 0, "TLSv1.3"},
    {TUSK_TLS_1_2, 0, 0, "TLSv1.2"},
    {0, TUSK_TLS_1_3, 0, "TLSv1.3"},
    {TUSK_TLS_1_2, TUSK_TLS_1_3, TUSK_TLS_FAILED, NULL},
};

static int try_version(size_t i)
{
    struct pair pair;
    tusk_tls_context *client =
        tusk_tls_context_create(.ca_file = pem("ca.pem"), .max_version = versions[i].client_max,
                                .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256",
                                .ciphersuites = "TLS_AES_128_GCM_SHA256");
    tusk_tls_context *server =
        tusk_tls_context_create(.server_side = true, .certificate_file = pem("server.pem"),
                                .min_version = versions[i].server_min);

    tusk_try(pair_open(&pair));
    expect_int(pair_start_tls(&pair, client, server, "localhost"), versions[i].wanted);
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    if (versions[i].wanted < 0) {
        expect_text(fact(pair.left, "cipher"), "-");
        pair_close(&pair);
        return 0;
    }
    expect_text(fact(pair.left, "tls_version"), versions[i].version);
    expect_text(fact(pair.right, "tls_version"), versions[i].version);
    expect_words(fact(pair.right, "cipher"), "AES");
    expect_words(fact(pair.right, "cipher"), "128");
    expect_text(fact(pair.right, "server_name"), "localhost");
    expect_text(fact(pair.left, "alpn"), "-");
    expect_text(fact(pair.left, "nonsense"), "-");
    expect_int(fact_int(pair.left, "session_reused"), 0);
    expect_int(fact_int(pair.left, "ktls"), 0);
    return pair_say_goodbye(&pair);
}

static int try_versions(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        tusk_try(try_version(i));
    return 0;
}

static void test_versions(void **state)
{
    (void)state;
    play_quietly(try_versions);
}

static const struct {
    const char *client;
    const char *server;
    /* NULL: they have nothing in common. */
    const char *chosen;
} protocols[] = {
    {"h2,http/1.1", "http/1.1", "http/1.1"},
    {"http/1.1,h2", "h2,http/1.1", "h2"},
    {"h2", NULL, "-"},
    {NULL, "h2", "-"},
    {"h2", "http/1.1", NULL},
};

static int try_protocol(size_t i)
{
    struct pair pair;
    tusk_tls_context *client = tusk_tls_context_create(.ca_file = pem("ca.pem"), .alpn = protocols[i].client);
    tusk_tls_context *server =
        tusk_tls_context_create(.server_side = true, .certificate_file = pem("server.pem"),
                                .alpn = protocols[i].server);

    tusk_try(pair_open(&pair));
    expect_int(pair_start_tls(&pair, client, server, "localhost"), protocols[i].chosen ? 0 : TUSK_TLS_FAILED);
    tusk_tls_context_release(client);
    tusk_tls_context_release(server);
    if (!protocols[i].chosen) {
        pair_close(&pair);
        return 0;
    }
    expect_text(fact(pair.left, "alpn"), protocols[i].chosen);
    expect_text(fact(pair.right, "alpn"), protocols[i].chosen);
    return pair_say_goodbye(&pair);
}

static int try_protocols(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++)
        tusk_try(try_protocol(i));
    return 0;
}

static void test_protocols(void **state)
{
    (void)state;
    play_quietly(try_protocols);
}

/* ---- contexts that cannot be made ---- */

#define expect_no_context(code, words, ...)                                                                  \
    do {                                                                                                     \
        expect(tusk_tls_context_create(__VA_ARGS__) == NULL);                                                \
        expect_int(tusk_last_error(), code);                                                                 \
        expect_words(tusk_message(), words);                                                                 \
    } while (0)

static int try_contexts(void *arg)
{
    const char *server = pem("server.pem");

    (void)arg;
    expect_no_context(-ENOENT, "nowhere.pem", .certificate_file = "/nowhere.pem");
    expect_no_context(-ENOENT, "nowhere.pem", .ca_file = "/nowhere.pem");
    expect_no_context(-ENOENT, "nowhere.pem", .certificate_file = server, .key_file = "/nowhere.pem");
    expect_no_context(TUSK_TLS_FILE, "garbage.pem", .certificate_file = pem("garbage.pem"));
    expect_no_context(TUSK_TLS_FILE, "garbage.pem", .ca_file = pem("garbage.pem"));
    expect_no_context(TUSK_TLS_FILE, "garbage.pem", .certificate_file = server,
                      .key_file = pem("garbage.pem"));
    expect_no_context(TUSK_TLS_FILE, "mismatch", .certificate_file = server, .key_file = pem("client.pem"));
    expect_no_context(TUSK_TLS_FILE, "locked.pem", .certificate_file = pem("locked.pem"));
    expect_no_context(TUSK_TLS_FILE, "locked.pem", .certificate_file = pem("locked.pem"),
                      .key_password = "open barley");
    expect_no_context(-EINVAL, "certificate_file", .server_side = true);
    expect_no_context(-EINVAL, "certificate_file", .key_file = server);
    expect_no_context(-EINVAL, "ca_file", .server_side = true, .certificate_file = server,
                      .verify = TUSK_CERT_REQUIRED);
    expect_no_context(-EINVAL, ".verify", .verify = (enum tusk_cert)17);
    expect_no_context(-EINVAL, "alpn", .alpn = "");
    expect_no_context(-EINVAL, "alpn", .alpn = "h2,,h1");
    expect_no_context(-EINVAL, "alpn", .alpn = "h2,");
    expect_no_context(-EINVAL, "ciphers", .ciphers = "nonsense");
    expect_no_context(-EINVAL, "ciphersuites", .ciphersuites = "nonsense");
    expect_no_context(-EINVAL, "version", .min_version = TUSK_TLS_1_3, .max_version = TUSK_TLS_1_2);
    expect_no_context(-EINVAL, "version", .min_version = (enum tusk_tls_version)0x0301);
    return 0;
}

static void test_contexts(void **state)
{
    (void)state;
    play_quietly(try_contexts);
}

/* An encrypted key; outside of a loop; references. */
static void test_context_life(void **state)
{
    size_t live = tusk__live();
    tusk_tls_context *context =
        tusk_tls_context_create(.server_side = true, .certificate_file = pem("locked.pem"),
                                .key_password = "open sesame", .alpn = "h2");

    (void)state;
    assert_non_null(context);
    assert_ptr_equal(tusk_tls_context_retain(context), context);
    tusk_tls_context_release(context);
    tusk_tls_context_release(context);
    tusk_tls_context_release(NULL);
    assert_null(tusk_tls_context_retain(NULL));
    assert_int_equal(tusk__live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_talk),         cmocka_unit_test(test_lines),
        cmocka_unit_test(test_bytes),        cmocka_unit_test(test_bulk),
        cmocka_unit_test(test_kernel),       cmocka_unit_test(test_files),
        cmocka_unit_test(test_servers),      cmocka_unit_test(test_verify_nothing),
        cmocka_unit_test(test_clients),      cmocka_unit_test(test_versions),
        cmocka_unit_test(test_protocols),    cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_context_life),
    };

    make_certificates();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
#include "io/no_tls.h"
#endif
