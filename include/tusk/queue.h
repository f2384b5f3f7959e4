/*
 * Queues: Queue, LifoQueue, PriorityQueue.
 *
 *     static tusk_queue jobs = TUSK_QUEUE_INIT(struct job, 10);
 *
 *     static int producer(void *arg)
 *     {
 *         struct job job = {...};
 *
 *         tusk_try(tusk_queue_put(&jobs, &job));       // waits while there are ten
 *         ...
 *     }
 *
 *     static int worker(void *arg)
 *     {
 *         struct job job;
 *
 *         for (;;) {
 *             tusk_try(tusk_queue_get(&jobs, &job));   // waits while there is none
 *             ...
 *             tusk_queue_task_done(&jobs);
 *         }
 *     }
 *
 * A queue holds items of one size by value: put copies in, get copies out. The three kinds are one
 * type; the initializer says which. They are plain structs. One that is zeroed has no limit and its
 * items have no bytes: it counts. Their fields are tusk's.
 *
 * The memory for items is taken as the queue fills, and kept: it doubles when it is full, so there
 * are no allocations once the queue has been as long as it gets. It is freed by tusk_queue_close(),
 * and by itself when the queue has been shut down and is empty. A queue with a limit can use an
 * array of yours instead and then allocates nothing at all.
 *
 * For what holds of threads, loops and errors, see tusk/sync.h.
 */
#ifndef TUSK_QUEUE_H
#define TUSK_QUEUE_H

#include <tusk/sync.h>

TUSK_BEGIN_DECLS

/*
 * Which of two items is the first out of a priority queue: negative for the left one. Must not use
 * the queue, or suspend.
 */
typedef int tusk_queue_compare(const void *left, const void *right);

/* A queue, of any of the three kinds. Ready by an initializer or an init function. */
typedef struct tusk_queue {
    size_t item_size_;
    /* 0: no limit. */
    size_t maxsize_;
    /* Of a priority queue, else NULL. */
    tusk_queue_compare *compare_;
    bool lifo_;
    /* The memory is the caller's. */
    bool given_;
    bool shut_down_;
    /* A ring for a queue; an array from the first place on for the others. */
    char *items_;
    size_t capacity_;
    size_t head_;
    size_t count_;
    /* Items put for which nobody has called task_done. */
    size_t unfinished_;
    struct tusk__waiters getters_;
    struct tusk__waiters putters_;
    struct tusk__waiters joiners_;
} tusk_queue;

#define TUSK__QUEUE_INIT(size, maxsize, compare, lifo, given, items)                                         \
    {                                                                                                        \
        size, maxsize, compare, lifo, given, false, items, (given) ? (maxsize) : 0, 0, 0, 0,                 \
            TUSK__WAITERS_INIT, TUSK__WAITERS_INIT, TUSK__WAITERS_INIT                                       \
    }
#define TUSK__ARRAY_LENGTH(array) (sizeof(array) / sizeof *(array))

/*
 * Queues of items of a type, of up to maxsize items (0: no limit). First in, first out; last in,
 * first out; the least by compare first, of equal ones as heapq would give them.
 */
#define TUSK_QUEUE_INIT(type, maxsize) TUSK__QUEUE_INIT(sizeof(type), maxsize, NULL, false, false, NULL)
#define TUSK_LIFO_QUEUE_INIT(type, maxsize) TUSK__QUEUE_INIT(sizeof(type), maxsize, NULL, true, false, NULL)
#define TUSK_PRIORITY_QUEUE_INIT(type, maxsize, compare)                                                     \
    TUSK__QUEUE_INIT(sizeof(type), maxsize, compare, false, false, NULL)

/*
 * The same as TUSK_QUEUE_INIT() and the others with the items in an array of yours, not a pointer:
 * its length is the limit.
 */
#define TUSK_QUEUE_INIT_IN(array)                                                                            \
    TUSK__QUEUE_INIT(sizeof *(array), TUSK__ARRAY_LENGTH(array), NULL, false, true, (char *)(array))
#define TUSK_LIFO_QUEUE_INIT_IN(array)                                                                       \
    TUSK__QUEUE_INIT(sizeof *(array), TUSK__ARRAY_LENGTH(array), NULL, true, true, (char *)(array))
