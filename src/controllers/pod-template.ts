// Pods made from a template by their controlling owner.
import type { Draft, KubeObject, ObjectMeta, OwnerReference } from "../kinds/object.ts";

export interface PodTemplate {
  metadata?: Partial<ObjectMeta>;
  spec: Record<string, any>;
}

export const controllerReference = ({
  apiVersion,
  kind,
  metadata,
}: KubeObject): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
});

/** A pod as `template` describes it, owned by `owner`, to be named after it. */
export function podFromTemplate(
  owner: KubeObject,
  template: PodTemplate,
): Draft & {
  metadata: Partial<ObjectMeta>;
} {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace: owner.metadata.namespace!,
      generateName: `${owner.metadata.name}-`,
      labels: { ...labels },
      annotations: { ...annotations },
      ...(finalizers && { finalizers: [...finalizers] }),
      ownerReferences: [controllerReference(owner)],
    },
    spec: structuredClone(template.spec),
  };
}
