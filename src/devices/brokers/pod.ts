// The Pod that a Configuration wants for a device on one node. Pure.
import { createHash } from "node:crypto";
import { controllerReference } from "../../controllers/pod-template.ts";
import type { NamedDraft } from "../plan-instances.ts";
import type { Instance } from "../kinds/instance.ts";
import { controllerName, labels, podName, resourceName } from "./names.ts";

const placeholder = "{{PLACEHOLDER}}";
/** What a broker was made from, to see that it changed. */
export const templateAnnotation = "kerb.sh/broker-template";

export const digestOf = (template: unknown) =>
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

const owner = (instance: Instance) => ({
  ...controllerReference(instance),
  apiVersion: "akri.sh/v0",
  kind: "Instance",
});

export function brokerPod(
  instance: Instance,
  template: Record<string, any>,
  node: string,
): NamedDraft {
  const name = podName(instance, node);
  const spec = withResource(template, resourceName(instance.metadata.name));
  pin(spec, node);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: instance.metadata.namespace!,
      labels: {
        [labels.app]: name,
        [labels.controller]: controllerName,
        [labels.configuration]: instance.spec.configurationName,
        [labels.instance]: instance.metadata.name,
        [labels.node]: node,
      },
      annotations: { [templateAnnotation]: digestOf(template) },
      ownerReferences: [owner(instance)],
    },
    spec,
  };
}

/** One Job per device, made anew when the Configuration changes. */
export function brokerJob(
  instance: Instance,
  template: Record<string, any>,
  name: string,
): NamedDraft {
  const spec = structuredClone(template);
  const common = {
    [labels.controller]: controllerName,
    [labels.configuration]: instance.spec.configurationName,
    [labels.instance]: instance.metadata.name,
  };
  spec["template"] ??= {};
  const { metadata, spec: podSpec = {} } = spec["template"];
  spec["template"] = {
    ...spec["template"],
    metadata: { ...metadata, labels: { ...metadata?.labels, ...common } },
    spec: withResource(podSpec, resourceName(instance.metadata.name)),
  };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name,
      namespace: instance.metadata.namespace!,
      labels: { ...common, [labels.app]: name },
      ownerReferences: [owner(instance)],
    },
    spec,
  };
}
