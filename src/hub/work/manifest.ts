// What one manifest of a work is and how it is to be applied, and what follows from the whole list. Pure.
import type { DiscoveredResource } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { ConditionRule } from "./condition-rules.ts";

/** Names an object of the site. */
export interface Identifier {
  group: string;
  version: string;
  resource: string;
  namespace: string;
  name: string;
}

export interface AppliedResource extends Identifier {
  uid: string;
}

export interface Manifest extends Identifier {
  /** Its place in the list. */
  ordinal: number;
  kind: string;
  namespaced: boolean;
  object: KubeObject;
}

export const groupOf = (apiVersion: string) =>
  apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";

/** Throws an Error that says what the site lacks. */
export function manifestOf(
  object: any,
  ordinal: number,
  discovered: DiscoveredResource[],
): Manifest {
  const { apiVersion = "", kind = "", metadata } = object ?? {};
  const group = groupOf(apiVersion);
  const version = apiVersion.slice(apiVersion.indexOf("/") + 1);
  const found = discovered.find(
    (one) => one.kind === kind && one.group === group && one.version === version,
  );
  if (!found) throw new Error(`no matches for kind "${kind}" in version "${apiVersion}"`);
  if (!metadata?.name) throw new Error("metadata.name: Required value");
  const { resource, namespaced } = found;
  const { name } = metadata;
  const namespace: string = namespaced ? metadata.namespace || "default" : "";
  return { ordinal, group, version, kind, resource, namespaced, namespace, name, object };
}

/** Definitions and namespaces come before what needs them; else the order of the list stands. */
const early = ["CustomResourceDefinition", "Namespace", "ServiceAccount", "ClusterRole", "Role"];

export function applyOrder(manifests: any[]): number[] {
  const rank = ({ kind }: any) => (early.includes(kind) ? early.indexOf(kind) : early.length);
  return manifests
    .map((_, i) => i)
    .sort((a, b) => rank(manifests[a] ?? {}) - rank(manifests[b] ?? {}) || a - b);
}

const fits = (wanted: string | undefined, value: string) => {
  if (wanted === undefined || wanted === "") return value === "";
  const pattern = wanted.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pattern.join(".*")}$`).test(value);
};

export interface UpdateStrategy {
  type: "Update" | "CreateOnly" | "ServerSideApply" | "ReadOnly";
  serverSideApply?: { force?: boolean; fieldManager?: string; ignoreFields?: any[] };
}

export interface ManifestConfig {
  resourceIdentifier: Partial<Identifier>;
  feedbackRules?: any[];
  updateStrategy?: UpdateStrategy;
  conditionRules?: ConditionRule[];
}

/** What the work says about a manifest; the first that names it counts. */
export function configOf(configs: ManifestConfig[] = [], one: Identifier) {
  return configs.find(({ resourceIdentifier: { group, resource, namespace, name } }) =>
    [
      fits(group, one.group),
      fits(resource, one.resource),
      fits(namespace, one.namespace),
      fits(name, one.name),
    ].every(Boolean),
  );
}

/** Whether an object stays when it is no longer wanted. */
export function isOrphaned(deleteOption: any, one: Identifier): boolean {
  if (deleteOption?.propagationPolicy === "Orphan") return true;
  if (deleteOption?.propagationPolicy !== "SelectivelyOrphan") return false;
  const rules: Partial<Identifier>[] = deleteOption.selectivelyOrphans?.orphaningRules ?? [];
  return rules.some(
    ({ group = "", resource, namespace = "", name }) =>
      group === one.group &&
      resource === one.resource &&
      namespace === one.namespace &&
      name === one.name,
  );
}

const keyOf = ({ group, resource, namespace, name }: Identifier) =>
  [group, resource, namespace, name].join("/");

/** What was applied before and is wanted no more. */
export function removedOf(before: AppliedResource[], wanted: Identifier[]): AppliedResource[] {
  const keys = new Set(wanted.map(keyOf));
  return before.filter((one) => !keys.has(keyOf(one)));
}
