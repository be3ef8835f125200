// The cluster's own certificates: a CA, a key that signs service-account tokens, and leafs. One file
// holds a key with its certificate, so a power cut cannot leave one without the other; a warm start
// reads the files and makes nothing.
//
// Edge clocks lie. A device without a battery wakes in 1970, signs certificates, and learns the time a
// minute later. So every certificate is valid from 1970 on, and a clock that shows a time before this
// release is taken to show the release's: no certificate of ours is ever "not yet valid", and none
// expires because it was made by a clock that stood still. A clock far in the future renews leafs up to
// the CA's end and no further, and the CA renews with the same key, so every holder of the older CA
// certificate goes on trusting and being trusted.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  X509Certificate,
} from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import type { Scope } from "../../lib/scope.ts";
import { issueCertificate, subjectOf, type CertificateRequest } from "./x509.ts";

/** Where certificates are kept. `write` must replace the file as a whole, readable by its owner only. */
export interface PkiStorage {
  read(name: string): Promise<string | undefined>;
  write(name: string, data: string): Promise<void>;
}

/** PEM texts. */
export interface KeyPair {
  cert: string;
  key: string;
}

export interface PkiOptions {
  clock: Clock;
  /** Names and addresses of the API server, besides localhost. */
  names: string[];
  clusterDomain?: string;
}

export type SigningRequest = Omit<CertificateRequest, "notBeforeMs" | "notAfterMs"> & {
  lifeMs?: number;
};

export interface Pki {
  /** The CA's certificate; changes when it renews, its key never does. */
  ca(): string;
  /** Signs service-account tokens. */
  serviceAccountKey: KeyObject;
  serving(): KeyPair;
  /** kubernetes-admin in system:masters. */
  admin(): KeyPair;
  /** The identity of a node's agent, kept and renewed like the others. */
  node(name: string): Promise<KeyPair>;
  /** With what the server names its callers to others, and the authority those others trust for it. */
  frontProxy(): { ca: string; pair: KeyPair };
  /** Signs what others ask for, for a year or `lifeMs`, and never beyond the authority's own end. */
  sign(request: SigningRequest): string;
  /** Renews what needs it, now and every few hours; `renewed` is told which of the leafs changed. */
  startRenewal(scope: Scope, renewed: (name: string) => void): void;
}

/** No true clock shows less. */
const releaseMs = Date.UTC(2026, 0, 1);
const dayMs = 86_400_000;
const caLifeMs = 3650 * dayMs;
const leafLifeMs = 365 * dayMs;
const renewalEveryMs = dayMs / 4;

interface Leaf {
  file: string;
  request: Omit<CertificateRequest, "publicKey" | "notBeforeMs" | "notAfterMs">;
  pair: KeyPair;
}

/** The one name that other servers let speak for others. */
export const frontProxyName = "front-proxy-client";

const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const keyPem = (key: KeyObject) => key.export({ type: "pkcs8", format: "pem" }).toString();

interface Authority {
  file: string;
  subject: { commonName: string; organizations: string[] };
}

const clusterAuthority: Authority = {
  file: "ca.pem",
  subject: { commonName: "kerb-ca", organizations: ["kerb"] },
};

/** Of its own: whoever holds one of its certificates may claim to be anybody. */
const frontProxyAuthority: Authority = {
  file: "front-proxy-ca.pem",
  subject: { commonName: "kerb-front-proxy-ca", organizations: ["kerb"] },
};

function splitPair(text: string | undefined): KeyPair | undefined {
  const [key] = text?.match(/-----BEGIN PRIVATE KEY-----[^]+?-----END PRIVATE KEY-----\n/) ?? [];
  const [cert] = text?.match(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----\n/) ?? [];
  return key && cert ? { key, cert } : undefined;
}

const endOf = (cert: string) => Date.parse(new X509Certificate(cert).validTo);

/** True when less than a third of its life is left and a new one would live longer. */
export function needsRenewal(endMs: number, nowMs: number, lifeMs: number, limitMs: number) {
  return endMs - nowMs < lifeMs / 3 && Math.min(nowMs + lifeMs, limitMs) - endMs > dayMs / 24;
}

/** True when `cert` is what `request` asks for: same subject, no name missing, signed by this CA. */
function fits(cert: string, request: Leaf["request"], caKey: KeyObject): boolean {
  const parsed = new X509Certificate(cert);
  const subject = subjectOf(parsed);
  return (
    parsed.verify(createPublicKey(caKey)) &&
    subject.commonName === request.subject.commonName &&
    subject.organizations.join() === (request.subject.organizations ?? []).join() &&
    (request.names ?? []).every((name) => parsed.checkHost(name) ?? parsed.checkIP(name))
  );
}

class CertificateAuthority implements Pki {
  serviceAccountKey!: KeyObject;
  readonly #storage: PkiStorage;
  readonly #clock: Clock;
  readonly #leafs = new Map<string, Leaf>();
  readonly #authority: Authority;
  #frontProxy: CertificateAuthority | undefined;
  #caKey!: KeyObject;
  #caCert!: string;

