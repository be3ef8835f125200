// A site as a member of a hub. Most sites have none, so the wing is loaded when its Secret appears.
import { generateKeyPairSync } from "node:crypto";
import { resource } from "../../client/client.ts";
import { httpsClient } from "../../client/https.ts";
import type { KerbHost } from "../../hub/member/operations/host.ts";
import type { SiteApi } from "../../hub/member/reach.ts";
import { agentNamespace } from "../../hub/names.ts";
import { dialTcp } from "../../lib/dial-tcp.ts";
import { loadObjectRules } from "../../server/cel/object-rules.ts";
import type { EvaluateRule } from "../../server/cel/object-rules.ts";
import { requestCertificate } from "../../server/auth/x509.ts";
import type { Subject } from "../../server/auth/x509.ts";
import { kubernetesVersion } from "../config.ts";
import type { ControlPlane } from "../site/control-plane.ts";
import type { ControlParts } from "./acting-parts.ts";
import { timeZone } from "../time-zone.ts";

export function makeRequest(subject: Subject) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { request: requestCertificate(subject, privateKey), key };
}

/** The cluster that the agent speaks for. */
export interface MemberParts extends ControlParts {
  /** Of Kubernetes. */
  version: () => Promise<string>;
  /** Whether the cluster is Kerb's own. */
  isKerb: boolean;
  /** Absent: nobody reaches it through its hub. */
  api?: SiteApi;
  /** What it can do to itself. */
  kerb?: KerbHost;
  /** Whether it is a hub too, which keeps its alarms itself. */
  isHub: boolean;
}

/** Kerb's own site. */
export function ownSite({ port, pki }: Pick<ControlPlane, "port" | "pki">) {
  const api: SiteApi = () => {
    const { cert, key } = pki.admin();
    const tls = { cert, key, ca: pki.ca(), servername: "localhost" };
    return { host: `127.0.0.1:${port}`, dial: () => dialTcp("127.0.0.1", port), tls };
  };
  return { api, isKerb: true, version: async () => kubernetesVersion };
}

/** The lease moves more often than that, unless the hub wants it seldom. */
const hubPingMs = 75_000;

let rules: EvaluateRule | undefined;

async function start(parts: MemberParts) {
  const { plane, informers, version, isKerb, api, kerb, isHub, clock, random, log, scope } = parts;
  const { startMember } = await import("../../hub/member/member.ts");
  await startMember({
    site: {
      client: plane.client("system:kerb-agent"),
      informers,
      discover: plane.discover,
      version,
      isKerb,
      timeZone: timeZone(),
      loadRules: async () => (rules ??= await loadObjectRules()),
      ...(api && { api }),
      ...(kerb && { kerb }),
    },
    connect: (connection) => httpsClient(connection, { agent: "kerb-agent", pingMs: hubPingMs }),
    makeRequest,
    alarms: !isHub,
    ...{ clock, random, log, scope },
  });
}

/** Comes to a hub as soon as `kerb attach`, or somebody with kubectl, says to which. */
export function followHub(parts: MemberParts) {
  const log = parts.log.with({ room: "member" });
  let started = false;
  const onAdd = () => {
    if (started) return;
    started = true;
    start({ ...parts, log }).catch((error: Error) =>
      log.warn("no member of a hub", { error: error.message }),
    );
  };
  const secrets = { resource: resource("v1", "secrets"), namespace: agentNamespace };
  parts.scope.defer(parts.informers.get(secrets).subscribe({ onAdd }));
}
