// HorizontalPodAutoscaler (autoscaling/v2): so many replicas that its metrics stay at what is wanted of them.
import { resource } from "../client/client.ts";
import type { Target } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { timestamp } from "../lib/clock.ts";
import { jsonEqual } from "../lib/json.ts";
import { parseQuantity } from "../lib/quantity.ts";
import { begun, historyMs, pace, rulesOf } from "./horizontal-pod-autoscaler/behavior.ts";
import type { History, Paced, Rules } from "./horizontal-pod-autoscaler/behavior.ts";
import { NoMetric, proposal } from "./horizontal-pod-autoscaler/metrics.ts";
import type { Proposal, Scaled } from "./horizontal-pod-autoscaler/metrics.ts";
import { withCondition } from "./pod-state.ts";
import type { Condition } from "./pod-state.ts";
import type { Controller, ControllerContext } from "./runtime.ts";

const autoscalers = resource("autoscaling/v2", "horizontalpodautoscalers");
const pods = resource("v1", "pods");
const lookEveryMs = 15_000;
const toleranceDefault = 0.1;

const toleranceOf = ({ tolerance }: Rules) =>
  tolerance === undefined ? toleranceDefault : parseQuantity(tolerance);

/** A condition, or a refusal to scale as one. */
const condition = (
  type: string,
  status: Condition["status"],
  reason: string,
  message: string,
): Condition => ({ type, status, reason, message });

class Refused extends Error {
  readonly condition: Condition;

  constructor(type: string, reason: string, message: string) {
    super(message);
    this.condition = condition(type, "False", reason, message);
  }
}

/** The scale subresource of what is scaled. */
async function scaleTarget(hpa: KubeObject, { discover }: ControllerContext): Promise<Target> {
  const { kind, name, apiVersion = "v1" } = hpa.spec.scaleTargetRef;
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  const found = (await discover()).find(
    (one) => one.kind === kind && one.group === group && one.version === version,
  );
  if (!found) {
    const message = `no matches for kind "${kind}" in version "${apiVersion}"`;
    throw new Refused("AbleToScale", "FailedGetScale", message);
  }
  const { resource: plural } = found;
  const { namespace } = hpa.metadata;
  return { group, version, resource: plural, namespace, name, subresource: "scale" } as Target;
}

async function readScale(target: Target, { client }: ControllerContext) {
  try {
    return await client.get(target);
  } catch (error) {
    const message = `the HPA controller was unable to get the target's current scale: ${(error as Error).message}`;
    throw new Refused("AbleToScale", "FailedGetScale", message);
  }
}

/** What the metrics ask for together: the most that any of them does. */
async function proposals(hpa: KubeObject, scaled: Scaled, context: ControllerContext) {
  const metrics: any[] = hpa.spec.metrics ?? [];
  const found: Proposal[] = [];
  let failed: NoMetric | undefined;
  for (const metric of metrics) {
    try {
      found.push(await proposal(metric, scaled, context));
    } catch (error) {
      if (!(error instanceof NoMetric)) throw error;
      context.event(hpa, "Warning", error.reason, error.message);
      failed ??= error;
    }
  }
  const most = found.reduce<Proposal | undefined>(
    (best, one) => (!best || one.replicas > best.replicas ? one : best),
    undefined,
  );
  // With a metric missing nobody knows whether fewer would do.
  const blind = failed && (!most || most.replicas < scaled.current);
  if (!most || blind) {
    const message = `the HPA was unable to compute the replica count: ${failed?.message ?? "there are no metrics"}`;
    throw new Refused("ScalingActive", failed?.reason ?? "InvalidMetricSourceType", message);
  }
  return { most, statuses: found.map(({ status }) => status) };
}

const remembered = (history: History, now: number): History => {
  const keep = (marks: History["up"]) => marks.filter(({ at }) => at > now - historyMs);
  return { wanted: keep(history.wanted), up: keep(history.up), down: keep(history.down) };
};

const limitation = ({ limited }: Paced): Condition =>
  limited
    ? condition("ScalingLimited", "True", limited.reason, limited.message)
    : condition(
        "ScalingLimited",
        "False",
        "DesiredWithinRange",
        "the desired count is within the acceptable range",
      );

const able = (reason: string, message: string) => condition("AbleToScale", "True", reason, message);

async function rescale(
  hpa: KubeObject,
  scale: KubeObject,
  options: { target: Target; to: number; why: string },
  context: ControllerContext,
) {
  const { target, to, why } = options;
  const { resourceVersion } = scale.metadata;
  const patch = { metadata: { resourceVersion }, spec: { replicas: to } };
  try {
    await context.client.patch(target, "merge", patch);
  } catch (error) {
    const message = `the HPA controller was unable to update the target scale: ${(error as Error).message}`;
    context.event(hpa, "Warning", "FailedRescale", message);
    throw new Refused("AbleToScale", "FailedUpdateScale", message);
  }
  context.event(hpa, "Normal", "SuccessfulRescale", `New size: ${to}; reason: ${why}`);
}

interface Decision extends Paced {
  why: string;
  active?: Condition;
  statuses: object[];
}

/** Outside the bounds no metric is asked. */
function intoBounds(hpa: KubeObject, current: number): Decision | undefined {
  const { minReplicas: min = 1, maxReplicas: max } = hpa.spec;
  if (current > max) {
    const why = "Current number of replicas above Spec.MaxReplicas";
    return { replicas: max, why, statuses: [] };
  }
  if (current >= min) return undefined;
  const why = "Current number of replicas below Spec.MinReplicas";
  return { replicas: min, why, statuses: [] };
}

