// What a site tells its hub about itself. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import { timeZoneClaim, versionClaim } from "../names.ts";
import type { Condition } from "../../lib/conditions.ts";

/** Claims that others make about a site; more are not told. */
const claimsMax = 20;
const ownClaims = [
  "id.k8s.io",
  "kubeversion.open-cluster-management.io",
  "product.open-cluster-management.io",
  timeZoneClaim,
  versionClaim,
];

function added(lists: Record<string, string>[]): Record<string, string> {
  const sums = new Map<string, number>();
  for (const list of lists) {
    for (const [name, amount] of Object.entries(list)) {
      sums.set(name, (sums.get(name) ?? 0) + parseQuantity(amount));
    }
  }
  const text = (name: string, sum: number) => {
    if (name === "cpu") return Number.isInteger(sum) ? String(sum) : `${Math.round(sum * 1000)}m`;
    return /memory|storage|hugepages/.test(name) && sum > 0 && sum % 1024 === 0
      ? `${sum / 1024}Ki`
      : String(Math.round(sum));
  };
  return Object.fromEntries([...sums].map(([name, sum]) => [name, text(name, sum)]));
}

export interface Seen {
  version: string;
  nodes: KubeObject[];
  claims: KubeObject[];
}

const isOwn = ({ metadata }: KubeObject) => ownClaims.includes(metadata.name);

/** Of `v1 ManagedClusterStatus` what the agent writes, without conditions. */
export function clusterStatus({ version, nodes, claims }: Seen) {
  const usable = nodes.filter(({ spec }) => !spec?.unschedulable);
  const told = [
    ...claims.filter(isOwn),
    ...claims
      .filter((one) => !isOwn(one))
      .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
      .slice(0, claimsMax),
  ];
  return {
    version: { kubernetes: version },
    capacity: added(nodes.map(({ status }) => status?.capacity ?? {})),
    allocatable: added(usable.map(({ status }) => status?.allocatable ?? {})),
    clusterClaims: told.map(({ metadata: { name }, spec }) => ({
      name,
      value: String(spec?.value ?? ""),
    })),
  };
}

export const memberConditions: Condition[] = [
  {
    type: "ManagedClusterJoined",
    status: "True",
    reason: "ManagedClusterJoined",
    message: "Managed cluster joined",
  },
  {
    type: "ManagedClusterConditionAvailable",
    status: "True",
    reason: "ManagedClusterAvailable",
    message: "Managed cluster is available",
  },
];
