/*
 * The system calls of base and coro.
 *
 * Light guards (MADV_GUARD_INSTALL) are probed, not derived from a version: a
 * kernel may have them patched in, and an emulator may accept every advice and
 * do nothing, which is why an advice that nobody knows must fail first.
 */
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/mem.h"

#ifdef __linux__
#include <sys/syscall.h>
#endif
#if defined(__FreeBSD__) || defined(__DragonFly__)
#include <pthread_np.h>
#endif
#ifdef __NetBSD__
#include <lwp.h>
#endif
#ifdef __APPLE__
#include <sys/ucontext.h>
#else
#include <ucontext.h>
#endif

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

/* Mappings that guards leave to the program. */
#define MAPS_FOR_THE_PROGRAM 500

enum { LIGHT_UNKNOWN, LIGHT_NO, LIGHT_YES };

static atomic_int light_guards;
/* Guards in place that cost mappings, in the whole process. */
static atomic_long heavy_guards;
/* How many of them there may be; 0 while nobody has asked. */
static atomic_long heavy_guards_max;
/* What a test pretends; see tusk__guards_force_heavy(). */
static atomic_long forced_limit;

int64_t tusk__clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

size_t tusk__page_size(void)
{
    static atomic_size_t cached;
    size_t size = atomic_load_explicit(&cached, memory_order_relaxed);

    if (size == 0) {
        size = (size_t)sysconf(_SC_PAGESIZE);
        atomic_store_explicit(&cached, size, memory_order_relaxed);
    }
    return size;
}

static atomic_uint forks;

static void count_fork(void)
{
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

unsigned tusk__forks(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, watch_forks);
    return atomic_load_explicit(&forks, memory_order_relaxed);
}

int tusk__map(size_t size, void **ret_address)
{
    void *address;

    if (tusk__fail_now())
        return -ENOMEM;
    address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address == MAP_FAILED)
        return -errno;
#ifdef MADV_NOHUGEPAGE
    /* Fails where the kernel has no huge pages, which is as good. */
    madvise(address, size, MADV_NOHUGEPAGE);
#endif
    *ret_address = address;
    return 0;
}

void tusk__unmap(void *address, size_t size)
{
    tusk__assert(munmap(address, size) == 0);
}

#ifdef __linux__
/* Since Linux 6.13; older headers do not know it. */
#define ADVICE_GUARD_INSTALL 102
/* Since Linux 5.14. */
#define ADVICE_POPULATE_WRITE 23
/* This process, where a descriptor of one is wanted; since Linux 6.14. */
#define THIS_PROCESS (-10000)
#define AREAS_AT_ONCE ((size_t)64)

#ifdef TUSK_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#define ADVICE_NOBODY_KNOWS 0x7fff

static bool probe_light_guards(void)
{
    size_t size = tusk__page_size();
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool works;

    if (page == MAP_FAILED)
        return false;
    works = madvise(page, size, ADVICE_NOBODY_KNOWS) != 0 && madvise(page, size, ADVICE_GUARD_INSTALL) == 0;
    munmap(page, size);
    return works;
}

/* Set when the system turned out to take no advice on many areas at once. */
static atomic_bool one_by_one;

/* Gives one advice on up to AREAS_AT_ONCE areas. Returns how many it reached, or 0 if the system cannot. */
static size_t advise_areas(char *address, size_t size, size_t stride, size_t count, int advice)
{
    struct iovec areas[AREAS_AT_ONCE];
    ssize_t advised;

    /* Valgrind complains of a call that it does not know. */
    if (atomic_load_explicit(&one_by_one, memory_order_relaxed) || RUNNING_ON_VALGRIND)
        return 0;
    if (count > AREAS_AT_ONCE)
        count = AREAS_AT_ONCE;
    for (size_t i = 0; i < count; i++)
        areas[i] = (struct iovec){.iov_base = address + i * stride, .iov_len = size};
    advised = (ssize_t)syscall(SYS_process_madvise, THIS_PROCESS, areas, count, advice, 0);
    if (advised < 0 && (errno == ENOSYS || errno == EPERM || errno == EBADF || errno == EINVAL))
        atomic_store_explicit(&one_by_one, true, memory_order_relaxed);
    return advised > 0 ? (size_t)advised / size : 0;
}

