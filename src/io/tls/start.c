/*
 * start_tls: from a plain stream to one inside of TLS.
 *
 * The task has both sides of the stream meanwhile: it is its reader, and holds the turn to write.
 */
#include <tusk/timeout.h>

#include "base/error.h"
#include "io/tls.h"
#include "io/tls/connection.h"

/* Seconds; asyncio's. */
static const double HANDSHAKE_TIMEOUT = 60;
static const double SHUTDOWN_TIMEOUT = 30;

/* ---- what can be wrong before anything has happened ---- */

int tusk__tls_check_side(const struct tusk_tls_context *context, bool server_side)
{
    if (context->server_side == server_side)
        return 0;
    return tusk_raise(-EINVAL, "a TLS context for %s, where one for %s is needed",
                      server_side ? "clients" : "servers", server_side ? "servers" : "clients");
}

static int check_timeout(double seconds)
{
    return seconds >= 0 ? 0 : tusk_raise(-EINVAL, "a time-out of %g seconds for TLS", seconds);
}

int tusk__tls_check_timeouts(double handshake, double shutdown)
{
    tusk_try(check_timeout(handshake));
    return check_timeout(shutdown);
}

static int check_name(const struct tusk_tls_context *context, const char *hostname)
{
    if (context->server_side)
        return hostname ? tusk_raise(-EINVAL, "server_hostname is for clients") : 0;
    if (hostname)
        return tusk__tls_check_hostname(hostname);
    if (SSL_CTX_get_verify_mode(context->ssl) == SSL_VERIFY_NONE)
        return 0;
    return tusk_raise(-EINVAL,
                      "a client that verifies its server needs a server_hostname (\"\": any will do)");
}

static int check_options(const struct tusk_tls_context *context, const struct tusk_start_tls_options *options)
{
    tusk_try(tusk__tls_check_timeouts(options->handshake_timeout, options->shutdown_timeout));
    return check_name(context, options->server_hostname);
}

static int check_stream(const struct tusk_stream *stream)
{
    tusk_try(tusk__stream_check(stream));
    if (stream->channel.state)
        return tusk_raise(TUSK_INVALID_STATE, "the stream has TLS already");
    if (stream->channel.descriptor->kind != TUSK__FD_STREAM)
        return tusk_raise(-ENOTSUP, "TLS needs a connected socket");
    if (stream->eof_wanted)
        return tusk_raise(TUSK_INVALID_STATE, "start_tls() after write_eof()");
    return 0;
}

/* ---- the handshake ---- */

static int shake_hands(struct tusk_stream *stream)
{
    int rc;

    while ((rc = tusk__tls_handshake(&stream->channel)) == -EAGAIN) {
        tusk_try(tusk__stream_check(stream));
        tusk_try(tusk__stream_wait_readable(stream, tusk__running_task()));
        tusk_try(tusk__stream_check(stream));
    }
    return rc < 0 ? rc : tusk__stream_check(stream);
}

static int shake_hands_in_time(struct tusk_stream *stream, double seconds)
{
    tusk_timeout timeout;
    int rc;

    tusk_try(tusk_timeout_enter(&timeout, seconds));
    rc = tusk_timeout_exit(&timeout, shake_hands(stream));
    return rc == -ETIMEDOUT && tusk_timeout_expired(&timeout)
               ? tusk_raise(-ETIMEDOUT, "the TLS handshake took longer than %g seconds", seconds)
               : rc;
}

/* Everything that leaves the stream as it was if it goes wrong. */
static int prepare(struct tusk_stream *stream, struct tusk_tls_context *context,
                   const struct tusk_start_tls_options *options)
{
    double patience = options->shutdown_timeout > 0 ? options->shutdown_timeout : SHUTDOWN_TIMEOUT;

    tusk_try(check_stream(stream));
    tusk__bytes_trim(stream->io, &stream->in);
    return tusk__tls_open(&stream->channel, context, options->server_hostname, patience, &stream->in);
}

/* Half a handshake is of no use to anybody. */
static void give_up(struct tusk_stream *stream, int rc)
{
    if (rc == -ECANCELED || rc == TUSK_STREAM_CLOSED)
        tusk_stream_abort(stream);
    else
        tusk__stream_lose(stream, rc);
}

static int start(struct tusk_stream *stream, struct tusk_tls_context *context,
                 const struct tusk_start_tls_options *options)
{
    double seconds = options->handshake_timeout > 0 ? options->handshake_timeout : HANDSHAKE_TIMEOUT;
    int rc;

    /* What was written before is sent as it is; what others write from here on waits, and goes inside of TLS. */
    tusk_try(tusk__stream_begin_turn(stream));
    rc = prepare(stream, context, options);
    if (rc == 0) {
        rc = shake_hands_in_time(stream, seconds);
        if (rc < 0)
            give_up(stream, rc);
    }
    tusk__stream_end_turn(stream);
    return rc;
}

int tusk__tls_start(struct tusk_stream *stream, struct tusk_tls_context *context,
                    const struct tusk_start_tls_options *options)
{
    static const struct tusk_start_tls_options nothing;
    int rc;

    options = options ? options : &nothing;
    if (!tusk__running_task())
        return TUSK_NOT_IN_TASK;
    tusk_try(check_options(context, options));
    tusk_try(check_stream(stream));
    if (stream->reading)
        return tusk_raise(TUSK_INVALID_STATE, "another task reads from this stream");
    tusk__stream_retain(stream);
    stream->reading = true;
    rc = start(stream, context, options);
    stream->reading = false;
    tusk__stream_unref(stream);
    return rc;
}

int(tusk_stream_start_tls)(tusk_stream *stream, tusk_tls_context *context,
                           const struct tusk_start_tls_options *options)
{
    return stream && context ? tusk__tls_start(stream, context, options) : -EINVAL;
}
