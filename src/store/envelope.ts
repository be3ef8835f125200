// What stands in the store instead of a Secret's JSON: AES-256-GCM under a data key, which stands beside it
// wrapped by a site's key of that id. The revision (on etcd the key) is sealed in with it, so that no value can be put in the
// place of another. JSON begins with a brace and an envelope with a byte of its own, so both may lie side by
// side. Form: 1 byte form, 8 bytes key id, 60 bytes wrapped data key, 12 bytes nonce, 16 bytes tag, the rest.
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

const form = 1;
const idBytes = 8;
const nonceBytes = 12;
const tagBytes = 16;
export const keyBytes = 32;
const wrappedBytes = nonceBytes + tagBytes + keyBytes;
const sealedAt = 1 + idBytes + wrappedBytes;

/** Values under one data key: far from where random nonces of GCM may meet. */
const sealsMax = 2 ** 24;
/** Unwrapped data keys kept: there is one for each start of Kerb whose Secrets are still there. */
const dataKeysMax = 256;

export interface SiteKey {
  /** 16 hexadecimal digits. */
  id: string;
  key: Buffer;
}

export const newSiteKey = (): SiteKey => ({
  id: randomBytes(idBytes).toString("hex"),
  key: randomBytes(keyBytes),
});

function encrypt(key: Buffer, plain: Uint8Array, bound: Uint8Array): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(bound);
  const head = cipher.update(plain);
  return Buffer.concat([nonce, head, cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, sealed: Buffer, bound: Uint8Array): Buffer {
  const tagAt = sealed.length - tagBytes;
  const nonce = sealed.subarray(0, nonceBytes);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce).setAAD(bound);
  decipher.setAuthTag(sealed.subarray(tagAt));
  return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, tagAt)), decipher.final()]);
}

/** Where a value stands, so that it opens nowhere else: its revision, or its key where that is not known yet. */
type Place = number | string;

function boundTo(place: Place): Buffer {
  if (typeof place === "string") return Buffer.from(place);
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(place));
  return bytes;
}

const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

export const isSealed = (bytes: Uint8Array) => bytes[0] === form;

/** The key that an envelope is under; undefined for what is not sealed. */
export const keyIdOf = (bytes: Uint8Array) =>
  isSealed(bytes) ? asBuffer(bytes).toString("hex", 1, 1 + idBytes) : undefined;

/** A value is sealed with a key that is not here. */
export class KeyMissing extends Error {
  constructor(id: string) {
    super(`a Secret is encrypted with the key ${id}, which is not in the site's key file`);
  }
}

/** The keys of a site: the first seals, all open. */
export class KeyRing {
  #keys: SiteKey[];
  #dataKey: Buffer | undefined;
  #head: Buffer = Buffer.alloc(0);
  #seals = 0;
  readonly #opened = new Map<string, Buffer>();

  constructor(keys: SiteKey[]) {
    this.#keys = keys;
  }

  get active(): string | undefined {
    return this.#keys[0]?.id;
  }

  has(id: string) {
    return this.#keys.some((one) => one.id === id);
  }

  /** Takes other keys into use, from the next value on. */
  replace(keys: SiteKey[]) {
    this.#keys = keys;
    this.#dataKey = undefined;
    this.#opened.clear();
  }

  seal(plain: Uint8Array, place: Place): Uint8Array {
    if (!this.#dataKey || this.#seals++ >= sealsMax) this.#newDataKey();
    return Buffer.concat([this.#head, encrypt(this.#dataKey!, plain, boundTo(place))]);
  }

  /** Throws KeyMissing, and an Error when the bytes are not what was sealed for this place. */
  open(sealed: Uint8Array, place: Place): Uint8Array {
    const bytes = asBuffer(sealed);
    return decrypt(this.#openedKey(bytes), bytes.subarray(sealedAt), boundTo(place));
  }

  #newDataKey() {
    const [{ id, key }] = this.#keys as [SiteKey];
    const idAt = Buffer.from(id, "hex");
    this.#dataKey = randomBytes(keyBytes);
    this.#head = Buffer.concat([Buffer.of(form), idAt, encrypt(key, this.#dataKey, idAt)]);
    this.#seals = 1;
  }

  #openedKey(bytes: Buffer): Buffer {
    const head = bytes.toString("latin1", 1, sealedAt);
    const known = this.#opened.get(head);
    if (known) return known;
    const id = keyIdOf(bytes)!;
    const site = this.#keys.find((one) => one.id === id);
    if (!site) throw new KeyMissing(id);
    const idAt = bytes.subarray(1, 1 + idBytes);
    const dataKey = decrypt(site.key, bytes.subarray(1 + idBytes, sealedAt), idAt);
    if (this.#opened.size >= dataKeysMax) this.#opened.clear();
    this.#opened.set(head, dataKey);
    return dataKey;
  }
}
