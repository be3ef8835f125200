// Plain JavaScript for whatever Node is there (20 on Debian 12): brings what Kerb needs from npm and
// Debian, says so before it does, and does nothing when nothing is missing, so it works offline.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "..");

/** What a site runs on, by Debian package: any of the paths proves that it is there. */
const sitePackages = {
  containerd: ["/usr/bin/containerd"],
  runc: ["/usr/sbin/runc", "/usr/bin/runc"],
  "containernetworking-plugins": ["/usr/lib/cni/bridge", "/opt/cni/bin/bridge"],
  nftables: ["/usr/sbin/nft"],
  e2fsprogs: ["/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"],
  bubblewrap: ["/usr/bin/bwrap"],
  conntrack: ["/usr/sbin/conntrack"],
  // Node's own; small Debians have none.
  libatomic1: ["x86_64", "aarch64"].map((one) => `/usr/lib/${one}-linux-gnu/libatomic.so.1`),
  iproute2: ["/usr/sbin/ip", "/bin/ip", "/sbin/ip"],
};

/** What the tests need besides. */
const testPackages = {
  "busybox-static": ["/bin/busybox", "/usr/bin/busybox"],
  "etcd-server": ["/usr/bin/etcd"],
  "etcd-client": ["/usr/bin/etcdctl"],
  unzip: ["/usr/bin/unzip"],
  faketime: ["/usr/bin/faketime"],
  curl: ["/usr/bin/curl"],
  openssl: ["/usr/bin/openssl"],
  "docker-registry": ["/usr/bin/docker-registry"],
  git: ["/usr/bin/git"],
  "qemu-system-x86": ["/usr/bin/qemu-system-x86_64"],
  "qemu-utils": ["/usr/bin/qemu-img"],
  swtpm: ["/usr/bin/swtpm"],
  ovmf: ["/usr/share/OVMF/OVMF_CODE_4M.fd"],
  "xz-utils": ["/usr/bin/xz"],
  clang: ["/usr/bin/clang"],
  lld: ["/usr/bin/wasm-ld"],
  "wasi-libc": ["/usr/include/wasm32-wasi/stdio.h"],
  "libclang-rt-dev-wasm32": ["/usr/share/doc/libclang-rt-dev-wasm32"],
};

/** What the images of Kubernetes' conformance suite are made of. */
const suitePackages = {
  "bash-static": ["/bin/bash-static"],
  "bind9-dnsutils": ["/usr/bin/dig"],
  "netcat-openbsd": ["/usr/bin/nc.openbsd", "/bin/nc.openbsd"],
};

/** @param {string} command @param {string[]} args */
function run(command, args) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2], env }).status === 0;
}

function npmPackages() {
  const stamp = join(root, "node_modules/.package-lock.json");
  const lock = join(root, "package-lock.json");
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(lock).mtimeMs) return;
  console.error("Installing npm packages (node_modules/) ...");
  if (
    !run("npm", [
      "install",
      "--no-save",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
    ])
  ) {
    throw new Error(
      "npm install failed; see above. Check the network or the npm registry and try again.",
    );
  }
}

/** @param {Record<string, string[]>} wanted */
function debianPackages(wanted) {
  const missing = Object.keys(wanted).filter(
    (name) => !wanted[name].some((path) => existsSync(path)),
  );
  if (missing.length === 0) return;
  const list = missing.join(" ");
  if (process.getuid?.() !== 0) {
    console.error(`Not root: cannot install ${list}. As root: apt-get install ${list}`);
    return;
  }
  if (!existsSync("/usr/bin/apt-get")) {
    console.error(`Not a Debian system: please install the equivalents of ${list}`);
    return;
  }
  console.error(`Installing Debian packages: ${list} ...`);
  const install = ["install", "-y", "-qq", "--no-install-recommends", ...missing];
  if (!run("apt-get", install) && !(run("apt-get", ["update", "-qq"]) && run("apt-get", install))) {
    console.error(`apt-get could not install ${list}; going on without (kerb doctor tells more).`);
  }
}

/** @param {{ forTests?: boolean, forSuite?: boolean }} [options] */
export function prepare({ forTests, forSuite } = {}) {
  npmPackages();
  debianPackages({
    ...sitePackages,
    ...(forTests && testPackages),
    ...(forSuite && suitePackages),
  });
}

/** The Node to run Kerb with: the one from npm, else this one when it is new enough. */
export function modernNode() {
  const arch = process.arch;
  const carried = join(root, `node_modules/node-linux-${arch}/bin/node`);
  if (existsSync(carried)) return carried;
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 24 || (major === 24 && minor >= 12)) return process.execPath;
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  throw new Error(`Kerb ${version} needs Node 24.12 or newer; this is ${process.versions.node}`);
}
