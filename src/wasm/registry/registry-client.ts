// A registry's distribution API, as far as pulling goes: for artifacts that containerd does not take.
import { createHash } from "node:crypto";
import type { PullAuth } from "../../node/runtime.ts";
import type { Registries } from "../../lib/registries.ts";
import { ArtifactError, manifestTypes } from "./media-types.ts";
import type { Descriptor, Manifest } from "./media-types.ts";

const manifestBytesMax = 4 * 2 ** 20;
export const blobBytesMax = 128 * 2 ** 20;
const waitMsMax = 300_000;
/** A token is small, and whoever gives it has little to do. */
const tokenMsMax = 30_000;
const dockerHub = "registry-1.docker.io";

export interface ImageName {
  host: string;
  repository: string;
  /** Tag or digest. */
  reference: string;
}

/** Of a reference in its full form, `host/repository:tag` or `host/repository@digest`. Pure. */
export function parseName(full: string): ImageName {
  const slash = full.indexOf("/");
  const host = full.slice(0, slash);
  const rest = full.slice(slash + 1);
  const at = rest.indexOf("@");
  const tagged = at >= 0 ? rest.slice(0, at) : rest;
  const colon = tagged.lastIndexOf(":");
  const repository = colon >= 0 ? tagged.slice(0, colon) : tagged;
  const tag = colon >= 0 ? tagged.slice(colon + 1) : "latest";
  const reference = at >= 0 ? rest.slice(at + 1) : tag;
  return { host, repository, reference };
}

const isLoopback = (host: string) => /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(host);

/** A challenge's parameters: `Bearer realm="...",service="..."`. Pure. */
export function parseChallenge(header: string): { scheme: string; [key: string]: string } {
  const [scheme = ""] = header.split(" ", 1);
  const pairs = [...header.matchAll(/\b(\w+)="([^"]*)"/g)].map(([, key, value]) => [key!, value!]);
  return { ...Object.fromEntries(pairs), scheme: scheme.toLowerCase() };
}

const basic = ({ username, password }: PullAuth) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

/** The body, as long as it is no larger than said. */
async function bodyOf(response: Response, bytesMax: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > bytesMax) throw new ArtifactError(`is larger than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const digestOf = (bytes: Buffer) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

export interface RegistryOptions {
  /** What is known of registries; the loopback needs no TLS in any case. */
  registries: Registries;
  auth?: PullAuth | undefined;
  fetch: typeof fetch;
}

export class RegistryClient {
  readonly #name: ImageName;
  readonly #options: RegistryOptions;
  #authorization: string | undefined;

  constructor(name: ImageName, options: RegistryOptions) {
    this.#name = name;
    this.#options = options;
  }

  /** Where it is asked for, first things first. */
  get #servers(): string[] {
    const { host } = this.#name;
    const { insecure, mirrors } = this.#options.registries;
    const isPlain = isLoopback(host) || insecure.has(host);
    const own = `http${isPlain ? "" : "s"}://${host === "docker.io" ? dockerHub : host}`;
    const mirror = mirrors.get(host);
    return mirror === undefined ? [own] : [mirror, own];
  }

  /** Answers a challenge; false when there is nothing to answer with. */
  async #authorize(header: string, server: string): Promise<boolean> {
    const { scheme, realm = "", service, scope } = parseChallenge(header);
    const { auth } = this.#options;
    if (scheme === "basic" && auth) {
      this.#authorization = basic(auth);
      return true;
    }
    if (scheme !== "bearer") return false;
    const url = new URL(realm);
    if (url.protocol !== "https:" && server.startsWith("https:")) {
      throw new ArtifactError(`is guarded by ${url.origin}, which speaks without TLS`);
    }
    if (service) url.searchParams.set("service", service);
    url.searchParams.set("scope", scope ?? `repository:${this.#name.repository}:pull`);
    const headers: Record<string, string> = auth ? { authorization: basic(auth) } : {};
    const signal = AbortSignal.timeout(tokenMsMax);
    const response = await this.#options.fetch(url, { headers, signal });
    if (!response.ok) {
      await response.body?.cancel();
      return false;
    }
    const answer = JSON.parse((await bodyOf(response, manifestBytesMax)).toString());
    const token: unknown = answer.token ?? answer.access_token;
    if (typeof token !== "string") return false;
    this.#authorization = `Bearer ${token}`;
    return true;
  }

  async #get(path: string, accept: string, bytesMax: number): Promise<Buffer> {
    const servers = this.#servers;
    for (const server of servers.slice(0, -1)) {
      const found = await this.#getFrom(server, path, { accept, bytesMax }).catch(() => undefined);
      if (found) return found;
    }
    return this.#getFrom(servers.at(-1)!, path, { accept, bytesMax });
  }

  async #getFrom(
    server: string,
    path: string,
    { accept, bytesMax }: { accept: string; bytesMax: number },
  ): Promise<Buffer> {
    const ask = () =>
      this.#options.fetch(`${server}/v2/${this.#name.repository}/${path}`, {
        headers: {
          accept,
          ...(this.#authorization && { authorization: this.#authorization }),
        },
        signal: AbortSignal.timeout(waitMsMax),
      });
    let response = await ask();
    const challenge = response.headers.get("www-authenticate");
    if (response.status === 401 && challenge && (await this.#authorize(challenge, server))) {
      await response.body?.cancel();
      response = await ask();
    }
    if (response.ok) return bodyOf(response, bytesMax);
    await response.body?.cancel();
    throw new Error(`${path}: the registry answers ${response.status}`);
  }

  /** With its digest. */
  async manifest(
    reference = this.#name.reference,
  ): Promise<{ manifest: Manifest; digest: string }> {
    const path = `manifests/${reference}`;
    const bytes = await this.#get(path, manifestTypes.join(", "), manifestBytesMax);
    const digest = digestOf(bytes);
    if (reference.startsWith("sha256:") && reference !== digest) {
      throw new ArtifactError(`${reference} is not what the registry gives for it`);
    }
    return { manifest: JSON.parse(bytes.toString()), digest };
  }

  /** Of what the registry has now by its name; an image of several platforms has one of its own. */
  async digest(): Promise<string> {
    const path = `manifests/${this.#name.reference}`;
    return digestOf(await this.#get(path, manifestTypes.join(", "), manifestBytesMax));
  }

  async blob({ digest, size }: Descriptor): Promise<Buffer> {
    if (!(size <= blobBytesMax)) throw new ArtifactError(`is larger than ${blobBytesMax} bytes`);
    const bytes = await this.#get(`blobs/${digest}`, "*/*", size);
    if (digestOf(bytes) !== digest) {
      throw new ArtifactError(`${digest} is not what the registry gives for it`);
    }
    return bytes;
  }
}
