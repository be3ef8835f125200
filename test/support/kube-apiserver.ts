// Kubernetes' own API server over Debian's etcd, as a peer. The program is built elsewhere, from its source.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { systemClock } from "../../src/lib/clock.ts";
import { pkiFiles } from "../../src/main/files.ts";
import { clusterKubeconfig } from "../../src/server/auth/kubeconfig.ts";
import { openPki } from "../../src/server/auth/pki.ts";
import type { Pki } from "../../src/server/auth/pki.ts";
import { freePort } from "./site.ts";

export interface Peer {
  kubeconfig: string;
  /** Of its server, then of what keeps its data. */
  pids: number[];
  stop(): Promise<void>;
}

const readyMsMax = 60_000;

/** Resolves when the server says that it is ready. */
async function untilReady(port: number, ca: string, pair: { cert: string; key: string }) {
  const deadline = performance.now() + readyMsMax;
  const ask = () =>
    new Promise<boolean>((resolve) => {
      request({ host: "127.0.0.1", port, path: "/readyz", ca, ...pair }, (answer) => {
        answer.resume();
        resolve(answer.statusCode === 200);
      })
        .on("error", () => resolve(false))
        .end();
    });
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error("kube-apiserver does not get ready");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function end(child: ChildProcess) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill();
  await gone;
}

function startStore(directory: string, client: number, peer: number): ChildProcess {
  const url = (port: number) => `http://127.0.0.1:${port}`;
  const options = {
    "data-dir": join(directory, "etcd"),
    "listen-client-urls": url(client),
    "advertise-client-urls": url(client),
    "listen-peer-urls": url(peer),
    "initial-advertise-peer-urls": url(peer),
    "initial-cluster": `default=${url(peer)}`,
    "log-level": "error",
  };
  const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  return spawn("etcd", flags, { stdio: "ignore" });
}

interface Files {
  directory: string;
  pki: Pki;
  at: (name: string) => string;
}

/** The certificates and keys of a real cluster, as files. */
async function makeFiles(directory: string): Promise<Files> {
  const at = (name: string) => join(directory, name);
  mkdirSync(at("pki"));
  const pki = await openPki(pkiFiles(at("pki")), { clock: systemClock, names: ["127.0.0.1"] });
  const serving = pki.serving();
  const { ca: frontProxyCa, pair } = pki.frontProxy();
  const files = {
    ca: pki.ca(),
    cert: serving.cert,
    key: serving.key,
    "front-proxy-ca": frontProxyCa,
    "front-proxy-cert": pair.cert,
    "front-proxy-key": pair.key,
    "service-account": pki.serviceAccountKey.export({ type: "sec1", format: "pem" }).toString(),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(at(name), text, { mode: 0o600 });
  return { directory, pki, at };
}

const flagsOf = (options: Record<string, string>) =>
  Object.entries(options).map(([name, value]) => `--${name}=${value}`);

const serverFlags = ({ at }: Files, port: number, store: number) =>
  flagsOf({
    "etcd-servers": `http://127.0.0.1:${store}`,
    "bind-address": "127.0.0.1",
    "secure-port": String(port),
    "tls-cert-file": at("cert"),
    "tls-private-key-file": at("key"),
    "client-ca-file": at("ca"),
    "requestheader-client-ca-file": at("front-proxy-ca"),
    "requestheader-username-headers": "X-Remote-User",
    "requestheader-group-headers": "X-Remote-Group",
    "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    "proxy-client-cert-file": at("front-proxy-cert"),
    "proxy-client-key-file": at("front-proxy-key"),
    "enable-bootstrap-token-auth": "true",
    "service-account-key-file": at("service-account"),
    "service-account-signing-key-file": at("service-account"),
    "service-account-issuer": "https://kubernetes.default.svc",
    "service-cluster-ip-range": "10.96.0.0/24",
    "authorization-mode": "RBAC",
    // Without controllers nobody makes the accounts that this plugin asks for.
    "disable-admission-plugins": "ServiceAccount",
  });

/** Starts `program`, with the certificates and the rights of a real cluster. */
export async function startKubeApiServer(program: string, folder?: string): Promise<Peer> {
  const directory = folder ?? mkdtempSync(join(tmpdir(), "kerb-peer-"));
  const files = await makeFiles(directory);
  const { pki, at } = files;
  const [port, client, peer] = [await freePort(), await freePort(), await freePort()];
  const store = startStore(directory, client, peer);
  const server = spawn(program, serverFlags(files, port, client), { stdio: "ignore" });
  const stop = async () => {
    await end(server);
    await end(store);
    rmSync(directory, { recursive: true });
  };
  try {
    await untilReady(port, pki.ca(), pki.admin());
  } catch (error) {
    await stop();
    throw error;
  }
  const { cert, key } = pki.admin();
  const kubeconfig = at("kubeconfig");
  const where = { server: `https://127.0.0.1:${port}`, ca: pki.ca(), cert, key, name: "peer" };
  writeFileSync(kubeconfig, clusterKubeconfig(where), { mode: 0o600 });
  return { kubeconfig, pids: [server.pid!, store.pid!], stop };
}

/** With the kube-controller-manager that lies beside `program`. */
export async function startKubernetes(
  program: string,
  { directory }: { directory: string },
): Promise<Peer> {
  const peer = await startKubeApiServer(program, directory);
  const at = (name: string) => join(directory, name);
  const flags = flagsOf({
    kubeconfig: peer.kubeconfig,
    "leader-elect": "false",
    "secure-port": "0",
    "cluster-signing-cert-file": at("pki/ca.pem"),
    "cluster-signing-key-file": at("pki/ca.pem"),
    "root-ca-file": at("ca"),
    "service-account-private-key-file": at("service-account"),
    "use-service-account-credentials": "false",
  });
  const manager = spawn(join(dirname(program), "kube-controller-manager"), flags, {
    stdio: "ignore",
  });
  const stop = async () => {
    await end(manager);
    await peer.stop();
  };
  return { ...peer, pids: [...peer.pids, manager.pid!], stop };
}

/** Resident bytes of processes together. */
export const residentBytes = (pids: number[]) =>
  pids.reduce((sum, pid) => {
    const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return sum + Number(line?.[1] ?? 0) * 1024;
  }, 0);
