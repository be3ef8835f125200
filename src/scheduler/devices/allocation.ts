// What is written into a claim of the devices that were chosen for it. Pure.
import { createHash } from "node:crypto";
import type { KubeObject } from "../../kinds/object.ts";
import type { NodeSelectorTerm } from "../../lib/node-selector.ts";
import type { Amounts } from "./capacity.ts";
import type { Device } from "./pools.ts";

export interface Allocation {
  devices: { results: object[]; config?: object[] };
  nodeSelector?: { nodeSelectorTerms: NodeSelectorTerm[] };
}

export interface Need {
  claim: KubeObject;
  /** `request`, or `request/subrequest`. */
  name: string;
  request: any;
  deviceClass: KubeObject;
}

export interface Taken {
  need: Need;
  device: Device;
  /** Of its capacities. */
  amounts: Amounts;
}

/** A constraint over some requests of a claim, or over all. */
export const concerns = ({ requests = [] }: { requests?: string[] }, name: string) =>
  requests.length === 0 || requests.includes(name) || requests.includes(name.split("/")[0]!);

export const isWatcher = ({ request }: Need) => request.adminAccess === true;

function configOf(claim: KubeObject, taken: Taken[]): object[] {
  const ofClasses = new Map(taken.map(({ need }) => [need.name, need.deviceClass]));
  const fromClasses = [...ofClasses].flatMap(([request, { spec }]) =>
    (spec?.config ?? []).map((one: object) => ({
      ...one,
      source: "FromClass",
      requests: [request],
    })),
  );
  const fromClaim = (claim.spec.devices.config ?? [])
    .filter((one: any) => taken.some(({ need }) => concerns(one, need.name)))
    .map((one: object) => ({ ...one, source: "FromClaim" }));
  return [...fromClasses, ...fromClaim];
}

/** Every node that can use all of the devices: the terms of each device that is not everywhere, ANDed. */
function nodesOf(taken: Taken[]): Pick<Allocation, "nodeSelector"> {
  let terms: NodeSelectorTerm[] | undefined;
  const seen = new Set<string>();
  for (const { device } of taken) {
    const { nodes } = device;
    const text = JSON.stringify(nodes);
    if (!nodes || seen.has(text)) continue;
    seen.add(text);
    terms = (terms ?? [{}]).flatMap((one) =>
      nodes.map((other) => {
        const expressions = [...(one.matchExpressions ?? []), ...(other.matchExpressions ?? [])];
        const fields = [...(one.matchFields ?? []), ...(other.matchFields ?? [])];
        return {
          ...(expressions.length > 0 && { matchExpressions: expressions }),
          ...(fields.length > 0 && { matchFields: fields }),
        };
      }),
    );
  }
  return terms ? { nodeSelector: { nodeSelectorTerms: terms } } : {};
}

const resultOf = ({ need, device }: Taken) => ({
  request: need.name,
  driver: device.driver,
  pool: device.pool,
  device: device.name,
  ...(isWatcher(need) && { adminAccess: true }),
  ...(need.request.tolerations?.length > 0 && { tolerations: need.request.tolerations }),
});

/** A name of its own for each share, which follows from whose it is. */
function shareOf(claim: KubeObject, { need, device, amounts }: Taken, index: number) {
  if (!device.isShared || isWatcher(need)) return {};
  const hash = createHash("sha256").update(`${claim.metadata.uid}/${index}/${device.id}`);
  const digits = hash.digest("hex");
  const shareID = /^(.{8})(.{4})(.{4})(.{4})(.{12})/.exec(digits)!.slice(1).join("-");
  return { shareID, ...(amounts.size > 0 && { consumedCapacity: Object.fromEntries(amounts) }) };
}

export function allocationOf(claim: KubeObject, taken: Taken[]): Allocation {
  const results = taken.map((one, index) => ({
    ...resultOf(one),
    ...shareOf(claim, one, index),
  }));
  const config = configOf(claim, taken);
  return { devices: { results, ...(config.length > 0 && { config }) }, ...nodesOf(taken) };
}
