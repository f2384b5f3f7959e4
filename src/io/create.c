/*
 * Connections and servers whose two ends are transports.
 */
#include "base/error.h"
#include "io/server.h"
#include "io/transport.h"

/* ---- clients ---- */

static int attach(tusk_stream *stream, const struct tusk_protocol *protocol, void *self,
                  tusk_transport **ret_transport)
{
    tusk_transport *transport = tusk__transport_new(stream, protocol, self);

    if (!transport)
        return tusk_last_error();
    if (ret_transport)
        *ret_transport = transport;
    tusk__transport_begin(transport);
    return 0;
}

int(tusk_create_connection)(const struct tusk_protocol *protocol, void *self, const char *host, int port,
                            tusk_transport **ret_transport, const struct tusk_connection_options *options)
{
    tusk_stream *stream;

    if (!protocol)
        return -EINVAL;
    tusk_try((tusk_open_connection)(host, port, &stream, options));
    return attach(stream, protocol, self, ret_transport);
}

int(tusk_create_unix_connection)(const struct tusk_protocol *protocol, void *self, const char *path,
                                 tusk_transport **ret_transport,
                                 const struct tusk_connection_options *options)
{
    tusk_stream *stream;

    if (!protocol)
        return -EINVAL;
    tusk_try((tusk_open_unix_connection)(path, &stream, options));
    return attach(stream, protocol, self, ret_transport);
}

/* ---- servers ---- */

/* The handler of each client: the transport takes the stream over, and the task is over. */
static int hand_over(tusk_stream *stream, void *arg)
{
    struct tusk_server *server = arg;
    const struct tusk_protocol *protocol = NULL;
    void *self = NULL;

    tusk_try(server->factory(server->factory_arg, &protocol, &self));
    if (!protocol)
        return tusk_raise(-EINVAL, "a protocol factory gave no protocol");
    return attach(tusk__stream_retain(stream), protocol, self, NULL);
}

/* No client is served before the next iteration. */
static void set_factory(struct tusk_server *server, tusk_protocol_factory *factory, void *arg)
{
    server->factory = factory;
    server->factory_arg = arg;
    server->arg = server;
}

int(tusk_create_server)(tusk_protocol_factory *factory, void *arg, const char *host, int port,
                        tusk_server **ret_server, const struct tusk_server_options *options)
{
    if (!factory)
        return -EINVAL;
    tusk_try((tusk_start_server)(hand_over, NULL, host, port, ret_server, options));
    set_factory(*ret_server, factory, arg);
    return 0;
}

int(tusk_create_unix_server)(tusk_protocol_factory *factory, void *arg, const char *path,
                             tusk_server **ret_server, const struct tusk_server_options *options)
{
    if (!factory)
        return -EINVAL;
    tusk_try((tusk_start_unix_server)(hand_over, NULL, path, ret_server, options));
    set_factory(*ret_server, factory, arg);
    return 0;
}
