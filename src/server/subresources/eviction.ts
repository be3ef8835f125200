// POST pods/NAME/eviction: a delete that asks the pod's disruption budgets first.
import { StatusError } from "../../lib/status-error.ts";
import { isObject } from "../../lib/json.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { compileSelector } from "../../lib/label-selector.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import { decodeBody } from "../body.ts";
import type { Call } from "../core.ts";
import { deletionOptions } from "../deletion-options.ts";
import type { ApiResponse } from "../request.ts";
import { respondWith } from "../respond.ts";
import { fromStored } from "../stored.ts";
import { deleteObject } from "../verbs/delete.ts";
import { existing } from "../verbs/get.ts";

async function budgetsOf(call: Call, pod: KubeObject) {
  const prefix = `poddisruptionbudgets.policy/${call.info.namespace}/`;
  const { entries } = await call.core.store.list(prefix);
  return entries
    .map((entry) => parseShared<KubeObject>(entry.value))
    .filter((budget) => compileSelector(budget.spec?.selector)(pod.metadata.labels));
}

const isReady = (pod: KubeObject) =>
  pod.status?.conditions?.some((one: any) => one.type === "Ready" && one.status === "True");

/** Throws TooManyRequests when a budget has nothing left to give. */
function checkBudgets(pod: KubeObject, budgets: KubeObject[]) {
  if (budgets.length > 1) {
    throw new StatusError(
      "InternalError",
      `This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.`,
    );
  }
  const [budget] = budgets;
  if (!budget || (budget.status?.disruptionsAllowed ?? 0) > 0) return;
  if (!isReady(pod) && budget.spec.unhealthyPodEvictionPolicy === "AlwaysAllow") return;
  throw new StatusError(
    "TooManyRequests",
    "Cannot evict pod as it would violate the pod's disruption budget.",
    {
      details: {
        causes: [
          {
            reason: "DisruptionBudget",
            message: `The disruption budget ${budget.metadata.name} needs ${budget.status?.desiredHealthy ?? 0} healthy pods and has ${budget.status?.currentHealthy ?? 0} currently`,
          },
        ],
      },
    },
  );
}

export async function evict(call: Call): Promise<ApiResponse> {
  const eviction = decodeBody(call.request);
  const entry = await existing(call);
  const pod = fromStored(call.kind, entry.value);
  const running = pod.status?.phase === "Running" && !pod.metadata.deletionTimestamp;
  if (running) checkBudgets(pod, await budgetsOf(call, pod));
  const sent = isObject(eviction.deleteOptions) ? eviction.deleteOptions : {};
  const options = deletionOptions(sent, call.request.query);
  const dry = {
    ...call,
    options: { ...call.options, dryRun: options.dryRun || call.options.dryRun },
  };
  await deleteObject(dry, options, entry);
  return respondWith(call, 201, {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    code: 201,
  });
}
