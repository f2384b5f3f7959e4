/*
 * TLS, for what makes streams: connections, servers.
 */
#ifndef TUSK__IO_TLS_H
#define TUSK__IO_TLS_H

#include <tusk/tls.h>

#include "io/stream.h"

/*
 * Goes over to TLS, as tusk_stream_start_tls() and with its errors. The stream and the context are not
 * NULL; options may be. Suspends until the handshake is done.
 */
int tusk__tls_start(struct tusk_stream *stream, struct tusk_tls_context *context,
                    const struct tusk_start_tls_options *options);

/* 0, or -EINVAL with a message: the context is for the other side. */
int tusk__tls_check_side(const struct tusk_tls_context *context, bool server_side);

/* 0, or -EINVAL with a message: one is negative or no number. */
int tusk__tls_check_timeouts(double handshake, double shutdown);

#endif
