/*
 * Sending a file, whatever to: a descriptor, a stream.
 */
#ifndef TUSK__IO_SENDFILE_H
#define TUSK__IO_SENDFILE_H

#include "io/descriptor.h"

struct tusk__sendfile;

/* What the bytes go to. All of these may suspend; after that the file may be closed: tusk__sendfile_check. */
struct tusk__sendfile_target {
    /*
     * Has the system send up to size bytes from the place in the file, which moves: how many, 0 at the file's end;
     * -ENOTSUP: the system cannot, they have to come by way of memory; or another error.
     */
    ssize_t (*send)(struct tusk__sendfile *sendfile, size_t size);
    /* Writes all of it: 0 or an error. */
    int (*write)(struct tusk__sendfile *sendfile, const void *data, size_t size);
    /* Lets others run if this task had its share: 0, or why there is nothing more to send to. */
    int (*breathe)(struct tusk__sendfile *sendfile);
};

/* Stands inside of what the target needs to know. */
struct tusk__sendfile {
    const struct tusk__sendfile_target *target;
    struct tusk__io *io;
    /* With a reference, for others may close it meanwhile. */
    struct tusk__descriptor *file;
    off_t offset;
};

/* 0, or -EBADF if somebody has closed the file. */
static inline int tusk__sendfile_check(const struct tusk__sendfile *sendfile)
{
    return sendfile->file->closed ? -EBADF : 0;
}

/*
 * Sends count bytes (0: all) of the file with this number from the offset on. Target and io are set. How many,
 * or an error. Suspends.
 */
int64_t tusk__sendfile(struct tusk__sendfile *sendfile, int file, off_t offset, size_t count);

/*
 * Has the system send up to size bytes from the place in the file, which moves, if the descriptor may take some: how
 * many, 0 at the file's end, -EAGAIN, -ENOTSUP, or another error.
 */
ssize_t tusk__descriptor_sendfile(struct tusk__descriptor *out, int file, off_t *offset, size_t size);

#endif
