# What the tests of this folder share; they source it. It makes a folder $work, which goes with the test.
# shellcheck shell=bash disable=SC2034 # the variables are theirs

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=${TUSK_SOURCE_DIR:-$(cd "$here/../.." && pwd)}
build=${TUSK_BUILD_DIR:?set TUSK_BUILD_DIR to a build folder with the shared library}
cc=${TUSK_CC:-cc}
cxx=${TUSK_CXX:-}
cmake=${TUSK_CMAKE:-cmake}
version=$(sed -n 's/^#define TUSK_VERSION "\(.*\)"/\1/p' "$source/include/tusk/base.h")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# "package: conan: what is done now"
step()
{
    echo "package: $*"
}

fail()
{
    echo "failed: $*" >&2
    exit 1
}

skip()
{
    echo "skipped: $*"
    exit 77
}

# What takes long is left to `make check-packages`, which says so by this variable.
thorough()
{
    [ "${TUSK_CHECK_PACKAGES:-}" = yes ]
}

need_thorough()
{
    thorough || skip "it builds tusk once more, which 'make check-packages' does"
}

need()
{
    local name
    for name in "$@"; do
        command -v "$name" >/dev/null || skip "there is no $name"
    done
}

# Runs a program and wants its one line.
works()
{
    local output
    output=$("$@") || fail "$* ended with $?"
    [[ $output == "tusk $version works" ]] || fail "$* printed: $output"
}

quietly()
{
    "$@" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        fail "$*"
    }
}
