/*
 * The floor of the sleepers: what the system itself takes to give a million
 * guarded stacks, and a page of each, before any library does anything with them.
 *
 * The stacks lie side by side in large mappings, because a mapping for each
 * would meet vm.max_map_count at 65,530. For the same reason the guards are made
 * by MADV_GUARD_INSTALL: mprotect would split a mapping in two for each. Huge
 * pages are off: with them one touch would give a stack's neighbours memory too,
 * and the time would be that of clearing 2 MiB.
 *
 * It is also what bench/run warms the machine up with before it measures any
 * sleepers. Memory that a virtual machine has not used for a while is its host's, and
 * the first to touch it paid 12 us a page where the next one paid 3: whoever came
 * first was slowest, and a floor measured first was no floor.
 */
#include <errno.h>
#include <sys/mman.h>

#include "../common/measure.h"

/* For C libraries older than Linux 6.13. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
    STACK_SIZE = 256 * 1024,
    GUARD_SIZE = 8 * 4096,
    STACKS_PER_REGION = 256,
};

static char *map_region(void)
{
    const size_t size = (size_t)STACK_SIZE * STACKS_PER_REGION;
    char *region =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (region == MAP_FAILED)
        bench_die("mmap: %s", strerror(errno));
    (void)madvise(region, size, MADV_NOHUGEPAGE);
    return region;
}

static void guard_and_touch(long count)
{
    double start = bench_now();
    char *region = NULL;

    for (long i = 0; i < count; i++) {
        if (i % STACKS_PER_REGION == 0)
            region = map_region();
        char *stack = region + (size_t)(i % STACKS_PER_REGION) * STACK_SIZE;
        if (madvise(stack, GUARD_SIZE, MADV_GUARD_INSTALL) != 0) {
            printf("sleepers fail guarding stack %ld: %s\n", i, strerror(errno));
            return;
        }
        *(volatile char *)(stack + STACK_SIZE - 64) = 1;
    }
    bench_report("sleepers", bench_now() - start, "s");
}

int main(int argc, char **argv)
{
    long repeats = bench_count(argc, argv, 1, 1);
    long count = bench_count(argc, argv, 2, 1000 * 1000);

    for (long i = 0; i < repeats; i++)
        bench_in_child(guard_and_touch, count);
    return 0;
}
