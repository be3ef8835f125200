// What the hub is told of a work: each manifest's conditions, and the work's as their sum. Pure.
import { withConditions } from "../../lib/conditions.ts";
import type { Condition } from "../../lib/conditions.ts";
import { completeType, isOutdated, ruledConditions } from "./condition-rules.ts";
import type { EvaluateRule } from "./condition-rules.ts";
import { feedbackOf } from "./feedback.ts";
import type { Manifest, ManifestConfig } from "./manifest.ts";

/** How the application of one manifest went. */
export interface Outcome {
  ordinal: number;
  object: any;
  manifest?: Manifest;
  config?: ManifestConfig | undefined;
  /** The object at the site, when there is one. */
  live?: any;
  /** Why it was not applied. */
  failure?: { reason: string; message: string };
}

function applied({ failure }: Outcome): Condition {
  const type = "Applied";
  if (failure) return { type, status: "False", ...failure };
  const message = "Apply manifest complete";
  return { type, status: "True", reason: "AppliedManifestComplete", message };
}

function available({ live }: Outcome): Condition {
  const type = "Available";
  if (live) {
    return { type, status: "True", reason: "ResourceAvailable", message: "Resource is available" };
  }
  const message = "Resource is not available";
  return { type, status: "False", reason: "ResourceNotAvailable", message };
}

function fedBack({ config }: Outcome, failures: string[]): Condition[] {
  const type = "StatusFeedbackSynced";
  const rules = config?.feedbackRules ?? [];
  if (rules.length === 0) return [];
  if (failures.length > 0) {
    const message = `Sync status feedback failed with error ${failures.join(", ")}`;
    return [{ type, status: "False", reason: "StatusFeedbackSyncFailed", message }];
  }
  return [{ type, status: "True", reason: "StatusFeedbackSynced", message: "" }];
}

interface Reporting {
  evaluate: EvaluateRule;
  generation: number | undefined;
  now: number;
}

function manifestStatus(outcome: Outcome, before: any, reporting: Reporting) {
  const { evaluate, generation, now } = reporting;
  const { ordinal, object, manifest, live, config } = outcome;
  const { group = "", version = "", kind = object?.kind ?? "", resource = "" } = manifest ?? {};
  const { namespace = object?.metadata?.namespace ?? "", name = object?.metadata?.name ?? "" } =
    manifest ?? {};
  const rules = config?.feedbackRules;
  const feedback = live ? feedbackOf(live, group, kind, rules) : { values: [], failures: [] };
  const conditions = [
    applied(outcome),
    available(outcome),
    ...fedBack(outcome, feedback.failures),
    ...(live ? ruledConditions(config?.conditionRules ?? [], { live, group, kind }, evaluate) : []),
  ].map((one) => ({ ...one, observedGeneration: generation! }));
  const kept = (before?.conditions ?? []).filter((one: Condition) => !isOutdated(one, generation));
  return {
    resourceMeta: { ordinal, group, version, kind, resource, namespace, name },
    conditions: withConditions(kept, conditions, now),
    ...(feedback.values.length > 0 && { statusFeedback: { values: feedback.values } }),
  };
}

interface Sum {
  type: string;
  yes: [reason: string, message: string];
  no: [reason: string, message: string];
}

const sums: Sum[] = [
  {
    type: "Applied",
    yes: ["AppliedManifestWorkComplete", "Apply manifest work complete"],
    no: ["AppliedManifestWorkFailed", "Failed to apply manifest work"],
  },
  {
    type: "Available",
    yes: ["ResourcesAvailable", "All resources are available"],
    no: ["ResourcesNotAvailable", "resources are not available"],
  },
];

type ManifestStatus = ReturnType<typeof manifestStatus>;

const holds = ({ conditions }: ManifestStatus, type: string) =>
  conditions.some((one) => one.type === type && one.status === "True");

/** Applied and Available: of all manifests. */
function summed(manifests: ManifestStatus[]): Condition[] {
  return sums.map(({ type, yes, no }) => {
    const failed = manifests.filter((one) => !holds(one, type));
    if (failed.length === 0) return { type, status: "True", reason: yes[0], message: yes[1] };
    const message = `${failed.length} of ${manifests.length} ${no[1]}`;
    return { type, status: "False", reason: no[0], message };
  });
}

/** Complete: of all manifests with a rule for it; Progressing and Degraded: of any. */
function ruledSums(manifests: ManifestStatus[], ruled: boolean[]): Condition[] {
  const found: Condition[] = [];
  const completing = manifests.filter((_, i) => ruled[i]);
  if (completing.length > 0) {
    const left = completing.filter((one) => !holds(one, completeType)).length;
    const [status, reason] =
      left === 0
        ? (["True", "ManifestsComplete"] as const)
        : (["False", "ManifestsNotComplete"] as const);
    const message = `${completing.length - left} of ${completing.length} manifests with a rule are complete`;
    found.push({ type: completeType, status, reason, message });
  }
  for (const type of ["Progressing", "Degraded"]) {
    const having = manifests.filter((one) => one.conditions.some((c) => c.type === type));
    if (having.length === 0) continue;
    const is = having.filter((one) => holds(one, type)).length;
    const message = `${is} of ${having.length} manifests with a rule are ${type}`;
    const status = is > 0 ? "True" : "False";
    found.push({
      type,
      status,
      reason: is > 0 ? `Manifests${type}` : `ManifestsNot${type}`,
      message,
    });
  }
  return found;
}

const hasCompletionRule = ({ config }: Outcome) =>
  config?.conditionRules?.some(({ condition }) => (condition || completeType) === completeType) ??
  false;

const ruledTypes = [completeType, "Progressing", "Degraded"];

/** What the status says of a manifest now. */
export function knownManifest(work: any, ordinal: number, object: any): any {
  const known: any[] = work.status?.resourceStatus?.manifests ?? [];
  return known.find(
    ({ resourceMeta: meta }) =>
      meta.ordinal === ordinal &&
      meta.kind === object?.kind &&
      meta.name === object?.metadata?.name,
  );
}

/** Whether a rule of this very content says that the manifest is done; it is then left alone. */
export function isComplete(work: any, ordinal: number, object: any): boolean {
  const conditions: Condition[] = knownManifest(work, ordinal, object)?.conditions ?? [];
  return conditions.some(
    (one) =>
      one.type === completeType &&
      one.status === "True" &&
      one.observedGeneration === work.metadata.generation,
  );
}

/** `v1 ManifestWorkStatus`. */
export function workStatus(
  work: any,
  outcomes: Outcome[],
  { evaluate, now }: { evaluate: EvaluateRule; now: number },
) {
  const { generation } = work.metadata;
  const inOrder = outcomes.toSorted((a, b) => a.ordinal - b.ordinal);
  const manifests = inOrder.map((one) =>
    manifestStatus(one, knownManifest(work, one.ordinal, one.object), {
      evaluate,
      generation,
      now,
    }),
  );
  const conditions = [
    ...summed(manifests),
    ...ruledSums(manifests, inOrder.map(hasCompletionRule)),
  ].map((one) => ({ ...one, observedGeneration: generation }));
  // A rule that is gone takes its sum with it.
  const stated = new Set(conditions.map(({ type }) => type));
  const before = (work.status?.conditions ?? []).filter(
    ({ type }: Condition) => stated.has(type) || !ruledTypes.includes(type),
  );
  return {
    conditions: withConditions(before, conditions, now),
    resourceStatus: { manifests },
  };
}
