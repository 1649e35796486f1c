#!/bin/sh
# Fuzzes: fuzz.sh BUILD [TARGET] [SECONDS] [LENGTH], the longest input in bytes. New inputs that reach new code go into the corpus, made as
# small as they can be; a crash is kept as crash-* in the current directory.
set -eu
build=$1
target=${2:-all}
seconds=${3:-60}
length=${4:-2048}
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Texts of settings stay for the life of a process. Large blocks come and go with each input: their
# shadow is not to be mapped anew each time.
export ASAN_OPTIONS=detect_leaks=0:clear_shadow_mmap_threshold=100000000
targets=$target
[ "$target" != all ] || targets="frame pack record rows settings words objects key text core"
for t in $targets; do
    quiet=
    [ "$t" != settings ] || quiet=-close_fd_mask=2 # each refusal is a line
    mkdir -p "$work/$t" "$work/$t-small"
    echo "== $t, $seconds s"
    "$build/tests/fuzz/fuzz_$t" -max_total_time="$seconds" -max_len="$length" -detect_leaks=0 \
        -entropic=0 -rss_limit_mb=4096 -timeout=10 -print_final_stats=1 -verbosity=0 $quiet \
        "$work/$t" "$here/corpus/$t" 2>&1 | grep -E 'number_of_executed|new_units|SUMMARY|ERROR' || true
    ls crash-* timeout-* oom-* 2>/dev/null && exit 1
    "$build/tests/fuzz/fuzz_$t" -merge=1 -use_counters=0 -detect_leaks=0 -verbosity=0 \
        "$work/$t-small" "$here/corpus/$t" "$work/$t" >/dev/null 2>&1
    rm -f "$here/corpus/$t"/*
    cp "$work/$t-small"/* "$here/corpus/$t/"
done
