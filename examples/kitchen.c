/* A kitchen: each guest gets the dish he asks for, two seconds later. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <tusk.h>

static int cook(const char *dish)
{
    printf("%s: begun\n", dish);
    tusk_try(tusk_sleep(2));
    printf("%s: ready\n", dish);
    return 0;
}

/* One guest, in a task of its own: "GET /soup HTTP/1.1", and more lines that nobody needs. */
static int serve(tusk_stream *guest, void *arg)
{
    char request[100], dish[20];
    const char *text;
    int length = (int)tusk_stream_readuntil(guest, "\r\n\r\n", &text);

    (void)arg;
    tusk_try(length);
    snprintf(request, sizeof request, "%.*s", length, text);
    if (sscanf(request, "GET /%19[a-z] ", dish) != 1)
        return tusk_stream_print(guest, "HTTP/1.0 404 Not Found\r\n\r\nTry /soup.\n");
    tusk_try(cook(dish));
    return tusk_stream_print(guest, "HTTP/1.0 200 OK\r\n\r\nHere is your %s.\n", dish);
}

static int open_kitchen(void *arg)
{
    tusk_server *server;
    int rc;

    tusk_try(tusk_start_server(serve, NULL, "127.0.0.1", *(int *)arg, &server));
    printf("serving on 127.0.0.1:%d\n", tusk_server_port(server));
    fflush(stdout);
    rc = tusk_server_serve_forever(server);
    tusk_server_release(server);
    return rc;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 8080;
    int rc = tusk_run(open_kitchen, &port);

    if (rc < 0 && rc != -EINTR) /* Ctrl-C is how it ends */
        fprintf(stderr, "kitchen: %s\n", tusk_describe(rc));
    return rc < 0 && rc != -EINTR;
}
