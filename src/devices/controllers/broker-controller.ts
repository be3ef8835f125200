// Keeps the brokers of every Instance: a Pod on each node that reaches the device, or one Job.
import { resource } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Controller, ControllerContext, Input } from "../../controllers/runtime.ts";
import { jsonEqual } from "../../lib/json.ts";
import { isStatus } from "../../lib/status-error.ts";
import { labels, ownedSelector } from "../brokers/names.ts";
import { endingOf, planBrokers } from "../brokers/plan.ts";
import { brokerJob } from "../brokers/pod.ts";
import { isWorkload } from "../brokers/workload.ts";
import { Restarts } from "../brokers/restarts.ts";
import { usableOf } from "./found.ts";
import { configurations } from "../kinds/configuration.ts";
import { instances } from "../kinds/instance.ts";

const pods = resource("v1", "pods");
const jobs = resource("batch/v1", "jobs");

/** Wakes the Instance that a broker is for. */
export const keyOfLabel =
  (label: string) =>
  ({ metadata }: KubeObject) => {
    const name = metadata.labels?.[label];
    return name ? [`${metadata.namespace}/${name}`] : [];
  };

/** The keys of a Configuration's Instances, unless all that changed is what was said of its search. */
export const instancesOf: NonNullable<Input["keys"]> = (configuration, { informer }, previous) => {
  const { spec, status, metadata } = configuration;
  const isSame =
    previous &&
    jsonEqual(previous.spec, spec) &&
    previous.status?.resourceName === status?.resourceName &&
    previous.metadata.deletionTimestamp === metadata.deletionTimestamp;
  if (isSame) return [];
  return informer(instances)
    .list(metadata.namespace)
    .filter((one) => one.spec.configurationName === metadata.name)
    .map((one) => `${one.metadata.namespace}/${one.metadata.name}`);
};

function labelled(context: ControllerContext, of: typeof pods, namespace: string, name: string) {
  return context
    .informer(of)
    .list(namespace)
    .filter((one) => one.metadata.labels?.[labels.instance] === name && !isWorkload(one));
}

const gone = (error: unknown) => {
  if (!isStatus(error, "NotFound", "Conflict")) throw error;
};

const there = (error: unknown) => {
  if (!isStatus(error, "AlreadyExists")) throw error;
};

async function keepPods(key: string, context: ControllerContext, restarts: Restarts) {
  const found = usableOf(key, context);
  const { client, clock, event } = context;
  const [namespace, name] = key.split("/") as [string, string];
  // A Job's pods are the Job's.
  const own = labelled(context, pods, namespace, name).filter(
    ({ metadata }) => metadata.ownerReferences?.[0]?.kind === "Instance",
  );
  const plan = planBrokers(found, { pods: own, now: clock.now() });
  for (const { pod, ended } of plan.remove) {
    const { uid, name: podName } = pod.metadata;
    if (ended) {
      const broker = `${namespace}/${podName}`;
      restarts.ended(broker, clock.now());
      const type = pod.status?.phase === "Failed" ? "Warning" : "Normal";
      const seconds = Math.ceil(restarts.waitMs(broker, clock.now()) / 1000);
      const next = seconds === 0 ? "at once" : `in ${seconds} s`;
      // The pod goes, and with it who could say so.
      if (found)
        event(found.instance, type, "BrokerEnded", `${endingOf(pod)}; the next comes ${next}`);
    }
    const options = { preconditions: { uid }, ...(ended && { gracePeriodSeconds: 0 }) };
    await client.delete({ ...pods, namespace, name: podName }, options).catch(gone);
  }
  for (const draft of plan.create) {
    const waitMs = restarts.waitMs(`${namespace}/${draft.metadata.name}`, clock.now());
    if (waitMs > 0) context.wakeAfter(key, waitMs);
    else {
      await client.create({ ...pods, namespace }, draft).catch((error: unknown) => {
        if (isStatus(error, "AlreadyExists")) return;
        event(
          found!.instance,
          "Warning",
          "FailedCreate",
          `Error creating: ${(error as Error).message}`,
        );
        throw error;
      });
    }
  }
  if (plan.wakeAfterMs !== undefined) context.wakeAfter(key, plan.wakeAfterMs);
}

async function keepJob(key: string, context: ControllerContext) {
  const { client } = context;
  const [namespace, name] = key.split("/") as [string, string];
  const found = usableOf(key, context);
  const draft = found?.configuration.spec?.brokerSpec?.brokerJobSpec
    ? brokerJob(found.instance, found.configuration)
    : undefined;
  const wanted = draft?.metadata.name;
  const known = labelled(context, jobs, namespace, name);
  for (const { metadata } of known) {
    if (metadata.name === wanted || metadata.deletionTimestamp) continue;
    const target = { ...jobs, namespace, name: metadata.name };
    await client.delete(target, { propagationPolicy: "Background" }).catch(gone);
  }
  if (!draft || known.some(({ metadata }) => metadata.name === wanted)) return;
  await client.create({ ...jobs, namespace }, draft).catch(there);
}

export function brokerController(): Controller {
  const restarts = new Restarts();
  return {
    name: "akri-broker",
    inputs: [
      { resource: instances },
      { resource: configurations, keys: instancesOf },
      { resource: pods, labelSelector: ownedSelector, keys: keyOfLabel(labels.instance) },
      { resource: jobs, labelSelector: ownedSelector, keys: keyOfLabel(labels.instance) },
    ],
    outputs: [pods, jobs],
    async reconcile(key, context) {
      await keepPods(key, context, restarts);
      await keepJob(key, context);
    },
  };
}