  constructor(storage: PkiStorage, clock: Clock, authority: Authority) {
    this.#storage = storage;
    this.#clock = clock;
    this.#authority = authority;
  }

  get #now() {
    return Math.max(this.#clock.now(), releaseMs);
  }

  async #openCa() {
    const stored = splitPair(await this.#storage.read(this.#authority.file));
    this.#caKey = stored ? createPrivateKey(stored.key) : newKey();
    if (stored) this.#caCert = stored.cert;
    await this.#renewCa();
  }

  async open(options: PkiOptions) {
    await this.#openCa();
    const tokens = await this.#storage.read("service-account.pem");
    this.serviceAccountKey = tokens ? createPrivateKey(tokens) : newKey();
    if (!tokens) {
      await this.#storage.write("service-account.pem", keyPem(this.serviceAccountKey));
    }
    const domain = options.clusterDomain ?? "cluster.local";
    const names = ["localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default"];
    names.push("kubernetes.default.svc", `kubernetes.default.svc.${domain}`, ...options.names);
    await this.#leaf("serving", {
      subject: { commonName: "kube-apiserver" },
      usage: "server",
      names: [...new Set(names)],
    });
    await this.#leaf("admin", {
      subject: { commonName: "kubernetes-admin", organizations: ["system:masters"] },
      usage: "client",
    });
    this.#frontProxy = new CertificateAuthority(this.#storage, this.#clock, frontProxyAuthority);
    await this.#frontProxy.#openCa();
    await this.#frontProxy.#leaf(frontProxyName, {
      subject: { commonName: frontProxyName },
      usage: "client",
    });
  }

  ca() {
    return this.#caCert;
  }

  serving() {
    return this.#leafs.get("serving")!.pair;
  }

  admin() {
    return this.#leafs.get("admin")!.pair;
  }

  frontProxy() {
    const authority = this.#frontProxy!;
    return { ca: authority.ca(), pair: authority.#leafs.get(frontProxyName)!.pair };
  }

  node(name: string) {
    return this.#leaf(`node-${name}`, {
      subject: { commonName: `system:node:${name}`, organizations: ["system:nodes"] },
      usage: "client",
    });
  }

  startRenewal(scope: Scope, renewed: (name: string) => void) {
    this.#frontProxy?.startRenewal(scope, renewed);
    const check = async () => {
      await this.#renewCa();
      for (const [name, leaf] of this.#leafs) if (await this.#renewLeaf(leaf)) renewed(name);
    };
    // A disk that refuses the write is asked again at the next turn; the old certificate serves on.
    const run = () => void check().catch(() => {});
    scope.defer(this.#clock.every(renewalEveryMs, run));
  }

  async #leaf(name: string, request: Leaf["request"]): Promise<KeyPair> {
    const known = this.#leafs.get(name);
    if (known) return known.pair;
    const file = `${name}.pem`;
    const stored = splitPair(await this.#storage.read(file));
    const usable = stored && fits(stored.cert, request, this.#caKey);
    const leaf: Leaf = { file, request, pair: usable ? stored : await this.#issue(file, request) };
    this.#leafs.set(name, leaf);
    await this.#renewLeaf(leaf);
    return leaf.pair;
  }

  async #renewLeaf(leaf: Leaf): Promise<boolean> {
    const end = endOf(leaf.pair.cert);
    if (!needsRenewal(end, this.#now, leafLifeMs, endOf(this.#caCert))) return false;
    leaf.pair = await this.#issue(leaf.file, leaf.request);
    return true;
  }

  sign({ lifeMs = leafLifeMs, ...request }: SigningRequest): string {
    const notAfterMs = Math.min(this.#now + lifeMs, endOf(this.#caCert));
    return issueCertificate(
      { ...request, notBeforeMs: 0, notAfterMs },
      { subject: this.#authority.subject, privateKey: this.#caKey },
    );
  }

  async #issue(file: string, request: Leaf["request"]): Promise<KeyPair> {
    const privateKey = newKey();
    const cert = this.sign({ ...request, publicKey: createPublicKey(privateKey) });
    const pair = { cert, key: keyPem(privateKey) };
    await this.#storage.write(file, pair.key + pair.cert);
    return pair;
  }

  async #renewCa() {
    const end = this.#caCert ? endOf(this.#caCert) : 0;
    if (!needsRenewal(end, this.#now, caLifeMs, Number.POSITIVE_INFINITY)) return;
    const publicKey = createPublicKey(this.#caKey);
    const notAfterMs = this.#now + caLifeMs;
    this.#caCert = issueCertificate(
      { subject: this.#authority.subject, publicKey, notBeforeMs: 0, notAfterMs, usage: "ca" },
      { subject: this.#authority.subject, privateKey: this.#caKey },
    );
    await this.#storage.write(this.#authority.file, keyPem(this.#caKey) + this.#caCert);
  }
}

/** Reads the cluster's certificates, and makes those that are missing, outlived or do not fit. */
export async function openPki(storage: PkiStorage, options: PkiOptions): Promise<Pki> {
  const authority = new CertificateAuthority(storage, options.clock, clusterAuthority);
  await authority.open(options);
  return authority;
}
