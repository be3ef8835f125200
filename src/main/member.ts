// A site as a member of a hub. Most sites have none, so the wing is loaded when its Secret appears.
import { generateKeyPairSync } from "node:crypto";
import { resource } from "../client/client.ts";
import { httpsClient } from "../client/https.ts";
import { agentNamespace } from "../hub/names.ts";
import { dialTcp } from "../lib/dial-tcp.ts";
import { requestCertificate } from "../server/auth/x509.ts";
import type { Subject } from "../server/auth/x509.ts";
import { kubernetesVersion } from "./config.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { HubParts } from "./hub.ts";

export function makeRequest(subject: Subject) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { request: requestCertificate(subject, privateKey), key };
}

/** Comes to a hub as soon as `kerb attach`, or somebody with kubectl, says to which. */
export function followHub(
  { plane, informers, clock, random, log, scope }: HubParts & { plane: ControlPlane },
  isHub = false,
) {
  const client = plane.client("system:kerb-agent");
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const room = log.with({ room: "member" });
  const { port } = plane;
  const api = () => {
    const { cert, key } = plane.pki.admin();
    const tls = { cert, key, ca: plane.pki.ca(), servername: "localhost" };
    return { host: `127.0.0.1:${port}`, dial: () => dialTcp("127.0.0.1", port), tls };
  };
  let started = false;
  const start = async () => {
    const { startMember } = await import("../hub/member/member.ts");
    await startMember({
      site: {
        client,
        informers,
        discover: plane.discover,
        version: kubernetesVersion,
        timeZone,
        api,
      },
      connect: (connection) => httpsClient(connection, { agent: "kerb-agent" }),
      makeRequest,
      alarms: !isHub,
      log: room,
      ...{ clock, random, scope },
    });
  };
  const onAdd = () => {
    if (started) return;
    started = true;
    start().catch((error: Error) => room.warn("no member of a hub", { error: error.message }));
  };
  const informer = informers.get({
    resource: resource("v1", "secrets"),
    namespace: agentNamespace,
  });
  scope.defer(informer.subscribe({ onAdd }));
}
