// Says in an Instance's conditions whether its device is seen, may be used, and how much of it is.
import type { Client } from "../../client/client.ts";
import { resource } from "../../client/client.ts";
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import { timestamp } from "../../lib/clock.ts";
import { jsonEqual } from "../../lib/json.ts";
import { isStatus } from "../../lib/status-error.ts";
import { isApproved } from "../kinds/approval.ts";
import { instancesOf } from "./broker-controller.ts";
import { withTimes } from "../kinds/condition.ts";
import type { Condition } from "../kinds/condition.ts";
import { configurations } from "../kinds/configuration.ts";
import type { Configuration } from "../kinds/configuration.ts";
import { digestOf, instances } from "../kinds/instance.ts";
import type { Instance } from "../kinds/instance.ts";
import { isInUse } from "../agent/plan-instances.ts";
import { parseUsage } from "../plugins/slots.ts";

type Said = Omit<Condition, "lastTransitionTime">;

function online({ spec, status }: Instance): Said {
  const nodes = spec.nodes ?? [];
  const away = status?.nodes?.filter(({ name, reason }) => {
    return reason === "Away" && nodes.includes(name);
  });
  const isSeen = nodes.length > (away?.length ?? 0);
  if (isSeen) return { type: "Online", status: "True", reason: "Seen", message: "" };
  const message = away?.[0]?.message ?? "no node reaches it";
  return { type: "Online", status: "False", reason: away?.[0] ? "Away" : "NoNode", message };
}

/** Pure. */
export function conditionsOf(instance: Instance, configuration: Configuration): Said[] {
  const approved = isApproved(configuration, instance);
  const digest = digestOf(instance);
  const how = `approved is ${approved ? "" : "not "}said of ${digest} in spec.devices`;
  const isManual = configuration.spec?.approval === "Manual";
  const { capacity, deviceUsage = {} } = instance.spec;
  const used = Object.values(deviceUsage).filter((text) => parseUsage(text)).length;
  return [
    online(instance),
    {
      type: "Approved",
      status: approved ? "True" : "False",
      reason: isManual ? "Manual" : "Automatic",
      message: isManual || !approved ? how : "",
    },
    {
      type: "InUse",
      status: used > 0 ? "True" : "False",
      reason: used >= capacity ? "Full" : used > 0 ? "Shared" : "Free",
      message: `${used} of ${capacity} slots`,
    },
  ];
}

/** Nobody reaches it and nobody has it any more. */
async function remove({ metadata }: Instance, client: Client) {
  const { name, namespace, uid, resourceVersion } = metadata;
  const preconditions = { uid, resourceVersion };
  await client
    .delete({ ...instances, namespace, name }, { preconditions })
    .catch((error: unknown) => {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    });
}

async function reconcile(key: string, { client, clock, informer }: ControllerContext) {
  const [namespace, name] = key.split("/") as [string, string];
  const instance = informer(instances).get(name, namespace) as Instance | undefined;
  if (!instance || instance.metadata.deletionTimestamp) return;
  if (!instance.spec.nodes?.length && !isInUse(instance)) return remove(instance, client);
  const configuration = informer(configurations).get(instance.spec.configurationName, namespace);
  if (!configuration) return;
  const { status = {}, metadata } = instance;
  const said = conditionsOf(instance, configuration as Configuration);
  const conditions = withTimes(status.conditions, said, timestamp(clock.now()));
  if (jsonEqual(status.conditions, conditions)) return;
  const draft = {
    apiVersion: "akri.sh/v0",
    kind: "Instance",
    metadata: { name, namespace, uid: metadata.uid },
    status: { conditions },
  };
  const target = { ...instances, namespace, name, subresource: "status" };
  const options = { fieldManager: "akri-controller", force: true };
  await client.patch(target, "apply", draft, options).catch((error: unknown) => {
    if (!isStatus(error, "NotFound", "Conflict")) throw error;
  });
}

export const instanceStatus: Controller = {
  name: "akri-instance",
  inputs: [{ resource: instances }, { resource: configurations, keys: instancesOf }],
  outputs: [instances, resource("akri.sh/v0", "instances/status")],
  reconcile,
};
