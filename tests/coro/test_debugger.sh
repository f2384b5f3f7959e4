#!/bin/bash
# A debugger's backtrace of a running coroutine ends at its entry, without an
# error. Skipped without gdb, and where the program runs under something else.
set -eu

program=$TUSK_BUILD_DIR/tests/coro/test_backtrace

if [ -n "${TUSK_TEST_WRAPPER:-}" ] || ! command -v gdb >/dev/null; then
    echo "skipped: no gdb here"
    exit 77
fi

trace=$(gdb -nx -batch -ex 'set debuginfod enabled off' -ex 'break walk_here' -ex run -ex backtrace "$program" 2>&1) || true
frames=$(grep '^#' <<<"$trace" || true)

if [ -z "$frames" ]; then
    echo "skipped: gdb cannot run programs here:"
    echo "$trace"
    exit 77
fi

fail() {
    echo "$1:"
    echo "$trace"
    exit 1
}

grep -q walk_here <<<"$frames" || fail "the running function is missing"
grep -q walker <<<"$frames" || fail "the entry is missing"
if grep -q -i 'backtrace stopped\|corrupt\|Cannot access' <<<"$trace"; then
    fail "the backtrace does not end cleanly"
fi
# ucontext has frames of the C library below the entry, which are not ours to end.
below=$(sed '1,/walker/d' <<<"$frames")
if grep -q 'tusk__coro_bottom' <<<"$frames"; then
    [ "$(wc -l <<<"$below")" -eq 1 ] || fail "the backtrace goes on below the entry"
elif [ "$(wc -l <<<"$below")" -gt 3 ]; then
    fail "the backtrace does not end below the entry"
fi
echo "$frames"
