import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { issueCertificate } from "../../server/auth/x509.ts";

const bin = join(import.meta.dirname, "../../../bin");
let directory: string;
let running: ChildProcess[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kerb-envtest-"));
  running = [];
});
afterEach(async () => {
  for (const child of running.reverse()) await stop(child);
  rmSync(directory, { recursive: true });
});

const start = (program: string, ...args: string[]) => {
  const child = spawn(process.execPath, [join(bin, `${program}.ts`), ...args]);
  running.push(child);
  return child;
};

async function stop(child: ChildProcess) {
  if (child.exitCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Asks again until something answers, as envtest does. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch {
      await sleep(20);
    }
  }
}

/** What envtest lays into the directory, as files; returns an administrator's certificate. */
function certificates() {
  const times = { notBeforeMs: 0, notAfterMs: Date.UTC(2100, 0, 1) };
  const pem = (key: KeyObject) => key.export({ type: "pkcs8", format: "pem" }).toString();
  const make = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
  const ca = make();
  const issuer = { subject: { commonName: "envtest" }, privateKey: ca.privateKey };
  const sign = (request: object) =>
    issueCertificate({ ...times, publicKey: ca.publicKey, ...request } as any, issuer);
  const leaf = make();
  const { publicKey } = leaf;
  const server = { subject: { commonName: "s" }, usage: "server", names: ["127.0.0.1"], publicKey };
  const admin = { commonName: "admin", organizations: ["system:masters"] };
  const files = {
    "ca.crt": sign({ ...issuer, usage: "ca" }),
    "apiserver.crt": sign(server),
    "apiserver.key": pem(leaf.privateKey),
    "sa.key": pem(make().privateKey),
  };
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(directory, name), content);
  const cert = sign({ subject: admin, usage: "client", publicKey });
  return { ca: files["ca.crt"], cert, key: pem(leaf.privateKey), agent: false };
}

test("the stand-ins are started as envtest starts etcd and kube-apiserver, and keep what they are told", async () => {
  const [etcdPort, port] = [await freePort(), await freePort()];
  const etcd = `http://127.0.0.1:${etcdPort}`;
  start(
    "etcd",
    `--data-dir=${directory}/etcd`,
    `--listen-client-urls=${etcd}`,
    "--unsafe-no-fsync",
  );
  await patiently(() => fetch(`${etcd}/health`));
  const tls = certificates();
  const send = (method: string, path: string, body = "") =>
    new Promise<any>((resolve, reject) => {
      const options = { ...tls, method, headers: { "content-type": "application/json" } };
      const asked = request(`https://127.0.0.1:${port}${path}`, options, async (answer) =>
        resolve(JSON.parse(await text(answer))),
      );
      asked.on("error", reject).end(body);
    });
  const flags = [
    `--etcd-servers=${etcd}`,
    `--cert-dir=${directory}`,
    `--client-ca-file=${directory}/ca.crt`,
    `--secure-port=${port}`,
    "--bind-address=127.0.0.1",
    "--service-cluster-ip-range=10.0.0.0/24",
    "--disable-admission-plugins=ServiceAccount",
    "--authorization-mode=RBAC",
    "--allow-privileged=true",
    `--service-account-issuer=https://127.0.0.1:${port}/`,
    `--service-account-signing-key-file=${directory}/sa.key`,
  ];
  const first = start("kube-apiserver", ...flags);
  await patiently(() => send("GET", "/api"));
  const configMaps = "/api/v1/namespaces/default/configmaps";
  const kept = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "kept" } };
  assert.equal((await send("POST", configMaps, JSON.stringify(kept))).kind, "ConfigMap");
  const { issuer } = await send("GET", "/.well-known/openid-configuration");
  assert.equal(issuer, `https://127.0.0.1:${port}/`);
  await stop(first);
  start("kube-apiserver", ...flags);
  const read = await patiently(() => send("GET", `${configMaps}/kept`));
  assert.equal(read.metadata.name, "kept");
});

test("a flag that nobody knows, and an etcd that is none of ours, are refused", async () => {
  const said = async (...args: string[]) => text(start("kube-apiserver", ...args).stderr!);
  assert.match(await said("--etcd-servres=x"), /unknown flag: --etcd-servres/);
  const port = await freePort();
  assert.match(
    await said(`--etcd-servers=http://127.0.0.1:${port}`),
    /is not kerb's stand-in for etcd/,
  );
});
