// DataSource: says whether what it leads to is there to be copied.
import { withCondition } from "../../controllers/pod-state.ts";
import type { Condition } from "../../controllers/pod-state.ts";
import type { Controller, ControllerContext, Key } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import { jsonEqual } from "../../lib/json.ts";
import { claims, dataSources } from "../kinds/resources.ts";
import { filledAs } from "./data-volume-controller.ts";
import { followDataSource } from "./data-source.ts";
import type { Led } from "./data-source.ts";

function readiness({ source, why }: Led, claim: KubeObject | undefined): Condition {
  const no = (reason: string, message: string): Condition => ({
    ...{ type: "Ready", status: "False", reason, message },
  });
  if (!source) return no("NoSource", why!);
  const { namespace, name } = source.pvc;
  if (!claim) return no("NotFound", `PVC ${namespace}/${name} not found`);
  const phase = filledAs(claim);
  if (phase !== "Succeeded") return no(phase, `Import DataVolume phase ${phase}`);
  const message = "DataSource is ready to be consumed";
  return { type: "Ready", status: "True", reason: "Ready", message };
}

/** All, where one leads to another; few as they are. */
const all = (_: KubeObject, { informer }: ControllerContext): Key[] =>
  informer(dataSources)
    .list()
    .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);

export const dataSourceController: Controller = {
  name: "data-source",
  inputs: [
    { resource: dataSources, keys: all },
    { resource: claims, keys: all },
  ],
  outputs: [{ ...dataSources, resource: "datasources/status" }],
  async reconcile(key, { informer, client, clock }) {
    const [namespace, name] = key.split("/") as [string, string];
    const known = informer(dataSources).get(name, namespace);
    if (!known || known.metadata.deletionTimestamp) return;
    const led = followDataSource({ namespace, name }, (inside, which) =>
      informer(dataSources).get(which, inside),
    );
    const { pvc } = led.source ?? {};
    const claim = pvc && informer(claims).get(pvc.name, pvc.namespace);
    const condition = readiness(led, claim);
    const conditions = withCondition(
      known.status?.conditions ?? [],
      condition,
      timestamp(clock.now()),
    );
    const status = { ...(led.source && { source: led.source }), conditions };
    if (jsonEqual(status, known.status)) return;
    const target = { ...dataSources, namespace, name, subresource: "status" };
    await client.update(target, { ...known, status });
  },
};
