// evacuate/cancel: a machine that was to leave its node stays; a migration that has begun goes on.
import { instances } from "../../kinds/resources.ts";
import { done } from "../handler.ts";
import type { Handler } from "../handler.ts";

export const evacuateCancel: Handler = async ({ access, namespace, name, resource, dryRun }) => {
  if (resource === "virtualmachines") await access.machine({ namespace, name });
  const vmi = await access.instance({ namespace, name });
  const { evacuationNodeName, ...status } = vmi.status ?? {};
  if (evacuationNodeName === undefined) return done;
  // Against what was read, so that a new wish to leave is not lost.
  await access.client.update({ ...instances, namespace, name }, { ...vmi, status }, { dryRun });
  return done;
};
