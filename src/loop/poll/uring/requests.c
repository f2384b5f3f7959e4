/*
 * Reading and writing by the kernel.
 *
 * A request and its buffers are the kernel's until its completion is there, however it was
 * withdrawn. When the loop closes before, they are cancelled and their ends awaited; in another thread
 * than the ring's, the ring is closed and its end awaited.
 */
#if defined(__linux__) && defined(TUSK_HAVE_LIBURING)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>

#include "base/mem.h"
#include "loop/poll/uring/uring.h"

/* More than that is copied in a thread of the kernel: it takes longer than to go there. */
enum { BYTES_AT_ONCE = 1 << 18 };

static bool is_large(const struct tusk__request *request)
{
    size_t bytes = 0;

    for (int i = 0; i < request->count && bytes <= BYTES_AT_ONCE; i++)
        bytes += request->buffers[i].iov_len;
    return bytes > BYTES_AT_ONCE;
}

static void prepare(struct io_uring_sqe *entry, const struct tusk__request *request)
{
    unsigned count = (unsigned)request->count;
    uint64_t offset = (uint64_t)request->offset;

    if (request->code == TUSK__REQUEST_READ)
        io_uring_prep_readv(entry, request->fd, request->buffers, count, offset);
    else
        io_uring_prep_writev(entry, request->fd, request->buffers, count, offset);
    if (is_large(request))
        entry->flags |= IOSQE_ASYNC;
    entry->user_data = (uintptr_t)request;
}

int tusk__uring_submit(struct tusk__poller *poller, struct tusk__request *request)
{
    struct tusk__uring *uring = tusk__uring_of(poller);
    struct io_uring_sqe *entry;
    int rc = tusk__uring_take(uring);

    if (rc == 0)
        rc = tusk__ring_prepare_to_wait(&uring->ring);
    if (rc < 0)
        return rc;
    entry = tusk__fail_now() ? NULL : tusk__ring_entry(&uring->ring);
    if (!entry)
        return -EAGAIN;
    prepare(entry, request);
    uring->requests++;
    uring->under_way++;
    poller->watched++;
    tusk__uring_hand_over(uring);
    return 0;
}

void tusk__uring_withdraw(struct tusk__poller *poller, struct tusk__request *request)
{
    struct tusk__uring *uring = tusk__uring_of(poller);

    /* Else it ends by itself. */
    if (tusk__ring_is_mine(&uring->ring))
        tusk__uring_cancel(uring, (uintptr_t)request);
    tusk__uring_hand_over(uring);
}

void tusk__uring_hear_end(struct tusk__uring *uring, const struct io_uring_cqe *completion)
{
    struct tusk__request *request = (struct tusk__request *)(uintptr_t)completion->user_data;

    uring->under_way--;
    request->result = completion->res;
    request->next = NULL;
    *uring->ended_end = request;
    uring->ended_end = &request->next;
}

void tusk__uring_tell_ends(struct tusk__poller *poller)
{
    struct tusk__uring *uring = tusk__uring_of(poller);

    while (uring->ended) {
        struct tusk__request *request = uring->ended;

        uring->ended = request->next;
        if (!uring->ended)
            uring->ended_end = &uring->ended;
        uring->requests--;
        poller->watched--;
        request->done(request, request->result);
    }
}

/* Only the ring's thread hears of its completions. False: they are to be awaited in another way. */
static bool end_all_here(struct tusk__uring *uring)
{
    struct io_uring_sqe *entry = tusk__ring_is_mine(&uring->ring) ? tusk__ring_entry(&uring->ring) : NULL;
    int rc = 0;

    if (!entry)
        return false;
    /* Polls end too, and are begun again in the next wait. */
    io_uring_prep_cancel64(entry, 0, IORING_ASYNC_CANCEL_ANY);
    entry->user_data = TUSK__URING_NOTHING;
    for (tusk__uring_listen(uring); uring->under_way > 0 && (rc == 0 || rc == -EINTR);
         tusk__uring_listen(uring))
        rc = tusk__ring_enter(&uring->ring, -1);
    return uring->under_way == 0;
}

/* A child process that has a copy of the ring keeps it from going, but not its requests. */
void tusk__uring_settle(struct tusk__poller *poller)
{
    struct tusk__uring *uring = tusk__uring_of(poller);

    if (uring->requests == 0)
        return;
    if (!end_all_here(uring))
        tusk__ring_close_and_wait(&uring->ring);
    poller->watched -= uring->requests;
    uring->requests = 0;
    uring->under_way = 0;
    uring->ended = NULL;
    uring->ended_end = &uring->ended;
}

#endif
