// A site that leaves a hub for another, or for none, says so where it was: then nobody there waits for it. The
// condition outlives the lease, which merely stops.
import type { Client } from "../../client/client.ts";
import type { Clock } from "../../lib/clock.ts";
import { withConditions } from "../../lib/conditions.ts";
import type { Condition } from "../../lib/conditions.ts";
import { managedClusters } from "../kinds/resources.ts";

export const departedType = "Departed";

/** What a member says of itself while it is one, if it had left before. Pure. */
export const returned: Condition = {
  type: departedType,
  status: "False",
  reason: "Attached",
  message: "The site is a member of this hub",
};

export const movedTo = (server: string): Condition => ({
  type: departedType,
  status: "True",
  reason: "Rehomed",
  message: `The site is a member of ${server} now; what runs there goes on`,
});

export const detached = (removesWorks: boolean): Condition => ({
  type: departedType,
  status: "True",
  reason: "Detached",
  message: removesWorks
    ? "The site was detached, and takes back what works made there"
    : "The site was detached; what works made there stays",
});

export const hasDeparted = (conditions: Condition[] | undefined) =>
  conditions?.some(({ type, status }) => type === departedType && status === "True") ?? false;

/** Rejects when the hub is not reached: it then learns of it by silence. */
export async function sayDeparted(
  hub: Client,
  cluster: string,
  { condition, clock }: { condition: Condition; clock: Clock },
) {
  const target = { ...managedClusters, name: cluster };
  const { metadata, status } = await hub.get(target);
  const conditions = withConditions(status?.conditions, [condition], clock.now());
  const body = {
    metadata: { resourceVersion: metadata.resourceVersion },
    status: { conditions },
  };
  await hub.patch({ ...target, subresource: "status" }, "merge", body);
}
