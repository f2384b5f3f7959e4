#!/usr/bin/env bash
# tusk as two files: compiled without a warning by each compiler that is here, with nothing but
# -pthread, and used by a program in C and one in C++. With TUSK_CHECK_PACKAGES=yes also optimized,
# with sanitizers, with TLS, with ucontext, and by the lessons.
set -euo pipefail
# shellcheck source=support.sh
. "$(dirname "$0")/support.sh"
need python3

# The build's compiler, and the other one of the two.
compilers=("$cc")
other=clang
if "$cc" --version 2>/dev/null | grep -q clang; then other=gcc; fi
if command -v "$other" >/dev/null; then compilers+=("$other"); fi

step "two files"
quietly python3 "$source/tools/amalgamate" --output "$work/two"
cd "$work/two"
sed 's/<tusk.h>/"tusk.h"/' "$here/program/main.c" >program.c
if python3 "$source/tools/amalgamate" --root "$work" --output "$work/none" >/dev/null 2>&1; then
    fail "tools/amalgamate makes something of nothing"
fi

# compiled NAME COMPILER OPTION...: the outside program, compiled so, works.
compiled()
{
    local name=$1
    shift
    step "${*:-}"
    quietly "$@" -Wall -Wextra -Werror program.c tusk.c -pthread -o "$name"
    works "./$name"
}

for compiler in "${compilers[@]}"; do
    compiled "plain_$(basename "$compiler")" "$compiler"
done
plain=plain_$(basename "$cc")
if readelf -h "$plain" >/dev/null 2>&1; then
    readelf -lW "$plain" | awk '$1 == "GNU_STACK" { exit $7 ~ /E/ }' || fail "the stack would be executable"
fi

step "in a shared library of one's own"
quietly "$cc" -shared -fPIC -DTUSK_API= -fvisibility=hidden tusk.c -pthread -o libown.so
if nm -D --defined-only libown.so 2>/dev/null | grep tusk; then fail "these are exported, with -DTUSK_API="; fi

quietly "$cc" -c tusk.c -pthread -o tusk.o
if readelf -h tusk.o >/dev/null 2>&1; then
    readelf -sW tusk.o | awk '$5 == "GLOBAL" && $6 == "DEFAULT" && $8 ~ /^tusk__/ && $7 != "UND" { print $8 }' >visible
    [ ! -s visible ] || fail "these are tusk's own, and yet visible: $(cat visible)"
fi
if [ -n "$cxx" ]; then
    step "C++17"
    quietly "$cxx" -std=c++17 -Wall -Wextra -Werror -I. "$source/examples/cpp/kitchen.cpp" tusk.o -pthread -o kitchen
    diff "$source/examples/cpp/kitchen.out" <(./kitchen) || fail "the example in C++ prints something else"
fi

lessons()
{
    local file name
    mkdir -p lessons/examples/lessons lessons/tests/lessons/virtual
    for file in "$source"/examples/lessons/*.c "$source/examples/hello.c"; do
        name=$(basename "$file" .c)
        quietly "$cc" -I. "$file" tusk.o -pthread -o "lessons/examples/lessons/$name"
        quietly "$cc" -I. -include "$source/tests/lessons/virtual.h" "$file" tusk.o -pthread \
            -o "lessons/tests/lessons/virtual/$name"
    done
    quietly env "TUSK_BUILD_DIR=$PWD/lessons" TUSK_TEST_WRAPPER= python3 "$source/tests/lessons/test_lessons.py"
}

if thorough; then
    compiled ucontext "$cc" -DTUSK_CORO_UCONTEXT
    compiled strict "$cc" -std=c11 -O3 -Wshadow -Wconversion
    compiled address "$cc" -O1 -g -fsanitize=address,undefined
    compiled thread "$cc" -O1 -g -fsanitize=thread
    for compiler in "${compilers[@]}"; do
        compiled optimized "$compiler" -O2
    done
    if pkg-config --atleast-version=3 libssl 2>/dev/null; then
        step "with TLS"
        # shellcheck disable=SC2046 # the flags are words
        quietly "$cc" -Wall -Wextra -Werror -DTUSK_WITH_TLS program.c tusk.c -pthread \
            $(pkg-config --cflags --libs libssl libcrypto) -o with_tls
        works ./with_tls
    fi
    if command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null; then
        step "for AArch64"
        quietly aarch64-linux-gnu-gcc -Wall -Wextra -O2 -static program.c tusk.c -pthread -o arm
        works qemu-aarch64 ./arm
    fi
    step "the lessons, optimized"
    quietly "$cc" -O2 -c tusk.c -pthread -o tusk.o
    lessons
fi
echo "package: good"
