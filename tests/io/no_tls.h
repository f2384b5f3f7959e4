/*
 * The whole of a test of TLS where tusk was built without OpenSSL: it says so.
 */
#ifndef TESTS_IO_NO_TLS_H
#define TESTS_IO_NO_TLS_H

#include "task/stage.h"

static int refused(void *arg)
{
    (void)arg;
    expect(tusk_tls_context_create() == NULL);
    expect_int(tusk_last_error(), -ENOTSUP);
    expect_text(tusk_message(), "this tusk was built without OpenSSL, so it has no TLS");
    expect_int(tusk_stream_start_tls(NULL, NULL), -ENOTSUP);
    expect(tusk_tls_context_retain(NULL) == NULL);
    tusk_tls_context_release(NULL);
    return 0;
}

static void test_refused(void **state)
{
    (void)state;
    play_quietly(refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
