/*
 * Systems differ in which of these codes they have, and in their numbers, some of which are
 * negative and some positive. Those that are missing below belong to getaddrinfo_a(), which nobody
 * calls here.
 */
#include "io/eai.h"

#include <errno.h>
#include <netdb.h>
#include <stddef.h>

#include <tusk/error.h>

static const struct {
    int eai;
    int code;
} codes[] = {
    {EAI_AGAIN, TUSK_EAI_AGAIN},
    {EAI_BADFLAGS, TUSK_EAI_BADFLAGS},
    {EAI_FAIL, TUSK_EAI_FAIL},
    {EAI_FAMILY, TUSK_EAI_FAMILY},
    {EAI_MEMORY, -ENOMEM},
    {EAI_NONAME, TUSK_EAI_NONAME},
    {EAI_OVERFLOW, TUSK_EAI_OVERFLOW},
    {EAI_SERVICE, TUSK_EAI_SERVICE},
    {EAI_SOCKTYPE, TUSK_EAI_SOCKTYPE},
#ifdef EAI_ADDRFAMILY
    {EAI_ADDRFAMILY, TUSK_EAI_ADDRFAMILY},
#endif
#ifdef EAI_BADHINTS
    {EAI_BADHINTS, TUSK_EAI_BADHINTS},
#endif
#ifdef EAI_IDN_ENCODE
    {EAI_IDN_ENCODE, TUSK_EAI_IDN_ENCODE},
#endif
#ifdef EAI_NODATA
    {EAI_NODATA, TUSK_EAI_NODATA},
#endif
#ifdef EAI_PROTOCOL
    {EAI_PROTOCOL, TUSK_EAI_PROTOCOL},
#endif
};

int tusk__eai_code(int eai, int error)
{
    if (eai == 0)
        return 0;
    if (eai == EAI_SYSTEM)
        return error > 0 ? -error : TUSK_EAI_FAIL;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].eai == eai)
            return codes[i].code;
    return tusk_raise(TUSK_EAI_UNKNOWN, "the resolver failed with code %d, which tusk does not know", eai);
}
