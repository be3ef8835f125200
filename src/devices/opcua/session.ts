// A session with an OPC UA server, by which values are read and written (OPC 10000-4, 5.4 to 5.6 and 5.10). The
// channel is without security; a password crosses it encrypted with the server's key or not at all.
import { constants, publicEncrypt, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import { noSecurity, UaChannel } from "./channel.ts";
import { nullNode, UaError, UaReader, UaWriter } from "./codec.ts";
import { readServer } from "./find-servers.ts";
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
const modeNone = 1;

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

function readEndpoint(reader: UaReader): UaEndpoint {
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
  return { certificate, mode, security, tokens };
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
  const key = new X509Certificate(certificate).publicKey;
  const secret = encryptPassword(login.password, { ...encryption, key, nonce });
  const body = new UaWriter().text(token.id).text(login.username).byteString(secret);
  return new UaWriter().extension(userNameToken, body.text(algorithm).bytes()).bytes();
}

async function endpointAt(channel: UaChannel): Promise<UaEndpoint> {
  const body = new UaWriter().text(channel.url).u32(0).u32(0).bytes();
  const reader = await channel.ask({ ...types.getEndpoints, body });
  const endpoints = reader.list(() => readEndpoint(reader));
  const open = endpoints.find((one) => one.mode === modeNone && one.security === noSecurity);
  if (open) return open;
  const offered = endpoints.map(({ security }) => security.split("#").at(-1)).join(", ");
  throw new UaError(`the server has no endpoint with the policy None, only ${offered}`);
}

function sessionRequest(url: string): Buffer {
  const client = new UaWriter().text("urn:kerb").text(undefined).u8(2).text("Kerb").u32(1);
  client.text(undefined).text(undefined).u32(0);
  const body = new UaWriter().raw(client.bytes()).text(undefined).text(url).text("kerb");
  return body.text(undefined).text(undefined).f64(sessionMs).u32(0).bytes();
}

export class UaSession {
  readonly #channel: UaChannel;
  readonly #token: Buffer;

  private constructor(channel: UaChannel, token: Buffer) {
    this.#channel = channel;
    this.#token = token;
  }

  /** Throws UaError, or what the connection says. */
  static async open(
    url: string,
    options: { clock: Clock; signal: AbortSignal; login?: UaLogin | undefined },
  ): Promise<UaSession> {
    const channel = await UaChannel.open(url, options);
    try {
      const endpoint = await endpointAt(channel);
      const created = await channel.ask({ ...types.createSession, body: sessionRequest(url) });
      created.node();
      const token = Buffer.from(created.node());
      const nonce = created.skip(8).byteString() ?? Buffer.alloc(0);
      const session = new UaSession(channel, token);
      await session.#activate(identityFor(endpoint, { login: options.login, nonce }));
      return session;
    } catch (error) {
      channel.close();
      throw error;
    }
  }

  #ask(request: { type: number; answer: number }, body: UaWriter): Promise<UaReader> {
    return this.#channel.ask({ ...request, session: this.#token, body: body.bytes() });
  }

  async #activate(identity: Buffer) {
    const body = new UaWriter().text(undefined).text(undefined).u32(0).u32(0).raw(identity);
    await this.#ask(types.activateSession, body.text(undefined).text(undefined));
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
