// An Instance as dynamic resource allocation sees it: a pool whose devices are its slots. Pure.
import type { NamedDraft } from "../agent/plan-instances.ts";
import { digestOf } from "../kinds/instance.ts";
import type { Instance } from "../kinds/instance.ts";
import { isClaimed, parseUsage } from "../plugins/slots.ts";
import { labels } from "../brokers/names.ts";
import { placeAttributes, placeOf } from "../plugins/place.ts";
import { driverName, poolOf, sliceName } from "./names.ts";

/** Limits of the API. */
const attributesMax = 31;
const textCharsMax = 64;
const identifier = /^[A-Za-z_][A-Za-z0-9_]{0,31}$/;
const devicesMax = 128;

export const namespaceLabel = "akri.sh/namespace";

/** Properties that may be chosen by; those that are too long, or have no proper name, are left out. */
function attributesOf(instance: Instance) {
  const own = {
    configuration: instance.spec.configurationName,
    namespace: instance.metadata.namespace!,
    instance: instance.metadata.name,
    digest: digestOf(instance),
  };
  const all = Object.entries({ ...instance.spec.brokerProperties, ...own }).filter(
    ([name, value]) => identifier.test(name) && value.length > 0 && value.length <= textCharsMax,
  );
  // Who it is comes last, and stays.
  const texts = all.map(([name, value]) => [name, { string: value }] as [string, object]);
  const place = placeAttributes(placeOf(instance.spec.brokerProperties ?? {}));
  return Object.fromEntries([...Object.entries(place), ...texts].slice(-attributesMax));
}

/** `GPU_MEMORY_BYTES` is its memory. */
function capacityOf({ spec }: Instance) {
  const [, bytes] =
    Object.entries(spec.brokerProperties ?? {}).find(([name]) => name.endsWith("_MEMORY_BYTES")) ??
    [];
  return bytes && /^\d{1,18}$/.test(bytes) ? { capacity: { memory: { value: bytes } } } : {};
}

const only = (nodes: string[]) =>
  nodes.length === 1
    ? { nodeName: nodes[0] }
    : {
        nodeSelector: {
          nodeSelectorTerms: [
            {
              matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: nodes }],
            },
          ],
        },
      };

/** `allocated` are the devices of its pool that claims have already. */
export function sliceOf(
  instance: Instance,
  allocated: ReadonlySet<string>,
): NamedDraft | undefined {
  const { name, namespace } = instance.metadata;
  const { nodes = [], capacity, deviceUsage = {} } = instance.spec;
  if (nodes.length === 0) return undefined;
  const others = Object.values(deviceUsage)
    .map(parseUsage)
    .filter((usage) => usage && !isClaimed(usage.virtualDevice)).length;
  const all = Array.from({ length: Math.min(capacity, devicesMax) }, (_, i) => `slot-${i}`);
  const free = all.filter((device) => !allocated.has(device));
  const offered = new Set(free.slice(0, Math.max(0, capacity - others - allocated.size)));
  const shown = all.filter((device) => allocated.has(device) || offered.has(device));
  const about = { attributes: attributesOf(instance), ...capacityOf(instance) };
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceSlice",
    metadata: {
      name: sliceName(namespace!, name),
      labels: { [labels.instance]: name, [namespaceLabel]: namespace! },
    },
    spec: {
      driver: driverName,
      pool: { name: poolOf(namespace!, name), generation: 1, resourceSliceCount: 1 },
      ...only([...nodes].sort()),
      devices: shown.map((device) => ({ name: device, ...about })),
    },
  };
}