async function byMetrics(
  hpa: KubeObject,
  scaled: Scaled,
  history: History,
  context: ControllerContext,
): Promise<Decision> {
  const { minReplicas: min = 1, maxReplicas: max, behavior } = hpa.spec;
  const { current, now } = scaled;
  const { most, statuses } = await proposals(hpa, scaled, context);
  const paced = pace(most.replicas, { current, min, max, behavior, history, now });
  history.wanted.push({ at: now, replicas: most.replicas });
  const active = condition(
    "ScalingActive",
    "True",
    "ValidMetricFound",
    `the HPA was able to successfully calculate a replica count from ${most.name}`,
  );
  const why = most.replicas < current ? "All metrics below target" : `${most.name} above target`;
  return { ...paced, why, active, statuses };
}

async function readTarget(
  hpa: KubeObject,
  { current, selector }: { current: number; selector: string },
  context: ControllerContext,
): Promise<Scaled> {
  if (!selector) {
    const message = "the HPA target's scale is missing a selector";
    throw new Refused("ScalingActive", "InvalidSelector", message);
  }
  const { up, down } = rulesOf(hpa.spec.behavior);
  const namespace = hpa.metadata.namespace!;
  const found = await context.client.list({ ...pods, namespace }, { labelSelector: selector });
  return {
    namespace,
    selector,
    pods: found.items,
    current,
    tolerance: { up: toleranceOf(up), down: toleranceOf(down) },
    now: context.clock.now(),
  };
}

const moderate = "recent recommendations were more moderate than the current one";

/** Decides and acts; says what the status becomes. Rejects with Refused. */
async function autoscale(hpa: KubeObject, history: History, context: ControllerContext) {
  const target = await scaleTarget(hpa, context);
  const scale = await readScale(target, context);
  const current: number = scale.spec.replicas ?? 0;
  history.wanted = begun(history.wanted, current, context.clock.now());
  const base = { currentReplicas: scale.status?.replicas ?? current };
  if (current === 0 && hpa.spec.minReplicas !== 0) {
    const message = "scaling is disabled since the replica count of the target is zero";
    const off = condition("ScalingActive", "False", "ScalingDisabled", message);
    return { ...base, desiredReplicas: 0, conditions: [off] };
  }
  const selector: string = scale.status?.selector ?? "";
  const decision =
    intoBounds(hpa, current) ??
    (await byMetrics(hpa, await readTarget(hpa, { current, selector }, context), history, context));
  const { replicas: to, why, active, statuses, stabilized } = decision;
  let ability = stabilized
    ? able(stabilized, moderate)
    : able("ReadyForNewScale", "recommended size matches current size");
  if (to !== current) {
    await rescale(hpa, scale, { target, to, why }, context);
    const change = { at: context.clock.now(), replicas: Math.abs(to - current) };
    history[to > current ? "up" : "down"].push(change);
    const message = `the HPA controller was able to update the target scale to ${to}`;
    ability = able("SucceededRescale", message);
  }
  return {
    ...base,
    desiredReplicas: to,
    ...(statuses.length > 0 && { currentMetrics: statuses }),
    ...(to !== current && { lastScaleTime: timestamp(context.clock.now()) }),
    conditions: [ability, ...(active ? [active] : []), limitation(decision)],
  };
}

async function writeStatus(
  hpa: KubeObject,
  told: object & { conditions: Condition[] },
  context: ControllerContext,
) {
  const time = timestamp(context.clock.now());
  const conditions = told.conditions.reduce(
    (all, one) => withCondition(all, one, time),
    (hpa.status?.conditions ?? []) as Condition[],
  );
  const status = {
    currentReplicas: 0,
    desiredReplicas: 0,
    ...hpa.status,
    ...told,
    observedGeneration: hpa.metadata.generation,
    conditions,
  };
  if (jsonEqual(status, hpa.status)) return;
  const { namespace, name } = hpa.metadata;
  const target = { ...autoscalers, namespace: namespace!, name, subresource: "status" };
  await context.client.patch(target, "merge", { status });
}

export function horizontalPodAutoscaler(): Controller {
  const histories = new Map<string, History>();
  return {
    name: "horizontal-pod-autoscaler",
    inputs: [
      {
        resource: autoscalers,
        // Its own writes of the status are no reason to look again.
        keys: ({ metadata }, _, previous) =>
          previous?.metadata.generation === metadata.generation && !metadata.deletionTimestamp
            ? []
            : [`${metadata.namespace}/${metadata.name}`],
      },
    ],
    outputs: [{ ...autoscalers, resource: `${autoscalers.resource}/status` }],
    resyncMs: lookEveryMs,
    async reconcile(key, context) {
      const [namespace, name] = key.split("/") as [string, string];
      const hpa = context.informer(autoscalers).get(name, namespace);
      if (!hpa) return void histories.delete(key);
      const now = context.clock.now();
      const history = remembered(histories.get(key) ?? { wanted: [], up: [], down: [] }, now);
      histories.set(key, history);
      const told = await autoscale(hpa, history, context).catch((error: unknown) => {
        if (!(error instanceof Refused)) throw error;
        const { reason = "", type } = error.condition;
        if (type === "AbleToScale") context.event(hpa, "Warning", reason, error.message);
        return { conditions: [error.condition] };
      });
      await writeStatus(hpa, told, context);
    },
  };
}