static int install_light_guards(void *address, size_t size, size_t stride, size_t count)
{
    size_t installed = count > 1 ? advise_areas(address, size, stride, count, ADVICE_GUARD_INSTALL) : 0;

    if (installed > 0)
        return (int)installed;
    return madvise(address, size, ADVICE_GUARD_INSTALL) == 0 ? 1 : -errno;
}

void tusk__populate(void *address, size_t size, size_t stride, size_t count)
{
    /* Whatever it does not reach gets its memory when it is touched. */
    advise_areas(address, size, stride, count, ADVICE_POPULATE_WRITE);
}

/* The first number of a file in /proc, or the number of its lines; -1 without the file. */
static long read_proc(const char *path, bool lines)
{
    char buffer[4096];
    long value = 0;
    ssize_t size;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    while ((size = read(fd, buffer, sizeof buffer - 1)) > 0) {
        buffer[size] = '\0';
        if (!lines) {
            value = strtol(buffer, NULL, 10);
            break;
        }
        for (ssize_t i = 0; i < size; i++)
            value += buffer[i] == '\n';
    }
    close(fd);
    return value;
}

static long system_map_limit(void)
{
    long limit = read_proc("/proc/sys/vm/max_map_count", false);

    /* The kernel's default, for a process that does not see /proc. */
    return limit > 0 ? limit : 65530;
}

static long maps_now(void)
{
    return read_proc("/proc/self/maps", true);
}
#else
static bool probe_light_guards(void)
{
    return false;
}

static int install_light_guards(void *address, size_t size, size_t stride, size_t count)
{
    (void)address;
    (void)size;
    (void)stride;
    (void)count;
    return -ENOSYS;
}

void tusk__populate(void *address, size_t size, size_t stride, size_t count)
{
    (void)address;
    (void)size;
    (void)stride;
    (void)count;
}

static long system_map_limit(void)
{
    return 0;
}

static long maps_now(void)
{
    return 0;
}
#endif

bool tusk__guards_are_light(void)
{
    int known = atomic_load_explicit(&light_guards, memory_order_relaxed);

    if (atomic_load_explicit(&forced_limit, memory_order_relaxed) != 0)
        return false;
    if (known == LIGHT_UNKNOWN) {
        known = probe_light_guards() ? LIGHT_YES : LIGHT_NO;
        atomic_store_explicit(&light_guards, known, memory_order_relaxed);
    }
    return known == LIGHT_YES;
}

void tusk__guards_force_heavy(long map_limit)
{
    atomic_store_explicit(&forced_limit, map_limit, memory_order_relaxed);
    atomic_store_explicit(&heavy_guards_max, 0, memory_order_relaxed);
}

long tusk__map_limit(void)
{
    long forced = atomic_load_explicit(&forced_limit, memory_order_relaxed);

    return forced > 0 ? forced : system_map_limit();
}

/* A guard in the middle of a mapping makes three of one: two more for each guard. */
static long count_heavy_guards_max(void)
{
    long limit = tusk__map_limit();
    long placed = atomic_load_explicit(&heavy_guards, memory_order_relaxed);
    long max;

    if (limit == 0)
        return INT32_MAX;
    max = placed + (limit - maps_now() - MAPS_FOR_THE_PROGRAM) / 2;
    return max > 0 ? max : -1;
}

static int install_heavy_guard(void *address, size_t size)
{
    long max = atomic_load_explicit(&heavy_guards_max, memory_order_relaxed);

    if (max == 0) {
        max = count_heavy_guards_max();
        atomic_store_explicit(&heavy_guards_max, max, memory_order_relaxed);
    }
    if (atomic_fetch_add_explicit(&heavy_guards, 1, memory_order_relaxed) < max &&
        mprotect(address, size, PROT_NONE) == 0)
        return 1;
    atomic_fetch_sub_explicit(&heavy_guards, 1, memory_order_relaxed);
    return -EMFILE;
}

