/*
 * The resolver: what it answers and refuses. The system's one is asked only for what needs no net.
 */
#include "io/resolver_stub.h"

#include <net/if.h>

#include "io/eai.h"

/* ---- the system's own answers ---- */

static int numbers(void *arg)
{
    static const struct {
        const char *host;
        const char *service;
        int flags;
        const char *first;
    } cases[] = {
        {"127.0.0.1", "80", 0, "127.0.0.1 80"},
        {"255.255.255.255", "0", 0, "255.255.255.255 0"},
        {"1.2.3.4", NULL, 0, "1.2.3.4 0"},
        {"1.2.3.4", "", 0, "1.2.3.4 0"},
        {"1.2.3.4", "65535", AI_CANONNAME, "1.2.3.4 65535"},
        {"::1", "443", 0, "::1 443"},
        {"2001:db8::a:b", "00443", 0, "2001:db8::a:b 443"},
        {"::ffff:1.2.3.4", "1", 0, "::ffff:1.2.3.4 1"},
        {NULL, "8080", AI_PASSIVE, "0.0.0.0 8080"},
        {NULL, "8080", 0, "127.0.0.1 8080"},
    };
    struct addrinfo *list;

    (void)arg;
    mark();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int family = cases[i].host && strchr(cases[i].host, ':') ? AF_INET6 : AF_INET;

        list = NULL;
        expect_int(tusk_getaddrinfo(cases[i].host, cases[i].service, &list, .family = family,
                                    .type = SOCK_STREAM, .flags = cases[i].flags),
                   0);
        if (!list)
            continue;
        expect_text(first_of(list), cases[i].first);
        expect_int(list->ai_family, family);
        expect_int(list->ai_socktype, SOCK_STREAM);
        expect(list->ai_next == NULL);
        freeaddrinfo(list);
    }
    expect_int(iterations(), 0);
    return 0;
}

static void test_numbers_are_known_at_once(void **state)
{
    (void)state;
    assert_int_equal(act(numbers), 0);
}

static void expect_scope(const char *host, uint32_t scope)
{
    struct addrinfo *list = NULL;

    expect_int(tusk_getaddrinfo(host, "80", &list, .type = SOCK_STREAM), 0);
    if (!list)
        return;
    expect_int(list->ai_family, AF_INET6);
    expect_int(((struct sockaddr_in6 *)(void *)list->ai_addr)->sin6_scope_id, scope);
    freeaddrinfo(list);
}

static int scopes(void *arg)
{
    char name[IF_NAMESIZE];
    char host[64];

    (void)arg;
    mark();
    expect_scope("fe80::1", 0);
    expect_scope("fe80::1%1", 1);
    if (if_indextoname(1, name)) {
        snprintf(host, sizeof host, "fe80::1%%%s", name);
        expect_scope(host, 1);
    }
    expect_int(look_up("fe80::1%no-such-scope", "80"), TUSK_EAI_NONAME);
    expect_text(tusk_message(),
                "the host or the service is not known: host 'fe80::1%no-such-scope', service '80'");
    expect_int(iterations(), 0);
    return 0;
}

static void test_scopes_of_addresses(void **state)
{
    (void)state;
    assert_int_equal(act(scopes), 0);
}

/* The flags say that names are numbers: then nothing is looked up, and these are wrong. */
static int numbers_only(void *arg)
{
    struct addrinfo *list = untouched;

    (void)arg;
    mark();
    expect_int(tusk_getaddrinfo("localhost", "80", &list, .flags = AI_NUMERICHOST), TUSK_EAI_NONAME);
    expect(tusk_getaddrinfo("127.0.0.1", "http", &list, .flags = AI_NUMERICSERV) < 0);
    expect_int(tusk_getaddrinfo(NULL, NULL, &list), TUSK_EAI_NONAME);
    expect_int(tusk_getaddrinfo("127.0.0.1", "80", &list, .flags = 1 << 30), TUSK_EAI_BADFLAGS);
    expect_int(tusk_getaddrinfo("127.0.0.1", "80", &list, .family = 12345), TUSK_EAI_FAMILY);
    expect(tusk_getaddrinfo("127.0.0.1", "80", &list, .family = AF_INET6) < 0);
    expect(list == untouched);
    expect_int(iterations(), 0);
    return 0;
}

