#!/bin/sh
# Makes an audit log with the `must` program, exports it, and verifies it with Go's sumdb packages. Then damages the export in
# several ways, and checks that each is refused.
#
#   tests/audit/run.sh MUST_PROGRAM
set -eu
must=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GO111MODULE=off GOFLAGS= GOCACHE="$work/go" GOPATH=/usr/share/gocode

(cd "$work" && go build -o verify "$here/verify.go")

count=0
# Three events each time, so that there is more than one tile.
while [ "$count" -lt 90 ]; do
    printf 'value' | "$must" --data "$work/data" secrets put "secret-$((count % 7))" >/dev/null
    count=$((count + 1))
done
"$must" --data "$work/data" audit verify
"$must" --data "$work/data" audit export "$work/export" >/dev/null
"$work/verify" "$work/export"

refused() {
    cp -r "$work/export" "$work/bad"
    (cd "$work/bad" && eval "$2")
    if "$work/verify" "$work/bad" >/dev/null 2>&1; then
        echo "an export with $1 was accepted" >&2
        exit 1
    fi
    rm -rf "$work/bad"
}

flip() { # FILE: changes its last byte
    size=$(wc -c <"$1")
    last=$(tail -c 1 "$1" | od -An -tu1)
    head -c $((size - 1)) "$1" >"$1.new"
    # shellcheck disable=SC2059
    printf "\\$(printf '%03o' $(((last + 1) % 256)))" >>"$1.new"
    mv "$1.new" "$1"
}

entries=$(cd "$work/export" && find tile/entries -type f | head -1)
hashes=$(cd "$work/export" && find tile/0 -type f | head -1)
refused "a changed event" 'flip "$entries"'
refused "a changed hash" 'flip "$hashes"'
refused "another size" "sed -i '2s/.*/3/' checkpoint"
refused "another key" "sed -i 's/+.*+/+00000000+/' verifier"
refused "a forged signature" "sed -i '\$s/.\{8\}\$/AAAAAAA=/' checkpoint"
refused "no events" 'rm "$entries"'
echo "every damage was refused"
