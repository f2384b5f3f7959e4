#!/bin/bash
# No object file asks for an executable stack: neither by its mark, nor by
# having none, which counts as asking. Skipped without readelf, and where object
# files are of another kind.
set -eu

library=$TUSK_BUILD_DIR/libtusk.a
program=$TUSK_BUILD_DIR/tests/coro/test_switch

if ! command -v readelf >/dev/null || ! readelf -h "$program" >/dev/null 2>&1; then
    echo "skipped: no readelf, or no ELF"
    exit 77
fi

if [ -f "$library" ]; then
    unmarked=$(readelf -SW "$library" | awk '
        function tell() { if (file != "" && !marked) print file }
        /^File: / { tell(); file = $2; marked = 0 }
        /\.note\.GNU-stack/ { marked = !/ X / && !/AX/ }
        END { tell() }')
    if [ -n "$unmarked" ]; then
        echo "without a mark, or with an executable stack: $unmarked"
        exit 1
    fi
fi

stack=$(readelf -lW "$program" | grep GNU_STACK)
case $stack in
*RWE*)
    echo "the stack of $program is executable: $stack"
    exit 1
    ;;
esac
echo "$stack"
