// A pod's class of service, which decides who goes first when a node runs short (pkg/apis/core/v1/helper/qos).
import { amountOf } from "./pod-requests.ts";

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

interface Resources {
  requests?: Record<string, string>;
  limits?: Record<string, string>;
}

interface QosPodSpec {
  resources?: Resources;
  containers?: { resources?: Resources }[];
  initContainers?: { resources?: Resources }[];
}

export const amountIn = (list: Record<string, string> | undefined, name: string) =>
  list?.[name] === undefined ? undefined : amountOf(name, list[name]);

export function qosClassOf(spec: QosPodSpec): QosClass {
  const lists = spec.resources
    ? [{ resources: spec.resources }]
    : [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  let any = false;
  let guaranteed = true;
  for (const { resources } of lists) {
    for (const name of ["cpu", "memory"]) {
      const limit = amountIn(resources?.limits, name) ?? 0;
      const request = amountIn(resources?.requests, name) ?? limit;
      if (limit > 0 || request > 0) any = true;
      if (limit === 0 || limit !== request) guaranteed = false;
    }
  }
  if (!any) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}
