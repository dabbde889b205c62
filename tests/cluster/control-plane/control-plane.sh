#!/bin/bash
# A Kubernetes control plane: etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok, as plain processes.
#   control-plane.sh run      starts them and stays; killing its process group ends them all
# Sourced by node/node.sh for its functions. Settings, all by environment:
#   K8S_ROOT      what binaries/build.sh made
#   K8S_RUN       certificates, data, logs, NAME.pid, NAME.argv (how to start NAME again) and, when all is up, `ready`
#   K8S_HOST K8S_API_PORT K8S_ETCD_PORT
#   K8S_PEOPLE    "name:group|group name: …", each with the bearer token NAME-token
#   KWOK_CONFIG   stages; empty: no kwok
#   K8S_APISERVER_FLAGS K8S_CONTROLLER_FLAGS
set -euo pipefail
ROOT=${K8S_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace-cluster}
RUN=${K8S_RUN:?where to keep the state}
BIN=$ROOT/bin
HOST=${K8S_HOST:-127.0.0.1}
API_PORT=${K8S_API_PORT:-16443} ETCD_PORT=${K8S_ETCD_PORT:-12379}
SERVICE_CIDR=10.96.0.0/16 SERVICE_IP=10.96.0.1

spawn() {   # spawn NAME CMD...
  local name=$1; shift
  printf '%s\0' "$@" >"$RUN/$name.argv"
  "$@" >>"$RUN/$name.log" 2>&1 </dev/null &
  echo $! >"$RUN/$name.pid"
}

await() {   # await NAME SECONDS CMD...: until CMD succeeds; fails early when the process has died
  local name=$1 end=$((SECONDS + $2)); shift 2
  until "$@" >/dev/null 2>&1; do
    kill -0 "$(<"$RUN/$name.pid")" 2>/dev/null || { echo "$name died:" >&2; tail -5 "$RUN/$name.log" >&2; return 1; }
    [ $SECONDS -lt $end ] || { echo "$name is not ready:" >&2; tail -5 "$RUN/$name.log" >&2; return 1; }
    sleep 0.1
  done
}

authority() {   # authority FILE NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$2" \
    -keyout "$1.key" -out "$1.crt" 2>/dev/null
}

certificate() { # certificate FILE SUBJECT USAGE [NAMES]
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$1.key" 2>/dev/null |
    openssl x509 -req -days 30 -CA ca.crt -CAkey ca.key -out "$1.crt" \
      -extfile <(echo "extendedKeyUsage=$3"; [ $# -lt 4 ] || echo "subjectAltName=$4") 2>/dev/null
}

kubeconfig() {  # kubeconfig NAME SUBJECT: a client certificate in a kubeconfig that needs no other file
  certificate "$1" "$2" clientAuth
  cat >"$RUN/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://$HOST:$API_PORT", certificate-authority-data: $(base64 -w0 <ca.crt)}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 <"$1.crt"), client-key-data: $(base64 -w0 <"$1.key")}}]
contexts: [{name: test, context: {cluster: test, user: $1}}]
current-context: test
YAML
}

make_pki() {
  mkdir -p "$RUN/pki"
  chmod 700 "$RUN"
  cd "$RUN/pki"
  authority ca test-ca
  authority front-proxy-ca test-front-proxy-ca
  certificate apiserver /CN=kube-apiserver serverAuth \
    "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:$HOST,IP:$SERVICE_IP"
  certificate kubelet-client /O=system:masters/CN=apiserver-kubelet-client clientAuth
  openssl genrsa -out sa.key 2048 2>/dev/null
  openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
  kubeconfig admin /O=system:masters/CN=admin
  kubeconfig controller-manager /CN=system:kube-controller-manager
  kubeconfig scheduler /CN=system:kube-scheduler
  local person name groups
  for person in ${K8S_PEOPLE:-alice:developers bob:}; do
    name=${person%%:*} groups=${person#*:}
    echo "$name-token,$name,$name${groups:+,\"${groups//|/,}\"}"
  done >tokens.csv
}

start_etcd() {
  # No fsync: the state lives as long as the test.
  spawn etcd "$BIN/etcd" --data-dir="$RUN/etcd" --unsafe-no-fsync \
    --listen-client-urls="http://127.0.0.1:$ETCD_PORT" --advertise-client-urls="http://127.0.0.1:$ETCD_PORT" \
    --listen-peer-urls=http://127.0.0.1:0
  await etcd 60 curl -fs "http://127.0.0.1:$ETCD_PORT/health"
}

start_apiserver() {
  # shellcheck disable=SC2086 # flags are words
  spawn apiserver "$BIN/kube-apiserver" --etcd-servers="http://127.0.0.1:$ETCD_PORT" \
    --bind-address="$HOST" --advertise-address="$HOST" --secure-port="$API_PORT" \
    --tls-cert-file=apiserver.crt --tls-private-key-file=apiserver.key --client-ca-file=ca.crt \
    --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file=sa.pub --service-account-signing-key-file=sa.key \
    --kubelet-client-certificate=kubelet-client.crt --kubelet-client-key=kubelet-client.key \
    --kubelet-preferred-address-types=InternalIP \
    --requestheader-client-ca-file=front-proxy-ca.crt --requestheader-username-headers=X-Remote-User \
    --requestheader-group-headers=X-Remote-Group --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --token-auth-file=tokens.csv --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --service-cluster-ip-range=$SERVICE_CIDR --allow-privileged=true ${K8S_APISERVER_FLAGS:-}
  await apiserver 90 "$BIN/kubectl" --kubeconfig="$RUN/admin.kubeconfig" get --raw=/readyz
}

start_controllers() {
  # shellcheck disable=SC2086
  spawn controller-manager "$BIN/kube-controller-manager" --kubeconfig="$RUN/controller-manager.kubeconfig" \
    --leader-elect=false --secure-port=0 --kube-api-qps=500 --kube-api-burst=500 \
    --use-service-account-credentials --service-account-private-key-file=sa.key --root-ca-file=ca.crt \
    --cluster-signing-cert-file=ca.crt --cluster-signing-key-file=ca.key ${K8S_CONTROLLER_FLAGS:-}
  spawn scheduler "$BIN/kube-scheduler" --kubeconfig="$RUN/scheduler.kubeconfig" --leader-elect=false --secure-port=0
  # Pods are refused until the controller manager has made the namespace's ServiceAccount.
  await controller-manager 60 "$BIN/kubectl" --kubeconfig="$RUN/admin.kubeconfig" -n default get serviceaccount default
  [ -n "${KWOK_CONFIG:-}" ] || return 0
  # Without the lease the node controller would mark kwok's nodes NotReady.
  spawn kwok "$BIN/kwok" --kubeconfig="$RUN/admin.kubeconfig" --config="$KWOK_CONFIG" --node-ip="$HOST" \
    --manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake --node-lease-duration-seconds=40
}

start_control_plane() {
  make_pki
  start_etcd
  start_apiserver
  start_controllers
}

run() {
  start_control_plane
  touch "$RUN/ready"
  # Children that die are reaped at once: a process that has become a zombie still answers kill -0.
  while :; do sleep 3600 & wait $!; done
}

[ "${BASH_SOURCE[0]}" != "$0" ] || "${@:?run}"
