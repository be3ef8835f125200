// Keeps the broker of every Instance whose Configuration describes it as a whole object: one per device, of any
// of Kubernetes' own kinds that give no rights.
import { apply } from "../../client/apply.ts";
import { resource } from "../../client/client.ts";
import type { Resource } from "../../client/client.ts";
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import { isStatus } from "../../lib/status-error.ts";
import { instancesOf, keyOfLabel } from "./broker-controller.ts";
import { labels, ownedSelector } from "../brokers/names.ts";
import { brokerWorkload, isWorkload, mustBeNew } from "../brokers/workload.ts";
import { usableOf } from "./found.ts";
import { configurations, isCustom } from "../kinds/configuration.ts";
import { instances } from "../kinds/instance.ts";

const fieldManager = "akri-workload";
/** A Job deleted without this leaves its pods. */
const propagationPolicy = "Background";

const workloads = new Map<string, Resource>(
  [
    ["ConfigMap", "v1", "configmaps"],
    ["CronJob", "batch/v1", "cronjobs"],
    ["DaemonSet", "apps/v1", "daemonsets"],
    ["Deployment", "apps/v1", "deployments"],
    ["Job", "batch/v1", "jobs"],
    ["Pod", "v1", "pods"],
    ["ReplicaSet", "apps/v1", "replicasets"],
    ["StatefulSet", "apps/v1", "statefulsets"],
  ].map(([kind, apiVersion, plural]) => [kind!, resource(apiVersion!, plural!)]),
);

async function reconcile(key: string, context: ControllerContext) {
  const { client, informer, event } = context;
  const [namespace, name] = key.split("/") as [string, string];
  const found = usableOf(key, context);
  const template = found?.configuration.spec?.brokerSpec?.brokerTemplate;
  const wanted =
    template && !isCustom(template)
      ? brokerWorkload(found.instance, found.configuration)
      : undefined;
  let isInTheWay = false;
  for (const [kind, of] of workloads) {
    for (const one of informer(of).list(namespace)) {
      const { metadata } = one;
      if (metadata.labels?.[labels.instance] !== name || !isWorkload(one)) continue;
      const isWanted = kind === wanted?.kind && metadata.name === wanted.metadata.name;
      if (isWanted && !metadata.deletionTimestamp && !mustBeNew(one, wanted)) continue;
      isInTheWay ||= isWanted;
      if (metadata.deletionTimestamp) continue;
      const target = { ...of, namespace, name: metadata.name };
      const options = { preconditions: { uid: metadata.uid }, propagationPolicy } as const;
      await client.delete(target, options).catch((error: unknown) => {
        if (!isStatus(error, "NotFound", "Conflict")) throw error;
      });
    }
  }
  // Its going wakes this again.
  if (!wanted || isInTheWay) return;
  await apply(client, workloads.get(wanted.kind)!, wanted, { fieldManager }).catch((error) => {
    event(
      found!.instance,
      "Warning",
      "FailedCreate",
      `Error creating: ${(error as Error).message}`,
    );
    throw error;
  });
}

const named = keyOfLabel(labels.instance);

export const brokerWorkloads: Controller = {
  name: "akri-workload",
  inputs: [
    { resource: instances },
    { resource: configurations, keys: instancesOf },
    ...[...workloads.values()].map((of) => ({
      resource: of,
      labelSelector: ownedSelector,
      keys: named,
    })),
  ],
  outputs: [...workloads.values()],
  reconcile,
};
