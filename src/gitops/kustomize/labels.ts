// Labels and annotations that every object of a kustomization gets. Pure.
import { isObject } from "../../lib/json.ts";
import { podTemplates } from "./object.ts";
import type { BuildObject } from "./object.ts";

export interface LabelRule {
  pairs: Record<string, string>;
  includeSelectors?: boolean;
  includeTemplates?: boolean;
}

const withMatchLabels = ["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"];

function onSelectors(object: BuildObject, pairs: Record<string, string>) {
  const { kind, spec } = object;
  if (!isObject(spec)) return;
  if (kind === "Service" || kind === "ReplicationController") {
    if (spec["selector"]) spec["selector"] = { ...spec["selector"], ...pairs };
  } else if (
    withMatchLabels.includes(kind) ||
    (kind === "PodDisruptionBudget" && spec["selector"])
  ) {
    const { selector = {} } = spec as any;
    spec["selector"] = { ...selector, matchLabels: { ...selector.matchLabels, ...pairs } };
  } else if (kind === "NetworkPolicy" && spec["podSelector"]?.matchLabels) {
    spec["podSelector"].matchLabels = { ...spec["podSelector"].matchLabels, ...pairs };
  }
}

/** Of pods, and of CronJobs' Jobs. */
const templates = (object: BuildObject): any[] => [
  ...podTemplates(object),
  ...(isObject(object["spec"]?.jobTemplate) ? [object["spec"].jobTemplate] : []),
];

/** In place. */
export function addLabels(object: BuildObject, rule: LabelRule) {
  const { pairs, includeSelectors = false, includeTemplates = false } = rule;
  object.metadata["labels"] = { ...object.metadata["labels"], ...pairs };
  if (includeSelectors || includeTemplates) {
    for (const template of templates(object)) {
      if (template === object) continue;
      template.metadata = {
        ...template.metadata,
        labels: { ...template.metadata?.labels, ...pairs },
      };
    }
  }
  if (includeSelectors) onSelectors(object, pairs);
}

/** In place. */
export function addAnnotations(object: BuildObject, pairs: Record<string, string>) {
  for (const one of new Set([object, ...templates(object)])) {
    one.metadata = { ...one.metadata, annotations: { ...one.metadata?.annotations, ...pairs } };
  }
}
