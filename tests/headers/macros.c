/*
 * Every macro of the public headers, in C11 with -pedantic, with options and
 * without. Compiled, never run: tests/headers/test_headers.sh.
 */
#include <errno.h>
#include <tusk.h>

static tusk_context_var request = TUSK_CONTEXT_VAR("request", NULL);

static int work(void *arg)
{
    return *(const int *)arg;
}

static ssize_t counts(int fd, void *buffer)
{
    tusk_try(tusk_read(fd, buffer, 1));
    tusk_try(tusk_sendfile(fd, fd, 0, 0));
    return 0;
}

static int done(tusk_future *future, void *arg)
{
    (void)arg;
    return tusk_future_done(future) ? 0 : -EINVAL;
}

static int tasks(void *arg)
{
    int job = 1;
    int results[2];
    tusk_context *context = tusk_copy_context();
    tusk_task *children[2];

    children[0] = tusk_create_task(work, tusk_copy(&job));
    children[1] = tusk_create_task(work, &job, .name = "second", .context = context, .eager_start = true);
    tusk_release(tusk_ensure_future(work, &job));
    tusk_release(tusk_ensure_future(work, &job, .stack_size = TUSK_STACK_MIN));
    tusk_task_cancel(children[0]);
    tusk_task_cancel(children[1], .msg = "enough");
    tusk_future_add_done_callback(children[0], done, arg);
    tusk_future_add_done_callback(children[1], done, arg, .context = context);
    tusk_context_release(context);
    tusk_try(counts(0, results));
    tusk_try(tusk_sleep(0));
    tusk_try(tusk_await(tusk_gather(children, 2)));
    tusk_try(tusk_await(tusk_gather(children, 2, .return_exceptions = true, .results = results)));
    return tusk_context_var_get(&request) == NULL ? 0 : tusk_raise(-EINVAL, "job %d", job);
}

static int threads(void *arg)
{
    tusk_thread_pool_executor *pool = tusk_thread_pool_executor_create(2);
    tusk_future *futures[2];

    futures[0] = tusk_run_in_executor(NULL, work, arg);
    futures[1] = tusk_loop_run_in_executor(tusk_get_running_loop(), pool, work, arg);
    tusk_try(tusk_await(tusk_gather(futures, 2)));
    tusk_try(tusk_to_thread(work, arg));
    tusk_try(tusk_to_thread(work, arg, .executor = pool));
    tusk_thread_pool_executor_release(pool);
    return 0;
}

static int resolver(void *arg)
{
    struct addrinfo *list;

    tusk_try(tusk_getaddrinfo("localhost", "80", &list));
    return tusk_getaddrinfo(arg, "80", &list, .family = AF_INET, .type = SOCK_STREAM, .proto = 0, .flags = 0);
}

static int serve(tusk_stream *stream, void *arg)
{
    (void)arg;
    return tusk_stream_write(stream, "x", 1);
}

static int choose(const char *server_name, tusk_tls_context **ret_context, void *arg)
{
    (void)ret_context;
    return server_name == arg ? -EACCES : 0;
}

static int secure(tusk_stream *stream)
{
    tusk_tls_context *plain = tusk_tls_context_create();
    tusk_tls_context *other =
        tusk_tls_context_create(.server_side = true, .verify = TUSK_CERT_OPTIONAL,
                                .min_version = TUSK_TLS_1_3, .alpn = "h2", .sni = choose, .sni_arg = NULL);

    if (tusk_stream_start_tls(stream, other) != -EINVAL ||
        tusk_stream_start_tls(stream, plain, .server_hostname = "example.org", .handshake_timeout = 5) !=
            -EINVAL)
        return -EIO;
    tusk_tls_context_release(tusk_tls_context_retain(plain));
    tusk_tls_context_release(plain);
    tusk_tls_context_release(other);
    return 0;
}

