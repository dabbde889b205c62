#!/bin/bash
# Builds the programs of a Kubernetes cluster from their Go modules, into a cache outside the tree.
#   build.sh [control-plane] [helm] [node]      what is there in the right version is left alone
# Needs Go >= 1.26; node also needs gcc, libseccomp-dev and nftables (Debian's names).
set -euo pipefail
HERE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
ROOT=${K8S_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace-cluster}
BIN=$ROOT/bin
KUBERNETES=v1.36.3 ETCD=v3.6.16 KWOK=v0.8.0 HELM=v4.3.1
CONTAINERD=v2.4.2 COREDNS=v1.14.7 CNI=v1.9.1 RUNC=v1.5.2
# Another CGO_ENABLED means another build cache: everything would be compiled twice.
export GOTOOLCHAIN=local GOFLAGS= CGO_ENABLED=0 GOBIN=$BIN

# is_there FILE MODULE VERSION: kube-* binaries name their version as a dependency, the others as their own.
is_there() { [ -x "$1" ] && go version -m "$1" 2>/dev/null | grep -Eq "(mod|dep)[[:space:]]+$2[[:space:]]+$3([[:space:]]|$)"; }

# step FILE MODULE VERSION CMD...
step() {
  local file=$1 module=$2 version=$3 began=$SECONDS log
  shift 3
  if is_there "$file" "$module" "$version"; then return; fi
  printf '  %-28s %-9s ' "$(basename "$file")" "$version"
  log=$(mktemp)
  if "$@" >"$log" 2>&1; then
    printf '%4d s\n' $((SECONDS - began))
    rm -f "$log"
  else
    printf 'failed\n'
    tail -20 "$log" >&2
    rm -f "$log"
    return 1
  fi
}

kube() {    # replace directives: `go install module@version` refuses kubernetes and etcd, so they have a go.mod here
  local ld="-s -w -X k8s.io/component-base/version.gitVersion=$KUBERNETES -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
  local c
  for c; do
    step "$BIN/$c" k8s.io/kubernetes $KUBERNETES \
      go build -C "$HERE/kube" -mod=readonly -trimpath -ldflags="$ld" -o "$BIN/" "k8s.io/kubernetes/cmd/$c"
  done
}

installed() { # installed FILE MODULE VERSION PACKAGE
  step "$1" "$2" "$3" env GOBIN="$(dirname "$1")" go install -tags "${TAGS:-}" -trimpath -ldflags='-s -w' "$2$4@$3"
}

control_plane() {
  kube kube-apiserver kube-controller-manager kube-scheduler kubectl
  step "$BIN/etcd" go.etcd.io/etcd/server/v3 $ETCD \
    go build -C "$HERE/etcd" -mod=readonly -trimpath -ldflags='-s -w' -o "$BIN/etcd" go.etcd.io/etcd/server/v3
  installed "$BIN/kwok" sigs.k8s.io/kwok $KWOK /cmd/kwok
}

helm() { installed "$BIN/helm" helm.sh/helm/v4 $HELM /cmd/helm; }

node() {
  local TAGS=seccomp p
  kube kubelet kube-proxy
  for p in containerd containerd-shim-runc-v2 ctr; do installed "$BIN/$p" github.com/containerd/containerd/v2 $CONTAINERD "/cmd/$p"; done
  installed "$BIN/coredns" github.com/coredns/coredns $COREDNS ""
  for p in main/bridge main/ptp main/loopback ipam/host-local; do
    installed "$ROOT/cni/${p#*/}" github.com/containernetworking/plugins $CNI "/plugins/$p"
  done
  # Without cgo there is no runc, and without libseccomp no pod: the sandbox always asks for a filter.
  CGO_ENABLED=1 installed "$BIN/runc" github.com/opencontainers/runc $RUNC ""
  "$HERE/../node/images/build.sh" "$ROOT/images"
}

minor=$(go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
[ "${minor:-0}" -ge 26 ] || { echo "build.sh: Go >= 1.26 is needed, this is ${minor:+1.}${minor:-none}" >&2; exit 3; }
mkdir -p "$BIN" "$ROOT/cni" "$ROOT/images"
exec 9>"$ROOT/build.lock"
flock 9     # a second suite waits for the first one's build instead of repeating it
for part in "${@:-control-plane}"; do
  case $part in
    control-plane) control_plane ;;
    helm) helm ;;
    node) node ;;
    *) echo "build.sh: no part named $part" >&2; exit 2 ;;
  esac
done
