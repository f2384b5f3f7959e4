#include "io/search.h"

#include <stdint.h>
#include <string.h>

/* Where it begins, or SIZE_MAX. memchr is the fastest thing there is, and separators begin with rare characters. */
static size_t find_one(const struct iovec *separator, const char *data, size_t size, size_t from)
{
    const char *first = separator->iov_base;
    size_t length = separator->iov_len;

    while (size >= length && from <= size - length) {
        const char *hit = memchr(data + from, *first, size - length + 1 - from);

        if (!hit)
            return SIZE_MAX;
        from = (size_t)(hit - data);
        if (memcmp(hit, first, length) == 0)
            return from;
        from++;
    }
    return SIZE_MAX;
}

size_t tusk__search_find(const struct tusk__search *search, const char *data, size_t size, size_t from,
                         size_t *ret_start)
{
    size_t best = 0;

    for (size_t i = 0; i < search->count; i++) {
        size_t length = search->separators[i].iov_len;
        size_t start = find_one(&search->separators[i], data, size, from);

        if (start == SIZE_MAX || (best > 0 && start + length > best))
            continue;
        if (best == 0 || start + length < best || start < *ret_start) {
            best = start + length;
            *ret_start = start;
        }
    }
    return best;
}
