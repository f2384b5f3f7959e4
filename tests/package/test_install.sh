#!/usr/bin/env bash
# tusk installed: to a folder that is then moved, and used by a program outside of
# the tree by pkg-config (shared, static), find_package, and from C++. And what the
# shared library is made of: only public names, a stack that is not executable, its
# SONAME.
set -euo pipefail
# shellcheck source=support.sh
. "$(dirname "$0")/support.sh"

flags=()

link_statically()
{
    mkdir "$work/static"
    cp "$lib/libtusk.a" "$work/static/"
    quietly "$cc" -std=c11 "$here/program/main.c" "-L$work/static" "${flags[@]}" -o "$work/static/program"
    LD_LIBRARY_PATH='' DYLD_LIBRARY_PATH='' works "$work/static/program"
    if command -v readelf >/dev/null && readelf -h "$work/static/program" >/dev/null 2>&1; then
        readelf -lW "$work/static/program" | awk '$1 == "GNU_STACK" { exit $7 ~ /E/ }' ||
            fail "a program with the static library would have an executable stack"
    fi
}

step "install, and move what was installed"
quietly "$cmake" --install "$build" --prefix "$work/first"
prefix="$work/moved to"
mv "$work/first" "$prefix"
library=$(find "$prefix" -name 'libtusk.so' -o -name 'libtusk.dylib')
[ -n "$library" ] || fail "no shared library was installed"
lib=$(dirname "$library")
export LD_LIBRARY_PATH=$lib DYLD_LIBRARY_PATH=$lib

if command -v python3 >/dev/null; then
    step "manual pages"
    [ -s "$prefix/share/man/man3/tusk_gather.3" ] || fail "tusk_gather has no manual page"
fi

if command -v readelf >/dev/null && readelf -h "$library" >/dev/null 2>&1; then
    step "symbols, stack, SONAME"
    nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$work/symbols"
    grep -qx tusk_run "$work/symbols" || fail "tusk_run is not exported"
    if grep -v '^tusk_[a-z]' "$work/symbols"; then fail "the library exports these, which are not public"; fi
    # Each function that a header declares is there.
    cat "$source"/include/tusk/*.h | tr '\n' ' ' | grep -oE 'TUSK_API [^;(]*\(' | grep -oE 'tusk_[a-z_]+\($' |
        tr -d '(' | sort -u >"$work/declared"
    if comm -23 "$work/declared" "$work/symbols" | grep .; then fail "these are declared, but not in the library"; fi
    readelf -lW "$library" | awk '$1 == "GNU_STACK" { exit $7 ~ /E/ }' || fail "the stack would be executable"
    readelf -lW "$library" | grep -q GNU_STACK || fail "nothing says that the stack is not executable"
    readelf -dW "$library" | grep -q 'SONAME.*\[libtusk\.so\.0\]' || fail "SONAME is not libtusk.so.0"
fi

if command -v pkg-config >/dev/null; then
    export PKG_CONFIG_PATH=$lib/pkgconfig
    step "pkg-config, shared"
    [ "$(pkg-config --modversion tusk)" = "$version" ] || fail "the version in tusk.pc is not $version"
    # Paths with blanks come quoted, as for a shell.
    eval "flags=($(pkg-config --cflags --libs tusk))"
    quietly "$cc" -std=c11 "$here/program/main.c" "${flags[@]}" -o "$work/by_pkg_config"
    works "$work/by_pkg_config"
    if command -v readelf >/dev/null && readelf -h "$work/by_pkg_config" >/dev/null 2>&1; then
        readelf -dW "$work/by_pkg_config" | grep -q 'NEEDED.*libtusk\.so\.0' ||
            fail "the program is not linked to the shared library"
    fi

    step "pkg-config, static"
    eval "flags=($(pkg-config --static --cflags --libs tusk))"
    # What OpenSSL's package asks for in a static program need not be installed (Debian's: zlib, zstd).
    # shellcheck disable=SC2046 # the flags are words
    if pkg-config --exists libcrypto && ! "$cc" -x c - -x none $(pkg-config --static --libs libcrypto) \
        -o "$work/empty" <<<"int main(void) { return 0; }" 2>/dev/null; then
        echo "skipped: pkg-config, static (libraries that libcrypto.pc names are missing)"
    else
        link_statically
    fi
else
    echo "skipped: pkg-config (not installed)"
fi

step "find_package"
quietly "$cmake" -S "$here/program" -B "$work/found" "-DCMAKE_C_COMPILER=$cc" "-DCMAKE_PREFIX_PATH=$prefix"
quietly "$cmake" --build "$work/found"
works "$work/found/static"
works "$work/found/shared"
# One that is installed on this machine does not count.
if "$cmake" -S "$here/program" -B "$work/lost" "-DCMAKE_C_COMPILER=$cc" "-Dtusk_DIR=$work" \
    -DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF -DCMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH=OFF >/dev/null 2>&1; then
    fail "find_package finds a tusk that is not there"
fi

if "$cmake" -S "$here/program" -B "$work/lost" "-DCMAKE_C_COMPILER=$cc" "-DCMAKE_PREFIX_PATH=$prefix" \
    -DTUSK_WANTED=99.0 >/dev/null 2>&1; then
    fail "find_package takes tusk $version for version 99.0"
fi

if [ -n "$cxx" ]; then
    step "C++17"
    quietly "$cxx" -std=c++17 "$source/examples/cpp/kitchen.cpp" "-I$prefix/include" "-L$lib" -ltusk -o "$work/kitchen"
    diff "$source/examples/cpp/kitchen.out" <("$work/kitchen") || fail "the example in C++ prints something else"
else
    echo "skipped: C++17 (no C++ compiler)"
fi

step "DESTDIR"
DESTDIR=$work/stage quietly "$cmake" --install "$build" --prefix /usr
[ -f "$work/stage/usr/include/tusk.h" ] || fail "DESTDIR is not heeded: there is no usr/include/tusk.h in it"
echo "package: good"
