/* Tests of the chat: on a network that is simulated, by a clock that jumps. */
#define main chat_main /* the server as it is, but for its main() */
#include "12_tls.c"
#undef main

static int expect(tusk_stream *stream, const char *wanted)
{
    const char *line;
    ssize_t length = tusk_stream_readline(stream, &line);

    if (length < 0)
        return (int)length;
    if ((size_t)length != strlen(wanted) || memcmp(line, wanted, (size_t)length) != 0)
        return tusk_raise(-EINVAL, "heard '%.*s' instead of '%s'", (int)length, line, wanted);
    return 0;
}

static int expect_welcome(tusk_stream *stream, const char *name)
{
    char line[100];

    snprintf(line, sizeof line, "* welcome, %s\n", name);
    return expect(stream, line);
}

static int come(const char *name, tusk_stream **ret_stream)
{
    tusk_try(tusk_open_connection("127.0.0.1", 8888, ret_stream));
    tusk_try(expect(*ret_stream, "What is your name?\n"));
    tusk_try(tusk_stream_print(*ret_stream, "%s\n", name));
    return expect_welcome(*ret_stream, name);
}

static int test_talk(tusk_stream *ann, tusk_stream *ben)
{
    tusk_try(tusk_stream_print(ben, "hello\n"));
    tusk_try(expect(ann, "ben: hello\n"));
    tusk_try(tusk_stream_print(ann, "good evening\n"));
    return expect(ben, "ann: good evening\n");
}

/* Ann talks every four minutes, and Ben says nothing. */
static int test_silence(tusk_stream *ann, tusk_stream *ben)
{
    tusk_try(tusk_sleep(240));
    tusk_try(tusk_stream_print(ann, "ben?\n"));
    tusk_try(expect(ben, "ann: ben?\n"));
    tusk_try(expect(ben, "* you are asleep, good night\n"));
    tusk_try(expect(ben, "")); /* the end */
    return expect(ann, "* ben has left\n");
}

/* Somebody comes and does not even say a name. The server should send him away, too. */
static int test_nameless(tusk_stream *ann, tusk_stream *ben)
{
    tusk_stream *nobody;
    int rc;

    (void)ann;
    (void)ben;
    tusk_try(tusk_open_connection("127.0.0.1", 8888, &nobody));
    rc = expect(nobody, "What is your name?\n");
    if (rc == 0)
        rc = expect(nobody, ""); /* the end */
    tusk_stream_release(nobody);
    return rc;
}

typedef int test(tusk_stream *ann, tusk_stream *ben);

static int run_test(void *arg)
{
    test *const *chosen = arg;
    tusk_stream *ann, *ben;
    tusk_server *server;
    int rc;

    tusk_try(tusk_start_server(welcome, NULL, "127.0.0.1", 8888, &server, .name = "guest"));
    tusk_try(come("ann", &ann));
    tusk_try(come("ben", &ben));
    tusk_try(expect(ann, "* ben is here\n"));
    rc = (*chosen)(ann, ben);
    tusk_stream_release(ann);
    tusk_stream_release(ben);
    if (rc == 0)
        rc = tusk_server_drain(server, 1);
    tusk_server_release(server);
    return rc;
}

/* A hundred times, each time with another order and other delays. */
static int check(const char *name, test *chosen)
{
    for (unsigned seed = 1; seed <= 100; seed++) {
        int rc = tusk_run(run_test, &chosen, .clock = TUSK_CLOCK_VIRTUAL, .poller = "simulated",
                          .schedule_seed = seed);

        if (rc != 0) {
            printf("%s, seed %u: %s\n", name, seed, tusk_describe(rc));
            return 1;
        }
    }
    printf("%s: ok\n", name);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "nameless") == 0)
        return check("nameless", test_nameless);
    return check("talk", test_talk) | check("silence", test_silence);
}
