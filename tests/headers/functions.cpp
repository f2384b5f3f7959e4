// The functions behind the macros, from C++17, where options are a pointer.
// Compiled, never run: tests/headers/test_headers.sh.
#include <tusk.h>

static int work(void *arg)
{
    return *static_cast<const int *>(arg);
}

static int tasks(void *arg)
{
    tusk_task_options options{};
    options.name = "named";
    tusk_task *children[2] = {
        tusk_create_task(work, tusk_copy(arg, sizeof(int)), &options),
        tusk_create_task(work, arg, nullptr),
    };
    tusk_future_cancel(children[0], nullptr);
    tusk_try(tusk_sleep(0));
    return tusk_await(tusk_gather(children, 2, nullptr));
}

static int threads(void *arg)
{
    tusk_loop *loop = tusk_get_running_loop();
    tusk_concurrent_future *future = tusk_run_coroutine_threadsafe(loop, work, arg);
    tusk_concurrent_future_cancel(future);
    tusk_concurrent_future_release(future);
    tusk_try(tusk_await(tusk_run_in_executor(nullptr, work, arg, nullptr)));
    tusk_try(tusk_loop_add_signal_handler(loop, 1, work, arg));
    tusk_try(tusk_loop_remove_signal_handler(loop, 1));
    return tusk_to_thread(work, arg, nullptr);
}

static int resolver(void *arg)
{
    addrinfo *list;
    char host[NI_MAXHOST];
    tusk_getaddrinfo_options options{};
    options.type = SOCK_STREAM;
    tusk_try(tusk_getaddrinfo(static_cast<const char *>(arg), "80", &list, &options));
    int rc = tusk_getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof host, nullptr, 0, 0);
    freeaddrinfo(list);
    return rc;
}

static int serve(tusk_stream *stream, void *)
{
    tusk_try(tusk_stream_sendfile(stream, 0, 0, 1));
    return tusk_stream_write(stream, "x", 1);
}

static int servers(void *arg)
{
    tusk_server *server;
    tusk_stream *stream;
    tusk_server_options options{};
    options.backlog = 8;
    tusk_try(tusk_start_server(serve, arg, "127.0.0.1", 0, &server, &options));
    tusk_try(tusk_open_connection("127.0.0.1", tusk_server_port(server), &stream, nullptr));
    tusk_tls_context_options tls_options{};
    tls_options.verify = TUSK_CERT_NONE;
    tusk_tls_context *context = tusk_tls_context_create(&tls_options);
    tusk_try(tusk_stream_start_tls(stream, context, nullptr));
    tusk_tls_context_release(context);
    tusk_stream_release(stream);
    tusk_server_release(server);
    return 0;
}

int main()
{
    int number = 1;
    tusk_run_options options{};
    options.clock = TUSK_CLOCK_VIRTUAL;
    tusk_loop *loop = tusk_new_event_loop(nullptr);
    tusk_handle_cancel(tusk_loop_call_later(loop, 1, work, &number, nullptr));
    tusk_loop_close(loop);
    tusk_runner *runner = tusk_runner_create(&options);
    if (tusk_runner_run(runner, threads, &number, nullptr) < 0 || tusk_runner_close(runner) < 0)
        return 1;
    if (tusk_workers(2, work, &number, nullptr) < 0 || tusk_run(servers, nullptr, nullptr) < 0)
        return 1;
    return tusk_run(tasks, &number, &options) < 0 || tusk_run(resolver, nullptr, &options) < 0;
}
