#!/usr/bin/env bash
# Each public header compiles alone: as C11 with -pedantic, as C++17, and twice
# in one file. Its macros are usable in a pedantic C11 program, and its functions
# without macros in a C++ one.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
source=${TUSK_SOURCE_DIR:-$here/../..}
cc=${TUSK_CC:-cc}
cxx=${TUSK_CXX:-}
warnings=(-Wall -Wextra -Wshadow -Wconversion -Werror -pedantic -fsyntax-only "-I$source/include")
failed=0

check()
{
    local what=$1
    shift
    if ! "$@"; then
        echo "failed: $what" >&2
        failed=$((failed + 1))
    fi
}

cd "$source/include"
for header in tusk.h tusk/*.h; do
    check "$header as C11" "$cc" -std=c11 "${warnings[@]}" -x c - <<<"#include <$header>
#include <$header>
extern int not_empty;"
    if [ -n "$cxx" ]; then
        check "$header as C++17" "$cxx" -std=c++17 "${warnings[@]}" -x c++ - <<<"#include <$header>
#include <$header>"
    fi
done
check "the macros in C11" "$cc" -std=c11 "${warnings[@]}" "$here/macros.c"
if [ -n "$cxx" ]; then
    check "the functions in C++17" "$cxx" -std=c++17 "${warnings[@]}" "$here/functions.cpp"
else
    echo "skipped: C++ (no C++ compiler)"
fi

# The test can fail: a header that uses what it does not include is found.
if "$cc" -std=c11 "${warnings[@]}" -x c - 2>/dev/null <<<"static inline tusk_loop *f(void);"; then
    echo "failed: a broken header passes" >&2
    failed=$((failed + 1))
fi
[ "$failed" -eq 0 ]
