// Many member agents in one process, each the real one with its own certificate and connection; what is behind
// them is a map that takes every object. Started by fleet.ts, which it tells what it sees.
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Client, Target } from "../src/client/client.ts";
import { httpsClient } from "../src/client/https.ts";
import { Informers } from "../src/client/informers.ts";
import { startSession } from "../src/hub/member/session.ts";
import type { KubeObject } from "../src/kinds/object.ts";
import { holdOpen, systemClock } from "../src/lib/clock.ts";
import { silent } from "../src/lib/log.ts";
import { systemRandom } from "../src/lib/random.ts";
import { Scope } from "../src/lib/scope.ts";
import { StatusError } from "../src/lib/status-error.ts";

export interface AgentsConfig {
  server: string;
  ca: string;
  sites: { name: string; cert: string; key: string }[];
  /** How many come a second. */
  perSecond: number;
}

const clock = systemClock;
const atOnce = 50;

/** A site's API server that has what was put there. */
function siteClient(): Client {
  const objects = new Map<string, KubeObject>();
  const keyOf = ({ group, resource, namespace = "", name }: Target) =>
    [group, resource, namespace, name].join("/");
  const get = (target: Target) => {
    const found = objects.get(keyOf(target));
    if (!found) throw new StatusError("NotFound", `no ${target.resource} ${target.name}`);
    return found;
  };
  let revision = 0;
  const put = (target: Target, object: any) => {
    const before: any = objects.get(keyOf(target)) ?? {};
    const resourceVersion = String(++revision);
    const metadata = { uid: "uid", ...before.metadata, ...object.metadata, resourceVersion };
    const merged: any = { ...before, ...object, metadata };
    objects.set(keyOf(target), merged);
    return merged;
  };
  const never: Client["watch"] = async function* (_target, { signal } = {}) {
    yield {
      type: "BOOKMARK",
      object: { metadata: { annotations: { "k8s.io/initial-events-end": "true" } } },
    } as any;
    await new Promise((resolve) => signal?.addEventListener("abort", resolve, { once: true }));
  };
  return {
    get: async (target) => get(target) as any,
    list: async () => ({
      apiVersion: "v1",
      kind: "List",
      metadata: { resourceVersion: "1" },
      items: [],
    }),
    watch: never,
    create: async (target, object: any) => put({ ...target, name: object.metadata.name }, object),
    update: async (target, object) => put(target, object),
    patch: async (target, _type, patch: any) => put(target, patch),
    delete: async (target) => void objects.delete(keyOf(target)) as any,
    deleteCollection: async () => {},
  };
}

const discovered = [
  {
    ...{ group: "", version: "v1", resource: "configmaps", kind: "ConfigMap" },
    ...{ namespaced: true, verbs: ["get"] },
  },
];

async function startAgent(
  config: AgentsConfig,
  { name, cert, key }: AgentsConfig["sites"][number],
) {
  const scope = new Scope();
  const hub = httpsClient(
    { server: config.server, ca: config.ca, cert, key },
    { agent: "kerb-agent" },
  );
  const client = siteClient();
  const { validFrom, validTo } = new X509Certificate(cert);
  await startSession({
    site: {
      client,
      informers: new Informers({ client, clock, log: silent, scope }),
      discover: async () => discovered,
      version: async () => "v1.36.0",
      isKerb: true,
      timeZone: "UTC",
      loadRules: async () => () => true,
    },
    hub,
    credentials: {
      connection: { server: config.server, ca: config.ca, cert, key },
      ...{ cluster: name, agent: "a1" },
      ...{ notBefore: Date.parse(validFrom), notAfter: Date.parse(validTo) },
    },
    ...{ clock, random: systemRandom, log: silent, scope },
    refused: () => process.send?.({ refused: name }),
    trust: () => {},
    heard: () => process.send?.({ heard: name }),
    released: async () => {},
  });
}

holdOpen();
const config: AgentsConfig = JSON.parse(readFileSync(process.argv[2]!, "utf8"));
for (let i = 0; i < config.sites.length; i += atOnce) {
  const batch = config.sites.slice(i, i + atOnce);
  await Promise.all(batch.map((site) => startAgent(config, site)));
  const pauseMs = (atOnce * 1000) / config.perSecond;
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
}
process.send?.({ started: config.sites.length });
