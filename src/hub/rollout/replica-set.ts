// A ManifestWorkReplicaSet gives each cluster that its placements chose a ManifestWork, as the rollout plans
// it. Annotations say what the kind has no fields for: `fleet.kerb.dev/paused`, `/aborted` ("true") and
// `/on-failure` (Stop, RollBack).
import type { Client } from "../../client/client.ts";
import { controllerRevisions } from "../../controllers/revision-history.ts";
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { differs } from "../../lib/differs.ts";
import { eachAtOnce } from "../../lib/each-at-once.ts";
import { isStatus } from "../../lib/status-error.ts";
import { blockedSites } from "../alarms/blocks.ts";
import type { Alarm } from "../kinds/alarm.ts";
import { alarms, maintenanceWindows, overrides } from "../kinds/fleet.ts";
import {
  managedClusters,
  manifestWorkReplicaSets,
  manifestWorks,
  placementDecisions,
  placements,
} from "../kinds/resources.ts";
import { isTrue } from "../../lib/conditions.ts";
import { overridesOf } from "../overrides/select.ts";
import { groupsOf, isWhole } from "./decided.ts";
import type { RolloutGroup } from "./model.ts";
import { replicaSetStatus } from "./replica-set-status.ts";
import type { Part } from "./replica-set-status.ts";
import {
  contentOf,
  noteOf,
  previousOf,
  revisionDraft,
  revisionName,
  surplusOf,
  whyGivenUp,
} from "./revisions.ts";
import { removableFrom } from "./silence.ts";
import { availableType } from "../registration/availability.ts";
import { placementLabel as workPlacementLabel, planWorks, setLabel } from "./works.ts";
import type { WorksPlan } from "./works.ts";
import { windowOf, windowSite } from "./window.ts";
import type { MaintenanceWindow } from "./window.ts";

const finalizer = "work.open-cluster-management.io/manifest-work-cleanup";
const wakeMsMax = 3_600_000;
/** Sites answer in bursts, and each look counts all of a set's works. */
const settleMs = 100;
/** Writes that wait for the disk together. */
const writesMax = 32;
const bySet = "by-set";
const bySite = "by-site";

async function unlessGone(request: Promise<unknown>) {
  await request.catch((error: unknown) => {
    // The informer tells what became of it, and the next look sees that.
    if (!isStatus(error, "NotFound", "Conflict", "AlreadyExists")) throw error;
  });
}

/** A site that two placements chose belongs to the first, and one that moves between decisions to the first of both. */
function partition(set: KubeObject, decisions: KubeObject[], works: KubeObject[]) {
  const taken = new Set<string>();
  const take = (site: string) => !taken.has(site) && taken.add(site);
  return set.spec.placementRefs.map(({ name, rolloutStrategy }: any) => {
    const found = groupsOf(decisions, name);
    const groups = (found ?? []).map((group) => ({
      ...group,
      sites: group.sites.filter(take),
    }));
    const sites = groups.flatMap((group) => group.sites);
    const chosen = new Set(sites);
    const isOwn = ({ metadata }: KubeObject) =>
      chosen.has(metadata.namespace!) ||
      (metadata.labels?.[workPlacementLabel] === name && !taken.has(metadata.namespace!));
    const own = works.filter(isOwn);
    return { placement: name, strategy: rolloutStrategy ?? {}, found, groups, sites, works: own };
  });
}

/** Removals first: a site that leaves makes room for the next, never the other way round. */
async function carryOut(client: Client, { create, update, remove }: WorksPlan) {
  const atOnce = { max: writesMax };
  const drop = ({ namespace, name, uid }: (typeof remove)[number]) =>
    client.delete({ ...manifestWorks, namespace, name }, { preconditions: { uid } });
  const add = (draft: Draft) =>
    client.create({ ...manifestWorks, namespace: draft.metadata!.namespace! }, draft);
  const change = (work: KubeObject) => {
    const { namespace, name } = work.metadata;
    return client.update({ ...manifestWorks, namespace: namespace!, name }, work);
  };
  await eachAtOnce(remove, (one) => unlessGone(drop(one)), atOnce);
  await eachAtOnce(create, (one) => unlessGone(add(one)), atOnce);
  await eachAtOnce(update, (one) => unlessGone(change(one)), atOnce);
}

class ReplicaSet {
  readonly #context: ControllerContext;
  readonly #set: KubeObject;
  readonly #works: KubeObject[];
  readonly #revisions: KubeObject[];

