// A FlowSchema says whether the priority level it names is there: its condition Dangling.
import { resource } from "../client/client.ts";
import { timestamp } from "../lib/clock.ts";
import { isStatus } from "../lib/status-error.ts";
import { conditionOf, withCondition } from "./pod-state.ts";
import type { Condition } from "./pod-state.ts";
import type { Controller } from "./runtime.ts";

const apiVersion = "flowcontrol.apiserver.k8s.io/v1";
const schemas = resource(apiVersion, "flowschemas");
const levels = resource(apiVersion, "prioritylevelconfigurations");

/** In upstream's words. Pure. */
export function danglingCondition(level: string, isThere: boolean): Condition {
  const about = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
  return isThere
    ? { type: "Dangling", status: "False", reason: "Found", message: `${about} and it exists` }
    : {
        type: "Dangling",
        status: "True",
        reason: "NotFound",
        message: `${about} but there is no such object`,
      };
}

export const flowSchemaStatus: Controller = {
  name: "flow-schema-status",
  inputs: [
    { resource: schemas },
    {
      resource: levels,
      keys: ({ metadata }, { informer }) =>
        informer(schemas)
          .list()
          .filter(({ spec }) => spec.priorityLevelConfiguration.name === metadata.name)
          .map((schema) => schema.metadata.name),
    },
  ],
  outputs: [schemas],
  async reconcile(name, { client, clock, informer }) {
    const schema = informer(schemas).get(name);
    if (!schema) return;
    const level: string = schema.spec.priorityLevelConfiguration.name;
    const wanted = danglingCondition(level, informer(levels).get(level) !== undefined);
    const known = conditionOf(schema, wanted.type);
    if (known?.status === wanted.status && known.message === wanted.message) return;
    const now = timestamp(clock.now());
    const conditions = withCondition(schema.status?.conditions, wanted, now);
    try {
      await client.patch({ ...schemas, name, subresource: "status" }, "merge", {
        status: { conditions },
      });
    } catch (error) {
      if (!isStatus(error, "NotFound")) throw error;
    }
  },
};
