// What policy needs from the first moment: priority classes, priority levels of
// requests, default roles and bindings. Only what is
// missing is written, so a warm start writes nothing; what people added stays, and an object whose
// autoupdate annotation is "false" is left alone.
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { jsonEqual } from "../../lib/json.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import { isStatus } from "../../lib/status-error.ts";
import { loopback } from "../bootstrap.ts";
import { defaultFlowObjects } from "../flow-control/defaults.ts";
import type { ServerHandle } from "../policy.ts";
import { defaultRbacObjects } from "./rbac/default-objects.ts";
import { uncovered } from "./rbac/rules.ts";

const autoupdate = "rbac.authorization.kubernetes.io/autoupdate";

const priorityClasses: Record<string, [value: number, description: string]> = {
  "system-node-critical": [2_000_001_000, "For pods without which their node does not work."],
  "system-cluster-critical": [2_000_000_000, "For pods without which the cluster does not work."],
};

const plurals: Record<string, string> = {
  PriorityClass: "priorityclasses",
  ClusterRole: "clusterroles",
  ClusterRoleBinding: "clusterrolebindings",
  Role: "roles",
  RoleBinding: "rolebindings",
  PriorityLevelConfiguration: "prioritylevelconfigurations",
  FlowSchema: "flowschemas",
};

const priorityObjects = (): Draft[] =>
  Object.entries(priorityClasses).map(([name, [value, description]]) => ({
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name },
    value,
    description,
  }));

/** What `existing` must become to hold everything `wanted` does; undefined when it does already. */
export function reconciled(existing: KubeObject, wanted: Draft): KubeObject | undefined {
  if (!wanted["rules"] && !wanted["roleRef"]) return undefined;
  if (existing.metadata.annotations?.[autoupdate] === "false") return undefined;
  const next = structuredClone(existing);
  for (const field of ["labels", "annotations"] as const) {
    next.metadata[field] = { ...next.metadata[field], ...wanted.metadata?.[field] };
  }
  if (wanted["aggregationRule"]) {
    next["aggregationRule"] = wanted["aggregationRule"];
  } else if (wanted["rules"]) {
    const rules = existing["rules"] ?? [];
    const lacks = wanted["rules"].filter((rule: any) => uncovered(rules, [rule]).length > 0);
    next["rules"] = [...rules, ...lacks];
  } else {
    const subjects = existing["subjects"] ?? [];
    const lacks = wanted["subjects"].filter(
      (subject: any) => !subjects.some((one: unknown) => jsonEqual(one, subject)),
    );
    next["subjects"] = [...subjects, ...lacks];
  }
  return jsonEqual(next, existing) ? undefined : next;
}

async function ensure(server: ServerHandle, wanted: Draft) {
  const [group = "", version] = wanted.apiVersion.includes("/")
    ? wanted.apiVersion.split("/")
    : ["", wanted.apiVersion];
  const plural = plurals[wanted.kind]!;
  const { name, namespace } = wanted.metadata!;
  const where = namespace ? `${namespace}/${name}` : name;
  const entry = await server.store.get(`${group ? `${plural}.${group}` : plural}/${where}`);
  const next = entry && reconciled(parseShared<KubeObject>(entry.value), wanted);
  if (entry && !next) return;
  const root = group ? `/apis/${group}/${version}` : `/api/${version}`;
  const collection = `${root}/${namespace ? `namespaces/${namespace}/` : ""}${plural}`;
  await server.handle({
    method: next ? "PUT" : "POST",
    path: next ? `${collection}/${name}` : collection,
    query: new URLSearchParams({ fieldManager: "kerb" }),
    headers: {},
    body: next ?? wanted,
    decoded: true,
    user: loopback,
    signal: new AbortController().signal,
  });
}

/** Another writer was faster, and the next start looks again. */
const ignoreRaces = (error: unknown) => {
  if (!isStatus(error, "AlreadyExists", "Conflict")) throw error;
};

/** Writes what is missing; the cluster's namespaces must exist. */
export async function bootstrapPolicy(server: ServerHandle): Promise<void> {
  const rbac = defaultRbacObjects();
  const isBinding = (draft: Draft) => draft.kind.endsWith("Binding");
  const waves = [
    [...priorityObjects(), ...defaultFlowObjects(), ...rbac.filter((draft) => !isBinding(draft))],
    rbac.filter(isBinding),
  ];
  for (const wave of waves) {
    await Promise.all(wave.map((draft) => ensure(server, draft).catch(ignoreRaces)));
  }
}
