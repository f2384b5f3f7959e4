/*
 * The BIO: how OpenSSL reads and writes. A try that cannot succeed makes no system call, and what
 * each call says is remembered for the descriptor.
 *
 * Its methods belong to a context, and not to the process, so that they go with the last one.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <string.h>

#include "io/system.h"
#include "io/tls/connection.h"

/*
 * OpenSSL looks at errno as well: a server that sends tickets to a client that has gone already has
 * not failed. And it takes 0 for a write of no bytes that went well, since 3.2.
 */
static int fail(struct tusk__tls *tls, int code)
{
    tls->system_error = code;
    errno = -code;
    return -1;
}

static ssize_t read_early(struct tusk__tls *tls, char *buffer, size_t size)
{
    size_t count = tusk__bytes_size(&tls->early);

    count = count < size ? count : size;
    memcpy(buffer, tusk__bytes_first(&tls->early), count);
    tusk__bytes_consume(&tls->early, count);
    tusk__bytes_trim(tls->io, &tls->early);
    return (ssize_t)count;
}

static ssize_t receive(const struct tusk__tls *tls, char *buffer, size_t size)
{
    struct tusk__descriptor *descriptor = tls->channel->descriptor;
    ssize_t rc = -EAGAIN;

    if (descriptor->directions[TUSK__READ].ready) {
        rc = tusk__system_of(tls->io->loop)->recv(descriptor->watch.fd, buffer, size, 0);
        tusk__descriptor_account(descriptor, TUSK__READ, rc, size);
    }
    return rc;
}

/*
 * During a handshake OpenSSL since 3.2 does not read ahead, and asks for the head of each record, and
 * then for the rest. A whole flight is received at once, if there is memory for it.
 */
static ssize_t receive_ahead(struct tusk__tls *tls, char *buffer, size_t size)
{
    struct tusk__bytes *early = &tls->early;
    ssize_t rc;

    if (tls->established || size >= TUSK__BLOCK || tusk__bytes_reserve(tls->io, early, TUSK__BLOCK) < 0)
        return receive(tls, buffer, size);
    rc = receive(tls, early->data + early->end, TUSK__BLOCK);
    if (rc > 0) {
        early->end += (size_t)rc;
        return read_early(tls, buffer, size);
    }
    tusk__bytes_trim(tls->io, early);
    return rc;
}

static int bio_read(BIO *bio, char *buffer, int size)
{
    struct tusk__tls *tls = BIO_get_data(bio);
    ssize_t rc;

    BIO_clear_retry_flags(bio);
    if (!tls->channel)
        return fail(tls, -EBADF);
    if (tusk__bytes_size(&tls->early) > 0)
        return (int)read_early(tls, buffer, (size_t)size);
    rc = receive_ahead(tls, buffer, (size_t)size);
    tls->cut = rc == 0;
    if (rc >= 0)
        return (int)rc;
    if (rc != -EAGAIN)
        return fail(tls, (int)rc);
    BIO_set_retry_read(bio);
    return -1;
}

static int bio_write(BIO *bio, const char *data, int size)
{
    struct tusk__tls *tls = BIO_get_data(bio);
    struct tusk__descriptor *descriptor;
    ssize_t rc = -EAGAIN;

    BIO_clear_retry_flags(bio);
    if (!tls->channel)
        return fail(tls, -EBADF);
    descriptor = tls->channel->descriptor;
    if (descriptor->directions[TUSK__WRITE].ready) {
        rc = tusk__system_of(tls->io->loop)->send(descriptor->watch.fd, data, (size_t)size, 0);
        tusk__descriptor_account(descriptor, TUSK__WRITE, rc, (size_t)size);
    }
    if (rc >= 0)
        return (int)rc;
    if (rc != -EAGAIN)
        return fail(tls, (int)rc);
    BIO_set_retry_write(bio);
    return -1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    const struct tusk__tls *tls = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return tls->cut;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *tusk__tls_bio_methods(void)
{
    BIO_METHOD *methods = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "tusk");

    if (!methods)
        return NULL;
    BIO_meth_set_read(methods, bio_read);
    BIO_meth_set_write(methods, bio_write);
    BIO_meth_set_ctrl(methods, bio_ctrl);
    return methods;
}

/*
 * The kernel can only encrypt for OpenSSL's own BIO of a real socket, and
 * OpenSSL writes without the flag that keeps SIGPIPE away.
 */
static BIO *direct_bio(int fd)
{
    tusk__system_ignore_sigpipe();
    return BIO_new_socket(fd, BIO_NOCLOSE);
}

int tusk__tls_bio_attach(struct tusk__tls *tls, int fd)
{
    BIO *bio = tls->direct ? direct_bio(fd) : BIO_new(tls->context->bio);

    if (!bio)
        return -ENOMEM;
    if (!tls->direct) {
        BIO_set_data(bio, tls);
        BIO_set_init(bio, 1);
    }
    SSL_set_bio(tls->ssl, bio, bio);
    return 0;
}
