#!/usr/bin/env bash
# The examples in C++: each prints what lies beside it as <name>.out, and ends well.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
source=${TUSK_SOURCE_DIR:-$(cd "$here/../.." && pwd)}
build=${TUSK_BUILD_DIR:?set TUSK_BUILD_DIR to the build folder}
read -r -a wrapper <<<"${TUSK_TEST_WRAPPER:-}"

if [ ! -d "$build/examples/cpp" ]; then
    echo "skipped: the examples in C++ are not built (no C++ compiler, or for another machine)"
    exit 77
fi
failed=0
for file in "$source"/examples/cpp/*.cpp; do
    name=$(basename "$file" .cpp)
    if ! printed=$(${wrapper[@]+"${wrapper[@]}"} "$build/examples/cpp/$name"); then
        echo "failed: $name ended with an error" >&2
        failed=1
    fi
    diff -u "$source/examples/cpp/$name.out" <(echo "$printed") || failed=1
done
exit "$failed"