  constructor(context: ControllerContext, set: KubeObject) {
    const { namespace, name, uid } = set.metadata;
    this.#context = context;
    this.#set = set;
    const { informer } = context;
    this.#works = informer(manifestWorks).byIndex(bySet, `${namespace}.${name}`);
    this.#revisions = informer(controllerRevisions)
      .list(namespace)
      .filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.uid === uid));
  }

  async #finalizers(finalizers: string[]) {
    const { namespace, name, resourceVersion } = this.#set.metadata;
    const target = { ...manifestWorkReplicaSets, namespace: namespace!, name };
    const metadata = { finalizers, resourceVersion };
    await this.#context.client.patch(target, "merge", { metadata });
  }

  async remove() {
    const { finalizers = [] } = this.#set.metadata;
    if (!finalizers.includes(finalizer)) return;
    const kept = this.#works.filter(({ metadata }) => !metadata.deletionTimestamp);
    const drop = ({ metadata: { namespace, name } }: KubeObject) =>
      this.#context.client.delete({ ...manifestWorks, namespace: namespace!, name });
    await eachAtOnce(kept, (one) => unlessGone(drop(one)), { max: writesMax });
    const waits = this.#set.spec.cascadeDeletionPolicy === "Foreground" && this.#works.length > 0;
    if (!waits) await this.#finalizers(finalizers.filter((one) => one !== finalizer));
  }

  /**
   * Whether a placement's decisions are being written. Nothing is done by a part of them: who is missing would
   * lose its work, or keep it and not be counted. The rest wakes the set.
   */
  #isBetween(decided: { placement: string; found: RolloutGroup[] | undefined }[]) {
    const { namespace } = this.#set.metadata;
    return decided.some(({ placement, found }) => {
      return found && !isWhole(found, this.#context.informer(placements).get(placement, namespace));
    });
  }

  /** Resolves with the wall clock time at which to look again. */
  async keep(): Promise<number | undefined> {
    const { client, clock, informer } = this.#context;
    const { metadata } = this.#set;
    const { finalizers = [], annotations = {}, namespace } = metadata;
    if (!finalizers.includes(finalizer)) {
      await this.#finalizers([...finalizers, finalizer]);
      return undefined;
    }
    const own = informer(overrides).list(namespace);
    const content = contentOf(this.#set, overridesOf(this.#set, own));
    const revisions = { ...controllerRevisions, namespace: namespace! };
    const name = revisionName(this.#set, content);
    const revision =
      this.#revisions.find((one) => one.metadata.name === name) ??
      (await client.create(revisions, revisionDraft(this.#set, content, this.#revisions)));
    const previous = previousOf(this.#set, content, this.#revisions);
    const asked = annotations["fleet.kerb.dev/aborted"] === "true" ? "aborted" : undefined;
    const aborted = whyGivenUp(revision) ?? asked;
    const onFailure = annotations["fleet.kerb.dev/on-failure"] === "RollBack" ? "RollBack" : "Stop";
    const clusters = informer(managedClusters);
    const windows = informer(maintenanceWindows)
      .list()
      .map(({ spec }) => spec as MaintenanceWindow);
    const blocked = blockedSites(informer(alarms).list() as Alarm[]);
    const now = clock.now();
    const decided = partition(this.#set, informer(placementDecisions).list(namespace), this.#works);
    if (this.#isBetween(decided)) return undefined;
    const parts: Part[] = [];
    let wakeAt = Infinity;
    for (const part of decided) {
      const { placement, strategy, groups, found, sites, works } = part;
      const plan = planWorks({
        set: { name: metadata.name, namespace: namespace!, placement },
        ...{ content, strategy, groups, onFailure },
        ...(previous && { previous }),
        works: new Map(works.map((work: KubeObject) => [work.metadata.namespace!, work])),
        labelsOf: (site) => clusters.get(site)?.metadata.labels ?? {},
        windowOf: (site) => windowOf(windows, windowSite(clusters.get(site)), now),
        ...{ blocked, now },
        paused: annotations["fleet.kerb.dev/paused"] === "true",
        ...(aborted !== undefined && { aborted }),
      });
      // Before it decided nobody knows which sites are to have nothing.
      if (found) {
        const later = plan.remove.map((one) => removableFrom(clusters.get(one.namespace)));
        const remove = plan.remove.filter((_, i) => later[i]! <= now);
        await carryOut(client, { ...plan, remove });
        // What waits for a silent site is seen again when the site is heard.
        wakeAt = Math.min(wakeAt, ...later.filter((at) => at > now));
      }
      wakeAt = Math.min(wakeAt, plan.rollout.wakeAt ?? Infinity);
      const { rollout, refused } = plan;
      const told = { rollout, refused, decided: found !== undefined };
      parts.push({ placement, groups: groups.length, sites, works, ...told });
    }
    await this.#note(revision, parts);
    await this.#putStatus(parts, content.name);
    for (const one of surplusOf(this.#set, content, this.#revisions)) {
      await unlessGone(client.delete({ ...revisions, name: one.metadata.name }));
    }
    return wakeAt === Infinity ? undefined : wakeAt;
  }

  async #note(revision: KubeObject, parts: Part[]) {
    const { namespace, name } = revision.metadata;
    const rollouts = parts.map(({ rollout }) => rollout);
    const open =
      rollouts.find(({ phase }) => phase === "RollingBack") ??
      rollouts.find(({ phase }) => phase !== "Complete") ??
      rollouts[0];
    const isSomewhere = parts.some(({ sites }) => sites.length > 0);
    const annotations = open && isSomewhere ? noteOf(revision, open) : undefined;
    if (!annotations) return;
    const target = { ...controllerRevisions, namespace: namespace!, name };
    await this.#context.client.patch(target, "merge", { metadata: { annotations } });
  }

  async #putStatus(parts: Part[], content: string) {
    const { client, clock } = this.#context;
    const status = replicaSetStatus(this.#set, parts, content, clock.now());
    if (!differs(status, this.#set.status)) return;
    const { namespace, name } = this.#set.metadata;
    const target = { ...manifestWorkReplicaSets, namespace: namespace!, name };
    await client.patch({ ...target, subresource: "status" }, "merge", { status });
  }
}

const keysOfWork = ({ metadata }: KubeObject) => {
  const [, namespace, name] = /^([^.]+)\.(.+)$/.exec(metadata.labels?.[setLabel] ?? "") ?? [];
  return namespace ? [`${namespace}/${name}`] : [];
};
const keysOfSets = (sets: KubeObject[]) =>
  sets.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
const sameNamespace = ({ metadata }: KubeObject, { informer }: ControllerContext) =>
  keysOfSets(informer(manifestWorkReplicaSets).list(metadata.namespace));
const everySet = (_: KubeObject, { informer }: ControllerContext) =>
  keysOfSets(informer(manifestWorkReplicaSets).list());

/** Sets that chose the site which an object is about. Its status beats like a heart, which wakes nobody. */
function setsOfSite(siteOf: (metadata: KubeObject["metadata"]) => string | undefined) {
  return (object: KubeObject, context: ControllerContext, previous?: KubeObject) => {
    const facts = ({ metadata: { labels, annotations }, spec, status }: KubeObject) => {
      const heard = isTrue(status?.conditions, availableType);
      return JSON.stringify([
        ...[labels, annotations, spec, heard],
        ...[status?.clusterClaims, status?.clearedAt],
      ]);
    };
    if (previous && facts(previous) === facts(object)) return [];
    const site = siteOf(object.metadata);
    const decided = context.informer(placementDecisions).byIndex(bySite, site ?? "");
    const works = context.informer(manifestWorks).list(site);
    return [
      ...decided.flatMap((decision) => sameNamespace(decision, context)),
      ...works.flatMap(keysOfWork),
    ];
  };
}

export const replicaSet: Controller = {
  name: "manifest-work-replica-set",
  inputs: [
    { resource: manifestWorkReplicaSets },
    { resource: placements, keys: sameNamespace },
    { resource: placementDecisions, keys: sameNamespace },
    {
      resource: manifestWorks,
      keys: (work, { wakeAfter }) => {
        for (const key of keysOfWork(work)) wakeAfter(key, settleMs);
        return [];
      },
    },
    {
      resource: controllerRevisions,
      keys: ({ metadata }) => {
        const owner = metadata.ownerReferences?.find((one) => one.controller);
        return owner?.kind === "ManifestWorkReplicaSet"
          ? [`${metadata.namespace}/${owner.name}`]
          : [];
      },
    },
    { resource: overrides, keys: sameNamespace },
    { resource: maintenanceWindows, keys: everySet },
    { resource: alarms, keys: setsOfSite(({ namespace }) => namespace) },
    { resource: managedClusters, keys: setsOfSite(({ name }) => name) },
  ],
  outputs: [manifestWorkReplicaSets, manifestWorks, controllerRevisions],
  start({ informer }) {
    informer(manifestWorks).addIndex(bySet, ({ metadata }) => [metadata.labels?.[setLabel] ?? ""]);
    const chosen = ({ status }: KubeObject): string[] =>
      (status?.decisions ?? []).map((one: any) => one.clusterName);
    informer(placementDecisions).addIndex(bySite, chosen);
  },
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const set = context.informer(manifestWorkReplicaSets).get(name, namespace);
    if (!set) return;
    const one = new ReplicaSet(context, set);
    if (set.metadata.deletionTimestamp) return one.remove();
    const wakeAt = await one.keep();
    if (wakeAt === undefined) return;
    const ms = Math.min(Math.max(wakeAt - context.clock.now(), 0) + 1, wakeMsMax);
    context.wakeAfter(key, ms);
  },
};
