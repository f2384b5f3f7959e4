/*
 * The system calls of base and coro: clock, pages, mappings, guards. The one
 * place, besides the arch and poll folders, that knows which system this is.
 * Each returns 0 or a positive result, else a negative errno.
 */
#ifndef TUSK_BASE_SYS_H
#define TUSK_BASE_SYS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nanoseconds of the monotonic clock. 19 ns a call: nothing for a switch. */
int64_t tusk__clock_ns(void);

/* Bytes of a page. */
size_t tusk__page_size(void);

/* It changes in a child of fork, if it was asked before: what the kernel keeps may be the parent's then. */
unsigned tusk__forks(void);

/*
 * Address space for stacks: readable, writable, zero, without memory until it
 * is touched, never made of huge pages. Fallible.
 */
int tusk__map(size_t size, void **ret_address);

void tusk__unmap(void *address, size_t size);

/* True when guards cost no mapping: Linux 6.13 and later. Asked from the kernel once. */
bool tusk__guards_are_light(void);

/*
 * Makes every access to the pages fault, by the light guard if there is one
 * (which the page table holds, not the list of mappings), else by taking the
 * rights away, which costs up to two mappings. Guards up to count such areas,
 * each stride after the last, and returns how many, at least 1: many at once
 * cost 0.4 us each, one by one 0.6. Fallible. -EMFILE when the system's limit
 * of mappings allows no more.
 */
int tusk__guard(void *address, size_t size, size_t stride, size_t count);

/*
 * Gives memory to count areas of size bytes, each stride after the last, if the
 * system can do that at once: 1.1 us a page instead of 1.4 by touching it.
 */
void tusk__populate(void *address, size_t size, size_t stride, size_t count);

/* The mappings of this many guards were given back. */
void tusk__guards_unmapped(size_t count);

/* The limit of mappings that guards keep, or 0 when there is none. */
long tusk__map_limit(void);

/*
 * For tests. Takes light guards away: 1 and more is the limit of mappings to
 * pretend, -1 keeps the system's own; 0 switches it off.
 */
void tusk__guards_force_heavy(long map_limit);

/*
 * Gives the memory of pages back; guards in between stay. On Linux they read as
 * zero afterwards, elsewhere as zero or as before.
 */
int tusk__discard(void *address, size_t size);

/* One byte for each page: bit 0 is set when the page has memory. */
int tusk__resident(void *address, size_t size, unsigned char *ret_pages);

/* True when the process has a limit of its own on address space. */
bool tusk__address_space_is_limited(void);

/* How many processors the system has in use. */
size_t tusk__processor_count(void);

/* True in the thread that runs main(), and in the only thread of a child process. */
bool tusk__is_main_thread(void);

/* A condition that waits by the monotonic clock. */
int tusk__cond_init(pthread_cond_t *condition);

/* Waits until it is signalled or the clock says `deadline`; then -ETIMEDOUT. */
int tusk__cond_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline);

/* The bytes that a signal handler's stack needs on this processor. */
size_t tusk__signal_stack_size(void);

/* Where a signal interrupted its thread. 0 where nobody has written down how to find it. */
struct tusk__interrupted {
    uintptr_t instruction;
    uintptr_t stack_pointer;
};

/* From the third argument of a signal handler. */
struct tusk__interrupted tusk__interrupted_at(const void *context);

/*
 * The signals that a library may look at for one of its own, best first: 0 and up, until it
 * returns 0. The first one does nothing where no handler is, and debuggers let it pass
 * silently; the others are real-time signals, from the end that programs use last.
 */
int tusk__spare_signal(int number);

#endif
