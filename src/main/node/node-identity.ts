// Who a joined node is to its server: a client certificate that it asked for with a token and renews itself.
import { createHash, generateKeyPairSync, X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { httpsClient } from "../../client/https.ts";
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { forAnyClock } from "../../lib/any-clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import type { Scope } from "../../lib/scope.ts";
import { isStatus } from "../../lib/status-error.ts";
import { needsRenewal } from "../../server/auth/authority.ts";
import { requestCertificate } from "../../server/auth/x509.ts";
import { readIfThere, replaceFile } from "../files.ts";
import { isOfSigner } from "./node-authority.ts";

const nodes = resource("v1", "nodes");
const requests = resource("certificates.k8s.io/v1", "certificatesigningrequests");
const signerName = "kubernetes.io/kube-apiserver-client-kubelet";
const handshakeMsMax = 10_000;
const firstLookMsMax = 5000;
/** A name that was another machine's a moment ago is free when that one is no longer Ready. */
const answerMsMax = 120_000;
const pollMs = 500;
const renewalEveryMs = 300_000;
const leafLifeMs = 365 * 86_400_000;

/** PEM texts. */
export interface NodeIdentity {
  ca: string;
  cert: string;
  key: string;
}

const identityFile = (directory: string) => join(directory, "pki/node.pem");
const caFile = (directory: string) => join(directory, "pki/server-ca.pem");

const pem = (raw: Buffer) =>
  `-----BEGIN CERTIFICATE-----\n${raw
    .toString("base64")
    .match(/.{1,64}/g)!
    .join("\n")}\n-----END CERTIFICATE-----\n`;

/** The authority that the server shows, once it is the one that `hash` names. */
export function fetchCa(server: URL, hash: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: server.hostname.replace(/^\[|\]$/g, ""),
      port: Number(server.port || 443),
      // Nothing is believed that it says: only whether its authority is the one we were told of.
      rejectUnauthorized: false,
      timeout: handshakeMsMax,
    });
    const fail = (error: Error) => {
      socket.destroy();
      const how = `is it up, and does it listen there (kerb up --listen ADDRESS)?`;
      reject(new Error(`${server.host} is not reached: ${error.message}; ${how}`));
    };
    socket.once("error", fail);
    socket.once("timeout", () => fail(new Error("does not answer")));
    socket.once("secureConnect", () => {
      const shown = socket.getPeerCertificate(true).issuerCertificate?.raw;
      socket.destroy();
      if (!shown) return reject(new Error(`${server.host} does not show its authority`));
      const spki = new X509Certificate(shown).publicKey.export({ type: "spki", format: "der" });
      const found = `sha256:${createHash("sha256").update(spki).digest("hex")}`;
      if (found === hash) return resolve(pem(shown));
      reject(
        new Error(
          `the authority of ${server.host} is ${found}, not ${hash}: this is not the site that made the ` +
            "token, or somebody stands between",
        ),
      );
    });
  });
}

/** Asks for a certificate of node `name` and waits for it. */
async function certify(client: Client, name: string, random: Random, clock: Clock) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = { commonName: `system:node:${name}`, organizations: ["system:nodes"] };
  const request = Buffer.from(requestCertificate(subject, privateKey)).toString("base64");
  const { metadata } = await client.create(requests, {
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { name: `node-${name}-${random.suffix(8)}`, ...forAnyClock },
    spec: { request, signerName, usages: ["digital signature", "client auth"] },
  });
  for (let waited = 0; waited < answerMsMax; waited += pollMs) {
    const { status } = await client.get({ ...requests, name: metadata.name });
    if (status?.certificate) {
      const cert = Buffer.from(status.certificate, "base64").toString();
      return { cert, key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
    }
    await sleep(clock, pollMs);
  }
  throw new Error(
    `nobody signed ${metadata.name}; on the site, see: kubectl describe csr ${metadata.name}`,
  );
}

export interface IdentityOptions {
  directory: string;
  server: string;
  name: string;
  token?: string;
  caHash?: string;
  clock: Clock;
  random: Random;
}

function save(directory: string, { ca, cert, key }: NodeIdentity) {
  replaceFile(caFile(directory), ca);
  replaceFile(identityFile(directory), key + cert);
}

export const hasIdentity = (directory: string) =>
  [caFile, identityFile].every((file) => existsSync(file(directory)));

/** From disk, or with the token. Throws an Error that says what to do. */
export async function openIdentity(options: IdentityOptions): Promise<NodeIdentity> {
  const { directory, server, name, token, caHash, clock, random } = options;
  const [ca, pair] = [readIfThere(caFile(directory)), readIfThere(identityFile(directory))];
  if (ca && pair) {
    const at = pair.indexOf("-----BEGIN CERTIFICATE-----");
    return { ca, key: pair.slice(0, at), cert: pair.slice(at) };
  }
  if (!token || !caHash) {
    throw new Error(
      "the first time, --token (or --token-file) and --ca-hash are needed: see kerb token create",
    );
  }
  const trusted = await fetchCa(new URL(server), caHash);
  const client = httpsClient({ server, ca: trusted, token: () => token }, { agent: "kerb" });
  try {
    const identity = { ca: trusted, ...(await certify(client, name, random, clock)) };
    save(directory, identity);
    return identity;
  } finally {
    client.close();
  }
}

/** The server's clock may say what ours does not: that the certificate has run out. */
const isRefused = (client: Client, name: string) =>
  client.get({ ...nodes, name }).then(
    () => false,
    (error: unknown) => isStatus(error, "Forbidden", "Unauthorized"),
  );

/**
 * Renews in time, and what ran out while the link was cut; `renewed` is told the new one. Resolves with what is called
 * with the authorities that are to be trusted.
 */
export async function keepIdentity(
  identity: NodeIdentity,
  { client, directory, name, clock, random, log, scope }: KeepOptions,
  renewed: (identity: NodeIdentity) => void,
) {
  let current = identity;
  const look = async () => {
    const { ca, cert } = current;
    const endMs = Date.parse(new X509Certificate(cert).validTo);
    const limitMs = Date.parse(new X509Certificate(ca).validTo);
    const due = !isOfSigner(current) || needsRenewal(endMs, clock.now(), leafLifeMs, limitMs);
    if (!due && !(await isRefused(client, name))) return;
    current = { ca, ...(await certify(client, name, random, clock)) };
    save(directory, current);
    renewed(current);
  };
  const run = () =>
    look().catch((error: Error) =>
      log.warn("the node's certificate was not renewed", { error: error.message }),
    );
  scope.defer(clock.every(renewalEveryMs, () => void run()));
  // A server that is away is not waited for.
  await Promise.race([run(), sleep(clock, firstLookMsMax)]);
  return async (ca: string) => {
    if (ca === current.ca) return;
    current = { ...current, ca };
    save(directory, current);
    renewed(current);
    await look();
  };
}

interface KeepOptions {
  client: Client;
  directory: string;
  name: string;
  clock: Clock;
  random: Random;
  log: Log;
  scope: Scope;
}
