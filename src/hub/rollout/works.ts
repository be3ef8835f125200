// From a ManifestWorkReplicaSet and the decisions of its placement to the ManifestWorks of single sites. Pure.
// A work says by annotation which content it holds and since when, so a hub that comes back from a crash or a
// backup knows all it needs from the works themselves.
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import { StatusError } from "../../lib/status-error.ts";
import { shortHash } from "../../controllers/revision-history.ts";
import { applyOverrides, rulesFor } from "../overrides/apply.ts";
import type { Manifest, OverrideRule } from "../overrides/apply.ts";
import type { RolloutState, SiteReport } from "./model.ts";
import { planRollout } from "./plan.ts";
import type { RolloutPlan } from "./plan.ts";

export const setLabel = "work.open-cluster-management.io/manifestworkreplicaset";
export const placementLabel = "work.open-cluster-management.io/placementname";
export const contentAnnotation = "fleet.kerb.dev/content";
const givenAnnotation = "fleet.kerb.dev/given-at";

export interface WorkSpec {
  workload: { manifests?: Manifest[] };
  [field: string]: any;
}

/** Overrides are part of it, so that a change of one is rolled out, and goes back, like any other. */
export interface Content {
  /** Says whether two are the same. */
  name: string;
  spec: WorkSpec;
  overrides?: OverrideRule[];
}

/** The name of `content` with the overrides of a site with `labels`: a site whose labels change gets it anew. */
export function variantOf({ name, overrides = [] }: Content, labels: Record<string, string>) {
  const own = rulesFor(overrides, labels);
  return own.length === 0 ? name : `${name}-${shortHash(own)}`;
}

/** Whether a work with the annotation `variant` holds the content `name`, for its site or as it was for it. */
export const isVariant = (variant: string | undefined, name: string) =>
  variant?.split("-")[0] === name;

export interface WorksState extends Omit<RolloutState, "reports" | "hasPrevious"> {
  set: { name: string; namespace: string; placement: string };
  content: Content;
  /** The last content that was rolled out whole. */
  previous?: Content;
  /** Works of this set by site. */
  works: ReadonlyMap<string, KubeObject>;
  labelsOf: (site: string) => Record<string, string>;
}

export interface WorksPlan {
  rollout: RolloutPlan;
  create: Draft[];
  /** Whole objects, with the resourceVersion that they are based on. */
  update: KubeObject[];
  remove: { namespace: string; name: string; uid: string }[];
  /** Site to why its work cannot be made. */
  refused: Map<string, string>;
}

const condition = (work: KubeObject, type: string) =>
  work.status?.conditions?.find(
    (one: any) =>
      one.type === type && (one.observedGeneration ?? Infinity) >= (work.metadata.generation ?? 0),
  );

/** Whether fed back numbers of replicas say that some are missing. */
function lacksReplicas(work: KubeObject): boolean {
  const manifests: any[] = work.status?.resourceStatus?.manifests ?? [];
  return manifests.some(({ statusFeedback }) => {
    const values: any[] = statusFeedback?.values ?? [];
    const of = (...names: string[]) =>
      values.find(({ name }) => names.includes(name))?.fieldValue?.integer;
    const wanted = of("Replicas", "DesiredNumberScheduled");
    return wanted !== undefined && (of("AvailableReplicas", "NumberAvailable") ?? 0) < wanted;
  });
}

/** What a site's work says of the variant `content`. */
export function reportOf(work: KubeObject | undefined, content: string, now: number): SiteReport {
  const { annotations } = work?.metadata ?? {};
  if (!work || annotations?.[contentAnnotation] !== content)
    return { state: "Waiting", since: now };
  const applied = condition(work, "Applied");
  const available = condition(work, "Available");
  const progressing = condition(work, "Progressing");
  const given = Date.parse(annotations[givenAnnotation] ?? "") || 0;
  const changes = [applied, available, progressing].map(
    (one) => Date.parse(one?.lastTransitionTime ?? "") || 0,
  );
  // A site's clock may be years ahead; what it says of the time never lies in the future.
  const changed = Math.min(Math.max(given, ...changes), now);
  if (applied?.status === "False" || condition(work, "Degraded")?.status === "True") {
    return { state: "Failed", since: changed };
  }
  const done = applied?.status === "True" && available?.status === "True";
  const moving = progressing?.status === "True" || lacksReplicas(work);
  if (done && !moving) return { state: "Succeeded", since: changed };
  return { state: "Progressing", since: given };
}

function draftOf(site: string, content: Content, state: WorksState): Draft {
  const { set, labelsOf, now } = state;
  const manifests = content.spec.workload.manifests ?? [];
  const own = applyOverrides(manifests, content.overrides ?? [], labelsOf(site));
  return {
    apiVersion: "work.open-cluster-management.io/v1",
    kind: "ManifestWork",
    metadata: {
      name: set.name,
      namespace: site,
      labels: { [setLabel]: `${set.namespace}.${set.name}`, [placementLabel]: set.placement },
      annotations: {
        [contentAnnotation]: variantOf(content, labelsOf(site)),
        [givenAnnotation]: timestamp(now),
      },
    },
    spec: { ...content.spec, workload: { ...content.spec.workload, manifests: own } },
  };
}

function merged(work: KubeObject, draft: Draft): KubeObject {
  const { labels, annotations } = draft.metadata!;
  return {
    ...work,
    metadata: {
      ...work.metadata,
      labels: { ...work.metadata.labels, ...labels! },
      annotations: { ...work.metadata.annotations, ...annotations! },
    },
    spec: draft.spec,
  };
}

export function planWorks(state: WorksState): WorksPlan {
  const { groups, content, previous, works, labelsOf, now } = state;
  const sites = groups.flatMap((group) => group.sites);
  const reports = new Map(
    sites.map((site) => {
      const variant = variantOf(content, labelsOf(site));
      return [site, reportOf(works.get(site), variant, now)] as const;
    }),
  );
  const other = previous && previous.name !== content.name ? previous : undefined;
  const rollout = planRollout({ ...state, reports, hasPrevious: other !== undefined });
  const plan: WorksPlan = { rollout, create: [], update: [], remove: [], refused: new Map() };
  const give = (site: string, what: Content) => {
    const work = works.get(site);
    try {
      const draft = draftOf(site, what, state);
      if (work?.metadata.deletionTimestamp) return;
      if (work) plan.update.push(merged(work, draft));
      else plan.create.push(draft);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      plan.refused.set(site, error.message);
    }
  };
  for (const site of rollout.start) give(site, content);
  for (const site of rollout.rollBack) if (other) give(site, other);
  const chosen = new Set(sites);
  for (const [site, { metadata }] of works) {
    if (chosen.has(site) || metadata.deletionTimestamp) continue;
    plan.remove.push({ namespace: site, name: metadata.name, uid: metadata.uid });
  }
  return plan;
}
