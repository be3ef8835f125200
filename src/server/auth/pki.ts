// The cluster's own certificates: a CA, a key that signs service-account tokens, and leafs. One file
// holds a key with its certificate, so a power cut cannot leave one without the other; a warm start
// reads the files and makes nothing.
//
// Edge clocks lie. A device without a battery wakes in 1970, signs certificates, and learns the time a
// minute later. So every certificate that Kerb has for itself is valid from 1970 on, and a clock that shows a time before this
// release is taken to show the release's: no certificate of ours is ever "not yet valid", and none
// expires because it was made by a clock that stood still. A clock far in the future renews leafs up to
// the CA's end and no further, and the CA renews with the same key, so every holder of the older CA
// certificate goes on trusting and being trusted. Another key is another authority: see authority.ts.
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import type { Scope } from "../../lib/scope.ts";
import {
  Authority,
  dayMs,
  endOf,
  keyPem,
  leafLifeMs,
  needsRenewal,
  newKey,
  splitPair,
} from "./authority.ts";
import type { AuthorityName, KeyPair, PkiStorage, RotationPhase } from "./authority.ts";
import { subjectOf, type CertificateRequest } from "./x509.ts";

export interface PkiOptions {
  clock: Clock;
  /** Names and addresses of the API server, besides localhost. */
  names: string[];
  clusterDomain?: string;
}

export type SigningRequest = Omit<CertificateRequest, "notBeforeMs" | "notAfterMs"> & {
  lifeMs?: number;
  /** Valid from now on, a little before, and not from 1970. */
  beginsNow?: boolean;
};

export interface Pki {
  /** The authorities that are trusted, in PEM: the one that signs first, and while it is replaced one more. */
  ca(): string;
  /** How far the replacement of the authority has come. */
  phase(): RotationPhase;
  /** Takes the replacement one phase further; what changed with it was told when it resolves. */
  advance(): Promise<RotationPhase>;
  /** Gives up a replacement in its first phase. */
  abandon(): Promise<void>;
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
  /** Renews what needs it, now and every few hours; `renewed` is told which of the leafs changed, or "ca". */
  startRenewal(scope: Scope, renewed: (name: string) => void): void;
}

const renewalEveryMs = dayMs / 4;
/** By how much the clock of who reads a certificate may be behind. */
const backdateMs = 300_000;

interface Leaf {
  file: string;
  request: Omit<CertificateRequest, "publicKey" | "notBeforeMs" | "notAfterMs">;
  pair: KeyPair;
}

/** The one name that other servers let speak for others. */
export const frontProxyName = "front-proxy-client";

const clusterAuthority: AuthorityName = {
  file: "ca.pem",
  subject: { commonName: "kerb-ca", organizations: ["kerb"] },
};

/** Of its own: whoever holds one of its certificates may claim to be anybody. */
const frontProxyAuthority: AuthorityName = {
  file: "front-proxy-ca.pem",
  subject: { commonName: "kerb-front-proxy-ca", organizations: ["kerb"] },
};

/** True when `cert` is what `request` asks for: same subject, no name missing, signed by this CA. */
function fits(cert: string, request: Leaf["request"], caKey: KeyObject): boolean {
  const parsed = new X509Certificate(cert);
  const subject = subjectOf(parsed);
  return (
    parsed.verify(caKey) &&
    subject.commonName === request.subject.commonName &&
    subject.organizations.join() === (request.subject.organizations ?? []).join() &&
    (request.names ?? []).every((name) => parsed.checkHost(name) ?? parsed.checkIP(name))
  );
}

class Certificates implements Pki {
  serviceAccountKey!: KeyObject;
  readonly #storage: PkiStorage;
  readonly #clock: Clock;
  readonly #leafs = new Map<string, Leaf>();
  readonly #authority: Authority;
  #frontProxy: Certificates | undefined;
  #renewed: (name: string) => void = () => {};

  constructor(storage: PkiStorage, clock: Clock, name: AuthorityName) {
    this.#storage = storage;
    this.#clock = clock;
    this.#authority = new Authority(storage, clock, name);
  }

  async open(options: PkiOptions) {
    await this.#authority.open();
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
    this.#frontProxy = new Certificates(this.#storage, this.#clock, frontProxyAuthority);
    await this.#frontProxy.#authority.open();
    await this.#frontProxy.#leaf(frontProxyName, {
      subject: { commonName: frontProxyName },
      usage: "client",
    });
  }

  ca() {
    return this.#authority.ca();
  }

  phase() {
    return this.#authority.phase;
  }

  async advance() {
    const phase = await this.#authority.advance();
    this.#renewed("ca");
    await this.#reissue();
    return phase;
  }

  async abandon() {
    await this.#authority.abandon();
    this.#renewed("ca");
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
    this.#renewed = renewed;
    const check = async () => {
      await this.#authority.renew();
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
    const usable = stored && fits(stored.cert, request, this.#authority.publicKey);
    const leaf: Leaf = { file, request, pair: usable ? stored : await this.#issue(file, request) };
    this.#leafs.set(name, leaf);
    await this.#renewLeaf(leaf);
    return leaf.pair;
  }

  async #renewLeaf(leaf: Leaf): Promise<boolean> {
    const end = endOf(leaf.pair.cert);
    if (!needsRenewal(end, this.#authority.now, leafLifeMs, endOf(this.#authority.cert)))
      return false;
    leaf.pair = await this.#issue(leaf.file, leaf.request);
    return true;
  }

  sign({ lifeMs = leafLifeMs, beginsNow = false, ...request }: SigningRequest): string {
    const { now } = this.#authority;
    const notAfterMs = Math.min(now + lifeMs, endOf(this.#authority.cert));
    const notBeforeMs = beginsNow ? now - backdateMs : 0;
    return this.#authority.sign({ ...request, notBeforeMs, notAfterMs });
  }

  async #issue(file: string, request: Leaf["request"]): Promise<KeyPair> {
    const privateKey = newKey();
    const cert = this.sign({ ...request, publicKey: createPublicKey(privateKey) });
    const pair = { cert, key: keyPem(privateKey) };
    await this.#storage.write(file, pair.key + pair.cert);
    return pair;
  }

  /** Leafs of an authority that signs no more are made anew. */
  async #reissue() {
    for (const [name, leaf] of this.#leafs) {
      if (fits(leaf.pair.cert, leaf.request, this.#authority.publicKey)) continue;
      leaf.pair = await this.#issue(leaf.file, leaf.request);
      this.#renewed(name);
    }
  }
}

/** Reads the cluster's certificates, and makes those that are missing, outlived or do not fit. */
export async function openPki(storage: PkiStorage, options: PkiOptions): Promise<Pki> {
  const certificates = new Certificates(storage, options.clock, clusterAuthority);
  await certificates.open(options);
  return certificates;
}
