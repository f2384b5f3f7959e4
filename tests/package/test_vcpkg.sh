#!/usr/bin/env bash
# The vcpkg port, run by port.cmake in vcpkg's place, with what it installs used by a program; and what
# the manifest says about the version.
set -euo pipefail
# shellcheck source=support.sh
. "$(dirname "$0")/support.sh"

step "the manifest"
grep -q "\"version-semver\": \"$version\"" "$source/packaging/vcpkg/tusk/vcpkg.json" ||
    fail "include/tusk/base.h says version $version, packaging/vcpkg/tusk/vcpkg.json another; make them agree"
need_thorough

step "the port"
quietly "$cmake" "-DPORT_DIR=$source/packaging/vcpkg/tusk" "-DWORK=$work" "-DCMAKE_C_COMPILER=$cc" -DFEATURES= \
    -P "$here/vcpkg/port.cmake"
mkdir "$work/outside"
cat >"$work/outside/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.18)
project(main LANGUAGES C)
add_executable(main $here/program/main.c)
$(grep '(' "$source/packaging/vcpkg/tusk/usage")
END
quietly "$cmake" -S "$work/outside" -B "$work/outside/build" "-DCMAKE_C_COMPILER=$cc" \
    "-DCMAKE_PREFIX_PATH=$work/packages"
quietly "$cmake" --build "$work/outside/build"
works "$work/outside/build/main"
echo "package: good"
