// Artifacts of OCI registries over HTTPS: which digest a tag has, the layer that holds the files, and what cosign
// left beside it.
import { createHash } from "node:crypto";
import { request as requestPlain } from "node:http";
import type { IncomingMessage, RequestOptions } from "node:http";
import { request as requestTls } from "node:https";
import { gunzipSync } from "node:zlib";
import { treeBytesMax } from "../../gitops/files.ts";
import type { Found, OciAsk } from "../../gitops/host.ts";
import { isSigned } from "../../gitops/sources/cosign.ts";
import type { CosignSignature } from "../../gitops/sources/cosign.ts";
import { newestTag } from "../../gitops/sources/versions.ts";

const manifestTypes = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.oci.image.index.v1+json",
].join(", ");
const signatureAnnotation = "dev.cosignproject.cosign/signature";
const manifestBytesMax = 4 * 2 ** 20;
const tagsMax = 10_000;
const redirectsMax = 5;

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}

const digestOf = (bytes: Uint8Array) =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

export class Registry {
  readonly #ask: OciAsk;
  readonly #base: string;
  readonly #repository: string;
  #token: string | undefined;

  constructor(ask: OciAsk) {
    const [, host = "", repository = ""] = /^oci:\/\/([^/]+)\/(.+)$/.exec(ask.url) ?? [];
    if (!host || !repository) throw new Error("spec.url: oci://HOST/REPOSITORY is needed");
    this.#ask = ask;
    this.#base = `${ask.insecure ? "http" : "https"}://${host}`;
    this.#repository = repository;
  }

  #send(url: URL, headers: Record<string, string>): Promise<IncomingMessage> {
    const { access, timeoutMs } = this.#ask;
    const options: RequestOptions & { ca?: string } = {
      headers,
      ...(access.ca && { ca: access.ca }),
    };
    const send = url.protocol === "https:" ? requestTls : requestPlain;
    return new Promise((resolve, reject) => {
      const asked = send(url, options, resolve).on("error", reject);
      asked.setTimeout(timeoutMs, () => asked.destroy(new Error(`${url.host} says nothing`)));
      asked.end();
    });
  }

  #basic(): Record<string, string> {
    const { username, password = "" } = this.#ask.access;
    if (username === undefined) return {};
    return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
  }

  /** As the registry says where. */
  async #authorize(challenge: string) {
    const field = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1];
    const realm = field("realm");
    if (!/^bearer /i.test(challenge) || !realm) return false;
    const url = new URL(realm);
    if (url.protocol !== "https:" && !this.#ask.insecure)
      throw new Error("a token server without TLS");
    const service = field("service");
    if (service) url.searchParams.set("service", service);
    url.searchParams.set("scope", `repository:${this.#repository}:pull`);
    const answer = await this.#send(url, this.#basic());
    const said = JSON.parse((await this.#body(answer, manifestBytesMax)).toString());
    this.#token = said.token ?? said.access_token;
    return this.#token !== undefined;
  }

  async #get(path: string, accept: string, bytesMax: number): Promise<Uint8Array> {
    const origin = new URL(`${this.#base}/v2/${this.#repository}/${path}`);
    let url = origin;
    for (let tries = 0; tries <= redirectsMax; tries++) {
      const own = this.#token ? { authorization: `Bearer ${this.#token}` } : this.#basic();
      // Where blobs lie is not who the credentials are for.
      const isHome = url.host === origin.host;
      const answer = await this.#send(url, { accept, ...(isHome && own) });
      const code = answer.statusCode ?? 0;
      if (code === 200) return this.#body(answer, bytesMax);
      answer.resume();
      const { location } = answer.headers;
      if (code >= 300 && code < 400 && location) {
        url = new URL(location, url);
        if (url.protocol !== origin.protocol && url.protocol !== "https:")
          throw new Error("a redirection without TLS");
        continue;
      }
      const challenge = answer.headers["www-authenticate"];
      if (code === 401 && challenge && !this.#token && (await this.#authorize(challenge))) continue;
      throw new Error(`${this.#base}/${this.#repository}: ${path.split("?")[0]} answers ${code}`);
    }
    throw new Error(`${this.#base} redirects again and again`);
  }

  async #body(answer: IncomingMessage, bytesMax: number): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of answer) {
      length += chunk.length;
      if (length > bytesMax) throw new Error(`${this.#repository}: more than ${bytesMax} bytes`);
      parts.push(chunk);
    }
    return Buffer.concat(parts);
  }

  async #tags(): Promise<string[]> {
    const body = await this.#get(`tags/list?n=${tagsMax}`, "application/json", manifestBytesMax);
    return JSON.parse(Buffer.from(body).toString()).tags ?? [];
  }

  /** Which tag is meant and what it is called in a revision. */
  async reference(): Promise<{ reference: string; label: string }> {
    const { digest, semver, tag } = this.#ask.ref;
    if (digest) return { reference: digest, label: "" };
    const label = semver ? newestTag(await this.#tags(), semver) : (tag ?? "latest");
    return { reference: label, label };
  }

  async manifest(reference: string): Promise<{ digest: string; layers: Descriptor[] }> {
    const bytes = await this.#get(`manifests/${reference}`, manifestTypes, manifestBytesMax);
    const digest = digestOf(bytes);
    if (reference.startsWith("sha256:") && digest !== reference) {
      throw new Error(`the registry gave ${digest} for ${reference}`);
    }
    return { digest, layers: JSON.parse(Buffer.from(bytes).toString()).layers ?? [] };
  }

  async blob({ digest }: Descriptor): Promise<Uint8Array> {
    const bytes = await this.#get(`blobs/${digest}`, "*/*", treeBytesMax);
    if (digestOf(bytes) === digest) return bytes;
    throw new Error(`the registry gave other bytes for ${digest}`);
  }

  /** What cosign left for `digest`: each layer is a text, its annotation the signature. */
  async signatures(digest: string): Promise<CosignSignature[]> {
    const tag = `${digest.replace(":", "-")}.sig`;
    const { layers } = await this.manifest(tag).catch(() => ({ layers: [] as Descriptor[] }));
    const found: CosignSignature[] = [];
    for (const layer of layers) {
      const signature = layer.annotations?.[signatureAnnotation];
      if (signature) found.push({ signature, payload: await this.blob(layer) });
    }
    return found;
  }
}

export async function findInRegistry(ask: OciAsk): Promise<Found> {
  const registry = new Registry(ask);
  const { reference, label } = await registry.reference();
  const { digest, layers } = await registry.manifest(reference);
  if (ask.keys && !isSigned(digest, await registry.signatures(digest), ask.keys)) {
    throw new Error(`no signature of ${digest} is by one of the keys of spec.verify`);
  }
  const wanted = ask.layer?.mediaType;
  const layer = wanted ? layers.find(({ mediaType }) => mediaType === wanted) : layers[0];
  if (!layer) throw new Error(`${digest} has no layer ${wanted ?? ""}`.trim());
  const fetch = async () =>
    gunzipSync(await registry.blob(layer), { maxOutputLength: 2 * treeBytesMax });
  return {
    revision: label ? `${label}@${digest}` : digest,
    isVerified: ask.keys !== undefined,
    fetch,
  };
}
