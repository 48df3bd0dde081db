#!/bin/sh
# Builds libmust and installs it for C and C++ hosts:
#
#   ffi/install.sh PREFIX [--profile dev|release]      (default: release)
#
# It installs PREFIX/include/{must.h,must.hpp,must/*.hpp}, PREFIX/lib/{libmust.so,libmust.a}, PREFIX/lib/pkgconfig/must.pc and
# PREFIX/lib/cmake/must. The files find each other by relative paths, so the folder can be moved. CARGO_BUILD_TARGET is the triple to build
# for, as cargo reads it; LD and OBJCOPY are the programs for that system (default: ld and objcopy).
set -eu

[ $# -ge 1 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
profile=release
[ "${2:-}" != --profile ] || profile=${3:-}
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

case $profile in
  release) folder=release ;;
  dev) folder=debug ;;
  *) echo "install.sh: the profile is dev or release, not $profile" >&2; exit 2 ;;
esac
cargo build --quiet -p must-ffi --profile "$profile"
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
built=$target/${CARGO_BUILD_TARGET:+$CARGO_BUILD_TARGET/}$folder
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

mkdir -p "$prefix/include/must" "$prefix/lib/pkgconfig" "$prefix/lib/cmake/must"
cp ffi/include/must.h ffi/include/must.hpp "$prefix/include/"
rm -f "$prefix/include/must/"*.hpp  # Remove headers of earlier versions.
cp ffi/include/must/*.hpp "$prefix/include/must/"

if [ -f "$built/libmust_ffi.dylib" ]; then
  soname=libmust.0.dylib shared=libmust.$version.dylib plain=libmust.dylib file=libmust_ffi.dylib
  private="-lc++ -framework CoreFoundation -framework Security -liconv -lm"
else
  soname=libmust.so.0 shared=libmust.so.$version plain=libmust.so file=libmust_ffi.so
  private="-lstdc++ -lgcc_s -lpthread -lm -ldl -lc"
fi
# Write a new file and rename it, so that a program that has the old file open keeps it.
cp "$built/$file" "$prefix/lib/$shared.new" && mv -f "$prefix/lib/$shared.new" "$prefix/lib/$shared"
ln -sf "$shared" "$prefix/lib/$soname"
ln -sf "$soname" "$prefix/lib/$plain"

# On Linux, if objcopy is installed, the static library is one object that exposes only must_*, so that a host may also link its own
# SQLite or Rust library. Otherwise it is the library that cargo built.
objcopy=${OBJCOPY:-objcopy}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$(uname)" = Linux ] && command -v "$objcopy" >/dev/null; then
  names=$(sed -n 's/^[a-z].*[ *]\(must_[a-z_]*\)(.*/\1/p' ffi/include/must.h | sort -u)
  "${LD:-ld}" -r -o "$work/all.o" $(printf -- "-u %s " $names) "$built/libmust_ffi.a"
  # The standard library's objects contain bitcode of their compiler. Joined together, it breaks tools that try to read it.
  "$objcopy" --remove-section=.llvmbc --remove-section=.llvmcmd $(printf -- '--keep-global-symbol=%s ' $names) "$work/all.o" "$work/must.o"
  rm -f "$work/libmust.a" && ar rcs "$work/libmust.a" "$work/must.o"
  mv -f "$work/libmust.a" "$prefix/lib/libmust.a"
else
  cp "$built/libmust_ffi.a" "$prefix/lib/libmust.a"
fi

fill() { sed -e "s|@VERSION@|$version|g" -e "s|@SHARED@|$shared|g" -e "s|@SONAME@|$soname|g" -e "s|@PRIVATE@|$private|g" "$1" >"$2"; }
fill ffi/package/must.pc.in "$prefix/lib/pkgconfig/must.pc"
fill ffi/package/mustConfig.cmake.in "$prefix/lib/cmake/must/mustConfig.cmake"
fill ffi/package/mustConfigVersion.cmake.in "$prefix/lib/cmake/must/mustConfigVersion.cmake"
echo "libmust $version is in $prefix"
