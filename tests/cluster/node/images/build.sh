#!/bin/bash
# build.sh DIR: what every pod's sandbox runs
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?where to put the archive}"
[ ! -f "$1/pause.tar" ] || exit 0
r=$(mktemp -d); trap 'rm -rf "$r"' EXIT
gcc -Os -static -s -o "$r/pause" "$here/pause.c"
"$here/oci-archive.sh" localhost/pause:1 "$r" "$1/pause.tar" /pause
