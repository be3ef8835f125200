// What a ManifestWorkReplicaSet says of its works, by Open Cluster Management's names. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { isTrue, withConditions } from "../../lib/conditions.ts";
import type { Condition } from "../../lib/conditions.ts";
import { contentAnnotation, isVariant } from "./works.ts";
import type { RolloutPlan } from "./plan.ts";

/** One placement of the set. */
export interface Part {
  placement: string;
  groups: number;
  sites: string[];
  works: KubeObject[];
  rollout: RolloutPlan;
  /** Site to why it has no work. */
  refused: ReadonlyMap<string, string>;
  /** The placement has decided, for some site or for none. */
  decided: boolean;
}

function summaryOf(works: KubeObject[], content: string, desiredTotal: number) {
  const count = (holds: (work: KubeObject) => boolean) => works.filter(holds).length;
  const withTrue = (type: string) => count(({ status }) => isTrue(status?.conditions, type));
  return {
    desiredTotal,
    total: works.length,
    updated: count(({ metadata }) => isVariant(metadata.annotations?.[contentAnnotation], content)),
    applied: withTrue("Applied"),
    available: withTrue("Available"),
    degraded: withTrue("Degraded"),
    progressing: withTrue("Progressing"),
  };
}

const told = (parts: Part[]) =>
  parts.map(({ placement, rollout }) => `${placement}: ${rollout.message}`).join("; ");

function verified(parts: Part[]): Condition {
  const type = "PlacementVerified";
  const missing = parts.filter(({ decided }) => !decided).map(({ placement }) => placement);
  if (missing.length > 0) {
    const message = `no decisions of the placements ${missing.join(", ")} yet`;
    return { type, status: "False", reason: "PlacementDecisionNotFound", message };
  }
  if (parts.every(({ sites }) => sites.length === 0)) {
    const message = "the placements chose no cluster";
    return { type, status: "False", reason: "PlacementDecisionEmpty", message };
  }
  return { type, status: "True", reason: "AsExpected", message: "" };
}

function rolledOut(parts: Part[]): Condition {
  const type = "PlacementRolledOut";
  const open = parts.find(({ rollout }) => rollout.phase !== "Complete");
  return open
    ? { type, status: "False", reason: open.rollout.phase, message: told(parts) }
    : { type, status: "True", reason: "Complete", message: told(parts) };
}

function applied(parts: Part[], summary: ReturnType<typeof summaryOf>): Condition {
  const type = "ManifestworkApplied";
  const refused = parts.flatMap((part) => [...part.refused]);
  if (refused.length > 0) {
    const message = refused.map(([site, why]) => `${site}: ${why}`).join("; ");
    return { type, status: "False", reason: "NotAsExpected", message };
  }
  const isWhole = summary.applied === summary.desiredTotal;
  const message = `${summary.applied} of ${summary.desiredTotal} works are applied`;
  return {
    type,
    status: isWhole ? "True" : "False",
    reason: isWhole ? "AsExpected" : "Processing",
    message,
  };
}

/** `v1alpha1 ManifestWorkReplicaSetStatus`. */
export function replicaSetStatus(set: KubeObject, parts: Part[], content: string, now: number) {
  const of = ({ works, sites }: Pick<Part, "works" | "sites">) =>
    summaryOf(works, content, sites.length);
  const summary = of({
    works: parts.flatMap(({ works }) => works),
    sites: parts.flatMap(({ sites }) => sites),
  });
  const observedGeneration = set.metadata.generation ?? 0;
  const conditions = [verified(parts), rolledOut(parts), applied(parts, summary)];
  return {
    conditions: withConditions(
      set.status?.conditions,
      conditions.map((one) => ({ ...one, observedGeneration })),
      now,
    ),
    summary,
    placementSummary: parts.map((part) => {
      const own = of(part);
      return {
        name: part.placement,
        availableDecisionGroups: `${part.groups} (${own.applied} / ${own.desiredTotal} clusters applied)`,
        summary: own,
      };
    }),
  };
}
