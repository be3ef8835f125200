// What a node's search came to, in the Configuration's status: each node has an entry of its own.
import type { Client } from "../../client/client.ts";
import { timestamp } from "../../lib/clock.ts";
import { isStatus } from "../../lib/status-error.ts";
import { configurations } from "../kinds/configuration.ts";
import type { Configuration } from "../kinds/configuration.ts";
import { instances } from "../kinds/instance.ts";
import type { Instance } from "../kinds/instance.ts";
import type { Refused } from "./plan-instances.ts";

export interface NodeReport {
  node: string;
  /** Undefined before a handler answered. */
  count: number | undefined;
  refused: Refused[];
  trouble: { reason: string; message: string } | undefined;
  now: number;
}

const refusedToldMax = 3;

/** The entry of one node, without its time. Pure. */
export function nodeEntry({ node, count, refused, trouble }: NodeReport) {
  if (trouble) return { name: node, devices: count ?? 0, ...trouble };
  if (count === undefined) {
    return { name: node, devices: 0, reason: "Searching", message: "no handler answered yet" };
  }
  if (refused.length === 0) return { name: node, devices: count, reason: "Found", message: "" };
  const told = refused
    .slice(0, refusedToldMax)
    .map(({ id, why }) => `${JSON.stringify(id)}: ${why}`);
  const more = refused.length > told.length ? `; and ${refused.length - told.length} more` : "";
  const message = `left out: ${told.join("; ")}${more}`;
  return { name: node, devices: count, reason: "DevicesRefused", message };
}

/** Writes when something changed, not at every look. */
export async function reportNode(client: Client, configuration: Configuration, report: NodeReport) {
  const entry = nodeEntry(report);
  const before = configuration.status?.nodes?.find((one: any) => one.name === report.node);
  const { devices, reason, message } = before ?? {};
  if (before && devices === entry.devices && reason === entry.reason && message === entry.message) {
    return;
  }
  const { name, namespace, uid } = configuration.metadata;
  const target = { ...configurations, namespace, name, subresource: "status" };
  const patch = {
    apiVersion: "akri.sh/v0",
    kind: "Configuration",
    metadata: { name, namespace, uid },
    status: { nodes: [{ ...entry, lastSeen: timestamp(report.now) }] },
  };
  const options = { fieldManager: `${report.node}-search`, force: true };
  await client.patch(target, "apply", patch, options).catch((error: unknown) => {
    if (!isStatus(error, "NotFound", "Conflict")) throw error;
  });
}

export interface PresenceReport {
  node: string;
  away: ReadonlySet<string>;
  now: number;
}

/** Says of devices that this node has lost for a while, and has again; most are never spoken of. */
export async function reportPresence(
  client: Client,
  existing: Instance[],
  { node, away, now }: PresenceReport,
) {
  for (const { metadata, spec, status } of existing) {
    const { name, namespace, uid } = metadata;
    const before = status?.nodes?.find((one) => one.name === node);
    if (!before && !away.has(name)) continue;
    const reason = away.has(name) ? "Away" : "Seen";
    const isListed = spec.nodes?.includes(node);
    if (before?.reason === reason && isListed) continue;
    const since = timestamp(now);
    const message = reason === "Away" ? `${node} does not see it since ${since}` : "";
    const entry = { name: node, reason, message, since };
    const patch = {
      apiVersion: "akri.sh/v0",
      kind: "Instance",
      metadata: { name, namespace, uid },
      status: { nodes: isListed ? [entry] : [] },
    };
    const target = { ...instances, namespace, name, subresource: "status" };
    const options = { fieldManager: `${node}-search`, force: true };
    await client.patch(target, "apply", patch, options).catch((error: unknown) => {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    });
  }
}