static void test_what_is_wrong_is_known_at_once(void **state)
{
    (void)state;
    assert_int_equal(act(numbers_only), 0);
}

/* The same as the system says to who asks it here. */
static void expect_as_system(const char *host, const char *service)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *wanted = NULL;
    struct addrinfo *list = NULL;
    const struct addrinfo *at;
    int eai = getaddrinfo(host, service, &hints, &wanted);

    if (eai != 0)
        return;
    expect_int(tusk_getaddrinfo(host, service, &list, .type = SOCK_STREAM), 0);
    at = list;
    for (const struct addrinfo *other = wanted; other; other = other->ai_next) {
        expect(at && at->ai_addrlen == other->ai_addrlen &&
               memcmp(at->ai_addr, other->ai_addr, at->ai_addrlen) == 0);
        at = at ? at->ai_next : NULL;
    }
    expect(at == NULL);
    if (list)
        freeaddrinfo(list);
    freeaddrinfo(wanted);
}

/* Names that this machine knows: localhost, and what else its file says. */
static int known_hosts(void *arg)
{
    FILE *file = fopen("/etc/hosts", "r");
    char line[256];
    char address[64];
    char host[64];

    (void)arg;
    expect_as_system("localhost", NULL);
    expect_as_system("localhost", "80");
    expect_as_system("127.0.0.1", "http");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "%63[0-9.] %63s", address, host) == 2)
            expect_as_system(host, "443");
    if (file)
        fclose(file);
    return 0;
}

static void test_names_that_this_machine_knows(void **state)
{
    (void)state;
    assert_int_equal(act(known_hosts), 0);
}

static int real_names(void *arg)
{
    struct sockaddr_storage storage;
    socklen_t length = address_of("127.0.0.1", 80, &storage);
    char wanted[NI_MAXHOST];
    char wanted_service[NI_MAXSERV];
    char host[NI_MAXHOST] = "";
    char service[NI_MAXSERV] = "";

    (void)arg;
    expect_int(names_of("192.0.2.7", 65535, NI_NUMERICHOST | NI_NUMERICSERV, host, service), 0);
    expect_text(host, "192.0.2.7");
    expect_text(service, "65535");
    expect_int(names_of("2001:db8::7", 1, NI_NUMERICHOST | NI_NUMERICSERV, host, service), 0);
    expect_text(host, "2001:db8::7");
    expect_text(service, "1");
    if (getnameinfo((struct sockaddr *)&storage, length, wanted, sizeof wanted, wanted_service,
                    sizeof wanted_service, 0) == 0) {
        expect_int(names_of("127.0.0.1", 80, 0, host, service), 0);
        expect_text(host, wanted);
        expect_text(service, wanted_service);
    }
    return 0;
}

static void test_names_of_addresses(void **state)
{
    (void)state;
    assert_int_equal(act(real_names), 0);
}

/* What is done at once is done on the task's own stack. */
static int numbers_in_little_space(void *arg)
{
    char host[64];

    (void)arg;
    for (int i = 0; i < 3; i++) {
        expect_int(look_up("fe80::1%1", "80"), 0);
        expect_int(look_up("127.0.0.1", "80"), 0);
        expect_int(look_up("fe80::1%no-such-scope", "80"), TUSK_EAI_NONAME);
    }
    expect_int(tusk_getnameinfo((struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET},
                                sizeof(struct sockaddr_in), host, sizeof host, NULL, 0, NI_NUMERICHOST),
               0);
    return 0;
}

static int start_in_little_space(void *arg)
{
    /* Sanitizers take more, and have their own report. */
    size_t size = TUSK__ASAN || TUSK__TSAN ? TUSK_STACK_DEFAULT : TUSK_STACK_MIN;

    (void)arg;
    return tusk_await(tusk_create_task(numbers_in_little_space, NULL, .stack_size = size));
}

static void test_the_smallest_stack_is_enough(void **state)
{
    (void)state;
    assert_int_equal(act(start_in_little_space), 0);
}

/* ---- who is asked what, and where ---- */

