/*
 * Messages: made once, counted by references, and NULL for none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"
#include "support/live.h"

static struct tusk__text *make(int code, const char *format, ...)
{
    struct tusk__text *text;
    va_list args;

    va_start(args, format);
    text = tusk__text_new(code, format, args);
    va_end(args);
    return text;
}

static void test_formats(void **state)
{
    struct tusk__text *text = make(-EIO, "%s %d%%", "full at", 90);

    (void)state;
    assert_non_null(text);
    assert_int_equal(text->code, -EIO);
    assert_string_equal(text->text, "full at 90%");
    tusk__text_release(text);
}

static void test_lengths(void **state)
{
    static char longest[100000];

    (void)state;
    memset(longest, 'y', sizeof longest - 1);
    for (size_t length = 0; length < sizeof longest; length = length * 3 + 1) {
        struct tusk__text *text = make(-EIO, "%.*s", (int)length, longest);
        struct tusk__text *copy = tusk__text_copy(-EINVAL, text->text);

        assert_int_equal(strlen(text->text), length);
        assert_string_equal(copy->text, text->text);
        assert_int_equal(copy->code, -EINVAL);
        tusk__text_release(text);
        tusk__text_release(copy);
    }
}

static void test_references(void **state)
{
    struct tusk__text *text = make(-EIO, "kept");
    struct tusk__text *slot = NULL;
    size_t live = tusk__live();

    (void)state;
    assert_ptr_equal(tusk__text_retain(text), text);
    tusk__text_put(&slot, text);
    tusk__text_release(text);
    assert_int_equal(tusk__live(), live);
    assert_string_equal(slot->text, "kept");
    /* The same one again. */
    tusk__text_put(&slot, tusk__text_retain(slot));
    assert_string_equal(slot->text, "kept");
    tusk__text_put(&slot, NULL);
    assert_null(slot);
    assert_int_equal(tusk__live(), live - 1);
}

static void test_none(void **state)
{
    (void)state;
    assert_null(tusk__text_copy(-EIO, NULL));
    assert_null(make(-EIO, NULL));
    assert_null(tusk__text_retain(NULL));
    tusk__text_release(NULL);
}

static void test_without_memory(void **state)
{
    (void)state;
    tusk__fail_after(1);
    assert_null(make(-EIO, "lost"));
    tusk__fail_after(1);
    assert_null(tusk__text_copy(-EIO, "lost"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        live_test(test_formats), live_test(test_lengths),        live_test(test_references),
        live_test(test_none),    live_test(test_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
