// The keys that a site's Secrets are encrypted with: DIR/keys/secrets.json, for its owner's eyes only. The
// first one seals; the others stay as long as anything is sealed with them. A site made by a Kerb that did not
// encrypt has no such file until its first rotation.
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import type { Backend } from "../../store/backend.ts";
import { isSealed, KeyRing, newSiteKey } from "../../store/envelope.ts";
import type { SiteKey } from "../../store/envelope.ts";
import type { ValueForm } from "../../store/etcd/layout.ts";
import { SealedBackend } from "../../store/sealing.ts";
import { readIfThere, replaceFile } from "../files.ts";

interface DatedKey extends SiteKey {
  /** RFC 3339. */
  created: string;
}

export interface SecretsState {
  /** Newest first. */
  keys: { id: string; created: string; secrets: number }[];
  /** Secrets that are not encrypted. */
  plain: number;
}

const format = 1;
const sealedPrefix = "secrets/";

/** Of keys in the file: one seals, and rotations that were cut short may leave others. */
const keysMax = 16;

function decode(path: string, text: string): DatedKey[] {
  const parsed = JSON.parse(text);
  if (parsed.format !== format || !Array.isArray(parsed.keys)) {
    throw new Error(`${path} is not a key file that this Kerb understands`);
  }
  return parsed.keys.map(({ id, created, key }: any) => {
    return { id, created, key: Buffer.from(key, "base64") };
  });
}

const encode = (keys: DatedKey[]) =>
  `${JSON.stringify({ format, keys: keys.map(({ key, ...one }) => ({ ...one, key: key.toString("base64") })) }, null, 2)}\n`;

function mustBePrivate(path: string) {
  if (existsSync(path) && (statSync(path).mode & 0o077) !== 0) {
    throw new Error(`${path} can be read by others; run: chmod 600 ${path}`);
  }
}

export class SecretKeys {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #ring: KeyRing;
  #keys: DatedKey[];
  #sealed: SealedBackend | undefined;

  constructor(path: string, keys: DatedKey[], clock: Clock) {
    this.#path = path;
    this.#clock = clock;
    this.#keys = keys;
    this.#ring = new KeyRing(keys);
  }

  /** Throws when something in the store cannot be read with these keys. */
  seal(durable: Backend): Backend {
    return (this.#sealed = new SealedBackend(durable, {
      ring: this.#ring,
      prefixes: [sealedPrefix],
    }));
  }

  /** How Secrets lie in etcd. */
  form(): ValueForm {
    const ring = this.#ring;
    return {
      seal: (key, plain) => (key.startsWith(sealedPrefix) ? ring.seal(plain, key) : plain),
      open: (key, stored) => (isSealed(stored) ? ring.open(stored, key) : stored),
    };
  }

  state(): SecretsState {
    const use = this.#sealed!.keyUse();
    return {
      keys: this.#keys.map(({ id, created }) => ({ id, created, secrets: use.get(id) ?? 0 })),
      plain: use.get("plain") ?? 0,
    };
  }

  /** Keys of the store whose values are not under the key that seals now. */
  stale(): string[] {
    return this.#sealed!.stale();
  }

  /** True when a rotation has begun and not ended. */
  get isRotating() {
    return this.#keys.length > 1 || (this.#keys.length === 1 && this.state().plain > 0);
  }

  /** On disk before anything is sealed with it. */
  begin() {
    if (this.#keys.length >= keysMax) throw new Error(`${this.#path} has ${keysMax} keys already`);
    const created = new Date(this.#clock.now()).toISOString();
    this.#take([{ ...newSiteKey(), created }, ...this.#keys]);
  }

  /** Forgets all keys but the one that seals; false when something is still under one of them. */
  finish(): boolean {
    if (!this.#sealed!.isSettled()) return false;
    this.#take(this.#keys.slice(0, 1));
    return true;
  }

  #take(keys: DatedKey[]) {
    replaceFile(this.#path, encode(keys));
    this.#keys = keys;
    this.#ring.replace(keys);
  }
}

/** A new site gets its first key; call it before the store is made. */
export function openSecretKeys(directory: string, clock: Clock): SecretKeys {
  const path = join(directory, "keys", "secrets.json");
  const isNew = !existsSync(join(directory, "store"));
  mustBePrivate(path);
  const text = readIfThere(path);
  const keys = new SecretKeys(path, text === undefined ? [] : decode(path, text), clock);
  if (text === undefined && isNew) keys.begin();
  return keys;
}
