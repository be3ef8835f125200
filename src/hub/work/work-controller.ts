// A site does what the works in its namespace at the hub say. All it made is written down at the site, so it
// is taken back when the hub says so, and only then: silence, and a hub that lost its memory, delete nothing.
import { createHash } from "node:crypto";
import { apply } from "../../client/apply.ts";
import type { Client } from "../../client/client.ts";
import type {
  Controller,
  ControllerContext,
  DiscoveredResource,
} from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { differs } from "../../lib/differs.ts";
import { jsonEqual } from "../../lib/json.ts";
import { isStatus } from "../../lib/status-error.ts";
import { isTrue } from "../../lib/conditions.ts";
import { appliedManifestWorks, manifestWorks } from "../kinds/resources.ts";
import { hubGroup, workFinalizer } from "../names.ts";
import {
  appliedOf,
  forgetApplied,
  formerOf,
  isOurs,
  keeperLabels,
  otherKeeper,
} from "./applied-work.ts";
import { applyManifest, liveOf, targetOf } from "./apply-manifest.ts";
import type { Owner } from "./apply-manifest.ts";
import type { EvaluateRule } from "./condition-rules.ts";
import { executorRefusal } from "./executor.ts";
import { IgnoreRuleError } from "./ignore-fields.ts";
import { applyOrder, configOf, isOrphaned, manifestOf, removedOf } from "./manifest.ts";
import type { AppliedResource, Manifest, ManifestConfig } from "./manifest.ts";
import { isKept, ownRefusal } from "./own-objects.ts";
import { removeApplied } from "./remove-applied.ts";
import { isComplete, workStatus } from "./status.ts";
import type { Outcome } from "./status.ts";

const appliedFinalizer = `${hubGroup}/applied-manifest-work-cleanup`;
/** How often the site's objects are looked at: when all is well, and while something is not. */
const steadyMs = 5000;
const unsteadyMs = 2000;

export interface WorkSite {
  client: Client;
  discover: () => Promise<DiscoveredResource[]>;
  /** The namespace at the hub. */
  cluster: string;
  hubUrl: string;
  agentId: string;
  /** Makes expressions of rules work; asked for by the first work that has some. */
  loadRules: () => Promise<EvaluateRule>;
  /** All AppliedManifestWorks of the site. */
  records: () => KubeObject[];
}

const noRules: EvaluateRule = () => {
  throw new Error("rules are not loaded");
};

/** Names a hub: two hubs never take each other's works. */
export const hubHashOf = (url: string) => createHash("sha256").update(url).digest("hex");

function ownerOf(applied: KubeObject, former: KubeObject[]): Owner {
  const { apiVersion, kind, metadata } = applied;
  const instead = former.map((one) => one.metadata.uid);
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid, instead };
}

function failureOf(error: unknown): { reason: string; message: string } {
  const { message } = error as Error;
  if (isStatus(error, "Conflict")) return { reason: "ApplyConflict", message };
  if (error instanceof IgnoreRuleError) {
    return { reason: "AppliedManifestSSAIgnoreFieldError", message };
  }
  return { reason: "AppliedManifestFailed", message: `Failed to apply manifest: ${message}` };
}

class Work {
  readonly #site: WorkSite;
  readonly #context: ControllerContext;
  readonly #work: KubeObject;

  constructor(site: WorkSite, context: ControllerContext, work: KubeObject) {
    this.#site = site;
    this.#context = context;
    this.#work = work;
  }

