// What protects the messages of an OPC UA channel: nothing, or a policy with RSA to begin with and AES from then on
// (OPC 10000-6, 6.7; OPC 10000-7, 6.6).
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  sign,
  timingSafeEqual,
  verify,
  X509Certificate,
} from "node:crypto";
import type { KeyObject } from "node:crypto";
import { UaError, UaWriter } from "./codec.ts";

const policy = (name: string) => `http://opcfoundation.org/UA/SecurityPolicy#${name}`;
export const noSecurity = policy("None");
export const modes = { none: 1, sign: 2, signAndEncrypt: 3 } as const;

/** Of the policies spoken here, the length of AES keys; all sign by RSA and HMAC with SHA-256. */
const aesKeyBytes = new Map([
  [policy("Basic256Sha256"), 32],
  [policy("Aes128_Sha256_RsaOaep"), 16],
]);
export const securePolicies = [...aesKeyBytes.keys()];

export const nonceBytes = 32;
const hmacBytes = 32;
const aesBlockBytes = 16;
const oaepBytes = 42;
/** Of what opens a channel, since each of its blocks takes a private key's time. */
const openedBytesMax = 64 * 1024;
const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" };
export const rsaSha256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";

/** Who Kerb is to a server that wants to know. */
export interface UaIdentity {
  /** DER. */
  certificate: Buffer;
  key: KeyObject;
  /** What the certificate says that it is, which the server compares. */
  applicationUri: string;
}

/** From PEM. Throws what is wrong with them. */
export function readIdentity(certificate: string, privateKey: string): UaIdentity {
  const read = new X509Certificate(certificate);
  const key = createPrivateKey(privateKey);
  const applicationUri = /(?:^|, )URI:([^,]+)/.exec(read.subjectAltName ?? "")?.[1];
  if (applicationUri === undefined)
    throw new UaError("the certificate has no URI as alternative name");
  if (key.asymmetricKeyType !== "rsa" || !read.checkPrivateKey(key))
    throw new UaError("the key is no RSA key, or not the certificate's");
  return { certificate: read.raw, key, applicationUri };
}

/** P_SHA256 of TLS 1.2 (RFC 5246, 5). */
export function expand(secret: Buffer, seed: Buffer, length: number): Buffer {
  const hmac = (...data: Buffer[]) =>
    createHmac("sha256", secret).update(Buffer.concat(data)).digest();
  const parts: Buffer[] = [];
  for (let a = hmac(seed), bytes = 0; bytes < length; a = hmac(a), bytes += hmacBytes) {
    parts.push(hmac(a, seed));
  }
  return Buffer.concat(parts).subarray(0, length);
}

const rsaBits = { min: 1024, max: 8192 };

