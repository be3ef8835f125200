// A broker of any kind, from a template that is a whole object. Pure.
import { isObject } from "../../lib/json.ts";
import type { Configuration } from "../kinds/configuration.ts";
import type { Instance } from "../kinds/instance.ts";
import type { NamedDraft } from "../plan-instances.ts";
import { expandAll, nameFrom, valuesOf } from "./expand.ts";
import { resourceName } from "./names.ts";
import { commonLabels, ownerReference, withResource } from "./pod.ts";

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
  const body = expandAll(withPods(template, common, resource), values);
  const { metadata, spec } = body;
  return {
    ...body,
    metadata: {
      ...metadata,
      name: nameFrom(metadata?.name ?? nameDefault, values),
      namespace: instance.metadata.namespace!,
      labels: { ...metadata?.labels, ...common },
      ownerReferences: [ownerReference(instance)],
    },
    ...(body.kind === "Pod" && { spec: withResource(spec ?? {}, resource) }),
  };
}
