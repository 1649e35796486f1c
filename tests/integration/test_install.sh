#!/bin/sh
# What `cmake --install` leaves: programs that run from there, a library that pkg-config and CMake
# find, a program built on it that runs at once, units and settings with the paths of that place.
set -eu
build=$(cd "$1" && pwd)
work=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || kill "$broker"; rm -rf "$work"' EXIT
unset LD_LIBRARY_PATH

fail() {
    echo "$*" >&2
    exit 1
}

cmake --install "$build" --prefix "$work/usr" >/dev/null
"$work/usr/bin/stint" --version
"$work/usr/bin/stintd" --version
"$work/usr/bin/stint-worker" --version
lib=$(dirname "$(find "$work/usr" -name 'libstint.so')")
cat >"$work/try.c" <<'EOC'
#include <stint.h>
#include <stint_worker.h>
#include <stdio.h>

int
main(void)
{
    struct stint_client *client;
    struct stint_client_options options = {.endpoint = "ipc:///nonexistent/socket"};
    if (stint_client_new(&options, &client) != STINT_OK ||
        stint_connect(client, 50) != STINT_UNREACHABLE)
        return 1;
    puts(stint_client_error(client));
    stint_client_destroy(&client);
    return 0;
}
EOC
PKG_CONFIG_PATH="$lib/pkgconfig"
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
cc -std=c11 -o "$work/try" "$work/try.c" $(pkg-config --cflags --libs stint)
"$work/try"
mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<'EOC'
cmake_minimum_required(VERSION 3.25)
project(try LANGUAGES C)
find_package(stint REQUIRED)
add_executable(try_shared ../try.c)
target_link_libraries(try_shared stint::stint_shared)
add_executable(try_static ../try.c)
target_link_libraries(try_static stint::stint_static)
EOC
cmake -S "$work/project" -B "$work/project/build" -DCMAKE_PREFIX_PATH="$work/usr" >/dev/null
cmake --build "$work/project/build" >/dev/null
"$work/project/build/try_static"
"$work/project/build/try_shared"
cat >"$work/embed.c" <<'EOC'
#include <stint_embed.h>
#include <stint.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
    struct stint_embed *embed;
    struct stint_client_options options = {0};
    struct stint_client *client;
    if (argc != 2 || stint_embed_open(argv[1], NULL, &embed) != STINT_OK)
        return 1;
    options.endpoint = stint_embed_endpoint(embed);
    if (stint_client_new(&options, &client) != STINT_OK || stint_connect(client, 10000) != STINT_OK)
        return 1;
    puts(stint_version());
    stint_client_destroy(&client);
    stint_embed_close(&embed);
    return 0;
}
EOC
cat >"$work/objects.c" <<'EOC'
#include <stint_objects.h>
#include <stdio.h>

int
main(void)
{
    void *msgpack;
    size_t bytes;
    char *json;
    return stint_json_to_msgpack("[1]", 3, &msgpack, &bytes) != STINT_OK ||
        stint_msgpack_to_json(msgpack, bytes, &json) != STINT_OK || puts(json) < 0;
}
EOC
# shellcheck disable=SC2046
cc -std=c11 -o "$work/objects" "$work/objects.c" $(pkg-config --cflags --libs stint_objects)
[ "$("$work/objects")" = '[1]' ] || fail "libstint_objects does not work"
# shellcheck disable=SC2046
cc -std=c11 -o "$work/embed" "$work/embed.c" $(pkg-config --cflags --libs stint_embed)
"$work/embed" "$work/queue"
cat >>"$work/project/CMakeLists.txt" <<'EOC'
add_executable(embed_shared ../embed.c)
target_link_libraries(embed_shared stint::stint_embed_shared)
add_executable(embed_static ../embed.c)
target_link_libraries(embed_static stint::stint_embed_static)
add_executable(objects_shared ../objects.c)
target_link_libraries(objects_shared stint::stint_objects_shared)
add_executable(objects_static ../objects.c)
target_link_libraries(objects_static stint::stint_objects_static)
EOC
cmake -S "$work/project" -B "$work/project/build" >/dev/null
cmake --build "$work/project/build" >/dev/null
"$work/project/build/objects_static" >/dev/null
"$work/project/build/objects_shared" >/dev/null
"$work/project/build/embed_static" "$work/queue"
"$work/project/build/embed_shared" "$work/queue"
for page in stint.1 stint-worker.1 stintd.8 libstint.3 stint_embed_open.3 stint_json_to_msgpack.3 stint-protocol.7; do
    find "$work/usr" -name "$page" | grep -q . || fail "no $page"
