// From what a search saw to the Instances of this node. Pure.
import { createHash } from "node:crypto";
import type { Draft } from "../../kinds/object.ts";
import { controllerReference } from "../../controllers/pod-template.ts";
import { jsonEqual } from "../../lib/json.ts";
import type { Device } from "../discovery/handler.ts";
import { knownDevice } from "../kinds/approval.ts";
import { deviceHash } from "./hash.ts";
import { capacityOf } from "../kinds/configuration.ts";
import type { Configuration } from "../kinds/configuration.ts";
import { digestOf } from "../kinds/instance.ts";
import type { Instance } from "../kinds/instance.ts";
import { parseUsage } from "../plugins/slots.ts";

export interface Seen {
  device: Device;
  shared: boolean;
}

export interface Found extends Seen {
  hash: string;
  /** Of the Instance. */
  name: string;
  /** Digest of what containers get; undefined for one that gives them nothing, and for a shared one. */
  paths: string | undefined;
}

export interface Refused {
  id: string;
  why: string;
}

/** Whose an Instance is: a digest of three bytes may be that of two devices. */
export const deviceAnnotation = "kerb.dev/device";

const identityOf = ({ device, shared }: Seen, node: string) =>
  shared ? device.id : `${device.id} on ${node}`;

/** What is told of a device, by its handler or by its Instance. */
export interface Told {
  properties: Record<string, string>;
  /** As Found has it. */
  paths: string | undefined;
}

/** `told` without what the Configuration says of the device, which hides what a handler says. */
function ownOf(configuration: Configuration, hash: string, { properties, paths }: Told): Told {
  const added = {
    ...configuration.spec?.brokerProperties,
    ...knownDevice(configuration, hash)?.properties,
  };
  const own = Object.entries(properties).filter(([name]) => !Object.hasOwn(added, name));
  return { properties: Object.fromEntries(own), paths };
}

/** What an Instance says of its device. */
export function toldBy(configuration: Configuration, instance: Instance): Told {
  const { metadata, spec } = instance;
  const paths = metadata.annotations?.[pathsAnnotation];
  const told = { properties: spec.brokerProperties ?? {}, paths };
  return ownOf(configuration, digestOf(instance), told);
}

/**
 * Names what was seen. A device whose digest is another's already is refused, so that neither changes:
 * whose Instance is there keeps it, whichever node saw it and in whatever order they are seen now. Where several
 * handlers tell of one device in words of their own, those count by which its Instance stays as it is, else the first.
 */
export function nameDevices(
  configuration: Configuration,
  seen: Seen[],
  { node, existing }: { node: string; existing: Instance[] },
) {
  const found = new Map<string, Found>();
  const refused: Refused[] = [];
  const standing = new Map(existing.map((one) => [one.metadata.name, one]));
  const stays = ({ name, hash, device: { properties }, paths }: Found) => {
    const instance = standing.get(name);
    const own = ownOf(configuration, hash, { properties, paths });
    return instance !== undefined && jsonEqual(own, toldBy(configuration, instance));
  };
  for (const { device, shared } of seen) {
    const hash = deviceHash(device.id, { shared, node });
    const name = `${configuration.metadata.name}-${hash}`;
    const identity = identityOf({ device, shared }, node);
    const other = found.get(name);
    const holder = other
      ? identityOf(other, node)
      : standing.get(name)?.metadata.annotations?.[deviceAnnotation];
    if (holder !== undefined && holder !== identity) {
      refused.push({ id: device.id, why: `its digest ${hash} is that of ${holder}` });
      continue;
    }
    const one = { device, shared, hash, name, paths: pathsOf({ device, shared }) };
    if (!other || (!stays(other) && stays(one))) found.set(name, one);
  }
  return { found, refused };
}

export type NamedDraft = Draft & { metadata: { name: string } };

/** What containers get of a device, to see that it changed. Nodes may reach a shared one in different ways. */
export const pathsAnnotation = "kerb.dev/device-paths";

function pathsOf({ device: { nodes, mounts }, shared }: Seen): string | undefined {
  if (shared || (nodes.length === 0 && mounts.length === 0)) return undefined;
  return createHash("sha256")
    .update(JSON.stringify([nodes, mounts]))
    .digest("hex")
    .slice(0, 16);
}

export function instanceOf(configuration: Configuration, found: Found, node: string): NamedDraft {
  const { name, namespace } = configuration.metadata;
  const owner = controllerReference(configuration);
  const { paths } = found;
  return {
    apiVersion: "akri.sh/v0",
    kind: "Instance",
    metadata: {
      name: found.name,
      namespace: namespace!,
      annotations: {
        [deviceAnnotation]: identityOf(found, node),
        ...(paths && { [pathsAnnotation]: paths }),
      },
      ownerReferences: [{ ...owner, apiVersion: "akri.sh/v0", kind: "Configuration" }],
    },
    spec: {
      configurationName: name,
      cdiName: `akri.sh/${name}=${found.hash}`,
      capacity: capacityOf(configuration),
      brokerProperties: {
        ...found.device.properties,
        ...configuration.spec?.brokerProperties,
        ...knownDevice(configuration, found.hash)?.properties,
      },
      shared: found.shared,
      nodes: [node],
    },
  };
}

export interface InstancePlan {
  apply: NamedDraft[];
  /** Others still see these, or pods still hold their slots; this node does not see them. */
  leave: Instance[];
  /** Nobody else sees these. */
  remove: Instance[];
}

const isAsWished = ({ metadata, spec }: Instance, wished: NamedDraft, node: string) => {
  const { nodes: _, ...want } = wished["spec"];
  const annotations = wished.metadata["annotations"] as Record<string, string>;
  return (
    (spec.nodes ?? []).includes(node) &&
    [deviceAnnotation, pathsAnnotation].every(
      (key) => metadata.annotations?.[key] === annotations[key],
    ) &&
    Object.entries(want).every(([field, value]) => jsonEqual((spec as any)[field], value))
  );
};

/** What pods hold of a device that is gone they hold when it comes back: until then it is not forgotten. */
export const isInUse = ({ spec }: Instance) =>
  Object.values(spec.deviceUsage ?? {}).some((text) => parseUsage(text));

/** `existing` are the Configuration's; those whose names are `kept` are left alone. */
export function planInstances(
  configuration: Configuration,
  found: ReadonlyMap<string, Found>,
  { existing, node, kept }: { existing: Instance[]; node: string; kept?: ReadonlySet<string> },
): InstancePlan {
  const plan: InstancePlan = { apply: [], leave: [], remove: [] };
  const known = new Map(existing.map((one) => [one.metadata.name, one]));
  for (const one of found.values()) {
    const wished = instanceOf(configuration, one, node);
    const is = known.get(one.name);
    if (is?.metadata.deletionTimestamp) continue;
    if (!is || !isAsWished(is, wished, node)) plan.apply.push(wished);
  }
  for (const instance of existing) {
    const { nodes = [] } = instance.spec;
    const { name, deletionTimestamp } = instance.metadata;
    if (found.has(name) || kept?.has(name) || deletionTimestamp) continue;
    if (nodes.every((one) => one === node) && !isInUse(instance)) plan.remove.push(instance);
    else if (nodes.includes(node)) plan.leave.push(instance);
  }
  return plan;
}
