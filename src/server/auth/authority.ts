// A certificate authority in files: one that signs, and while it is being replaced one more that is trusted. A
// replacement has three phases, each of which is a state on disk: trust both (the next one is there), issue by
// the new one (the previous one is there), trust the new one only. A renewal, unlike a replacement, keeps the
// key, so nobody needs to be told.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  X509Certificate,
} from "node:crypto";
import type { KeyObject } from "node:crypto";
import { releaseMs } from "../../lib/release.ts";
import type { Clock } from "../../lib/clock.ts";
import { issueCertificate, subjectOf, type CertificateRequest } from "./x509.ts";

/** Where certificates are kept. `write` must replace the file as a whole, readable by its owner only; "" empties it. */
export interface PkiStorage {
  read(name: string): Promise<string | undefined>;
  write(name: string, data: string): Promise<void>;
}

/** PEM texts. */
export interface KeyPair {
  cert: string;
  key: string;
}

/** How far the replacement of an authority has come. */
export type RotationPhase = "Settled" | "TrustBoth" | "IssueNew";

export const dayMs = 86_400_000;
const caLifeMs = 3650 * dayMs;
export const leafLifeMs = 365 * dayMs;

export const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
export const keyPem = (key: KeyObject) => key.export({ type: "pkcs8", format: "pem" }).toString();
export const endOf = (cert: string) => Date.parse(new X509Certificate(cert).validTo);

export function splitPair(text: string | undefined): KeyPair | undefined {
  const [key] = text?.match(/-----BEGIN PRIVATE KEY-----[^]+?-----END PRIVATE KEY-----\n/) ?? [];
  const [cert] = text?.match(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----\n/) ?? [];
  return key && cert ? { key, cert } : undefined;
}

/** True when less than a third of its life is left and a new one would live longer. */
export function needsRenewal(endMs: number, nowMs: number, lifeMs: number, limitMs: number) {
  return endMs - nowMs < lifeMs / 3 && Math.min(nowMs + lifeMs, limitMs) - endMs > dayMs / 24;
}

export interface AuthorityName {
  file: string;
  subject: { commonName: string; organizations: string[] };
}

export class Authority {
  readonly #storage: PkiStorage;
  readonly #clock: Clock;
  readonly #name: AuthorityName;
  #signing!: KeyPair;
  #next: KeyPair | undefined;
  #previous: KeyPair | undefined;

  constructor(storage: PkiStorage, clock: Clock, name: AuthorityName) {
    this.#storage = storage;
    this.#clock = clock;
    this.#name = name;
  }

  /** The wall clock, or this release's time when that shows less. */
  get now() {
    return Math.max(this.#clock.now(), releaseMs);
  }

  #file = (which: string) => this.#name.file.replace(".pem", `-${which}.pem`);

  async open() {
    const read = async (file: string) => splitPair(await this.#storage.read(file));
    const signing = await read(this.#name.file);
    if (signing) this.#signing = signing;
    this.#next = await read(this.#file("next"));
    this.#previous = await read(this.#file("previous"));
    // Cut short between its two writes.
    if (this.#next && this.#previous) await this.#take(this.#next);
    if (!signing) await this.#put(this.#name.file, (this.#signing = this.#make(newKey())));
    await this.renew();
  }

  /** All that are trusted, in PEM; the one that signs comes first. */
  ca(): string {
    return this.#signing.cert + (this.#next?.cert ?? "") + (this.#previous?.cert ?? "");
  }

  get cert() {
    return this.#signing.cert;
  }

  get publicKey() {
    return createPublicKey(this.#signing.key);
  }

  get phase(): RotationPhase {
    if (this.#previous) return "IssueNew";
    return this.#next ? "TrustBoth" : "Settled";
  }

  /** Does the next step of a replacement; at its end the phase is `Settled` again. */
  async advance(): Promise<RotationPhase> {
    if (this.#previous) {
      await this.#storage.write(this.#file("previous"), "");
      this.#previous = undefined;
    } else if (this.#next) {
      this.#previous = this.#signing;
      await this.#put(this.#file("previous"), this.#previous);
      await this.#take(this.#next);
    } else {
      this.#next = this.#make(newKey(), this.#numbered());
      await this.#put(this.#file("next"), this.#next);
    }
    return this.phase;
  }

  /** Gives up a replacement by which nothing was signed yet. */
  async abandon() {
    if (this.phase !== "TrustBoth") return;
    await this.#storage.write(this.#file("next"), "");
    this.#next = undefined;
  }

  sign(request: CertificateRequest): string {
    const { cert, key } = this.#signing;
    const subject = subjectOf(new X509Certificate(cert));
    return issueCertificate(request, { subject, privateKey: createPrivateKey(key) });
  }

  async renew() {
    const { cert, key } = this.#signing;
    if (!needsRenewal(endOf(cert), this.now, caLifeMs, Number.POSITIVE_INFINITY)) return;
    const subject = subjectOf(new X509Certificate(cert));
    this.#signing = this.#make(createPrivateKey(key), subject);
    await this.#put(this.#name.file, this.#signing);
  }

  #make(privateKey: KeyObject, subject = this.#name.subject): KeyPair {
    const publicKey = createPublicKey(privateKey);
    const life = { notBeforeMs: 0, notAfterMs: this.now + caLifeMs };
    const request = { subject, publicKey, ...life, usage: "ca" as const };
    return { cert: issueCertificate(request, { subject, privateKey }), key: keyPem(privateKey) };
  }

  /** Two with one name could not be told apart: `kerb-ca`, `kerb-ca-2`, `kerb-ca-3`. */
  #numbered() {
    const { commonName, organizations } = this.#name.subject;
    const now = subjectOf(new X509Certificate(this.#signing.cert)).commonName;
    const number = Number(/-(\d+)$/.exec(now)?.[1] ?? 1) + 1;
    return { commonName: `${commonName}-${number}`, organizations };
  }

  /** `pair` signs from now on. */
  async #take(pair: KeyPair) {
    await this.#put(this.#name.file, pair);
    await this.#storage.write(this.#file("next"), "");
    this.#signing = pair;
    this.#next = undefined;
  }

  #put = (file: string, { key, cert }: KeyPair) => this.#storage.write(file, key + cert);
}
