// Runs a write through the admission plugins: all mutations, then (after the object is final) all
// validations.
import type { KubeObject } from "../kinds/object.ts";
import type { Call } from "./core.ts";
import type { AdmissionRequest } from "./policy.ts";

export function admissionRequest(
  call: Call,
  operation: AdmissionRequest["operation"],
  object: KubeObject | undefined,
  old: KubeObject | undefined,
): AdmissionRequest {
  const { info, kind, options, request } = call;
  return {
    kind,
    operation,
    object,
    old,
    namespace: info.namespace ?? "",
    name: info.name ?? object?.metadata.name ?? "",
    subresource: info.subresource,
    user: request.user,
    dryRun: options.dryRun,
    options: options.raw,
    warn: (message) => void call.warnings.push(message),
    annotate: (key, value) => void request.annotations?.set(key, value),
  };
}

/**
 * Lets every plugin change `request.object` in place or replace it; returns what it is then. When one says
 * so, all of them look a second time, and never a third.
 */
export async function mutate(call: Call, request: AdmissionRequest) {
  if (await mutateOnce(call, request)) await mutateOnce(call, request);
  return request.object!;
}

async function mutateOnce(call: Call, request: AdmissionRequest): Promise<boolean> {
  let again = false;
  for (const plugin of call.core.admission) {
    if (plugin.mutate && (await plugin.mutate(request)) === "reinvoke") again = true;
  }
  return again;
}

export async function admit(call: Call, request: AdmissionRequest) {
  for (const plugin of call.core.admission) {
    if (plugin.validate) await plugin.validate(request);
  }
}
