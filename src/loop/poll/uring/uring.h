/*
 * The state of the poller io_uring, and what its files share: polls.c asks the kernel to poll and
 * hears what that tells, news.c tells the loop, requests.c reads and writes.
 */
#ifndef TUSK__LOOP_POLL_URING_URING_H
#define TUSK__LOOP_POLL_URING_URING_H

#include "loop/poll/poll.h"
#include "loop/poll/uring/ring.h"

/* What a completion is of: the low bits of its data. A request's data is its address. */
enum {
    TUSK__URING_REQUEST,
    TUSK__URING_POLL,
    TUSK__URING_WAKE,
    TUSK__URING_NOTHING,
    TUSK__URING_KINDS,
};

/* Lists of slots: those of which a poll has told something, and those whose poll is to be begun. */
enum tusk__uring_list { TUSK__URING_TOLD, TUSK__URING_IDLE, TUSK__URING_LISTS };

/* No slot has this number. */
enum { TUSK__URING_NONE = -1 };

/* Who watches a number. */
struct tusk__uring_slot {
    struct tusk__watch *watch;
    /* How many polls there have been. */
    uint32_t generation;
    /* POLLIN and the like: what was told since the last ready(). */
    uint32_t told;
    int next[TUSK__URING_LISTS];
    bool listed[TUSK__URING_LISTS];
    /* The kernel has a poll of this generation. */
    bool polls;
    /* It told more than once since then. */
    bool twice;
};

struct tusk__uring {
    struct tusk__ring ring;
    /* An eventfd. */
    int wake;
    /* The kernel has a poll of `wake`; and that has told. */
    bool hears_wake;
    bool woken;
    /* Somebody may sleep on the ring's descriptor, outside of wait: the kernel must know all at once. */
    bool is_seen;
    /* There are polls that the kernel was asked to end, and perhaps does not know of it yet. */
    bool has_cancels;
    /* By number. They move when there are more. */
    struct tusk__uring_slot *slots;
    size_t slot_count;
    int first[TUSK__URING_LISTS];
    int last[TUSK__URING_LISTS];
    /* Those that have ended, and whose done() is to be called. */
    struct tusk__request *ended;
    struct tusk__request **ended_end;
    /* Those whose done() was not called; and those of them that the kernel has. */
    size_t requests;
    size_t under_way;
};

static inline struct tusk__uring *tusk__uring_of(const struct tusk__poller *poller)
{
    return poller->state;
}

/* ---- the ring (io_uring.c) ---- */

/*
 * Sees to it that there is a ring of this thread's. 0; TUSK_OTHER_THREAD: requests are under way in another
 * one; or an error.
 */
int tusk__uring_take(struct tusk__uring *uring);

/* tusk__ring_enter, after which the ring may be gone. */
int tusk__uring_enter(struct tusk__uring *uring, int64_t timeout);

/* Asks the kernel to end what has this data. */
void tusk__uring_cancel(struct tusk__uring *uring, uint64_t data);

/*
 * Something was put into the ring outside of wait, or there are news that the kernel does not know of: if
 * somebody may sleep on the ring's descriptor, the kernel gets it now, and he is woken.
 */
void tusk__uring_hand_over(struct tusk__uring *uring);

/* ---- polls (polls.c) ---- */

/* Makes room for this number: 0 or -ENOMEM. */
int tusk__uring_reserve(struct tusk__uring *uring, int number);

/* Puts a slot at the end of a list, unless it is there. */
void tusk__uring_push(struct tusk__uring *uring, enum tusk__uring_list list, int number);

/* Takes the first one out of a list, which is not empty. */
struct tusk__uring_slot *tusk__uring_pop(struct tusk__uring *uring, enum tusk__uring_list list);

/* What a watch is for, as events of poll(2). */
unsigned tusk__uring_mask(const struct tusk__watch *watch);

/* Begins the polls that are to be begun. */
void tusk__uring_begin_polls(struct tusk__uring *uring);

/* Ends the poll of a number, if there is one; what that told is void. */
void tusk__uring_end_poll(struct tusk__uring *uring, int number);

/* The ring has gone, and all polls with it: those that are wanted are to be begun. */
void tusk__uring_forget_polls(struct tusk__uring *uring);

/* Takes what the kernel tells, if there is a ring. */
void tusk__uring_listen(struct tusk__uring *uring);

/* ---- news (news.c) ---- */

/* There is something to tell. */
static inline bool tusk__uring_has_news(const struct tusk__uring *uring)
{
    return uring->woken || uring->first[TUSK__URING_TOLD] != TUSK__URING_NONE || uring->ended;
}

/* Tells it. Those that begin to watch in here are told of in the next wait. */
void tusk__uring_tell(struct tusk__poller *poller);

void tusk__uring_expect(struct tusk__poller *poller, struct tusk__watch *watch, int events);

/* ---- requests (requests.c) ---- */

int tusk__uring_submit(struct tusk__poller *poller, struct tusk__request *request);
void tusk__uring_withdraw(struct tusk__poller *poller, struct tusk__request *request);
void tusk__uring_settle(struct tusk__poller *poller);

/* The kernel has ended a request. */
void tusk__uring_hear_end(struct tusk__uring *uring, const struct io_uring_cqe *completion);

/* Calls done() of those that have ended. */
void tusk__uring_tell_ends(struct tusk__poller *poller);

#endif
