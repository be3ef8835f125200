// Ranges of addresses that the owner of a site chose: one of each family that it is to have, its own first.
import { addressIn, familyOf, networkOf, numberAddress, overlaps } from "../../lib/ip-range.ts";
import { nodeBits, nodeRange, nodesIn } from "../../lib/node-range.ts";

/** What a site has of one family of addresses. */
export interface FamilyAddresses {
  /** All pods of the site. */
  clusterCidr: string;
  /** Pods of this machine. */
  podCidr: string;
  /** Where pods reach the machine. */
  gateway: string;
  serviceCidr: string;
  /** ClusterIP of the `kubernetes` Service. */
  apiServiceIp: string;
  dnsServiceIp: string;
}

export interface SiteRanges {
  podCidrs: string[];
  serviceCidrs: string[];
}

/** What the command line says. Pure. */
export const askedRanges = (options: { podCidr?: string[]; serviceCidr?: string[] }) => ({
  ...(options.podCidr && { podCidrs: options.podCidr }),
  ...(options.serviceCidr && { serviceCidrs: options.serviceCidr }),
});

/** Nodes of a cluster, as many as Kubernetes cuts at most. */
const nodesMax = 2 ** 16;
/** Bits of a range of Services: what the DNS server's address needs at least, and what is looked through at most. */
const serviceBits = { IPv4: [12, 28], IPv6: [64, 124] } as const;

const dnsOffset = 10;

/** The first addresses of both ranges; the machine has the first of the nodes' ranges. Pure. */
export function familyAddresses(clusterCidr: string, serviceCidr: string): FamilyAddresses {
  const podCidr = nodeRange(clusterCidr, 0);
  return {
    clusterCidr,
    podCidr,
    gateway: addressIn(podCidr, 1),
    serviceCidr,
    apiServiceIp: addressIn(serviceCidr, 1),
    dnsServiceIp: addressIn(serviceCidr, dnsOffset),
  };
}

/** `10.1.2.3/16` is 10.1.0.0/16. Pure. */
export function plainRange(cidr: string): string {
  const { base, family, bits } = networkOf(cidr);
  return `${numberAddress(base, family)}/${bits}`;
}

const familiesIn = (cidrs: string[]) => cidrs.map(familyOf).join(",");

function podProblem(cidr: string): string | undefined {
  const family = familyOf(cidr);
  const count = nodesIn(cidr);
  if (count === 0)
    return `--pod-cidr ${cidr} is too small: each node gets a /${nodeBits[family]} of it`;
  const least = nodeBits[family] - Math.log2(nodesMax);
  return count > nodesMax
    ? `--pod-cidr ${cidr} is too big: at most a /${least} is cut up`
    : undefined;
}

function serviceProblem(cidr: string): string | undefined {
  const [most, least] = serviceBits[familyOf(cidr)];
  const { bits } = networkOf(cidr);
  if (bits >= most && bits <= least) return undefined;
  return `--service-cidr ${cidr} must be between a /${most} and a /${least}`;
}

/** Why a site cannot have these ranges; undefined when it can. Pure. */
export function rangesProblem({ podCidrs, serviceCidrs }: SiteRanges): string | undefined {
  for (const [option, cidrs] of [
    ["--pod-cidr", podCidrs],
    ["--service-cidr", serviceCidrs],
  ] as const) {
    if (cidrs.length === 2 && familyOf(cidrs[0]!) === familyOf(cidrs[1]!)) {
      return `${option} ${cidrs.join(",")}: two ranges must be one of IPv4 and one of IPv6`;
    }
  }
  if (familiesIn(podCidrs) !== familiesIn(serviceCidrs)) {
    return (
      `--pod-cidr (${familiesIn(podCidrs)}) and --service-cidr (${familiesIn(serviceCidrs)}) ` +
      "must be of the same families in the same order"
    );
  }
  const wrong = [...podCidrs.map(podProblem), ...serviceCidrs.map(serviceProblem)].find(Boolean);
  if (wrong) return wrong;
  const both = podCidrs.flatMap((pods) =>
    serviceCidrs.filter((one) => overlaps(pods, one)).map((one) => [pods, one]),
  )[0];
  return both && `--pod-cidr ${both[0]} and --service-cidr ${both[1]} overlap`;
}

/** A line of `ip route` that leads to addresses of the ranges by another link than the site's. Pure. */
export function routeInTheWay(
  { podCidrs, serviceCidrs }: SiteRanges,
  routes: string,
): string | undefined {
  const all = [...podCidrs, ...serviceCidrs];
  return routes.split("\n").find((line) => {
    const target = /^(?:\w+ )?([\da-f.:]+(?:\/\d+)?) /.exec(line)?.[1];
    // A route to everything, or to a half of it, is for what has no other.
    if (!target || /\/[01]$/.test(target) || /^(default|fe80|ff)/.test(target)) return false;
    const cidr = target.includes("/") ? target : `${target}/${target.includes(":") ? 128 : 32}`;
    return all.some((one) => overlaps(one, cidr));
  });
}
