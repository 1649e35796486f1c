#!/bin/sh
# Which lines the tests reach: cover.sh BUILD, where BUILD was made with STINT_COVER. Lines that run
# only when memory has run out (abort after an allocation) are not counted.
set -eu
build=$1
cd "$(dirname "$0")/../.."
find "$build" -name '*.gcda' -delete
STINT_STOPS=1 ctest --test-dir "$build" --output-on-failure -LE docs -E lint/ >"$build/cover.log" ||
    { tail -50 "$build/cover.log"; exit 1; }
gcovr -r . "$build" --filter 'broker/' --filter 'proto/' --filter 'client/' --filter 'worker/' \
    --exclude-lines-by-pattern '^\s*abort\(\);' --exclude-unreachable-branches -j2 \
    --json-summary "$build/cover.json" >"$build/cover.txt" 2>"$build/gcovr.log"
/usr/bin/python3 - "$build/cover.json" <<'EOF'
import json
import re
import sys

files = json.load(open(sys.argv[1]))["files"]
groups = [("core, proto and store", 95, r"broker/(core|store)/|broker/net/routes|proto/"),
          ("all", 85, r".")]
failed = False
for f in sorted(files, key=lambda f: f["line_percent"]):
    missing = f["line_total"] - f["line_covered"]
    print(f"{f['line_percent']:6.1f} %  {f['line_total']:5} lines, {missing:4} not reached  {f['filename']}")
for name, least, pattern in groups:
    of = [f for f in files if re.match(pattern, f["filename"])]
    total, covered = (sum(f[k] for f in of) for k in ("line_total", "line_covered"))
    print(f"{name}: {100 * covered / total:.1f} % of {total} lines (at least {least} %)")
    failed |= covered < least / 100 * total
sys.exit(failed)
EOF
