/*
 * Looking for separators in bytes.
 */
#ifndef TUSK__IO_SEARCH_H
#define TUSK__IO_SEARCH_H

#include <stddef.h>
#include <sys/uio.h>

struct tusk__search {
    /* None is empty. */
    const struct iovec *separators;
    size_t count;
    /* The length of the longest. */
    size_t longest;
};

/*
 * The end of the separator that ends first, of several the longest, in data[from, size); 0: there is none. *ret_start
 * is where it begins.
 */
size_t tusk__search_find(const struct tusk__search *search, const char *data, size_t size, size_t from,
                         size_t *ret_start);

#endif
