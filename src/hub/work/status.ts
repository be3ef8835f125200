// What the hub is told of a work: each manifest's conditions, and the work's as their sum. Pure.
import { withConditions } from "../conditions.ts";
import type { Condition } from "../conditions.ts";
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

const ended: Record<string, (status: any) => boolean> = {
  Job: (status) => has(status, "Complete") || has(status, "Failed"),
  Pod: ({ phase }) => phase === "Succeeded" || phase === "Failed",
};

const has = (status: any, type: string) =>
  status.conditions?.some((one: any) => one.type === type && one.status === "True");

/** Conditions that the work's own rules ask for. */
function ruled({ config, live, object }: Outcome): Condition[] {
  return (config?.conditionRules ?? []).map(({ type: rule, condition }): Condition => {
    const type = condition || "Complete";
    if (rule !== "WellKnownConditions") {
      const message = `conditionRules[].type ${rule} is not supported by this agent`;
      return { type, status: "Unknown", reason: "ConditionRuleUnsupported", message };
    }
    const is = ended[object?.kind]?.(live?.status ?? {}) ?? false;
    const reason = is ? "ConditionRuleEvaluated" : "ConditionRuleNotMet";
    return { type, status: is ? "True" : "False", reason, message: "" };
  });
}

function manifestStatus(outcome: Outcome, before: any, now: number) {
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
    ...ruled(outcome),
  ];
  return {
    resourceMeta: { ordinal, group, version, kind, resource, namespace, name },
    conditions: withConditions(before?.conditions, conditions, now),
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

/** `v1 ManifestWorkStatus`. */
export function workStatus(work: any, outcomes: Outcome[], now: number) {
  const known: any[] = work.status?.resourceStatus?.manifests ?? [];
  const before = ({ ordinal, object }: Outcome) =>
    known.find(
      ({ resourceMeta: meta }) =>
        meta.ordinal === ordinal &&
        meta.kind === object?.kind &&
        meta.name === object?.metadata?.name,
    );
  const manifests = outcomes
    .toSorted((a, b) => a.ordinal - b.ordinal)
    .map((one) => manifestStatus(one, before(one), now));
  const observedGeneration = work.metadata.generation;
  const conditions = sums.map(({ type, yes, no }): Condition => {
    const failed = manifests.filter((one) =>
      one.conditions.some((c) => c.type === type && c.status !== "True"),
    );
    if (failed.length === 0) {
      return { type, status: "True", reason: yes[0], message: yes[1], observedGeneration };
    }
    const message = `${failed.length} of ${manifests.length} ${no[1]}`;
    return { type, status: "False", reason: no[0], message, observedGeneration };
  });
  const complete = manifests.flatMap((one) => one.conditions.filter((c) => c.type === "Complete"));
  if (complete.length > 0 && complete.every(({ status }) => status === "True")) {
    const message = "All manifests have their completion rules met";
    conditions.push({
      ...{ type: "Complete", status: "True", reason: "ManifestsComplete" },
      ...{ message, observedGeneration },
    });
  }
  return {
    conditions: withConditions(work.status?.conditions, conditions, now),
    resourceStatus: { manifests },
  };
}
