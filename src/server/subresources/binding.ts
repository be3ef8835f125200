// POST pods/NAME/binding, or bindings with the pod's name: a scheduler says on which node a pod runs.
import { timestamp } from "../../lib/clock.ts";
import { badRequest, invalid } from "../../lib/status-error.ts";
import { decodeBody } from "../body.ts";
import type { Call } from "../core.ts";
import type { ApiResponse } from "../request.ts";
import { respondWith } from "../respond.ts";
import { checkNamed } from "./named.ts";
import { conflictOf, modify } from "../verbs/modify.ts";

export async function bind(call: Call): Promise<ApiResponse> {
  if (call.info.verb !== "create") throw badRequest("binding takes POST only");
  const binding = decodeBody(call.request);
  checkNamed(call, binding, "Binding");
  const { name: nodeName, kind = "Node" } = binding.target ?? {};
  if (!nodeName || kind !== "Node") {
    const field = nodeName ? "target.kind" : "target.name";
    const message = nodeName
      ? `Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`
      : "Required value";
    const type = nodeName ? "FieldValueNotSupported" : "FieldValueRequired";
    throw invalid("Binding", "", call.info.name!, [{ type, field, message }]);
  }
  const whole = { ...call, info: { ...call.info, subresource: "binding" } };
  await modify(whole, (pod) => {
    const { uid, resourceVersion, annotations, labels } = binding.metadata;
    for (const [what, wanted, present] of [
      ["UID", uid, pod.metadata.uid],
      ["ResourceVersion", resourceVersion, pod.metadata.resourceVersion],
    ]) {
      if (!wanted || wanted === present) continue;
      const why = `Precondition failed: ${what} in precondition: ${wanted}, ${what} in object meta: ${present}`;
      throw conflictOf(call, why);
    }
    if (pod.metadata.deletionTimestamp) {
      throw conflictOf(
        call,
        `pod ${pod.metadata.name} is being deleted, cannot be assigned to a host`,
      );
    }
    if (pod.spec.nodeName) {
      throw conflictOf(
        call,
        `pod ${pod.metadata.name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`,
      );
    }
    if (pod.spec.schedulingGates?.length > 0) {
      throw conflictOf(call, `pod ${pod.metadata.name} has non-empty .spec.schedulingGates`);
    }
    pod.spec.nodeName = nodeName;
    if (annotations) pod.metadata.annotations = { ...pod.metadata.annotations, ...annotations };
    if (labels) pod.metadata.labels = { ...pod.metadata.labels, ...labels };
    const others = (pod.status?.conditions ?? []).filter((one: any) => one.type !== "PodScheduled");
    const scheduled = {
      type: "PodScheduled",
      status: "True",
      lastProbeTime: null,
      lastTransitionTime: timestamp(call.core.clock.now()),
    };
    pod.status = { ...pod.status, conditions: [...others, scheduled] };
    delete pod.status.nominatedNodeName;
    return pod;
  });
  return respondWith(call, 201, {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    code: 201,
  });
}

/** The oldest form of it, which some schedulers still send. */
export async function bindNamed(call: Call): Promise<ApiResponse> {
  const { name } = decodeBody(call.request).metadata ?? {};
  if (!name) {
    const message = "Required value: name or generateName is required";
    throw invalid("Binding", "", "", [
      { type: "FieldValueRequired", field: "metadata.name", message },
    ]);
  }
  const kind = call.core.kinds.get("", "v1", "pods")!;
  return bind({ ...call, kind, info: { ...call.info, kind, name } });
}
