import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where the programs of the cluster are built, outside the tree: gigabytes that every checkout can share. */
export const clusterRoot =
  process.env["K8S_ROOT"] ??
  join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "millrace-cluster");

export const binary = (name: string): string => join(clusterRoot, "bin", name);

export const buildScript = join(import.meta.dirname, "../binaries/build.sh");

const parts = {
  "control-plane": [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "kwok",
  ],
  helm: ["helm"],
  node: [
    "kubelet",
    "kube-proxy",
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "coredns",
    "runc",
  ],
} as const;
export type Part = keyof typeof parts;

/** Programs of these parts that have not been built. */
export const findMissing = (...wanted: readonly Part[]): readonly string[] =>
  wanted.flatMap((part) => parts[part].filter((name) => !existsSync(binary(name))));

/** Whether a suite of the control plane can run: built before, or just now by the global setup. */
export const hasControlPlane = findMissing("control-plane", "helm").length === 0 && hasOpenssl();

/** Go that can build them (1.26 or newer), or why there is none. */
export function checkGo(): { readonly ok: boolean; readonly found: string } {
  try {
    const found = execFileSync("go", ["env", "GOVERSION"], { encoding: "utf8" }).trim();
    const [, major, minor] = /^go(\d+)\.(\d+)/.exec(found) ?? [];
    return { ok: Number(major) > 1 || Number(minor) >= 26, found };
  } catch {
    return { ok: false, found: "none" };
  }
}

function hasOpenssl(): boolean {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