int tusk__guard(void *address, size_t size, size_t stride, size_t count)
{
    if (tusk__fail_now())
        return -ENOMEM;
    if (likely(tusk__guards_are_light()))
        return install_light_guards(address, size, stride, count);
    return install_heavy_guard(address, size);
}

void tusk__guards_unmapped(size_t count)
{
    atomic_fetch_sub_explicit(&heavy_guards, (long)count, memory_order_relaxed);
}

int tusk__discard(void *address, size_t size)
{
#ifdef __linux__
    return madvise(address, size, MADV_DONTNEED) == 0 ? 0 : -errno;
#else
    /* The other advice does nothing there. */
    return madvise(address, size, MADV_FREE) == 0 ? 0 : -errno;
#endif
}

int tusk__resident(void *address, size_t size, unsigned char *ret_pages)
{
    return mincore(address, size, (void *)ret_pages) == 0 ? 0 : -errno;
}

bool tusk__address_space_is_limited(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

size_t tusk__processor_count(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    return count > 0 ? (size_t)count : 1;
}

bool tusk__is_main_thread(void)
{
#ifdef __linux__
    return syscall(SYS_gettid) == getpid();
#elif defined(__NetBSD__)
    return _lwp_self() == 1;
#else
    return pthread_main_np() != 0;
#endif
}

int tusk__cond_init(pthread_cond_t *condition)
{
#ifdef __APPLE__
    return -pthread_cond_init(condition, NULL);
#else
    pthread_condattr_t attributes;
    int rc = pthread_condattr_init(&attributes);

    if (rc != 0)
        return -rc;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    rc = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return -rc;
#endif
}

int tusk__cond_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline)
{
    int64_t at = deadline > 0 ? deadline : 0;
    struct timespec time = {.tv_sec = (time_t)(at / 1000000000), .tv_nsec = (long)(at % 1000000000)};

#ifdef __APPLE__
    int64_t left = at - tusk__clock_ns();

    left = left < 0 ? 0 : left;
    time = (struct timespec){.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
    return -pthread_cond_timedwait_relative_np(condition, lock, &time);
#else
    return -pthread_cond_timedwait(condition, lock, &time);
#endif
}

size_t tusk__signal_stack_size(void)
{
    size_t size = (size_t)32 * 1024;
#ifdef _SC_MINSIGSTKSZ
    long least = sysconf(_SC_MINSIGSTKSZ);

    /* The registers of some processors alone take more than 10 KiB. */
    if (least > 0 && size < 2 * (size_t)least)
        size = 2 * (size_t)least;
#endif
    return size;
}

struct tusk__interrupted tusk__interrupted_at(const void *context)
{
    const ucontext_t *place = context;

#if defined(__linux__) && defined(__x86_64__)
    return (struct tusk__interrupted){(uintptr_t)place->uc_mcontext.gregs[REG_RIP],
                                      (uintptr_t)place->uc_mcontext.gregs[REG_RSP]};
#elif defined(__linux__) && defined(__aarch64__)
    return (struct tusk__interrupted){place->uc_mcontext.pc, place->uc_mcontext.sp};
#elif defined(__APPLE__) && defined(__x86_64__)
    return (struct tusk__interrupted){place->uc_mcontext->__ss.__rip, place->uc_mcontext->__ss.__rsp};
#elif defined(__APPLE__) && defined(__aarch64__)
    return (struct tusk__interrupted){place->uc_mcontext->__ss.__pc, place->uc_mcontext->__ss.__sp};
#else
    (void)place;
    return (struct tusk__interrupted){0, 0};
#endif
}

int tusk__spare_signal(int number)
{
    if (number == 0)
        return SIGURG;
#ifdef SIGRTMIN
    /* The last of all is left to tools such as valgrind. */
    return SIGRTMAX - number >= SIGRTMIN ? SIGRTMAX - number : 0;
#else
    return 0;
#endif
}
