#!/bin/sh
# The main job on real input: checksum and line count of every file below /usr/include, by three
# workers, while a worker and the broker are killed. Fails unless every result is what sha256sum and
# wc say directly, and nothing was lost or run twice without need.
set -eu
build=$(cd "$1" && pwd)
root=${DEMO_INPUT:-/usr/include}
work=$(mktemp -d)
PATH="$build/client/cli:$build/broker:$build/worker:$PATH"
export STINT_ENDPOINT="ipc://$work/socket"
runs="$work/runs"

fail() {
    echo "demo: $*" >&2
    tail -n 5 "$work"/*.log >&2 || true
    exit 1
}

cleanup() {
    for pid in ${w1:-} ${w2:-} ${w3:-} ${w4:-} ${map:-} ${broker:-}; do
        kill "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

start_broker() {
    stintd --listen "$STINT_ENDPOINT" --data "$work/data" 2>>"$work/stintd.log" &
    broker=$!
}

start_worker() { # name
    stint-worker --exec --slots 2 --name "$1" 2>>"$work/worker-$1.log" &
}

field() { # of stint stats
    stint stats --json | sed "s/.*\"$1\":\([0-9]*\).*/\1/"
}

wait_for() { # jobs done
    until [ "$(wc -l <"$work/out")" -ge "$1" ]; do
        kill -0 "$map" 2>/dev/null || return 0
        sleep 0.02
    done
}

find "$root" -type f | LC_ALL=C sort >"$work/files"
jobs=$(wc -l <"$work/files")
[ "$jobs" -gt 100 ] || fail "only $jobs files below $root"

start_broker
start_worker one; w1=$!
start_worker two; w2=$!
start_worker three; w3=$!
stint ping >/dev/null || fail "the broker does not answer"

# Each run leaves a line of its own, so that repeated ones can be counted.
cat >"$work/check" <<'EOF'
#!/bin/sh
echo "$STINT_JOB_ID $STINT_JOB_ATTEMPT $STINT_JOB_WORKER" >>"$1"
sum=$(sha256sum <"$2")
echo "${sum%% *} $(wc -l <"$2") $2"
EOF
chmod +x "$work/check"

begun=$(date +%s%N)
: >"$work/out"
: >"$runs"
stint map --broker-timeout 60s "$work/check" "$runs" {} <"$work/files" >"$work/out" 2>"$work/map.log" &
map=$!

wait_for $((jobs / 5))
kill -9 "$w1"
wait "$w1" 2>/dev/null || true
start_worker four; w4=$!

wait_for $((jobs / 2))
before=$(wc -l <"$runs")
kill -9 "$broker"
wait "$broker" 2>/dev/null || true
start_broker

wait "$map" || fail "stint map failed: $(tail -n 3 "$work/map.log")"
ended=$(date +%s%N)

xargs -d '\n' sha256sum <"$work/files" | cut -c1-64 >"$work/sums"
xargs -d '\n' -n 1000 wc -l <"$work/files" | awk '$2 != "total" || NF != 2 { print $1 }' >"$work/lines"
paste -d' ' "$work/sums" "$work/lines" "$work/files" >"$work/expected"
cmp -s "$work/out" "$work/expected" || fail "the results differ: $(diff "$work/out" "$work/expected" | head -n 3)"

# A run is repeated only where its worker was killed before its outcome was confirmed: all second
# runs are of jobs that the killed worker had begun. What live workers held through the broker's
# restart was run once.
awk -v killed=one '
    { if (!($1 in first)) first[$1] = $3; else { again++; if (first[$1] != killed) wrong++ } }
    END { print again + 0, wrong + 0 }' "$runs" >"$work/repeated"
read -r repeated wrong <"$work/repeated"
requeued=$(field requeued)
after=$(wc -l <"$runs")
[ "$wrong" -eq 0 ] || fail "$wrong jobs were run again that a live worker held"
lost=$((jobs - $(sort -u "$work/out" | wc -l)))

printf '\n%-46s %8s\n' "stint demo: sha256sum and wc of $root" ""
printf '%-46s %8d\n' "jobs" "$jobs"
printf '%-46s %8s\n' "seconds" "$(awk "BEGIN { printf \"%.1f\", ($ended - $begun) / 1e9 }")"
printf '%-46s %8d\n' "kills (one worker, the broker)" 2
printf '%-46s %8d\n' "runs before the broker's kill" "$before"
printf '%-46s %8d\n' "runs in all" "$after"
printf '%-46s %8d\n' "requeued since the broker's restart" "$requeued"
printf '%-46s %8d\n' "repeated, of the killed worker" "$repeated"
printf '%-46s %8d\n' "repeated that a live worker held" "$wrong"
printf '%-46s %8d\n' "lost" "$lost"
[ "$lost" -eq 0 ] || fail "jobs were lost"
