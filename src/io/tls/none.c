/*
 * TLS where there is no OpenSSL: it says so.
 */
#include "base/error.h"
#include "io/tls.h"

static int refuse(void)
{
    return tusk_raise(-ENOTSUP, "this tusk was built without OpenSSL, so it has no TLS");
}

tusk_tls_context *(tusk_tls_context_create)(const struct tusk_tls_context_options *options)
{
    (void)options;
    return tusk__fail(refuse());
}

/* There are none but NULL. */
tusk_tls_context *tusk_tls_context_retain(tusk_tls_context *context)
{
    return context;
}

void tusk_tls_context_release(tusk_tls_context *context)
{
    (void)context;
}

int tusk__tls_check_side(const struct tusk_tls_context *context, bool server_side)
{
    (void)context;
    (void)server_side;
    return refuse();
}

int tusk__tls_check_timeouts(double handshake, double shutdown)
{
    (void)handshake;
    (void)shutdown;
    return refuse();
}

int tusk__tls_start(struct tusk_stream *stream, struct tusk_tls_context *context,
                    const struct tusk_start_tls_options *options)
{
    (void)stream;
    (void)context;
    (void)options;
    return refuse();
}

int(tusk_stream_start_tls)(tusk_stream *stream, tusk_tls_context *context,
                           const struct tusk_start_tls_options *options)
{
    return tusk__tls_start(stream, context, options);
}
