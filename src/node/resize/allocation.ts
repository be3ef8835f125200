// What a running pod was given of cpu and memory, beside what it asks for now. The API's spec is the wish, the
// allocation is what the node has granted, and each container was last sized to its own list. Pure.
import { amountIn } from "../../lib/qos-class.ts";
import { isSidecar } from "../pods/pod.ts";
import type { Container, Pod } from "../pods/pod.ts";
import type { Instance } from "../pods/instances.ts";

export interface ResourceLists {
  requests?: Record<string, string>;
  limits?: Record<string, string>;
}

export interface Allocation {
  /** Of the pod as a whole, where it says so. */
  pod?: ResourceLists;
  containers: Record<string, ResourceLists>;
}

const resizable = ["cpu", "memory"];

/** A container's own word on how it was sized, for who finds it later. */
const annotation = "kerb.dev/resources";

export const sizedAnnotation = ({ resources = {} }: Container): Record<string, string> => ({
  [annotation]: JSON.stringify(resources),
});

/** How a container was sized when it was made. */
export function sizedAs({ annotations }: Instance): ResourceLists | undefined {
  const text = annotations[annotation];
  return text === undefined ? undefined : (JSON.parse(text) as ResourceLists);
}

/** Containers that may be sized anew while they run. */
export const resizableContainers = ({ spec }: Pod) => [
  ...(spec.initContainers ?? []).filter(isSidecar),
  ...spec.containers,
];

export function askedBy(pod: Pod): Allocation {
  const own: ResourceLists | undefined = pod.spec["resources"];
  const lists = resizableContainers(pod).map(({ name, resources = {} }) => [name, resources]);
  return { ...(own && { pod: own }), containers: Object.fromEntries(lists) };
}

/** The resources of which `a` and `b` say different things. */
export const differing = (a: ResourceLists = {}, b: ResourceLists = {}) =>
  resizable.filter(
    (name) =>
      amountIn(a.requests, name) !== amountIn(b.requests, name) ||
      amountIn(a.limits, name) !== amountIn(b.limits, name),
  );

export function sameAllocation(a: Allocation, b: Allocation): boolean {
  const names = new Set([...Object.keys(a.containers), ...Object.keys(b.containers)]);
  return (
    differing(a.pod, b.pod).length === 0 &&
    [...names].every((name) => differing(a.containers[name], b.containers[name]).length === 0)
  );
}

/** The pod as if it asked for what it was given. */
export function withAllocation(pod: Pod, given: Allocation): Pod {
  const sized = (container: Container): Container => {
    const resources = given.containers[container.name];
    return resources ? { ...container, resources } : container;
  };
  const { initContainers, containers } = pod.spec;
  return {
    ...pod,
    spec: {
      ...pod.spec,
      ...(given.pod && { resources: given.pod }),
      ...(initContainers && { initContainers: initContainers.map(sized) }),
      containers: containers.map(sized),
    },
  };
}

/** Sizes known to be in force, by container id; what is not there is as it was made. */
export type Sizes = Map<string, ResourceLists>;

/** What a running container needs to be as large as it was allowed to be. */
export function resizeOf(
  { resources, resizePolicy = [] }: Container,
  instance: Instance,
  sizes: Sizes,
): "update" | "restart" | undefined {
  const now = sizes.get(instance.id) ?? sizedAs(instance);
  if (!now) return undefined;
  const changed = differing(now, resources);
  if (changed.length === 0) return undefined;
  const restarts = resizePolicy.some(
    ({ resourceName, restartPolicy }) =>
      restartPolicy === "RestartContainer" && changed.includes(resourceName),
  );
  return restarts ? "restart" : "update";
}
