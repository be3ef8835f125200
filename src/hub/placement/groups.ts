// Chosen clusters as decision groups, and groups as PlacementDecisions of at most a hundred clusters.
import { intOrPercent } from "../../controllers/int-or-percent.ts";
import { Misconfigured } from "./model.ts";
import type { CelMatch, ManagedCluster, Placement } from "./model.ts";
import { compileClusterSelector } from "./select.ts";

export const decisionsMax = 100;

export const placementLabel = "cluster.open-cluster-management.io/placement";
export const groupIndexLabel = "cluster.open-cluster-management.io/decision-group-index";
export const groupNameLabel = "cluster.open-cluster-management.io/decision-group-name";

export interface Group {
  name: string;
  clusters: string[];
}

export interface DecisionObject {
  name: string;
  labels: Record<string, string>;
  decisions: { clusterName: string; reason: string; score: number }[];
}

function chunks<T>(items: T[], size: number): T[][] {
  const found: T[][] = [];
  for (let i = 0; i < items.length; i += size) found.push(items.slice(i, i + size));
  return found;
}

/** Named groups first, in their order; each is cut into groups of `clustersPerDecisionGroup`. */
export function divide({ spec }: Placement, clusters: ManagedCluster[], cel: CelMatch): Group[] {
  const { decisionGroups = [], clustersPerDecisionGroup = "100%" } =
    spec.decisionStrategy?.groupStrategy ?? {};
  const total = clusters.length;
  const size = intOrPercent(clustersPerDecisionGroup, total, { roundUp: true, otherwise: total });
  if (total > 0 && size < 1) {
    throw new Misconfigured(
      `clustersPerDecisionGroup must be more than ${clustersPerDecisionGroup}`,
    );
  }
  let rest = clusters;
  const found: Group[] = [];
  const add = (name: string, members: ManagedCluster[]) => {
    for (const part of chunks(members, size)) {
      found.push({ name, clusters: part.map(({ metadata }) => metadata.name) });
    }
  };
  for (const { groupName, groupClusterSelector } of decisionGroups) {
    const matches = compileClusterSelector(groupClusterSelector, cel);
    const members = rest.filter(matches);
    rest = rest.filter((cluster) => !members.includes(cluster));
    add(groupName, members);
  }
  add("", rest);
  return found.length > 0 ? found : [{ name: "", clusters: [] }];
}

/** A placement without clusters has one decision, so that readers can tell "none" from "not yet". */
export function decisionObjects(
  placement: string,
  groups: Group[],
  scores: ReadonlyMap<string, number>,
): { objects: DecisionObject[]; namesOf: string[][] } {
  const objects: DecisionObject[] = [];
  const namesOf = groups.map((group, index) => {
    const parts = group.clusters.length > 0 ? chunks(group.clusters, decisionsMax) : [[]];
    return parts.map((part) => {
      const name = `${placement}-decision-${objects.length + 1}`;
      objects.push({
        name,
        labels: {
          [placementLabel]: placement,
          [groupIndexLabel]: String(index),
          [groupNameLabel]: group.name,
        },
        decisions: part.map((clusterName) => ({
          clusterName,
          reason: "",
          score: scores.get(clusterName) ?? 0,
        })),
      });
      return name;
    });
  });
  return { objects, namesOf };
}
