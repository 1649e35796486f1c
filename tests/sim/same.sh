#!/bin/sh
# One seed decides everything: played twice, it gives the same trace. same.sh STINT_SIM
set -eu
sim=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for seed in 3 31 77; do
    for disk in "" --lmdb; do
        for n in 1 2; do
            # shellcheck disable=SC2086
            "$sim" --seed $seed --trace $disk >"$work/whole"
            # Not the last line, which tells how long it took, nor the process in a file's name.
            sed -e '$d' -e 's/stint-sim-[0-9]*//' "$work/whole" >"$work/$n"
        done
        [ "$(wc -l <"$work/1")" -gt 100 ]
        cmp "$work/1" "$work/2"
    done
done
