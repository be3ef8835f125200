// POST pods/NAME/eviction: a delete that asks the pod's disruption budgets first.
import { StatusError } from "../../lib/status-error.ts";
import { isObject } from "../../lib/json.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { compileSelector } from "../../lib/label-selector.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import { timestamp } from "../../lib/clock.ts";
import { RevisionMismatch } from "../../store/store.ts";
import type { Entry } from "../../store/store.ts";
import { admissionRequest, admit } from "../admit.ts";
import { encodeBody } from "../encode.ts";
import { decodeBody } from "../body.ts";
import type { Call } from "../core.ts";
import { deletionOptions } from "../deletion-options.ts";
import type { DeletionOptions } from "../deletion-options.ts";
import type { ApiResponse } from "../request.ts";
import { respondWith } from "../respond.ts";
import { fromStored } from "../stored.ts";
import { deleteObject } from "../verbs/delete.ts";
import { existing } from "../verbs/get.ts";
import { modify } from "../verbs/modify.ts";
import { checkNamed } from "./named.ts";

async function budgetsOf(call: Call, pod: KubeObject) {
  const prefix = `poddisruptionbudgets.policy/${call.info.namespace}/`;
  const { entries } = await call.core.store.list(prefix);
  return entries
    .map((entry) => parseShared<KubeObject>(entry.value))
    .filter((budget) => compileSelector(budget.spec?.selector)(pod.metadata.labels));
}

const isReady = (pod: KubeObject) =>
  pod.status?.conditions?.some((one: any) => one.type === "Ready" && one.status === "True");

const refused = (message: string, cause: string, retryAfterSeconds?: number) =>
  new StatusError("TooManyRequests", message, {
    details: {
      causes: [{ reason: "DisruptionBudget", message: cause }],
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    },
  });

const violates = "Cannot evict pod as it would violate the pod's disruption budget.";

/** Seconds after which a budget that was never counted may have been. */
const countSeconds = 10;

/** Why a budget allows no disruption; its counts are not to be trusted when it could not be counted. */
function whyNone(name: string, status: any): string {
  const { desiredHealthy = 0, currentHealthy = 0, conditions = [] } = status;
  const told = conditions.find(
    ({ type, status: is, message }: any) =>
      type === "DisruptionAllowed" && is === "False" && message,
  );
  const none = `The disruption budget ${name} does not allow evicting pods currently`;
  if (told?.reason === "SyncFailed") return `${none} because it failed sync: ${told.message}`;
  if (currentHealthy <= desiredHealthy) {
    return `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
  }
  return told ? `${none} (${told.reason}): ${told.message}` : none;
}

/** The budget's status with one disruption taken; throws TooManyRequests when there is none. Pure. */
export function takeDisruption(budget: KubeObject, pod: string, now: string): KubeObject {
  const { metadata, status = {} } = budget;
  const { name, generation = 0 } = metadata;
  if ((status.observedGeneration ?? 0) < generation) {
    const cause = `The disruption budget ${name} is still being processed by the server.`;
    throw refused(violates, cause, countSeconds);
  }
  if ((status.disruptionsAllowed ?? 0) <= 0) throw refused(violates, whyNone(name, status));
  const disruptedPods = { ...status.disruptedPods, [pod]: now };
  return {
    ...budget,
    status: { ...status, disruptionsAllowed: status.disruptionsAllowed - 1, disruptedPods },
  };
}

/** Pods that are not ready go when the budget's healthy ones stay enough, or when it lets them always. */
function goesUncounted(pod: KubeObject, { spec, status = {} }: KubeObject): boolean {
  if (isReady(pod)) return false;
  if (spec.unhealthyPodEvictionPolicy === "AlwaysAllow") return true;
  return status.currentHealthy >= status.desiredHealthy && status.desiredHealthy > 0;
}

/** Takes one disruption from the pod's budget, whoever else asks at the same time. */
async function askBudgets(call: Call, pod: KubeObject, dryRun: boolean) {
  for (;;) {
    const budgets = await budgetsOf(call, pod);
    if (budgets.length > 1) {
      throw new StatusError(
        "InternalError",
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
      );
    }
    const [budget] = budgets;
    if (!budget || goesUncounted(pod, budget)) return;
    const taken = takeDisruption(budget, pod.metadata.name, timestamp(call.core.clock.now()));
    if (dryRun) return;
    const { name, namespace, resourceVersion } = budget.metadata;
    const key = `poddisruptionbudgets.policy/${namespace}/${name}`;
    try {
      await call.core.store.update(key, Number(resourceVersion), encodeBody(taken));
      return;
    } catch (error) {
      if (!(error instanceof RevisionMismatch)) throw error;
    }
  }
}

const evicting = {
  type: "DisruptionTarget",
  status: "True",
  reason: "EvictionByEvictionAPI",
  message: "Eviction API: evicting",
};

/** Says on the pod that it does not end by itself, which Jobs' failure policies ask. */
async function markDisrupted(call: Call, entry: Entry, options: DeletionOptions): Promise<Entry> {
  const { preconditions } = options;
  const seen = preconditions.resourceVersion ?? String(entry.revision);
  if (call.options.dryRun || seen !== String(entry.revision)) return entry;
  const whole = { ...call, info: { ...call.info, subresource: "eviction" } };
  const lastTransitionTime = timestamp(call.core.clock.now());
  const mark = (pod: KubeObject) => {
    if (preconditions.uid && preconditions.uid !== pod.metadata.uid) return pod;
    const others = (pod.status?.conditions ?? []).filter((one: any) => one.type !== evicting.type);
    const condition = { ...evicting, lastProbeTime: null, lastTransitionTime };
    pod.status = { ...pod.status, conditions: [...others, condition] };
    return pod;
  };
  const modified = await modify(whole, mark, entry);
  if (!("entry" in modified)) return entry;
  if (preconditions.resourceVersion) {
    preconditions.resourceVersion = String(modified.entry.revision);
  }
  return modified.entry;
}

export async function evict(call: Call): Promise<ApiResponse> {
  const eviction = decodeBody(call.request);
  checkNamed(call, eviction, "Eviction");
  const entry = await existing(call);
  const pod = fromStored(call.kind, entry.value);
  const running = pod.status?.phase === "Running" && !pod.metadata.deletionTimestamp;
  const sent = isObject(eviction.deleteOptions) ? eviction.deleteOptions : {};
  const options = deletionOptions(sent, call.request.query);
  const dry = {
    ...call,
    options: { ...call.options, dryRun: options.dryRun || call.options.dryRun },
  };
  const asked = { ...dry, info: { ...call.info, subresource: "eviction" } };
  await admit(asked, admissionRequest(asked, "CREATE", eviction, undefined));
  if (running) await askBudgets(call, pod, dry.options.dryRun);
  await deleteObject(dry, options, await markDisrupted(dry, entry, options));
  return respondWith(call, 201, {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    code: 201,
  });
}