static int servers(void *arg)
{
    tusk_server *server, *other;
    tusk_stream *stream;
    int port;

    tusk_try(tusk_start_server(serve, arg, "127.0.0.1", 0, &server));
    tusk_try(tusk_start_server(serve, arg, "127.0.0.1", 0, &other, .backlog = 8, .name = "client"));
    port = tusk_server_port(server);
    tusk_try(tusk_open_connection("127.0.0.1", port, &stream));
    tusk_stream_release(stream);
    tusk_try(tusk_open_connection("127.0.0.1", port, &stream, .family = AF_INET));
    tusk_stream_release(stream);
    tusk_server_release(server);
    tusk_server_release(other);
    tusk_try(secure(NULL));
    if (tusk_start_unix_server(serve, arg, "", &server) != -EINVAL ||
        tusk_start_unix_server(serve, arg, "", &server, .backlog = 8) != -EINVAL ||
        tusk_open_unix_connection("", &stream) != -EINVAL ||
        tusk_open_unix_connection("", &stream, .limit = 8) != -EINVAL)
        return -EIO;
    return 0;
}

static int workers(void)
{
    int number = 1;

    return tusk_workers(2, work, &number) < 0 || tusk_workers(1, work, &number, .debug = true) < 0;
}

static int runs(void)
{
    int number = 1;
    tusk_runner *runner = tusk_runner_create();
    tusk_runner *other = tusk_runner_create(.clock = TUSK_CLOCK_VIRTUAL, .debug = true);

    if (tusk_runner_run(runner, threads, &number) < 0)
        return 1;
    if (tusk_runner_run(other, work, &number, .context = NULL) < 0)
        return 1;
    return tusk_runner_close(runner) < 0 || tusk_runner_close(other) < 0;
}

static int callbacks(tusk_loop *loop)
{
    int value = 0;
    tusk_future *future = tusk_loop_create_future(loop);

    tusk_handle_cancel(tusk_loop_call_soon(loop, work, &value));
    tusk_handle_cancel(tusk_loop_call_soon(loop, work, &value, .context = NULL));
    tusk_handle_cancel(tusk_loop_call_later(loop, 1, work, &value));
    tusk_handle_cancel(tusk_loop_call_later(loop, 1, work, &value, .context = NULL));
    tusk_handle_cancel(tusk_loop_call_at(loop, 1, work, &value));
    tusk_handle_cancel(tusk_loop_call_at(loop, 1, work, &value, .context = NULL));
    tusk_handle_cancel(tusk_call_soon(work, &value));
    tusk_handle_cancel(tusk_call_soon(work, &value, .context = NULL));
    tusk_handle_cancel(tusk_call_later(1, work, &value));
    tusk_handle_cancel(tusk_call_later(1, work, &value, .context = NULL));
    tusk_handle_cancel(tusk_call_at(1, work, &value));
    tusk_handle_cancel(tusk_call_at(1, work, &value, .context = NULL));
    tusk_release(tusk_loop_create_task(loop, work, &value));
    tusk_release(tusk_loop_create_task(loop, work, &value, .name = "task"));
    tusk_future_cancel(future);
    tusk_future_cancel(future, .msg = "enough");
    return tusk_loop_run_until_complete(loop, future);
}

int main(void)
{
    tusk_loop *plain = tusk_new_event_loop();
    tusk_loop *other = tusk_new_event_loop(.clock = TUSK_CLOCK_VIRTUAL, .debug = true);

    if (callbacks(plain) < 0 || callbacks(other) < 0)
        return 1;
    if (tusk_loop_close(plain) < 0 || tusk_loop_close(other) < 0)
        return 1;
    if (tusk_run(tasks, NULL) < 0 || tusk_run(resolver, NULL) < 0 || runs() != 0 ||
        tusk_run(servers, NULL) < 0 || workers() != 0)
        return 1;
    return tusk_run(tasks, NULL, .clock = TUSK_CLOCK_VIRTUAL, .stack_size = TUSK_STACK_DEFAULT) < 0;
}
