#!/bin/bash
# A whole one-node cluster that really runs pods: control plane, containerd, kubelet, kube-proxy, CoreDNS, in namespaces of
# its own. Mounts, network and processes of the machine stay as they are. Root on Linux with cgroup v1 or v2.
#   node.sh run          starts it and stays; killing this process ends all of it
#   node.sh exec CMD...  inside the namespaces
#   node.sh clean        what a killed one leaves behind: cgroups, three sysctls, the state
# Settings: K8S_ROOT, K8S_NODE (all state), NODE_BINARY (Node >= 24).
set -euo pipefail
HERE=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
export K8S_ROOT=${K8S_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace-cluster}
export K8S_NODE=${K8S_NODE:?where to keep the state}
NODE=$K8S_NODE NODE_IP=192.168.77.1 POD_CIDR=10.244.0.0/24
CGROUP=millrace-$(basename "$NODE")
export K8S_HOST=$NODE_IP K8S_RUN=$NODE/cp KUBECONFIG=$NODE/cp/admin.kubeconfig
export PATH=$K8S_ROOT/bin:$PATH CONTAINERD_NAMESPACE=k8s.io

first_process() { awk '{print $1}' "/proc/$(<"$NODE/unshare.pid")/task/$(<"$NODE/unshare.pid")/children"; }

inside() { nsenter -t "$(first_process)" -m -n -p -W "$PWD" -- "$@"; }

is_cgroup_v1() { [ -d /sys/fs/cgroup/memory ]; }

run() {
  mkdir -p "$NODE/cp"
  # The kubelet sets these for the whole machine; `clean` puts them back.
  (cd /proc/sys && grep . vm/overcommit_memory kernel/panic kernel/panic_on_oops) >"$NODE/sysctl"
  if is_cgroup_v1; then
    local c
    for c in cpu cpuacct cpuset memory pids systemd devices freezer blkio; do mkdir -p "/sys/fs/cgroup/$c/$CGROUP"; done
    for c in cpus mems; do cat "/sys/fs/cgroup/cpuset/cpuset.$c" >"/sys/fs/cgroup/cpuset/$CGROUP/cpuset.$c"; done
  fi
  echo $$ >"$NODE/unshare.pid"
  exec unshare --mount --net --pid --fork --kill-child --mount-proc "$HERE/node.sh" first
}

first() {   # the namespaces' first process
  mount --make-rshared /                # the kubelet's and containerd's mounts reach the containers, never the machine
  mkdir -p "$NODE"/{var-upper,var-work,cni}
  mount -t tmpfs tmpfs /run
  mount -t overlay overlay -o "lowerdir=/var,upperdir=$NODE/var-upper,workdir=$NODE/var-work" /var
  ip link set lo up
  ip addr add $NODE_IP/32 dev lo
  ip route add 10.96.0.0/16 dev lo      # so that the node's own packets to services reach the DNAT rules
  echo 1 >/proc/sys/net/ipv4/ip_forward
  . "$HERE/../control-plane/control-plane.sh"
  start_containerd & local containerd=$!
  start_control_plane
  spawn relay "$NODE_BINARY" "$HERE/relay.ts" "$NODE/api.sock" "$NODE_IP:$API_PORT"
  wait $containerd
  spawn network-policies "$NODE_BINARY" "$HERE/network-policies/enforce.ts" "$KUBECONFIG"
  start_kubelet
  touch "$NODE/ready"
  while :; do sleep infinity & wait $!; done    # as process 1 bash also reaps what the pods leave behind
}

start_containerd() {
  cat >"$NODE/cni/10-pods.conflist" <<JSON
{"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "ptp", "ipam":
  {"type": "host-local", "ranges": [[{"subnet": "$POD_CIDR"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
JSON
  cat >"$NODE/containerd.toml" <<TOML
version = 3
root = "/run/images"    # in memory: unpacking and clearing away images on a disk takes most of a short life
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "localhost/pause:1"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true    # without CAP_SYS_RESOURCE nobody may lower it
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["$ROOT/cni"]
  conf_dir = "$NODE/cni"
TOML
  containerd --config "$NODE/containerd.toml" >"$NODE/containerd.log" 2>&1 </dev/null &
  local i
  for i in $(seq 300); do ctr version >/dev/null 2>&1 && break; sleep 0.1; done
  ctr images import "$ROOT/images/pause.tar"
}

start_kubelet() {
  cd "$RUN/pki"
  kubeconfig kubelet /O=system:nodes/CN=system:node:node-1
  kubeconfig kube-proxy /CN=system:kube-proxy
  cat >"$NODE/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
$(is_cgroup_v1 && echo "cgroupRoot: /$CGROUP")
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {x509: {clientCAFile: $RUN/pki/ca.crt}}
address: $NODE_IP
healthzPort: 0
resolvConf: ""
clusterDNS: [$NODE_IP]
clusterDomain: cluster.local
failSwapOn: false
makeIPTablesUtilChains: false
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi}
nodeStatusReportFrequency: 10s
syncFrequency: 10s    # a Secret that changes is in its pods' files by then
YAML
  spawn kubelet kubelet --config="$NODE/kubelet.yaml" --kubeconfig="$RUN/kubelet.kubeconfig" \
    --root-dir="$NODE/kubelet" --hostname-override=node-1 --node-ip=$NODE_IP
  await kubelet 60 kubectl get node node-1
  spawn kube-proxy kube-proxy --kubeconfig="$RUN/kube-proxy.kubeconfig" --hostname-override=node-1 \
    --proxy-mode=nftables --cluster-cidr=$POD_CIDR \
    --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0
  echo ".:53 {
    bind $NODE_IP
    errors
    kubernetes cluster.local {
      kubeconfig $KUBECONFIG
    }
  }" >"$NODE/Corefile"
  spawn coredns coredns -conf "$NODE/Corefile"
  kubectl wait --for=condition=Ready node/node-1 --timeout=90s
}

clean() {
  local i d
  if [ -f "$NODE/sysctl" ]; then
    while IFS=: read -r d i; do echo "$i" >"/proc/sys/$d"; done <"$NODE/sysctl"
  fi
  for i in $(seq 100); do               # a cgroup goes once its last process has
    find /sys/fs/cgroup/*/"$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null || true
    ls -d /sys/fs/cgroup/*/"$CGROUP" >/dev/null 2>&1 || break
    sleep 0.1
  done
  rm -rf "$NODE"
}

command=${1:?run, exec CMD... or clean}
shift
[ "$command" = exec ] && command=inside
"$command" "$@"