#define TUSK_PRIORITY_QUEUE_INIT_IN(array, compare)                                                          \
    TUSK__QUEUE_INIT(sizeof *(array), TUSK__ARRAY_LENGTH(array), compare, false, true, (char *)(array))

/*
 * The same as TUSK_QUEUE_INIT() and the others for sizes known at run time. The memory has maxsize
 * times item_size bytes, aligned for the items, and lives as long as the queue; NULL: the queue's
 * own. Memory without a limit is not used. Does not suspend.
 */
TUSK_API void tusk_queue_init(tusk_queue *queue, size_t item_size, size_t maxsize, void *memory);
TUSK_API void tusk_lifo_queue_init(tusk_queue *queue, size_t item_size, size_t maxsize, void *memory);
TUSK_API void tusk_priority_queue_init(tusk_queue *queue, size_t item_size, size_t maxsize, void *memory,
                                       tusk_queue_compare *compare);

/*
 * Drops all items, frees the memory, and leaves an empty queue as new, of the same kind. Returns 0,
 * or TUSK_INVALID_STATE with nothing changed if somebody waits. Takes a closed one, too. Does not
 * suspend.
 */
TUSK_API int tusk_queue_close(tusk_queue *queue);

/*
 * Puts a copy of the item in; waits while the queue is full. Returns 0; TUSK_QUEUE_SHUT_DOWN;
 * -ENOMEM; -ECANCELED, and the item is not in. Suspends, unless there is room.
 */
TUSK_API TUSK_MUST_CHECK int tusk_queue_put(tusk_queue *queue, const void *item);

/*
 * Takes the next item out; waits while the queue is empty. Returns 0; TUSK_QUEUE_SHUT_DOWN if it is
 * shut down and empty; -ECANCELED, and no item is taken. Suspends, unless there is an item.
 */
TUSK_API TUSK_MUST_CHECK int tusk_queue_get(tusk_queue *queue, void *ret_item);

/*
 * Puts without waiting: TUSK_QUEUE_FULL if there is no room. Otherwise as tusk_queue_put(), but
 * also outside of tasks. Does not suspend.
 */
TUSK_API TUSK_MUST_CHECK int tusk_queue_put_nowait(tusk_queue *queue, const void *item);

/*
 * Takes without waiting: TUSK_QUEUE_EMPTY if there is no item. Otherwise as tusk_queue_get(), but
 * also outside of tasks. Does not suspend.
 */
TUSK_API TUSK_MUST_CHECK int tusk_queue_get_nowait(tusk_queue *queue, void *ret_item);

/*
 * Says that an item that was taken is done with: join waits for that. Returns 0, or -EINVAL if that
 * was said of all items already. Does not suspend.
 */
TUSK_API int tusk_queue_task_done(tusk_queue *queue);

/*
 * Waits until every item that was put is done with. Returns 0 or an error. Suspends, unless it is
 * so.
 */
TUSK_API TUSK_MUST_CHECK int tusk_queue_join(tusk_queue *queue);

struct tusk_queue_shutdown_options {
    /* Drops the items that are there, which count as done. */
    bool immediate;
    int tusk__end;
};

/*
 * From now on puts fail with TUSK_QUEUE_SHUT_DOWN, and gets as soon as the queue is empty. All who
 * wait wake up. Does not suspend. Option: .immediate.
 */
TUSK_API void tusk_queue_shutdown(tusk_queue *queue, const struct tusk_queue_shutdown_options *options);

/*
 * The length of a queue; its limit (0: none); whether it is empty; whether it has a limit and has
 * reached it. None of them suspends.
 */
TUSK_API size_t tusk_queue_qsize(const tusk_queue *queue);
TUSK_API size_t tusk_queue_maxsize(const tusk_queue *queue);
TUSK_API bool tusk_queue_empty(const tusk_queue *queue);
TUSK_API bool tusk_queue_full(const tusk_queue *queue);

#ifndef __cplusplus
#define tusk_queue_shutdown(...) TUSK__QUEUE_SHUTDOWN(__VA_ARGS__, .tusk__end = 0)
#define TUSK__QUEUE_SHUTDOWN(queue, ...)                                                                     \
    (tusk_queue_shutdown)(queue, &(const struct tusk_queue_shutdown_options){__VA_ARGS__})
#endif

TUSK_END_DECLS

#endif
