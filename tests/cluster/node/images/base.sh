#!/bin/bash
# base.sh OUT.tar: a stand-in for node:24-bookworm-slim where no image registry is in reach: Debian by debootstrap,
# the Node that runs the tests (NODE_BINARY), this machine's npm and certificates. Root only.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?where to put the archive}
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
debootstrap --variant=minbase --include=ca-certificates bookworm "$w/root" >"$w/log" 2>&1 || { tail -20 "$w/log" >&2; exit 1; }
rm -rf "$w"/root/var/cache/apt/archives/*.deb "$w"/root/var/lib/apt/lists/*
install -D "${NODE_BINARY:-$(command -v node)}" "$w/root/usr/local/bin/node"
mkdir -p "$w/root/usr/local/lib/node_modules"
cp -rL "$npm" "$w/root/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$w/root/usr/local/bin/npm"
cp -L /etc/ssl/certs/ca-certificates.crt "$w/root/etc/ssl/certs/ca-certificates.crt"
# A proxy's certificate, if the machine sits behind one: Node brings its own list and must be told.
ENVIRONMENT=NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
  "$here/oci-archive.sh" localhost/node:24-bookworm-slim "$w/root" "$out.part" node
mv "$out.part" "$out"
