#!/bin/bash
# oci-archive.sh NAME:TAG ROOTFS_DIR OUT.tar [CMD...]: an image with one layer, without any registry or daemon.
# ENVIRONMENT: one more variable of the image, NAME=VALUE. The same files give the same digest.
set -euo pipefail
name=$1 rootfs=$2 out=$3; shift 3
w=$(mktemp -d); trap 'rm -rf "$w"' EXIT
mkdir -p "$w/blobs/sha256"
put() { local d; d=$(sha256sum <"$w/tmp" | cut -c1-64); mv "$w/tmp" "$w/blobs/sha256/$d"; echo "$d"; }
desc() { jq -nc --arg m "$1" --arg d "sha256:$2" --argjson s "$(stat -c %s "$w/blobs/sha256/$2")" '{mediaType:$m,digest:$d,size:$s}'; }
V=application/vnd.oci.image
tar -C "$rootfs" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$w/tmp" .
layer=$(put)
jq -nc --arg d "sha256:$layer" '{architecture:"amd64",os:"linux",config:{Env:["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",(env.ENVIRONMENT // empty)],Cmd:$ARGS.positional},rootfs:{type:"layers",diff_ids:[$d]},history:[{created_by:"oci-archive.sh"}]}' --args -- "$@" >"$w/tmp"
config=$(put)
jq -nc --argjson c "$(desc $V.config.v1+json "$config")" --argjson l "$(desc $V.layer.v1.tar "$layer")" \
  '{schemaVersion:2,mediaType:"application/vnd.oci.image.manifest.v1+json",config:$c,layers:[$l]}' >"$w/tmp"
manifest=$(put)
jq -nc --arg n "$name" --argjson m "$(desc $V.manifest.v1+json "$manifest")" \
  '{schemaVersion:2,manifests:[$m+{annotations:{"io.containerd.image.name":$n,"org.opencontainers.image.ref.name":($n|split(":")[-1])}}]}' >"$w/index.json"
echo '{"imageLayoutVersion":"1.0.0"}' >"$w/oci-layout"
tar -C "$w" -cf "$out" oci-layout index.json blobs
