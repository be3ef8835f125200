// Debian's real image registry on loopback, open to one user only.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { containerdDirectory } from "../../src/main/node/machine.ts";
import { socketOf } from "../../src/containers/socket.ts";
import { run } from "./command.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./site.ts";
import type { Site } from "./site.ts";

export const registryUser = { username: "shop", password: "open sesame" };
/** bcrypt of the password. */
const passwordHash = "$2y$05$aOy9Q/ePCoPZE9x40hAIg.FdwgoWwhF52LPwknalmzahbI3Di0ouG";

export interface Registry {
  /** `127.0.0.1:41234`. */
  host: string;
  /** Uploads an image that the site has, under a name of this registry. */
  push(site: Site, image: string, as: string): Promise<void>;
  /** Uploads a manifest with its parts, of whatever kind; resolves with the manifest's digest. */
  pushArtifact(as: string, artifact: Artifact): Promise<string>;
  stop(): void;
}

export interface Artifact {
  config: { mediaType: string; data: Buffer };
  layers: { mediaType: string; data: Buffer }[];
  /** Of the manifest itself; absent: OCI's. */
  mediaType?: string;
  /** An index of one manifest, for this platform. */
  platform?: object;
}

const authorization = `Basic ${Buffer.from(`${registryUser.username}:${registryUser.password}`).toString("base64")}`;

async function put(url: string, data: Buffer, type: string, method = "PUT") {
  const headers = { authorization, "content-type": type };
  const answer = await fetch(url, { method, headers, body: new Uint8Array(data) });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  return answer.headers;
}

const digestOf = (data: Buffer) => `sha256:${createHash("sha256").update(data).digest("hex")}`;

async function pushBlob(base: string, data: Buffer) {
  const headers = await put(`${base}/blobs/uploads/`, Buffer.alloc(0), "text/plain", "POST");
  const to = new URL(headers.get("location")!, base);
  to.searchParams.set("digest", digestOf(data));
  await put(to.href, data, "application/octet-stream");
}

async function pushManifest(base: string, tag: string, manifest: { mediaType: string }) {
  const data = Buffer.from(JSON.stringify(manifest));
  await put(`${base}/manifests/${tag}`, data, manifest.mediaType);
  return { mediaType: manifest.mediaType, digest: digestOf(data), size: data.length };
}

async function pushArtifact(host: string, as: string, artifact: Artifact): Promise<string> {
  const { config, layers, platform } = artifact;
  const [repository = "", tag = "latest"] = as.split(":");
  const base = `http://${host}/v2/${repository}`;
  for (const { data } of [config, ...layers]) await pushBlob(base, data);
  const describe = ({ mediaType, data }: { mediaType: string; data: Buffer }) => ({
    mediaType,
    digest: digestOf(data),
    size: data.length,
  });
  const pushed = await pushManifest(base, platform ? "inner" : tag, {
    schemaVersion: 2,
    mediaType: artifact.mediaType ?? "application/vnd.oci.image.manifest.v1+json",
    config: describe(config),
    layers: layers.map(describe),
  } as { mediaType: string });
  if (!platform) return pushed.digest;
  const index = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [{ ...pushed, platform }],
  };
  return (await pushManifest(base, tag, index)).digest;
}

function configuration(port: number, directory: string, isOpen: boolean) {
  const users = `auth: {htpasswd: {realm: kerb, path: ${directory}/users}}`;
  return `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: ${directory}/data}}
http: {addr: "127.0.0.1:${port}"}
${isOpen ? "" : users}
`;
}

async function answers(host: string) {
  await eventually(() => fetch(`http://${host}/v2/`), "the registry");
}

/** With `isOpen`, to everybody. */
export async function startRegistry({ isOpen = false } = {}): Promise<Registry> {
  const directory = mkdtempSync(join(tmpdir(), "kerb-registry-"));
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  writeFileSync(join(directory, "users"), `${registryUser.username}:${passwordHash}\n`);
  writeFileSync(join(directory, "config.yml"), configuration(port, directory, isOpen));
  const child = spawn("docker-registry", ["serve", join(directory, "config.yml")], {
    stdio: "ignore",
  });
  await answers(host);
  return {
    host,
    async push(site, image, as) {
      const ctr = ["--address", socketOf(containerdDirectory(site.directory)), "-n", "k8s.io"];
      const login = `${registryUser.username}:${registryUser.password}`;
      const to = `${host}/${as}`;
      await run("ctr", [...ctr, "images", "push", "--plain-http", "--user", login, to, image]);
    },
    pushArtifact: (as, artifact) => pushArtifact(host, as, artifact),
    stop() {
      child.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
