// A namespace that is deleted takes everything in it along: pods first, so that nothing runs whose
// policies and secrets are gone (KEP-5080), then all other kinds, then itself. What is left and why stands
// in its conditions meanwhile.
import type { DiscoveredResource } from "./runtime.ts";
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { timestamp } from "../lib/clock.ts";
import { isStatus } from "../lib/status-error.ts";
import { withCondition } from "./pod-state.ts";
import type { Condition } from "./pod-state.ts";
import type { Controller, ControllerContext } from "./runtime.ts";

const namespaces = resource("v1", "namespaces");
const finalizer = "kubernetes";
const againMs = 500;
const podAgainMs = 1000;

/** What is still there, as counts by resource and by finalizer. */
export interface Remains {
  byResource: Map<string, number>;
  byFinalizer: Map<string, number>;
  failures: string[];
}

const qualified = ({ group, resource: name }: DiscoveredResource) =>
  group ? `${name}.${group}` : name;

const deletable = ({ namespaced, verbs }: DiscoveredResource) =>
  namespaced && verbs.includes("list") && verbs.includes("delete");

/** One entry a resource, at its first (preferred) version. Pods come first. */
export function deletionOrder(found: DiscoveredResource[]): DiscoveredResource[][] {
  const unique = new Map<string, DiscoveredResource>();
  for (const one of found) {
    if (deletable(one) && !unique.has(qualified(one))) unique.set(qualified(one), one);
  }
  const isPods = (one: DiscoveredResource) => qualified(one) === "pods";
  // Both names show the same objects.
  unique.delete("events.events.k8s.io");
  const all = [...unique.values()];
  return [all.filter(isPods), all.filter((one) => !isPods(one))];
}

async function deleteAll(
  namespace: string,
  of: DiscoveredResource,
  remains: Remains,
  context: ControllerContext,
) {
  const { client } = context;
  const target = { group: of.group, version: of.version, resource: of.resource, namespace };
  try {
    let list = await client.list(target);
    if (list.items.length === 0) return;
    if (of.verbs.includes("deletecollection")) {
      await client.deleteCollection(target, { propagationPolicy: "Background" });
    } else {
      await Promise.all(
        list.items.map(({ metadata }) => client.delete({ ...target, name: metadata.name })),
      );
    }
    list = await client.list(target);
    if (list.items.length === 0) return;
    remains.byResource.set(qualified(of), list.items.length);
    for (const name of list.items.flatMap(({ metadata }) => metadata.finalizers ?? [])) {
      remains.byFinalizer.set(name, (remains.byFinalizer.get(name) ?? 0) + 1);
    }
  } catch (error) {
    if (isStatus(error, "NotFound", "MethodNotAllowed")) return;
    remains.failures.push(`${qualified(of)}: ${(error as Error).message}`);
  }
}

const listed = (counts: Map<string, number>, text: (name: string, count: number) => string) =>
  [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => text(name, count))
    .join(", ");

/** The conditions upstream sets while a namespace goes. Pure. */
export function terminationConditions(remains: Remains): Condition[] {
  const { byResource, byFinalizer, failures } = remains;
  const when = (
    bad: boolean,
    type: string,
    yes: [string, string],
    no: [string, string],
  ): Condition => {
    const [reason, message] = bad ? yes : no;
    return { type, status: bad ? "True" : "False", reason, message };
  };
  return [
    when(
      false,
      "NamespaceDeletionDiscoveryFailure",
      ["", ""],
      ["ResourcesDiscovered", "All resources successfully discovered"],
    ),
    when(
      false,
      "NamespaceDeletionGroupVersionParsingFailure",
      ["", ""],
      ["ParsedGroupVersions", "All legacy kube types successfully parsed"],
    ),
    when(
      failures.length > 0,
      "NamespaceDeletionContentFailure",
      ["ContentDeletionFailed", `Failed to delete all resource types: ${failures.join("; ")}`],
      ["ContentDeleted", "All content successfully deleted, may be waiting on finalization"],
    ),
    when(
      byResource.size > 0,
      "NamespaceContentRemaining",
      [
        "SomeResourcesRemain",
        `Some resources are remaining: ${listed(byResource, (n, c) => `${n} has ${c} resource instances`)}`,
      ],
      ["ContentRemoved", "All content successfully removed"],
    ),
    when(
      byFinalizer.size > 0,
      "NamespaceFinalizersRemaining",
      [
        "SomeFinalizersRemain",
        `Some content in the namespace has finalizers remaining: ${listed(byFinalizer, (n, c) => `${n} in ${c} resource instances`)}`,
      ],
      ["ContentHasNoFinalizers", "All content-preserving finalizers finished"],
    ),
  ];
}

async function finalize(namespace: KubeObject, context: ControllerContext) {
  const finalizers = (namespace.spec?.finalizers ?? []).filter(
    (name: string) => name !== finalizer,
  );
  const { name } = namespace.metadata;
  const object = { ...namespace, spec: { ...namespace.spec, finalizers } };
  await context.client
    .update({ ...namespaces, name, subresource: "finalize" }, object)
    .catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
}

async function reconcile(name: string, context: ControllerContext) {
  const known = context.informer(namespaces).get(name);
  if (!known?.metadata.deletionTimestamp) return;
  if (!known.spec?.finalizers?.includes(finalizer)) return;
  const remains: Remains = { byResource: new Map(), byFinalizer: new Map(), failures: [] };
  for (const stage of deletionOrder(await context.discover())) {
    await Promise.all(stage.map((of) => deleteAll(name, of, remains, context)));
    if (remains.byResource.size + remains.failures.length > 0) break;
  }
  const now = timestamp(context.clock.now());
  let conditions = known.status?.conditions as Condition[] | undefined;
  for (const condition of terminationConditions(remains)) {
    conditions = withCondition(conditions, condition, now);
  }
  const done = remains.byResource.size + remains.failures.length === 0;
  if (!done) {
    context.wakeAfter(name, remains.byResource.has("pods") ? podAgainMs : againMs);
    const status = { phase: "Terminating", conditions };
    await context.client.patch({ ...namespaces, name, subresource: "status" }, "merge", { status });
    return;
  }
  await finalize(await context.client.get({ ...namespaces, name }), context);
}

export const namespaceController: Controller = {
  name: "namespace",
  inputs: [{ resource: namespaces }],
  outputs: [namespaces],
  reconcile,
};