static int threads_or_not(void *arg)
{
    struct addrinfo *list;

    (void)arg;
    expect_int(look_up("127.0.0.1", "80"), 0);
    expect_int(look_up("::1", NULL), 0);
    expect_int(look_up("fe80::1%eth0", ""), 0);
    expect_int(look_up(NULL, "80"), 0);
    expect_int(tusk_getaddrinfo("name", "service", &list, .flags = AI_NUMERICHOST | AI_NUMERICSERV), 0);
    freeaddrinfo(list);
    expect_int(atomic_load(&system_stub.here), 5);
    expect_int(atomic_load(&system_stub.asked), 5);
    expect_int(look_up("name", "80"), 0);
    expect_int(look_up("127.0.0.1", "http"), 0);
    expect_int(look_up("1.2.3.4.5", "80"), 0);
    expect_int(look_up("127.0.0.1%eth0", "80"), 0);
    expect_int(look_up("1:2:3:4:5:6:7:8:9%eth0", "80"), 0);
    expect_int(look_up("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000%1", "80"), 0);
    expect_int(look_up(NULL, "http"), 0);
    expect_int(atomic_load(&system_stub.here), 5);
    expect_int(atomic_load(&system_stub.asked), 12);
    return 0;
}

static void test_only_what_may_block_goes_to_a_thread(void **state)
{
    (void)state;
    assert_int_equal(act(threads_or_not), 0);
}

static void expect_hints(const char *host, const char *service, int flags)
{
    const struct addrinfo *hints = &system_stub.last_hints;

    expect_text(system_stub.last_host, host);
    expect_text(system_stub.last_service, service);
    expect_int(hints->ai_family, AF_INET6);
    expect_int(hints->ai_socktype, SOCK_DGRAM);
    expect_int(hints->ai_protocol, IPPROTO_UDP);
    expect_int(hints->ai_flags, flags);
    expect(!hints->ai_addr && !hints->ai_canonname && !hints->ai_next && hints->ai_addrlen == 0);
}

static int options(void *arg)
{
    struct addrinfo *list;

    (void)arg;
    expect_int(tusk_getaddrinfo("name", "http", &list, .family = AF_INET6, .type = SOCK_DGRAM,
                                .proto = IPPROTO_UDP, .flags = AI_CANONNAME | AI_ADDRCONFIG),
               0);
    freeaddrinfo(list);
    expect_hints("name", "http", AI_CANONNAME | AI_ADDRCONFIG);
    expect_int(
        tusk_getaddrinfo("::1", "53", &list, .family = AF_INET6, .type = SOCK_DGRAM, .proto = IPPROTO_UDP),
        0);
    freeaddrinfo(list);
    expect_hints("::1", "53", AI_NUMERICHOST | AI_NUMERICSERV);
    expect_int((tusk_getaddrinfo)("name", NULL, &list, NULL), 0);
    freeaddrinfo(list);
    expect_text(system_stub.last_service, "NULL");
    expect_int(system_stub.last_hints.ai_family, AF_UNSPEC);
    return 0;
}

static void test_the_system_gets_the_options(void **state)
{
    (void)state;
    assert_int_equal(act(options), 0);
}

/* ---- names that are long or strange ---- */

static void expect_passed_whole(const char *name)
{
    expect_int(look_up(name, "service"), 0);
    expect_text(system_stub.last_host, name);
    expect_int(look_up("host", name), 0);
    expect_text(system_stub.last_service, name);
}

static int long_names(void *arg)
{
    static const size_t passed[] = {1, 63, 64, 253, 254, 255, 256, 257, 512, 1023, 1024};
    static const size_t refused[] = {1025, 1026, 10000};
    static char name[10001];

    (void)arg;
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
        memset(name, 'a', passed[i]);
        name[passed[i]] = '\0';
        expect_passed_whole(name);
    }
    atomic_store(&system_stub.asked, 0);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        memset(name, 'a', refused[i]);
        name[refused[i]] = '\0';
        expect_int(look_up(name, "80"), -ENAMETOOLONG);
        expect_int(look_up("127.0.0.1", name), -ENAMETOOLONG);
    }
    expect_text(tusk_message(), "the name of a service has 10000 bytes, and 1024 is the most");
    expect_int(atomic_load(&system_stub.asked), 0);
    return 0;
}

