// What a placement decided, as a rollout reads it. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { groupIndexLabel, groupNameLabel, placementLabel } from "../placement/groups.ts";
import type { RolloutGroup } from "./model.ts";

/** Decision groups of a placement in their order; undefined before it decided. */
export function groupsOf(decisions: KubeObject[], placement: string): RolloutGroup[] | undefined {
  const own = decisions.filter(({ metadata }) => metadata.labels?.[placementLabel] === placement);
  if (own.length === 0) return undefined;
  const groups = new Map<number, RolloutGroup>();
  const numberOf = ({ metadata: { name } }: KubeObject) =>
    Number(name.slice(name.lastIndexOf("-") + 1));
  for (const decision of own.toSorted((a, b) => numberOf(a) - numberOf(b))) {
    const { labels = {} } = decision.metadata;
    const index = Number(labels[groupIndexLabel] ?? 0);
    const group = groups.get(index) ?? { name: labels[groupNameLabel] ?? "", sites: [] };
    for (const { clusterName } of decision.status?.decisions ?? []) group.sites.push(clusterName);
    groups.set(index, group);
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group);
}

/**
 * Whether these are all the sites that the placement says it chose. Its decisions come and go one object after
 * the other when it is made or deleted; a site that is in none meanwhile has not been left out by anybody.
 */
export function isWhole(groups: RolloutGroup[], placement: KubeObject | undefined): boolean {
  const sites = new Set(groups.flatMap((group) => group.sites));
  return sites.size === placement?.status?.numberOfSelectedClusters;
}
