#!/bin/sh
# What `cmake --install` leaves: programs that run from there, a library that pkg-config and CMake
# find, and a program built on it.
set -eu
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/usr" >/dev/null
"$work/usr/bin/stint" --version
"$work/usr/bin/stintd" --version
"$work/usr/bin/stint-worker" --version
lib=$(dirname "$(find "$work/usr" -name 'libstint.so')")
cat >"$work/try.c" <<'EOF'
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
EOF
PKG_CONFIG_PATH="$lib/pkgconfig"
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
cc -std=c11 -o "$work/try" "$work/try.c" $(pkg-config --cflags --libs stint)
LD_LIBRARY_PATH="$lib" "$work/try"
mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<'EOF'
cmake_minimum_required(VERSION 3.25)
project(try LANGUAGES C)
find_package(stint REQUIRED)
add_executable(try_shared ../try.c)
target_link_libraries(try_shared stint::stint_shared)
add_executable(try_static ../try.c)
target_link_libraries(try_static stint::stint_static)
EOF
cmake -S "$work/project" -B "$work/project/build" -DCMAKE_PREFIX_PATH="$work/usr" >/dev/null
cmake --build "$work/project/build" >/dev/null
"$work/project/build/try_static"
for page in stint.1 stint-worker.1 stintd.8 libstint.3 stint-protocol.7; do
    find "$work/usr" -name "$page" | grep -q . || { echo "no $page" >&2; exit 1; }
done
