// A pod with a runtime class takes over the class's overhead, node selector and tolerations.
import type { KubeObject } from "../../kinds/object.ts";
import { jsonEqual } from "../../lib/json.ts";
import type { Admission, AdmissionRequest } from "../policy.ts";
import type { ObjectReader } from "./object-reader.ts";
import { isAbout, refuse } from "./refuse.ts";

async function classOf(reader: ObjectReader, request: AdmissionRequest) {
  const name = request.object!.spec.runtimeClassName;
  if (!name) return undefined;
  const found = await reader.get(`runtimeclasses.node.k8s.io/${name}`);
  if (!found) throw refuse(request, `pod rejected: RuntimeClass "${name}" not found`);
  return found;
}

function applyScheduling(request: AdmissionRequest, runtimeClass: KubeObject) {
  const spec = { ...request.object!.spec };
  const { nodeSelector, tolerations } = runtimeClass["scheduling"] ?? {};
  for (const [key, value] of Object.entries(nodeSelector ?? {})) {
    const own = spec.nodeSelector?.[key];
    if (own === undefined || own === value) continue;
    throw refuse(
      request,
      `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; ` +
        `pod.spec.nodeSelector[${key}] = ${own}`,
    );
  }
  if (nodeSelector) spec.nodeSelector = { ...spec.nodeSelector, ...nodeSelector };
  const own: object[] = spec.tolerations ?? [];
  const lacks = (tolerations ?? []).filter((one: object) => !own.some((o) => jsonEqual(o, one)));
  if (lacks.length > 0) spec.tolerations = [...own, ...structuredClone(lacks)];
  request.object!.spec = spec;
}

export const runtimeClass = (reader: ObjectReader): Admission => ({
  name: "RuntimeClass",
  async mutate(request) {
    if (request.operation !== "CREATE" || !isAbout(request, "pods")) return;
    const { spec } = request.object!;
    const found = await classOf(reader, request);
    const overhead = found?.["overhead"]?.podFixed;
    if (spec.overhead && Object.keys(spec.overhead).length > 0) {
      if (!overhead) {
        throw refuse(
          request,
          "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        );
      }
      if (!jsonEqual(spec.overhead, overhead)) {
        throw refuse(
          request,
          "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
        );
      }
    } else if (overhead) {
      request.object!.spec = { ...spec, overhead: { ...overhead } };
    }
    if (found) applyScheduling(request, found);
  },
});
