// What a machine that joined does when its site replaces its authority: it hears of it by the copy in kube-system, trusts
// what that names, asks for a certificate of the one that signs, and says so on its Node. The site goes on to its next
// phase when all machines have said what it needs.
import { X509Certificate } from "node:crypto";
import { resource } from "../../client/client.ts";
import type { Informers } from "../../client/informers.ts";
import type { OfflineClient } from "../../client/offline.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { caHash } from "./join-token.ts";

const configMaps = resource("v1", "configmaps");
const nodes = resource("v1", "nodes");
const copy = { resource: configMaps, namespace: "kube-system", name: "kube-root-ca.crt" };
const lookEveryMs = 15_000;

/** On a Node: hashes of the authorities that its machine trusts, and of the one that signed its certificate. */
const trustedAnnotation = "kerb.dev/trusted-authorities";
const signedAnnotation = "kerb.dev/certificate-authority";

export const certificatesIn = (pem: string) =>
  pem.match(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----\n?/g) ?? [];

/** PEM texts. */
interface Known {
  /** The first one signs. */
  ca: string;
  /** The machine's own. */
  cert: string;
}

/** True when the first of the authorities signed it: the one that signs. */
export function isOfSigner({ ca, cert }: Known): boolean {
  return new X509Certificate(cert).verify(new X509Certificate(ca).publicKey);
}

/** What a Node says of itself. Pure. */
export function toldOf({ ca, cert }: Known): Record<string, string> {
  const signer = certificatesIn(ca).find((one) =>
    new X509Certificate(cert).verify(new X509Certificate(one).publicKey),
  );
  return {
    [trustedAnnotation]: certificatesIn(ca).map(caHash).join(","),
    [signedAnnotation]: signer ? caHash(signer) : "",
  };
}

/** Machines that would be locked out by the next phase. Pure. */
export function notReadyFor(
  phase: "TrustBoth" | "IssueNew",
  joined: KubeObject[],
  hashes: string[],
): { name: string; awaySince?: string }[] {
  const isReady = ({ metadata: { annotations = {} } }: KubeObject) =>
    phase === "TrustBoth"
      ? annotations[trustedAnnotation]?.split(",").includes(hashes[1]!)
      : annotations[signedAnnotation] === hashes[0];
  return joined
    .filter((node) => !isReady(node))
    .map((node) => {
      const ready = node["status"]?.conditions?.find(({ type }: any) => type === "Ready");
      const isAway = ready && ready.status !== "True";
      return { name: node.metadata.name, ...(isAway && { awaySince: ready.lastHeartbeatTime }) };
    });
}

interface Parts {
  client: OfflineClient;
  informers: Informers;
  name: string;
  identity: () => Known;
  /** Resolves when the node is known by what the authorities need. */
  trust: (ca: string) => Promise<void>;
  clock: Clock;
  log: Log;
  scope: Scope;
}

export function followAuthority(parts: Parts) {
  const { client, informers, name, identity, trust, clock, log, scope } = parts;
  const informer = informers.get({ ...copy, fieldSelector: `metadata.name=${copy.name}` });
  let told = "";
  let running = Promise.resolve();
  const look = async () => {
    // What is only remembered may be older than what is trusted.
    if (client.reach.isAway()) return;
    const ca: string = informer.get(copy.name, copy.namespace)?.["data"]?.["ca.crt"] ?? "";
    if (certificatesIn(ca).length === 0) return;
    await trust(ca);
    const annotations = toldOf(identity());
    const text = JSON.stringify(annotations);
    if (text === told) return;
    await client.patch({ ...nodes, name }, "merge", { metadata: { annotations } });
    told = text;
  };
  const wake = () => {
    running = running
      .then(look)
      .catch((error: Error) => log.warn("the site's authority", { error: error.message }));
  };
  scope.defer(informer.subscribe({ onAdd: wake, onUpdate: wake }));
  scope.defer(clock.every(lookEveryMs, wake));
}
