#!/usr/bin/env bash
# tusk inside of another project: its sources by FetchContent, out of a git repository, and as a
# folder by add_subdirectory.
set -euo pipefail
# shellcheck source=support.sh
. "$(dirname "$0")/support.sh"

builds()
{
    local folder=$1
    shift
    quietly "$cmake" -S "$here/program" -B "$folder" "-DCMAKE_C_COMPILER=$cc" "$@"
    quietly "$cmake" --build "$folder" --parallel 2
    works "$folder/static"
}

# A repository of the tree as it is now, whether it is one or was unpacked from an archive.
make_repository()
{
    mkdir "$work/repository"
    (cd "$source" && tar -cf - CMakeLists.txt LICENSE cmake include src) | tar -xf - -C "$work/repository"
    cd "$work/repository"
    git init -q .
    git add .
    git -c user.name=test -c user.email=test@example.org -c commit.gpgsign=false commit -q -m tusk
    cd - >/dev/null
}

if command -v git >/dev/null; then
    step "FetchContent"
    make_repository
    builds "$work/fetched" "-DTUSK_REPOSITORY=file://$work/repository"
else
    echo "skipped: FetchContent (there is no git)"
fi
if thorough || ! command -v git >/dev/null; then
    step "add_subdirectory, built"
    builds "$work/inside" "-DTUSK_SOURCE_DIR=$source"
else
    # FetchContent came by add_subdirectory too.
    step "add_subdirectory, configured"
    quietly "$cmake" -S "$here/program" -B "$work/inside" "-DCMAKE_C_COMPILER=$cc" "-DTUSK_SOURCE_DIR=$source"
fi
echo "package: good"
