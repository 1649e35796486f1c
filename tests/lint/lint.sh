#!/bin/sh
# Formatting, house rules, and two analysers. Needs a build directory with its compile commands.
set -eu
build=$1
failed=0
sources=$(git ls-files '*.c' '*.h')

echo "clang-format"
# shellcheck disable=SC2086
clang-format --dry-run --Werror $sources || failed=1

echo "tidy"
/usr/bin/python3 -B tests/lint/tidy.py --source . --build "$build" || failed=1
/usr/bin/python3 -B tests/lint/floors.py --source . --build "$build" || failed=1

echo "clang, without a warning"
CC=clang cmake -S . -B "$build-clang" -G Ninja -DSTINT_TESTS=OFF \
    -DCMAKE_EXPORT_COMPILE_COMMANDS=ON >/dev/null
ninja -C "$build-clang" >/dev/null || failed=1

echo "clang-tidy"
git ls-files 'proto/*.c' 'broker/*.c' 'client/*.c' 'worker/*.c' |
    xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$build-clang" 2>/dev/null || failed=1

echo "gcc -fanalyzer"
# Not its two leak checks: it loses sight of what is kept in tables and lists; AddressSanitizer does
# not. Not the null checks of this bench either, which measures and exits.
flags=$(pkg-config --cflags libzmq libczmq lmdb msgpack popt jansson smartcols)
said=$(git ls-files 'proto/*.c' 'broker/*.c' 'client/*.c' 'worker/*.c' | grep -v cmd_bench |
    xargs -P "$(nproc)" -n 1 gcc -fanalyzer -Wno-analyzer-malloc-leak -Wno-analyzer-file-leak \
        -c -o /dev/null -O1 -std=gnu17 -D_GNU_SOURCE -DSTINT_VERSION_TEXT='"0"' \
        -I proto -I broker -I broker/core -I broker/net -I broker/store -I client \
        -I worker -I client/cli $flags 2>&1) || failed=1
[ -z "$said" ] || { echo "$said"; failed=1; }

echo "cppcheck"
cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr \
    --std=c11 --suppressions-list=tests/lint/cppcheck.supp -D_GNU_SOURCE \
    -DSTINT_VERSION_TEXT='"0"' -I proto -I broker -I client -I worker \
    proto broker client worker || failed=1

[ $failed -eq 0 ] && echo "lint: clean"
exit $failed
