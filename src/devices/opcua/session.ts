// A session with an OPC UA server, by which values are read and written (OPC 10000-4, 5.4 to 5.6 and 5.10). With a
// certificate the channel is protected, and without one it is not; a password crosses it encrypted or not at all.
import { constants, publicEncrypt, randomBytes, sign, verify, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import { UaChannel } from "./channel.ts";
import { nullNode, UaError, UaReader, UaWriter } from "./codec.ts";
import { readServer } from "./find-servers.ts";
import {
  modes,
  nonceBytes,
  noSecurity,
  protectBy,
  rsaKeyOf,
  rsaSha256,
  securePolicies,
} from "./security.ts";
import type { UaIdentity } from "./security.ts";
import { expectGood, readVariant, writeVariant } from "./values.ts";
import type { UaValue } from "./values.ts";

/** Requests with their answers, of the standard's types in binary form. */
const types = {
  getEndpoints: { type: 428, answer: 431 },
  createSession: { type: 461, answer: 464 },
  activateSession: { type: 467, answer: 470 },
  closeSession: { type: 473, answer: 476 },
  read: { type: 631, answer: 634 },
  write: { type: 673, answer: 676 },
};
const anonymousToken = 321;
const userNameToken = 324;
const attributeValue = 13;
const timestampsNeither = 3;
const sessionMs = 3_600_000;
const serverNonceBytesMax = 256;

const oaep = "http://www.w3.org/2001/04/xmlenc#rsa-oaep";
const oaepSha256 = "http://opcfoundation.org/UA/security/rsa-oaep-sha2-256";
const policy = (name: string) => `http://opcfoundation.org/UA/SecurityPolicy#${name}`;
/** How a password is encrypted under a policy, and what the padding takes of each block. */
const encryptions = new Map([
  [policy("Basic256Sha256"), { algorithm: oaep, oaepHash: "sha1", paddingBytes: 42 }],
  [policy("Aes128_Sha256_RsaOaep"), { algorithm: oaep, oaepHash: "sha1", paddingBytes: 42 }],
  [policy("Aes256_Sha256_RsaPss"), { algorithm: oaepSha256, oaepHash: "sha256", paddingBytes: 66 }],
]);
type Encryption = typeof encryptions extends Map<string, infer E> ? E : never;

export interface UaLogin {
  username: string;
  password: string;
}

interface TokenPolicy {
  id: string;
  kind: number;
  security: string;
}

export interface UaEndpoint {
  certificate: Buffer | undefined;
  mode: number;
  security: string;
  tokens: TokenPolicy[];
}

export function readEndpoint(reader: UaReader): UaEndpoint {
  reader.text();
  readServer(reader);
  const certificate = reader.byteString();
  const mode = reader.u32();
  const security = reader.text() ?? "";
  const tokens = reader.list(() => {
    const [id, kind] = [reader.text() ?? "", reader.u32()];
    reader.text();
    reader.text();
    return { id, kind, security: reader.text() || security };
  });
  reader.text();
  reader.u8();
  return { certificate: certificate && leafOf(certificate), mode, security, tokens };
}

/** Of a chain the first. Throws UaError. */
function leafOf(chain: Buffer): Buffer {
  try {
    return new X509Certificate(chain).raw;
  } catch {
    throw new UaError("an endpoint's certificate is none");
  }
}

/** Secret, length and nonce in blocks of the key's size (OPC 10000-4, 7.41.2.2). */
export function encryptPassword(
  password: string,
  {
    key,
    nonce,
    oaepHash,
    paddingBytes,
  }: Omit<Encryption, "algorithm"> & { key: KeyObject; nonce: Buffer },
): Buffer {
  if (nonce.length > serverNonceBytesMax) throw new UaError("the server's nonce is too long");
  const secret = Buffer.concat([Buffer.from(password), nonce]);
  const plain = new UaWriter().byteString(secret).bytes();
  const blockBytes = key.asymmetricKeyDetails!.modulusLength! / 8 - paddingBytes;
  const blocks: Buffer[] = [];
  for (let at = 0; at < plain.length; at += blockBytes) {
    const block = plain.subarray(at, at + blockBytes);
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    blocks.push(publicEncrypt({ key, padding, oaepHash }, block));
  }
  return Buffer.concat(blocks);
}

const anonymous = 0;
const userName = 1;

/** The identity as an extension object. Throws UaError when the server takes none of what there is. */
export function identityFor(
  { tokens, certificate }: UaEndpoint,
  { login, nonce }: { login: UaLogin | undefined; nonce: Buffer },
): Buffer {
  if (!login) {
    const token = tokens.find(({ kind }) => kind === anonymous);
    if (!token) throw new UaError("the server wants a username; discoveryProperties may say it");
    const body = new UaWriter().text(token.id).bytes();
    return new UaWriter().extension(anonymousToken, body).bytes();
  }
  const token = tokens.find(({ kind, security }) => kind === userName && encryptions.has(security));
  if (!token || !certificate)
    throw new UaError("the server takes no password that is encrypted, and another is not sent");
  const { algorithm, ...encryption } = encryptions.get(token.security)!;
  const key = rsaKeyOf(certificate);
  const secret = encryptPassword(login.password, { ...encryption, key, nonce });
  const body = new UaWriter().text(token.id).text(login.username).byteString(secret);
  return new UaWriter().extension(userNameToken, body.text(algorithm).bytes()).bytes();
}

async function endpointsAt(channel: UaChannel): Promise<UaEndpoint[]> {
  const body = new UaWriter().text(channel.url).u32(0).u32(0).bytes();
  const reader = await channel.ask({ ...types.getEndpoints, body });
  return reader.list(() => readEndpoint(reader));
}

/** With a certificate the best protected one, and never one without protection. Throws UaError. */
export function chooseEndpoint(endpoints: UaEndpoint[], isSecure: boolean): UaEndpoint {
  const wanted = isSecure
    ? [modes.signAndEncrypt, modes.sign].flatMap((mode) =>
        securePolicies.map((security) => ({ mode, security })),
      )
    : [{ mode: modes.none, security: noSecurity }];
  for (const { mode, security } of wanted) {
    const found = endpoints.find((one) => one.mode === mode && one.security === security);
    if (found) return found;
  }
  const offered = endpoints.map(({ security }) => security.split("#").at(-1));
  const how = isSecure ? "the policy Basic256Sha256 or Aes128_Sha256_RsaOaep" : "the policy None";
  const hint = isSecure ? "" : "; discoveryProperties may say certificate and privateKey";
  throw new UaError(`no endpoint has ${how}, only ${[...new Set(offered)].join(", ")}${hint}`);
}

export interface UaSessionOptions {
  clock: Clock;
  signal: AbortSignal;
  login?: UaLogin | undefined;
  identity?: UaIdentity | undefined;
  /** The only one that is believed (DER). */
  serverCertificate?: Buffer | undefined;
}

async function channelTo(url: string, options: UaSessionOptions) {
  const { identity, serverCertificate } = options;
  const open = await UaChannel.open(url, options);
  try {
    const endpoint = chooseEndpoint(await endpointsAt(open), identity !== undefined);
    if (!identity) return { channel: open, endpoint };
    open.close();
    const { mode, security: policy, certificate } = endpoint;
    if (!certificate) throw new UaError("the server's endpoint has no certificate");
    if (serverCertificate && !certificate.equals(serverCertificate))
      throw new UaError("the server's certificate is not the one that is expected");
    const protection = protectBy({ policy, mode, identity, serverCertificate: certificate });
    return { channel: await UaChannel.open(url, { ...options, protection }), endpoint };
  } catch (error) {
    open.close();
    throw error;
  }
}

function sessionRequest(url: string, identity: UaIdentity | undefined, nonce: Buffer): Buffer {
  const client = new UaWriter().text(identity?.applicationUri ?? "urn:kerb").text(undefined);
  client.u8(2).text("Kerb").u32(1).text(undefined).text(undefined).u32(0);
  const body = new UaWriter().raw(client.bytes()).text(undefined).text(url).text("kerb");
  body.byteString(identity && nonce).byteString(identity?.certificate);
  return body.f64(sessionMs).u32(0).bytes();
}

/** What the server signed to show that the certificate is its own. Throws UaError. */
function expectSigned(created: UaReader, signed: Buffer, certificate: Buffer) {
  created.byteString();
  created.list(() => readEndpoint(created));
  created.list(() => [created.byteString(), created.byteString()]);
  created.text();
  const signature = created.byteString() ?? Buffer.alloc(0);
  if (!verify("sha256", signed, rsaKeyOf(certificate), signature))
    throw new UaError("the server did not sign the session");
}

export class UaSession {
  readonly #channel: UaChannel;
  readonly #token: Buffer;

  private constructor(channel: UaChannel, token: Buffer) {
    this.#channel = channel;
    this.#token = token;
  }

  /** Throws UaError, or what the connection says. */
  static async open(url: string, options: UaSessionOptions): Promise<UaSession> {
    const { channel, endpoint } = await channelTo(url, options);
    try {
      return await UaSession.#begin(channel, endpoint, options);
    } catch (error) {
      channel.close();
      throw error;
    }
  }

  static async #begin(channel: UaChannel, endpoint: UaEndpoint, options: UaSessionOptions) {
    const { identity, login } = options;
    const nonce = randomBytes(nonceBytes);
    const body = sessionRequest(channel.url, identity, nonce);
    const created = await channel.ask({ ...types.createSession, body });
    created.node();
    const session = new UaSession(channel, Buffer.from(created.node()));
    const serverNonce = created.skip(8).byteString() ?? Buffer.alloc(0);
    const proof = new UaWriter();
    if (identity) {
      const { certificate } = endpoint;
      expectSigned(created, Buffer.concat([identity.certificate, nonce]), certificate!);
      const signed = Buffer.concat([certificate!, serverNonce]);
      proof.text(rsaSha256).byteString(sign("sha256", signed, identity.key));
    } else proof.text(undefined).text(undefined);
    const user = identityFor(endpoint, { login, nonce: serverNonce });
    const activation = proof.u32(0).u32(0).raw(user).text(undefined).text(undefined);
    await session.#ask(types.activateSession, activation);
    return session;
  }

  #ask(request: { type: number; answer: number }, body: UaWriter): Promise<UaReader> {
    return this.#channel.ask({ ...request, session: this.#token, body: body.bytes() });
  }

  /** Throws PropertyRefused for what this node does not give. */
  async read(node: Buffer): Promise<UaValue> {
    const body = new UaWriter().f64(0).u32(timestampsNeither).u32(1).raw(node);
    body.u32(attributeValue).text(undefined).raw(nullNode).text(undefined);
    const reader = await this.#ask(types.read, body);
    if (reader.i32() !== 1) throw new UaError("the server answers something else");
    const mask = reader.u8();
    const value = mask & 1 ? readVariant(reader) : { type: 0, text: undefined };
    if (mask & 2) expectGood(reader.u32());
    return value;
  }

  /** Throws PropertyRefused for what this node does not take. */
  async write(node: Buffer, type: number, text: string): Promise<void> {
    const body = new UaWriter().u32(1).raw(node).u32(attributeValue).text(undefined);
    body.u8(1).raw(writeVariant(type, text));
    const reader = await this.#ask(types.write, body);
    if (reader.i32() !== 1) throw new UaError("the server answers something else");
    expectGood(reader.u32());
  }

  close() {
    const ended = this.#ask(types.closeSession, new UaWriter().u8(1));
    void ended.catch(() => {}).then(() => this.#channel.close());
  }
}
