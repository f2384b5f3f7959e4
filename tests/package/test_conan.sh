#!/usr/bin/env bash
# The Conan recipe: `conan create` builds the package and, with it, the program of this folder, and
# runs that. Without OpenSSL, which would have to be downloaded and built.
set -euo pipefail
# shellcheck source=support.sh
. "$(dirname "$0")/support.sh"
need conan
conan --version | grep -q 'version [2-9]' || skip "this conan is older than 2"
need_thorough

export CONAN_HOME=$work/conan
quietly conan profile detect
for shared in False True; do
    step "conan create, shared=$shared"
    quietly conan create "$source/packaging/conan" --no-remote --build=missing -o "&:with_openssl=False" \
        -o "&:shared=$shared" -c tools.build:jobs=2 -c "tools.cmake.cmake_layout:test_folder=$work/program"
    grep -q "^tusk $version works" "$work/log" || fail "the program did not run"
done
echo "package: good"
