#!/usr/bin/env bash
# The Debian packages: they build, lintian finds nothing, and a program is built and run with what is in
# them, unpacked to a folder.
set -euo pipefail
# shellcheck source=support.sh
. "$(dirname "$0")/support.sh"
need dpkg-buildpackage dh fakeroot lintian pkg-config
need_thorough

step "dpkg-buildpackage and lintian"
quietly env JOBS=2 "$source/tools/build-deb" --lint "$work/deb"
for package in libtusk0 libtusk-dev; do
    file=$(echo "$work/deb/${package}_$version"*.deb)
    [ -f "$file" ] || fail "there is no package $package"
    dpkg -x "$file" "$work/root"
done
dpkg -f "$work/deb/libtusk-dev_$version"*.deb Depends | grep -q "libtusk0 (= $version)" ||
    fail "libtusk-dev does not depend on its libtusk0"
dpkg -I "$work/deb/libtusk0_$version"*.deb symbols | grep -q TUSK_0 || fail "libtusk0 has no symbols file"

step "a program with what is in them"
library=$(find "$work/root/usr/lib" -name libtusk.so)
lib=$(dirname "$library")
flags=()
eval "flags=($(PKG_CONFIG_PATH=$lib/pkgconfig pkg-config --cflags --libs tusk))"
quietly "$cc" "$here/program/main.c" "${flags[@]}" -o "$work/program"
LD_LIBRARY_PATH=$lib works "$work/program"
quietly "$cmake" -S "$here/program" -B "$work/found" "-DCMAKE_C_COMPILER=$cc" "-DCMAKE_PREFIX_PATH=$work/root/usr"
quietly "$cmake" --build "$work/found"
LD_LIBRARY_PATH=$lib works "$work/found/shared"
works "$work/found/static"
echo "package: good"
