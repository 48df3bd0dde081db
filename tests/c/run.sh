#!/bin/sh
# Builds libmust, installs it to a temporary prefix, and runs the C and C++ tests and examples against it: plain, with
# AddressSanitizer, and under valgrind. It names missing programs and does not install them. Exits with 1 at the first failure.
#
#   tests/c/run.sh [quick]      quick leaves valgrind out
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/tests/c
missing=
for tool in cargo cc c++ cmake pkg-config nm valgrind; do
  command -v "$tool" >/dev/null || missing="$missing $tool"
done
[ -z "$missing" ] || { echo "tests/c: missing:$missing (Debian: apt-get install build-essential cmake pkg-config valgrind)" >&2; exit 1; }

work=$(mktemp -d)
chmod 755 "$work"
beside=
trap 'end; chmod -R u+w "$work"; rm -rf "$work"' EXIT
prefix=$work/prefix
folder() { new=$work/data${1:-}; rm -rf "$new"; mkdir -p "$new"; chmod 755 "$new"; echo "$new"; }
# Runs a command in the background. `join` waits for its end.
beside() { "$@" & beside=$!; }
join() { wait "$beside" || fail "the command in the background failed"; beside=; }
end() { [ -z "$beside" ] || { kill "$beside" 2>/dev/null; wait "$beside" 2>/dev/null; } || true; }
began=$(date +%s)
step() { echo "== $* (after $(($(date +%s) - began)) s)"; }
fail() { echo "tests/c: $*" >&2; exit 1; }

step install
"$root/ffi/install.sh" "$prefix" --profile dev
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
functions=$(sed -n 's/^[a-z].*[ *]\(must_[a-z_]*\)(.*/\1/p' "$prefix/include/must.h" | sort -u)

step symbols
nm -D --defined-only "$prefix/lib/libmust.so" | awk '{print $3}' | sort -u >"$work/exported"
printf '%s\n' $functions | cmp - "$work/exported" || fail "libmust.so exports other names than must.h declares"
[ -f "$prefix/lib/libmust.a" ] || fail "there is no libmust.a"
if [ "$(uname)" = Linux ]; then
  others=$(nm --defined-only --extern-only "$prefix/lib/libmust.a" | awk 'NF == 3 {print $3}' | grep -v '^must_' || true)
  [ -z "$others" ] || fail "libmust.a shows other names than must_*: $(echo "$others" | head -n 5)"