static void test_no_name_is_cut(void **state)
{
    (void)state;
    assert_int_equal(act(long_names), 0);
}

static int strange_names(void *arg)
{
    char name[256];
    char *end = name;

    (void)arg;
    for (int byte = 1; byte < 256; byte++)
        *end++ = (char)byte;
    *end = '\0';
    expect_passed_whole(name);
    expect_passed_whole(" ");
    expect_passed_whole(".");
    expect_passed_whole("%");
    expect_passed_whole("%s%n");
    expect_passed_whole("b\xc3\xbc"
                        "cher.example");
    expect_passed_whole("a\nb");
    return 0;
}

static void test_names_of_any_bytes(void **state)
{
    (void)state;
    assert_int_equal(act(strange_names), 0);
}

static int refusals(void *arg)
{
    static const char *const ports[] = {"65536", "99999", "4294967376", "99999999999999999999",
                                        "-1",    "-65535"};

    (void)arg;
    mark();
    expect_int(look_up("", "80"), TUSK_EAI_NONAME);
    expect_text(tusk_message(), "the name of the host is empty; NULL is this machine");
    expect_int(look_up("", NULL), TUSK_EAI_NONAME);
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        expect_int(look_up("127.0.0.1", ports[i]), TUSK_EAI_SERVICE);
        expect_int(look_up("name", ports[i]), TUSK_EAI_SERVICE);
    }
    expect_text(tusk_message(), "there is no port -65535: they go from 0 to 65535");
    expect_int(tusk_getaddrinfo("127.0.0.1", "80", NULL), -EINVAL);
    expect_int(iterations(), 0);
    expect_int(atomic_load(&system_stub.asked), 0);
    return 0;
}

static int call_outside_of_tasks(void *arg)
{
    struct addrinfo *list = untouched;
    char host[NI_MAXHOST];

    (void)arg;
    expect_int(tusk_getaddrinfo("127.0.0.1", "80", &list), TUSK_NOT_IN_TASK);
    expect_int(tusk_getaddrinfo("name", "80", &list), TUSK_NOT_IN_TASK);
    expect_int(names_of("127.0.0.1", 80, NI_NUMERICHOST, host, NULL), TUSK_NOT_IN_TASK);
    expect(list == untouched);
    return 0;
}

static int call_in_callback(void *arg)
{
    (void)arg;
    tusk_call_soon(call_outside_of_tasks, NULL);
    return tusk_sleep(1);
}

static void test_misuse(void **state)
{
    (void)state;
    assert_int_equal(act(refusals), 0);
    assert_int_equal(act(call_in_callback), 0);
    stage_clean();
    assert_int_equal(call_outside_of_tasks(NULL), 0);
    assert_int_equal(stage_failures, 0);
}

/* ---- errors ---- */

static void test_every_code_has_one_of_tusk(void **state)
{
    static const struct {
        int eai;
        int code;
    } known[] = {
        {EAI_AGAIN, TUSK_EAI_AGAIN},
        {EAI_BADFLAGS, TUSK_EAI_BADFLAGS},
        {EAI_FAIL, TUSK_EAI_FAIL},
        {EAI_FAMILY, TUSK_EAI_FAMILY},
        {EAI_NONAME, TUSK_EAI_NONAME},
        {EAI_OVERFLOW, TUSK_EAI_OVERFLOW},
        {EAI_SERVICE, TUSK_EAI_SERVICE},
        {EAI_SOCKTYPE, TUSK_EAI_SOCKTYPE},
        {EAI_MEMORY, -ENOMEM},
        {0, 0},
#ifdef EAI_ADDRFAMILY
        {EAI_ADDRFAMILY, TUSK_EAI_ADDRFAMILY},
#endif
#ifdef EAI_NODATA
        {EAI_NODATA, TUSK_EAI_NODATA},
#endif
#ifdef EAI_IDN_ENCODE
        {EAI_IDN_ENCODE, TUSK_EAI_IDN_ENCODE},
#endif
    };
    int unknown = 0;

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_int_equal(tusk__eai_code(known[i].eai, EIO), known[i].code);
    for (int eai = -5000; eai <= 5000; eai++) {
        int code = tusk__eai_code(eai, EIO);

        assert_true(eai == 0 ? code == 0 : code < 0);
        assert_int_equal(code == -EIO, eai == EAI_SYSTEM);
        assert_true(code == 0 || code == -EIO || code == -ENOMEM ||
                    strncmp(tusk_errorname(code), "TUSK_EAI_", 9) == 0);
        unknown += code == TUSK_EAI_UNKNOWN;
    }
    assert_in_range(unknown, 9980, 9990);
    for (int error = 1; error < 200; error++)
        assert_int_equal(tusk__eai_code(EAI_SYSTEM, error), -error);
    assert_int_equal(tusk__eai_code(EAI_SYSTEM, 0), TUSK_EAI_FAIL);
    assert_int_equal(tusk__eai_code(EAI_SYSTEM, -1), TUSK_EAI_FAIL);
    assert_int_equal(tusk__eai_code(EAI_SYSTEM, INT_MIN), TUSK_EAI_FAIL);
    assert_int_equal(tusk__eai_code(INT_MAX, 0), TUSK_EAI_UNKNOWN);
    assert_int_equal(tusk__eai_code(INT_MIN, 0), TUSK_EAI_UNKNOWN);
}