done

# What batch systems and clusters are given is as it stands here, and can be run.
for name in slurm/stint-worker.sbatch kubernetes/kustomization.yaml kubernetes/broker.yaml \
    kubernetes/workers.yaml kubernetes/Dockerfile; do
    cmp "$work/usr/share/stint/$name" "$(dirname "$0")/../../packaging/$name" || fail "no $name"
done
[ -x "$work/usr/share/stint/slurm/stint-worker.sbatch" ] || fail "stint-worker.sbatch can't be run"

# Every path in a unit is there, and its settings are good as they are shipped.
settings=$(find "$work/usr" -path '*/etc/stint')
units=$work/usr/lib/systemd/system
cp "$settings/worker.conf" "$settings/worker-gpu.conf" # as the host's administrator does
for unit in stintd stint-worker stint-worker@; do
    path=$units/$unit.service
    for word in $(sed -n 's/^ExecStart=//p' "$path" | sed s/%i/gpu/ | tr ' ' '\n' | grep /); do
        [ -e "$word" ] || fail "$unit.service: there is no $word"
    done
    ! grep '@[A-Z_]*@' "$path" || fail "$unit.service: a path was not put in"
done
# What it says of other units than ours is not our concern.
if command -v systemd-analyze >/dev/null; then
    for unit in stintd stint-worker stint-worker@gpu; do
        systemd-analyze verify --man=no "$units/$unit.service" 2>"$work/said" || true
        ! grep -E '/stint|stint(d|-worker(@gpu)?)\.service' "$work/said" || fail "systemd does not like $unit"
        systemd-analyze security --offline=yes "$units/$unit.service" 2>/dev/null | tail -n 1
    done
else
    echo "skipped: there is no systemd-analyze to look at the units"
fi
"$work/usr/bin/stintd" --config "$settings/stintd.conf" --check-config
"$work/usr/bin/stintd" --config "$settings/stintd.conf" --data "$work/data" \
    --listen "ipc://$work/socket" 2>"$work/log" &
broker=$!
"$work/usr/bin/stint" ping --endpoint "ipc://$work/socket"
kill "$broker"
wait "$broker" || fail "the broker ended with $?"
broker=

# The shipped settings are all there are; those of the broker hold when uncommented as well.
sed 's/^#\([a-z-]* = \)/\1/' "$settings/stintd.conf" >"$work/all.conf"
"$work/usr/bin/stintd" --config "$work/all.conf" --check-config
compare() { # program, its settings, options that are none
    "$work/usr/bin/$1" --help | grep -o -- '--[a-z-]*' | sort -u >"$work/options"
    sed -n 's/^#\{0,1\}\([a-z-]*\) = .*/--\1/p' "$settings/$2" >"$work/shipped"
    shift 2
    printf -- '--%s\n' "$@" | sort -u "$work/shipped" - | diff - "$work/options"
}
compare stintd stintd.conf check-config config help init usage verify version ||
    fail "stintd.conf and its settings differ"
compare stint-worker worker.conf config help usage version ||
    fail "worker.conf and its settings differ"

# Settings that somebody has changed survive the next installation.
echo 'keep = 1h' >"$settings/stintd.conf"
cmake --install "$build" --prefix "$work/usr" >/dev/null
[ "$(cat "$settings/stintd.conf")" = 'keep = 1h' ] || fail "changed settings were overwritten"

# As a package is built: all of it below DESTDIR, with the paths that it will have.
DESTDIR="$work/package" cmake --install "$build" --prefix /usr >/dev/null
grep -q '^ExecStart=/usr/bin/stintd --config /etc/stint/stintd.conf$' \
    "$work/package/usr/lib/systemd/system/stintd.service" || fail "stintd.service: wrong paths"
[ -e "$work/package/etc/stint/stintd.conf" ] || fail "no /etc/stint/stintd.conf"
[ -e "$work/package/etc/stint/worker.conf" ] || fail "no /etc/stint/worker.conf"
! grep -r rpath "$work/package/usr/lib/pkgconfig" || fail "a system library needs no rpath"