fi
for function in $functions; do
  grep -q "$function(" "$here"/*.c || fail "no C test calls $function"
done

step headers
# Compile each C++ header alone with all warnings, and the whole layer with later standards too.
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Werror"
headers() {
  compiler=$1
  own=$work/headers-$compiler
  mkdir "$own"
  for header in must.hpp $(cd "$prefix/include" && echo must/*.hpp); do
    echo "#include <$header>" >"$own/alone.cpp"
    "$compiler" -std=c++17 $warnings -I "$prefix/include" -fsyntax-only "$own/alone.cpp" || fail "$header does not compile alone"
  done
  echo "#include <must.hpp>" >"$own/alone.cpp"
  for standard in c++20 c++2b; do
    "$compiler" -std=$standard $warnings -I "$prefix/include" -fsyntax-only "$own/alone.cpp" ||
      fail "must.hpp does not compile as $standard"
  done

  # Compile after headers that define plain words as macros: the ones in tests/c/headers, before and after the standard headers, and
  # the real headers if they are installed.
  grep -ho '^#include <[a-z_]*>' "$prefix"/include/must/*.hpp | sort -u >"$own/standard.h"
  python=$(python3-config --includes 2>/dev/null || true)
  macros=$(for header in xlib windows qt others; do printf -- "-include $here/headers/$header.h "; done)
  real=
  for header in Python.h X11/Xlib.h X11/Xutil.h complex.h sys/sysmacros.h sys/param.h syslog.h termios.h curses.h windows.h; do
    if echo "#include <$header>" | "$compiler" $python -x c++ -fsyntax-only - 2>/dev/null; then real="$real -include $header"; fi
  done
  for standard in c++17 gnu++17 c++20 c++2b; do
    for before in "$macros" "-include $own/standard.h $macros" "$real"; do
      "$compiler" -std=$standard $warnings -fno-rtti $python -I "$prefix/include" $before -fsyntax-only "$here/headers/use.cpp" ||
        fail "must.hpp does not compile as $standard behind $before"
      "$compiler" -std=$standard $warnings -fno-rtti -fno-exceptions $python -I "$prefix/include" $before -fsyntax-only \
        "$here/headers/no_exceptions.cpp" || fail "must.h does not compile as $standard behind $before"
    done
  done

  # Without exceptions, or with an older C++, must.hpp fails with a message that says to use must.h.
  echo "#include <must.hpp>" >"$own/alone.cpp"
  ! "$compiler" -std=c++17 -fno-exceptions -I "$prefix/include" -fsyntax-only "$own/alone.cpp" 2>"$own/said" ||
    fail "must.hpp compiles without exceptions, but it must not"
  grep -q 'or use must.h, whose functions return codes' "$own/said" || fail "must.hpp does not say what to do without exceptions"
  ! "$compiler" -std=c++14 -I "$prefix/include" -fsyntax-only "$own/alone.cpp" 2>"$own/said" || fail "must.hpp claims to be C++14"
  grep -q 'needs C++17' "$own/said" || fail "must.hpp does not say that it needs C++17"
  "$compiler" -std=c++17 $warnings -fno-exceptions -fno-rtti "$here/headers/no_exceptions.cpp" $(pkg-config --cflags --libs must) \
    -Wl,-rpath,"$prefix/lib" -o "$own/no-exceptions"
  "$own/no-exceptions" | grep -q '^validation_error: ' || fail "a program without exceptions cannot use must.h"
}
others=
if command -v clang++ >/dev/null; then
  beside headers clang++
  others=1
fi
headers c++
[ -z "$others" ] || join
# Every administrative call in docs/calls.md must have a typed member of that name in C++, and a test that calls it.
calls=$(sed -n 's/^### `\(\(auth\|admin\|secrets\|accounts\|audit\)\.[a-z_]*\|backup\)`$/\1/p' "$root/docs/calls.md" | sort)
[ "$(echo "$calls" | wc -l)" -gt 30 ] || fail "docs/calls.md lists no calls"
cat "$prefix"/include/must/*.hpp | grep -v '^#include' | grep -o '"\(\(auth\|admin\|secrets\|accounts\|audit\)\.[a-z_]*\|backup\)"' | tr -d '"' | sort -u >"$work/typed"
printf '%s\n' $calls | cmp - "$work/typed" || fail "the headers of C++ make other calls than docs/calls.md lists"
for call in $calls; do
  member=$(echo "${call#*.}" | sed 's/^export$/export_to/')
  subject=$(echo "${call%%.*}" | sed 's/^backup$/platform/')
  grep -q "$subject\(()\)\{0,1\}\.$member(" "$here"/*.cpp || fail "no C++ test makes the typed call $call"
done

step build
beside c++ -std=c++17 -g -fsanitize=address,undefined -fno-sanitize-recover=all "$here"/*.cpp \
  $(pkg-config --cflags --libs must) -Wl,-rpath,"$prefix/lib" -pthread -o "$work/cpp-asan"
cmake -S "$here" -B "$work/tests" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Debug >/dev/null
cmake --build "$work/tests" --parallel 2 >/dev/null
cmake -S "$root/examples/generate/cpp" -B "$work/example-cpp" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$work/example-cpp" >/dev/null
mkdir "$work/example-c" && make --silent -C "$root/examples/generate/c" PREFIX="$prefix" OUT="$work/example-c"
cc -std=c11 "$root/examples/generate/c/main.c" $(pkg-config --cflags must) "$prefix/lib/libmust.a" \
  $(pkg-config --libs --static must | sed 's/-lmust//') -o "$work/example-c/static"
flags="-std=c11 -g -fsanitize=address -fno-omit-frame-pointer"
cc $flags "$here"/*.c $(pkg-config --cflags --libs must) -Wl,-rpath,"$prefix/lib" -pthread -o "$work/c-asan"
join

step examples
expected='{"status":"done","model":"tiny-video","seed":7,"bytes":'
for example in "$work/example-c/generate" "$work/example-c/static" "$work/example-cpp/generate"; do
  data=$(folder)
  "$example" "$data/must" "$data/clip.mp4" >"$work/out" 2>"$work/log" || { cat "$work/log" >&2; fail "$example failed"; }
  bytes=$(wc -c <"$data/clip.mp4")
  [ "$(cat "$work/out")" = "$expected$((bytes))}" ] || fail "$example printed: $(cat "$work/out")"
  [ -s "$data/clip.mp4.jpg" ] || fail "$example saved no preview"
  sum=$(cksum <"$data/clip.mp4")
  [ "${first:=$sum}" = "$sum" ] || fail "$example made other bytes from the same seed"
  cat "$work/out"
done

export MUST_TEST_TABLE="$root/tests/conformance/access.json" MUST_TEST_PICTURES="$root/tests/golden/pictures"
step plain
"$work/tests/must-c-test" "$(folder)" 1000
"$work/tests/must-cpp-test" "$(folder)"
"$work/tests/must-cpp-static-test" "$(folder)"

if [ "$(uname)" = Linux ]; then
  step full disk
  rights=
  [ "$(id -u)" = 0 ] || rights=--map-root-user
  small='mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@"'
  disk=$(folder)
  unshare $rights --mount sh -c "$small" "$disk" "$work/tests/must-c-test" "$disk" 0 disk || fail "the test on a full disk failed"
fi

step AddressSanitizer
export MUST_TEST_TOOL=asan
beside "$work/c-asan" "$(folder -c)" 200
"$work/cpp-asan" "$(folder)"
join

[ "${1:-}" = quick ] && { echo "tests/c: all passed, valgrind left out"; exit 0; }
step valgrind
export MUST_TEST_TOOL=valgrind
check() {
  valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
    --fair-sched=yes "$@"
}
beside check "$work/tests/must-c-test" "$(folder -c)" 50
check "$work/tests/must-cpp-test" "$(folder)"
join
echo "tests/c: all passed"
