/*
 * Streams: what is known of them.
 */
#include <string.h>

#include "io/address.h"
#include "io/stream.h"

static int give(const void *value, size_t length, void *ret_value, size_t *size)
{
    if (*size < length)
        return -EINVAL;
    memcpy(ret_value, value, length);
    *size = length;
    return 0;
}

static int give_name(const struct tusk_stream *stream,
                     int (*get)(int fd, struct sockaddr *ret_address, socklen_t *size), void *ret_value,
                     size_t *size)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    memset(&address, 0, sizeof address);
    if (get(stream->channel.descriptor->watch.fd, (struct sockaddr *)&address, &length) < 0)
        return -ENOENT;
    return give(&address, length < sizeof address ? length : sizeof address, ret_value, size);
}

int tusk_stream_get_extra_info(const tusk_stream *stream, const char *name, void *ret_value, size_t *size)
{
    const struct tusk__system *system;

    if (!stream || !name || !ret_value || !size)
        return -EINVAL;
    if (stream->closed)
        return -ENOENT;
    system = tusk__system_of(stream->io->loop);
    if (strcmp(name, "peername") == 0)
        return give_name(stream, system->getpeername, ret_value, size);
    if (strcmp(name, "sockname") == 0)
        return give_name(stream, system->getsockname, ret_value, size);
    if (strcmp(name, "fd") == 0)
        return give(&stream->channel.descriptor->watch.fd, sizeof(int), ret_value, size);
    return stream->channel.kind->info ? stream->channel.kind->info(&stream->channel, name, ret_value, size)
                                      : -ENOENT;
}

const char *tusk_stream_peername(const tusk_stream *stream, char *text, size_t size)
{
    struct sockaddr_storage address;
    size_t length = sizeof address;

    if (size == 0)
        return "";
    text[0] = '\0';
    if (tusk_stream_get_extra_info(stream, "peername", &address, &length) == 0)
        tusk__address_text((struct sockaddr *)&address, (socklen_t)length, text, size);
    return text;
}
