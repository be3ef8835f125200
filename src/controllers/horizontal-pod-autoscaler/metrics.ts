// Reads the metrics of a HorizontalPodAutoscaler and says how many replicas each of them asks for.
import { resource } from "../../client/client.ts";
import type { Target } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import type { ControllerContext } from "../runtime.ts";
import {
  groupPods,
  readyOf,
  replicasForAverage,
  replicasForPods,
  replicasForValue,
} from "./replicas.ts";

const podMetrics = resource("metrics.k8s.io/v1beta1", "pods");

/** A metric that could not be had; `reason` is of a condition. */
export class NoMetric extends Error {
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface Scaled {
  namespace: string;
  /** Selects its pods, as text. */
  selector: string;
  pods: KubeObject[];
  /** Replicas in its spec. */
  current: number;
  tolerance: { up: number; down: number };
  now: number;
}

export interface Proposal {
  replicas: number;
  /** An entry of `status.currentMetrics`. */
  status: object;
  /** For the event. */
  name: string;
}

/** Milli-units as a quantity. */
const milli = (value: number) => {
  const rounded = Math.round(value * 1000);
  return rounded % 1000 === 0 ? String(rounded / 1000) : `${rounded}m`;
};

const failure = (reason: string, message: string) => (error: unknown) => {
  if (error instanceof NoMetric) throw error;
  throw new NoMetric(
    reason,
    `${message}: ${error instanceof Error ? error.message : String(error)}`,
  );
};

async function items(context: ControllerContext, target: Target, labelSelector: string) {
  const options = labelSelector ? { labelSelector } : {};
  return (await context.client.list(target, options)).items as any[];
}

const containersOf = ({ spec }: KubeObject): any[] => [
  ...(spec.initContainers ?? []).filter((one: any) => one.restartPolicy === "Always"),
  ...spec.containers,
];

/** The request of one container, or of all. */
function requestOf(pod: KubeObject, name: string, container: string | undefined): number {
  const chosen = containersOf(pod).filter((one) => !container || one.name === container);
  return chosen.reduce((sum, one) => {
    const request = one.resources?.requests?.[name];
    if (request !== undefined) return sum + parseQuantity(request);
    throw new NoMetric(
      "FailedGetResourceMetric",
      `missing request for ${name} in container ${one.name} of Pod ${pod.metadata.name}`,
    );
  }, 0);
}

async function resourceProposal(
  { name, container, target }: any,
  scaled: Scaled,
  context: ControllerContext,
): Promise<Proposal> {
  const reason = container ? "FailedGetContainerResourceMetric" : "FailedGetResourceMetric";
  const where = { ...podMetrics, namespace: scaled.namespace };
  const found = await items(context, where, scaled.selector).catch(
    failure(reason, `unable to get metrics for resource ${name}`),
  );
  const values = new Map<string, number>();
  for (const { metadata, containers } of found) {
    const chosen = containers.filter((one: any) => !container || one.name === container);
    const used = chosen.map((one: any) => parseQuantity(one.usage[name] ?? 0));
    if (used.length > 0)
      values.set(
        metadata.name,
        used.reduce((a: number, b: number) => a + b, 0),
      );
  }
  const groups = groupPods(scaled.pods, new Set(values.keys()), {
    isCpu: name === "cpu",
    now: scaled.now,
  });
  const byName = new Map(scaled.pods.map((pod) => [pod.metadata.name, pod]));
  const utilization: number | undefined = target.averageUtilization;
  const wantedOf = (pod: string) =>
    utilization === undefined
      ? parseQuantity(target.averageValue)
      : (requestOf(byName.get(pod)!, name, container) * utilization) / 100;
  const known = [...groups.counted, ...groups.unready, ...groups.missing];
  const targets = new Map(known.map((pod) => [pod, wantedOf(pod)]));
  const replicas = replicasForPods(groups, { values, targets }, scaled);
  if (replicas === undefined) {
    throw new NoMetric(reason, `did not receive metrics for targeted pods (pods might be unready)`);
  }
  const used = groups.counted.reduce((all, pod) => all + values.get(pod)!, 0);
  const wanted = groups.counted.reduce((all, pod) => all + targets.get(pod)!, 0);
  const current = {
    averageValue: milli(used / groups.counted.length),
    ...(utilization !== undefined && {
      averageUtilization: Math.floor((used / wanted) * utilization),
    }),
  };
  return container
    ? {
        replicas,
        name: `${name} container resource utilization`,
        status: { type: "ContainerResource", containerResource: { name, container, current } },
      }
    : {
        replicas,
        name: `${name} resource utilization (percentage of request)`,
        status: { type: "Resource", resource: { name, current } },
      };
}

const custom = { group: "custom.metrics.k8s.io", version: "v1beta2" };
const external = { group: "external.metrics.k8s.io", version: "v1beta1" };

/** The paths of these APIs say more than a resource's name; a metric's own selector has no place in them. */
function refuseSelector(reason: string, { name, selector }: any) {
  if (!selector) return;
  throw new NoMetric(reason, `metric ${name}: a selector of the metric is not supported`);
}

async function podsProposal({ metric, target }: any, scaled: Scaled, context: ControllerContext) {
  const reason = "FailedGetPodsMetric";
  refuseSelector(reason, metric);
  const where = { ...custom, resource: `pods/*/${metric.name}`, namespace: scaled.namespace };
  const found = await items(context, where, scaled.selector).catch(
    failure(reason, `unable to get metric ${metric.name}`),
  );
  const values = new Map<string, number>(
    found.map((one) => [one.describedObject.name, parseQuantity(one.value)]),
  );
  const groups = groupPods(scaled.pods, new Set(values.keys()), { isCpu: false, now: scaled.now });
  const each = parseQuantity(target.averageValue);
  const known = [...groups.counted, ...groups.unready, ...groups.missing];
  const targets = new Map(known.map((pod) => [pod, each]));
  const replicas = replicasForPods(groups, { values, targets }, scaled);
  if (replicas === undefined) throw new NoMetric(reason, `no pod has metric ${metric.name}`);
  const used = groups.counted.reduce((all, pod) => all + values.get(pod)!, 0);
  const current = { averageValue: milli(used / groups.counted.length) };
  return {
    replicas,
    name: `pods metric ${metric.name}`,
    status: { type: "Pods", pods: { metric, current } },
  };
}

/** Replicas for a value that is of no pod, and how the status tells it. */
function fromValue(value: number, target: any, scaled: Scaled) {
  if (target.averageValue !== undefined) {
    const replicas = replicasForAverage(value, parseQuantity(target.averageValue), scaled);
    const average = value / Math.max(1, scaled.current);
    return { replicas, current: { averageValue: milli(average) } };
  }
  const ready = readyOf(scaled.pods);
  const replicas = replicasForValue(value, parseQuantity(target.value), { ...scaled, ready });
  return { replicas, current: { value: milli(value) } };
}

async function objectProposal(source: any, scaled: Scaled, context: ControllerContext) {
  const { describedObject, metric, target } = source;
  const reason = "FailedGetObjectMetric";
  refuseSelector(reason, metric);
  const { kind, name, apiVersion = "v1" } = describedObject;
  const group = apiVersion.includes("/") ? apiVersion.split("/")[0] : "";
  const known = (await context.discover()).find((one) => one.kind === kind && one.group === group);
  const plural = known ? `${known.resource}${group && `.${group}`}` : kind.toLowerCase();
  const path = `${plural}/${name}/${metric.name}`;
  const where = { ...custom, resource: path, namespace: scaled.namespace };
  const [found] = await items(context, where, "").catch(
    failure(reason, `unable to get metric ${metric.name} of ${kind} ${name}`),
  );
  if (!found) throw new NoMetric(reason, `${kind} ${name} has no metric ${metric.name}`);
  const { replicas, current } = fromValue(parseQuantity(found.value), target, scaled);
  const status = { type: "Object", object: { describedObject, metric, current } };
  return { replicas, name: `${kind} metric ${metric.name}`, status };
}

async function externalProposal(
  { metric, target }: any,
  scaled: Scaled,
  context: ControllerContext,
) {
  const reason = "FailedGetExternalMetric";
  const selector = Object.entries(metric.selector?.matchLabels ?? {})
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(",");
  if (metric.selector?.matchExpressions?.length) refuseSelector(reason, metric);
  const where = { ...external, resource: metric.name, namespace: scaled.namespace };
  const found = await items(context, where, selector).catch(
    failure(reason, `unable to get external metric ${metric.name}`),
  );
  const value = found.reduce((sum, one) => sum + parseQuantity(one.value), 0);
  const { replicas, current } = fromValue(value, target, scaled);
  const status = { type: "External", external: { metric, current } };
  return { replicas, name: `external metric ${metric.name}`, status };
}

/** What one entry of `spec.metrics` asks for. Rejects with NoMetric. */
export async function proposal(
  metric: any,
  scaled: Scaled,
  context: ControllerContext,
): Promise<Proposal> {
  switch (metric.type) {
    case "Resource":
      return resourceProposal(metric.resource, scaled, context);
    case "ContainerResource":
      return resourceProposal(metric.containerResource, scaled, context);
    case "Pods":
      return podsProposal(metric.pods, scaled, context);
    case "Object":
      return objectProposal(metric.object, scaled, context);
    case "External":
      return externalProposal(metric.external, scaled, context);
    default:
      throw new NoMetric("InvalidMetricSourceType", `unknown metric source type ${metric.type}`);
  }
}