/* Whatever the system says, in a thread and without one. */
static int failures(void *arg)
{
    char host[NI_MAXHOST] = "as it was";

    (void)arg;
    system_stub.error = ENETDOWN;
    for (int eai = -200; eai <= 200; eai++) {
        system_stub.eai = eai;
        expect_int(look_up("name", "http"), tusk__eai_code(eai, ENETDOWN));
        expect_int(look_up("127.0.0.1", "80"), tusk__eai_code(eai, ENETDOWN));
        if (eai == 0)
            continue;
        expect_int(names_of("127.0.0.1", 80, 0, host, NULL), tusk__eai_code(eai, ENETDOWN));
        expect_int(names_of("127.0.0.1", 80, NI_NUMERICHOST, host, NULL), tusk__eai_code(eai, ENETDOWN));
    }
    expect_text(host, "as it was");
    return 0;
}

static void test_failures_of_the_system(void **state)
{
    (void)state;
    assert_int_equal(act(failures), 0);
}

static int messages(void *arg)
{
    char host[NI_MAXHOST];

    (void)arg;
    system_stub.eai = EAI_AGAIN;
    expect_int(look_up("name.example", NULL), TUSK_EAI_AGAIN);
    expect_text(tusk_message(), "no answer from the name server for now; try again later: "
                                "host 'name.example', service ''");
    system_stub.eai = EAI_SYSTEM;
    system_stub.error = EMFILE;
    expect_int(look_up("127.0.0.1", "80"), -EMFILE);
    expect_text(tusk_message(), "too many open files in this process: host '127.0.0.1', service '80'");
    system_stub.eai = 4711;
    expect_int(look_up("name.example", "80"), TUSK_EAI_UNKNOWN);
    expect_text(tusk_message(), "the resolver failed with code 4711, which tusk does not know");
    expect_int(names_of("127.0.0.1", 80, 0, host, NULL), TUSK_EAI_UNKNOWN);
    expect_text(tusk_message(), "the resolver failed with code 4711, which tusk does not know");
    return 0;
}

static void test_errors_say_what_was_asked(void **state)
{
    (void)state;
    assert_int_equal(act(messages), 0);
}

/* ---- names of addresses ---- */

static int name_parts(void *arg)
{
    char host[NI_MAXHOST] = "";
    char service[NI_MAXSERV] = "";

    (void)arg;
    expect_int(names_of("192.0.2.7", 80, 0, host, service), 0);
    expect_text(host, "host.example");
    expect_text(service, "http");
    expect_int(names_of("192.0.2.7", 80, NI_NUMERICHOST, host, service), 0);
    expect_int(names_of("192.0.2.7", 80, NI_NUMERICSERV, host, service), 0);
    expect_int(names_of("192.0.2.7", 80, 0, host, NULL), 0);
    expect_int(names_of("192.0.2.7", 80, 0, NULL, service), 0);
    expect_int(atomic_load(&system_stub.here), 0);
    strcpy(system_stub.host, "other.example");
    strcpy(system_stub.service, "smtp");
    expect_int(names_of("192.0.2.7", 80, NI_NUMERICHOST, host, NULL), 0);
    expect_text(host, "other.example");
    expect_text(service, "http");
    expect_int(names_of("192.0.2.7", 80, NI_NUMERICSERV, NULL, service), 0);
    expect_text(service, "smtp");
    expect_int(names_of("192.0.2.7", 80, NI_NUMERICHOST | NI_NUMERICSERV, host, service), 0);
    expect_int(atomic_load(&system_stub.here), 3);
    return 0;
}

