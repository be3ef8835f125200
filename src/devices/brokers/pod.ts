// The Pod that a Configuration wants for a device on one node. Pure.
import { createHash } from "node:crypto";
import { controllerReference } from "../../controllers/pod-template.ts";
import type { BrokerMetadata, Configuration } from "../kinds/configuration.ts";
import type { Instance } from "../kinds/instance.ts";
import { pathsAnnotation } from "../agent/plan-instances.ts";
import type { NamedDraft } from "../agent/plan-instances.ts";
import { expandAll, nameFrom, valuesOf } from "./expand.ts";
import type { Values } from "./expand.ts";
import { controllerName, jobName, labels, podName, resourceName } from "./names.ts";

const placeholder = "{{PLACEHOLDER}}";
/** What a broker was made from, to see that it changed. */
export const templateAnnotation = "kerb.dev/broker-template";

export const templateDigest = (template: unknown) =>
  createHash("sha256").update(JSON.stringify(template)).digest("hex").slice(0, 16);

function named(amounts: Record<string, string> | null | undefined, resource: string) {
  const entries = Object.entries(amounts ?? {});
  return Object.fromEntries(
    entries.map(([key, value]) => [key === placeholder ? resource : key, value]),
  );
}

/** A pod's spec whose containers ask for the device where they ask for the placeholder. */
export function withResource(spec: Record<string, any>, resource: string): Record<string, any> {
  const filled = structuredClone(spec);
  for (const list of ["containers", "initContainers"]) {
    for (const container of filled[list] ?? []) {
      const { resources } = container;
      if (resources?.limits) resources.limits = named(resources.limits, resource);
      if (resources?.requests) resources.requests = named(resources.requests, resource);
    }
  }
  return filled;
}

/** Holds the pod to a node. The terms of a selector are alternatives, so each of them gets the node. */
function pin(spec: Record<string, any>, node: string) {
  const here = { key: "metadata.name", operator: "In", values: [node] };
  spec["affinity"] ??= {};
  const affinity = (spec["affinity"].nodeAffinity ??= {});
  const required = (affinity.requiredDuringSchedulingIgnoredDuringExecution ??= {});
  const terms = required.nodeSelectorTerms?.length ? required.nodeSelectorTerms : [{}];
  required.nodeSelectorTerms = terms.map((term: any) => ({
    ...term,
    matchFields: [...(term.matchFields ?? []), here],
  }));
}

export const ownerReference = (instance: Instance) => ({
  ...controllerReference(instance),
  apiVersion: "akri.sh/v0",
  kind: "Instance",
});

export const commonLabels = (instance: Instance) => ({
  [labels.controller]: controllerName,
  [labels.configuration]: instance.spec.configurationName,
  [labels.instance]: instance.metadata.name,
});

/** What people add; Akri's own labels cannot be changed by it. */
const added = (wishes: BrokerMetadata | undefined, values: Values) => ({
  labels: expandAll(wishes?.labels ?? {}, values),
  annotations: expandAll(wishes?.annotations ?? {}, values),
});

export function brokerPod(
  instance: Instance,
  configuration: Configuration,
  node: string,
): NamedDraft {
  const { brokerPodSpec, brokerMetadata } = configuration.spec?.brokerSpec ?? {};
  const values = valuesOf(instance, node);
  const name = brokerMetadata?.name
    ? nameFrom(brokerMetadata.name, values)
    : podName(instance, node);
  const resource = resourceName(configuration, instance);
  const spec = withResource(brokerPodSpec!, resource);
  pin(spec, node);
  const more = added(brokerMetadata, values);
  // A device whose path changed is another for the container that has it.
  const paths = instance.metadata.annotations?.[pathsAnnotation];
  const madeFrom = [brokerPodSpec, more, resource, instance.spec.brokerProperties, paths];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: instance.metadata.namespace!,
      labels: {
        ...more.labels,
        [labels.app]: name,
        ...commonLabels(instance),
        [labels.node]: node,
      },
      annotations: { ...more.annotations, [templateAnnotation]: templateDigest(madeFrom) },
      ownerReferences: [ownerReference(instance)],
    },
    spec,
  };
}

/** One Job per device, made anew when the Configuration changes. */
export function brokerJob(instance: Instance, configuration: Configuration): NamedDraft {
  const name = jobName(instance, configuration.metadata.generation ?? 1);
  const { brokerJobSpec, brokerMetadata } = configuration.spec?.brokerSpec ?? {};
  const spec = structuredClone(brokerJobSpec!);
  const more = added(brokerMetadata, valuesOf(instance));
  const common = commonLabels(instance);
  const { metadata, spec: podSpec = {} } = spec["template"] ?? {};
  spec["template"] = {
    ...spec["template"],
    metadata: {
      ...metadata,
      labels: { ...more.labels, ...metadata?.labels, ...common },
      annotations: { ...more.annotations, ...metadata?.annotations },
    },
    spec: withResource(podSpec, resourceName(configuration, instance)),
  };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name,
      namespace: instance.metadata.namespace!,
      labels: { ...more.labels, ...common, [labels.app]: name },
      annotations: more.annotations,
      ownerReferences: [ownerReference(instance)],
    },
    spec,
  };
}
