// An object on its way through a build. `origin` is the name it came with, by which others refer to it.
import { isObject } from "../../lib/json.ts";

export interface BuildObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; [field: string]: any };
  [field: string]: any;
}

export const groupOf = ({ apiVersion }: BuildObject) =>
  apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
export const versionOf = ({ apiVersion }: BuildObject) =>
  apiVersion.slice(apiVersion.indexOf("/") + 1);

export const keyOf = (one: BuildObject) =>
  [groupOf(one), one.kind, one.metadata.namespace ?? "", one.metadata.name].join("/");

/** Throws an Error that says what is missing. `where` names the file. */
export function checked(value: unknown, where: string): BuildObject {
  if (!isObject(value)) throw new Error(`${where}: a manifest is an object`);
  const { apiVersion, kind, metadata } = value;
  if (typeof apiVersion !== "string" || !apiVersion) throw new Error(`${where}: no apiVersion`);
  if (typeof kind !== "string" || !kind) throw new Error(`${where}: no kind`);
  if (!isObject(metadata) || typeof metadata["name"] !== "string" || !metadata["name"]) {
    throw new Error(`${where}: ${kind} has no metadata.name`);
  }
  return value as BuildObject;
}

/** Kinds that are in no namespace, as far as a build can know without asking a cluster. */
const clusterKinds = new Set(
  (
    "APIService CSIDriver CSINode CertificateSigningRequest ClusterRole ClusterRoleBinding ComponentStatus " +
    "CustomResourceDefinition FlowSchema IPAddress IngressClass MutatingWebhookConfiguration Namespace Node " +
    "PersistentVolume PriorityClass PriorityLevelConfiguration RuntimeClass SelfSubjectAccessReview ServiceCIDR " +
    "StorageClass ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration VolumeAttachment"
  ).split(" "),
);
export const isNamespaced = ({ kind }: BuildObject) => !clusterKinds.has(kind);

/** Every pod template in an object, CronJobs' included. */
export function podTemplates(object: BuildObject): any[] {
  const { spec } = object;
  if (object.kind === "Pod") return [object];
  return [spec?.template, spec?.jobTemplate?.spec?.template].filter(isObject);
}
