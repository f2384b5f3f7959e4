/*
 * Scenes inside of TLS. Certificates, and how long signatures are, come from OpenSSL's own chance: so they are
 * only played on demand, and two runs with one seed differ.
 */
#include "io/soak/soak.h"

#if defined(TUSK_HAVE_OPENSSL)

#include "io/certificates.h"

static tusk_tls_context *contexts[2];

void secure_prepare(void)
{
    make_certificates();
}

void secure_open(void)
{
    contexts[0] = tusk_tls_context_create(.ca_file = pem("ca.pem"));
    contexts[1] = tusk_tls_context_create(.server_side = true, .certificate_file = pem("server.pem"));
    if (!contexts[0] || !contexts[1])
        complain("no contexts for TLS");
}

void secure_close(void)
{
    for (int i = 0; i < 2; i++) {
        tusk_tls_context_release(contexts[i]);
        contexts[i] = NULL;
    }
}

/* An end that has shaken hands begins to play at once: the other one may still have to send something. */
static int shake_hands(void *arg)
{
    struct end *end = arg;
    int i = (int)(end - end->line->ends);
    int rc = tusk_stream_start_tls(end->stream, contexts[i], .server_hostname = i == 0 ? "localhost" : NULL);

    if (rc == 0)
        line_start_end(end);
    else
        end_abort(end);
    return (int)count(rc);
}

static bool shake_both_hands(struct line *line)
{
    tusk_task *tasks[2];
    int rc = 0;

    for (int i = 0; i < 2; i++)
        tasks[i] = tusk_create_task(shake_hands, &line->ends[i]);
    for (int i = 0; i < 2; i++) {
        int code = tusk_await(tasks[i]);

        rc = rc < 0 ? rc : code;
    }
    /* The first one that is through may have broken off meanwhile. */
    if (rc < 0 && !soak.has_resets && !line->ways[0].torn && !line->ways[1].torn)
        complain("a handshake failed: %s", tusk_strerror(rc));
    return rc == 0;
}

void play_secure(void)
{
    struct line line = {.knows_totals = true};
    tusk_task *disturber = NULL;
    bool is_whole;

    if (line_open(&line) < 0)
        return;
    if (!line.ends[0].stream || !line.ends[1].stream) {
        line_close(&line);
        return;
    }
    is_whole = shake_both_hands(&line) && chance(80);
    if (chance(50))
        disturber = tusk_create_task(line_disturb, &line);
    if (!is_whole) {
        count(nap());
        end_abort(&line.ends[draw(2)]);
    }
    line_wait(&line);
    if (is_whole) {
        line_check(&line, 0);
        line_check(&line, 1);
    }
    line_close(&line);
    if (disturber)
        count(tusk_await(disturber));
}

#else

void secure_prepare(void)
{
    complain("this tusk has no TLS");
}

void secure_open(void)
{
}

void secure_close(void)
{
}

void play_secure(void)
{
}

#endif