/** The key of a certificate (DER). Throws UaError for one that these policies do not know. */
export function rsaKeyOf(certificate: Buffer): KeyObject {
  let key: KeyObject;
  try {
    key = new X509Certificate(certificate).publicKey;
  } catch {
    throw new UaError("the server's certificate is none");
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  const isKnown = bits >= rsaBits.min && bits <= rsaBits.max && bits % 8 === 0;
  if (key.asymmetricKeyType === "rsa" && isKnown) return key;
  throw new UaError(`the server's key is no RSA key of ${rsaBits.min} to ${rsaBits.max} bits`);
}

interface Keys {
  signing: Buffer;
  encrypting: Buffer;
  iv: Buffer;
}

function keysFrom(secret: Buffer, seed: Buffer, aesBytes: number): Keys {
  const all = expand(secret, seed, hmacBytes + aesBytes + aesBlockBytes);
  return {
    signing: all.subarray(0, hmacBytes),
    encrypting: all.subarray(hmacBytes, hmacBytes + aesBytes),
    iv: all.subarray(hmacBytes + aesBytes),
  };
}

/** `head` is what stands before the sequence number, with room for the length of the whole at its fifth byte. */
export interface Protection {
  policy: string;
  mode: number;
  /** Of the next opening. */
  nonce(): Buffer | undefined;
  /** What the message that opens the channel says of its sender and receiver. */
  openHead(): Buffer;
  sealOpen(head: Buffer, body: Buffer): Buffer;
  openOpened(head: Buffer, rest: Buffer): Buffer;
  /** The answer brought the server's nonce: from now on the keys are these. */
  agree(serverNonce: Buffer | undefined): void;
  seal(head: Buffer, body: Buffer): Buffer;
  open(head: Buffer, rest: Buffer): Buffer;
}

function sized(head: Buffer, length: number): Buffer {
  const copy = Buffer.from(head);
  copy.writeUInt32LE(head.length + length, 4);
  return copy;
}

const joined = (head: Buffer, body: Buffer) => Buffer.concat([sized(head, body.length), body]);

export const unprotected: Protection = {
  policy: noSecurity,
  mode: modes.none,
  nonce: () => undefined,
  openHead: () => new UaWriter().text(noSecurity).text(undefined).text(undefined).bytes(),
  sealOpen: joined,
  openOpened: (_head, rest) => rest,
  agree: () => {},
  seal: joined,
  open: (_head, rest) => rest,
};

function inBlocks(bytes: Buffer, size: number, each: (block: Buffer) => Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(each(bytes.subarray(at, at + size)));
  return Buffer.concat(parts);
}

/** So many bytes, each saying how many follow the first; `isLong` where one byte cannot say it. */
function paddingFor(length: number, blockBytes: number, isLong: boolean): Buffer {
  const sizeBytes = isLong ? 2 : 1;
  const count = (blockBytes - ((length + sizeBytes) % blockBytes)) % blockBytes;
  const padding = Buffer.alloc(count + sizeBytes, count & 0xff);
  if (isLong) padding[padding.length - 1] = count >> 8;
  return padding;
}

function withoutPadding(bytes: Buffer, isLong: boolean): Buffer {
  const last = bytes.length - 1;
  const count = isLong ? (bytes[last]! << 8) | bytes[last - 1]! : bytes[last]!;
  const length = bytes.length - count - (isLong ? 2 : 1);
  if (length < 0) throw new UaError("the answer is not padded as it says");
  return bytes.subarray(0, length);
}

const modulusBytes = (key: KeyObject) => key.asymmetricKeyDetails!.modulusLength! / 8;
const isLongKey = (key: KeyObject) => modulusBytes(key) > 256;

export interface ProtectionOptions {
  policy: string;
  mode: number;
  identity: UaIdentity;
  /** DER. */
  serverCertificate: Buffer;
}

class RsaAndAes implements Protection {
  readonly policy: string;
  readonly mode: number;
  readonly #identity: UaIdentity;
  readonly #serverKey: KeyObject;
  readonly #thumbprint: Buffer;
  #nonce = Buffer.alloc(0);
  #own: Keys | undefined;
  #server: Keys | undefined;

  constructor({ policy: name, mode, identity, serverCertificate }: ProtectionOptions) {
    this.policy = name;
    this.mode = mode;
    this.#identity = identity;
    this.#serverKey = rsaKeyOf(serverCertificate);
    this.#thumbprint = createHash("sha1").update(serverCertificate).digest();
  }

  nonce(): Buffer {
    this.#nonce = randomBytes(nonceBytes);
    return this.#nonce;
  }

  openHead(): Buffer {
    const head = new UaWriter().text(this.policy).byteString(this.#identity.certificate);
    return head.byteString(this.#thumbprint).bytes();
  }

  sealOpen(head: Buffer, body: Buffer): Buffer {
    const [key, serverKey] = [this.#identity.key, this.#serverKey];
    const [signatureBytes, cipherBytes] = [modulusBytes(key), modulusBytes(serverKey)];
    const plainBytes = cipherBytes - oaepBytes;
    const padding = paddingFor(body.length + signatureBytes, plainBytes, isLongKey(serverKey));
    const plainLength = body.length + padding.length + signatureBytes;
    const whole = sized(head, (plainLength / plainBytes) * cipherBytes);
    const signed = Buffer.concat([whole, body, padding]);
    const plain = Buffer.concat([body, padding, sign("sha256", signed, key)]);
    const encrypt = (block: Buffer) => publicEncrypt({ key: serverKey, ...oaep }, block);
    return Buffer.concat([whole, inBlocks(plain, plainBytes, encrypt)]);
  }

  openOpened(head: Buffer, rest: Buffer): Buffer {
    const { key } = this.#identity;
    const plain = this.#decryptedByRsa(rest);
    const split = Math.max(0, plain.length - modulusBytes(this.#serverKey));
    const signed = Buffer.concat([head, plain.subarray(0, split)]);
    if (!verify("sha256", signed, this.#serverKey, plain.subarray(split)))
      throw new UaError("the answer is not signed by the server");
    return withoutPadding(plain.subarray(0, split), isLongKey(key));
  }

  #decryptedByRsa(bytes: Buffer): Buffer {
    const { key } = this.#identity;
    const decrypt = (block: Buffer) => privateDecrypt({ key, ...oaep }, block);
    if (bytes.length > openedBytesMax) throw new UaError("the answer is too long");
    try {
      return inBlocks(bytes, modulusBytes(key), decrypt);
    } catch {
      throw new UaError("the answer is not encrypted for this client");
    }
  }

  agree(serverNonce: Buffer | undefined) {
    if (serverNonce?.length !== nonceBytes) throw new UaError("the server's nonce is too short");
    const aesBytes = aesKeyBytes.get(this.policy)!;
    this.#own = keysFrom(serverNonce, this.#nonce, aesBytes);
    this.#server = keysFrom(this.#nonce, serverNonce, aesBytes);
  }

  get #isEncrypted() {
    return this.mode === modes.signAndEncrypt;
  }

  get #cipher() {
    return `aes-${aesKeyBytes.get(this.policy)! * 8}-cbc`;
  }

  seal(head: Buffer, body: Buffer): Buffer {
    const { signing, encrypting, iv } = this.#own!;
    const padding = this.#isEncrypted
      ? paddingFor(body.length + hmacBytes, aesBlockBytes, false)
      : Buffer.alloc(0);
    const whole = sized(head, body.length + padding.length + hmacBytes);
    const signature = createHmac("sha256", signing).update(whole).update(body).update(padding);
    const plain = Buffer.concat([body, padding, signature.digest()]);
    if (!this.#isEncrypted) return Buffer.concat([whole, plain]);
    const cipher = createCipheriv(this.#cipher, encrypting, iv).setAutoPadding(false);
    return Buffer.concat([whole, cipher.update(plain), cipher.final()]);
  }

  open(head: Buffer, rest: Buffer): Buffer {
    const { signing } = this.#server!;
    const plain = this.#isEncrypted ? this.#decrypted(rest) : rest;
    const split = plain.length - hmacBytes;
    if (split < 0) throw new UaError("the answer ends too early");
    const mac = createHmac("sha256", signing)
      .update(head)
      .update(plain.subarray(0, split))
      .digest();
    if (!timingSafeEqual(mac, plain.subarray(split)))
      throw new UaError("the answer is not signed by the server");
    const body = plain.subarray(0, split);
    return this.#isEncrypted ? withoutPadding(body, false) : body;
  }

  #decrypted(bytes: Buffer): Buffer {
    const { encrypting, iv } = this.#server!;
    if (bytes.length % aesBlockBytes !== 0) throw new UaError("the answer is not in whole blocks");
    const decipher = createDecipheriv(this.#cipher, encrypting, iv).setAutoPadding(false);
    return Buffer.concat([decipher.update(bytes), decipher.final()]);
  }
}

export const protectBy = (options: ProtectionOptions): Protection => new RsaAndAes(options);