static void test_only_the_names_that_are_wanted(void **state)
{
    (void)state;
    assert_int_equal(act(name_parts), 0);
}

static int narrow_places(void *arg)
{
    struct sockaddr_storage storage;
    const struct sockaddr *address = (const struct sockaddr *)&storage;
    socklen_t length = address_of("192.0.2.7", 80, &storage);
    char host[13] = "untouched";
    char service[5] = "old";

    (void)arg;
    for (size_t size = 0; size <= 12; size++)
        expect_int(tusk_getnameinfo(address, length, host, size, service, 5, 0), TUSK_EAI_OVERFLOW);
    for (size_t size = 0; size <= 4; size++)
        expect_int(tusk_getnameinfo(address, length, host, 13, service, size, 0), TUSK_EAI_OVERFLOW);
    expect_text(tusk_message(),
                "the name does not fit into the memory given for it: 13 and 5 bytes are needed");
    expect_text(host, "untouched");
    expect_text(service, "old");
    expect_int(tusk_getnameinfo(address, length, host, 13, service, 5, 0), 0);
    expect_text(host, "host.example");
    expect_text(service, "http");
    return 0;
}

static void test_a_name_that_does_not_fit_is_not_cut(void **state)
{
    (void)state;
    assert_int_equal(act(narrow_places), 0);
}

static int wrong_addresses(void *arg)
{
    struct sockaddr_storage storage[2];
    const struct sockaddr *address = (const struct sockaddr *)&storage[0];
    char host[NI_MAXHOST] = "";

    (void)arg;
    memset(storage, 0, sizeof storage);
    expect_int(tusk_getnameinfo(NULL, 16, host, sizeof host, NULL, 0, 0), -EINVAL);
    expect_int(tusk_getnameinfo(address, 0, host, sizeof host, NULL, 0, 0), -EINVAL);
    expect_int(tusk_getnameinfo(address, 1, host, sizeof host, NULL, 0, 0), -EINVAL);
    expect_int(tusk_getnameinfo(address, sizeof storage[0] + 1, host, sizeof host, NULL, 0, 0), -EINVAL);
    expect_int(tusk_getnameinfo(address, (socklen_t)-1, host, sizeof host, NULL, 0, 0), -EINVAL);
    expect_int(tusk_getnameinfo(address, 16, NULL, 0, NULL, 0, 0), -EINVAL);
    expect_int(atomic_load(&system_stub.asked), 0);
    return 0;
}

static void test_addresses_that_are_none(void **state)
{
    (void)state;
    assert_int_equal(act(wrong_addresses), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        system_test(test_numbers_are_known_at_once),
        system_test(test_scopes_of_addresses),
        system_test(test_what_is_wrong_is_known_at_once),
        system_test(test_names_that_this_machine_knows),
        system_test(test_names_of_addresses),
        system_test(test_the_smallest_stack_is_enough),
        resolver_test(test_only_what_may_block_goes_to_a_thread),
        resolver_test(test_the_system_gets_the_options),
        resolver_test(test_no_name_is_cut),
        resolver_test(test_names_of_any_bytes),
        resolver_test(test_misuse),
        resolver_test(test_every_code_has_one_of_tusk),
        resolver_test(test_failures_of_the_system),
        resolver_test(test_errors_say_what_was_asked),
        resolver_test(test_only_the_names_that_are_wanted),
        resolver_test(test_a_name_that_does_not_fit_is_not_cut),
        resolver_test(test_addresses_that_are_none),
    };

    prepare_stub();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