  get #appliedName() {
    return `${hubHashOf(this.#site.hubUrl)}-${this.#work.metadata.name}`;
  }

  get #target() {
    const { namespace, name } = this.#work.metadata;
    return { ...manifestWorks, namespace, name };
  }

  async #finalizers(finalizers: string[]) {
    const { resourceVersion } = this.#work.metadata;
    const metadata = { finalizers, resourceVersion };
    await this.#context.client.patch(this.#target, "merge", { metadata }, { brief: true });
  }

  async #applied(): Promise<KubeObject> {
    const name = this.#appliedName;
    const { agentId, hubUrl, client } = this.#site;
    return apply(
      client,
      appliedManifestWorks,
      {
        apiVersion: "work.open-cluster-management.io/v1",
        kind: "AppliedManifestWork",
        metadata: { name, labels: keeperLabels, finalizers: [appliedFinalizer] },
        spec: {
          agentID: agentId,
          hubHash: hubHashOf(hubUrl),
          manifestWorkName: this.#work.metadata.name,
        },
      },
      { fieldManager: "kerb-work" },
    );
  }

  /** What hubs that the site had before wrote down for this work. */
  #former = (applied: KubeObject) => formerOf(this.#site.records(), applied);

  async #one(ordinal: number, discovered: DiscoveredResource[], owner: Owner): Promise<Outcome> {
    const { manifestConfigs, executor, deleteOption, workload } = this.#work.spec;
    const object = workload.manifests[ordinal];
    const outcome: Outcome = { ordinal, object };
    try {
      const manifest = manifestOf(object, ordinal, discovered);
      const config = configOf(manifestConfigs, manifest);
      Object.assign(outcome, { manifest, config });
      if (isComplete(this.#work, ordinal, object)) {
        outcome.live = await liveOf(this.#site.client, targetOf(manifest));
        return outcome;
      }
      const own = ownRefusal(manifest);
      if (own) throw new Error(own);
      const refused = await executorRefusal(this.#site.client, executor, manifest);
      if (refused) throw new Error(refused);
      await this.#mustBeFree(manifest, config);
      const isOwned = !isOrphaned(deleteOption, manifest) && !isKept(manifest);
      outcome.live = await applyManifest(
        this.#site.client,
        manifest,
        isOwned ? owner : undefined,
        config?.updateStrategy,
      );
    } catch (error) {
      outcome.failure = failureOf(error);
    }
    return outcome;
  }

  /** Two hubs never take turns in changing one object. */
  async #mustBeFree(manifest: Manifest, config: ManifestConfig | undefined) {
    const records = this.#site.records();
    if (records.every(isOurs) || config?.updateStrategy?.type === "ReadOnly") return;
    const live = await liveOf(this.#site.client, targetOf(manifest));
    const keeper = live && otherKeeper(live, records);
    if (!keeper) return;
    throw new Error(
      `${manifest.resource}/${manifest.name} is kept by work ${keeper.spec?.manifestWorkName} of another hub's agent`,
    );
  }

  async #writeApplied(applied: KubeObject, appliedResources: AppliedResource[]) {
    if (jsonEqual(applied.status?.appliedResources ?? [], appliedResources)) return;
    const target = { ...appliedManifestWorks, name: applied.metadata.name };
    const body = { status: { appliedResources } };
    await this.#site.client.patch({ ...target, subresource: "status" }, "merge", body);
  }

  /** Takes back what is no longer wanted; what resists stays on the list. */
  async #shrink(applied: KubeObject, unwanted: AppliedResource[]) {
    const ownerUids = [applied, ...this.#former(applied)].map(({ metadata }) => metadata.uid);
    const left = [];
    for (const one of unwanted) {
      const orphan = isOrphaned(this.#work.spec.deleteOption, one) || isKept(one);
      if (!(await removeApplied(this.#site.client, one, { ownerUids, orphan }))) left.push(one);
    }
    return left;
  }

  async apply() {
    const { metadata, spec } = this.#work;
    const { finalizers = [] } = metadata;
    if (!finalizers.includes(workFinalizer))
      return this.#finalizers([...finalizers, workFinalizer]);
    const applied = await this.#applied();
    const former = this.#former(applied);
    const discovered = await this.#site.discover();
    const manifests: any[] = spec.workload?.manifests ?? [];
    const outcomes: Outcome[] = [];
    for (const ordinal of applyOrder(manifests)) {
      outcomes.push(await this.#one(ordinal, discovered, ownerOf(applied, former)));
    }
    const before = [applied, ...former].flatMap(appliedOf);
    const named = outcomes.flatMap(({ manifest }) => manifest ?? []);
    // A kind that is not served for the moment is still wanted.
    const unread = outcomes
      .filter(({ manifest }) => !manifest)
      .map(({ object }) => object?.metadata?.name);
    const unwanted = removedOf(before, named).filter(({ name }) => !unread.includes(name));
    const left = await this.#shrink(applied, unwanted);
    const kept = before.filter((one) => !unwanted.includes(one));
    const made = outcomes.flatMap(({ manifest, live, config }): AppliedResource[] => {
      if (!manifest || !live || config?.updateStrategy?.type === "ReadOnly") return [];
      const { group, version, resource, namespace, name } = manifest;
      return [{ group, version, resource, namespace, name, uid: live.metadata.uid }];
    });
    const keys = new Set(
      made.map(({ resource, namespace, name }) => `${resource}/${namespace}/${name}`),
    );
    const others = kept.filter(
      ({ resource, namespace, name }) => !keys.has(`${resource}/${namespace}/${name}`),
    );
    await this.#writeApplied(applied, [...made, ...others, ...left]);
    for (const one of former) await forgetApplied(this.#site.client, one);
    await this.#report(outcomes);
    const steady =
      left.length === 0 &&
      outcomes.every(({ failure, live }) => !failure && live) &&
      !(spec.manifestConfigs ?? []).some((one: any) => one.feedbackScrapeType === "Watch");
    return steady ? steadyMs : unsteadyMs;
  }

  async #report(outcomes: Outcome[]) {
    const { client, clock } = this.#context;
    const isRuled = outcomes.some(({ config }) => (config?.conditionRules ?? []).length > 0);
    const evaluate = isRuled ? await this.#site.loadRules() : noRules;
    const status = workStatus(this.#work, outcomes, { evaluate, now: clock.now() });
    if (!differs(status, this.#work.status)) return;
    const { resourceVersion } = this.#work.metadata;
    const body = { metadata: { resourceVersion }, status };
    await client.patch({ ...this.#target, subresource: "status" }, "merge", body, { brief: true });
  }

  /** The hub wants it gone: the site's objects first, then what remembers them, then the work itself. */
  async remove() {
    const { finalizers = [] } = this.#work.metadata;
    if (!finalizers.includes(workFinalizer)) return undefined;
    const target = { ...appliedManifestWorks, name: this.#appliedName };
    const applied = await liveOf(this.#site.client, target);
    if (applied) {
      const left = await this.#shrink(applied, appliedOf(applied));
      await this.#writeApplied(applied, left);
      if (left.length > 0) return unsteadyMs;
      await forgetApplied(this.#site.client, applied);
    }
    await this.#finalizers(finalizers.filter((one) => one !== workFinalizer));
    return undefined;
  }
}

export const workController = (site: WorkSite): Controller => ({
  name: "manifest-work",
  inputs: [{ resource: manifestWorks, namespace: site.cluster }],
  outputs: [manifestWorks],
  async reconcile(key, context) {
    const work = context.informer(manifestWorks).get(key.split("/")[1]!, site.cluster);
    if (!work) return;
    const one = new Work(site, context, work);
    const againMs = work.metadata.deletionTimestamp ? await one.remove() : await one.apply();
    if (againMs === undefined) return;
    const changing = !isTrue(work.status?.conditions, "Available");
    context.wakeAfter(key, changing ? Math.min(againMs, unsteadyMs) : againMs);
  },
});
