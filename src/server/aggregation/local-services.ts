// The APIServices of what this server itself serves: one for each group version, made when it appears and
// taken away when it goes.
import type { Kinds } from "../../kinds/kinds.ts";
import type { Draft } from "../../kinds/object.ts";
import { isCustom } from "../root-schema.ts";
import { apiServiceName, type ApiService, type Priority } from "./api-service.ts";
import { builtinPriority, customPriority } from "./priorities.ts";

const managed = "kube-aggregator.kubernetes.io/automanaged";

export interface Wanted {
  group: string;
  version: string;
  priority: Priority;
  /** "onstart" for what a release serves, "true" for what CustomResourceDefinitions made. */
  managed: "onstart" | "true";
}

/** Every group version of this server but this API's own. */
export function wantedServices(kinds: Kinds): Map<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const kind of kinds.all()) {
    const { group, version } = kind;
    const name = apiServiceName(group, version);
    if (group === "apiregistration.k8s.io" || wanted.has(name)) continue;
    const priority = builtinPriority(group, version) ?? customPriority;
    wanted.set(name, { group, version, priority, managed: isCustom(kind) ? "true" : "onstart" });
  }
  return wanted;
}

export const localService = (
  name: string,
  { group, version, priority, ...rest }: Wanted,
): Draft => ({
  apiVersion: "apiregistration.k8s.io/v1",
  kind: "APIService",
  metadata: { name, labels: { [managed]: rest.managed } },
  spec: {
    ...(group && { group }),
    version,
    groupPriorityMinimum: priority.group,
    versionPriority: priority.version,
  },
});

export interface LocalPlan {
  create: Draft[];
  remove: string[];
}

/** What is missing, and what was made for a group version that is no longer there. */
export function planLocal(
  wanted: Map<string, Wanted>,
  existing: Map<string, ApiService>,
): LocalPlan {
  const create = [...wanted]
    .filter(([name]) => !existing.has(name))
    .map(([name, one]) => localService(name, one));
  const remove = [...existing.values()]
    .filter(({ metadata: { name, labels, deletionTimestamp }, spec }) => {
      const ours = labels?.[managed] !== undefined && !spec.service;
      return ours && !deletionTimestamp && !wanted.has(name);
    })
    .map(({ metadata }) => metadata.name);
  return { create, remove };
}
