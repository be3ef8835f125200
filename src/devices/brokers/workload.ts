// A broker of any kind, from a template that is a whole object. Pure.
import { isObject } from "../../lib/json.ts";
import type { Configuration } from "../kinds/configuration.ts";
import type { Instance } from "../kinds/instance.ts";
import type { NamedDraft } from "../agent/plan-instances.ts";
import { expandAll, nameFrom, valuesOf } from "./expand.ts";
import { resourceName } from "./names.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { commonLabels, ownerReference, templateDigest, withResource } from "./pod.ts";

/** What a whole object was made from; nothing else that is made for an Instance carries it. */
const workloadAnnotation = "kerb.dev/workload-template";

export const isWorkload = ({ metadata }: KubeObject) =>
  metadata.ownerReferences?.[0]?.kind === "Instance" &&
  metadata.annotations?.[workloadAnnotation] !== undefined;

/** Those that cannot be changed are made anew. */
const fixedKinds = new Set(["Job", "Pod"]);

export const mustBeNew = ({ metadata }: KubeObject, wanted: NamedDraft) =>
  fixedKinds.has(wanted.kind) &&
  metadata.annotations?.[workloadAnnotation] !==
    (wanted.metadata["annotations"] as any)[workloadAnnotation];

const nameDefault = "$(INSTANCE)-broker";

/** The labels by which Services find the pods, on every template of a pod within. */
function withPods(value: any, labels: Record<string, string>, resource: string): any {
  if (!isObject(value)) return value;
  const filled: Record<string, any> = {};
  for (const [key, one] of Object.entries(value)) filled[key] = withPods(one, labels, resource);
  const { template } = filled;
  if (isObject(template) && isObject(template["spec"])) {
    const metadata = template["metadata"] as any;
    filled["template"] = {
      ...template,
      metadata: { ...metadata, labels: { ...metadata?.labels, ...labels } },
      spec: withResource(template["spec"], resource),
    };
  }
  return filled;
}

export function brokerWorkload(instance: Instance, configuration: Configuration): NamedDraft {
  const template = configuration.spec!.brokerSpec!.brokerTemplate as any;
  const values = valuesOf(instance);
  const resource = resourceName(configuration, instance);
  const common = commonLabels(instance);
  const texts = { ...values, RESOURCE: resource };
  const body = expandAll(withPods(template, common, resource), texts);
  const { metadata, spec } = body;
  const annotations = { ...metadata?.annotations, [workloadAnnotation]: templateDigest(body) };
  return {
    ...body,
    metadata: {
      ...metadata,
      name: nameFrom(metadata?.name ?? nameDefault, values),
      namespace: instance.metadata.namespace!,
      labels: { ...metadata?.labels, ...common },
      annotations,
      ownerReferences: [ownerReference(instance)],
    },
    ...(body.kind === "Pod" && { spec: withResource(spec ?? {}, resource) }),
  };
}
