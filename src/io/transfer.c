/*
 * Reading and writing descriptors: the public calls.
 */
#include "base/error.h"
#include "io/operation.h"

static struct tusk__operation operation_on(enum tusk__operation_code code, int fd,
                                           const struct iovec *buffers, int count)
{
    bool reads = code == TUSK__OP_READ || code == TUSK__OP_PREAD;

    return (struct tusk__operation){
        .code = code,
        .direction = reads ? TUSK__READ : TUSK__WRITE,
        .fd = fd,
        .buffers = buffers,
        .count = count,
    };
}

static ssize_t perform_on(enum tusk__operation_code code, int fd, const struct iovec *buffers, int count)
{
    struct tusk__operation operation = operation_on(code, fd, buffers, count);

    if (count < 0 || (count > 0 && !buffers))
        return -EINVAL;
    return tusk__operation_perform(&operation);
}

static ssize_t perform(enum tusk__operation_code code, int fd, const void *buffer, size_t size)
{
    struct iovec vector = {(void *)buffer, size};

    if (!buffer && size > 0)
        return -EINVAL;
    return perform_on(code, fd, &vector, 1);
}

static ssize_t perform_at(enum tusk__operation_code code, int fd, const void *buffer, size_t size,
                          off_t offset)
{
    struct iovec vector = {(void *)buffer, size};
    struct tusk__operation operation = operation_on(code, fd, &vector, 1);

    if ((!buffer && size > 0) || offset < 0)
        return -EINVAL;
    operation.offset = offset;
    return tusk__operation_perform(&operation);
}

ssize_t tusk_read(int fd, void *buffer, size_t size)
{
    return perform(TUSK__OP_READ, fd, buffer, size);
}

ssize_t tusk_readv(int fd, const struct iovec *buffers, int count)
{
    return perform_on(TUSK__OP_READ, fd, buffers, count);
}

ssize_t tusk_write(int fd, const void *data, size_t size)
{
    return perform(TUSK__OP_WRITE, fd, data, size);
}

ssize_t tusk_writev(int fd, const struct iovec *data, int count)
{
    return perform_on(TUSK__OP_WRITE, fd, data, count);
}

ssize_t tusk_pread(int fd, void *buffer, size_t size, off_t offset)
{
    return perform_at(TUSK__OP_PREAD, fd, buffer, size, offset);
}

ssize_t tusk_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return perform_at(TUSK__OP_PWRITE, fd, data, size, offset);
}

static int write_all(const struct tusk__call *call, struct iovec rest)
{
    struct tusk__operation operation = operation_on(TUSK__OP_WRITE, call->descriptor->watch.fd, &rest, 1);

    for (;;) {
        ssize_t written = tusk__operation_perform_in(call, &operation);

        if (written < 0)
            return (int)written;
        rest.iov_base = (char *)rest.iov_base + written;
        rest.iov_len -= (size_t)written;
        if (rest.iov_len == 0)
            return 0;
        tusk_try(tusk__call_breathe(call));
    }
}

int tusk__call_write_all(const struct tusk__call *call, const void *data, size_t size)
{
    int rc;

    /* Whoever closes it meanwhile: the rest must not go to another one that gets the number. */
    tusk__descriptor_retain(call->descriptor);
    rc = size > 0 ? write_all(call, (struct iovec){(void *)data, size}) : 0;
    tusk__descriptor_release(call->descriptor);
    return rc;
}

int tusk_sendall(int fd, const void *data, size_t size)
{
    struct tusk__call call;

    if (!data && size > 0)
        return -EINVAL;
    tusk_try(tusk__call_begin(&call, fd));
    return tusk__call_write_all(&call, data, size);
}
